// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * map_index.c - the table that finds a region in one step.
 *
 * table[g] is the number of the first region that ends in granule g or after
 * it. So the only regions that can have an address in granule g are table[g] to
 * table[g + 1], both included.
 */
#include <stdlib.h>

#include "internal.h"

/* A small map gets so many granules at least: 4 KiB of table. */
#define MIN_GRANULES 1024

/* Granules for each region, at most. */
#define GRANULES_A_REGION 4

/*
 * The smallest granule whose table isn't too large; and no smaller than what
 * all regions are aligned to, which is as exact with a smaller table.
 */
static uint32_t choose_shift(const struct gm_map *m, uint64_t span)
{
	uint64_t max = GRANULES_A_REGION * (uint64_t)m->count;
	uint64_t bits = 0;
	uint32_t shift, i;

	if (max < MIN_GRANULES)
		max = MIN_GRANULES;
	for (i = 0; i < m->count; i++)
		bits |= (m->ext[i].base - m->lo) | m->ext[i].len;
	shift = (uint32_t)__builtin_ctzll(bits);
	while ((span >> shift) >= max)
		shift++;
	return shift;
}

bool gm_map_index(struct gm_map *m, const struct gm_extent *ext)
{
	const struct gm_extent *end = &ext[m->count - 1];
	uint64_t span, g, first = 0;
	uint32_t *table;
	uint32_t i;

	m->lo = ext[0].base;
	span = end->base + (end->len - 1) - m->lo;
	m->shift = choose_shift(m, span);
	m->granules = (span >> m->shift) + 1;
	table = malloc((m->granules + 1) * sizeof(table[0]));
	if (!table)
		return false;
	for (i = 0; i < m->count; i++) {
		g = (ext[i].base + (ext[i].len - 1) - m->lo) >> m->shift;
		while (first <= g)
			table[first++] = i;
	}
	table[m->granules] = m->count;
	m->table = table;
	return true;
}

const struct gm_extent *gm_map_search(const struct gm_map *m, uint64_t granule,
				      uint64_t gpa)
{
	uint32_t lo = m->table[granule];
	uint32_t hi = m->table[granule + 1];
	const struct gm_extent *e;

	/* The last of [lo, hi) that starts at gpa or below; hi can be it too. */
	if (hi < m->count && m->ext[hi].base <= gpa)
		lo = hi;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (m->ext[mid].base <= gpa)
			lo = mid;
		else
			hi = mid;
	}
	e = &m->ext[lo];
	return gpa - e->base < e->len ? e : NULL;
}
