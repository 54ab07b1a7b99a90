/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * batch.h: marks that are put together, and lost by nobody.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/batch.h>
#include <guestmem/slice_access.h>
#include "expect.h"
#include "random.h"
#include "scale.h"

#define PAGE UINT64_C(4096)
#define PAGES UINT64_C(100000)
#define GROUP (64 * PAGE)

FIXTURE(batch) {
	struct gm_bitmap *bm;
	struct gm_batch b;
};

FIXTURE_SETUP(batch)
{
	ASSERT_OK(gm_bitmap_new(PAGES * PAGE, PAGE, &self->bm));
	ASSERT_OK(gm_batch_init(&self->b, self->bm, 0));
}

FIXTURE_TEARDOWN(batch)
{
	gm_bitmap_put(self->bm);
}

TEST_F(batch, marks_come_with_the_flush)
{
	struct gm_bitmap *to = &self->b.bitmap;

	gm_bitmap_mark(to, 3 * PAGE + 5, 10);
	gm_bitmap_mark(to, 3 * PAGE + 50, 10);
	gm_bitmap_mark(to, 5 * PAGE - 1, 2);
	gm_bitmap_mark(to, 63 * PAGE, 2 * PAGE);
	EXPECT_EQ(0, gm_bitmap_count(self->bm));
	/* A test sees what is on its way. */
	EXPECT_TRUE(gm_bitmap_test(to, 3 * PAGE));
	EXPECT_TRUE(gm_bitmap_test(to, 64 * PAGE));
	EXPECT_FALSE(gm_bitmap_test(to, 6 * PAGE));
	EXPECT_FALSE(gm_bitmap_test(to, PAGES * PAGE));
	gm_batch_flush(&self->b);
	EXPECT_EQ(5, gm_bitmap_count(self->bm));
	for (uint64_t p = 3; p <= 5; p++)
		EXPECT_TRUE(gm_bitmap_test_page(self->bm, p));
	EXPECT_TRUE(gm_bitmap_test_page(self->bm, 63));
	EXPECT_TRUE(gm_bitmap_test_page(self->bm, 64));
	EXPECT_TRUE(gm_bitmap_test(to, 3 * PAGE));
	/* It is empty now: what is taken is not marked once more. */
	gm_bitmap_reset(self->bm);
	gm_batch_flush(&self->b);
	EXPECT_EQ(0, gm_bitmap_count(self->bm));
}

/* A cache whose count stays 0 flushes nothing, and overwrites what it has. */
TEST_F(batch, full_batch_hands_all_on)
{
	const uint64_t groups = 5 * GM_BATCH_GROUPS + 1;

	for (uint64_t i = 0; i < groups; i++) {
		gm_bitmap_mark(&self->b.bitmap, i * GROUP + i * PAGE % GROUP, 1);
		if (i == GM_BATCH_GROUPS - 1)
			EXPECT_EQ(0, gm_bitmap_count(self->bm));
		if (i == GM_BATCH_GROUPS)
			EXPECT_EQ(GM_BATCH_GROUPS, gm_bitmap_count(self->bm));
	}
	gm_batch_flush(&self->b);
	EXPECT_EQ(groups, gm_bitmap_count(self->bm));
	for (uint64_t i = 0; i < groups; i++)
		EXPECT_TRUE(gm_bitmap_test(self->bm, i * GROUP + i * PAGE % GROUP));
}

TEST_F(batch, many_pages_and_strange_ranges)
{
	struct gm_bitmap *to = &self->b.bitmap;

	gm_bitmap_mark(to, PAGE, 128 * PAGE + 1);
	EXPECT_EQ(129, gm_bitmap_count(self->bm));
	gm_bitmap_reset(self->bm);
	gm_bitmap_mark(to, 10, 0);
	gm_bitmap_mark(to, PAGES * PAGE, 5);
	gm_bitmap_mark(to, UINT64_MAX - 3, UINT64_MAX);
	gm_bitmap_mark(to, (PAGES - 1) * PAGE, 3 * PAGE);
	gm_batch_flush(&self->b);
	EXPECT_EQ(1, gm_bitmap_count(self->bm));
	EXPECT_TRUE(gm_bitmap_test_page(self->bm, PAGES - 1));
	gm_bitmap_mark(to, 0, UINT64_MAX);
	EXPECT_EQ(PAGES, gm_bitmap_count(self->bm));
}

TEST_F(batch, slices_write_through_it)
{
	static uint8_t mem[4 * 4096];
	struct gm_slice s = gm_slice_new_dirty(mem, sizeof(mem), &self->b.bitmap, 2 * PAGE);

	ASSERT_OK(gm_slice_write_u32(s, 3 * PAGE, 7));
	ASSERT_OK(gm_slice_write_u32(s, 3 * PAGE + 8, 7));
	EXPECT_EQ(0, gm_bitmap_count(self->bm));
	gm_batch_flush(&self->b);
	EXPECT_EQ(1, gm_bitmap_count(self->bm));
	EXPECT_TRUE(gm_bitmap_test_page(self->bm, 5));
}

TEST_F(batch, larger_pages_than_the_targets)
{
	ASSERT_OK(gm_batch_init(&self->b, self->bm, 4 * PAGE));
	gm_bitmap_mark(&self->b.bitmap, 5 * PAGE, 1);
	gm_batch_flush(&self->b);
	/* No less than was written. */
	EXPECT_EQ(4, gm_bitmap_count(self->bm));
	EXPECT_TRUE(gm_bitmap_test_page(self->bm, 4));
	EXPECT_TRUE(gm_bitmap_test_page(self->bm, 7));
}

/* Of pages so large that a group is all of the address space. */
TEST_F(batch, pages_of_any_size_are_marked)
{
	struct gm_bitmap *to = &self->b.bitmap;

	for (unsigned int shift = 58; shift < 64; shift++) {
		uint64_t page = UINT64_C(1) << shift;

		ASSERT_OK(gm_batch_init(&self->b, self->bm, page));
		gm_bitmap_mark(to, 0, 1);
		for (uint64_t at = page; at; at += page)
			gm_bitmap_mark(to, at, 1);
		gm_batch_flush(&self->b);
		EXPECT_EQ(PAGES, gm_bitmap_count(self->bm));
		gm_bitmap_reset(self->bm);
	}
}

static void ignore_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	(void)bm;
	(void)off;
	(void)len;
}

static bool ignore_test(const struct gm_bitmap *bm, uint64_t off)
{
	(void)bm;
	(void)off;
	return false;
}

TEST_F(batch, refused_page_sizes)
{
	static const struct gm_bitmap_ops ops = { ignore_mark, ignore_test, NULL };
	struct gm_bitmap own;
	struct gm_batch b;

	EXPECT_FAIL(gm_batch_init(&b, self->bm, 3 * PAGE), EINVAL, GM_ERR_SIZE, 3 * PAGE, 0, 0, 0);
	EXPECT_FAIL(gm_batch_init(&b, self->bm, PAGE / 2), EINVAL, GM_ERR_SIZE, PAGE / 2, 0, 0, 0);
	gm_bitmap_init_ops(&own, &ops, PAGE, NULL);
	EXPECT_FAIL(gm_batch_init(&b, &own, 0), EINVAL, GM_ERR_SIZE, 0, 0, 0, 0);
}

/* Random marks by way of a batch, and at once: the same pages. */
TEST_F(batch, random_marks_are_those_of_the_bitmap)
{
	uint64_t rounds = test_iterations(100000), wrong = 0;
	struct gm_bitmap *plain;
	struct rnd rnd = { 77 };

	ASSERT_OK(gm_bitmap_new(PAGES * PAGE, PAGE, &plain));
	for (; rounds; rounds--) {
		uint64_t off = rnd_below(&rnd, PAGES * PAGE);
		uint64_t len = rnd_below(&rnd, UINT64_C(1) << rnd_below(&rnd, 21));

		gm_bitmap_mark(&self->b.bitmap, off, len);
		gm_bitmap_mark(plain, off, len);
		if (!rnd_below(&rnd, 100))
			gm_batch_flush(&self->b);
	}
	gm_batch_flush(&self->b);
	for (uint64_t p = 0; p < PAGES; p++)
		wrong += gm_bitmap_test_page(plain, p) != gm_bitmap_test_page(self->bm, p);
	EXPECT_EQ(0, wrong);
	gm_bitmap_put(plain);
}

TEST_HARNESS_MAIN
