#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Documentation/parity.tsv promises, for each item of the model interface, the
# C symbols that serve it and the tests that show it. Each promise is checked:
# symbols exist in the library or its headers, tests in the named sources.
#
# Columns: id, symbols (comma), tests (comma; file.c:TEST or file.sh:words),
# note. An item that is not built has "-" for both and a note that says why.
# A file.c is in selftests/unit, a file.sh in selftests/abi or integration; one of
# another directory has its path below selftests: kmod/file.c.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"
# shellcheck source=selftests/abi/symbols.sh
. "$GM_SRC/selftests/abi/symbols.sh"

table=$GM_SRC/Documentation/parity.tsv
items=101
last=W07

# each "a, b": one word group a line, blanks at the ends removed
each()
{
	printf '%s\n' "$1" | tr ',' '\n' | sed 's/^ *//; s/ *$//; /^$/d'
}

symbols_exist()
{
	each "$1" | sed 's/^\(struct\|union\|enum\) //; s/()$//' | sort -u > wanted
	comm -23 wanted known > unknown
	[ -s wanted ] || { echo "no symbol"; return 1; }
	[ ! -s unknown ] || { sed 's/^/no such symbol: /' unknown; return 1; }
}

# The source that a row means by FILE. Elsewhere there may be more of its name.
source_of()
{
	case $1 in
	*/*)	set -- "$1" ;;
	*.c)	set -- "unit/$1" "xen/$1" ;;
	*)	set -- "abi/$1" "integration/$1" ;;
	esac
	for f; do
		[ ! -f "$GM_SRC/selftests/$f" ] || echo "$GM_SRC/selftests/$f"
	done
}

# test_exists FILE:NAME
test_exists()
{
	file=${1%%:*}
	name=${1#*:}
	path=$(source_of "$file")
	[ "$file" != "$1" ] && [ -n "$name" ] || { echo "not file:name: $1"; return 1; }
	[ -n "$path" ] || { echo "no such file: $file"; return 1; }
	[ "$(echo "$path" | wc -l)" = 1 ] || { echo "which $file?"; return 1; }
	case $file in
	*.c)	grep -Eq "TEST(_F)?(_SIGNAL|_TIMEOUT)?\(([a-zA-Z0-9_]+, *)?${name#*.} *[,)]" "$path" ;;
	*)	grep -Fq -e "$name" "$path" ;;
	esac || { echo "no test '$name' in $file"; return 1; }
}

# row SYMBOLS TESTS NOTE
row()
{
	if [ "$1" = - ]; then
		[ "$2" = - ] || { echo "tests without a symbol"; return 1; }
		[ -n "$3" ] && [ "$3" != - ] || { echo "not built, and no note says why"; return 1; }
		return 0
	fi
	rc=0
	symbols_exist "$1" || rc=1
	each "$2" > tests
	[ -s tests ] || { echo "no test"; return 1; }
	while read -r t; do
		test_exists "$t" || rc=1
	done < tests
	return $rc
}

# Within a letter, ids count up from 01.
ids_complete()
{
	cut -f1 rows | sort | uniq -d | sed 's/^/twice: /' > problems
	cut -f1 rows | sort -u > ids
	awk '{ l = substr($0, 1, 1); n = substr($0, 2) + 0
	       if (n != next_[l] + 1) print "missing before: " $0
	       next_[l] = n }' ids >> problems
	[ "$(wc -l < ids)" -eq "$items" ] || echo "$(wc -l < ids) items, not $items" >> problems
	grep -qx "$last" ids || echo "missing: $last" >> problems
	[ ! -s problems ] || { cat problems; return 1; }
}

cd "$GM_TEST_TMP"
tap_check "Documentation/parity.tsv is there" test -s "$table"
if [ -s "$table" ]; then
	{ exported; header_words; } | sort -u > known
	grep -Ev '^(#|id	|$)' "$table" > rows || true
	tap_check "no item is missing or doubled" ids_complete
	# A tab in IFS would swallow empty columns.
	tr '\t' '\037' < rows > split
	while IFS=$(printf '\037') read -r id symbols tests note; do
		tap_check "$id" row "$symbols" "$tests" "$note"
	done < split
fi
tap_done
