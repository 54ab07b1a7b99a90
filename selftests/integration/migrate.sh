# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# A guest moves from one QEMU to another while it reads and writes, with a device of
# its own on each side. What the first device writes to the guest's memory meanwhile,
# QEMU learns by the dirty log alone: pages that were not marked would be old ones
# after the move. Sourced after lib.sh, vm.sh and blk.sh, with LOAD_SECONDS: how long
# the guest reads and writes. It takes longer where the machine is slow: until enough
# was done on both sides (see guest/migrate.sh).

HOLD_LENGTH=$((RAW_LENGTH / 2))
CHURN_OFFSET=$((RAW_OFFSET + HOLD_LENGTH))
CHURN_LENGTH=$((RAW_LENGTH - HOLD_LENGTH))
# 256 MiB and two pages: where RAM is a multiple of 256 KiB, QEMU before 9.0 takes the
# dirty bits of its own translated processors by words and leaves their TLBs as they
# are, and what the guest writes after that can be lost: a guest that dies of it is
# none of ours.
VM_MEMORY=262152K
VM_CPU=max,migratable=on
# Slow enough that the guest dirties much meanwhile, then fast, so that it ends.
SLOW=24M
FAST=2G
SLOW_SECONDS=$((LOAD_SECONDS * 3 / 8))
SIDE_REQUESTS=1000
WRITES_MIN=500
READS_MIN=5000

# The second machine, in a folder of its own; then the first one's variables. The
# machine's arguments are those of migrate_test().
second_start()
{
	mkdir second
	cd second
	ln -s ../initramfs initramfs
	BLK_IMAGE_DIR=.. blk_device_start --verbose
	second_device_pid=$blk_device_pid
	vm_launch "$@" -incoming unix:migration.sock
	second_pid=$vm_pid
	defer "end_process $second_pid"
	blk_await_socket migration.sock "$vm_pid" qemu.log
	cd ..
}

# The state of the migration, as the first QEMU tells.
migration_status()
{
	vm_command "info migrate"
	sleep 0.3
	tr -d '\r' < qemu.log | sed -n 's/^Migration status: //p' | tail -n 1
}

# It takes as long as the machine may live.
migrate()
{
	local status

	vm_command "migrate_set_parameter max-bandwidth $SLOW"
	vm_command "migrate -d unix:second/migration.sock"
	stage "moving the guest"
	sleep $SLOW_SECONDS
	vm_command "migrate_set_parameter max-bandwidth $FAST"
	until status=$(migration_status) && [ "$status" = completed ]; do
		if ! vm_runs || [ "$status" = failed ] || [ "$status" = cancelled ]; then
			show_logs qemu.log second/qemu.log device.log
			bail_out "the guest does not move: $status"
		fi
	done
}

raw_is_equal()
{
	is "$(tail -c "$RAW_LENGTH" ../disk.img | sha256sum)" "$(vm_result raw)"
}

move_while_loaded()
{
	blk_prepare migrate.sh LOAD_SECONDS=$LOAD_SECONDS HOLD_LENGTH=$HOLD_LENGTH \
		CHURN_OFFSET=$CHURN_OFFSET CHURN_LENGTH=$CHURN_LENGTH \
		SIDE_REQUESTS=$SIDE_REQUESTS WRITES_MIN=$WRITES_MIN READS_MIN=$READS_MIN
	blk_device_start --verbose
	first_device_pid=$blk_device_pid
	vm_start "$@" || bail_out "the guest does not boot"
	first_pid=$vm_pid first_monitor=$vm_monitor
	vm_expect "load runs" || bail_out "the guest does not get to its load"
	second_start "$@"
	vm_pid=$first_pid vm_monitor=$first_monitor
	migrate
}

first_side_is_right()
{
	blk_tell moved
	vm_kill
	check "the first device ends well" end_process "$first_device_pid"
	check "it was told to log" at_least "$(blk_stat logs)" 1
	check "it served the guest before" at_least "$(blk_stat requests)" $SIDE_REQUESTS
	check "no request failed there" is "$(blk_stat errors)" 0
}

# From here on the second folder is the current one.
end_there()
{
	cp report second/first.report
	cd second
	vm_pid=$second_pid
	guest=0
	vm_wait || guest=$?
	# What the guest has reported here, and there.
	cat first.report report > both
	mv both report
}

second_side_is_right()
{
	check "the guest ends well" is $guest 0
	check "the second device ends well" end_process "$second_device_pid"
	check "it served the guest after" at_least "$(blk_stat requests)" $SIDE_REQUESTS
	check "no request failed here" is "$(blk_stat errors)" 0
	cd ..
	cp second/report report
	check "the guest has read the host's files" blk_host_files_equal
	check "the host finds the guest's files" blk_guest_files_equal
	check "the file system is clean" blk_fs_clean
	cd second
	check "the raw range is as the guest has left it" raw_is_equal
	check "the guest has written enough" at_least "$(vm_result churned)" $WRITES_MIN
	check "the guest has read enough" at_least "$(vm_result held)" $READS_MIN
	check "no byte was copied on the way" is "$(blk_stat bytes_copied)" 0
	note "$(vm_result churned) writes, $(vm_result held) reads, $(vm_result files) files"
}

# migrate_test ARGUMENT...: all of it, with these arguments of QEMU for the disk behind
# device.sock.
migrate_test()
{
	tap_plan 15
	move_while_loaded "$@"
	first_side_is_right
	end_there
	second_side_is_right
	[ "$checks_failed" = 0 ]
}
