#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A guest moves whose disk is behind an IOMMU: the device is given IOVAs, and the log
# wants guest addresses; see migrate.sh.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"
LOAD_SECONDS=16
. "$here/migrate.sh"

VM_APPEND='intel_iommu=on iommu.strict=1'

# shellcheck disable=SC2046 # a list of arguments
migrate_test $(blk_disk_iommu)
