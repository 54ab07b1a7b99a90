# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# What the scripts that run in a guest share. Sourced; /params holds what the
# host wants them to know. They report to file descriptor 3.

set -eu
PATH=/bin
. /params

# What is being done now.
stage()
{
	echo "stage=$*" >&3
}

# disk SLOT: the block device in PCI slot SLOT, once it is there.
disk()
{
	for block in /sys/block/vd*; do
		case $(readlink -f "$block/device") in
		*/0000:00:"$1".0/*)
			echo "/dev/${block##*/}"
			return 0
			;;
		esac
	done
	echo "no disk in slot $1" >&3
	return 1
}

# sums LABEL DIRECTORY: report the sum of each file, as "LABEL SUM  NAME".
sums()
{
	(cd "$2" && find . -type f | sort | xargs sha256sum) | sed "s/^/$1 /" >&3
}

# What was written must come back from the device, not from the page cache.
forget_cache()
{
	sync
	echo 3 > /proc/sys/vm/drop_caches
}

# was_told WORD: has the host left it on the disk $ours? See blk_tell() in blk.sh.
was_told()
{
	[ "$(dd if="$ours" bs=4096 skip=$((WORD_OFFSET / 4096)) count=1 iflag=direct \
		2>/dev/null | head -c ${#1})" = "$1" ]
}

# copy_until COMMAND...: copy a file of the host's, n times, until COMMAND succeeds. All of
# the processes $loads must run as long.
copy_until()
{
	while :; do
		dd if=/mnt/host/whole of="/mnt/guest/copy$((n % 4))" bs=64k conv=fsync \
			2>/dev/null
		n=$((n + 1))
		for load in $loads; do
			kill -0 "$load" || return 1
		done
		! "$@" || return 0
	done
}
