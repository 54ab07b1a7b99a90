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
