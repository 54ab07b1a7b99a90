#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A guest moves while it reads and writes; see migrate.sh.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"
LOAD_SECONDS=${GM_LOAD_SECONDS:-16}
. "$here/migrate.sh"

# shellcheck disable=SC2046 # a list of arguments
migrate_test $(blk_disk device.sock 04)
