#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# What the library and the module are for, whole: a virtual machine's disk requests go by
# DMA from a real NVMe controller straight into its memory. Here "real" is QEMU's, and
# the VMM runs on the emulated SVM of the machine that has it; with an IOMMU, then without.
# Each request by zero copy is compared with one by a bounce buffer, in turns.
# ZC_LINUX=1 boots a stock Linux kernel in the VMM, too; it does not always get to its end
# on an emulated CPU (see Documentation/zero-copy.rst).
# Exit status 0: everything that was verified is right.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
GM_SRC=${GM_SRC:-$(cd "$here/../.." && pwd)}
GM_BUILD=${GM_BUILD:-$GM_SRC/build}
export GM_SRC GM_BUILD
. "$here/lib.sh"
. "$here/zero-copy.sh"

ROUNDS=3
SIZES="4096 65536 262144"
# The same bytes of each size would take long for the small ones.
REPEAT=1000

print_check()
{
	printf '  %-7s %s\n' "$1" "$2"
}
check_print=print_check

steps()
{
	local round size kind

	echo "test $zc_program --disk nvme:@"
	echo "hostile $zc_program --disk nvme:@ --guest-mode hostile"
	for ((round = 0; round < ROUNDS; round++)); do
		for size in $SIZES; do
			for kind in nvme nvme-irq bounce; do
				echo "$kind-$size-$round $zc_program --disk $kind:@" \
					"--guest-mode read --size $size --repeat $REPEAT"
			done
		done
	done
	echo "killed kill $zc_program --disk nvme:@"
	echo "again $zc_program --disk nvme:@"
	[ -z "${ZC_LINUX:-}" ] || echo "linux $(zc_linux 2) --disk nvme:@"
}

passed()
{
	is "$(zc_value "$1" status)" 0 && is "$(zc_value "$1" guest)" pass
}

# sum KIND KEY: of all its steps
sum()
{
	tr -d '\r' < report | sed -n "s/^$1-[0-9]*-[0-9]* $2=//p" |
		awk '{ n += $1 } END { printf "%d", n }'
}

# best KIND SIZE KEY: the least of its rounds, since others use the machine, too
best()
{
	tr -d '\r' < report | sed -n "s/^$1-$2-[0-9]* $3=//p" | sort -n | head -n 1
}

verify_linux()
{
	check "a stock Linux kernel: $(zc_value linux bytes) bytes read and written" passed linux
	check "and not one of them copied" is "$(zc_value linux bytes_copied)" 0
}

verify()
{
	local n

	n=$(zc_value test guest_passed)
	check "the guest's $n tests of its disk" passed test
	n=$(zc_value hostile guest_passed)
	check "the guest's $n attempts to do harm: no more than a failed request" passed hostile
	[ -z "${ZC_LINUX:-}" ] || verify_linux
	check "zero copy: the VMM's CPU has copied no byte" is "$(sum nvme bytes_copied)" 0
	check "the same, asleep until the controller interrupts" \
		is "$(sum nvme-irq bytes_copied)" 0
	check "with a bounce buffer it has copied each byte" \
		is "$(sum bounce bytes_copied)" "$(sum bounce bytes)"
	check "a VMM is killed at work" is "$(zc_value killed at_work)" yes
	check "and leaves nothing mapped" \
		is "$(zc_value killed maps_after)" 0
	check "and the next one starts at once" passed again
	check "the module unloads" is "$(vm_result unloaded)" yes
}

show_totals()
{
	local kind

	echo
	printf '  %-10s %10s %14s %14s\n' "" requests bytes "bytes copied"
	for kind in nvme nvme-irq bounce; do
		printf '  %-10s %10d %14d %14d\n' $kind "$(sum $kind requests)" \
			"$(sum $kind bytes)" "$(sum $kind bytes_copied)"
	done
}

# The time of a request, of what is emulated and of what emulates.
show_times()
{
	local size kind

	echo
	printf '  %-12s %10s %10s %10s %18s\n' "us a request" nvme nvme-irq bounce \
		"bounce : nvme"
	for size in $SIZES; do
		for kind in nvme nvme-irq bounce; do
			best $kind "$size" wall_ns_per_request
		done | awk -v size="$size" '{ t[NR] = $1 / 1000 }
			END { printf "  %-12s %10.1f %10.1f %10.1f %18.2f\n",
				size " bytes", t[1], t[2], t[3], t[3] / t[1] }'
	done
}

machine()
{
	local status=0

	steps | zc_run "$1" || status=$?
	stage_end
	echo
	echo "IOMMU $1"
	check "the machine ends well" is $status 0
	verify
	[ "$1" = off ] || check "the IOMMU had no DMA to block" is "$(vm_result faults)" 0
	show_totals
	show_times
}

verdict=
# shellcheck disable=SC2016 # expanded at the end
defer '[ -n "$verdict" ] || echo "FAIL: the demo did not get to its end"'
echo "A VMM in a machine of QEMU's: nested KVM on an emulated CPU, an NVMe controller of"
echo "$ZC_DISK_MIB MiB. Reads at depth 16; of $ROUNDS rounds of $REPEAT requests the best one counts."
machine on
machine off

echo
if [ "$checks_failed" != 0 ]; then
	show_logs report console
	verdict="FAIL: $checks_failed of $checks_done checks, after $SECONDS s"
	echo "$verdict"
	exit 1
fi
verdict="PASS: $checks_done checks in $SECONDS s"
echo "$verdict"
