#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A disk served with --read-only: the guest knows it, and the image stays as it
# was.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

tap_plan 8
blk_prepare readonly.sh
sha256sum disk.img > disk.sum
blk_device_start --read-only
# shellcheck disable=SC2046 # a list of arguments
vm_start $(blk_disk device.sock 04) || bail_out "the guest does not boot"
guest=0
vm_wait || guest=$?

check "the guest ends well" is $guest 0
check "the device ends well" end_process "$blk_device_pid"
check "the guest sees a read-only disk" is "$(vm_result ro)" 1
check "the guest has read the host's files" blk_host_files_equal
check "the guest cannot write" is "$(vm_result written)" no
check "the image is unchanged" sha256sum -c disk.sum
check "no byte was written" is "$(blk_stat bytes_written)" 0
check "the device was asked to read" at_least "$(blk_stat reads)" 1
[ "$checks_failed" = 0 ]
