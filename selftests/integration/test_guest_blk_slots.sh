#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Memory is plugged into a running guest and out again, while the guest writes to
# its disk without a pause; then its I/O goes to buffers in that memory. Once the
# device learns of each slot by itself (vhost-user's CONFIGURE_MEM_SLOTS), once by
# a new table.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

PLUG_MIB=256
# Where QEMU puts the first DIMM of a q35 whose memory ends below 4 GiB.
PLUG_GPA=$((4096 * MIB))
PART_LENGTH=$((8 * MIB))
CHURN_OFFSET=$((RAW_OFFSET + 4 * PART_LENGTH))
CHURN_LENGTH=$((RAW_LENGTH - 4 * PART_LENGTH))
WRITES_MIN=500
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

churned_is_right()
{
	is "$(tail -c "$CHURN_LENGTH" disk.img | sha256sum)" "$(vm_result raw)"
}

# Bytes of the guest's requests that were in the plugged memory.
plugged_bytes()
{
	sed -nE "s/^region[0-9]+=0x0*100000000 0x0*$(printf %x $((PLUG_MIB * MIB))) //p" stats
}

# slots NAME MESSAGE [OPTION...]: all of it, with the device started that way, which
# is told of memory by messages of that name.
slots()
{
	local name=$1 message=$2 guest=0 part

	shift 2
	: > device.log
	blk_prepare slots.sh PLUG_MIB=$PLUG_MIB PLUG_GPA=$PLUG_GPA \
		PART_LENGTH=$PART_LENGTH CHURN_OFFSET=$CHURN_OFFSET \
		CHURN_LENGTH=$CHURN_LENGTH WRITES_MIN=$WRITES_MIN
	blk_device_start --verbose "$@"
	# shellcheck disable=SC2046 # a list of arguments
	vm_start $(blk_disk device.sock 04) || bail_out "the guest does not boot"

	vm_expect "first done" || bail_out "no I/O before memory is plugged in"
	plug one
	vm_expect "plugged done" || bail_out "no I/O in plugged memory"
	unplug one
	vm_expect "unplugged done" || bail_out "no I/O after memory was plugged out"
	plug two
	vm_wait || guest=$?

	check "$name: the guest ends well" is $guest 0
	check "$name: memory was plugged in again and used" \
		grep -qx "plugged again done" report
	check "$name: the device ends well" end_process "$blk_device_pid"
	for part in 0 1 2 3; do
		check "$name: part $part of the data is right" part_is_right $part
	done
	check "$name: writes went on meanwhile" at_least "$(vm_result churned)" $WRITES_MIN
	check "$name: what they wrote is right" churned_is_right
	# Parts 1 and 3 there and back, and part 1 back once more.
	check "$name: requests were in the plugged memory" \
		at_least "$(plugged_bytes)" $((5 * PART_LENGTH))
	check "$name: the device learned of memory that way" \
		at_least "$(grep -c "$message: ok" device.log)" 3
	check "$name: no byte was copied on the way" is "$(blk_stat bytes_copied)" 0
	check "$name: no request failed" is "$(blk_stat errors)" 0
}

tap_plan 26
slots slots ADD_MEM_REG
slots table SET_MEM_TABLE --no-slots
[ "$checks_failed" = 0 ]
