# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in a dom0: the programs of /tests, which make other domains.

. /lib.sh

mount -t xenfs xenfs /proc/xen
cd /tmp
for program in $PROGRAMS; do
	stage "$program"
	echo "begin $program" >&3
	status=0
	timeout -s KILL 60 "/tests/$program" >&3 2>&3 || status=$?
	echo >&3
	echo "finish $program $status" >&3
done
