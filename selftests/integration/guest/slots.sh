# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=sh
#
# Runs in the guest: disk I/O while the host plugs memory in, out, and in again.
# Each time with buffers that lie in the plugged memory, if it is there.

. /lib.sh

mebibytes()
{
	awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo
}

# until_memory -lt|-ge MEBIBYTES
until_memory()
{
	for try in $(seq 600); do
		if [ "$(mebibytes)" "$1" "$2" ]; then
			return 0
		fi
		usleep 100000
	done
	echo "have $(mebibytes) MiB of memory, want $1 $2" >&3
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
echo "first done" >&3

until_memory -ge $((base + PLUG_MIB / 2))
write_read 1 -a "$PLUG_GPA"
echo "plugged done" >&3

until_memory -lt $((base + PLUG_MIB / 2))
write_read 2
echo "unplugged done" >&3

until_memory -ge $((base + PLUG_MIB / 2))
write_read 3 -a "$PLUG_GPA"
blkload -a "$PLUG_GPA" check "$ours" $((RAW_OFFSET + PART_LENGTH)) \
	"$PART_LENGTH" $((SEED + 1))
echo "plugged again done" >&3
