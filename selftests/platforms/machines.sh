# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The machines of other architectures that tests run on. Sourced.
#
#   platform_set NAME    sets the variables below
#
#   arch        of the programs: the variant that they are built as
#   triplet     of the compiler
#   debian      Debian's name of the architecture, and the release that has the kernel
#   release
#   kernel      the package that stands for the kernel
#   qemu        the emulator and its machine
#   threads     "multi": its CPUs run at once; "single": in turns
#   console     the kernel's console
#   report      the device that a second one is there
#   serial      QEMU's arguments for both, which write the files "console" and "report"
#   tests       the unit tests that run there; empty: all
#   page_kib    of its pages
#   headers     the package that stands for what modules are built with; empty: none are
#
# Each is a stock kernel with four virtual CPUs. Pages have 4 KiB, where the name does not
# say otherwise.

MACHINES='arm64 arm64-16k riscv64 ppc64le-64k s390x'
# Those that run the module, too.
KMOD_MACHINES=arm64

platform_set()
{
	page_kib=4
	threads=multi
	tests=
	serial=(-serial file:console -chardev file,id=report,path=report
		-device pci-serial,chardev=report)
	headers=
	console=ttyAMA0
	report=ttyS0
	release=bookworm
	case $1 in
	arm64 | arm64-16k)
		arch=arm64 triplet=aarch64-linux-gnu debian=arm64
		kernel=linux-image-arm64
		# Pointer authentication as the architecture has it takes half of the time.
		qemu=(qemu-system-aarch64 -machine virt,gic-version=3
			-cpu max,pauth-impdef=on)
		;;
	riscv64)
		arch=riscv64 triplet=riscv64-linux-gnu debian=riscv64 release=trixie
		kernel=linux-image-riscv64
		qemu=(qemu-system-riscv64 -machine virt -cpu rv64)
		console=ttyS0
		report=ttyS1
		;;
	ppc64le-64k)
		arch=ppc64le triplet=powerpc64le-linux-gnu debian=ppc64el
		kernel=linux-image-powerpc64le
		# At once, QEMU 7.2's CPUs lose writes: after a fork, one may go on to write
		# to a page that is the child's by now. A program of threads that only
		# write, read that back, and fork shows it.
		threads=single
		# What the emulator can't do against side channels.
		qemu=(qemu-system-ppc64 -cpu power9
			-machine pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken)
		console=hvc0
		;;
	s390x)
		arch=s390x triplet=s390x-linux-gnu debian=s390x
		kernel=linux-image-s390x
		qemu=(qemu-system-s390x -machine s390-ccw-virtio -cpu max)
		serial=(-chardev file,id=console,path=console
			-device sclplmconsole,chardev=console
			-chardev file,id=report,path=report
			-device sclpconsole,chardev=report)
		console=ttyS0
		report=ttysclp0
		# What concerns the order of bytes; other tests have that of the rest.
		tests='test_endian test_addr test_object test_bitmap test_bitmap_ops
			test_bitmap_race test_bitmap_runs test_dirty test_dirty_consumer
			test_batch test_vhost_log test_slice test_ref test_copy test_io
			test_copy_race test_map test_map_index test_iotlb test_iotlb_model'
		;;
	*)
		echo "no machine $1" >&2
		return 2
		;;
	esac
	case $1 in
	arm64) headers=linux-headers-arm64 ;;
	*-16k) page_kib=16 release=trixie kernel=linux-image-arm64-16k ;;
	*-64k) page_kib=64 ;;
	esac
}
