#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# module.sh KERNEL DIR: build the module for a kernel in $GM_BUILD/kernels with
# the kernel's extra warnings (W=1) and sparse (C=2), in DIR. Whatever any of
# them says is an error.
set -euo pipefail

kernel=${1:?usage: module.sh KERNEL DIR}
dir=${2:?}
kdir=${GM_BUILD:?}/kernels/$kernel/kdir

# Objects that are there already would not be checked.
rm -rf "$dir"
mkdir -p "$dir"
# The KUnit tests, too: a kernel without KUnit has all but the functions.
export CONFIG_GUESTMEM_KUNIT_TEST=m KBUILD_MODPOST_WARN=1
# The make that runs this has its own jobs.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL
status=0
make -j"$(nproc)" --no-print-directory -C "${GM_SRC:?}/kmod" O="$GM_BUILD" M="$dir" \
	KDIR="$kdir" W=1 C=2 modules > "$dir/log" 2>&1 || status=$?
found=$(grep -E '(warning|error|WARNING|ERROR|\*\*\*)[: ]' "$dir/log" |
	grep -Ev 'modpost: "(__)?kunit_.* undefined') || true
[ -z "$found" ] || { echo "$found" >&2; exit 1; }
[ $status = 0 ] || { tail -n 20 "$dir/log" >&2; exit 1; }
grep -q '  CHECK .*/main.c' "$dir/log" || { echo "$0: sparse has not run" >&2; exit 1; }
grep -q '  CHECK .*/segment_test.c' "$dir/log" ||
	{ echo "$0: the KUnit tests were not built" >&2; exit 1; }
