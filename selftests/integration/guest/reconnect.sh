# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest: writes that know what they have written, and files, for
# LOAD_SECONDS and as long as the host kills and restarts the device.

. /lib.sh

ours=$(disk 04)
mount -t ext4 -o noatime "$ours" /mnt
sums host /mnt/host
mkdir /mnt/guest
blkload fill "$ours" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED"

is_over()
{
	was_told enough && [ "$(date +%s)" -ge $end ]
}

stage "writing while the device is killed"
echo "load begins" >&3
end=$(($(date +%s) + LOAD_SECONDS))
blkload churn "$RAW_OFFSET" "$RAW_LENGTH" "$SEED" 600 "$WRITES_MIN" "$ours" > /tmp/churned &
churn=$!
loads=$churn
n=0
copy_until is_over
kill $churn
wait $churn
echo "churned=$(cat /tmp/churned)" >&3
echo "files=$n" >&3

stage "comparing"
forget_cache
for copy in /mnt/guest/copy*; do
	cmp "$copy" /mnt/host/whole
done
sums guest /mnt/guest
umount /mnt
echo "raw=$(dd if="$ours" bs=1M skip=$((RAW_OFFSET >> 20)) iflag=direct 2>/dev/null |
	sha256sum)" >&3
