# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Sums up an lcov trace: line coverage of all, and each file under `min` percent.
BEGIN	{ FS = "[:,]" }
/^SF:/	{ file = substr($0, 4); sub("^" top, "", file); found = hit = 0 }
/^DA:/	{ found++; hit += $3 > 0 }
/^end_of_record/ {
	all_found += found
	all_hit += hit
	if (found && 100 * hit < min * found)
		printf "  under %d %%: %s %.1f %% (%d of %d lines)\n",
			min, file, 100 * hit / found, hit, found
}
END {
	if (!all_found) {
		print "no line of the library was measured"
		exit 1
	}
	printf "line coverage: %.1f %% (%d of %d lines)\n",
		100 * all_hit / all_found, all_hit, all_found
}
