# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# What every integration script needs: its working directory, checks, stages.
# Sourced. The script is then in a directory of its own, so that each path
# (sockets above all, whose length is limited) can be a short relative one.

: "${GM_SRC:?}" "${GM_BUILD:?}"
here=$GM_SRC/selftests/integration
PATH=$PATH:/usr/sbin:/sbin

checks_done=0
checks_failed=0
at_exit=()

# Run COMMAND... when the script ends, last named first.
defer()
{
	at_exit=("$*" "${at_exit[@]}")
}

run_at_exit()
{
	local command

	stage_end
	for command in "${at_exit[@]}"; do
		eval "$command" || true
	done
}

trap run_at_exit EXIT
trap 'exit 130' INT TERM

if [ -n "${GM_TEST_TMP:-}" ]; then
	cd "$GM_TEST_TMP" || exit
else
	work=$(mktemp -d "${TMPDIR:-/tmp}/guestmem.XXXXXX")
	defer "cd / && rm -rf '$work'"
	cd "$work" || exit
fi

# What is being done now, on one line of the terminal; nothing elsewhere.
stage()
{
	[ ! -t 2 ] || printf '\r\033[K%4ds  %s' "$SECONDS" "$*" >&2
}

stage_end()
{
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# Does our background process PID run? When it has ended, that is no number of ours any
# more: another process may have it.
process_runs()
{
	[[ $'\n'$(jobs -rp)$'\n' = *$'\n'"$1"$'\n'* ]]
}

# End the background process PID, if it still runs: ask first. Its exit status.
end_process()
{
	local status=0 end=$((SECONDS + 20))

	! process_runs "$1" || kill -TERM "$1" || true
	while process_runs "$1"; do
		if [ "$SECONDS" -ge $end ]; then
			kill -KILL "$1" || true
			break
		fi
		sleep 0.1
	done
	wait "$1" 2>/dev/null || status=$?
	return $status
}

# A remark for who reads the log.
note()
{
	stage_end
	echo "# $*"
}

# Show the end of each of these files, for who looks for the reason.
show_logs()
{
	local log

	for log; do
		[ -s "$log" ] || continue
		note "$log:"
		tail -n 25 "$log" | tr -d '\r' | awk '{ print "#   " $0 }'
	done
}

# check DESCRIPTION COMMAND...: one test point, ok if COMMAND succeeds. What
# COMMAND prints is shown if it fails. TAP; a script may set check_print.
check()
{
	local description=$1 verdict=ok

	shift
	checks_done=$((checks_done + 1))
	if ! "$@" > check.log 2>&1; then
		verdict='not ok'
		checks_failed=$((checks_failed + 1))
	fi
	stage_end
	"${check_print:-tap_print}" "$verdict" "$description"
	[ "$verdict" = ok ] || show_logs check.log
}

tap_print()
{
	echo "$1 $checks_done - $2"
}

# tap_report WHERE PROGRAM...: what these programs wrote in a guest, which is the file
# "report", as test points.
tap_report()
{
	local where=$1

	shift
	awk -v programs="$*" -v where="$where" -f "$here/report.awk" report | tee points
	checks_done=$(grep -Ec '^(not )?ok ' points) || true
	checks_failed=$(grep -c '^not ok ' points) || true
}

# tap_plan COUNT: so many checks will come. A check that is lost fails the test.
tap_plan()
{
	echo "1..$1"
}

# Nothing can be tested any more.
bail_out()
{
	stage_end
	echo "Bail out! $*"
	exit 1
}

# Comparisons for check, which tell what they saw.
is()
{
	echo "have $1, want $2"
	[ "$1" = "$2" ]
}

at_least()
{
	echo "have $1, want at least $2"
	[[ $1 =~ ^[0-9]+$ ]] && [ "$1" -ge "$2" ]
}
