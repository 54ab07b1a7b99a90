#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A guest goes away in the middle of its load, without a word. The device lives
# on and serves the next one; what the first had made durable is there.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

tap_plan 11
blk_prepare busy.sh
blk_device_start
# shellcheck disable=SC2046 # a list of arguments
vm_start $(blk_disk device.sock 04) || bail_out "the first guest does not boot"
vm_expect busy || bail_out "the first guest does not get to its load"
vm_kill
blk_reported_sums kept > kept.sums

check "the device outlives its guest" process_runs "$blk_device_pid"
vm_prepare blk.sh "$PWD/params:params" "$blk_load:bin/blkload"
# shellcheck disable=SC2046
vm_start $(blk_disk device.sock 04) || bail_out "the second guest does not boot"
guest=0
vm_wait || guest=$?

kept_is_equal()
{
	mkdir -p dumped
	debugfs -R "rdump /kept dumped" disk.img
	blk_sums dumped/kept | diff kept.sums -
}

check "the second guest ends well" is $guest 0
check "the device ends well" end_process "$blk_device_pid"
check "the first guest's durable file is intact" kept_is_equal
check "the second guest has read the host's files" blk_host_files_equal
check "the host finds the second guest's files" blk_guest_files_equal
check "the file system is clean" blk_fs_clean
check "zeroed range reads as zeroes" blk_raw_zero
check "rewritten range holds the new data" blk_raw_new
check "untouched range holds the old data" blk_raw_old
check "one device has served both" at_least "$(blk_stat connections)" 2
[ "$checks_failed" = 0 ]
