/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dma_index.c - all that is mapped for a device: made of maps, with one more,
 * with one less, and its table (see index.c).
 *
 * Unlike a memory map's, granules count from the first segment: there may be
 * many small ones, and they may be high up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static uint64_t map_base(const struct gm_dma_map *m)
{
	return gm_dma_map_region(m)->ext.base +
	       gm_roff_raw(gm_dma_map_offset(m));
}

static int by_base(const void *a, const void *b)
{
	uint64_t x = map_base(*(struct gm_dma_map *const *)a);
	uint64_t y = map_base(*(struct gm_dma_map *const *)b);

	return (x > y) - (x < y);
}

static void dma_free(struct gm_dma *d)
{
	uint32_t i;

	for (i = 0; i < d->nmaps; i++)
		gm_dma_map_put(d->maps[i]);
	gm_map_put(d->map);
	free(d->maps);
	free((void *)(uintptr_t)d->ext);
	free((void *)(uintptr_t)d->table);
	free((void *)(uintptr_t)d->dirty);
	free(d);
}

/* Each map's region is in the memory map, and no two maps meet. */
static int check_maps(const struct gm_dma *d)
{
	uint64_t base, len, end = 0;
	uint32_t i;

	for (i = 0; i < d->nmaps; i++) {
		struct gm_region *r = gm_dma_map_region(d->maps[i]);
		struct gm_region *there = gm_map_find(d->map,
						      gm_region_start(r));

		if (!there || gm_region_root(there) != gm_region_root(r))
			return gm_error_set(-ENOENT, GM_ERR_NO_REGION,
					    r->ext.base, r->ext.len);
		base = map_base(d->maps[i]);
		len = gm_dma_map_len(d->maps[i]);
		if (i && base <= end)
			return gm_error_set(-EEXIST, GM_ERR_OVERLAP, base,
					    len);
		end = base + (len - 1);
	}
	return 0;
}

static int count_segments(struct gm_dma *d)
{
	size_t total = 0, n;
	uint32_t i;

	for (i = 0; i < d->nmaps; i++) {
		gm_dma_map_segs(d->maps[i], &n);
		/* Numbers of segments are 32 bits wide in the table. */
		if (__builtin_add_overflow(total, n, &total) ||
		    total >= UINT32_MAX)
			return gm_error_memory(n);
	}
	d->count = (uint32_t)total;
	return 0;
}

static void fill_extents(const struct gm_dma *d, struct gm_dma_extent *ext,
			 struct gm_dma_dirty *dirty)
{
	uint32_t i;
	size_t j, n;

	for (i = 0; i < d->nmaps; i++) {
		const struct gm_dma_map *m = d->maps[i];
		const struct gm_dma_seg *segs = gm_dma_map_segs(m, &n);
		const struct gm_region *r = gm_dma_map_region(m);
		uint64_t gpa = map_base(m);

		/* What the device writes is marked as what the CPU writes. */
		r = gm_map_find(d->map, gm_region_start(r));
		dirty[i].bm = r->ext.dirty;
		dirty[i].base = r->ext.base;
		for (j = 0; j < n; j++, ext++) {
			ext->base = gpa;
			ext->len = segs[j].len;
			ext->address = segs[j].address;
			ext->perm = gm_dma_map_perm(m);
			ext->map = i;
			gpa += segs[j].len;
		}
	}
}

static int build(struct gm_dma *d)
{
	struct gm_dma_extent *ext;
	struct gm_dma_dirty *dirty;
	struct gm_index x;
	uint32_t *table;
	int ret;

	ret = count_segments(d);
	if (ret)
		return ret;
	ext = calloc(d->count + (size_t)1, sizeof(*ext));
	d->ext = ext;
	dirty = calloc(d->nmaps + (size_t)1, sizeof(*dirty));
	d->dirty = dirty;
	if (!ext || !dirty)
		return gm_error_memory(d->count * sizeof(*ext));
	if (!d->count)
		return 0;
	fill_extents(d, ext, dirty);
	d->first = ext[0].base;
	x = (struct gm_index) { ext, sizeof(*ext), d->count, d->first };
	d->shift = gm_index_shift(&x, &d->granules);
	table = malloc((d->granules + 1) * sizeof(table[0]));
	d->table = table;
	if (!table)
		return gm_error_memory(d->granules * sizeof(table[0]));
	gm_index_fill(&x, d->shift, d->granules, table);
	return 0;
}

int gm_dma_new(struct gm_map *m, struct gm_dma_map *const *maps, size_t count,
	       struct gm_dma **out)
{
	struct gm_dma *d;
	int ret;

	if (count >= UINT32_MAX)
		return gm_error_memory(count);
	d = calloc(1, sizeof(*d));
	if (!d)
		return gm_error_memory(sizeof(*d));
	d->refs = 1;
	d->map = gm_map_get(m);
	d->maps = calloc(count + 1, sizeof(d->maps[0]));
	if (!d->maps) {
		dma_free(d);
		return gm_error_memory(count * sizeof(maps[0]));
	}
	for (; d->nmaps < count; d->nmaps++) {
		d->maps[d->nmaps] = gm_dma_map_get(maps[d->nmaps]);
		d->sync |= gm_dma_map_needs_sync(maps[d->nmaps]);
	}
	qsort(d->maps, count, sizeof(d->maps[0]), by_base);
	ret = check_maps(d);
	if (!ret)
		ret = build(d);
	if (ret) {
		dma_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

int gm_dma_insert(const struct gm_dma *d, struct gm_dma_map *map,
		  struct gm_dma **out)
{
	struct gm_region *r = gm_dma_map_region(map);
	struct gm_region *there = gm_map_find(d->map, gm_region_start(r));
	struct gm_dma_map **maps;
	struct gm_map *m;
	int ret;

	if (there && gm_region_root(there) == gm_region_root(r)) {
		m = gm_map_get(d->map);
	} else {
		ret = gm_map_insert(d->map, r, &m);
		if (ret)
			return ret;
	}
	maps = malloc((d->nmaps + (size_t)1) * sizeof(maps[0]));
	if (!maps) {
		gm_map_put(m);
		return gm_error_memory(d->nmaps * sizeof(maps[0]));
	}
	memcpy(maps, d->maps, d->nmaps * sizeof(maps[0]));
	maps[d->nmaps] = map;
	ret = gm_dma_new(m, maps, d->nmaps + (size_t)1, out);
	free(maps);
	gm_map_put(m);
	return ret;
}

int gm_dma_remove(const struct gm_dma *d, gm_gpa_t gpa, gm_size_t len,
		  struct gm_dma **out)
{
	struct gm_region *removed = NULL;
	struct gm_dma_map **maps;
	struct gm_map *m;
	size_t n = 0;
	uint32_t i;
	int ret;

	/* It is this device's own hold that would be in the way. */
	ret = gm_map_remove_held(d->map, gpa, len, &m, &removed);
	if (ret)
		return ret;
	maps = malloc((d->nmaps + (size_t)1) * sizeof(maps[0]));
	if (maps) {
		for (i = 0; i < d->nmaps; i++) {
			if (gm_dma_map_region(d->maps[i])->ext.base !=
			    removed->ext.base)
				maps[n++] = d->maps[i];
		}
		ret = gm_dma_new(m, maps, n, out);
	} else {
		ret = gm_error_memory(d->nmaps * sizeof(maps[0]));
	}
	free(maps);
	gm_region_put(removed);
	gm_map_put(m);
	return ret;
}

struct gm_dma *gm_dma_get(struct gm_dma *d)
{
	gm_ref_inc(&d->refs);
	return d;
}

void gm_dma_put(struct gm_dma *d)
{
	if (d && gm_ref_dec_is_last(&d->refs))
		dma_free(d);
}

struct gm_map *gm_dma_memory(const struct gm_dma *d)
{
	return d->map;
}

const struct gm_dma_extent *gm_dma_search(const struct gm_dma *d,
					  uint64_t granule, uint64_t gpa)
{
	struct gm_index x = { d->ext, sizeof(*d->ext), d->count, d->first };
	const struct gm_dma_extent *e;

	e = &d->ext[gm_index_search(&x, d->table[granule],
				    d->table[granule + 1], gpa)];
	return gpa - e->base < e->len ? e : NULL;
}
