#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# What compilers make of accesses to guest memory: each is there, once. The
# functions below take guest memory as their first argument; accesses through
# that register are counted in the machine code. And of a sample whose device is
# told by a register that its data is in memory: in this order.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"

if [ "$(uname -m)" != x86_64 ]; then
	echo "1..0 # SKIP knows the machine code of x86-64 only"
	exit 0
fi
cd "$GM_TEST_TMP"

cat > code.c <<'CODE'
#include <guestmem.h>

extern const uint32_t table[16];

void dead_read(const void *host)
{
	(void)gm_mem_read_u32(host);
}

uint32_t two_reads(const void *host)
{
	return gm_mem_read_u32(host) + gm_mem_read_u32(host);
}

uint32_t adjacent_reads(const uint8_t *host)
{
	return gm_mem_read_u8(host) | (uint32_t)gm_mem_read_u8(host + 1) << 8;
}

void two_writes(void *host)
{
	gm_mem_write_u32(host, 1);
	gm_mem_write_u32(host, 1);
}

void overwritten_write(void *host)
{
	gm_mem_write_u32(host, 1);
	gm_mem_write_u32(host, 2);
}

void write_and_read(void *host, uint32_t *out)
{
	gm_mem_write_u32(host, 1);
	*out = gm_mem_read_u32(host);
}

/* A compiler that reads again has one value checked and another one used. */
uint32_t checked_copy(const void *host)
{
	uint32_t i = gm_mem_read_u32(host);

	return i < 16 ? table[i] : 0;
}

uint32_t checked_object(const void *host)
{
	uint32_t i;

	gm_copy_from_host(&i, host, sizeof(i));
	return i < 15 ? table[i + 1] : 0;
}

void eight_bytes_from_misaligned(void *host, const char *buf)
{
	gm_copy_to_host(host, buf + 1, 8);
}

void eight_bytes_to_misaligned(const void *host, char *buf)
{
	gm_copy_from_host(buf + 1, host, 8);
}

void dead_copy(const void *host)
{
	char buf[200];

	gm_copy_from_host(buf, host, sizeof(buf));
}

void copy_of_zeros(void *host)
{
	static const char zeros[200];

	gm_copy_to_host(host, zeros, sizeof(zeros));
	gm_copy_to_host(host, zeros, sizeof(zeros));
}
CODE

# accesses FUNCTION: how many instructions reach through the first argument
accesses()
{
	awk -v f="<$1>:" '$2 == f { on = 1; next } /^$/ { on = 0 }
		on && /\(%rdi\)/ && !/lea|nop/ { n++ } END { print n + 0 }' code.s
}

# copies FUNCTION: how many copies, by memcpy or in line
copies()
{
	awk -v f="<$1>:" '$2 == f { on = 1; next } /^[0-9a-f]* <.*>:$/ { on = 0 }
		on && (/R_X86_64_PLT32.*memcpy/ || /rep movs/) { n++ } END { print n + 0 }' code.s
}

is()
{
	[ "$1" -eq "$2" ] || { echo "$1, not $2"; return 1; }
}

# The edu device's registers are at 0x80 (from), 0x88 (to), 0x90 (count), 0x98 (go).
barriers()
{
	aarch64-linux-gnu-gcc -std=gnu11 -O2 -I"$GM_SRC/ulib/include" \
		-c -o dma.o "$GM_SRC/ulib/samples/dma/main.c"
	aarch64-linux-gnu-objdump -d --no-show-raw-insn dma.o > dma.s
	awk '/str.*, #144\]/ { n++; getline; write += /dmb.*oshst/ } /dmb.*oshld/ { read++ }
		END { print n + 0, write + 0, read + 0; exit !(n && n == write && read) }' dma.s
}

for cc in "gcc -O2" "gcc -O3" "gcc -Os" "clang -O2" "clang -O3"; do
	# shellcheck disable=SC2086 # a list of words
	$cc -std=gnu11 -fcf-protection=none -I"$GM_SRC/ulib/include" -c -o code.o code.c
	objdump -dr --no-show-raw-insn code.o > code.s
	tap_check "$cc: dead read stays" is "$(accesses dead_read)" 1
	tap_check "$cc: two reads are two" is "$(accesses two_reads)" 2
	tap_check "$cc: adjacent reads are not merged" is \
		"$(grep -A20 '<adjacent_reads>:' code.s | sed '/^$/,$d' | grep -c '(%rdi)')" 2
	tap_check "$cc: two writes are two" is "$(accesses two_writes)" 2
	tap_check "$cc: overwritten write stays" is "$(accesses overwritten_write)" 2
	tap_check "$cc: read after write is a read" is "$(accesses write_and_read)" 2
	tap_check "$cc: a checked copy is not read again" is "$(accesses checked_copy)" 1
	tap_check "$cc: a checked object is not read again" is "$(accesses checked_object)" 1
	tap_check "$cc: 8 bytes from a misaligned buffer are one write" is \
		"$(accesses eight_bytes_from_misaligned)" 1
	tap_check "$cc: 8 bytes to a misaligned buffer are one read" is \
		"$(accesses eight_bytes_to_misaligned)" 1
	tap_check "$cc: dead copy stays" is "$(copies dead_copy)" 1
	tap_check "$cc: two copies are two" is "$(copies copy_of_zeros)" 2
done
tap_check "aarch64: memory and a device's registers are in order" barriers
tap_done
