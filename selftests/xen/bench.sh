#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Run the benchmarks of this folder, each bench_*.c, in a dom0 (see machine.sh). Lines of
# theirs that begin with { are JSON: they are added to the file JSON, if that is set.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$GM_SRC/selftests/xen/machine.sh"

# shellcheck disable=SC2046 # names have no spaces
xen_run $(xen_programs bench_)
stage_end
tr -d '\r' < report | awk -v json="${JSON:-/dev/null}" '
	/^begin / { name = $2; next }
	name == "" { next }
	$1 == "finish" { bad += $3 != 0; name = ""; next }
	/^stage=/ { next }
	/^{/ { print >> json; next }
	{ print }
	END { exit bad }'
