#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# What the documents say is so: each block of C is a piece of a sample, or
# compiles; one that has main() also runs. Links lead to files that are there.
# A tutorial's program does what the tutorial says. Manual pages are clean.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"
# shellcheck source=selftests/abi/symbols.sh
. "$GM_SRC/selftests/abi/symbols.sh"

cflags="-std=gnu11 -Wall -Wextra -Werror -I$GM_SRC/ulib/include"
docs=$(cd "$GM_SRC" && ls ./*.md Documentation/*.rst Documentation/*/*.rst)

# blocks FILE DIR: each block of C of a document in a file DIR/LINE.c
blocks()
{
	awk -v dir="$2" '
	function end() { if (out) close(out); out = "" }
	/^```c$/ { out = dir "/" FNR ".c"; fence = 1; next }
	fence && /^```$/ { end(); fence = 0; next }
	fence { print > out; next }
	/^\.\. code-block:: c$/ { end(); out = dir "/" FNR ".c"; empty = ""; next }
	out && /^$/ { empty = empty "\n"; next }
	out && /^    / { if (!started[out]++) empty = ""
			 printf "%s%s\n", empty, substr($0, 5) > out; empty = ""; next }
	out { end() }' "$1"
}

# Is the block in a sample, letter for letter?
in_sample()
{
	cat "$GM_SRC"/ulib/samples/*/*.[ch] |
		perl -e 'open my $f, "<", $ARGV[0]; local $/; my $block = <$f>;
			 exit(index(<STDIN>, $block) < 0)' "$1"
}

compiles()
{
	if grep -q '^int main(' "$1"; then
		# shellcheck disable=SC2086 # a list of words
		gcc $cflags -o program "$1" "$GM_BUILD/libguestmem.a" \
			$(cat link_flags) && ./program
	else
		# shellcheck disable=SC2086
		gcc $cflags -include guestmem.h -fsyntax-only "$1"
	fi
}

block_is_right()
{
	in_sample "$1" && return 0
	compiles "$1" > errors 2>&1 && return 0
	echo "not a piece of a sample as it is now, and does not compile by itself:"
	head -n 3 errors
	return 1
}

# Files that a document links to, relative to where it is; no URLs.
links_lead_somewhere()
{
	cd "$GM_SRC/$(dirname "$1")"
	sed -n -e 's/](\([^)#]*\)[^)]*)/\n=\1\n/g' -e 's/ <\([^<>#]*\)[^<>]*>`_/\n=\1\n/gp' \
		-e '/\n=/p' "$GM_SRC/$1" | sed -n 's/^=//p' | grep -v '^https\{0,1\}:' | sort -u |
	while read -r target; do
		[ -z "$target" ] || [ -e "$target" ] || echo "$1: no $target"
	done | { ! grep .; }
}

# Sources and functions that a document names are there; "X" and "*" stand for
# anything.
names_are_there()
{
	{
		grep -oE '[a-z_0-9/]*[a-z0-9]\.(c|h|sh)\b' "$GM_SRC/$1" | sort -u |
		while read -r f; do
			[ -n "$(find "$GM_SRC"/ulib "$GM_SRC"/kmod "$GM_SRC"/include \
				"$GM_SRC"/selftests "$GM_SRC/Documentation" \
				-path "*/$f" | head -n 1)" ] || echo "$1: no $f"
		done
		grep -oE '\bgm_[a-z0-9_]+\(\)' "$GM_SRC/$1" | sed 's/()//' | sort -u |
			comm -23 - known | sed "s|^|$1: no |"
	} | grep -v -e 'no .*X' -e 'no _' -e gm_os_ -e 'no example\.c' -e 'no stdio\.h' \
		-e 'no pthread\.h' -e 'no errno\.h' \
		-e 'no kselftest_harness\.h' | { ! grep .; }
}

# tutorial_says_so PAGE PROGRAM: it shows what its program prints; only the first
# line differs where there is no KVM.
tutorial_says_so()
{
	"$GM_BUILD/samples/$2" > printed 2>&1 || { cat printed; return 1; }
	sed -n "/^    \\$ build\/samples\/$2\$/,/^\$/s/^    //p" \
		"$GM_SRC/Documentation/$1.rst" | sed 1d | grep -v '^ran on KVM$' | sort > promised
	grep -v -e '^ran on KVM$' -e '^no KVM:' printed | sort > have
	[ -s promised ] && diff promised have
}

# Each exported function, and each family that a macro makes, has a page.
each_function_has_a_page()
{
	exported | grep '^gm_' | grep -v -e '_slow$' -e '_index_error$' -e '^gm_map_search$' -e '^gm_dma_search$' \
		-e '^gm_epoch_self$' |
	while read -r f; do
		[ -e "man3/$f.3" ] || echo "no page for $f()"
	done | { ! grep .; }
}

cd "$GM_TEST_TMP"
PKG_CONFIG_LIBDIR=$GM_BUILD/stage/opt/guestmem/lib/pkgconfig \
	pkg-config --static --libs-only-l libguestmem | sed 's/-lguestmem//' > link_flags
echo -pthread >> link_flags

{ exported; header_words; } | sort -u > known
total=0
for d in $docs; do
	dir=blocks/$(basename "$d")
	mkdir -p "$dir"
	blocks "$GM_SRC/$d" "$dir"
	for b in $(find "$dir" -name '*.c' | sort -V); do
		total=$((total + 1))
		tap_check "$d: block of line $(basename "$b" .c)" block_is_right "$PWD/$b"
	done
	tap_check "$d: links" links_lead_somewhere "$d"
	tap_check "$d: names" names_are_there "$d"
done
# A document without blocks may be one that the search above does not see.
tap_check "there are blocks of C" test "$total" -ge 10
for p in tutorial live-tutorial; do
	tap_check "$p: its program does what it says" tutorial_says_so $p "${p%-tutorial}"
done
tap_check "manual pages and HTML are made" make -s -C "$GM_SRC/Documentation" O="$GM_BUILD" MAN="$PWD"
tap_check "each function has a page" each_function_has_a_page
tap_done
