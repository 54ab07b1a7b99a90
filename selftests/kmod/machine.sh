# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A virtual machine that runs programs with the module. Sourced after lib.sh.
#
#   machine_set KERNEL BOOT      which kernel, and which line of boots.sh
#   machine_programs PREFIX      names of the programs for it, out of PREFIX*.c
#   machine_has_kunit            can it run the KUnit tests, and should it?
#   machine_run PROGRAM...       boot it and run them; its exit status
#   no_splat, no_taint           has the kernel complained? For check
#
# A program's second line says for which machine it is:
#
#   gm-kmod: [kernel=debug] boot=BOOT... [m32] [lib]
#
# kernel=debug: only on the debug kernel, in its boot "faults"; m32: also as a
# 32-bit program, called m32/NAME; lib: it uses the library. KMOD_TESTS="NAME..."
# leaves out all others; KMOD_APPEND are more parameters for the kernel. x86: it is for
# that architecture alone.
#
# The guest reports, beside the programs' output: setup=TEXT if it could not
# begin, "begin NAME" and "finish NAME STATUS" around each, unloaded=yes,
# tainted=NUMBER; where the kernel looks for leaks leaks=NUMBER and what they are.

kmod=$GM_SRC/selftests/kmod
. "$kmod/boots.sh"

# What the kernel says when something is wrong with it. Faults of a device's
# DMA (DMAR:) are what some tests are after.
SPLATS='BUG:|WARNING:|INFO: (task|rcu|possible|trying|inconsistent|suspicious)'
SPLATS+='|possible (circular|recursive|irq lock)|suspicious RCU|KASAN|UBSAN|KCSAN|KFENCE'
SPLATS+='|Oops|general protection|unable to handle|[Bb]ad page|Bad (rss|page) '
SPLATS+='|refcount_t|DMA-API|kmemleak: [1-9]|cut here|Call Trace|Kernel panic'
SPLATS+='|sleeping function|scheduling while atomic|soft lockup|hung task|list_(add|del)'
# What is left behind of it: warned, died, bad page, lockup.
TAINTS=$((1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))

machine_set()
{
	kernel=$1
	boot=$2
	built=$GM_BUILD/kmod/$kernel/kmod
	boot_set "$boot"
	VM_KERNEL=$kernel
	if [ "$kernel" = debug ]; then
		VM_MODULES=
		VM_APPEND+=" panic_on_warn=1 kmemleak=on"
		boot_seconds=$((boot_seconds * 3))
	fi
	VM_APPEND+=" ${KMOD_APPEND:-}"
	. "$here/vm.sh"
	VM_SECONDS=900
	[ "$kernel" != debug ] || VM_SECONDS=1700
}

# In the order of their names, 32-bit ones last.
machine_programs()
{
	local file name line small=

	for file in "$kmod/$1"*.c; do
		[ -e "$file" ] || continue
		name=$(basename "$file" .c)
		line=" $(sed -n '2s/.*gm-kmod: \(.*\) \*\//\1/p' "$file") "
		case $boot:$line in
		faults:*" kernel=debug "*) ;;
		*" kernel=debug "*) continue ;;
		"$boot":*" boot=$boot "*) ;;
		*) continue ;;
		esac
		case " ${KMOD_TESTS:-$name} " in
		*" $name "*) ;;
		*) continue ;;
		esac
		echo "$name"
		case $line in *" m32 "*) small+=" m32/$name" ;; esac
	done
	# shellcheck disable=SC2086 # a list of names
	printf '%s\n' $small
}

# They need no particular machine: once for each kernel that has KUnit is enough.
machine_has_kunit()
{
	[ "$boot" = strict ] && [ -e "$built/guestmem_segment_test.ko" ] ||
		return 1
	case " ${KMOD_TESTS:-kunit} " in
	*" kunit "*) ;;
	*) return 1 ;;
	esac
}

machine_run()
{
	local program files status=0
	# Of virtio devices, only these are behind the IOMMU.
	local modern=disable-legacy=on,iommu_platform=on

	{
		echo "PROGRAMS='$*'"
		echo "SECONDS_EACH=$boot_seconds"
		echo "MODULE_PARAMETERS='$boot_module'"
	} > params
	files=("$PWD/params:params"
		"$built/guestmem.ko:guestmem.ko")
	for program; do
		case $program in
		kunit) files+=("$kmod/kunit.sh:tests/kunit"
			"$built/guestmem_segment_test.ko:guestmem_segment_test.ko") ;;
		m32/*) files+=("$GM_BUILD/m32/kmod/${program#m32/}:tests/$program") ;;
		*) files+=("$GM_BUILD/gcc/kmod/$program:tests/$program") ;;
		esac
	done
	if [ "$boot_disk" != 0 ]; then
		truncate -s "${boot_disk}M" scratch.img
		boot_qemu+=(-drive "file=scratch.img,format=raw,if=none,id=scratch"
			-device "virtio-blk-pci,drive=scratch,serial=scratch,$modern")
	fi
	if [ "$boot_nvme" != 0 ]; then
		truncate -s "${boot_nvme}M" nvme.img
		boot_qemu+=(-drive "file=nvme.img,format=raw,if=none,id=nvme"
			-device "nvme,drive=nvme,serial=gm$boot_nvme_options")
	fi

	vm_prepare kmod.sh "${files[@]}"
	vm_start "${boot_qemu[@]}" || bail_out "the guest does not boot"
	vm_wait || status=$?
	[ $status = 0 ] || { show_logs console; grep -a '^setup=' report; } >&2 || true
	return $status
}

no_splat()
{
	! grep -E -B 3 -A 40 "$SPLATS" console
}

no_taint()
{
	echo "tainted: $(vm_result tainted)"
	[ $(($(vm_result tainted) & TAINTS)) = 0 ]
}
