# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Runs the programs of /tests with the module loaded and a device bound to it
# (edu, or an NVMe controller), unloads the module, and reports. See
# selftests/kmod/machine.sh for the report.

. /lib.sh

fail()
{
	echo "setup=$*" >&3
	exit 1
}

# The first one is bound; the others are for the tests.
bind_device()
{
	for device in /sys/bus/pci/devices/*; do
		case $(cat "$device/vendor"):$(cat "$device/device") in
		0x1234:0x11e8|0x1b36:0x0010) ;;
		*) continue ;;
		esac
		bound=${device##*/}
		# A debug kernel's ACPI needs a second to enable it at each open.
		[ ! -e $kmemleak ] || echo 1 > "$device/enable"
		echo guestmem > "$device/driver_override"
		echo "$bound" > /sys/bus/pci/drivers_probe
		[ -e "/sys/bus/pci/drivers/guestmem/$bound" ] ||
			fail "$bound: not bound"
		return
	done
}

setup()
{
	mount -t debugfs debugfs /sys/kernel/debug
	if [ -e $kmemleak ]; then
		# Open before a test locks the kernel down.
		exec 5> $kmemleak 6< $kmemleak
		echo scan >&5
		echo clear >&5
	fi
	# shellcheck disable=SC2086 # a list of parameters
	insmod /guestmem.ko ${MODULE_PARAMETERS:-} || fail "the module does not load"
	bind_device
}

# kmemleak excuses what is young, and takes what is in flight for lost: so it is
# asked twice. What the kernel itself has lost before is not of interest.
kmemleak=/sys/kernel/debug/kmemleak
leaks()
{
	[ -e $kmemleak ] || return 0
	stage "looking for leaks"
	echo scan >&5
	sleep 6
	echo scan >&5
	cat <&6 > leaks
	sed 's/^/leak: /' leaks >&3
	echo "leaks=$(grep -c '^unreferenced' leaks)" >&3
}

setup >&3 2>&3
export GUESTMEM_KO=/guestmem.ko
cd /tmp
for program in $PROGRAMS; do
	stage "$program"
	# Where the console's later lines come from.
	echo "<4>guestmem: test $program" > /dev/kmsg
	echo "begin $program" >&3
	status=0
	timeout -s KILL "$SECONDS_EACH" "/tests/$program" >&3 2>&3 5>&- 6>&- ||
		status=$?
	echo >&3
	echo "finish $program $status" >&3
done

echo "<4>guestmem: tests done" > /dev/kmsg
stage "unloading the module"
[ -z "${bound:-}" ] || echo "$bound" > /sys/bus/pci/drivers/guestmem/unbind
rmmod guestmem >&3 2>&3 && echo unloaded=yes >&3
leaks
echo "tainted=$(cat /proc/sys/kernel/tainted)" >&3
