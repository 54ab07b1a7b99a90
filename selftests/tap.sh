# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# For test scripts: results in TAP. Source it, call tap_check for each check,
# and tap_done at the end.

tap_count=0
tap_failed=0

# tap_check NAME COMMAND...: one result; what a failing command printed follows.
# The command runs in a subshell: it cannot change the script's variables.
tap_check()
{
	tap_name=$1
	shift
	tap_count=$((tap_count + 1))
	if tap_output=$("$@" 2>&1); then
		echo "ok $tap_count - $tap_name"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $tap_name"
		# prove shows no result lines: say here what has failed.
		printf '%s: %s\n%s\n' "${0##*/}" "$tap_name" "$tap_output" |
			sed 's/^/#   /; 1s/^#   /# /' >&2
	fi
}

tap_done()
{
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
}
