# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest: disk I/O while the host plugs memory in, out, and in again.
# Each time with buffers that lie in the plugged memory, if it is there; and without
# a pause in memory that stays.

. /lib.sh

mebibytes()
{
	awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo
}

# until_dimm in|out: until the kernel uses it, or no longer does.
until_dimm()
{
	for try in $(seq 600); do
		now=out
		[ "$(mebibytes)" -lt $((base + PLUG_MIB / 2)) ] || now=in
		[ $now != "$1" ] || return 0
		usleep 100000
	done
	echo "the plugged memory is not $1 (try $try)" >&3
	return 1
}

# write_read NUMBER [-a GPA]: this part of the raw range, there and back.
write_read()
{
	at=$((RAW_OFFSET + $1 * PART_LENGTH))
	seed=$((SEED + $1))
	shift
	blkload "$@" fill "$ours" $at "$PART_LENGTH" $seed
	blkload "$@" check "$ours" $at "$PART_LENGTH" $seed
}

ours=$(disk 04)
base=$(mebibytes)
write_read 0
blkload fill "$ours" "$CHURN_OFFSET" "$CHURN_LENGTH" "$SEED"
blkload churn "$CHURN_OFFSET" "$CHURN_LENGTH" "$SEED" 600 "$WRITES_MIN" "$ours" > /tmp/churned &
churn=$!
echo "first done" >&3

until_dimm in
write_read 1 -a "$PLUG_GPA"
echo "plugged done" >&3

until_dimm out
write_read 2
echo "unplugged done" >&3

until_dimm in
write_read 3 -a "$PLUG_GPA"
blkload -a "$PLUG_GPA" check "$ours" $((RAW_OFFSET + PART_LENGTH)) \
	"$PART_LENGTH" $((SEED + 1))
echo "plugged again done" >&3

kill $churn
wait $churn
echo "churned=$(cat /tmp/churned)" >&3
echo "raw=$(dd if="$ours" bs=1M skip=$((CHURN_OFFSET >> 20)) iflag=direct 2>/dev/null |
	sha256sum)" >&3
