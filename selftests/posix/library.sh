# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# For scripts about a library of another system than Linux, $library. Sourced after tap.sh.

nm=${nm:-nm}

defined()
{
	"$nm" --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u
}

# Every function of the headers is there on all systems.
exports_all()
{
	sed -n 's/^\t\t\(gm_[a-z0-9_]*\);/\1/p' "$GM_SRC/ulib/src/libguestmem.map" |
		sort -u > "$GM_TEST_TMP/wanted"
	# gcc makes variables of threads itself on Windows: they have names of its own.
	defined "$library" | sed 's/^__emutls_v\.//' | sort -u |
		comm -23 "$GM_TEST_TMP/wanted" - > "$GM_TEST_TMP/missing"
	[ -s "$GM_TEST_TMP/wanted" ] || { echo "no symbol"; return 1; }
	[ ! -s "$GM_TEST_TMP/missing" ] || { cat "$GM_TEST_TMP/missing"; return 1; }
}

# absent_documented COLUMN OBJECT...: what these objects define for others is what the table
# of what is absent says in the column of this system: no more, and no less.
absent_documented()
{
	column=$1
	shift
	doc=$GM_SRC/Documentation/platforms.rst
	sed -n '/^.. absent begins/,/^.. absent ends/p' "$doc" | sed -n 's/^``\(gm_[a-z_]*\)\(\**\)`` */\1\2 /p' |
		awk -v c="$column" '$c == "no" || $c == "0" { print $1 }' |
		sed 's/^/^/; s/\*$/.*/; s/$/$/' > "$GM_TEST_TMP/patterns"
	for o; do
		defined "$GM_BUILD/$variant/ulib/src/$o.o"
	done | grep '^gm_' | sort -u | comm -12 - "$GM_TEST_TMP/wanted" > "$GM_TEST_TMP/absent"
	[ -s "$GM_TEST_TMP/absent" ] || { echo "nothing is absent"; return 1; }
	[ -s "$GM_TEST_TMP/patterns" ] || { echo "nothing in column $column"; return 1; }
	while read -r p; do
		grep -q "$p" "$GM_TEST_TMP/absent" || { echo "not absent: $p"; return 1; }
	done < "$GM_TEST_TMP/patterns"
	! grep -v -f "$GM_TEST_TMP/patterns" "$GM_TEST_TMP/absent"
}
