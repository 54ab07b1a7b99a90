/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod_map.c - guest memory of many regions: all of the module's, or mapped
 * where the module has none to give.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

static int make_kmod(void *ctx, gm_gpa_t gpa, gm_size_t len,
		     const struct gm_mmap_opts *opts, struct gm_region **out)
{
	return gm_region_new_kmod(ctx, gpa, len, opts, out);
}

int gm_map_new_kmod(struct gm_kmod *k, const struct gm_range *ranges,
		    const struct gm_mmap_opts *opts, size_t count,
		    struct gm_map **out)
{
	return gm_map_new_made(make_kmod, k, ranges, opts, count, out);
}

/*
 * The region itself if it is the module's, else pinned. A reference. What was
 * revoked is the module's no more: pinned again, or an error if that memory is
 * gone.
 */
static int pinned(struct gm_kmod *k, struct gm_region *r,
		  struct gm_region **out)
{
	struct gm_error before = *gm_error_last();
	struct gm_kmod_region_info info;

	if (gm_kmod_region_query(k, r, &info)) {
		gm_error_restore(&before);
		return gm_region_new_pinned(k, r, out);
	}
	if (!(info.properties & GM_KMOD_REGION_REVOKED)) {
		*out = gm_region_get(r);
		return 0;
	}
	if (info.pinned)
		return gm_region_new_pinned(k, r, out);
	return gm_error_set(-ENODEV, GM_ERR_REVOKED, r->ext.base, r->ext.len);
}

int gm_map_new_pinned(struct gm_kmod *k, const struct gm_map *m,
		      struct gm_map **out)
{
	struct gm_region **regions;
	size_t i, made = 0;
	int ret = 0;

	regions = calloc(m->count + (size_t)1, sizeof(regions[0]));
	if (!regions)
		return gm_error_memory(m->count * sizeof(regions[0]));
	for (i = 0; i < m->count && !ret; i++) {
		ret = pinned(k, m->regions[i], &regions[i]);
		if (!ret)
			made++;
	}
	if (!ret)
		ret = gm_map_new(regions, m->count, out);
	/* The map has its own references. */
	while (made--)
		gm_region_put(regions[made]);
	free(regions);
	return ret;
}

/* What gm_region_new_auto() and gm_map_new_auto() were asked for. */
struct request {
	const struct gm_range *ranges;
	const struct gm_mmap_opts *opts;
	size_t count;
	struct gm_region **region;	/* one region, or */
	struct gm_map **map;		/* a map */
};

static int request_kmod(const struct request *q, struct gm_kmod *k)
{
	int ret = 0;

	if (k)
		gm_kmod_get(k);
	else
		ret = gm_kmod_open(NULL, &k);
	if (ret)
		return ret;
	if (q->region)
		ret = gm_region_new_kmod(k, q->ranges->gpa, q->ranges->len,
					 q->opts, q->region);
	else
		ret = gm_map_new_kmod(k, q->ranges, q->opts, q->count, q->map);
	gm_kmod_put(k);
	return ret;
}

static int request_mmap(const struct request *q)
{
	if (q->region)
		return gm_region_new_mmap(q->ranges->gpa, q->ranges->len,
					  q->opts, q->region);
	return gm_map_new_mmap(q->ranges, q->opts, q->count, q->map);
}

/* The caller's own progress function has said stop. */
static bool is_cancelled(const struct gm_error *e)
{
	return e->kind == GM_ERR_OPTION && e->err == -ECANCELED;
}

static int request_auto(const struct request *q, struct gm_kmod *k,
			struct gm_choice *choice)
{
	struct gm_choice c = { .backend = GM_BACKEND_KMOD };
	struct gm_error before = *gm_error_last();
	int ret;

	ret = request_kmod(q, k);
	if (ret && is_cancelled(gm_error_last()))
		return ret;
	if (ret) {
		c.backend = GM_BACKEND_MMAP;
		c.why = *gm_error_last();
		/* In the end all may go well. */
		gm_error_restore(&before);
		ret = request_mmap(q);
		if (ret)
			return ret;
	}
	if (choice)
		*choice = c;
	return 0;
}

int gm_region_new_auto(struct gm_kmod *k, gm_gpa_t gpa, gm_size_t len,
		       const struct gm_mmap_opts *opts, struct gm_region **out,
		       struct gm_choice *choice)
{
	const struct gm_range range = { gpa, len };
	const struct request q = { &range, opts, 1, out, NULL };

	return request_auto(&q, k, choice);
}

int gm_map_new_auto(struct gm_kmod *k, const struct gm_range *ranges,
		    const struct gm_mmap_opts *opts, size_t count,
		    struct gm_map **out, struct gm_choice *choice)
{
	const struct request q = { ranges, opts, count, NULL, out };

	return request_auto(&q, k, choice);
}
