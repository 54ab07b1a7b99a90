# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest: use the disk under test (slot 04) in each way that a block
# device has, then measure it beside the peer's (slot 05).

. /lib.sh

files()
{
	mount -t ext4 -o noatime "$1" /mnt
	stage "reading the host's files"
	sums host /mnt/host

	stage "writing files"
	mkdir /mnt/guest
	cd /mnt/guest
	dd if=/dev/urandom of=stream1 bs=64k count=40 conv=fsync 2>/dev/null &
	first=$!
	dd if=/dev/urandom of=stream2 bs=61001 count=40 conv=fsync 2>/dev/null &
	second=$!
	dd if=../host/whole of=direct bs=256k iflag=direct oflag=direct 2>/dev/null
	wait $first
	wait $second
	: > empty
	for n in $(seq 24); do
		head -c $((n * n * 41)) /dev/urandom > "small$n"
	done
	cd /

	stage "reading its files back"
	forget_cache
	sums guest /mnt/guest

	stage "discarding free space"
	rm /mnt/waste
	sync
	fstrim -v /mnt | sed -n 's/.*: \([0-9]*\) bytes.*/trimmed=\1/p' >&3
	umount /mnt
}

# The range behind the file system, past page cache and file system.
raw()
{
	stage "filling the raw range"
	blkload fill "$1" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED"
	blkload check "$1" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED"
}

# Leave zeroes, fresh data, old data one after the other for the host to find.
leave()
{
	stage "zeroing and rewriting"
	blkload zero "$1" "$RAW_OFFSET" "$ZERO_LENGTH"
	blkload fill "$1" "$NEW_OFFSET" "$NEW_LENGTH" "$NEW_SEED"
}

# Interrupts are counted for each queue.
queues()
{
	device=$(basename "$(readlink -f "/sys/block/${1##*/}/device")")
	awk -v name="$device-req" 'index($NF, name) {
		count = 0
		for (i = 2; i <= 3; i++)
			count += $i
		print "queue." substr($NF, length(name) + 2) "=" count
	}' /proc/interrupts >&3
}

ours=$(disk 04)
files "$ours"
raw "$ours"
if [ -n "${SLICES:-}" ]; then
	peer=$(disk 05)
	blkload fill "$peer" "$RAW_OFFSET" "$RAW_LENGTH" "$SEED"
	stage "measuring"
	blkload rates "$RAW_OFFSET" "$RAW_LENGTH" "$SEED" \
		"$SLICES" "$SLICE_MS" "$ours" "$peer" >&3
fi
leave "$ours"
queues "$ours"
