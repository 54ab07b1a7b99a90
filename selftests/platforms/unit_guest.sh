# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs on a machine of another architecture: all programs of /tests.

awk '$1 == "KernelPageSize:" { print "pages=" $2; exit }' /proc/self/smaps >&3
# An emulated machine is slow: less of what is long.
export GM_TEST_SCALE=8
cd /tmp
for test in /tests/*; do
	name=${test##*/}
	echo "stage=$name" >&3
	echo "begin $name" >&3
	status=0
	timeout -s KILL 200 "$test" > /tmp/output 2>&1 3>&- || status=$?
	cat /tmp/output >&3
	echo >&3
	echo "finish $name $status" >&3
done
exit 0
