# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# One virtual machine. Sourced after lib.sh.
#
#   vm_prepare SCRIPT [SOURCE:PATH...]   the guest will run SCRIPT (see guest/)
#   vm_start QEMU_ARGUMENT...            boot it
#   vm_expect LINE                       wait until the guest has reported it
#   vm_command COMMAND                   give QEMU's monitor a command
#   vm_wait                              wait for its end; its exit status
#   vm_kill                              what a power failure is to it
#   vm_result KEY                        value of the line KEY=value it reported
#
# What the guest reports is in the file "report", its console in "console".

VM_KERNEL=${VM_KERNEL:-6.1}
VM_MODULES=${VM_MODULES-virtio_pci virtio_blk ext4 crc32c_generic}
VM_MEMORY=${VM_MEMORY:-512M}
VM_APPEND=${VM_APPEND:-}
VM_CPU=${VM_CPU:-max}
# Limits, not expectations: other tests may use the machine at the same time.
VM_BOOT_SECONDS=60
VM_SECONDS=180

# The kernel is Debian's (see fetch-kernel.sh) or one that was built here, which
# has a compressed image.
vm_kernel=$GM_BUILD/kernels/$VM_KERNEL
vm_pid=

vm_prepare()
{
	local script=$1

	shift
	stage_end
	[ -e "$vm_kernel/version" ] || "$here/fetch-kernel.sh" "$VM_KERNEL"
	vm_image=$vm_kernel/vmlinux
	[ -e "$vm_image" ] || vm_image=$vm_kernel/bzImage
	vm_accel=$("$here/probe-accel.sh" "$vm_kernel")
	# shellcheck disable=SC2086 # a list of modules
	"$here/mkinitramfs.sh" initramfs "$vm_kernel/modules" $VM_MODULES -- \
		"$here/guest/$script:run.sh" "$here/guest/lib.sh:lib.sh" "$@"
}

vm_launch()
{
	rm -f report console qemu.pid monitor
	mkfifo monitor
	exec {vm_monitor}<> monitor
	timeout --foreground -k 5 "$VM_SECONDS" qemu-system-x86_64 \
		-nodefaults -no-user-config -display none -no-reboot \
		-pidfile qemu.pid -accel "$vm_accel" -cpu "$VM_CPU" -smp 2 \
		-m "$VM_MEMORY" -machine q35,memory-backend=ram \
		-object "memory-backend-memfd,id=ram,size=${VM_MEMORY%%,*},share=on" \
		-kernel "$vm_image" -initrd initramfs \
		-append "console=ttyS0 quiet panic=-1 $VM_APPEND" \
		-serial file:console -serial file:report \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -monitor stdio \
		"$@" < monitor > qemu.log 2>&1 &
	vm_pid=$!
}

# A guest that prints no first line is a failure of the test bed, seen once in
# some hundred boots: one more try. A guest that has started is never retried.
vm_start()
{
	local try

	defer vm_kill
	for try in 1 2; do
		stage "booting the guest"
		vm_launch "$@"
		vm_await up "$VM_BOOT_SECONDS" && return 0
		if ! vm_runs; then
			note "QEMU ended before the guest's first line"
			break
		fi
		vm_kill
		note "no first line from the guest in $VM_BOOT_SECONDS s (boot $try)"
	done
	show_logs console ./*.log
	return 1
}

vm_runs()
{
	[ -n "$vm_pid" ] && process_runs "$vm_pid"
}

# vm_await LINE SECONDS: has the guest reported LINE within that time?
vm_await()
{
	local end=$((SECONDS + $2)) alive=yes

	while :; do
		# In this order: its last line may come just before its end.
		vm_runs || alive=no
		! grep -qxs "$1" report || return 0
		[ $alive = yes ] && [ "$SECONDS" -lt "$end" ] || return 1
		vm_show_stage
		sleep 0.1
	done
}

vm_expect()
{
	vm_await "$1" "$VM_SECONDS" && return 0
	note "the guest did not report: $1"
	show_logs report console ./*.log
	return 1
}

# Its answer goes to qemu.log.
vm_command()
{
	echo "$*" >&"$vm_monitor"
}

# The guest's own stages are its report's lines stage=TEXT.
vm_show_stage()
{
	local text

	[ -t 2 ] || return 0
	text=$(sed -n 's/^stage=/guest: /p' report 2>/dev/null | tail -n 1) || true
	stage "${text:-booting the guest}"
}

# The guest's exit status; 124: its time was over; 125: it ended without one.
vm_wait()
{
	local status=0

	while [ -t 2 ] && vm_runs; do
		vm_show_stage
		sleep 0.1
	done
	wait "$vm_pid" || status=$?
	vm_pid=
	if [ $status = 124 ] || [ $status = 137 ]; then
		status=124
	elif [ $((status & 1)) = 1 ]; then
		# isa-debug-exit ends QEMU with (status << 1) | 1. An error of
		# QEMU's own is 1 too, so the guest must have said the same.
		status=$((status >> 1))
		grep -qxs "end $status" report || status=125
	else
		status=125
	fi
	[ $status = 0 ] || show_logs report console ./*.log
	return $status
}

vm_kill()
{
	vm_runs || return 0
	kill -KILL "$(cat qemu.pid)"
	wait "$vm_pid" 2>/dev/null || true
	vm_pid=
}

vm_result()
{
	sed -n "s/^$1=//p" report | tail -n 1
}
