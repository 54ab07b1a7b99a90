#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# run.sh MACHINE: boot a machine of another architecture (see machines.sh), run every unit
# test there, and give all results as one TAP stream. GM_PLATFORM_TESTS="NAME..." leaves
# out all others.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"
. "$GM_SRC/selftests/platforms/machines.sh"
name=${1:?usage: run.sh MACHINE}
machine_set "$name"
dir=$GM_BUILD/platforms/$name
# Limits, not expectations: other tests may use the machine at the same time.
BOOT_SECONDS=120
SECONDS_MAX=1200

# The programs need what they were linked with; busybox does not.
make_initramfs()
{
	local lib test

	rm -rf root
	mkdir -p root/bin root/lib root/proc root/sys root/dev root/tmp root/tests
	ln -s lib root/lib64
	cp "$dir/busybox" root/bin/busybox
	ln -s busybox root/bin/sh
	install -m 755 "$GM_SRC/selftests/platforms/init" root/init
	for lib in "/usr/$triplet/lib"/{ld*.so.[0-9],libc.so.6,libatomic.so.1,libgcc_s.so.1}; do
		[ ! -e "$lib" ] || cp -L "$lib" root/lib/
	done
	for test in "${programs[@]}"; do
		"$triplet-strip" -o "root/tests/$test" "$GM_BUILD/$arch/unit/$test"
	done
	(cd root && find . | cpio -o -H newc --quiet -R 0:0) > initramfs
	rm -rf root
}

boot()
{
	rm -f report console
	timeout --foreground -k 5 "$SECONDS_MAX" "${qemu[@]}" -nodefaults \
		-no-user-config -display none -no-reboot -smp 4 -m 2048 \
		-accel tcg,thread=multi -kernel "$dir/image" -initrd initramfs \
		-append "console=$console quiet panic=-1 report=$report" \
		-serial file:console -chardev file,id=report,path=report \
		-device pci-serial,chardev=report < /dev/null > qemu.log 2>&1 &
	qemu_pid=$!
}

# Its first line; it has ended; or it takes too long.
await_up()
{
	local end=$((SECONDS + BOOT_SECONDS))

	until grep -qs '^up' report; do
		kill -0 $qemu_pid 2>/dev/null && [ "$SECONDS" -lt $end ] || return 1
		sleep 0.2
	done
}

# A guest without a first line is a failure of the test bed: one more try.
start()
{
	local try

	for try in 1 2; do
		stage "booting $name"
		boot
		! await_up || return 0
		note "no first line from $name (boot $try)"
		kill $qemu_pid 2>/dev/null || true
		wait $qemu_pid || true
	done
	show_logs console qemu.log
	bail_out "$name does not boot"
}

follow()
{
	while [ -t 2 ] && kill -0 $qemu_pid 2>/dev/null; do
		stage "$name: $(sed -n 's/^stage=//p' report | tail -n 1)"
		sleep 0.5
	done
	wait $qemu_pid || true
}

programs=()
for file in "$GM_SRC"/selftests/unit/test_*.c; do
	test=$(basename "$file" .c)
	case " ${GM_PLATFORM_TESTS:-$test} " in *" $test "*) programs+=("$test") ;; esac
done
"$GM_SRC/selftests/platforms/fetch.sh" "$name"
make_initramfs
start
defer "kill \$qemu_pid 2>/dev/null || true"
follow
stage_end

awk -v programs="${programs[*]}" -v where="$name" -f "$GM_SRC/selftests/kmod/tap.awk" report |
	tee points
checks_done=$(wc -l < points)
checks_failed=$(grep -c '^not ok' points) || true
check "the machine ends well" grep -q '^end' report
check "its pages are as the name says" is "$(tr -d '\r' < report |
	sed -n 's/^page size //p')" "$(case $name in *-16k) echo 16384 ;; *-64k) echo 65536 ;; *) echo 4096 ;; esac)"
echo "1..$checks_done"
[ "$checks_failed" = 0 ]
