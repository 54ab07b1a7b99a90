/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu_guest.h - a guest with an IOMMU whose page table is an array: what the
 * tests of access through an IOMMU have in common.
 */
#ifndef SELFTESTS_UNIT_IOMMU_GUEST_H
#define SELFTESTS_UNIT_IOMMU_GUEST_H

#include <guestmem/access.h>
#include <guestmem/iommu.h>

#define PAGE UINT64_C(4096)
#define TABLE_PAGES 64

/* Regions: [GPA, GPA + 8 pages) and, right behind, 8 more. Then a hole. */
#define GPA UINT64_C(0x100000)
#define REGION_PAGES 8
#define REGION (REGION_PAGES * PAGE)
#define IOVA UINT64_C(0x7f0000000000)

/* Where IOVA + n pages is; perm GM_PERM_NONE: nowhere. */
struct iommu_entry {
	uint64_t gpa;
	enum gm_perm perm;
};

struct iommu_guest {
	struct gm_map *map;
	struct gm_bitmap *dirty;	/* by IOVA, or NULL */
	struct gm_iommu *iommu;
	struct gm_view v;
	struct iommu_entry table[TABLE_PAGES];
	/* The last call of translate, and how many. */
	uint64_t calls;
	uint64_t iova;
	uint64_t len;
	enum gm_perm perm;
	int err;			/* it returns, without doing anything */
	bool idle;			/* it does nothing, and returns 0 */
	uint64_t released;
};

/* Each region has a bitmap of @PAGE. Pages of the table: nowhere. */
int iommu_guest_init(struct iommu_guest *g, uint64_t capacity,
		     struct gm_bitmap *dirty);
void iommu_guest_exit(struct iommu_guest *g);

/* The table's entry for IOVA + n pages. */
static inline void iommu_guest_set(struct iommu_guest *g, uint64_t n,
				   uint64_t gpa, enum gm_perm perm)
{
	g->table[n].gpa = gpa;
	g->table[n].perm = perm;
}

/* Fills what translate() is asked for, in whole pages, from the table. */
int iommu_guest_translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			  gm_size_t len, enum gm_perm perm);

/* Host memory at a guest address. */
uint8_t *iommu_guest_host(const struct iommu_guest *g, uint64_t gpa);

bool iommu_guest_is_dirty(const struct iommu_guest *g, uint64_t gpa);

#endif /* SELFTESTS_UNIT_IOMMU_GUEST_H */
