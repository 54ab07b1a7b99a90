#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The sample zero-copy-vmm with a real controller (QEMU's), in memory of the module: all
# its guest's tests, each hostile one, by polling and by interrupts; and it is killed
# with requests in flight. With an IOMMU and without. Also one with blocks that are larger
# than sectors, and commands that are smaller than the guest's requests; and memory that
# goes while requests move data there.
#
# A stock Linux kernel is only seen to begin: where it goes on with interrupts, an emulated
# CPU does not always run it to its end (see Documentation/zero-copy.rst).
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$GM_SRC/selftests/integration/zero-copy.sh"

# What runs in the machine; "hostile" are all cases of that kind, in one life.
steps()
{
	echo "test $zc_program --disk nvme:@"
	echo "hostile $zc_program --disk nvme:@ --guest-mode hostile"
	echo "irq $zc_program --disk nvme-irq:@"
	echo "bounce $zc_program --disk bounce:@"
	echo "aligned $zc_program --disk nvme:@ --guest-mode read --repeat 1000"
	echo "bounced $zc_program --disk bounce:@ --guest-mode read --repeat 1000"
	echo "asleep $zc_program --disk nvme-irq:@ --guest-mode read --repeat 1000"
	echo "writes $zc_program --disk nvme:@ --guest-mode write --repeat 1000"
	echo "unplug $zc_program --disk nvme:@ --guest-mode unplug"
	echo "unplug-irq $zc_program --disk nvme-irq:@ --guest-mode unplug"
	echo "unplug-bounce $zc_program --disk bounce:@ --guest-mode unplug"
	echo "blocks $zc_program --disk nvme:%"
	echo "blocks-bounce $zc_program --disk bounce:%"
	echo "killed kill $zc_program --disk nvme:@"
	echo "again $zc_program --disk nvme:@"
	echo "linux $(zc_linux 7) --timeout 10 --disk nvme-irq:@"
	echo "killed-asleep kill $zc_program --disk nvme-irq:@"
	echo "again-irq $zc_program --disk nvme-irq:@"
}

passes()
{
	is "$(zc_value "$1" status)" 0 && is "$(zc_value "$1" guest)" pass && return
	grep "^$1" report | tail -n 40
	return 1
}

no_splat()
{
	! grep -aE 'BUG:|WARNING:|Oops|Call Trace|refcount_t|hung task|lockup' console
}

# Memory went with requests in flight, and none of these was given up.
check_unplugged()
{
	local name in_flight done all=0

	for name in unplug unplug-irq unplug-bounce; do
		in_flight=$(zc_value $name requests_waited_for)
		done=$(tr -d '\r' < report | sed -n "s/^$name: guest: done before //p")
		check "$name: what was in flight came to its end" \
			at_least "$done" "${in_flight:-none}"
		all=$((all + ${in_flight:-0}))
	done
	# Each time, as a rule; but a busy machine can let the guest come late.
	check "memory went with $all requests in flight" at_least $all 1
}

# It had requests done, and memory mapped for the controller, and nothing is left of it.
check_killed()
{
	check "$1: it was at work" is "$(zc_value "$1" at_work)" yes
	check "$1: memory was mapped" at_least "$(zc_value "$1" maps_before)" 4
	check "$1: nothing is mapped any more" is "$(zc_value "$1" maps_after)" 0
	check "$1: no memory is left behind" is "$(zc_value "$1" regions_after)" 0
}

check_machine()
{
	local status=0 name

	steps | zc_run "$1" || status=$?
	check "IOMMU $1: the machine ends well" is $status 0
	for name in test hostile irq bounce aligned bounced asleep writes blocks blocks-bounce unplug \
		unplug-irq unplug-bounce again again-irq; do
		check "IOMMU $1: $name: the guest is content" passes $name
		check "IOMMU $1: $name: in memory of the module" is "$(zc_value $name ram)" kmod
	done
	check "the guest has made $(zc_value test guest_passed) tests" \
		at_least "$(zc_value test guest_passed)" 20
	check "it was hostile in $(zc_value hostile guest_passed) ways" \
		at_least "$(zc_value hostile guest_passed)" 25
	check "no byte of $(zc_value aligned bytes) was copied" \
		is "$(zc_value aligned bytes_copied)" 0
	check "the other way copies all of them" \
		is "$(zc_value bounced bytes_copied)" "$(zc_value aligned bytes)"
	for name in blocks blocks-bounce; do
		check "IOMMU $1: $name: blocks are larger than sectors" \
			grep -q "^$name: guest: ok .* parts of a block" report
	done
	# Of data, and one of status bytes, and one of the used ring.
	for name in aligned bounced asleep; do
		check "$name: 1000 pages are dirty by the device, and no others" \
			is "$(zc_value $name dirty_pages_device)" 1002
	done
	check "what is written to the disk makes none dirty" \
		is "$(zc_value writes dirty_pages_device)" 2
	check_unplugged
	check "Linux begins, with the RAM that it was told of" \
		grep -q '^linux: guest: .*BIOS-e820: .*0x0000000100000000-.* usable' report
	check "and finds the interrupt controller" \
		grep -q '^linux: guest: .*IOAPIC\[0\]: .* address 0xfec00000, GSI 0-23' report
	check "and the description of the disk" \
		grep -q '^linux: guest: .*ACPI: DSDT .*GUESTM ZEROCOPY' report
	check_killed killed
	check_killed killed-asleep
	check "the module unloads" grep -qx unloaded=yes report
	check "the kernel has no complaint" no_splat
}

tap_plan 119
check_machine on
check "no device address was a wrong one" is "$(vm_result faults)" 0
check "an IOMMU has translated each" is "$(vm_result untranslated)" 0
check_machine off
check "there was no IOMMU" at_least "$(vm_result untranslated)" 1
[ "$checks_failed" = 0 ]
