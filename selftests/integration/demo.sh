#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The library at work: a stock Debian kernel boots in QEMU, its disk is served
# by the sample vhost-user-blk out of the guest's own memory. All data is
# compared, both ways, then the device is measured beside qemu-storage-daemon,
# both of them disks of this one guest, under the same load in turns.
# Exit status 0: everything that was verified is right.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
GM_SRC=${GM_SRC:-$(cd "$here/../.." && pwd)}
GM_BUILD=${GM_BUILD:-$GM_SRC/build}
export GM_SRC GM_BUILD
. "$here/lib.sh"
. "$here/vm.sh"
. "$here/blk.sh"

SLICES=12
SLICE_MS=125

print_check()
{
	printf '  %-7s %s\n' "$1" "$2"
}
check_print=print_check

verify()
{
	local files

	files=$(find files/host -type f | wc -l)
	echo
	echo "Verified"
	check "the guest has run to its end" is "$1" 0
	check "the device has ended well" is "$2" 0
	check "the host's $files files: same SHA-256 in the guest" blk_host_files_equal
	files=$(grep -c '^guest ' report) || true
	check "the guest's $files files: same SHA-256 on the host" blk_guest_files_equal
	check "file system clean (e2fsck)" blk_fs_clean
	check "raw range: zeroed part" blk_raw_zero
	check "raw range: rewritten part" blk_raw_new
	check "raw range: untouched part" blk_raw_old
	check "both queues used" at_least "$(vm_result queue.1)" 1
	check "the device failed no request" is "$(blk_stat errors)" 0
	check "the device copied no byte" is "$(blk_stat bytes_copied)" 0
}

show_device()
{
	local i gpa len

	echo
	echo "The device"
	echo "  I/O engine:   $(blk_stat engine)"
	echo "  guest memory:"
	for ((i = 0; i < $(blk_stat regions); i++)); do
		read -r gpa len _ <<< "$(blk_stat "region$i")"
		printf '    at 0x%09x  %7d KiB\n' "0x${gpa#0x}" $((0x${len#0x} / 1024))
	done
	echo "  requests:     $(blk_stat requests) ($(blk_stat reads) reads," \
		"$(blk_stat writes) writes, $(blk_stat flushes) flushes," \
		"$(blk_stat discards) discards, $(blk_stat write_zeroes) write-zeroes)"
	echo "  to guest:     $(mib "$(blk_stat bytes_read)")"
	echo "  from guest:   $(mib "$(blk_stat bytes_written)")"
	echo "  copied:       $(blk_stat bytes_copied) bytes"
	echo "  errors:       $(blk_stat errors)"
}

mib()
{
	awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'
}

# Lines rate.KIND.INDEX=BYTES NANOSECONDS become a table.
show_rates()
{
	echo
	echo "Rates in MB/s (one guest, $SLICES slices of $SLICE_MS ms each, in turns;"
	echo "differences of less than a tenth are noise)"
	sed -n 's/^rate\.\([^.]*\)\.\([01]\)=/\1 \2 /p' report | awk '
	BEGIN {
		printf "  %-16s %15s %20s %8s\n", "", "vhost-user-blk",
			"qemu-storage-daemon", "ratio"
	}
	{
		rate[$2] = $3 * 1000 / $4
	}
	$2 == 1 {
		printf "  %-16s %15.1f %20.1f %8.2f\n", $1, rate[0], rate[1],
			rate[0] / rate[1]
	}'
}

verdict=
# shellcheck disable=SC2016 # expanded at the end
defer '[ -n "$verdict" ] || echo "FAIL: the demo did not get to its end"'
blk_prepare blk.sh SLICES=$SLICES SLICE_MS=$SLICE_MS
blk_device_start
blk_peer_start
echo "A stock Linux $(cat "$vm_kernel/version") guest in QEMU (${vm_accel%%,*}, 2 CPUs, $VM_MEMORY)"
echo "Its disk: $(((RAW_OFFSET + RAW_LENGTH) / MIB)) MiB, 2 queues, served by $(basename "$BLK_DEVICE")"

guest=0
device=0
# shellcheck disable=SC2046 # lists of arguments
vm_start $(blk_disk device.sock 04) $(blk_disk peer.sock 05) ||
	bail_out "the guest does not boot"
vm_wait || guest=$?
stage "comparing"
end_process "$blk_device_pid" || device=$?
verify $guest $device
[ ! -s stats ] || show_device
show_rates

echo
if [ "$checks_failed" != 0 ]; then
	show_logs device.log peer.log
	verdict="FAIL: $checks_failed of $checks_done checks, after $SECONDS s"
	echo "$verdict"
	exit 1
fi
verdict="PASS: $checks_done checks in $SECONDS s"
echo "$verdict"
