/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * map.c - maps: made of regions, with one more, with one less.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* What gm_map_put() frees: the map and its extents, in one piece. */
struct map_block {
	struct gm_map map;
	struct gm_extent ext[];
};

static void map_free(struct gm_map *m)
{
	uint32_t i;

	for (i = 0; i < m->count; i++)
		gm_region_put(m->regions[i]);
	free(m->regions);
	/* table is in the same piece. */
	free((void *)(uintptr_t)m->direct);
	free(m);
}

/* The regions are in order and don't overlap; each gets a reference. */
static int map_create(struct gm_region *const *regions, size_t count,
		      struct gm_map **out)
{
	struct map_block *b;
	struct gm_map *m;
	size_t i, bytes;

	/* Numbers of regions are 32 bits wide in the table. */
	if (count >= UINT32_MAX)
		return gm_error_memory(count);
	bytes = sizeof(*b) + (count + 1) * sizeof(b->ext[0]);
	b = calloc(1, bytes);
	if (!b)
		return gm_error_memory(bytes);
	m = &b->map;
	m->ext = b->ext;
	m->refs = 1;
	m->regions = calloc(count + 1, sizeof(m->regions[0]));
	if (!m->regions) {
		free(m);
		return gm_error_memory(count * sizeof(m->regions[0]));
	}
	for (i = 0; i < count; i++) {
		m->regions[i] = gm_region_get(regions[i]);
		b->ext[i] = regions[i]->ext;
	}
	m->count = (uint32_t)count;
	if (count && !gm_map_index(m, b->ext)) {
		map_free(m);
		return gm_error_memory(count * sizeof(m->table[0]));
	}
	*out = m;
	return 0;
}

static int overlap_error(const struct gm_region *r)
{
	return gm_error_set(-EEXIST, GM_ERR_OVERLAP, r->ext.base, r->ext.len);
}

int gm_map_new(struct gm_region *const *regions, size_t count,
	       struct gm_map **out)
{
	size_t i;

	if (!count)
		return gm_error_set(-EINVAL, GM_ERR_NO_REGION, 0, 0);
	for (i = 1; i < count; i++) {
		const struct gm_region *prev = regions[i - 1];
		const struct gm_region *r = regions[i];

		if (r->ext.base < prev->ext.base)
			return gm_error_set(-EINVAL, GM_ERR_UNSORTED,
					    r->ext.base, r->ext.len);
		if (r->ext.base - prev->ext.base < prev->ext.len)
			return overlap_error(r);
	}
	return map_create(regions, count, out);
}

int gm_map_new_made(gm_region_maker *make, void *ctx,
		    const struct gm_range *ranges,
		    const struct gm_mmap_opts *opts, size_t count,
		    struct gm_map **out)
{
	struct gm_region **regions;
	size_t i, made = 0;
	int ret;

	ret = gm_mmap_check_array(opts, count);
	if (ret)
		return ret;
	regions = calloc(count + 1, sizeof(regions[0]));
	if (!regions)
		return gm_error_memory(count * sizeof(regions[0]));
	for (i = 0; i < count && !ret; i++) {
		ret = make(ctx, ranges[i].gpa, ranges[i].len,
			   opts ? gm_mmap_opts_at(opts, i) : NULL, &regions[i]);
		if (!ret)
			made++;
	}
	if (!ret)
		ret = gm_map_new(regions, count, out);
	/* The map has its own references. */
	while (made--)
		gm_region_put(regions[made]);
	free(regions);
	return ret;
}

static int make_mmap(void *ctx, gm_gpa_t gpa, gm_size_t len,
		     const struct gm_mmap_opts *opts, struct gm_region **out)
{
	(void)ctx;
	return gm_region_new_mmap(gpa, len, opts, out);
}

int gm_map_new_mmap(const struct gm_range *ranges,
		    const struct gm_mmap_opts *opts, size_t count,
		    struct gm_map **out)
{
	return gm_map_new_made(make_mmap, NULL, ranges, opts, count, out);
}

size_t gm_map_first_from(const struct gm_map *m, uint64_t gpa)
{
	size_t lo = 0, hi = m->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct gm_extent *e = &m->ext[mid];

		if (e->base + (e->len - 1) < gpa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int gm_map_insert(const struct gm_map *m, struct gm_region *r,
		  struct gm_map **out)
{
	uint64_t last = gm_gpa_raw(gm_region_last(r));
	size_t at = gm_map_first_from(m, r->ext.base);
	struct gm_region **regions;
	int ret;

	if (at < m->count && m->ext[at].base <= last)
		return overlap_error(r);
	regions = malloc((m->count + (size_t)1) * sizeof(regions[0]));
	if (!regions)
		return gm_error_memory(m->count * sizeof(regions[0]));
	memcpy(regions, m->regions, at * sizeof(regions[0]));
	regions[at] = r;
	memcpy(regions + at + 1, m->regions + at,
	       (m->count - at) * sizeof(regions[0]));
	ret = map_create(regions, m->count + (size_t)1, out);
	free(regions);
	return ret;
}

int gm_map_remove_held(const struct gm_map *m, gm_gpa_t gpa, gm_size_t len,
		       struct gm_map **out, struct gm_region **removed)
{
	size_t at = gm_map_first_from(m, gm_gpa_raw(gpa));
	struct gm_region **regions;
	struct gm_region *r;
	int ret;

	if (at == m->count || m->ext[at].base != gm_gpa_raw(gpa) ||
	    m->ext[at].len != len)
		return gm_error_set(-ENOENT, GM_ERR_NO_REGION, gm_gpa_raw(gpa),
				    len);
	r = m->regions[at];
	regions = malloc(m->count * sizeof(regions[0]));
	if (!regions)
		return gm_error_memory(m->count * sizeof(regions[0]));
	memcpy(regions, m->regions, at * sizeof(regions[0]));
	memcpy(regions + at, m->regions + at + 1,
	       (m->count - at - 1) * sizeof(regions[0]));
	ret = map_create(regions, m->count - (size_t)1, out);
	free(regions);
	if (!ret && removed)
		*removed = gm_region_get(r);
	return ret;
}

int gm_map_remove(const struct gm_map *m, gm_gpa_t gpa, gm_size_t len,
		  struct gm_map **out, struct gm_region **removed)
{
	struct gm_region *r = gm_map_find(m, gpa);
	int ret;

	if (r && gm_gpa_eq(gm_region_start(r), gpa) &&
	    gm_region_len(r) == len) {
		ret = gm_region_check_held(r, gm_roff(0), len, GM_HOLD_REMOVE);
		if (ret)
			return ret;
	}
	return gm_map_remove_held(m, gpa, len, out, removed);
}

struct gm_map *gm_map_get(struct gm_map *m)
{
	gm_ref_inc(&m->refs);
	return m;
}

void gm_map_put(struct gm_map *m)
{
	if (m && gm_ref_dec_is_last(&m->refs))
		map_free(m);
}
