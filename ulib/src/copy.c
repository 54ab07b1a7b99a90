// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
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

void gm_copy_from_host_small(void *dst, const void *host, size_t n)
{
	const uint8_t *from = host;
	uint8_t *to = dst;

	while (n) {
		size_t piece = next_piece(from, n);

		switch (piece) {
		case 8:
			gm_copy_from_host(to, from, 8);
			break;
		case 4:
			gm_copy_from_host(to, from, 4);
			break;
		case 2:
			gm_copy_from_host(to, from, 2);
			break;
		default:
			gm_copy_from_host(to, from, 1);
		}
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

		switch (piece) {
		case 8:
			gm_copy_to_host(to, from, 8);
			break;
		case 4:
			gm_copy_to_host(to, from, 4);
			break;
		case 2:
			gm_copy_to_host(to, from, 2);
			break;
		default:
			gm_copy_to_host(to, from, 1);
		}
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
