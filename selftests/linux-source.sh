#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# linux-source.sh OUTDIR: put what the tests use of Debian's kernel source
# (test harness, checkpatch, kernel-doc, coccinelle, extract-vmlinux) into OUTDIR, once.
# Safe when several makes call it at the same time.
set -eu

out=${1:?usage: linux-source.sh OUTDIR}
tarball=/usr/src/linux-source-6.1.tar.xz
top=linux-source-6.1

mkdir -p "$out"
exec 9> "$out/.lock"
flock 9
if [ -e "$out/.stamp" ] && [ "$out/.stamp" -nt "$0" ]; then
	exit 0
fi
if [ ! -r "$tarball" ]; then
	echo "$0: $tarball is missing: run 'make deps'" >&2
	exit 1
fi
echo "  EXTRACT $tarball (some seconds, once)" >&2
tar -I 'xz -T0' -xf "$tarball" -C "$out" --strip-components=1 \
	"$top/tools/testing/selftests/kselftest.h" \
	"$top/tools/testing/selftests/kselftest_harness.h" \
	"$top/tools/testing/selftests/lib.mk" \
	"$top/tools/testing/selftests/run_kselftest.sh" \
	"$top/tools/testing/selftests/kselftest" \
	"$top/scripts/extract-vmlinux" \
	"$top/scripts/checkpatch.pl" \
	"$top/scripts/spelling.txt" \
	"$top/scripts/const_structs.checkpatch" \
	"$top/scripts/kernel-doc" \
	"$top/scripts/coccinelle"
touch "$out/.stamp"
