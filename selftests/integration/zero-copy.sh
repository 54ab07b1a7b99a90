# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# A machine with an NVMe controller, in which the sample zero-copy-vmm runs virtual
# machines of its own, on the emulated SVM of that machine. Sourced after lib.sh.
#
#   zc_run IOMMU < STEPS     IOMMU is on or off; steps as guest/zero-copy.sh has them: @ is a
#                            controller, % one with blocks of 4096 bytes, and two of them
#                            to a command at most
#   $zc_program              begin of the options of a step, for the guest program
#   zc_linux LOGLEVEL        the same for a stock Linux kernel
#   zc_value NAME KEY        what the sample has reported in step NAME

VM_MEMORY=1536M
VM_MODULES=kvm_amd
. "$here/vm.sh"
VM_SECONDS=600

ZC_DISK_MIB=64
zc_program='--guest /zero-copy-guest'

# zc_linux LOGLEVEL: what its first process says is an alert (1).
zc_linux()
{
	echo "--kernel /vmlinux --initrd /linux-initramfs --memory 384 --cmdline" \
		"'earlyprintk=serial,ttyS0,115200,keep printk.time=0 loglevel=$1 panic=-1 reboot=t'"
}

# The first file system of the Linux kernel in the virtual machine.
zc_initramfs()
{
	"$here/mkinitramfs.sh" linux-initramfs "$vm_kernel/modules" virtio_mmio virtio_blk \
		-- "$here/guest/zero-copy-linux.sh:init"
}

zc_run()
{
	local parameters=allow_unsafe_noiommu=Y status=0
	local qemu=(-drive "file=nvme.img,format=raw,if=none,id=nvme"
		-device "nvme,drive=nvme,serial=zero-copy,addr=0x10"
		-drive "file=blocks.img,format=raw,if=none,id=blocks"
		-device "nvme,id=small,serial=blocks,mdts=1,addr=0x11"
		-device "nvme-ns,drive=blocks,bus=small,logical_block_size=4096,physical_block_size=4096")

	cat > steps
	# A busy machine can be late with the first timer interrupts.
	VM_APPEND="no_timer_check loglevel=5"
	if [ "$1" = on ]; then
		qemu=(-device "intel-iommu,intremap=on" "${qemu[@]}")
		VM_APPEND+=" intel_iommu=on iommu.strict=1"
		parameters=
	fi
	echo "MODULE_PARAMETERS='$parameters'" > params
	rm -f nvme.img blocks.img
	truncate -s "${ZC_DISK_MIB}M" nvme.img blocks.img
	[ -e "$vm_kernel/version" ] || "$here/fetch-kernel.sh" "$VM_KERNEL"
	zc_initramfs
	vm_prepare zero-copy.sh params:params steps:steps \
		"$GM_BUILD/kmod/$VM_KERNEL/kmod/guestmem.ko:guestmem.ko" \
		"$GM_BUILD/gcc/kmod/zero-copy-vmm:zero-copy-vmm" \
		"$GM_BUILD/samples/zero-copy-guest:zero-copy-guest" \
		"$vm_kernel/vmlinux:vmlinux" linux-initramfs:linux-initramfs
	vm_start "${qemu[@]}" || bail_out "the machine does not boot"
	vm_wait || status=$?
	return $status
}

zc_value()
{
	tr -d '\r' < report | sed -n "s/^$1 $2=//p" | tail -n 1
}
