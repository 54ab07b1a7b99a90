/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * Readers that look through an IOMMU: the same device by IOVA, over memory that
 * changes; and invalidations that wait for it.
 */
/* gm-test: windows */
#include <errno.h>
#include <stdlib.h>
#include "kselftest_harness.h"
#include <guestmem/reader.h>
#include "actor.h"
#include "expect.h"
#include "iommu_guest.h"

/* IOVA pages 0 and 1 are guest pages 3 and 8, which are in two regions. */
FIXTURE(reader_iommu) {
	struct iommu_guest g;
	struct gm_space *s;
	struct gm_reader r;	/* of the space */
};

FIXTURE_SETUP(reader_iommu)
{
	ASSERT_OK(iommu_guest_init(&self->g, 64, NULL));
	iommu_guest_set(&self->g, 0, GPA + 3 * PAGE, GM_PERM_RW);
	iommu_guest_set(&self->g, 1, GPA + 8 * PAGE, GM_PERM_RW);
	ASSERT_OK(gm_space_new(self->g.map, &self->s));
	gm_reader_init_space(&self->r, self->s);
	gm_reader_set_iommu(&self->r, self->g.iommu);
}

FIXTURE_TEARDOWN(reader_iommu)
{
	gm_reader_exit(&self->r);
	gm_space_put(self->s);
	iommu_guest_exit(&self->g);
}

static int put(struct gm_reader *r, uint64_t addr, uint64_t value)
{
	struct gm_view *v = gm_reader_begin(r);
	int ret = gm_view_write_le64(v, gm_gpa(addr), value);

	gm_reader_end(r);
	return ret;
}

/* A device whose memory may change. */
static int put_resolved(struct gm_reader *r, uint64_t addr, uint64_t value)
{
	int ret;

	while ((ret = put(r, addr, value)) == -EAGAIN) {
		ret = gm_iommu_resolve(r->iommu, gm_iova(addr), 8, GM_PERM_WRITE);
		if (ret)
			break;
	}
	return ret;
}

static uint64_t at(const struct iommu_guest *g, uint64_t gpa)
{
	uint64_t x;

	memcpy(&x, iommu_guest_host(g, gpa), sizeof(x));
	return x;
}

TEST_F(reader_iommu, section_of_a_space_does_not_ask)
{
	EXPECT_FAIL(put(&self->r, IOVA + 16, 1), EAGAIN, GM_ERR_IOTLB_MISS, IOVA + 16, 8, 0, 0);
	EXPECT_EQ(0, self->g.calls);
	EXPECT_EQ(0, put_resolved(&self->r, IOVA + 16, 2));
	EXPECT_EQ(1, self->g.calls);
	EXPECT_EQ(2, at(&self->g, GPA + 3 * PAGE + 16));
	EXPECT_TRUE(iommu_guest_is_dirty(&self->g, GPA + 3 * PAGE));
	/* Over the pages' border, to other regions. */
	EXPECT_EQ(0, put_resolved(&self->r, IOVA + PAGE - 4, 0x1122334455667788));
	EXPECT_EQ(0x55667788, at(&self->g, GPA + 4 * PAGE - 4) & UINT32_MAX);
	EXPECT_EQ(0x11223344, at(&self->g, GPA + 8 * PAGE) & UINT32_MAX);
	EXPECT_EQ(-EFAULT, put_resolved(&self->r, IOVA + 2 * PAGE, 3));
}

TEST_F(reader_iommu, sections_of_one_map_ask_by_themselves)
{
	struct gm_reader counted, plain;

	gm_reader_init_map(&counted, self->g.map);
	gm_reader_set_iommu(&counted, self->g.iommu);
	gm_reader_init_plain(&plain, self->g.map);
	gm_reader_set_iommu(&plain, self->g.iommu);
	EXPECT_EQ(0, put(&counted, IOVA, 5));
	EXPECT_EQ(5, at(&self->g, GPA + 3 * PAGE));
	EXPECT_EQ(0, put(&plain, IOVA + PAGE, 6));
	EXPECT_EQ(6, at(&self->g, GPA + 8 * PAGE));
	EXPECT_EQ(2, self->g.calls);
	gm_reader_exit(&plain);
	gm_reader_exit(&counted);
}

TEST_F(reader_iommu, memory_is_replaced_behind_it)
{
	struct gm_region *removed;

	EXPECT_EQ(0, put_resolved(&self->r, IOVA + PAGE, 1));
	EXPECT_EQ(0, gm_space_remove(self->s, gm_gpa(GPA + REGION), REGION, GM_RELEASE_WAIT,
				     &removed));
	/* The translation is there, the memory is not. */
	EXPECT_FAIL(put(&self->r, IOVA + PAGE, 2), EFAULT, GM_ERR_GUEST_ADDR, GPA + 8 * PAGE, 0,
		    0, 0);
	EXPECT_EQ(self->g.iommu, gm_view_iommu(&self->r.view));
	EXPECT_EQ(0, put(&self->r, IOVA, 3) == -EAGAIN ? put_resolved(&self->r, IOVA, 3) : 1);
	EXPECT_EQ(0, gm_space_insert(self->s, removed, GM_RELEASE_WAIT));
	gm_region_put(removed);
	EXPECT_EQ(0, put(&self->r, IOVA + PAGE, 4));
	EXPECT_EQ(4, at(&self->g, GPA + 8 * PAGE));
}

TEST_F(reader_iommu, through_none_again)
{
	struct gm_reader plain;

	EXPECT_EQ(0, put_resolved(&self->r, IOVA, 1));
	gm_reader_set_iommu(&self->r, NULL);
	EXPECT_EQ(-EFAULT, put(&self->r, IOVA, 2));
	EXPECT_EQ(0, put(&self->r, GPA, 3));
	EXPECT_EQ(3, at(&self->g, GPA));

	gm_reader_init_plain(&plain, self->g.map);
	EXPECT_EQ(0, put(&plain, GPA, 4));
	gm_reader_set_iommu(&plain, self->g.iommu);
	EXPECT_EQ(-EFAULT, put(&plain, GPA, 5));
	EXPECT_EQ(0, put(&plain, IOVA, 6));
	gm_reader_set_iommu(&plain, NULL);
	EXPECT_EQ(0, put(&plain, GPA + 8, 7));
	EXPECT_EQ(7, at(&self->g, GPA + 8));
	gm_reader_exit(&plain);
}

TEST_F(reader_iommu, it_stays_for_its_reader)
{
	struct gm_iommu *iommu = self->g.iommu;

	self->g.iommu = NULL;
	/* The same one, again: it does not go in between. */
	gm_reader_set_iommu(&self->r, iommu);
	gm_iommu_put(iommu);
	gm_reader_set_iommu(&self->r, iommu);
	EXPECT_EQ(0, self->g.released);
	EXPECT_EQ(0, put_resolved(&self->r, IOVA, 1));
	gm_reader_exit(&self->r);
	EXPECT_EQ(1, self->g.released);
	gm_reader_init_space(&self->r, self->s);
}


static void *forget(void *arg)
{
	struct actor *a = arg;

	a->result = gm_iommu_invalidate(a->ctx, gm_iova(IOVA), PAGE);
	set_step(&a->done, 1);
	return NULL;
}

TEST_F(reader_iommu, invalidation_waits_for_its_section)
{
	struct actor writer;
	struct gm_view *v;
	struct gm_slice s;

	EXPECT_EQ(0, put_resolved(&self->r, IOVA, 1));
	v = gm_reader_begin(&self->r);
	gm_view_begin(v);
	ASSERT_OK(gm_view_slice(v, gm_gpa(IOVA), 8, GM_PERM_WRITE, &s));
	gm_view_end(v);
	/* The reader's section, which is still open, is enough. */
	ACTOR_START(&writer, forget, self->g.iommu);
	sleep_ms(20);
	EXPECT_EQ(0, get_step(&writer.done));
	EXPECT_EQ(0, gm_slice_write_u64(s, 0, 2));
	gm_reader_end(&self->r);
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	EXPECT_EQ(-EAGAIN, put(&self->r, IOVA, 3));
	EXPECT_EQ(2, at(&self->g, GPA + 3 * PAGE));
}

TEST_HARNESS_MAIN
