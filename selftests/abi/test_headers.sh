#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Each public header compiles alone and twice, as C and as C++, without a
# warning, is clean for sparse, and refuses a target of 32 bits in plain words.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"

include=$GM_SRC/ulib/include
warnings="-Wall -Wextra -Wconversion -Wvla -Wundef -Werror"

# compiles COMPILER LANGUAGE STANDARD HEADER
compiles()
{
	printf '#include <%s>\n#include <%s>\n' "$4" "$4" |
		"$1" -x "$2" -std="$3" $warnings -I"$include" -fsyntax-only -
}

sparse_clean()
{
	echo "#include <$1>" > "$GM_TEST_TMP/header.c"
	sparse -Wsparse-error -Wbitwise -std=gnu11 -I"$include" "$GM_TEST_TMP/header.c"
}

refuses_32_bits()
{
	if echo "#include <$1>" |
		gcc -x c -std=gnu11 -m32 -I"$include" -fsyntax-only - \
			> "$GM_TEST_TMP/m32" 2>&1; then
		echo "it compiles"
		return 1
	fi
	grep -q '#error.*64-bit' "$GM_TEST_TMP/m32" || { cat "$GM_TEST_TMP/m32"; return 1; }
}

# The first complaint is the one that helps. No header of that system is needed.
refuses_target()
{
	echo '#include <guestmem.h>' |
		clang --target="$1" -x c -std=gnu11 -I"$include" -fsyntax-only - \
			> "$GM_TEST_TMP/target" 2>&1 && { echo "it compiles"; return 1; }
	grep -m 1 'error:' "$GM_TEST_TMP/target" | grep -q '64-bit target' ||
		{ cat "$GM_TEST_TMP/target"; return 1; }
}

# So does the library itself, whatever else is missing for 32 bits.
library_refuses_32_bits()
{
	make -C "$GM_SRC/ulib" O="$GM_TEST_TMP/m32-build" CC='gcc -m32' HAVE_NUMA= \
		HAVE_URING= lib > "$GM_TEST_TMP/m32" 2>&1 && { echo "it compiles"; return 1; }
	grep -m 1 'error:' "$GM_TEST_TMP/m32" | grep -q '64-bit target' ||
		{ cat "$GM_TEST_TMP/m32"; return 1; }
}

umbrella_includes()
{
	echo '#include <guestmem.h>' |
		gcc -x c -std=gnu11 -I"$include" -M - | grep -q "/$1\\b"
}

headers=$(cd "$include" && ls guestmem.h guestmem/*.h)
for h in $headers; do
	tap_check "$h as C, gcc" compiles gcc c gnu11 "$h"
	tap_check "$h as C, clang" compiles clang c gnu11 "$h"
	tap_check "$h as C++, gcc" compiles g++ c++ c++17 "$h"
	tap_check "$h as C++, clang" compiles clang++ c++ c++17 "$h"
	tap_check "$h is clean for sparse" sparse_clean "$h"
	tap_check "$h refuses 32 bits" refuses_32_bits "$h"
	tap_check "$h is part of guestmem.h" umbrella_includes "$h"
done
for t in armv7-linux-gnueabihf riscv32-linux-gnu i686-w64-mingw32; do
	tap_check "guestmem.h refuses 32 bits of $t" refuses_target "$t"
done
tap_check "the library refuses 32 bits" library_refuses_32_bits
tap_done
