/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * map_index.c - the table that finds a region in one step.
 *
 * table[g] is the number of the first region that ends in granule g or after
 * it. So the only regions that can have an address in granule g are table[g] to
 * table[g + 1], both included.
 *
 * Granules count from address 0, not from the first region: that is one step
 * less in each access, for a longer table where guest memory starts high.
 */
#include <stdlib.h>

#include "internal.h"

/*
 * Even a small map may have so many granules. They take 12 bytes each, and make
 * those small that the PC's hole below 1 MiB cuts up.
 */
#define MIN_GRANULES 16384

/* A granule has room for an aligned access of 8 bytes. */
#define MIN_SHIFT 3

/* Granules for each region, at most. */
#define GRANULES_A_REGION 4

/*
 * The smallest granule whose table isn't too large; and no smaller than what
 * all regions are aligned to, which is as exact with a smaller table.
 */
static uint32_t choose_shift(const struct gm_map *m, uint64_t last)
{
	uint64_t max = GRANULES_A_REGION * (uint64_t)m->count;
	uint64_t bits = 0;
	uint32_t shift, i;

	if (max < MIN_GRANULES)
		max = MIN_GRANULES;
	for (i = 0; i < m->count; i++)
		bits |= m->ext[i].base | m->ext[i].len;
	shift = (uint32_t)__builtin_ctzll(bits);
	if (shift < MIN_SHIFT)
		shift = MIN_SHIFT;
	while ((last >> shift) >= max)
		shift++;
	return shift;
}

/* Marks the granules that a region fills. */
static void add_direct(const struct gm_map *m, uint64_t *direct,
		       const struct gm_extent *e)
{
	uint64_t delta = (uint64_t)(uintptr_t)e->host - e->base;
	uint64_t mask = (UINT64_C(1) << m->shift) - 1;
	uint64_t last = e->base + (e->len - 1), g, end;

	if (!e->host || delta % 8)
		return;
	/* First granule that starts in it, and the one after the last it ends. */
	g = (e->base >> m->shift) + !!(e->base & mask);
	end = (last >> m->shift) + ((last & mask) == mask);
	for (; g < end; g++)
		direct[g] = delta;
}

bool gm_map_index(struct gm_map *m, const struct gm_extent *ext)
{
	const struct gm_extent *end = &ext[m->count - 1];
	uint64_t last, g, first = 0;
	uint64_t *direct;
	uint32_t *table;
	uint32_t i;

	last = end->base + (end->len - 1);
	m->shift = choose_shift(m, last);
	m->granules = (last >> m->shift) + 1;
	/* One piece: the words first, for their alignment. */
	direct = malloc(m->granules * sizeof(direct[0]) +
			(m->granules + 1) * sizeof(table[0]));
	if (!direct)
		return false;
	table = (uint32_t *)(direct + m->granules);
	for (g = 0; g < m->granules; g++)
		direct[g] = GM_NOT_DIRECT;
	for (i = 0; i < m->count; i++) {
		g = (ext[i].base + (ext[i].len - 1)) >> m->shift;
		while (first <= g)
			table[first++] = i;
		add_direct(m, direct, &ext[i]);
	}
	table[m->granules] = m->count;
	m->direct = direct;
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
