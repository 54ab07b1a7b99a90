/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * map_index.c - the tables that find a region in one step; see index.c.
 *
 * Granules count from address 0, not from the first region: that is one step
 * less in each access, for a longer table where guest memory starts high.
 */
#include <stdlib.h>

#include "internal.h"

static struct gm_index index_of(const struct gm_map *m,
				const struct gm_extent *ext)
{
	struct gm_index x = { ext, sizeof(*ext), m->count, 0 };

	return x;
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
	struct gm_index x = index_of(m, ext);
	uint64_t *direct;
	uint32_t *table;
	uint64_t g;
	uint32_t i;

	m->shift = gm_index_shift(&x, &m->granules);
	/* One piece: the words first, for their alignment. */
	direct = malloc(m->granules * sizeof(direct[0]) +
			(m->granules + 1) * sizeof(table[0]));
	if (!direct)
		return false;
	table = (uint32_t *)(direct + m->granules);
	for (g = 0; g < m->granules; g++)
		direct[g] = GM_NOT_DIRECT;
	for (i = 0; i < m->count; i++)
		add_direct(m, direct, &ext[i]);
	gm_index_fill(&x, m->shift, m->granules, table);
	m->direct = direct;
	m->table = table;
	return true;
}

const struct gm_extent *gm_map_search(const struct gm_map *m, uint64_t granule,
				      uint64_t gpa)
{
	struct gm_index x = index_of(m, m->ext);
	const struct gm_extent *e;

	e = &m->ext[gm_index_search(&x, m->table[granule],
				    m->table[granule + 1], gpa)];
	return gpa - e->base < e->len ? e : NULL;
}
