#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The disk is behind an IOMMU that the guest's kernel uses strictly: each request's
# buffers are mapped for it and taken back after it. The device knows only what IOTLB
# messages tell.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

LOAD_SECONDS=${GM_LOAD_SECONDS:-8}
WRITES_MIN=500
VM_APPEND='intel_iommu=on iommu.strict=1'

raw_is_equal()
{
	is "$(tail -c "$RAW_LENGTH" disk.img | sha256sum)" "$(vm_result raw)"
}

tap_plan 17
blk_prepare iommu.sh LOAD_SECONDS=$LOAD_SECONDS WRITES_MIN=$WRITES_MIN
blk_device_start --verbose
# shellcheck disable=SC2046 # a list of arguments
vm_start $(blk_disk_iommu) || bail_out "the guest does not boot"
guest=0
vm_wait || guest=$?

check "the guest ends well" is $guest 0
check "the device ends well" end_process "$blk_device_pid"
check "the guest's kernel maps each buffer, and strictly" is "$(vm_result group)" DMA
check "the guest has read the host's files" blk_host_files_equal
check "the host finds the guest's files" blk_guest_files_equal
check "the file system is clean" blk_fs_clean
check "the raw range is as the guest has left it" raw_is_equal
check "the guest has written enough" at_least "$(vm_result churned)" $WRITES_MIN
check "the device missed translations" at_least "$(blk_stat iotlb_misses)" 5000
check "it asked for them" at_least "$(blk_stat iotlb_asked)" 5000
check "it was told" at_least "$(blk_stat iotlb_updates)" "$(blk_stat iotlb_asked)"
check "they were taken back" at_least "$(blk_stat iotlb_invalidations)" 5000
check "its accesses hit the IOTLB" at_least "$(blk_stat iotlb_hits)" 5000
check "nothing was refused" is "$(blk_stat iotlb_denied)" 0
check "nothing made room for anything" is "$(blk_stat iotlb_evictions)" 0
check "no byte was copied on the way" is "$(blk_stat bytes_copied)" 0
check "no request failed" is "$(blk_stat errors)" 0
note "$(blk_stat requests) requests; IOTLB: $(blk_stat iotlb_hits) hits," \
	"$(blk_stat iotlb_misses) misses, $(blk_stat iotlb_asked) pages asked for," \
	"$(blk_stat iotlb_updates) updates, $(blk_stat iotlb_invalidations) invalidations"
[ "$checks_failed" = 0 ]
