# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest, while it is moved to another machine: writes that know what they
# have written; memory that only the device writes to, which must have come along; and
# files.

. /lib.sh

ours=$(disk 04)
mount -t ext4 -o noatime "$ours" /mnt
sums host /mnt/host
mkdir /mnt/guest
blkload fill "$ours" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED"

stage "reading and writing while it is moved"
echo "load begins" >&3
blkload churn "$CHURN_OFFSET" "$CHURN_LENGTH" "$SEED" "$LOAD_SECONDS" "$ours" > /tmp/churned &
churn=$!
blkload hold "$RAW_OFFSET" "$HOLD_LENGTH" "$SEED" "$LOAD_SECONDS" "$ours" > /tmp/held &
hold=$!
n=0
while kill -0 $churn 2>/dev/null; do
	dd if=/mnt/host/whole of="/mnt/guest/copy$((n % 4))" bs=64k conv=fsync 2>/dev/null
	n=$((n + 1))
done
wait $churn
wait $hold
echo "load ends" >&3
echo "churned=$(cat /tmp/churned)" >&3
echo "held=$(cat /tmp/held)" >&3
echo "files=$n" >&3
for copy in /mnt/guest/copy*; do
	cmp "$copy" /mnt/host/whole
done
sums guest /mnt/guest
umount /mnt
echo "raw=$(dd if="$ours" bs=1M skip=$((RAW_OFFSET >> 20)) iflag=direct 2>/dev/null |
	sha256sum)" >&3
