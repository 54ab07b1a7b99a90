#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The scripts' own processes are ended, and no others.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"

# ends PID STATUS
ends()
{
	local status=0

	end_process "$1" || status=$?
	is $status "$2" && ! process_runs "$1"
}

is_left_alone()
{
	! process_runs "$1" || return 1
	end_process "$1" || true
	# Of two signals, bash takes the lower one first.
	kill -WINCH "$1"
	until [ -e heard ]; do
		sleep 0.1
	done
	[ ! -e hit ]
}

# The number of a process that is no child of ours, as one of ours may have had it.
stranger=$(bash -c 'trap "touch hit" TERM; trap "touch heard" WINCH; touch ready
	while :; do sleep 0.1; done' > /dev/null & echo $!)
defer "kill -KILL $stranger 2>/dev/null"
until [ -e ready ]; do
	sleep 0.1
done

tap_plan 5
sleep 600 &
check "a process that runs" process_runs $!
check "is ended" ends $! 143
(exit 3) &
while process_runs $!; do
	sleep 0.1
done
check "one that has ended has its exit status" ends $! 3
check "the second time, too" ends $! 3
check "another one's is left alone" is_left_alone "$stranger"
[ "$checks_failed" = 0 ]
