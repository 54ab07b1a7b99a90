# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest, while it is moved to another machine: writes that know what they
# have written; memory that only the device writes to, which must have come along; and
# files. They last LOAD_SECONDS, and on each side for SIDE_REQUESTS at least.

. /lib.sh

ours=$(disk 04)
mount -t ext4 -o noatime "$ours" /mnt
sums host /mnt/host
mkdir /mnt/guest
blkload fill "$ours" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED"

# Reads and writes that the disk has done.
requests()
{
	awk '{ print $1 + $5 }' "/sys/block/${ours##*/}/stat"
}

is_served()
{
	[ "$(requests)" -ge $((before + SIDE_REQUESTS)) ]
}

is_over()
{
	is_served && [ "$(date +%s)" -ge $end ]
}

stage "reading and writing while it is moved"
end=$(($(date +%s) + LOAD_SECONDS))
blkload churn "$CHURN_OFFSET" "$CHURN_LENGTH" "$SEED" 600 "$WRITES_MIN" "$ours" > /tmp/churned &
churn=$!
blkload hold "$RAW_OFFSET" "$HOLD_LENGTH" "$SEED" 600 "$READS_MIN" "$ours" > /tmp/held &
hold=$!
loads="$churn $hold"
n=0
before=$(requests)
copy_until is_served
echo "load runs" >&3
copy_until was_told moved
before=$(requests)
copy_until is_over
kill $churn $hold
wait $churn
wait $hold
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
