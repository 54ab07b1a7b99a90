# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Runs virtual machines in this one: the sample zero-copy-vmm, whose disk is an NVMe
# controller that is bound to the module. Each line of /steps is NAME OPTION..., quoted as
# for a shell; @ is the first controller's address, % the second one's. What the sample
# prints is reported behind its NAME, and its exit status.

. /lib.sh

mount -t debugfs debugfs /sys/kernel/debug
# shellcheck disable=SC2086 # a list of parameters
insmod /guestmem.ko ${MODULE_PARAMETERS:-}
addresses=
for device in /sys/bus/pci/devices/*; do
	[ "$(cat "$device/class")" = 0x010802 ] || continue
	addresses="$addresses${device##*/} "
	echo guestmem > "$device/driver_override"
	echo "${device##*/}" > /sys/bus/pci/drivers_probe
done
first=$(echo "$addresses" | cut -d ' ' -f 1)
second=$(echo "$addresses" | cut -d ' ' -f 2)

vmm()
{
	timeout -s KILL 120 /zero-copy-vmm "$@" > out 2> messages
}

counter()
{
	sed -n "s/^$1: //p" /sys/kernel/debug/guestmem/counters
}

# Its guest has one request back, and others in flight from then on.
await_work()
{
	for try in $(seq 600); do
		! grep -q '^guest: ok .* the first request is done' messages || return 0
		usleep 100000
	done
	echo "$name: no request is done (try $try)" >&3
	return 1
}

# The sample is killed with requests in flight: what is left behind?
kill_one()
{
	: > messages
	vmm "$@" --guest-mode write --repeat 10000000 --depth 64 &
	at_work=no
	! await_work || at_work=yes
	echo "$name at_work=$at_work" >&3
	echo "$name maps_before=$(counter maps)" >&3
	# timeout's child; it may have ended by itself.
	killall -KILL zero-copy-vmm || true
	wait || true
	echo "$name maps_after=$(counter maps)" >&3
	echo "$name regions_after=$(counter regions)" >&3
}

cd /tmp
while read -r line; do
	eval "set -- $(echo "$line" | sed "s/@/$first/g; s/%/$second/g")"
	name=$1
	shift
	stage "$name"
	if [ "$1" = kill ]; then
		shift
		kill_one "$@"
		continue
	fi
	status=0
	vmm "$@" || status=$?
	sed "s/^/$name /" out >&3
	sed "s/^/$name: /" messages >&3
	echo "$name status=$status" >&3
done < /steps

echo "faults=$(dmesg | grep -c 'DMAR:.*fault addr')" >&3
echo "untranslated=$(dmesg | grep -c 'guestmem: DMA map without an IOMMU')" >&3
for address in $addresses; do
	echo "$address" > /sys/bus/pci/drivers/guestmem/unbind
done
rmmod guestmem && echo unloaded=yes >&3
echo "tainted=$(cat /proc/sys/kernel/tainted)" >&3
