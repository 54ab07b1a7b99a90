# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest: make a file that must outlive it, then load without end.
# The host ends it with the power switch.

. /lib.sh

ours=$(disk 04)
mount -t ext4 -o noatime "$ours" /mnt
mkdir /mnt/kept
dd if=/dev/urandom of=/mnt/kept/file bs=64k count=24 conv=fsync 2>/dev/null
sync
sums kept /mnt/kept

blkload busy "$RAW_OFFSET" "$RAW_LENGTH" "$SEED" "$ours" &
n=0
while dd if=/mnt/kept/file "of=/mnt/copy$((n % 4))" bs=64k 2>/dev/null; do
	sync
	[ $n != 8 ] || echo busy >&3
	n=$((n + 1))
done
