#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# prove.sh NAME...: run these tests (run-test.sh), JOBS at once. What failed is told
# again at the end, where it is found.
set -eu

if [ $# = 0 ]; then
	echo "no test has such a name" >&2
	exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
GM_FAILED=$(mktemp -d "${TMPDIR:-/tmp}/guestmem.XXXXXX")
export GM_FAILED
trap 'rm -rf "$GM_FAILED"' EXIT
trap 'exit 130' INT TERM

rc=0
prove -j"${JOBS:-$(nproc)}" --timer --exec "$here/run-test.sh" "$@" || rc=$?
for log in "$GM_FAILED"/*; do
	[ -e "$log" ] || continue
	echo "$(basename "$log" | tr : /):"
	head -n 40 "$log" | sed 's/^/  /'
done
exit $rc
