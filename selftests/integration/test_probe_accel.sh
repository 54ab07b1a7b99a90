#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# What probe-accel.sh makes of each way in which QEMU can end, and what it keeps.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo "1..0 # SKIP no /dev/kvm"
	exit 0
fi
unset GM_ACCEL

# finds STATUS ANSWER [KEPT]: with a QEMU that ends with STATUS, the first time
finds()
{
	rm -rf kernel
	finds_again "$@"
}

finds_again()
{
	local answer

	rm -rf bin
	mkdir -p bin kernel/modules
	printf '#!/bin/sh\nexit %d\n' "$1" > bin/qemu-system-x86_64
	chmod +x bin/qemu-system-x86_64
	answer=$(PATH=$PWD/bin:$PATH "$here/probe-accel.sh" kernel)
	is "${answer%%,*}" "$2" && is "$(cat kernel/accel 2>/dev/null)" "${3-}"
}

tap_plan 6
check "a guest that boots has KVM, and that is kept" finds 43 kvm kvm
check "where QEMU fails there is none, and that is kept" finds 134 tcg tcg
check "where it takes too long, it may be another time" finds 124 tcg
check "and is so" finds_again 43 kvm kvm
check "the same where it has to be killed" finds 137 tcg
check "but for the second time" finds_again 137 tcg tcg
[ "$checks_failed" = 0 ]
