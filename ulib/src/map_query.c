/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * map_query.c - questions to a map that are not on the hot path.
 */
#include <errno.h>

#include "internal.h"

static int hole_error(uint64_t gpa)
{
	return gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR, gpa, 0);
}

struct gm_slice gm_map_extent_slice(const struct gm_map *m,
				    const struct gm_extent *e, uint64_t off,
				    uint64_t n)
{
	struct gm_slice s = { .len = n, .off = off };

	if (e->host) {
		s.host = e->host + off;
		s.dirty = e->dirty;
	} else {
		s.region = m->regions[e - m->ext];
	}
	return s;
}

gm_gpa_t gm_map_last(const struct gm_map *m)
{
	if (!m->count)
		return gm_gpa(0);
	return gm_region_last(m->regions[m->count - 1]);
}

int gm_map_to_offset(const struct gm_map *m, gm_gpa_t gpa, gm_roff_t *off,
		     struct gm_region **out)
{
	struct gm_region *r = gm_map_find(m, gpa);
	int ret;

	if (!r)
		return hole_error(gm_gpa_raw(gpa));
	ret = gm_region_to_offset(r, gpa, off);
	if (!ret)
		*out = r;
	return ret;
}

int gm_map_check(const struct gm_map *m, gm_gpa_t gpa, gm_gpa_t *out)
{
	if (!gm_map_contains(m, gpa))
		return hole_error(gm_gpa_raw(gpa));
	*out = gpa;
	return 0;
}

int gm_map_offset_add(const struct gm_map *m, gm_gpa_t gpa, uint64_t n,
		      gm_gpa_t *out)
{
	gm_gpa_t sum;

	if (gm_gpa_add(gpa, n, &sum))
		return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW,
				    gm_gpa_raw(gpa), n);
	return gm_map_check(m, sum, out);
}

int gm_map_check_range(const struct gm_map *m, gm_gpa_t gpa, gm_size_t len)
{
	struct gm_view v;

	gm_view_init(&v, m);
	return gm_view_check_range(&v, gpa, len, GM_PERM_NONE);
}

int gm_map_host(const struct gm_map *m, gm_gpa_t gpa, void **out)
{
	struct gm_region *r = gm_map_find(m, gpa);

	if (!r)
		return hole_error(gm_gpa_raw(gpa));
	return gm_region_host(r, gm_roff(gm_gpa_raw(gpa) - r->ext.base), out);
}

int gm_map_slice(const struct gm_map *m, gm_gpa_t gpa, gm_size_t len,
		 struct gm_slice *out)
{
	struct gm_view v;

	gm_view_init(&v, m);
	return gm_view_slice(&v, gpa, len, GM_PERM_NONE, out);
}
