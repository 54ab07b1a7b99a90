# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# For the scripts here: what the library defines and the headers declare.

include=$GM_SRC/ulib/include
shared=$GM_BUILD/libguestmem.so
static=$GM_BUILD/libguestmem.a
headers=$(cd "$include" && ls guestmem.h guestmem/*.h)
for h in $headers; do
	echo "#include <$h>"
done > "$GM_TEST_TMP/all.c"

# The dynamic symbols, without version nodes; "@@node" stays with $1 = versions.
exported()
{
	nm -D --defined-only "$shared" | awk '$2 != "A" { print $3 }' |
		if [ "${1:-}" = versions ]; then cat; else sed 's/@.*//'; fi | sort -u
}

# The functions that the headers offer as symbols. Under __CHECKER__ helpers
# that are never symbols are static.
declared()
{
	gcc -w -std=gnu11 -D__CHECKER__ -DGM_INLINE=extern -I"$include" \
		-fsyntax-only -aux-info "$GM_TEST_TMP/declared.txt" \
		"$GM_TEST_TMP/all.c"
	grep -F "$include/guestmem" "$GM_TEST_TMP/declared.txt" |
		grep -v '\*/ static ' |
		sed -n 's/.*[ *(]\(gm_[a-z0-9_]*\) (.*/\1/p' | sort -u
}

# Every name in the headers' code: as written (macros; comments removed) and as
# macros expand to.
header_words()
{
	{
		cat "$include"/guestmem.h "$include"/guestmem/*.h |
			gcc -fpreprocessed -dD -E -P -x c - 2>/dev/null
		gcc -std=gnu11 -I"$include" -E -P "$GM_TEST_TMP/all.c"
	} | grep -o '[A-Za-z_][A-Za-z0-9_]*' | sort -u
}
