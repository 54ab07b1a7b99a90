# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# A virtual machine of the hypervisor, whose dom0 runs programs of this folder. Sourced
# after lib.sh.
#
#   xen_programs PREFIX      names of the programs out of PREFIX*.c
#   xen_run PROGRAM...       boot it and run them; its exit status
#
# dom0 reports, beside the programs' output, "begin NAME" and "finish NAME STATUS" around
# each. XEN_TESTS="NAME..." leaves out all other programs.

. "$here/vm.sh"
VM_MODULES='xen-privcmd xen-gntdev xen-evtchn xenfs'
# The domains need what QEMU emulates.
GM_ACCEL=tcg,thread=single
export GM_ACCEL

# In the place of the one in vm.sh: the hypervisor is what QEMU boots, the kernel is its
# first module. QEMU's emulation of SMAP and of "iret" do not go together there.
vm_launch()
{
	rm -f report console
	timeout --foreground -k 5 "$VM_SECONDS" qemu-system-x86_64 \
		-nodefaults -no-user-config -display none -no-reboot \
		-pidfile qemu.pid -accel "$vm_accel" -cpu max,smap=off -smp 1 \
		-m 1024 -machine pc -net none -kernel "$GM_BUILD/xen/xen" \
		-append "console=com1 com1=115200,8n1 dom0_mem=384M,max:384M dom0_max_vcpus=1 noreboot" \
		-initrd "$vm_image console=hvc0 quiet panic=-1,initramfs" \
		-serial file:console -serial file:report \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		"$@" < /dev/null > qemu.log 2>&1 &
	vm_pid=$!
}

xen_programs()
{
	local file name

	for file in "$GM_SRC/selftests/xen/$1"*.c; do
		name=$(basename "$file" .c)
		case " ${XEN_TESTS:-$name} " in *" $name "*) echo "$name" ;; esac
	done
}

xen_run()
{
	local program files=() status=0

	"$here/fetch-xen.sh"
	for program; do
		files+=("$GM_BUILD/gcc/xen/$program:tests/$program")
	done
	echo "PROGRAMS='$*'" > params
	vm_prepare xen.sh "$PWD/params:params" "${files[@]}"
	vm_start || bail_out "Xen does not boot"
	vm_wait || status=$?
	return $status
}
