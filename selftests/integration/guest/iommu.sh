# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest: files and writes that know what they have written, on a disk
# behind an IOMMU.

. /lib.sh

ours=$(disk 04)
# The function is behind a port; what the kernel says of its IOMMU group.
function=$(readlink -f "/sys/block/${ours##*/}/device/..")
echo "group=$(cat "$function/iommu_group/type")" >&3

mount -t ext4 -o noatime "$ours" /mnt
stage "reading the host's files"
sums host /mnt/host
mkdir /mnt/guest
blkload fill "$ours" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED"

stage "writing files"
blkload churn "$RAW_OFFSET" "$RAW_LENGTH" "$SEED" "$LOAD_SECONDS" "$WRITES_MIN" "$ours" \
	> /tmp/churned &
churn=$!
n=0
while kill -0 $churn 2>/dev/null; do
	dd if=/mnt/host/whole of="/mnt/guest/copy$((n % 4))" bs=64k conv=fsync 2>/dev/null
	dd if=/dev/urandom of="/mnt/guest/small$((n % 32))" bs=$((n % 7 * 1000 + 1)) count=3 \
		2>/dev/null
	n=$((n + 1))
done
wait $churn
echo "churned=$(cat /tmp/churned)" >&3
echo "files=$n" >&3

stage "reading them back"
forget_cache
for copy in /mnt/guest/copy*; do
	cmp "$copy" /mnt/host/whole
done
sums guest /mnt/guest
umount /mnt
echo "raw=$(dd if="$ours" bs=1M skip=$((RAW_OFFSET >> 20)) iflag=direct 2>/dev/null |
	sha256sum)" >&3
