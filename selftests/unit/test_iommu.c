/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu.h: misses, errors, the switch, the dirty log, sections.
 * test_iommu_access.c has all kinds of access, test_iommu_ask.c what is asked for,
 * test_iommu_race.c threads.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/epoch.h>
#include "expect.h"
#include "iommu_guest.h"

FIXTURE(iommu) {
	struct iommu_guest g;
};

FIXTURE_SETUP(iommu)
{
	ASSERT_OK(iommu_guest_init(&self->g, 64, NULL));
	/* Pages 0 and 1 are not side by side in the guest, 2 is read-only. */
	iommu_guest_set(&self->g, 0, GPA + 3 * PAGE, GM_PERM_RW);
	iommu_guest_set(&self->g, 1, GPA + 9 * PAGE, GM_PERM_RW);
	iommu_guest_set(&self->g, 2, GPA + 10 * PAGE, GM_PERM_READ);
	iommu_guest_set(&self->g, 4, GPA + 100 * PAGE, GM_PERM_RW);
}

FIXTURE_TEARDOWN(iommu)
{
	iommu_guest_exit(&self->g);
}

TEST_F(iommu, miss_asks_once_and_the_access_goes_on)
{
	struct iommu_guest *g = &self->g;
	struct gm_iommu_stats s;
	uint32_t x = 0;

	iommu_guest_host(g, GPA + 3 * PAGE)[16] = 0x42;
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(IOVA + 16), &x));
	EXPECT_EQ(0x42, x);
	EXPECT_EQ(1, g->calls);
	EXPECT_EQ(IOVA + 16, g->iova);
	EXPECT_EQ(4, g->len);
	EXPECT_EQ(GM_PERM_READ, g->perm);
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(IOVA + 16), &x));
	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA + 20), 7));
	EXPECT_EQ(7, iommu_guest_host(g, GPA + 3 * PAGE)[20]);
	EXPECT_EQ(1, g->calls);
	gm_iommu_stats(g->iommu, &s);
	EXPECT_EQ(1, s.upcalls);
	EXPECT_EQ(0, s.joined);
	EXPECT_EQ(0, s.failed);
	EXPECT_EQ(1, s.iotlb.misses);
	EXPECT_EQ(1, s.iotlb.mappings);
}

TEST_F(iommu, miss_is_cut_to_the_request_and_to_what_is_missing)
{
	struct iommu_guest *g = &self->g;
	uint8_t buf[PAGE];

	ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(IOVA + PAGE), PAGE,
			       gm_gpa(GPA), GM_PERM_RW));
	ASSERT_OK(gm_view_read(&g->v, gm_gpa(IOVA + PAGE - 100), buf, 200));
	EXPECT_EQ(1, g->calls);
	EXPECT_EQ(IOVA + PAGE - 100, g->iova);
	EXPECT_EQ(100, g->len);
}

/* Mistake 5, over an IOMMU. */
TEST_F(iommu, adjacent_iovas_with_unrelated_targets_are_two_pieces)
{
	struct iommu_guest *g = &self->g;
	uint8_t buf[16], *a, *b;
	struct gm_slice s;

	a = iommu_guest_host(g, GPA + 4 * PAGE - 8);
	b = iommu_guest_host(g, GPA + 9 * PAGE);
	memset(a, 0xaa, 16);
	memset(b - 8, 0xbb, 16);
	ASSERT_OK(gm_view_read(&g->v, gm_gpa(IOVA + PAGE - 8), buf, 16));
	EXPECT_EQ(0, memcmp(buf, a, 8));
	EXPECT_EQ(0, memcmp(buf + 8, b, 8));
	gm_view_begin(&g->v);
	EXPECT_FAIL(gm_view_slice(&g->v, gm_gpa(IOVA + PAGE - 8), 16,
				  GM_PERM_READ, &s),
		    EMSGSIZE, GM_ERR_FRAGMENTED, IOVA + PAGE - 8, 16, 16, 8);
	gm_view_end(&g->v);
}

TEST_F(iommu, what_can_not_be_resolved)
{
	struct iommu_guest *g = &self->g;
	struct gm_iommu_stats s;
	uint8_t buf[PAGE];
	uint32_t x;

	EXPECT_FAIL(gm_view_read_u32(&g->v, gm_gpa(IOVA + 3 * PAGE), &x),
		    EFAULT, GM_ERR_IOVA, IOVA + 3 * PAGE, 4, 0, 0);
	EXPECT_EQ(1, g->calls);
	/* After some bytes. */
	EXPECT_FAIL(gm_view_read(&g->v, gm_gpa(IOVA + 3 * PAGE - 8), buf, 16),
		    EFAULT, GM_ERR_PARTIAL, IOVA + 3 * PAGE, 0, 16, 8);
	EXPECT_EQ(8, gm_view_read_some(&g->v, gm_gpa(IOVA + 3 * PAGE - 8), buf,
				       16));
	/* The callback's own error, with a kind of ours. */
	g->err = -ETIMEDOUT;
	EXPECT_FAIL(gm_view_read_u32(&g->v, gm_gpa(IOVA + 3 * PAGE), &x),
		    ETIMEDOUT, GM_ERR_IOVA, IOVA + 3 * PAGE, 4, 0, 0);
	/* What is no errno. */
	g->err = 5;
	EXPECT_FAIL(gm_view_read_u32(&g->v, gm_gpa(IOVA + 3 * PAGE), &x),
		    EFAULT, GM_ERR_IOVA, IOVA + 3 * PAGE, 4, 0, 0);
	gm_iommu_stats(g->iommu, &s);
	EXPECT_EQ(5, s.failed);
}

TEST_F(iommu, callback_that_fills_nothing_is_asked_a_few_times)
{
	struct iommu_guest *g = &self->g;
	uint32_t x;

	g->idle = true;
	EXPECT_FAIL(gm_view_read_u32(&g->v, gm_gpa(IOVA), &x), EFAULT,
		    GM_ERR_IOVA, IOVA, 4, 0, 0);
	EXPECT_EQ(8, g->calls);
}

/* So often that all shorter ways are taken. */
static bool reads(struct gm_view *v, uint64_t iova, uint32_t want)
{
	uint32_t x = ~want;
	int i;

	for (i = 0; i < 8; i++)
		if (gm_view_read_u32(v, gm_gpa(iova), &x) || x != want)
			return false;
	return true;
}

TEST_F(iommu, rights)
{
	struct iommu_guest *g = &self->g;
	uint32_t x;

	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(IOVA + 2 * PAGE), &x));
	EXPECT_TRUE(reads(&g->v, IOVA + 2 * PAGE, 0));
	EXPECT_EQ(1, g->calls);
	/* It may have become more since: asked once. */
	EXPECT_FAIL(gm_view_write_u32(&g->v, gm_gpa(IOVA + 2 * PAGE), 1),
		    EACCES, GM_ERR_PERMISSION, IOVA + 2 * PAGE, 4, 0, 0);
	EXPECT_EQ(2, g->calls);
	EXPECT_EQ(GM_PERM_WRITE, g->perm);
	iommu_guest_set(g, 2, GPA + 10 * PAGE, GM_PERM_RW);
	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA + 2 * PAGE), 1));
	EXPECT_EQ(3, g->calls);
	EXPECT_FAIL(gm_view_store_u32(&g->v, gm_gpa(IOVA + 3 * PAGE), 1,
				      GM_RELEASE),
		    EFAULT, GM_ERR_IOVA, IOVA + 3 * PAGE, 4, 0, 0);
}

TEST_F(iommu, target_without_memory)
{
	struct iommu_guest *g = &self->g;
	uint32_t x;

	EXPECT_FAIL(gm_view_read_u32(&g->v, gm_gpa(IOVA + 4 * PAGE), &x),
		    EFAULT, GM_ERR_GUEST_ADDR, GPA + 100 * PAGE, 0, 0, 0);
}

TEST_F(iommu, not_set_up)
{
	static const struct gm_iommu_ops none = { .translate = NULL };
	static const struct gm_iommu_ops some = {
		.translate = iommu_guest_translate,
	};
	struct gm_iommu *i = NULL;
	uint32_t x;

	EXPECT_FAIL(gm_iommu_new(&none, NULL, 8, NULL, &i), EINVAL,
		    GM_ERR_IOMMU_CONFIG, 0, 0, 0, 0);
	EXPECT_FAIL(gm_iommu_new(NULL, NULL, 8, NULL, &i), EINVAL,
		    GM_ERR_IOMMU_CONFIG, 0, 0, 0, 0);
	EXPECT_FAIL(gm_iommu_new(&some, NULL, 0, NULL, &i), EINVAL,
		    GM_ERR_SIZE, 0, 0, 0, 0);
	EXPECT_EQ(NULL, i);
	/* A callback says so. */
	self->g.err = -ENODEV;
	EXPECT_FAIL(gm_view_read_u32(&self->g.v, gm_gpa(IOVA), &x), ENODEV,
		    GM_ERR_IOVA, IOVA, 4, 0, 0);
}

TEST_F(iommu, references)
{
	struct iommu_guest *g = &self->g;

	EXPECT_EQ(g->iommu, gm_iommu_get(g->iommu));
	gm_iommu_put(g->iommu);
	EXPECT_EQ(0, g->released);
	EXPECT_EQ(g->iommu, gm_view_iommu(&g->v));
	EXPECT_EQ(g->map, gm_view_backend(&g->v));
	EXPECT_NE(NULL, gm_iommu_iotlb(g->iommu));
	gm_iommu_put(NULL);
	gm_iommu_put(g->iommu);
	EXPECT_EQ(1, g->released);
	g->iommu = NULL;
}

TEST_F(iommu, off_is_the_map_itself)
{
	struct iommu_guest *g = &self->g;
	uint32_t x;

	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA), 5));
	EXPECT_TRUE(reads(&g->v, IOVA, 5));
	EXPECT_TRUE(gm_iommu_is_enabled(g->iommu));
	EXPECT_EQ(NULL, gm_view_map(&g->v));
	ASSERT_OK(gm_iommu_set_enabled(g->iommu, false));
	EXPECT_FALSE(gm_iommu_is_enabled(g->iommu));
	EXPECT_EQ(g->map, gm_view_map(&g->v));
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(GPA + 3 * PAGE), &x));
	EXPECT_EQ(5, x);
	EXPECT_FAIL(gm_view_read_u32(&g->v, gm_gpa(IOVA), &x), EFAULT,
		    GM_ERR_GUEST_ADDR, IOVA, 0, 0, 0);
	/* What is mapped meanwhile is not used. */
	ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(GPA), PAGE, gm_gpa(GPA + PAGE),
			       GM_PERM_RW));
	EXPECT_TRUE(reads(&g->v, GPA + 3 * PAGE, 5));
	EXPECT_TRUE(reads(&g->v, GPA, 0));
	/* On again: the IOTLB still knows. */
	ASSERT_OK(gm_iommu_set_enabled(g->iommu, true));
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(IOVA), &x));
	EXPECT_EQ(5, x);
	EXPECT_EQ(1, g->calls);
}

TEST_F(iommu, other_map_behind_the_same_iommu)
{
	struct iommu_guest *g = &self->g;
	struct gm_range one = { gm_gpa(GPA), 16 * PAGE };
	struct gm_map *other;
	struct gm_view v;
	uint32_t x;

	ASSERT_OK(gm_map_new_mmap(&one, NULL, 1, &other));
	gm_view_init_iommu(&v, g->iommu, other);
	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA), 5));
	ASSERT_OK(gm_view_write_u32(&v, gm_gpa(IOVA), 6));
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(IOVA), &x));
	EXPECT_EQ(5, x);
	ASSERT_OK(gm_view_read_u32(&v, gm_gpa(IOVA), &x));
	EXPECT_EQ(6, x);
	EXPECT_EQ(1, g->calls);
	gm_map_put(other);
}

/* Mistake 7: what was hit before is found anew, within its bounds. */
TEST_F(iommu, remembered_translation_ends_with_its_mapping)
{
	struct iommu_guest *g = &self->g;
	uint32_t x;

	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA), 5));
	EXPECT_TRUE(reads(&g->v, IOVA, 5));
	EXPECT_EQ(1, g->calls);
	iommu_guest_set(g, 0, GPA + 5 * PAGE, GM_PERM_RW);
	ASSERT_OK(gm_iommu_invalidate(g->iommu, gm_iova(IOVA), PAGE));
	EXPECT_TRUE(reads(&g->v, IOVA, 0));
	EXPECT_EQ(2, g->calls);
	/* Not a byte past the block that it is about. */
	iommu_guest_host(g, GPA + 6 * PAGE)[0] = 0x66;
	iommu_guest_host(g, GPA + 9 * PAGE)[0] = 0x99;
	ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(IOVA + PAGE - 3), &x));
	EXPECT_EQ(0x99000000, x);
	/* All of it, and one that was replaced. */
	ASSERT_OK(gm_iommu_invalidate_all(g->iommu));
	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA), 8));
	EXPECT_EQ(8, iommu_guest_host(g, GPA + 5 * PAGE)[0]);
	ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(IOVA), PAGE, gm_gpa(GPA),
			       GM_PERM_RW));
	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA), 9));
	EXPECT_EQ(9, iommu_guest_host(g, GPA)[0]);
	EXPECT_EQ(8, iommu_guest_host(g, GPA + 5 * PAGE)[0]);
}

/* Blocks of 16 KiB and of 4 KiB in turns, and one that is no page's offset away. */
TEST_F(iommu, mappings_of_all_sizes)
{
	struct iommu_guest *g = &self->g;
	uint32_t x;
	int i;

	for (i = 0; i < 16; i++)
		iommu_guest_host(g, GPA + (uint64_t)i * PAGE)[8] = (uint8_t)i;
	ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(0x10000), 4 * PAGE,
			       gm_gpa(GPA + 1 * PAGE), GM_PERM_RW));
	ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(0x20000), PAGE,
			       gm_gpa(GPA + 9 * PAGE), GM_PERM_RW));
	ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(0x30004), 2 * PAGE,
			       gm_gpa(GPA + 12 * PAGE), GM_PERM_RW));
	for (i = 0; i < 12; i++) {
		ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(0x13008), &x));
		EXPECT_EQ(4, x);
		ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(0x20008), &x));
		EXPECT_EQ(9, x);
		ASSERT_OK(gm_view_read_u32(&g->v, gm_gpa(0x3100c), &x));
		EXPECT_EQ(13, x);
		EXPECT_TRUE(i % 4 || reads(&g->v, 0x11008, 2));
		EXPECT_TRUE(i % 4 || reads(&g->v, 0x20008, 9));
	}
	/* One page out of the four. */
	ASSERT_OK(gm_iommu_invalidate(g->iommu, gm_iova(0x11000), PAGE));
	EXPECT_EQ(-EFAULT, gm_view_read_u32(&g->v, gm_gpa(0x11008), &x));
	EXPECT_TRUE(reads(&g->v, 0x12008, 3));
	EXPECT_TRUE(reads(&g->v, 0x10008, 1));
}

TEST_F(iommu, remembered_translation_ends_when_it_is_evicted_and_invalidated)
{
	struct iommu_guest *g = &self->g;
	uint64_t n;
	uint32_t x;

	ASSERT_OK(gm_view_write_u32(&g->v, gm_gpa(IOVA), 5));
	/* 64 mappings: it may be gone from the IOTLB or not. */
	for (n = 0; n < 1000; n++)
		ASSERT_OK(gm_iommu_map(g->iommu, gm_iova(n * 2 * PAGE), PAGE,
				       gm_gpa(GPA), GM_PERM_RW));
	iommu_guest_set(g, 0, 0, GM_PERM_NONE);
	ASSERT_OK(gm_iommu_invalidate(g->iommu, gm_iova(IOVA), PAGE));
	EXPECT_FAIL(gm_view_read_u32(&g->v, gm_gpa(IOVA), &x), EFAULT,
		    GM_ERR_IOVA, IOVA, 4, 0, 0);
}

TEST_F(iommu, invalidation_that_is_no_range)
{
	struct iommu_guest *g = &self->g;

	EXPECT_FAIL(gm_iommu_invalidate(g->iommu, gm_iova(1), 0), EINVAL,
		    GM_ERR_ZERO_LENGTH, 1, 0, 0, 0);
	EXPECT_FAIL(gm_iommu_invalidate(g->iommu, gm_iova(1), UINT64_MAX) ?:
		    gm_iommu_invalidate(g->iommu, gm_iova(2), UINT64_MAX),
		    EOVERFLOW, GM_ERR_OVERFLOW, 2, UINT64_MAX, 0, 0);
	EXPECT_FAIL(gm_iommu_map(g->iommu, gm_iova(0), 0, gm_gpa(0), 0),
		    EINVAL, GM_ERR_ZERO_LENGTH, 0, 0, 0, 0);
}

TEST_F(iommu, slice_needs_a_section)
{
	struct iommu_guest *g = &self->g;
	struct gm_slices it;
	struct gm_slice s;

	EXPECT_FAIL(gm_view_slice(&g->v, gm_gpa(IOVA), 8, GM_PERM_RW, &s),
		    EINVAL, GM_ERR_SECTION, IOVA, 8, 0, 0);
	gm_slices_init(&it, &g->v, gm_gpa(IOVA), 8, GM_PERM_RW);
	EXPECT_FAIL(gm_slices_next(&it, &s), EINVAL, GM_ERR_SECTION, IOVA, 8,
		    0, 0);
	gm_view_begin(&g->v);
	/* Nothing is asked for inside. */
	EXPECT_FAIL(gm_view_slice(&g->v, gm_gpa(IOVA), 8, GM_PERM_RW, &s),
		    EAGAIN, GM_ERR_IOTLB_MISS, IOVA, 8, 0, 0);
	EXPECT_EQ(0, g->calls);
	gm_view_end(&g->v);
	ASSERT_OK(gm_view_check_range(&g->v, gm_gpa(IOVA), 8, GM_PERM_RW));
	EXPECT_EQ(1, g->calls);
	gm_view_begin(&g->v);
	ASSERT_OK(gm_view_slice(&g->v, gm_gpa(IOVA), 8, GM_PERM_RW, &s));
	ASSERT_OK(gm_slice_write(s, 0, "abcdefg", 8));
	EXPECT_EQ(0, memcmp("abcdefg", iommu_guest_host(g, GPA + 3 * PAGE),
			    8));
	/* Sections nest; accesses inside see what is there. */
	gm_view_begin(&g->v);
	EXPECT_FAIL(gm_view_write(&g->v, gm_gpa(IOVA + PAGE - 4), "12345678",
				  8),
		    EAGAIN, GM_ERR_PARTIAL, IOVA + PAGE, 0, 8, 4);
	gm_view_end(&g->v);
	EXPECT_FAIL(gm_iommu_invalidate(g->iommu, gm_iova(IOVA), PAGE),
		    EDEADLK, GM_ERR_DEADLOCK, 0, 0, 0, 0);
	EXPECT_FAIL(gm_iommu_invalidate_all(g->iommu), EDEADLK,
		    GM_ERR_DEADLOCK, 0, 0, 0, 0);
	EXPECT_FAIL(gm_iommu_set_enabled(g->iommu, false), EDEADLK,
		    GM_ERR_DEADLOCK, 0, 0, 0, 0);
	/* Nothing was forgotten. */
	ASSERT_OK(gm_view_slice(&g->v, gm_gpa(IOVA), 8, GM_PERM_RW, &s));
	gm_view_end(&g->v);
	ASSERT_OK(gm_iommu_invalidate(g->iommu, gm_iova(IOVA), PAGE));
}

TEST_F(iommu, sections_of_other_views_are_nothing)
{
	struct gm_view plain;
	struct gm_slice s;

	gm_view_init(&plain, self->g.map);
	gm_view_begin(&plain);
	EXPECT_FALSE(gm_epoch_inside());
	gm_view_end(&plain);
	ASSERT_OK(gm_view_slice(&plain, gm_gpa(GPA), 8, GM_PERM_RW, &s));
	EXPECT_EQ(NULL, gm_view_iommu(&plain));
	EXPECT_EQ(self->g.map, gm_view_backend(&plain));
	EXPECT_EQ(self->g.map, gm_view_map(&plain));
}

static int ask_itself(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
		      gm_size_t len, enum gm_perm perm)
{
	uint8_t x;

	(void)iommu, (void)len, (void)perm;
	return gm_view_read(ctx, gm_gpa(gm_iova_raw(iova)), &x, 1);
}

TEST_F(iommu, callback_that_needs_itself)
{
	static const struct gm_iommu_ops ops = { .translate = ask_itself };
	struct gm_iommu *i;
	struct gm_view v;
	uint8_t x;

	ASSERT_OK(gm_iommu_new(&ops, &v, 8, NULL, &i));
	gm_view_init_iommu(&v, i, self->g.map);
	EXPECT_FAIL(gm_view_read(&v, gm_gpa(IOVA), &x, 1), EDEADLK,
		    GM_ERR_DEADLOCK, IOVA, 1, 0, 0);
	gm_iommu_put(i);
}

TEST_HARNESS_MAIN
