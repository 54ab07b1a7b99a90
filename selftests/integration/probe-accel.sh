#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# probe-accel.sh KERNEL: print the value of QEMU's -accel for the kernel in
# folder KERNEL (see fetch-kernel.sh). KVM only if it has really booted this
# kernel once: a /dev/kvm that opens may still be unable to. The finding is
# kept in KERNEL/accel; that it took too long is one the second time only, as others
# may have had the machine. GM_ACCEL overrides it.
#
# Without KVM, one thread translates for all CPUs: with one for each, QEMU 7.2
# can keep the translation of code that another CPU is changing, and a kernel
# that patches itself dies of it ("Oops: int3"). The debug kernel has no static
# keys, so its CPUs do run at once.
set -eu

kernel=${1:?usage: probe-accel.sh KERNEL}
here=$(cd "$(dirname "$0")" && pwd)
tcg=tcg,thread=single
if grep -qs '^# CONFIG_JUMP_LABEL is not set' "$kernel/kdir/.config"; then
	tcg=tcg,thread=multi
fi
# Of QEMU's own interrupt controllers the virtual IOMMU can remap interrupts.
kvm=kvm,kernel-irqchip=split
image=$kernel/vmlinux
[ -e "$image" ] || image=$kernel/bzImage

answer()
{
	case $(cat "$kernel/accel") in
	kvm) echo "$kvm" ;;
	*) echo "$tcg" ;;
	esac
}

if [ -n "${GM_ACCEL:-}" ]; then
	echo "$GM_ACCEL"
	exit 0
fi
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo "$tcg"
	exit 0
fi
exec 9> "$kernel/accel.lock"
flock 9
if [ -s "$kernel/accel" ]; then
	answer
	exit 0
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0

# A guest that does nothing but end with status 21.
echo 'exit 21' > "$tmp/run.sh"
"$here/mkinitramfs.sh" "$tmp/initramfs" "$kernel/modules" -- "$tmp/run.sh:run.sh"
status=0
# The braces silence the shell too, which would tell of QEMU's abort.
{
	timeout -k 1 60 qemu-system-x86_64 -nodefaults -no-user-config \
		-display none -no-reboot -accel "$kvm" -cpu max -machine q35 \
		-m 256 -smp 2 -kernel "$image" \
		-initrd "$tmp/initramfs" \
		-append "console=ttyS0 quiet panic=-1" \
		-serial null -serial null \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		< /dev/null || status=$?
} > /dev/null 2>&1
case $status in
$((21 << 1 | 1))) echo kvm > "$kernel/accel" ;;
124 | 137)
	if [ ! -e "$kernel/accel.late" ]; then
		: > "$kernel/accel.late"
		echo "$tcg"
		exit 0
	fi
	echo tcg > "$kernel/accel"
	;;
*) echo tcg > "$kernel/accel" ;;
esac
answer
