/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * view_iommu.c - views through an IOMMU: from IOVA to a piece of a region.
 */
#include <errno.h>

#include "iommu_private.h"
#include "view_private.h"

void gm_view_init_iommu(struct gm_view *v, struct gm_iommu *i,
			const struct gm_map *m)
{
	gm_view_init(v, m);
	v->iommu = i;
	v->granules = 0;
	v->shift = 0;
	v->flags = GM_VIEW_IOMMU;
}

struct gm_iommu *gm_view_iommu(const struct gm_view *v)
{
	return gm_view_has_iommu(v) ? v->iommu : NULL;
}

const struct gm_map *gm_view_backend(const struct gm_view *v)
{
	return v->map;
}

const struct gm_map *gm_view_map_slow(const struct gm_view *v)
{
	return gm_iommu_is_enabled(v->iommu) ? NULL : v->map;
}

void gm_view_begin_slow(struct gm_view *v)
{
	v->flags += GM_VIEW_SECTION;
	gm_epoch_enter();
}

void gm_view_end_slow(struct gm_view *v)
{
	/* As gm_epoch_exit(): without one that began, nothing happens. */
	if (v->flags < GM_VIEW_SECTION)
		return;
	v->flags -= GM_VIEW_SECTION;
	gm_epoch_exit();
}

/* Marks go to the bitmap of IOVAs. */
static int redirect_marks(const struct gm_view *v, uint64_t iova,
			  enum gm_perm perm, struct gm_piece *p)
{
	struct gm_bitmap *dirty = v->iommu->dirty;

	if (!dirty || gm_bitmap_refuses_write(p->dirty))
		return 0;
	/* A slice without a host address knows its region's bitmap only. */
	if (!p->ext->host)
		return gm_perm_has_write(perm) ?
		       gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR, iova,
				    p->len) : 0;
	p->dirty = dirty;
	p->dirty_off = iova;
	return 0;
}

int gm_view_translate_iommu(struct gm_view *v, uint64_t addr, uint64_t len,
			    enum gm_perm perm, bool own, struct gm_piece *out)
{
	struct gm_tlb_item item;
	int ret;

	if (!own && v->flags < GM_VIEW_SECTION)
		return gm_error_set(-EINVAL, GM_ERR_SECTION, addr, len);
	len = len ? len : 1;
	len = gm_min(len - 1, UINT64_MAX - addr) + 1;
	ret = gm_iommu_find(v->iommu, addr, len, perm, own, &item);
	if (ret < 0)
		return ret;
	if (ret == GM_IOMMU_OFF)
		return gm_map_piece(v->map, addr, len, perm, out);
	len = gm_min(len - 1, item.last - addr) + 1;
	ret = gm_map_piece(v->map, addr + item.delta, len, perm, out);
	return ret ? ret : redirect_marks(v, addr, perm, out);
}

/* All that is tracked: better too much than a page that is lost. */
static void mark_all(const struct gm_map *m)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		gm_bitmap_mark(m->ext[i].dirty, 0, m->ext[i].len);
}

/* By where the IOTLB says that it is. */
static void mark_translated(const struct gm_view *v, uint64_t iova,
			    uint64_t last)
{
	struct gm_tlb_item item;
	uint64_t end;

	do {
		if (gm_tlb_lookup(v->iommu->tlb, iova, last - iova + 1,
				  GM_PERM_NONE, &item)) {
			mark_all(v->map);
			return;
		}
		end = gm_min(last, item.last);
		gm_map_mark(v->map, iova + item.delta, end + item.delta);
		iova = end + 1;
	} while (end != last);
}

/*
 * Outside of the section that a pointer was given in, its translation may be
 * another one by now.
 */
void gm_view_mark_iommu(struct gm_view *v, uint64_t iova, uint64_t last)
{
	gm_epoch_enter();
	if (!gm_iommu_is_enabled(v->iommu))
		gm_map_mark(v->map, iova, last);
	else if (v->iommu->dirty)
		gm_bitmap_mark(v->iommu->dirty, iova, last - iova + 1);
	else if (v->flags < GM_VIEW_SECTION)
		mark_all(v->map);
	else
		mark_translated(v, iova, last);
	gm_epoch_exit();
}
