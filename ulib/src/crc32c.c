/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * crc32c.c - the checksum of snapshots: CRC-32C (Castagnoli), eight bytes a step:
 * by the CPU's own instruction where it has one, by tables else.
 */
#include <string.h>

#include "snapshot_private.h"

#define POLYNOMIAL 0x82f63b78u	/* bits reversed */

static uint32_t table[8][256];

/* Some microseconds, also where the CPU does without. */
gm_at_load static void make_table(void)
{
	uint32_t i, k, crc;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^
				      table[0][table[k - 1][i] & 0xff];
}

uint32_t gm_crc32c_table(uint32_t crc, const void *data, uint64_t n)
{
	const uint8_t *p = data;
	uint64_t w;

	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		w = gm_swap_le64(w) ^ crc;
		crc = table[7][w & 0xff] ^ table[6][w >> 8 & 0xff] ^
		      table[5][w >> 16 & 0xff] ^ table[4][w >> 24 & 0xff] ^
		      table[3][w >> 32 & 0xff] ^ table[2][w >> 40 & 0xff] ^
		      table[1][w >> 48 & 0xff] ^ table[0][w >> 56];
	}
	for (; n; n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

/* sparse does not know these. */
#if defined(__x86_64__) && !defined(__CHECKER__)
__attribute__((__target__("sse4.2")))
static uint32_t crc_by_cpu(uint32_t crc, const void *data, uint64_t n)
{
	const uint8_t *p = data;
	uint64_t c = (uint32_t)~crc, w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		c = __builtin_ia32_crc32di(c, w);
	}
	for (; n; n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return ~(uint32_t)c;
}

uint32_t gm_crc32c(uint32_t crc, const void *data, uint64_t n)
{
	if (__builtin_cpu_supports("sse4.2"))
		return crc_by_cpu(crc, data, n);
	return gm_crc32c_table(crc, data, n);
}
#else
uint32_t gm_crc32c(uint32_t crc, const void *data, uint64_t n)
{
	return gm_crc32c_table(crc, data, n);
}
#endif
