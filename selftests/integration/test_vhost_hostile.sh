#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The vhost-user-blk sample against a front-end and guest that mean it harm: once
# as it is, with io_uring, and once with the sanitizers and plain system calls.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/blk.sh"

client=$GM_BUILD/integration/vhost-hostile
IMAGE_MIB=512

# Number the client's results on, with a word of whose they are.
report()
{
	local line

	while IFS= read -r line; do
		case $line in
		ok\ * | not\ ok\ *)
			stage_end
			checks_done=$((checks_done + 1))
			case $line in not*) checks_failed=$((checks_failed + 1)) ;; esac
			tap_print "${line%% [0-9]*}" "$1: ${line#* - }"
			;;
		1..*)	;;
		*)	stage_end
			echo "$line"
			;;
		esac
	done
}

no_sanitizer_report()
{
	! grep -e 'ERROR: ' -e 'runtime error: ' device.log
}

# attack NAME PROGRAM ENGINE
attack()
{
	local wrap=

	# The sanitizers' shadow memory needs the usual address space layout.
	! setarch -R true 2>/dev/null || wrap='setarch -R'
	# The part that is written to is there, the rest is not.
	rm -f disk.img
	head -c "$MIB" /dev/urandom > disk.img
	truncate -s "${IMAGE_MIB}M" disk.img
	sync disk.img
	rm -f device.sock
	# shellcheck disable=SC2086 # words
	$wrap "$2" --socket device.sock --image disk.img --queues 4 --engine "$3" \
		--stats stats > device.log 2>&1 &
	device=$!
	defer "end_process $device"
	blk_await_socket device.sock $device device.log
	report "$1" < <(timeout 280 "$client" --socket device.sock --image disk.img 2>&1)
	check "$1: the device ends well" end_process $device
	check "$1: the sanitizers have seen nothing" no_sanitizer_report
	check "$1: peers were dropped" at_least "$(blk_stat bad_peers)" 100
	[ "$checks_failed" = 0 ] || show_logs device.log
}

"$BLK_DEVICE" --help >/dev/null || bail_out "no $BLK_DEVICE: run make"
[ -n "$("$client" --list)" ] || bail_out "no $client: run make check"
tap_plan $((2 * ($("$client" --list | wc -l) + 3)))
attack plain "$BLK_DEVICE" auto
attack sanitized "$GM_BUILD/asan/samples/vhost-user-blk" sync
[ "$checks_failed" = 0 ]
