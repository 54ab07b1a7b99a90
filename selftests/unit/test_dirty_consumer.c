/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dirty.h: consumers of one bitmap, one thread; threads: test_dirty_race.c.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/dirty.h>
#include "expect.h"
#include "no_memory.h"
#include "system.h"

#define PAGE 4096
#define PAGES 1000

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

FIXTURE(dirty) {
	struct gm_bitmap *bm;
	struct gm_dirty_consumer *a, *b;
};

FIXTURE_SETUP(dirty)
{
	ASSERT_OK(gm_bitmap_new(PAGES * PAGE, PAGE, &self->bm));
	ASSERT_OK(gm_dirty_consumer_new(self->bm, &self->a));
	ASSERT_OK(gm_dirty_consumer_new(self->bm, &self->b));
}

FIXTURE_TEARDOWN(dirty)
{
	gm_dirty_consumer_free(self->a);
	gm_dirty_consumer_free(self->b);
	gm_bitmap_put(self->bm);
}

/* Has @c exactly the pages [first, first + count)? They are taken. */
static bool takes(struct gm_dirty_consumer *c, uint64_t first, uint64_t count)
{
	struct gm_page_run span = { 0, PAGES }, runs[4];

	if (gm_dirty_consumer_count(c) != count)
		return false;
	if (!count)
		return !gm_dirty_consumer_take_runs(c, &span, runs, 4);
	return gm_dirty_consumer_take_runs(c, &span, runs, 4) == 1 &&
	       runs[0].first == first && runs[0].count == count &&
	       !gm_dirty_consumer_count(c);
}

TEST_F(dirty, each_consumer_gets_each_mark_once)
{
	EXPECT_EQ(PAGE, gm_dirty_consumer_page_size(self->a));
	gm_bitmap_mark(self->bm, 10 * PAGE, 3 * PAGE);
	EXPECT_TRUE(takes(self->a, 10, 3));
	gm_bitmap_mark(self->bm, 13 * PAGE, 1);
	EXPECT_TRUE(takes(self->b, 10, 4));
	EXPECT_TRUE(takes(self->b, 0, 0));
	EXPECT_TRUE(takes(self->a, 13, 1));
	EXPECT_TRUE(takes(self->a, 0, 0));
}

TEST_F(dirty, part_is_taken_and_the_rest_stays_for_each)
{
	struct gm_page_run span = { 100, 50 }, runs[2];

	gm_bitmap_mark(self->bm, 0, PAGES * PAGE);
	ASSERT_EQ(1, gm_dirty_consumer_take_runs(self->a, &span, runs, 2));
	EXPECT_EQ(100, runs[0].first);
	EXPECT_EQ(50, runs[0].count);
	EXPECT_EQ(0, span.count);
	EXPECT_EQ(PAGES - 50, gm_dirty_consumer_count(self->a));
	EXPECT_TRUE(takes(self->b, 0, PAGES));
}

TEST_F(dirty, runs_that_do_not_fit_come_with_the_next_call)
{
	struct gm_page_run span = { 0, PAGES }, run;

	gm_bitmap_mark(self->bm, 0, 1);
	gm_bitmap_mark(self->bm, 2 * PAGE, 1);
	EXPECT_EQ(1, gm_dirty_consumer_take_runs(self->a, &span, &run, 1));
	EXPECT_EQ(0, run.first);
	EXPECT_EQ(1, gm_dirty_consumer_take_runs(self->a, &span, &run, 1));
	EXPECT_EQ(2, run.first);
	EXPECT_EQ(0, gm_dirty_consumer_take_runs(self->a, &span, &run, 1));
	EXPECT_FAIL(gm_dirty_consumer_take_runs(self->a, &span, &run, 0), EMSGSIZE,
		    GM_ERR_ARRAY_SMALL, 0, 0, 1, 0);
}

TEST_F(dirty, mark_for_one_consumer_is_its_own)
{
	gm_dirty_consumer_mark(self->a, 5 * PAGE, 2 * PAGE);
	gm_dirty_consumer_mark(self->a, 0, 0);
	gm_dirty_consumer_mark(self->a, PAGES * PAGE, 1);
	EXPECT_TRUE(takes(self->b, 0, 0));
	EXPECT_TRUE(takes(self->a, 5, 2));
	gm_dirty_consumer_mark(self->a, 0, UINT64_MAX);
	EXPECT_TRUE(takes(self->a, 0, PAGES));
}

TEST_F(dirty, new_consumer_has_what_nobody_took)
{
	struct gm_dirty_consumer *late;

	gm_bitmap_mark(self->bm, 1 * PAGE, 1);
	EXPECT_TRUE(takes(self->a, 1, 1));
	gm_bitmap_mark(self->bm, 2 * PAGE, 1);
	ASSERT_OK(gm_dirty_consumer_new(self->bm, &late));
	gm_bitmap_mark(self->bm, 3 * PAGE, 1);
	EXPECT_TRUE(takes(late, 2, 2));
	EXPECT_TRUE(takes(self->a, 2, 2));
	EXPECT_TRUE(takes(self->b, 1, 3));
	gm_dirty_consumer_free(late);
	gm_dirty_consumer_free(NULL);
}

TEST_F(dirty, one_goes_and_the_others_keep_theirs)
{
	gm_bitmap_mark(self->bm, 7 * PAGE, 1);
	EXPECT_EQ(1, gm_dirty_consumer_count(self->b));
	gm_dirty_consumer_free(self->b);
	self->b = NULL;
	gm_bitmap_mark(self->bm, 8 * PAGE, 1);
	EXPECT_TRUE(takes(self->a, 7, 2));
}

TEST_F(dirty, plain_take_is_refused_while_there_are_consumers)
{
	struct gm_page_run span = { 0, PAGES }, run;
	uint64_t words[PAGES / 64 + 1];

	gm_bitmap_mark(self->bm, 9 * PAGE, 1);
	EXPECT_FAIL_NAME(gm_bitmap_take(self->bm, words, ARRAY_SIZE(words)), EBUSY,
			 GM_ERR_HELD, 0, PAGES * PAGE, "dirty consumers");
	EXPECT_FAIL_NAME(gm_bitmap_take_runs(self->bm, &span, &run, 1), EBUSY,
			 GM_ERR_HELD, 0, PAGES * PAGE, "dirty consumers");
	EXPECT_TRUE(takes(self->a, 9, 1));
	gm_bitmap_mark(self->bm, 11 * PAGE, 1);
	gm_dirty_consumer_free(self->a);
	gm_dirty_consumer_free(self->b);
	self->a = NULL;
	self->b = NULL;
	EXPECT_EQ(1, gm_bitmap_take_runs(self->bm, &span, &run, 1));
	EXPECT_EQ(11, run.first);
	EXPECT_EQ(1, run.count);
}

TEST_F(dirty, enlarged_bitmap_has_enlarged_consumers)
{
	struct gm_page_run span = { PAGES, 100 }, run;

	gm_bitmap_mark(self->bm, 5 * PAGE, 1);
	EXPECT_EQ(1, gm_dirty_consumer_count(self->a));
	ASSERT_OK(gm_bitmap_enlarge(self->bm, 100 * PAGE));
	gm_bitmap_mark(self->bm, (PAGES + 99) * PAGE, 1);
	EXPECT_EQ(2, gm_dirty_consumer_count(self->a));
	ASSERT_EQ(1, gm_dirty_consumer_take_runs(self->b, &span, &run, 1));
	EXPECT_EQ(PAGES + 99, run.first);
}

/* Whichever allocation it is that fails: a consumer's, or the bitmap's own. */
TEST_F(dirty, failed_enlarge_gives_consumers_no_more)
{
	STARVES_THREADS();
	for (uint64_t nth = 1; nth <= 3; nth++) {
		no_memory_for(nth);
		EXPECT_FAIL_KIND(gm_bitmap_enlarge(self->bm, nth * 100 * PAGE), ENOMEM,
				 GM_ERR_MEMORY);
		EXPECT_EQ(PAGES * PAGE, gm_bitmap_bytes(self->bm));
		no_memory_for(0);
		gm_dirty_consumer_mark(self->a, 0, UINT64_MAX);
		gm_dirty_consumer_mark(self->b, PAGES * PAGE, 1);
		gm_dirty_consumer_mark(self->b, (PAGES - 1) * PAGE, 2 * PAGE);
		EXPECT_TRUE(takes(self->a, 0, PAGES));
		EXPECT_TRUE(takes(self->b, PAGES - 1, 1));
	}
	ASSERT_OK(gm_bitmap_enlarge(self->bm, 100 * PAGE));
	gm_dirty_consumer_mark(self->a, 0, UINT64_MAX);
	EXPECT_EQ(PAGES + 100, gm_dirty_consumer_count(self->a));
}

TEST_F(dirty, consumers_keep_the_bitmap)
{
	gm_bitmap_mark(self->bm, 4 * PAGE, 1);
	gm_bitmap_put(self->bm);
	self->bm = NULL;
	EXPECT_TRUE(takes(self->a, 4, 1));
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

TEST(own_tracker_has_no_consumers)
{
	static const struct gm_bitmap_ops ops = { ignore_mark, ignore_test, NULL };
	struct gm_dirty_consumer *c = NULL;
	struct gm_bitmap own;

	gm_bitmap_init_ops(&own, &ops, PAGE, NULL);
	EXPECT_FAIL_KIND(gm_dirty_consumer_new(&own, &c), EOPNOTSUPP, GM_ERR_OPTION);
	EXPECT_EQ(NULL, c);
}

TEST_HARNESS_MAIN
