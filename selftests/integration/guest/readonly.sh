# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest: the disk can be read, and not be written.

. /lib.sh

ours=$(disk 04)
echo "ro=$(cat "/sys/block/${ours##*/}/ro")" >&3
# Without its journal's replay, which would write.
mount -t ext4 -o ro,noload "$ours" /mnt
sums host /mnt/host
umount /mnt
if blkload fill "$ours" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED" 2>/dev/null; then
	echo "written=yes" >&3
else
	echo "written=no" >&3
fi
