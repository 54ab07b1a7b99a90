#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# run.sh KERNEL BOOT: boot a kernel in a virtual machine, run every program of
# that boot with the module, and give all results as one TAP stream. Each
# program is named by a test_*.c whose second line says
#
#   gm-kmod: [kernel=debug] boot=BOOT [m32] [lib]
#
# kernel=debug: only on the debug kernel, in its boot "faults"; m32: also as a
# 32-bit program, called m32/NAME; lib: it uses the library. KMOD_TESTS="NAME..."
# leaves out all others.
#
# The guest reports, beside the programs' output: setup=TEXT if it could not
# begin, "begin NAME" and "finish NAME STATUS" around each, unloaded=yes,
# tainted=NUMBER; where the kernel looks for leaks leaks=NUMBER and what they are.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
kernel=${1:?usage: run.sh KERNEL BOOT}
boot=${2:?usage: run.sh KERNEL BOOT}
kmod=$GM_SRC/selftests/kmod
. "$kmod/boots.sh"
boot_set "$boot"
if [ "$kernel" = debug ]; then
	VM_MODULES=
	VM_APPEND+=" panic_on_warn=1 kmemleak=on"
	boot_seconds=$((boot_seconds * 5))
fi
VM_KERNEL=$kernel
. "$here/vm.sh"
VM_SECONDS=540
[ "$kernel" != debug ] || VM_SECONDS=1700

# What the kernel says when something is wrong with it. Faults of a device's
# DMA (DMAR:) are what some tests are after.
SPLATS='BUG:|WARNING:|INFO: (task|rcu|possible|trying|inconsistent|suspicious)'
SPLATS+='|possible (circular|recursive|irq lock)|suspicious RCU|KASAN|UBSAN|KCSAN|KFENCE'
SPLATS+='|Oops|general protection|unable to handle|[Bb]ad page|Bad (rss|page) '
SPLATS+='|refcount_t|DMA-API|kmemleak: [1-9]|cut here|Call Trace|Kernel panic'
SPLATS+='|sleeping function|scheduling while atomic|soft lockup|hung task|list_(add|del)'
# What is left behind of it: warned, died, bad page, lockup.
TAINTS=$((1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))

# Programs of this boot, in the order of their names, 32-bit ones last.
programs()
{
	local file name line small=

	for file in "$kmod"/test_*.c; do
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
	printf '%s\n' $small
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

no_leak()
{
	grep '^leak: ' report || true
	is "$(vm_result leaks)" 0
}

# As check of lib.sh, whose output prove would hide.
check_print=check_failed
check_failed()
{
	tap_print "$@"
	[ "$1" = ok ] || { echo "# kmod/$kernel/$boot: $2"
		head -n 60 check.log | sed 's/^/#   /'
		rm check.log; } >&2
}

list=$(programs | xargs)
if [ -z "$list" ]; then
	echo "1..0 # SKIP no program for this boot"
	exit 0
fi

{
	echo "PROGRAMS='$list'"
	echo "SECONDS_EACH=$boot_seconds"
} > params
files=("$PWD/params:params" "$GM_BUILD/kmod/$kernel/kmod/guestmem.ko:guestmem.ko")
for program in $list; do
	case $program in
	m32/*) files+=("$GM_BUILD/m32/kmod/${program#m32/}:tests/$program") ;;
	*) files+=("$GM_BUILD/gcc/kmod/$program:tests/$program") ;;
	esac
done
if [ "$boot_disk" != 0 ]; then
	truncate -s "${boot_disk}M" scratch.img
	boot_qemu+=(-drive file=scratch.img,format=raw,if=none,id=scratch
		-device virtio-blk-pci,drive=scratch,serial=scratch,disable-legacy=on,iommu_platform=on)
fi

vm_prepare kmod.sh "${files[@]}"
vm_start "${boot_qemu[@]}" || bail_out "the guest does not boot"
guest=0
vm_wait || guest=$?
if [ $guest != 0 ]; then
	{ show_logs console; grep -a '^setup=' report; } >&2 || true
fi

awk -v programs="$list" -v where="kmod/$kernel/$boot" -f "$kmod/tap.awk" \
	report | tee points
checks_done=$(wc -l < points)
checks_failed=$(grep -c '^not ok' points) || true
check "the guest ends well" is $guest 0
check "the module unloads" is "$(vm_result unloaded)" yes
check "the kernel has no complaint" no_splat
check "the kernel is not tainted by an error" no_taint
[ "$kernel" != debug ] || check "nothing has leaked" no_leak
echo "1..$checks_done"
[ "$checks_failed" = 0 ]
