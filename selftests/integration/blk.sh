# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# The disk of a guest and the two programs that can serve it: the sample
# vhost-user-blk, which is under test, and QEMU's own storage daemon, its peer.
# Sourced after lib.sh and vm.sh.
#
# A disk image is a file system of FS_MIB and behind it a raw range:
#
#	| ext4: host/ (the host's files), waste, later guest/ | word | zeroes | new | old |
#
# The guest leaves the three parts of the raw range; see guest/blk.sh. The word is what
# the host tells a guest that runs; see blk_tell().

# The program under test. GM_VHOST_USER_BLK names another one.
BLK_DEVICE=${GM_VHOST_USER_BLK:-$GM_BUILD/samples/vhost-user-blk}

MIB=$((1024 * 1024))
FS_MIB=95
RAW_MIB=48
ZERO_MIB=4
NEW_MIB=20
WORD_OFFSET=$((FS_MIB * MIB))
RAW_OFFSET=$((WORD_OFFSET + MIB))
RAW_LENGTH=$((RAW_MIB * MIB))
ZERO_LENGTH=$((ZERO_MIB * MIB))
NEW_OFFSET=$((RAW_OFFSET + ZERO_LENGTH))
NEW_LENGTH=$((NEW_MIB * MIB))
OLD_OFFSET=$((NEW_OFFSET + NEW_LENGTH))
OLD_LENGTH=$((RAW_LENGTH - ZERO_LENGTH - NEW_LENGTH))
SEED=$RANDOM
NEW_SEED=$((SEED + 1))

# blk_prepare SCRIPT [NAME=VALUE...]: make disk.img and the guest that will run
# SCRIPT; each NAME=VALUE is a variable for it.
blk_prepare()
{
	local script=$1 name

	shift
	blk_build_load
	stage "making the disk"
	for name in WORD_OFFSET RAW_OFFSET RAW_LENGTH ZERO_LENGTH NEW_OFFSET NEW_LENGTH \
			SEED NEW_SEED; do
		echo "$name=${!name}"
	done > params
	[ $# = 0 ] || printf '%s\n' "$@" >> params
	blk_make_image disk.img
	vm_prepare "$script" "$PWD/params:params" "$blk_load:bin/blkload"
}

# One program for guest and host, so static. Others may build it right now.
blk_build_load()
{
	blk_load=$GM_BUILD/vm/blkload
	[ -n "$(find "$here"/guest/blkload* -newer "$blk_load" 2>/dev/null)" ] ||
		[ ! -e "$blk_load" ] || return 0
	mkdir -p "$GM_BUILD/vm"
	"${CC:-gcc}" -std=gnu11 -O2 -Wall -Wextra -Werror -static -pthread \
		-o blkload "$here"/guest/blkload*.c
	mv blkload "$blk_load"
}

blk_make_image()
{
	local n

	rm -rf files
	mkdir -p files/host
	: > files/host/empty
	printf x > files/host/byte
	head -c 4097 /dev/urandom > files/host/page-and-byte
	head -c $((4 * MIB)) /dev/urandom > files/host/whole
	head -c $((6 * MIB + 12345)) /dev/urandom > files/host/odd
	for n in $(seq 24); do
		head -c $((n * n * 37)) /dev/urandom > "files/host/small$n"
	done
	head -c $((8 * MIB)) /dev/urandom > files/waste
	truncate -s $((RAW_OFFSET + RAW_LENGTH)) "$1"
	mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0 -d files "$1" \
		$((FS_MIB * MIB / 4096))
}

# blk_device_start [OPTION...]: the program under test serves disk.img, which is
# in folder BLK_IMAGE_DIR.
blk_device_start()
{
	[ -x "$BLK_DEVICE" ] || bail_out "no $BLK_DEVICE: run make"
	rm -f stats device.sock
	"$BLK_DEVICE" --socket device.sock --image "${BLK_IMAGE_DIR:-.}/disk.img" \
		--queues 2 --stats stats "$@" >> device.log 2>&1 &
	blk_device_pid=$!
	defer "end_process $blk_device_pid"
	blk_await_socket device.sock $blk_device_pid device.log
}

# The peer serves a copy of the image as it was before the guest.
blk_peer_start()
{
	cp --sparse=always disk.img peer.img
	qemu-storage-daemon \
		--blockdev driver=file,node-name=file,filename=peer.img,discard=unmap \
		--export type=vhost-user-blk,id=peer,node-name=file,addr.type=unix,addr.path=peer.sock,writable=on,num-queues=2 \
		> peer.log 2>&1 &
	blk_peer_pid=$!
	defer "end_process $blk_peer_pid"
	blk_await_socket peer.sock $blk_peer_pid peer.log
}

# blk_tell WORD: the guest reads it from its disk; see was_told() in guest/lib.sh.
blk_tell()
{
	printf %s "$1" |
		dd of=disk.img bs=1 seek="$WORD_OFFSET" conv=notrunc status=none
}

# blk_await_socket PATH PID LOG: until the server listens.
blk_await_socket()
{
	local end=$((SECONDS + 20))

	until [ -S "$1" ]; do
		if ! process_runs "$2" || [ "$SECONDS" -ge "$end" ]; then
			show_logs "$3"
			bail_out "nothing listens on $1"
		fi
		sleep 0.05
	done
}

# QEMU's arguments for the disk behind socket $1 in PCI slot $2; $3 and $4 are
# more options of the socket and of the device, each with a comma before it.
blk_disk()
{
	echo "-chardev socket,id=c$2,path=$1${3-}" \
		"-device vhost-user-blk-pci,chardev=c$2,num-queues=2,addr=$2.0${4-}"
}

# The same for the disk behind device.sock and an IOMMU that the guest's kernel finds.
# The device's translations are PCIe's: it must be behind a port.
blk_disk_iommu()
{
	echo "-device intel-iommu,device-iotlb=on" \
		"-device pcie-root-port,id=port4,addr=04.0" \
		"$(blk_disk device.sock 00 '' ,bus=port4,iommu_platform=on,ats=on)"
}

# blk_stat KEY: a value out of the statistics of the device under test, which
# it has written before it ended; -1 if it has not.
blk_stat()
{
	local value

	value=$(sed -n "s/^$1=//p" stats 2>/dev/null) || true
	echo "${value:--1}"
}

# Each request that moves or changes data is counted. There are others too,
# such as the one for the disk's name.
blk_requests_add_up()
{
	at_least "$(blk_stat requests)" $(($(blk_stat reads) + $(blk_stat writes) +
		$(blk_stat flushes) + $(blk_stat discards) +
		$(blk_stat write_zeroes)))
}

# The device was told of the guest's memory: regions of so many bytes or more,
# the first of them at guest physical address 0.
blk_memory_was_shared()
{
	local i gpa len bytes total=0

	for ((i = 0; i < $(blk_stat regions); i++)); do
		read -r gpa len bytes <<< "$(blk_stat "region$i")"
		echo "region $i: $gpa, $len bytes, $bytes used"
		total=$((total + 0x${len#0x}))
		[ "$i" != 0 ] || is "$((0x${gpa#0x}))" 0 || return 1
	done
	at_least "$total" "$1"
}

# The sums of the files below $1, in the form of the guest's report.
blk_sums()
{
	(cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum)
}

blk_reported_sums()
{
	sed -n "s/^$1 //p" report | LC_ALL=C sort -k 2
}

# What the guest has read of the host's files is what the host has written.
blk_host_files_equal()
{
	blk_sums files/host | LC_ALL=C sort -k 2 > have.sums
	blk_reported_sums host | diff have.sums -
}

# What the host finds in the image is what the guest has written.
blk_guest_files_equal()
{
	rm -rf dumped
	mkdir dumped
	debugfs -R "rdump /guest dumped" disk.img
	blk_sums dumped/guest | LC_ALL=C sort -k 2 > have.sums
	[ -s have.sums ] || return 1
	blk_reported_sums guest | diff have.sums -
}

blk_fs_clean()
{
	e2fsck -fn disk.img
}

# The three parts of the raw range, as guest/blk.sh leaves them.
blk_raw_zero()
{
	cmp -n "$ZERO_LENGTH" disk.img /dev/zero "$RAW_OFFSET" 0
}

blk_raw_new()
{
	"$blk_load" check disk.img "$NEW_OFFSET" "$NEW_LENGTH" "$NEW_SEED"
}

blk_raw_old()
{
	"$blk_load" check disk.img "$OLD_OFFSET" "$OLD_LENGTH" "$SEED"
}
