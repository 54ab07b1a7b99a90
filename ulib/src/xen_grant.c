/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen_grant.c - pages that another domain has granted: mapped in advance, or for the time
 * of an access.
 *
 * Guest addresses are grant references here, so pages in a row are references in a row:
 * a range is one request to the driver.
 */
#include <errno.h>

#include "os_mman.h"
#include "xen_private.h"

/* What the guard of an access has in its first cookie; the second is a place, or an index. */
enum { OWN, CACHED };

static int grant_error(const struct gm_xen_region *x, uint64_t ref, uint64_t count,
		       int err)
{
	return gm_error_set_counts(err, GM_ERR_XEN_GRANT, ref, count, x->domid, 0);
}

static uint64_t first_ref(const struct gm_xen_region *x)
{
	return (x->region.ext.base & ~GM_XEN_GRANT_ADDR_OFF) / GM_XEN_PAGE;
}

static int check(const struct gm_xen_region *x, uint64_t ref, uint64_t count)
{
	if (ref > UINT32_MAX || count - 1 > UINT32_MAX - ref)
		return grant_error(x, ref, count, -ERANGE);
	return 0;
}

int gm_xen_grants_check(const struct gm_xen_region *x)
{
	return check(x, first_ref(x), gm_xen_pages(x->region.ext.len));
}

int gm_xen_grants_map(struct gm_xen_region *x, uint64_t first, uint64_t count, int prot,
		      struct gm_xen_grants *out)
{
	struct gm_xen_grants g = { .count = count };
	uint64_t ref = first_ref(x) + first;
	int ret;

	ret = check(x, ref, count);
	if (ret)
		return ret;
	ret = gm_os_xen_map_grants(x, prot, (uint32_t)ref, &g);
	if (ret)
		return grant_error(x, ref, count, ret);
	__atomic_fetch_add(&x->mapped, count, __ATOMIC_RELAXED);
	__atomic_fetch_add(&x->requests, 1, __ATOMIC_RELAXED);
	*out = g;
	return 0;
}

void gm_xen_grants_unmap(struct gm_xen_region *x, const struct gm_xen_grants *g)
{
	gm_os_xen_unmap_grants(x, g);
	__atomic_fetch_sub(&x->mapped, g->count, __ATOMIC_RELAXED);
}

static uint64_t page_of(uint64_t off)
{
	return off / GM_XEN_PAGE;
}

/* A region begins with a page, so what is in the page is the same in both. */
static uint64_t in_page(uint64_t off)
{
	return off & (GM_XEN_PAGE - 1);
}

int gm_xen_grant_begin(struct gm_region *r, uint64_t off, uint64_t len, enum gm_perm perm,
		       struct gm_guard *g)
{
	struct gm_xen_region *x = gm_xen_region(r);
	uint64_t first = page_of(off), count = page_of(off + (len - 1)) - first + 1;
	int ret, prot = gm_perm_has_write(perm) ? PROT_READ | PROT_WRITE : PROT_READ;
	struct gm_xen_grants grants;
	uint8_t *host;

	if (prot & ~r->prot)
		return gm_error_set(-EACCES, GM_ERR_PERMISSION, off, len);
	g->len = len;
	if (x->cache && count == 1) {
		ret = gm_xen_cache_begin(x, first, prot, &host);
		if (ret >= 0) {
			g->ptr = host + in_page(off);
			g->cookie[0] = CACHED;
			g->cookie[1] = (uint64_t)ret;
			return 0;
		}
		if (ret != -EBUSY)
			return ret;
	}
	ret = gm_xen_grants_map(x, first, count, prot, &grants);
	if (ret)
		return ret;
	g->ptr = grants.host + in_page(off);
	g->cookie[0] = OWN;
	g->cookie[1] = grants.index;
	return 0;
}

void gm_xen_grant_end(struct gm_region *r, struct gm_guard *g)
{
	struct gm_xen_region *x = gm_xen_region(r);
	struct gm_xen_grants grants = {
		.host = g->ptr - in_page(g->off),
		.count = page_of(g->off + (g->len - 1)) - page_of(g->off) + 1,
		.index = g->cookie[1],
	};

	if (g->cookie[0] == CACHED)
		gm_xen_cache_end(x, (int)g->cookie[1]);
	else
		gm_xen_grants_unmap(x, &grants);
}
