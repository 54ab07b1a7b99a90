#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# kmod.sh MACHINE: boot a machine of another architecture with an IOMMU and edu devices,
# run every test program of the module's boot "strict" there (see kmod/machine.sh), and
# give all results as one TAP stream.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$here/vm.sh"
. "$GM_SRC/selftests/kmod/machine.sh"
. "$GM_SRC/selftests/platforms/machines.sh"
. "$GM_SRC/selftests/platforms/machine.sh"
name=${1:?usage: kmod.sh MACHINE}
platform_set "$name"
kernel=$name boot=strict
qemu=("${qemu[@]/gic-version=3/gic-version=3,iommu=smmuv3}")
# Some are for another architecture alone, and are not built.
programs=()
for program in $(machine_programs test_ | grep -v '^m32/'); do
	! sed -n 2p "$kmod/$program.c" | grep -q ' x86 ' || continue
	programs+=("$program")
done
{
	echo "PROGRAMS='${programs[*]}'"
	echo "SECONDS_EACH=300"
} > params
files=("$here/guest/kmod.sh:run.sh" "$here/guest/lib.sh:lib.sh" "$PWD/params:params"
	"$GM_BUILD/kmod/$name/kmod/guestmem.ko:guestmem.ko")
for program in "${programs[@]}"; do
	files+=("$GM_BUILD/$arch/kmod/$program:tests/$program")
done
PLATFORM_APPEND="hugepages=32 secretmem.enable=1 iommu.strict=1"
platform_prepare "$name" "${files[@]}"
platform_run -device edu,dma_mask=0xffffffffffffffff

tap_report "kmod on $name" "${programs[@]}"
check "the machine ends well" grep -q '^end 0' report
check "the module unloads" grep -q '^unloaded=yes' report
check "the kernel has no complaint" no_splat
check "the kernel is not tainted by an error" no_taint
echo "1..$checks_done"
[ "$checks_failed" = 0 ]
