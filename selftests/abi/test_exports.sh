#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The library's symbols: what the public headers declare, no more and no less.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"
# shellcheck source=selftests/abi/symbols.sh
. "$GM_SRC/selftests/abi/symbols.sh"

# nothing FILE: the list in FILE is empty; names what it holds otherwise
nothing()
{
	[ ! -s "$1" ] || { cat "$1"; return 1; }
}

soname()
{
	objdump -p "$shared" | grep -q '^ *SONAME *libguestmem\.so\.0$'
}

cd "$GM_TEST_TMP"
exported > exported
declared > declared_functions
header_words > words

tap_check "symbols are exported" test -s exported
tap_check "functions are declared" test -s declared_functions

grep -v '^gm_' exported > foreign || true
tap_check "only gm_ names are exported" nothing foreign

exported versions | grep -v '@@LIBGUESTMEM_[0-9.]*$' | grep -v '^LIBGUESTMEM' > bare || true
tap_check "each export has a version" nothing bare

nm -g --defined-only "$static" 2>/dev/null | awk 'NF == 3 && $3 !~ /^gm_/ { print $3 }' > pollution
tap_check "the static library defines only gm_ names" nothing pollution

comm -23 declared_functions exported > missing
tap_check "each declared function is exported" nothing missing

# Variables are in no list of functions: any name in the headers will do.
comm -23 exported words > undeclared
tap_check "each export is declared" nothing undeclared

tap_check "the soname is libguestmem.so.0" soname
tap_done
