#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A stock kernel uses the vhost-user-blk sample as its disk in each way that a
# block device has; each piece of data is compared, both ways.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

tap_plan 19
blk_prepare blk.sh
blk_device_start
# shellcheck disable=SC2046 # a list of arguments
vm_start $(blk_disk device.sock 04) || bail_out "the guest does not boot"

guest=0
vm_wait || guest=$?
check "the guest ends well" is $guest 0
check "the device ends well" end_process "$blk_device_pid"
check "the guest has read the host's files" blk_host_files_equal
check "the host finds the guest's files" blk_guest_files_equal
check "the file system is clean" blk_fs_clean
check "zeroed range reads as zeroes" blk_raw_zero
check "rewritten range holds the new data" blk_raw_new
check "untouched range holds the old data" blk_raw_old
check "queue 0 was used" at_least "$(vm_result queue.0)" 10
check "queue 1 was used" at_least "$(vm_result queue.1)" 10

host_bytes=$(du -bc files/host/* | tail -n 1 | cut -f 1)
# All of the 512 MiB but for the holes of a PC below 1 MiB.
check "the guest's memory was shared" blk_memory_was_shared $((511 * MIB))
check "bytes read" at_least "$(blk_stat bytes_read)" $((host_bytes + RAW_LENGTH))
check "bytes written" at_least "$(blk_stat bytes_written)" \
	$((12 * MIB + RAW_LENGTH + NEW_LENGTH))
check "the counts of requests add up" blk_requests_add_up
check "flushes" at_least "$(blk_stat flushes)" 2
check "discards" at_least "$(blk_stat discards)" 1
check "write-zeroes" at_least "$(blk_stat write_zeroes)" 1
check "no byte was copied on the way" is "$(blk_stat bytes_copied)" 0
check "no request failed" is "$(blk_stat errors)" 0
[ "$checks_failed" = 0 ]
