#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The sample zero-copy-vmm on this machine's own KVM, with an image: each test of its
# guest program, each hostile case by name and with the sanitizers, programs that are
# none, what was written and by whom.
set -eu
. "${GM_SRC:?}/selftests/integration/lib.sh"

vmm=$GM_BUILD/samples/zero-copy-vmm
sanitized=$GM_BUILD/asan/samples/zero-copy-vmm
guest=$GM_BUILD/samples/zero-copy-guest
DISK_MIB=16
RANDOM_HEADERS=60
HEADERS=23	# programs that are none, below

# The sanitizers' shadow memory needs the usual address space layout.
wrap=
! setarch -R true 2>/dev/null || wrap='setarch -R'

# run PROGRAM GUEST OPTION...: report and messages in files; its exit status.
run()
{
	local status=0

	# shellcheck disable=SC2086 # words
	timeout 120 $wrap "$1" --disk file:disk.img --guest "$2" --timeout 60 "${@:3}" \
		> report 2> messages || status=$?
	return $status
}

value()
{
	sed -n "s/^$1=//p" report
}

show_run()
{
	cat report
	tail -n 20 messages
	return 1
}

no_sanitizer_report()
{
	! grep -e 'ERROR: ' -e 'runtime error: ' messages
}

passes()
{
	run "$@" && is "$(value guest)" pass && no_sanitizer_report || show_run
}

# Word i of sector n is n << 8 | i, in as many sectors as the guest says.
image_is_as_told()
{
	local sectors

	sectors=$(sed -n 's/^guest: image sectors //p' messages)
	at_least "$sectors" 4096 || return 1
	# shellcheck disable=SC2016 # perl's
	perl -e 'my ($sectors) = @ARGV; local $/; my @words = unpack("Q<*", <STDIN>);
		@words >= 64 * $sectors or die "short";
		for my $k (0 .. 64 * $sectors - 1) {
			my $want = ($k >> 6) << 8 | $k & 63;
			$words[$k] == $want or die "word $k is $words[$k], not $want\n";
		}' "$sectors" < disk.img
}

no_failed_line()
{
	! grep '^guest: not ok' messages && at_least "$(value guest_passed)" "$1" &&
		is "$(value guest_failed)" 0
}

# field OFFSET FORMAT VALUE: a program with another value there, in file bad
field()
{
	# shellcheck disable=SC2016 # perl's
	perl -e 'my ($off, $format, $value) = @ARGV; local $/; my $elf = <STDIN>;
		my $new = pack($format, $value =~ /^0x/ ? hex($value) : $value);
		substr($elf, $off, length($new)) = $new; print $elf' \
		"$@" < "$guest" 2>/dev/null > bad
}

# Refused with words that have PATTERN in them; no part of the guest has run.
refused()
{
	local status=0

	run "$sanitized" bad || status=$?
	is "$status" 1 && grep -q "^zero-copy-vmm: .*$1" messages && ! grep '^guest:' messages &&
		no_sanitizer_report || show_run
}

# check_header NAME PATTERN OFFSET FORMAT VALUE
check_header()
{
	field "$3" "$4" "$5"
	check "program: $1" refused "$2"
}

check_truncated()
{
	head -c "$1" "$guest" > bad
	check "program: its first $1 bytes" refused "$2"
}

# Pages behind the guest program in 24 MiB: what else of the 32 is at 4 GiB.
room()
{
	# shellcheck disable=SC2016 # perl's
	perl -e 'local $/; my ($start, $bytes) = unpack("x144 Q< x8 Q<", <STDIN>);
		print int(((24 << 20) - $start - $bytes) / 4096)' < "$guest"
}

# The guest program as a kernel, with an initrd of so many pages.
with_initrd()
{
	rm -f initrd
	truncate -s $(($1 * 4096)) initrd
	# shellcheck disable=SC2086 # words
	timeout 120 $wrap "$sanitized" --disk file:disk.img --kernel "$guest" --initrd initrd \
		--memory 32 --timeout 60 > report 2> messages || true
}

# The program runs: it sees that it was not begun as it should be, and says so.
initrd_fits()
{
	with_initrd "$1"
	is "$(value guest)" fail && no_sanitizer_report || show_run
}

initrd_refused()
{
	with_initrd "$1"
	is "$(value guest)" "" && no_sanitizer_report &&
		grep -q '^zero-copy-vmm: initrd: File too large' messages || show_run
}

# Anything may be in the headers: loaded or refused, and never more than that.
random_headers()
{
	local i status

	for ((i = 0; i < RANDOM_HEADERS; i++)); do
		# shellcheck disable=SC2016 # perl's
		perl -e 'srand($ARGV[0]); local $/; my $elf = <STDIN>;
			for (0 .. rand(3)) {
				my $v = (0, 1, 0x7f, 0x80, 0xff, rand(256))[rand(6)];
				substr($elf, rand(176), 1) = chr($v);
			} print $elf' "$i" < "$guest" > bad
		status=0
		# shellcheck disable=SC2086 # words
		timeout 60 $wrap "$sanitized" --disk file:disk.img --guest bad --timeout 1 \
			--guest-mode read --repeat 1 > report 2> messages || status=$?
		[ $status -le 1 ] && no_sanitizer_report ||
			{ echo "seed $i: status $status"; show_run; return 1; }
	done
}

new_disk()
{
	rm -f disk.img
	truncate -s "${DISK_MIB}M" disk.img
}

"$vmm" --help > /dev/null || bail_out "no $vmm: run make"
if ! { : <> /dev/kvm; } 2>/dev/null; then
	echo "1..0 # SKIP /dev/kvm can't be opened"
	exit 0
fi
new_disk
run "$vmm" "$guest" --guest-mode help || true
mapfile -t cases < <(sed -n '/^guest: modes: /,/^guest: not ok/s/^guest: \([a-z0-9-]*\)$/\1/p' messages)
[ ${#cases[@]} -ge 25 ] || bail_out "the guest program lists ${#cases[@]} cases"
tap_plan $((27 + ${#cases[@]} + HEADERS))

for program in "$vmm" "$sanitized"; do
	new_disk
	check "all tests of the guest pass" passes "$program" "$guest"
	check "each of them was there" no_failed_line 20
	check "the image is as the guest says" image_is_as_told
	check "no byte was copied" is "$(value bytes_copied)" 0
	check "requests were counted" at_least "$(value requests)" 1500
	check "the device has told its CPU time" at_least "$(value cpu_ns_per_request)" 1
done

# 1000 requests of 4096 bytes, to memory above 4 GiB that the CPU does not touch.
check "the guest reads" passes "$vmm" "$guest" --guest-mode read
check "each request has come once" is "$(value backend_requests)" 1000
check "each byte was moved" is "$(value bytes)" 4096000
# Each at a page of its own; and a page of status bytes, and one of the used ring.
check "the device's pages were told, and no others" is "$(value dirty_pages_device)" 1002
check "and the CPU's" at_least "$(value dirty_pages_vcpu)" 5
check "the two are different pages" at_least "$(value dirty_pages)" \
	$(($(value dirty_pages_device) + 1))
check "the guest writes" passes "$vmm" "$guest" --guest-mode write
check "of that no page of data is dirty" is "$(value dirty_pages_device)" 2

for program in "$vmm" "$sanitized"; do
	# An image has none in flight; test_zero_copy_nvme.sh has.
	check "memory is unplugged with requests to come" \
		passes "$program" "$guest" --guest-mode unplug
	check "each check of the guest was there" no_failed_line 9
done

for name in "${cases[@]}"; do
	check "hostile: $name" passes "$sanitized" "$guest" --guest-mode "$name"
done

check_truncated 0 'header: the file ends'
check_truncated 63 'header: the file ends'
check_truncated 100 'program headers: the file ends'
check_truncated 5000 'segment: '
check_header "no ELF" 'not an ELF64' 0 C 0x7e
check_header "32 bits" 'not an ELF64' 4 C 1
check_header "big-endian" 'not an ELF64' 5 C 2
check_header "of another machine" 'not a static program' 18 'S<' 183
check_header "position-independent" 'not a static program' 16 'S<' 3
check_header "program headers of another size" 'program headers of 57' 54 'S<' 57
check_header "no program headers" '0 program headers' 56 'S<' 0
check_header "65535 program headers" '65535 program headers' 56 'S<' 65535
check_header "program headers at 2^64 - 1" 'program headers at' 32 'Q<' 0xffffffffffffffff
check_header "program headers at 2^62" 'program headers' 32 'Q<' 0x4000000000000000
check_header "an entry outside" 'an entry outside' 24 'Q<' 0x10
check_header "more in the file than in memory" 'more in the file' 96 'Q<' 0xffffffffffffffff
check_header "a segment behind the file's end" 'segment: ' 72 'Q<' 0x10000000
check_header "a segment at 2^64 - 1 of the file" 'a segment at' 72 'Q<' 0xffffffffffffffff
check_header "a segment over the page tables" 'where the VMM' 88 'Q<' 0x3000
check_header "a segment in a hole" 'segment: ' 144 'Q<' 0xc0000000
check_header "a segment that wraps" 'a segment that wraps' 144 'Q<' 0xffffffffffffff00
check_header "a segment of 2^64 - 1 bytes" 'a segment that wraps' 160 'Q<' 0xffffffffffffffff
check_header "segments that overlap" 'overlap' 144 'Q<' 0x101000

check "kernel: an initrd right behind it" initrd_fits "$(room)"
check "kernel: an initrd that would be over its end" initrd_refused $(($(room) + 1))

check "program: $RANDOM_HEADERS with random bytes in the headers" random_headers
[ "$checks_failed" = 0 ]
