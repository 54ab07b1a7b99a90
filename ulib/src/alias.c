/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * alias.c - the same memory with another bitmap.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

struct alias {
	struct gm_region region;
	struct gm_region *of;	/* a reference */
};

static int alias_begin(struct gm_region *r, uint64_t off, uint64_t len,
		       enum gm_perm perm, struct gm_guard *g)
{
	struct gm_region *of = ((struct alias *)r)->of;

	return of->ops->begin(of, off, len, perm, g);
}

static void alias_end(struct gm_region *r, struct gm_guard *g)
{
	struct gm_region *of = ((struct alias *)r)->of;

	/* As it would be without the alias. */
	g->region = of;
	of->ops->end(of, g);
}

static void alias_release(struct gm_region *r)
{
	struct alias *a = (struct alias *)r;

	gm_file_put(r->file);
	/* The mark of read-only memory may be a part of the other one. */
	gm_region_exit(r);
	gm_region_put(a->of);
	free(a);
}

static const struct gm_region_ops alias_ops = {
	.begin = alias_begin,
	.end = alias_end,
	.release = alias_release,
};

const struct gm_region *gm_region_alias_of(const struct gm_region *r)
{
	while (r->ops == &alias_ops)
		r = ((const struct alias *)r)->of;
	return r;
}

int gm_region_new_alias(struct gm_region *base, struct gm_bitmap *dirty,
			struct gm_region **out)
{
	struct gm_region *r;
	struct alias *a;
	int ret;

	if (gm_bitmap_refuses_write(base->ext.dirty))
		dirty = base->ext.dirty;
	else if (dirty && gm_bitmap_bytes(dirty) < base->ext.len)
		return gm_option_error(-EINVAL, struct gm_mmap_opts, dirty);
	a = calloc(1, sizeof(*a));
	if (!a)
		return gm_error_memory(sizeof(*a));
	r = &a->region;
	ret = gm_region_init(r, gm_region_start(base), base->ext.len,
			     base->ext.host, dirty, &alias_ops);
	if (ret) {
		free(a);
		return ret;
	}
	r->hugetlbfs = base->hugetlbfs;
	r->prot = base->prot;
	r->flags = base->flags;
	r->owned = base->owned;
	r->file = gm_file_get(base->file);
	r->file_off = base->file_off;
	r->base = gm_region_root(base);
	a->of = gm_region_get(base);
	*out = r;
	return 0;
}

static int new_tracked(struct gm_region *base,
		       int (*track)(void *ctx, struct gm_region *r,
				    struct gm_bitmap **dirty),
		       void *ctx, struct gm_region **out)
{
	struct gm_bitmap *dirty = NULL;
	int ret = 0;

	if (!gm_bitmap_refuses_write(base->ext.dirty))
		ret = track(ctx, base, &dirty);
	if (!ret)
		ret = gm_region_new_alias(base, dirty, out);
	/* The alias has its own reference. */
	gm_bitmap_put(dirty);
	return ret;
}

int gm_map_new_alias(const struct gm_map *m,
		     int (*track)(void *ctx, struct gm_region *r,
				  struct gm_bitmap **dirty),
		     void *ctx, struct gm_map **out)
{
	struct gm_region **regions;
	size_t i, made = 0;
	int ret = 0;

	regions = calloc(m->count + (size_t)1, sizeof(regions[0]));
	if (!regions)
		return gm_error_memory(m->count * sizeof(regions[0]));
	for (i = 0; i < m->count && !ret; i++) {
		ret = new_tracked(m->regions[i], track, ctx, &regions[i]);
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
