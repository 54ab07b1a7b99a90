#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A stock kernel uses the vhost-user-blk sample as its disk in each way that a
# block device has; each piece of data is compared, both ways.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

# guest_blk ENGINE: all of it, with the device's I/O done that way.
guest_blk()
{
	local guest=0 host_bytes guest_bytes

	blk_prepare blk.sh
	blk_device_start --engine "$1"
	# shellcheck disable=SC2046 # a list of arguments
	vm_start $(blk_disk device.sock 04) ||
		bail_out "the guest does not boot"
	vm_wait || guest=$?

	check "$1: the guest ends well" is $guest 0
	check "$1: the device ends well" end_process "$blk_device_pid"
	check "$1: the guest has read the host's files" blk_host_files_equal
	check "$1: the host finds the guest's files" blk_guest_files_equal
	check "$1: the file system is clean" blk_fs_clean
	check "$1: zeroed range reads as zeroes" blk_raw_zero
	check "$1: rewritten range holds the new data" blk_raw_new
	check "$1: untouched range holds the old data" blk_raw_old

	# Each byte of a file has passed the device once at least.
	host_bytes=$(cat files/host/* | wc -c)
	guest_bytes=$(cat dumped/guest/* | wc -c)
	# All of the 512 MiB but for the holes of a PC below 1 MiB.
	check "$1: the guest's memory was shared" \
		blk_memory_was_shared $((511 * MIB))
	check "$1: bytes read" at_least "$(blk_stat bytes_read)" \
		$((host_bytes + RAW_LENGTH))
	check "$1: bytes written" at_least "$(blk_stat bytes_written)" \
		$((guest_bytes + RAW_LENGTH + NEW_LENGTH))
	check "$1: the counts of requests add up" blk_requests_add_up
	check "$1: flushes" at_least "$(blk_stat flushes)" 2
	check "$1: discards" at_least "$(blk_stat discards)" 1
	check "$1: write-zeroes" at_least "$(blk_stat write_zeroes)" 1
	check "$1: no byte was copied on the way" is "$(blk_stat bytes_copied)" 0
	check "$1: no request failed" is "$(blk_stat errors)" 0
	for queue in 0 1; do
		check "$1: the guest was interrupted by queue $queue" \
			at_least "$(vm_result "queue.$queue")" 10
		check "$1: the device served queue $queue" \
			at_least "$(blk_stat "queue${queue}_requests")" 10
	done
}

tap_plan 42
guest_blk auto
guest_blk sync
[ "$checks_failed" = 0 ]
