/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * index.c - a table that finds one of many ranges of addresses in one step.
 *
 * The address space is cut into granules of a power of two. table[g] is the
 * number of the first range that ends in granule g or after it. So the only
 * ranges that can have an address in granule g are table[g] to table[g + 1],
 * both included.
 */
#include "internal.h"

/*
 * Even a small map may have so many granules. They take 12 bytes each, and make
 * those small that the PC's hole below 1 MiB cuts up.
 */
#define MIN_GRANULES 16384

/* A granule has room for an aligned access of 8 bytes. */
#define MIN_SHIFT 3

/* Granules for each range, at most. */
#define GRANULES_A_RANGE 4

/*
 * The smallest granule whose table isn't too large; and no smaller than what
 * all ranges are aligned to, which is as exact with a smaller table.
 */
uint32_t gm_index_shift(const struct gm_index *x, uint64_t *granules)
{
	uint64_t last = gm_index_last(x, x->count - 1) - x->first;
	uint64_t max = GRANULES_A_RANGE * (uint64_t)x->count;
	uint64_t bits = 0;
	uint32_t shift, i;

	if (max < MIN_GRANULES)
		max = MIN_GRANULES;
	for (i = 0; i < x->count; i++)
		bits |= (gm_index_base(x, i) - x->first) | gm_index_len(x, i);
	shift = (uint32_t)__builtin_ctzll(bits);
	if (shift < MIN_SHIFT)
		shift = MIN_SHIFT;
	while ((last >> shift) >= max)
		shift++;
	*granules = (last >> shift) + 1;
	return shift;
}

void gm_index_fill(const struct gm_index *x, uint32_t shift, uint64_t granules,
		   uint32_t *table)
{
	uint64_t g, next = 0;
	uint32_t i;

	for (i = 0; i < x->count; i++) {
		g = (gm_index_last(x, i) - x->first) >> shift;
		while (next <= g)
			table[next++] = i;
	}
	table[granules] = x->count;
}

uint32_t gm_index_search(const struct gm_index *x, uint32_t lo, uint32_t hi,
			 uint64_t addr)
{
	/* The last of [lo, hi) that starts at addr or below; hi can be it too. */
	if (hi < x->count && gm_index_base(x, hi) <= addr)
		return hi;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (gm_index_base(x, mid) <= addr)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}
