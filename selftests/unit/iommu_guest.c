/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu_guest.c - a guest with an IOMMU whose page table is an array.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu_guest.h"

int iommu_guest_translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			  gm_size_t len, enum gm_perm perm)
{
	struct iommu_guest *g = ctx;
	uint64_t first = (gm_iova_raw(iova) - IOVA) / PAGE, n;
	uint64_t last = (gm_iova_raw(iova) - IOVA + (len - 1)) / PAGE;

	g->calls++;
	g->iova = gm_iova_raw(iova);
	g->len = len;
	g->perm = perm;
	if (g->err)
		return g->err;
	if (g->idle)
		return 0;
	if (first >= TABLE_PAGES || !g->table[first].perm)
		return gm_error_set(-EFAULT, GM_ERR_IOVA, gm_iova_raw(iova),
				    len);
	for (n = first; n <= last && n < TABLE_PAGES; n++) {
		const struct iommu_entry *e = &g->table[n];
		int ret;

		if (!e->perm)
			break;
		ret = gm_iommu_map(iommu, gm_iova(IOVA + n * PAGE), PAGE,
				   gm_gpa(e->gpa), e->perm);
		if (ret)
			return ret;
	}
	return 0;
}

static void release(void *ctx)
{
	struct iommu_guest *g = ctx;

	g->released++;
}

int iommu_guest_init(struct iommu_guest *g, uint64_t capacity,
		     struct gm_bitmap *dirty)
{
	static const struct gm_iommu_ops ops = {
		.translate = iommu_guest_translate,
		.release = release,
	};
	struct gm_range ranges[2] = {
		{ gm_gpa(GPA), REGION }, { gm_gpa(GPA + REGION), REGION },
	};
	struct gm_mmap_opts opts[2] = {
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY,
		  .dirty_page_size = PAGE },
	};
	int ret;

	opts[1] = opts[0];
	memset(g, 0, sizeof(*g));
	ret = gm_map_new_mmap(ranges, opts, 2, &g->map);
	if (ret)
		return ret;
	ret = gm_iommu_new(&ops, g, capacity, dirty, &g->iommu);
	if (ret) {
		gm_map_put(g->map);
		return ret;
	}
	g->dirty = dirty;
	gm_view_init_iommu(&g->v, g->iommu, g->map);
	return 0;
}

void iommu_guest_exit(struct iommu_guest *g)
{
	gm_iommu_put(g->iommu);
	gm_map_put(g->map);
}

uint8_t *iommu_guest_host(const struct iommu_guest *g, uint64_t gpa)
{
	void *p = NULL;

	return gm_map_host(g->map, gm_gpa(gpa), &p) ? NULL : p;
}

bool iommu_guest_is_dirty(const struct iommu_guest *g, uint64_t gpa)
{
	struct gm_region *r = gm_map_find(g->map, gm_gpa(gpa));

	return r && gm_bitmap_test(gm_region_bitmap(r),
				   gpa - gm_gpa_raw(gm_region_start(r)));
}
