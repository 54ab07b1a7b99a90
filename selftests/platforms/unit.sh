#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# unit.sh MACHINE: boot a machine of another architecture (see machines.sh), run every unit
# test there, and give all results as one TAP stream. GM_PLATFORM_TESTS="NAME..." leaves
# out all others.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$GM_SRC/selftests/platforms/machines.sh"
. "$GM_SRC/selftests/platforms/machine.sh"
name=${1:?usage: unit.sh MACHINE}
platform_set "$name"

programs=()
files=("$GM_SRC/selftests/platforms/unit_guest.sh:run.sh")
for file in "$GM_SRC"/selftests/unit/test_*.c; do
	test=$(basename "$file" .c)
	! grep -q '^/\* gm-test: not-linux \*/' "$file" || continue
	case " $(echo ${GM_PLATFORM_TESTS:-${tests:-$test}}) " in *" $test "*) ;; *) continue ;; esac
	programs+=("$test")
	files+=("$GM_BUILD/$arch/unit/$test:tests/$test")
done
platform_prepare "$name" "${files[@]}"
platform_run

tap_report "$name" "${programs[@]}"
check "the machine ends well" grep -q '^end 0' report
check "its pages are as the name says" is \
	"$(tr -d '\r' < report | sed -n 's/^pages=//p')" "$page_kib"
echo "1..$checks_done"
[ "$checks_failed" = 0 ]
