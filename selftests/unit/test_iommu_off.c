/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb_private.h: while an IOMMU is off, nothing of its IOTLB is used, even of a
 * bucket that another thread is changing. For that, the test looks inside.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include "../../ulib/src/iommu_private.h"
#include "expect.h"
#include "iommu_guest.h"

/* What a reader may find of a way that another thread changes: no tag, a delta. */
static void half_remove(struct gm_iommu *i, uint64_t delta)
{
	struct gm_tlb_front *f = &i->tlb->front;
	struct gm_tlb_bucket *b = gm_tlb_bucket_of(f, 0);

	for (uint32_t way = 0; way < GM_TLB_WAYS; way++) {
		b->tag[way] = 0;
		b->delta[way] = delta | GM_PERM_RW;
	}
}

FIXTURE(off) {
	struct iommu_guest g;
};

/* What this thread reads takes the quick way, if there is one: to a block of a page. */
FIXTURE_SETUP(off)
{
	struct iommu_guest *g = &self->g;
	uint32_t x;

	ASSERT_OK(iommu_guest_init(g, 64, NULL));
	iommu_guest_set(g, 0, GPA, GM_PERM_RW);
	memset(iommu_guest_host(g, GPA), 0x11, PAGE);
	memset(iommu_guest_host(g, GPA + 3 * PAGE), 0x33, PAGE);
	for (int i = 0; i < 3; i++)
		ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(IOVA), &x));
	ASSERT_EQ(gm_tlb_class_bits(0), g->v.hint.base);
	ASSERT_OK(gm_iommu_set_enabled(g->iommu, false));
}

FIXTURE_TEARDOWN(off)
{
	iommu_guest_exit(&self->g);
}

TEST_F(off, way_without_a_tag_is_no_answer)
{
	struct iommu_guest *g = &self->g;
	struct gm_view v;
	uint32_t x = 0;

	half_remove(g->iommu, 3 * PAGE);
	/* A view that has hit no block yet, and one that has. */
	gm_view_init_iommu(&v, g->iommu, g->map);
	ASSERT_OK(gm_view_read_u32(&v, gm_gpa(GPA), &x));
	EXPECT_EQ(0x11111111, x);
	ASSERT_OK(gm_view_write_u32(&v, gm_gpa(GPA), 0x22222222));
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(GPA), &x));
	EXPECT_EQ(0x22222222, x);
}

TEST_F(off, stays_off_when_all_is_forgotten)
{
	struct iommu_guest *g = &self->g;
	struct gm_range r;
	uint32_t x = 0;

	ASSERT_OK(gm_iommu_invalidate_all(g->iommu));
	ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(GPA), PAGE,
			       gm_gpa(GPA + 3 * PAGE), GM_PERM_RW));
	/* Now its block is where the quick way looks. */
	ASSERT_OK(gm_iotlb_lookup(gm_iommu_iotlb(g->iommu), gm_iova(GPA), 4,
				  GM_PERM_READ, &r));
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(GPA), &x));
	EXPECT_EQ(0x11111111, x);
}

TEST_HARNESS_MAIN
