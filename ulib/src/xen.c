/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen.c - regions of another domain's memory: options checked, region made and freed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os_mman.h"
#include "xen_private.h"

#define XEN_OPTS struct gm_xen_opts
#define OPTS struct gm_mmap_opts

/* Xen's own names for domains begin here. */
#define DOMID_RESERVED 0x7ff0u

int gm_xen_flags_check(uint32_t flags)
{
	switch (flags) {
	case GM_XEN_UNIX:
	case GM_XEN_FOREIGN:
	case GM_XEN_GRANT:
	case GM_XEN_GRANT | GM_XEN_NO_ADVANCE_MAP:
		return 0;
	}
	return gm_error_set(-EINVAL, GM_ERR_XEN_FLAGS, flags, 0);
}

uint64_t gm_xen_pages(uint64_t len)
{
	uint64_t page = gm_os_page_size();

	/* In this order: a length near 2^64 does not wrap. */
	return ((len - 1) / page + 1) * (page / GM_XEN_PAGE);
}

static bool is_on_demand(uint32_t flags)
{
	return flags & GM_XEN_NO_ADVANCE_MAP;
}

static int check_xen_opts(const struct gm_xen_opts *x)
{
	int ret = gm_xen_flags_check(x->flags);

	if (ret)
		return ret;
	if (x->reserved)
		return gm_option_error(-EINVAL, XEN_OPTS, reserved);
	if (x->cache_pages > GM_XEN_CACHE_MAX || (x->cache_pages && !is_on_demand(x->flags)))
		return gm_option_error(-EINVAL, XEN_OPTS, cache_pages);
	if (x->flags == GM_XEN_UNIX)
		return 0;
	if (x->data >= DOMID_RESERVED)
		return gm_option_error(-EINVAL, XEN_OPTS, data);
	if (!gm_os_has_xen())
		return gm_option_error(-EOPNOTSUPP, XEN_OPTS, flags);
	/* The driver puts each grant on a page of its own. */
	if ((x->flags & GM_XEN_GRANT) && gm_os_page_size() != GM_XEN_PAGE)
		return gm_option_error(-EOPNOTSUPP, XEN_OPTS, flags);
	return 0;
}

/* What can be had for memory that a driver maps. */
static int check_mmap_opts(const struct gm_mmap_opts *o)
{
	if (o->flags & ~(GM_MMAP_READ_ONLY | GM_MMAP_DIRTY))
		return gm_option_error(-EINVAL, OPTS, flags);
	/* Of a private mapping, nothing that is written reaches the domain. */
	if (o->map_flags & ~(MAP_SHARED | MAP_NORESERVE))
		return gm_option_error(-EINVAL, OPTS, map_flags);
	if (!o->file)
		return gm_option_error(-EINVAL, OPTS, file);
	if (o->file_off)
		return gm_option_error(-EINVAL, OPTS, file_off);
	if (o->addr)
		return gm_option_error(-EINVAL, OPTS, addr);
	if (o->huge_size)
		return gm_option_error(-EINVAL, OPTS, huge_size);
	if (o->numa_node)
		return gm_option_error(-EINVAL, OPTS, numa_node);
	if (o->guard_size)
		return gm_option_error(-EINVAL, OPTS, guard_size);
	if (o->name)
		return gm_option_error(-EINVAL, OPTS, name);
	return 0;
}

static void xen_release(struct gm_region *r)
{
	struct gm_xen_region *x = gm_xen_region(r);

	/* A forked child has none of the mappings, but the driver knows it by the
	 * same file: it must not take its parent's requests back.
	 */
	if (x->process == gm_os_process()) {
		if (x->cache)
			gm_xen_cache_trim(x);
		if (x->grants.host)
			gm_xen_grants_unmap(x, &x->grants);
		else if (r->ext.host)
			gm_os_xen_unmap(r->ext.host, gm_xen_pages(r->ext.len));
	}
	gm_xen_cache_free(x->cache);
	gm_file_put(r->file);
	gm_region_exit(r);
	free(x);
}

static const struct gm_region_ops in_advance_ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = xen_release,
};

static const struct gm_region_ops on_demand_ops = {
	.begin = gm_xen_grant_begin,
	.end = gm_xen_grant_end,
	.release = xen_release,
};

static int map_in_advance(struct gm_xen_region *x, uint32_t flags)
{
	struct gm_region *r = &x->region;
	int ret;

	if (flags & GM_XEN_FOREIGN)
		return gm_xen_foreign_map(x, r->prot, &r->ext.host);
	ret = gm_xen_grants_map(x, 0, gm_xen_pages(r->ext.len), r->prot, &x->grants);
	if (!ret)
		r->ext.host = x->grants.host;
	return ret;
}

/* What comes before the mapping. */
static int init(struct gm_xen_region *x, gm_gpa_t gpa, uint64_t len,
		const struct gm_xen_opts *xen, const struct gm_mmap_opts *o)
{
	struct gm_region *r = &x->region;
	int ret;

	ret = gm_region_init(r, gpa, len, NULL, NULL,
			     is_on_demand(xen->flags) ? &on_demand_ops : &in_advance_ops);
	if (ret)
		return ret;
	if (gm_gpa_mask(gpa, GM_XEN_PAGE - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, gm_gpa_raw(gpa), GM_XEN_PAGE);
	if (gm_xen_pages(len) > UINT32_MAX)
		return gm_error_set(-EOVERFLOW, GM_ERR_TOO_BIG, gm_xen_pages(len), GM_XEN_PAGE);
	x->fd = gm_file_fd(o->file);
	x->domid = (uint16_t)xen->data;
	x->process = gm_os_process();
	r->prot = o->prot;
	r->flags = MAP_SHARED | o->map_flags;
	r->hugetlbfs = GM_NO;
	r->owned = 1;
	return xen->cache_pages ? gm_xen_cache_new(xen->cache_pages, &x->cache) : 0;
}

static int build(struct gm_xen_region *x, gm_gpa_t gpa, uint64_t len,
		 const struct gm_xen_opts *xen, const struct gm_mmap_opts *o)
{
	struct gm_region *r = &x->region;
	int ret;

	ret = init(x, gpa, len, xen, o);
	if (ret)
		return ret;
	ret = gm_mmap_bitmap(&x->rdonly, o, len, &r->ext.dirty);
	if (!ret && is_on_demand(xen->flags))
		ret = gm_xen_grants_check(x);
	else if (!ret)
		ret = map_in_advance(x, xen->flags);
	if (ret) {
		gm_region_exit(r);
		gm_xen_cache_free(x->cache);
		return ret;
	}
	r->file = gm_file_get(o->file);
	return 0;
}

static int new_region(gm_gpa_t gpa, uint64_t len, const struct gm_xen_opts *xen,
		      const struct gm_mmap_opts *o, struct gm_region **out)
{
	struct gm_xen_region *x;
	int ret;

	ret = check_mmap_opts(o);
	if (ret)
		return ret;
	x = calloc(1, sizeof(*x));
	if (!x)
		return gm_error_memory(sizeof(*x));
	ret = build(x, gpa, len, xen, o);
	if (ret)
		free(x);
	else
		*out = &x->region;
	return ret;
}

int gm_region_new_xen(gm_gpa_t gpa, gm_size_t len, const struct gm_xen_opts *xen,
		      const struct gm_mmap_opts *opts, struct gm_region **out)
{
	struct gm_xen_opts x;
	struct gm_mmap_opts o;
	int ret;

	ret = gm_opts_copy(xen, sizeof(x), &x, sizeof(x));
	if (!ret)
		ret = check_xen_opts(&x);
	if (!ret)
		ret = gm_mmap_check_opts(opts, &o);
	if (ret)
		return ret;
	if (x.flags == GM_XEN_UNIX)
		ret = gm_region_new_mmap(gpa, len, opts, out);
	else
		ret = new_region(gpa, len, &x, &o, out);
	if (ret)
		return ret;
	(*out)->xen_flags = x.flags;
	(*out)->xen_data = x.data;
	return 0;
}

/* Of the region that was made here: an alias has its memory, too. */
uint32_t gm_region_xen_flags(const struct gm_region *r)
{
	return gm_region_root_const(r)->xen_flags;
}

uint32_t gm_region_xen_data(const struct gm_region *r)
{
	return gm_region_root_const(r)->xen_data;
}

int gm_region_xen_stats(struct gm_region *r, struct gm_xen_stats *out)
{
	struct gm_xen_region *x = gm_xen_region(gm_region_root(r));

	if (!(x->region.xen_flags & GM_XEN_GRANT))
		return gm_option_error(-EOPNOTSUPP, struct gm_region, xen_flags);
	memset(out, 0, sizeof(*out));
	out->mapped = __atomic_load_n(&x->mapped, __ATOMIC_RELAXED);
	out->requests = __atomic_load_n(&x->requests, __ATOMIC_RELAXED);
	out->hits = __atomic_load_n(&x->hits, __ATOMIC_RELAXED);
	return 0;
}

uint64_t gm_region_xen_trim(struct gm_region *r)
{
	struct gm_xen_region *x = gm_xen_region(gm_region_root(r));

	if (!is_on_demand(x->region.xen_flags))
		return 0;
	if (x->cache && x->process == gm_os_process())
		gm_xen_cache_trim(x);
	return __atomic_load_n(&x->mapped, __ATOMIC_RELAXED);
}
