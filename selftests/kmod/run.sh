#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# run.sh KERNEL BOOT: boot a kernel in a virtual machine, run every test program
# of that boot with the module (see machine.sh), and give all results as one TAP
# stream. What tests found out for a table of results ("# table: TEXT") goes to
# $GM_BUILD/kmod/KERNEL/BOOT.table.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$GM_SRC/selftests/kmod/machine.sh"
machine_set "${1:?usage: run.sh KERNEL BOOT}" "${2:?usage: run.sh KERNEL BOOT}"

no_leak()
{
	grep '^leak: ' report || true
	is "$(vm_result leaks)" 0
}

# As check of lib.sh does, but prove would not show that.
check_print=check_printed
check_printed()
{
	tap_print "$@"
	[ "$1" = ok ] || {
		echo "# kmod/$kernel/$boot: $2"
		head -n 60 check.log | sed 's/^/#   /'
		rm check.log
	} >&2
}

# shellcheck disable=SC2207 # names have no spaces
programs=($(machine_programs test_))
! machine_has_kunit || programs+=(kunit)
if [ ${#programs[@]} = 0 ]; then
	echo "1..0 # SKIP no program for this boot"
	exit 0
fi
guest=0
machine_run "${programs[@]}" || guest=$?

tap_report "kmod/$kernel/$boot" "${programs[@]}"
tr -d '\r' < report | sed -n 's/^# table: //p' > "$GM_BUILD/kmod/$kernel/$boot.table"
check "the guest ends well" is $guest 0
check "the module unloads" is "$(vm_result unloaded)" yes
check "the kernel has no complaint" no_splat
check "the kernel is not tainted by an error" no_taint
[ "$kernel" != debug ] || check "nothing has leaked" no_leak
echo "1..$checks_done"
[ "$checks_failed" = 0 ]
