# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# One machine of another architecture. Sourced after lib.sh and machines.sh, when
# platform_set() has set the variables.
#
#   platform_prepare NAME [SOURCE:PATH...]   fetch what it needs; these files are there
#   platform_run QEMU_ARGUMENT...            boot it, and wait until it has ended
#
# It runs /run.sh, which reports to file descriptor 3: the file "report" here; its
# console is "console".

# Limits, not expectations: other tests may use the machine at the same time.
BOOT_SECONDS=120
SECONDS_MAX=1200

# Programs need what they were linked with, if they are not static; busybox is.
platform_prepare()
{
	local lib extra

	platform=$1
	dir=$GM_BUILD/platforms/$platform
	shift
	"$GM_SRC/selftests/platforms/fetch.sh" "$platform"
	rm -rf root
	mkdir -p root/bin root/lib root/proc root/sys root/dev root/tmp root/mnt
	ln -s lib root/lib64
	cp "$dir/busybox" root/bin/busybox
	ln -s busybox root/bin/sh
	install -m 755 "$GM_SRC/selftests/platforms/init" root/init
	for lib in "/usr/$triplet/lib"/{ld*.so.[0-9],libc.so.6,libatomic.so.1,libgcc_s.so.1}; do
		[ ! -e "$lib" ] || cp -L "$lib" root/lib/
	done
	for extra; do
		install -D "${extra%%:*}" "root/${extra#*:}"
	done
	if [ -d root/tests ]; then
		"$triplet-strip" root/tests/*
	fi
	(cd root && find . | cpio -o -H newc --quiet -R 0:0) > initramfs
	rm -rf root
}

platform_boot()
{
	rm -f report console
	timeout --foreground -k 5 "$SECONDS_MAX" "${qemu[@]}" -nodefaults \
		-no-user-config -display none -no-reboot -smp 4 -m 2048 \
		-accel "tcg,thread=$threads" -kernel "$dir/image" -initrd initramfs \
		-append "console=$console loglevel=5 panic=-1 report=$report ${PLATFORM_APPEND:-}" \
		"${serial[@]}" "$@" < /dev/null > qemu.log 2>&1 &
	qemu_pid=$!
}

# Its first line; it has ended; or it takes too long.
platform_is_up()
{
	local end=$((SECONDS + BOOT_SECONDS))

	until grep -qs '^up' report; do
		process_runs $qemu_pid && [ "$SECONDS" -lt $end ] || return 1
		sleep 0.2
	done
}

platform_kill()
{
	end_process $qemu_pid || true
}

# A guest without a first line is a failure of the test bed: one more try.
platform_run()
{
	local try

	defer platform_kill
	for try in 1 2; do
		stage "booting $platform"
		platform_boot "$@"
		if platform_is_up; then
			while [ -t 2 ] && process_runs $qemu_pid; do
				stage "$platform: $(sed -n 's/^stage=//p' report | tail -n 1)"
				sleep 0.5
			done
			wait $qemu_pid || true
			stage_end
			return 0
		fi
		note "no first line from $platform (boot $try)"
		platform_kill
	done
	show_logs console qemu.log
	bail_out "$platform does not boot"
}
