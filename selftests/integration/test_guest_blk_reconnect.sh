#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The device is killed in the middle of a guest's writes, again and again, at
# random moments that are the same in each run, and started anew. The guest must
# not notice: what was in flight is done again, by way of the inflight area that
# QEMU keeps, and each request comes back once.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

LOAD_SECONDS=${GM_LOAD_SECONDS:-20}
# Kills come while the guest writes, with time left to be served after the last.
KILL_SECONDS=$((LOAD_SECONDS * 3 / 4))
KILLS_MIN=$((LOAD_SECONDS / 10))
WRITES_MIN=200
RANDOM=4711

# The guest uses the device that runs now: rings and all.
await_service()
{
	local end=$((SECONDS + 20))

	until [ "$(grep -c 'SET_VRING_ENABLE: ok' device.log)" -ge 2 ]; do
		[ "$SECONDS" -lt $end ] || bail_out "QEMU does not come back"
		sleep 0.05
	done
}

# Requests in flight in the device, which is stopped: in the area that it shares with
# QEMU, a request has 16 bytes, of which the first one says so. Nothing else there has
# a 1 in such a place.
in_flight()
{
	local fd

	for fd in /proc/"$blk_device_pid"/fd/*; do
		[[ $(readlink "$fd") != /memfd:inflight* ]] || od -An -v -tx1 -w16 "$fd"
	done | grep -c '^ 01' || true
}

# Stop the device at a moment when it has something to do, if there is one soon.
stop_in_flight()
{
	local try

	for try in $(seq 40); do
		kill -STOP "$blk_device_pid"
		met=$(in_flight)
		[ "$met" = 0 ] && [ "$try" -lt 40 ] || break
		kill -CONT "$blk_device_pid"
		sleep "0.0$((RANDOM % 40 + 10))"
	done
	noted=$((noted + met))
}

kill_and_restart()
{
	stop_in_flight
	kill -KILL "$blk_device_pid"
	wait "$blk_device_pid" 2>/dev/null || true
	cat device.log >> killed.log
	: > device.log
	blk_device_start --verbose
}

# Requests that one device had left and another one was told of.
left_requests()
{
	sed -n 's/.* \([0-9]*\) requests to be done again/\1/p' killed.log device.log |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# All that was noted, but for what the driver has been given just before.
were_done_again()
{
	at_least "$noted" "$(left_requests)" && at_least "$(left_requests)" $((noted - kills))
}

raw_is_equal()
{
	is "$(tail -c "$RAW_LENGTH" disk.img | sha256sum)" "$(vm_result raw)"
}

# The driver complains of a request that comes back twice.
driver_is_content()
{
	! grep -iE 'is not a head|I/O error|virtio.*(bug|fail)' console
}

tap_plan 12
blk_prepare reconnect.sh LOAD_SECONDS=$LOAD_SECONDS WRITES_MIN=$WRITES_MIN
: > killed.log
blk_device_start --verbose
# shellcheck disable=SC2046 # a list of arguments
vm_start $(blk_disk device.sock 04 ,reconnect=1) || bail_out "the guest does not boot"
vm_expect "load begins" || bail_out "the guest does not get to its load"
kills=0
noted=0
end=$((SECONDS + KILL_SECONDS))
while [ "$SECONDS" -lt $end ] || [ $kills -lt "$KILLS_MIN" ]; do
	sleep "$((RANDOM % 2)).$((RANDOM % 900 + 100))"
	stage "killing the device"
	kill_and_restart
	await_service
	kills=$((kills + 1))
done
blk_tell enough
guest=0
vm_wait || guest=$?

check "the guest ends well" is $guest 0
check "the device ends well" end_process "$blk_device_pid"
check "the guest has read the host's files" blk_host_files_equal
check "the host finds the guest's files" blk_guest_files_equal
check "the file system is clean" blk_fs_clean
check "the raw range is as the guest has left it" raw_is_equal
check "the guest's driver is content" driver_is_content
check "the guest has written enough" at_least "$(vm_result churned)" $WRITES_MIN
check "kills met requests in flight" at_least "$noted" $((kills / 2))
check "these were done again" were_done_again
check "no request failed" is "$(blk_stat errors)" 0
check "no byte was copied on the way" is "$(blk_stat bytes_copied)" 0
note "$kills kills, $noted requests in flight, $(left_requests) done again, $(vm_result churned) writes, $(vm_result files) files"
[ "$checks_failed" = 0 ]
