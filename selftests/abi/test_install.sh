#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The installed tree ($GM_BUILD/stage) serves a C and a C++ program that know
# it by pkg-config alone, linked to the shared and to the static library.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"

stage=$GM_BUILD/stage
prefix=/opt/guestmem
export PKG_CONFIG_LIBDIR=$stage$prefix/lib/pkgconfig
export PKG_CONFIG_SYSROOT_DIR=$stage
warnings="-Wall -Wextra -Werror"

cd "$GM_TEST_TMP"

# Takes the address of a function that is inline in the header too, so that
# the library must hold it.
cat > program.c <<'PROGRAM'
#include <guestmem.h>
#include <stdio.h>

int main(void)
{
	bool (*add)(gm_gpa_t, uint64_t, gm_gpa_t *) = gm_gpa_add;
	gm_gpa_t sum = 0;

	if (add(40, 2, &sum) || sum != 42)
		return 1;
	puts("works");
	return 0;
}
PROGRAM
cp program.c program.cc

# works COMPILER SOURCE shared|static
works()
{
	case $3 in
	shared)	flags=$(pkg-config --cflags --libs libguestmem) ;;
	static)	flags="-static $(pkg-config --static --cflags --libs libguestmem)" ;;
	esac
	# shellcheck disable=SC2086 # lists of words
	"$1" $warnings -o program "$2" $flags || return 1
	[ "$(LD_LIBRARY_PATH=$stage$prefix/lib ./program)" = works ]
}

uses_shared()
{
	gcc -o program program.c $(pkg-config --cflags --libs libguestmem) &&
		objdump -p program | grep -q 'NEEDED *libguestmem\.so\.0$'
}

version_is()
{
	[ "$(pkg-config --modversion libguestmem)" = "$1" ] &&
		[ -f "$stage$prefix/lib/libguestmem.so.$1" ]
}

headers_installed()
{
	diff -r "$GM_SRC/ulib/include" "$stage$prefix/include"
}

# uninstall leaves no file behind; it is tried on a copy
uninstalls()
{
	cp -a "$stage" copy
	make -s -C "$GM_SRC" uninstall DESTDIR="$PWD/copy" PREFIX=$prefix || return 1
	left=$(find copy ! -type d)
	[ -z "$left" ] || { echo "$left"; return 1; }
}

tap_check "pkg-config and the file name agree on the version" version_is 0.1.0
tap_check "all headers are installed" headers_installed
tap_check "C program, shared" works gcc program.c shared
tap_check "C program, static" works gcc program.c static
tap_check "C++ program, shared" works g++ program.cc shared
tap_check "C++ program, static" works g++ program.cc static
tap_check "a program asks for libguestmem.so.0" uses_shared
tap_check "uninstall removes all" uninstalls
tap_done
