# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The machines that tests of the module run on. Sourced.
#
# boot_set NAME sets
#   boot_qemu      QEMU's arguments for the devices
#   VM_APPEND      parameters of the kernel
#   VM_MODULES     modules that the guest loads first, with all that they
#                  depend on; the debug kernel has them built in
#   VM_MEMORY      how much
#   boot_module    parameters of the module
#   boot_nvme      MiB of an NVMe controller's disk, which is bound to the module
#                  instead of an edu device; 0: none
#   boot_nvme_options  of that controller
#   boot_disk      MiB of a virtio block device with the serial "scratch"; 0:
#                  none
#   boot_seconds   how long a program may take; a limit, not an expectation

boot_set()
{
	local edu=edu,dma_mask=0xffffffffffffffff
	local iommu=(-device "intel-iommu,intremap=on")

	boot_qemu=()
	boot_disk=0
	boot_module=
	boot_nvme=0
	boot_nvme_options=
	boot_seconds=300
	VM_MEMORY=1G
	VM_MODULES=
	# The console has all that is a warning at least.
	# A busy machine can be late with the first timer interrupts: the kernel
	# would take the interrupt remapping for broken, and panic.
	VM_APPEND="no_timer_check loglevel=5 hugepages=32 secretmem.enable=1"

	case $1 in
	strict|faults)
		# faults: the same for programs that let allocations fail.
		boot_qemu=("${iommu[@]}" -device "$edu")
		VM_APPEND+=" intel_iommu=on iommu.strict=1"
		;;
	lazy)
		boot_qemu=("${iommu[@]}" -device "$edu")
		VM_APPEND+=" intel_iommu=on iommu.strict=0"
		;;
	noiommu|lockdown)
		# lockdown: locks the kernel down, which then stays so.
		boot_qemu=(-device "$edu")
		;;
	unsafe)
		# Two devices behind a bridge share a group; the first has its own.
		boot_qemu=("${iommu[@]}" -device "$edu,addr=2"
			-device "pcie-pci-bridge,id=bridge,addr=3"
			-device "$edu,bus=bridge,addr=1"
			-device "$edu,bus=bridge,addr=2")
		VM_APPEND+=" intel_iommu=on iommu.strict=1 intremap=off swiotlb=force"
		;;
	users|bench)
		# The second device is for VFIO. bench: more memory, nothing else.
		boot_qemu=("${iommu[@]}" -device "$edu" -device "$edu")
		boot_disk=64
		VM_APPEND+=" intel_iommu=on iommu.strict=1"
		VM_MODULES="virtio_pci virtio_blk vfio_pci vfio_iommu_type1"
		VM_MODULES+=" kvm_amd vhost_net tun vgem vivid"
		[ "$1" = users ] || { VM_MEMORY=2G; boot_seconds=300; }
		;;
	nvme)
		# Commands of more than a list of one page can be tried.
		boot_qemu=("${iommu[@]}")
		boot_nvme=64
		boot_nvme_options=,mdts=10
		VM_APPEND+=" intel_iommu=on iommu.strict=1"
		;;
	nvme-noiommu)
		boot_nvme=64
		boot_module=allow_unsafe_noiommu=Y
		;;
	*)
		echo "no boot $1" >&2
		return 1
		;;
	esac
}
