#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Memory is plugged into a running guest and out again; the guest's disk I/O
# then goes to buffers in that memory. The device learns of each slot by itself
# (vhost-user's CONFIGURE_MEM_SLOTS) or by a new table, as the two agree.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

PLUG_MIB=256
# Where QEMU puts the first DIMM of a q35 whose memory ends below 4 GiB.
PLUG_GPA=$((4096 * MIB))
PART_LENGTH=$((8 * MIB))
VM_MEMORY=256M,slots=4,maxmem=2G
# Movable memory holds no kernel data, so it can be plugged out.
VM_APPEND=memhp_default_state=online_movable

plug()
{
	vm_command "object_add memory-backend-memfd,id=$1,size=${PLUG_MIB}M,share=on"
	vm_command "device_add pc-dimm,id=dimm-$1,memdev=$1"
}

unplug()
{
	vm_command "device_del dimm-$1"
}

# Part $1 of the raw range, as the guest has filled it.
part_is_right()
{
	"$blk_load" check disk.img $((RAW_OFFSET + $1 * PART_LENGTH)) \
		"$PART_LENGTH" $((SEED + $1))
}

plugged_region()
{
	grep -E "^region[0-9]+=(0x)?0*100000000 (0x)?0*$(printf %x $((PLUG_MIB * MIB)))\$" stats
}

tap_plan 10
blk_prepare slots.sh PLUG_MIB=$PLUG_MIB PLUG_GPA=$PLUG_GPA PART_LENGTH=$PART_LENGTH
blk_device_start
# shellcheck disable=SC2046 # a list of arguments
vm_start $(blk_disk device.sock 04) || bail_out "the guest does not boot"

vm_expect "first done" || bail_out "no I/O before memory is plugged in"
plug one
vm_expect "plugged done" || bail_out "no I/O in plugged memory"
unplug one
vm_expect "unplugged done" || bail_out "no I/O after memory was plugged out"
plug two
guest=0
vm_wait || guest=$?

check "the guest ends well" is $guest 0
check "memory was plugged in again and used" grep -qx "plugged again done" report
check "the device ends well" end_process "$blk_device_pid"
for part in 0 1 2 3; do
	check "part $part of the data is right" part_is_right $part
done
check "the device knew the plugged region" plugged_region
check "no byte was copied on the way" is "$(blk_stat bytes_copied)" 0
check "no request failed" is "$(blk_stat errors)" 0
[ "$checks_failed" = 0 ]
