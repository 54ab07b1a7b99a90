/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * region.c - what all kinds of regions have in common.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "os_mman.h"

int gm_region_init(struct gm_region *r, gm_gpa_t gpa, gm_size_t len,
		   void *host, struct gm_bitmap *dirty,
		   const struct gm_region_ops *ops)
{
	if (!len)
		return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH,
				    gm_gpa_raw(gpa), 0);
	if (!ops || !ops->begin || !ops->end || !ops->release)
		return gm_option_error(-EINVAL, struct gm_region, ops);
	if (len - 1 > UINT64_MAX - gm_gpa_raw(gpa))
		return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW,
				    gm_gpa_raw(gpa), len);
	if (len - 1 > UINTPTR_MAX - (uintptr_t)host)
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW,
				    (uintptr_t)host, len);
	memset(r, 0, sizeof(*r));
	r->ext.base = gm_gpa_raw(gpa);
	r->ext.len = len;
	r->ext.host = host;
	r->ext.dirty = gm_bitmap_get(dirty);
	r->ops = ops;
	r->refs = 1;
	r->prot = PROT_READ | PROT_WRITE;
	return 0;
}

void gm_region_exit(struct gm_region *r)
{
	gm_bitmap_put(r->ext.dirty);
	r->ext.dirty = NULL;
}

int gm_region_no_begin(struct gm_region *r, uint64_t off, uint64_t len,
		       enum gm_perm perm, struct gm_guard *g)
{
	(void)perm;
	(void)g;
	return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
			    r->ext.base + off, len);
}

void gm_region_no_end(struct gm_region *r, struct gm_guard *g)
{
	(void)r;
	(void)g;
}

struct gm_region *gm_region_get(struct gm_region *r)
{
	gm_ref_inc(&r->refs);
	return r;
}

void gm_region_put(struct gm_region *r)
{
	if (r && gm_ref_dec_is_last(&r->refs))
		r->ops->release(r);
}

int gm_region_to_offset(const struct gm_region *r, gm_gpa_t gpa,
			gm_roff_t *out)
{
	if (!gm_region_contains(r, gpa))
		return gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR,
				    gm_gpa_raw(gpa), 0);
	*out = gm_roff(gm_gpa_raw(gpa) - r->ext.base);
	return 0;
}

int gm_region_check_offset(const struct gm_region *r, gm_roff_t off,
			   gm_roff_t *out)
{
	return gm_region_offset_add(r, off, 0, out);
}

int gm_region_offset_add(const struct gm_region *r, gm_roff_t off, uint64_t n,
			 gm_roff_t *out)
{
	gm_roff_t sum;

	if (gm_roff_add(off, n, &sum))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW,
				    gm_roff_raw(off), n);
	if (!gm_region_has_offset(r, sum))
		return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS,
					   gm_roff_raw(sum), 1, r->ext.len, 0);
	*out = sum;
	return 0;
}

struct gm_bitmap *gm_region_bitmap(const struct gm_region *r)
{
	return gm_bitmap_refuses_write(r->ext.dirty) ? NULL : r->ext.dirty;
}

enum gm_perm gm_region_perm(const struct gm_region *r)
{
	enum gm_perm perm = GM_PERM_NONE;

	if (r->prot & PROT_READ)
		perm = gm_perm_or(perm, GM_PERM_READ);
	if ((r->prot & PROT_WRITE) && !gm_bitmap_refuses_write(r->ext.dirty))
		perm = gm_perm_or(perm, GM_PERM_WRITE);
	return perm;
}

int gm_region_host(const struct gm_region *r, gm_roff_t off, void **out)
{
	if (!gm_region_has_offset(r, off))
		return gm_bounds_error(gm_roff_raw(off), 1, r->ext.len);
	if (!r->ext.host)
		return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
				    r->ext.base + gm_roff_raw(off), 1);
	*out = r->ext.host + gm_roff_raw(off);
	return 0;
}

struct gm_file *gm_region_file(const struct gm_region *r, uint64_t *off)
{
	if (r->file && off)
		*off = r->file_off;
	return r->file;
}

enum gm_tristate gm_region_is_hugetlbfs(const struct gm_region *r)
{
	return r->hugetlbfs;
}

int gm_region_prot(const struct gm_region *r)
{
	return r->prot;
}

int gm_region_map_flags(const struct gm_region *r)
{
	return r->flags;
}

bool gm_region_is_owned(const struct gm_region *r)
{
	return r->owned;
}

void gm_region_set_hugetlbfs(struct gm_region *r, bool yes)
{
	r->hugetlbfs = yes ? GM_YES : GM_NO;
}

int gm_region_slice(struct gm_region *r, gm_roff_t off, gm_size_t n,
		    struct gm_slice *out)
{
	return gm_slice_sub(gm_region_as_slice(r), gm_roff_raw(off), n, out);
}
