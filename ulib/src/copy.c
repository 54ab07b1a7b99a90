/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * copy.c - the small copies that are not worth their size inline.
 */
#include <guestmem/copy.h>

/* Bytes of the next single access: what is left, and what the guest side's
 * alignment lets be single.
 */
static size_t next_piece(const void *host, size_t n)
{
	if (n >= 8 && gm_mem_is_aligned(host, 8))
		return 8;
	if (n >= 4 && gm_mem_is_aligned(host, 4))
		return 4;
	if (n >= 2 && gm_mem_is_aligned(host, 2))
		return 2;
	return 1;
}

/*
 * One access of @n bytes. Not by gm_copy_from_host(): without optimization that
 * does not know its constants, and comes back here.
 */
static void read_piece(uint8_t *to, const uint8_t *host, size_t n)
{
	if (n == 8) {
		uint64_t v = gm_mem_read_u64(host);

		memcpy(to, &v, 8);
	} else if (n == 4) {
		uint32_t v = gm_mem_read_u32(host);

		memcpy(to, &v, 4);
	} else if (n == 2) {
		uint16_t v = gm_mem_read_u16(host);

		memcpy(to, &v, 2);
	} else {
		*to = gm_mem_read_u8(host);
	}
}

static void write_piece(uint8_t *host, const uint8_t *from, size_t n)
{
	if (n == 8) {
		uint64_t v;

		memcpy(&v, from, 8);
		gm_mem_write_u64(host, v);
	} else if (n == 4) {
		uint32_t v;

		memcpy(&v, from, 4);
		gm_mem_write_u32(host, v);
	} else if (n == 2) {
		uint16_t v;

		memcpy(&v, from, 2);
		gm_mem_write_u16(host, v);
	} else {
		gm_mem_write_u8(host, *from);
	}
}

void gm_copy_from_host_small(void *dst, const void *host, size_t n)
{
	const uint8_t *from = host;
	uint8_t *to = dst;

	while (n) {
		size_t piece = next_piece(from, n);

		read_piece(to, from, piece);
		from += piece;
		to += piece;
		n -= piece;
	}
}

void gm_copy_to_host_small(void *host, const void *src, size_t n)
{
	const uint8_t *from = src;
	uint8_t *to = host;

	while (n) {
		size_t piece = next_piece(to, n);

		write_piece(to, from, piece);
		from += piece;
		to += piece;
		n -= piece;
	}
}

void gm_copy_within(void *dst, const void *src, size_t n)
{
	uint64_t tmp;

	if (n <= sizeof(tmp)) {
		gm_copy_from_host_small(&tmp, src, n);
		gm_copy_to_host_small(dst, &tmp, n);
		return;
	}
	__asm__ volatile("" : "+r"(dst), "+r"(src), "+r"(n) : : "memory");
	memmove(dst, src, n);
	__asm__ volatile("" : : : "memory");
}
