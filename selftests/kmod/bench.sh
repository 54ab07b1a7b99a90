#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# bench.sh KERNEL: boot a kernel in a virtual machine and run the benchmarks of
# the module there (see machine.sh), each bench_*.c. Lines of theirs that begin
# with { are JSON: they are added to the file JSON, if that is set.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$GM_SRC/selftests/kmod/machine.sh"
machine_set "${1:?usage: bench.sh KERNEL}" bench

# shellcheck disable=SC2207 # names have no spaces
programs=($(machine_programs bench_))
guest=0
machine_run "${programs[@]}" || guest=$?

stage_end
tr -d '\r' < report | awk -v json="${JSON:-/dev/null}" '
	/^begin / { name = $2; next }
	name == "" { next }
	$1 == "finish" && $2 == name {
		if ($3 != 0) {
			print name ": exit status " $3
			bad = 1
		}
		name = ""
		next
	}
	/^stage=/ { next }
	/^{/ { print >> json; next }
	{ print }
	END { exit bad }'
check_print=check_printed
check_printed()
{
	[ "$1" = ok ] || echo "not true: $2" >&2
}
check "the guest ends well" is $guest 0
check "the kernel has no complaint" no_splat
[ "$checks_failed" = 0 ]
