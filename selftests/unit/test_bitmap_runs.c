/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bitmap.h: what was marked, taken as runs, whole or a part at a time; and the
 * summaries, whose borders are at 64, 4,096 and 262,144 pages. A page is a byte
 * here. One thread; threads: test_dirty_race.c.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/bitmap.h>
#include "expect.h"
#include "random.h"
#include "scale.h"

#define WORD UINT64_C(64)
#define SUM UINT64_C(4096)
#define TOP UINT64_C(262144)

static struct gm_bitmap *new_bitmap(struct __test_metadata *_metadata, uint64_t pages)
{
	struct gm_bitmap *bm = NULL;

	ASSERT_OK(gm_bitmap_new(pages, 1, &bm));
	return bm;
}

/* Takes all, @max runs at a time; the runs that touch are joined in @out. */
static size_t take_all(struct __test_metadata *_metadata, struct gm_bitmap *bm, size_t max,
		       struct gm_page_run *out, size_t room)
{
	struct gm_page_run span = { 0, UINT64_MAX }, runs[64];
	size_t n = 0;
	int64_t got;

	while ((got = gm_bitmap_take_runs(bm, &span, runs, max)) > 0) {
		for (int64_t i = 0; i < got; i++) {
			if (n && out[n - 1].first + out[n - 1].count == runs[i].first) {
				EXPECT_EQ(0, i);
				out[n - 1].count += runs[i].count;
				continue;
			}
			ASSERT_LT(n, room);
			out[n++] = runs[i];
		}
	}
	EXPECT_EQ(0, got);
	EXPECT_EQ(0, span.count);
	return n;
}

TEST(runs_are_joined_across_words_and_summaries)
{
	static const struct gm_page_run rows[] = {
		{ 0, 1 }, { 63, 2 }, { 100, 300 }, { SUM - 1, 2 },
		{ 2 * SUM, SUM }, { TOP - 70, 140 }, { 2 * TOP, 1 },
		{ 2 * TOP + 2, 1 }, { 3 * TOP - 1, 1 },
	};
	struct gm_bitmap *bm = new_bitmap(_metadata, 3 * TOP);
	struct gm_page_run out[ARRAY_SIZE(rows) + 1];

	for (size_t max = 1; max <= 64; max = max * 2 + 1) {
		uint64_t pages = 0;

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			gm_bitmap_mark(bm, rows[i].first, rows[i].count);
			pages += rows[i].count;
		}
		EXPECT_EQ(pages, gm_bitmap_count(bm));
		ASSERT_EQ(ARRAY_SIZE(rows),
			  take_all(_metadata, bm, max, out, ARRAY_SIZE(out)));
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			EXPECT_EQ(rows[i].first, out[i].first);
			EXPECT_EQ(rows[i].count, out[i].count);
		}
		EXPECT_EQ(0, gm_bitmap_count(bm));
		EXPECT_EQ(0, take_all(_metadata, bm, max, out, ARRAY_SIZE(out)));
	}
	gm_bitmap_put(bm);
}

TEST(what_does_not_fit_stays_and_span_says_where)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, 10 * SUM);
	struct gm_page_run span = { 0, 10 * SUM }, runs[2];

	/* Three runs in one word, one in another of the same summary, one far. */
	gm_bitmap_mark(bm, 3, 2);
	gm_bitmap_mark(bm, 7, 1);
	gm_bitmap_mark(bm, 60, 1);
	gm_bitmap_mark(bm, 30 * WORD, 1);
	gm_bitmap_mark(bm, 9 * SUM, 1);
	EXPECT_EQ(2, gm_bitmap_take_runs(bm, &span, runs, 2));
	EXPECT_EQ(3, runs[0].first);
	EXPECT_EQ(2, runs[0].count);
	EXPECT_EQ(7, runs[1].first);
	EXPECT_EQ(1, runs[1].count);
	EXPECT_EQ(60, span.first);
	EXPECT_EQ(10 * SUM - 60, span.count);
	EXPECT_FALSE(gm_bitmap_test_page(bm, 7));
	EXPECT_TRUE(gm_bitmap_test_page(bm, 60));
	EXPECT_EQ(3, gm_bitmap_count(bm));
	/* A new span sees what is left from its beginning. */
	span = (struct gm_page_run){ 0, UINT64_MAX };
	EXPECT_EQ(2, gm_bitmap_take_runs(bm, &span, runs, 2));
	EXPECT_EQ(60, runs[0].first);
	EXPECT_EQ(30 * WORD, runs[1].first);
	EXPECT_EQ(1, gm_bitmap_take_runs(bm, &span, runs, 2));
	EXPECT_EQ(9 * SUM, runs[0].first);
	EXPECT_EQ(0, span.count);
	EXPECT_EQ(10 * SUM, span.first);
	EXPECT_EQ(0, gm_bitmap_take_runs(bm, &span, runs, 2));
	gm_bitmap_put(bm);
}

TEST(part_of_a_bitmap_is_taken_exactly)
{
	static const struct gm_page_run spans[] = {
		{ 0, 1 }, { 5, 50 }, { 5, 60 }, { 64, 64 }, { 63, 66 },
		{ 0, SUM }, { 1, SUM - 1 }, { 0, SUM - 1 }, { SUM, SUM },
		{ SUM - 1, SUM + 2 }, { 1, TOP }, { TOP, TOP },
		{ TOP + 100, UINT64_MAX },
	};
	const uint64_t pages = 2 * TOP + 77;

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		struct gm_bitmap *bm = new_bitmap(_metadata, pages);
		struct gm_page_run span = spans[i], run, out[2];
		uint64_t count = spans[i].count;

		if (count > pages - span.first)
			count = pages - span.first;
		gm_bitmap_mark(bm, 0, pages);
		ASSERT_EQ(1, gm_bitmap_take_runs(bm, &span, &run, 1));
		EXPECT_EQ(spans[i].first, run.first);
		EXPECT_EQ(count, run.count);
		EXPECT_EQ(0, span.count);
		EXPECT_EQ(pages - count, gm_bitmap_count(bm));
		/* All that is around is still found. */
		for (size_t n = take_all(_metadata, bm, 1, out, 2); n--;)
			count += out[n].count;
		EXPECT_EQ(pages, count);
		gm_bitmap_put(bm);
	}
}

TEST(spans_without_pages)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, 100);
	struct gm_bitmap *empty = new_bitmap(_metadata, 0);
	struct gm_page_run span = { 100, 5 }, run;

	gm_bitmap_mark(bm, 0, 100);
	EXPECT_EQ(0, gm_bitmap_take_runs(bm, &span, &run, 1));
	EXPECT_EQ(0, span.count);
	span = (struct gm_page_run){ 7, 0 };
	EXPECT_EQ(0, gm_bitmap_take_runs(bm, &span, &run, 1));
	span = (struct gm_page_run){ UINT64_MAX, UINT64_MAX };
	EXPECT_EQ(0, gm_bitmap_take_runs(bm, &span, &run, 1));
	EXPECT_EQ(100, gm_bitmap_count(bm));
	span = (struct gm_page_run){ 0, 100 };
	EXPECT_EQ(0, gm_bitmap_take_runs(empty, &span, &run, 1));
	EXPECT_EQ(0, gm_bitmap_count(empty));
	EXPECT_EQ(0, gm_bitmap_count(NULL));
	gm_bitmap_put(empty);
	gm_bitmap_put(bm);
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

TEST(runs_that_cannot_be_taken)
{
	static const struct gm_bitmap_ops ops = { ignore_mark, ignore_test, NULL };
	struct gm_bitmap *bm = new_bitmap(_metadata, 100), own;
	struct gm_page_run span = { 0, 100 }, run = { 11, 12 };

	gm_bitmap_mark(bm, 5, 1);
	EXPECT_FAIL(gm_bitmap_take_runs(bm, &span, &run, 0), EMSGSIZE, GM_ERR_ARRAY_SMALL,
		    0, 0, 1, 0);
	gm_bitmap_init_ops(&own, &ops, 100, NULL);
	EXPECT_FAIL_KIND(gm_bitmap_take_runs(&own, &span, &run, 1), EOPNOTSUPP, GM_ERR_OPTION);
	EXPECT_EQ(0, gm_bitmap_count(&own));
	EXPECT_EQ(0, span.first);
	EXPECT_EQ(100, span.count);
	EXPECT_EQ(11, run.first);
	EXPECT_TRUE(gm_bitmap_test_page(bm, 5));
	gm_bitmap_put(bm);
}

TEST(clone_and_enlarged_bitmap_have_their_summaries)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, SUM + 5), *copy;
	struct gm_page_run out[4];

	gm_bitmap_mark(bm, 3, 1);
	gm_bitmap_mark(bm, SUM + 4, 1);
	ASSERT_OK(gm_bitmap_clone(bm, &copy));
	EXPECT_EQ(2, gm_bitmap_count(bm));
	ASSERT_OK(gm_bitmap_enlarge(bm, TOP));
	gm_bitmap_mark(bm, SUM + 5, 1);
	gm_bitmap_mark(bm, TOP + SUM, 1);
	ASSERT_EQ(3, take_all(_metadata, bm, 4, out, 4));
	EXPECT_EQ(3, out[0].first);
	EXPECT_EQ(SUM + 4, out[1].first);
	EXPECT_EQ(2, out[1].count);
	EXPECT_EQ(TOP + SUM, out[2].first);
	ASSERT_EQ(2, take_all(_metadata, copy, 4, out, 4));
	EXPECT_EQ(SUM + 4, out[1].first);
	EXPECT_EQ(1, out[1].count);
	gm_bitmap_put(copy);
	gm_bitmap_put(bm);
}

/*
 * Random marks, clears and takes of parts, against an array of bytes. What is
 * taken must be what is there, and no mark may be without its summary.
 */
#define MODEL_PAGES (2 * SUM + 321)

static uint64_t compare_and_clear(const struct gm_page_run *run, uint8_t *model)
{
	uint64_t wrong = 0;

	for (uint64_t p = run->first; p < run->first + run->count; p++) {
		wrong += !model[p];
		model[p] = 0;
	}
	return wrong;
}

TEST(random_marks_clears_and_takes_match_a_model)
{
	static uint8_t model[MODEL_PAGES];
	struct gm_bitmap *bm = new_bitmap(_metadata, MODEL_PAGES);
	uint64_t rounds = test_iterations(200000), wrong = 0, pages = 0;
	struct gm_page_run runs[5];
	struct rnd rnd = { 12345 };

	for (; rounds; rounds--) {
		uint64_t first = rnd_below(&rnd, MODEL_PAGES);
		uint64_t n = (UINT64_C(1) << rnd_below(&rnd, 13)) - rnd_below(&rnd, 2);
		struct gm_page_run span = { first, n };
		uint64_t end = first + n < MODEL_PAGES ? first + n : MODEL_PAGES;
		int64_t got;

		switch (rnd_below(&rnd, 4)) {
		case 0:
			gm_bitmap_clear(bm, first, n);
			memset(model + first, 0, end - first);
			break;
		case 1:
			got = gm_bitmap_take_runs(bm, &span, runs, 1 + rnd_below(&rnd, 5));
			while (got-- > 0)
				wrong += compare_and_clear(&runs[got], model);
			/* All before what is left was taken. */
			for (uint64_t p = first; p < span.first && p < end; p++)
				wrong += model[p];
			break;
		default:
			gm_bitmap_mark(bm, first, n);
			memset(model + first, 1, end - first);
		}
		ASSERT_EQ(0, wrong);
	}
	for (uint64_t p = 0; p < MODEL_PAGES; p++)
		pages += model[p];
	EXPECT_EQ(pages, gm_bitmap_count(bm));
	gm_bitmap_put(bm);
}

TEST_HARNESS_MAIN
