#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The first process of a Linux kernel in the sample zero-copy-vmm: uses its disk, and
# says how that went, by lines of the kernel's log.

/bin/busybox mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
exec 4> /dev/port

failed=0
say()
{
	echo "<1>$*" > /dev/kmsg
}

# check DESCRIPTION COMMAND...
check()
{
	description=$1
	shift
	if "$@"; then
		say "ok $description"
	else
		say "not ok $description"
		failed=1
	fi
}

while read -r module; do
	insmod "/modules/$module.ko" || say "not ok module $module"
done < /modules/order

written()
{
	dd if=/dev/urandom of=/tmp/data bs=64k count=$((MIB * 16)) &&
		dd if=/tmp/data of=/dev/vda bs=64k conv=fsync
}

# It must come back from the disk, not from the page cache.
read_back()
{
	echo 3 > /proc/sys/vm/drop_caches
	cmp -n $((MIB << 20)) /tmp/data /dev/vda
}

direct()
{
	dd if=/dev/vda of=/tmp/direct bs=4k count=$((MIB * 256)) iflag=direct &&
		cmp /tmp/data /tmp/direct
}

# Several at a time, and not in order.
together()
{
	echo 3 > /proc/sys/vm/drop_caches
	for part in 7 2 5 0 3 6 1 4; do
		dd if=/dev/vda bs=64k skip=$((part * MIB * 2)) count=$((MIB * 2)) \
			of=/tmp/part$part &
	done
	wait
	cat /tmp/part[0-7] | cmp - /tmp/data
}

MIB=8
exec 2> /dev/null
check "a disk" [ -b /dev/vda ]
check "$MIB MiB written" written
check "the same read back" read_back
check "the same by direct I/O" direct
check "the same by eight at a time" together
check "interrupts of the disk" grep -q virtio /proc/interrupts
printf "\\$failed" | dd bs=1 seek=244 >&4
