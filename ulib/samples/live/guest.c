/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest.c - the guest's memory, which can be added to, and its IOMMU, whose page
 * table is in there.
 */
#include <errno.h>

#include "live.h"

static const struct gm_mmap_opts with_bitmap = {
	.sz = sizeof(with_bitmap),
	.flags = GM_MMAP_DIRTY,
	.dirty_page_size = PAGE,
};

int guest_new_memory(struct gm_map **map)
{
	const struct gm_range ram = { gm_gpa(0), RAM_SIZE };

	return gm_map_new_mmap(&ram, &with_bitmap, 1, map);
}

/* Read an entry of the page table, once, and believe nothing of it. */
static int read_entry(struct guest *g, uint64_t page, uint64_t *entry)
{
	struct gm_view view;
	int ret;

	if (page >= TABLE_PAGES)
		return -EFAULT;
	gm_space_read_begin(g->space, &view);
	ret = gm_view_read_le64(&view, gm_gpa(TABLE + page * sizeof(*entry)), entry);
	gm_space_read_end(g->space);
	return ret;
}

/* The IOTLB has no such page, or not with these rights: look it up, and tell. */
static int translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova, gm_size_t len,
		     enum gm_perm perm)
{
	static const enum gm_perm perms[] = {
		GM_PERM_NONE, GM_PERM_READ, GM_PERM_WRITE, GM_PERM_RW,
	};
	uint64_t page = gm_iova_raw(iova) / PAGE;
	uint64_t entry;
	int ret;

	(void)perm;
	ret = read_entry(ctx, page, &entry);
	if (ret)
		return ret;
	if (!(entry & 3))
		return gm_error_set(-EFAULT, GM_ERR_IOVA, gm_iova_raw(iova), len);
	return gm_iommu_map(iommu, gm_iova(page * PAGE), PAGE, gm_gpa(entry & ~(PAGE - 1)),
			    perms[entry & 3]);
}

int guest_init(struct guest *g, struct gm_map *map)
{
	static const struct gm_iommu_ops ops = { .translate = translate };
	int ret;

	ret = gm_space_new(map, &g->space);
	if (ret)
		return ret;
	ret = gm_iommu_new(&ops, g, 256, NULL, &g->iommu);
	if (ret)
		gm_space_put(g->space);
	return ret;
}

void guest_exit(struct guest *g)
{
	gm_iommu_put(g->iommu);
	gm_space_put(g->space);
}

/* All devices have it from their next section on. */
int guest_plug(struct guest *g)
{
	struct gm_region *dimm;
	int ret;

	ret = gm_region_new_mmap(gm_gpa(DIMM_BASE), DIMM_SIZE, &with_bitmap, &dimm);
	if (ret)
		return ret;
	ret = gm_space_insert(g->space, dimm, GM_RELEASE_LATER);
	gm_region_put(dimm);
	return ret;
}
