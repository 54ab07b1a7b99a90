# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Sums up an lcov trace: line coverage of all, and each file under `min` percent.
# A header has a record for each object that used it: a line counts as covered
# when one of them has run it.
BEGIN	{ FS = "[:,]" }
/^SF:/	{ file = substr($0, 4); sub("^" top, "", file) }
/^DA:/ {
	if (!((file, $2) in seen)) {
		seen[file, $2] = 1
		found[file]++
		all_found++
	}
	if ($3 > 0 && !((file, $2) in ran)) {
		ran[file, $2] = 1
		hit[file]++
		all_hit++
	}
}
END {
	if (!all_found) {
		print "no line of the library was measured"
		exit 1
	}
	for (file in found)
		if (100 * hit[file] < min * found[file])
			printf "  under %d %%: %-40s %5.1f %% (%d of %d lines)\n", min, file,
				100 * hit[file] / found[file], hit[file], found[file] | "sort"
	close("sort")
	printf "line coverage: %.1f %% (%d of %d lines)\n",
		100 * all_hit / all_found, all_hit, all_found
}
