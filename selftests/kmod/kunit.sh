#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Runs in the guest as a program of the tests: the KUnit tests, which run when
# their module is loaded. Their results are in the kernel's log, indented by what
# they are part of; all of them are points here. Fails without the suite's own
# result at the end.

start="guestmem: KUnit $$"
echo "$start" > /dev/kmsg
insmod /guestmem_segment_test.ko || exit 1
rmmod guestmem_segment_test || exit 1
dmesg | sed "1,/$start/d; s/^\[[^]]*] //" | awk '
	/^ *(not )?ok [0-9]+/ {
		verdict = $1 == "ok" ? "ok" : "not ok"
		sub(/^ *(not )?ok [0-9]+ (- )?/, "")
		print verdict " " ++points " - " $0
		failures += verdict != "ok"
		complete = $1 == "guestmem_segment"
		next
	}
	{ print "# " $0 }
	END {
		print "1.." points
		exit failures || !complete
	}'
