#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The library on the real hypervisor: Debian's Xen is booted with Debian's kernel as
# dom0, where the programs of selftests/xen make other domains and map their memory.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$GM_SRC/selftests/xen/machine.sh"

# shellcheck disable=SC2207 # names have no spaces
programs=($(xen_programs test_))
guest=0
xen_run "${programs[@]}" || guest=$?

tap_report xen "${programs[@]}"
check "dom0 ends well" is $guest 0
echo "1..$checks_done"
[ "$checks_failed" = 0 ]
