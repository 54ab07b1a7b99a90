/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bitmap.h: one thread's marks, tests, clears and takes. Threads:
 * test_bitmap_race.c; a caller's own tracker, and slices: test_bitmap_ops.c.
 */
/* gm-test: windows */
#include <unistd.h>
#include "kselftest_harness.h"
#include <guestmem/bitmap.h>
#include "expect.h"

#define PAGE 4096
#define TOP UINT64_MAX

/* A failed allocation is what some tests want, also under a sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static struct gm_bitmap *new_bitmap(struct __test_metadata *_metadata,
				    uint64_t bytes, uint64_t page_size)
{
	struct gm_bitmap *bm = NULL;

	ASSERT_OK(gm_bitmap_new(bytes, page_size, &bm));
	ASSERT_NE(NULL, bm);
	return bm;
}

/* Are exactly pages [first, last] marked? @first > @last: none. */
static bool only_marked(const struct gm_bitmap *bm, uint64_t first, uint64_t last)
{
	uint64_t size = gm_bitmap_page_size(bm);

	for (uint64_t p = 0; p < gm_bitmap_pages(bm); p++) {
		bool want = p >= first && p <= last;

		if (gm_bitmap_test_page(bm, p) != want ||
		    gm_bitmap_test(bm, p * size) != want ||
		    gm_bitmap_test(bm, p * size + size - 1) != want)
			return false;
	}
	return true;
}

TEST(new_bitmap_rounds_up_to_pages_and_is_clear)
{
	static const struct { uint64_t bytes, page, pages; } rows[] = {
		{ 0, PAGE, 0 }, { 1, PAGE, 1 }, { PAGE, PAGE, 1 },
		{ PAGE + 1, PAGE, 2 }, { 64 * PAGE, PAGE, 64 },
		{ 64 * PAGE + 1, PAGE, 65 }, { 1000, 1, 1000 },
		{ 1000, 128, 8 }, { TOP, UINT64_C(1) << 63, 2 },
		{ TOP, UINT64_C(1) << 60, 16 },
		{ 5, UINT64_C(1) << 63, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct gm_bitmap *bm = new_bitmap(_metadata, rows[i].bytes,
						  rows[i].page);

		EXPECT_EQ(rows[i].pages, gm_bitmap_pages(bm));
		EXPECT_EQ(rows[i].bytes, gm_bitmap_bytes(bm));
		EXPECT_EQ(rows[i].page, gm_bitmap_page_size(bm));
		for (uint64_t p = 0; p < rows[i].pages; p++)
			EXPECT_FALSE(gm_bitmap_test_page(bm, p));
		gm_bitmap_put(bm);
	}
}

TEST(page_size_zero_is_the_systems)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct gm_bitmap *bm = new_bitmap(_metadata, 3 * page + 1, 0);

	EXPECT_EQ(page, gm_bitmap_page_size(bm));
	EXPECT_EQ(4, gm_bitmap_pages(bm));
	gm_bitmap_put(bm);
}

TEST(page_size_that_is_no_power_of_two_is_refused)
{
	static const uint64_t sizes[] = { 3, 4095, 4097, 12288, TOP };
	struct gm_bitmap *bm = (void *)&sizes;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_FAIL_KIND(gm_bitmap_new(1 << 20, sizes[i], &bm), EINVAL,
				 GM_ERR_SIZE);
		EXPECT_EQ(sizes[i], gm_error_last()->addr);
		EXPECT_EQ((void *)&sizes, bm);
	}
}

TEST(bitmap_too_large_for_memory_is_refused)
{
	struct gm_bitmap *bm = NULL;

	EXPECT_FAIL_KIND(gm_bitmap_new(TOP, 1, &bm), ENOMEM, GM_ERR_MEMORY);
	EXPECT_LE(TOP / 8, gm_error_last()->len);
	EXPECT_EQ(NULL, bm);
}

TEST(no_bitmap_is_allowed_everywhere)
{
	EXPECT_EQ(NULL, gm_bitmap_get(NULL));
	gm_bitmap_put(NULL);
	gm_bitmap_mark(NULL, 0, TOP);
	gm_bitmap_mark_slow(NULL, 0, TOP);
	EXPECT_FALSE(gm_bitmap_test(NULL, 0));
	EXPECT_FALSE(gm_bitmap_test_page(NULL, 0));
	EXPECT_EQ(0, gm_bitmap_pages(NULL));
	EXPECT_EQ(0, gm_bitmap_bytes(NULL));
	EXPECT_EQ(0, gm_bitmap_page_size(NULL));
}

TEST(references_keep_bitmap_alive)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, PAGE, PAGE);

	EXPECT_EQ(bm, gm_bitmap_get(bm));
	gm_bitmap_put(bm);
	/* One is left: freed memory here is seen by ASan and valgrind. */
	gm_bitmap_mark(bm, 0, 1);
	EXPECT_TRUE(gm_bitmap_test(bm, 0));
	gm_bitmap_put(bm);
}

/* 200 pages and a bit: the last word is not full, nor the last page. */
#define PAGES 201
#define BYTES (200 * PAGE + 100)

static const struct range { uint64_t off, len, first, last; } ranges[] = {
	{ 0, 1, 0, 0 }, { PAGE - 1, 1, 0, 0 }, { PAGE, 1, 1, 1 },
	{ 0, PAGE, 0, 0 }, { 0, PAGE + 1, 0, 1 }, { PAGE - 1, 2, 0, 1 },
	{ 63 * PAGE, PAGE, 63, 63 }, { 64 * PAGE, PAGE, 64, 64 },
	{ 63 * PAGE, 2 * PAGE, 63, 64 }, { 64 * PAGE, 64 * PAGE, 64, 127 },
	{ 10 * PAGE + 5, 180 * PAGE, 10, 190 }, { 0, BYTES, 0, 200 },
	/* the last page, to its end though the bytes end before */
	{ 200 * PAGE, 100, 200, 200 }, { BYTES - 1, 1, 200, 200 },
	/* what is out of range is ignored */
	{ 199 * PAGE, 1000 * PAGE, 199, 200 }, { 201 * PAGE, 1, 1, 0 },
	{ 300 * PAGE, PAGE, 1, 0 }, { TOP, 1, 1, 0 }, { TOP - 1, 1, 1, 0 },
	/* nothing was written */
	{ 0, 0, 1, 0 }, { 5 * PAGE, 0, 1, 0 }, { TOP, 0, 1, 0 },
	/* what overflows ends at the last byte there is */
	{ 0, TOP, 0, 200 }, { 150 * PAGE, TOP, 150, 200 },
	{ 200 * PAGE, TOP - 200 * PAGE + 2, 200, 200 }, { TOP, TOP, 1, 0 },
	{ TOP, 2, 1, 0 },
};

TEST(mark_sets_exactly_the_pages_of_its_range)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		const struct range *r = &ranges[i];
		struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);

		gm_bitmap_mark(bm, r->off, r->len);
		EXPECT_TRUE(only_marked(bm, r->first, r->last))
			TH_LOG("mark, range %zu", i);
		gm_bitmap_mark(bm, r->off, r->len);
		EXPECT_TRUE(only_marked(bm, r->first, r->last));
		gm_bitmap_put(bm);

		bm = new_bitmap(_metadata, BYTES, PAGE);
		gm_bitmap_mark_slow(bm, r->off, r->len);
		EXPECT_TRUE(only_marked(bm, r->first, r->last))
			TH_LOG("mark_slow, range %zu", i);
		gm_bitmap_put(bm);
	}
}

TEST(clear_clears_exactly_the_pages_of_its_range)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		const struct range *r = &ranges[i];
		struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);

		gm_bitmap_mark(bm, 0, BYTES);
		gm_bitmap_clear(bm, r->off, r->len);
		for (uint64_t p = 0; p < PAGES; p++) {
			EXPECT_EQ(p < r->first || p > r->last,
				  gm_bitmap_test_page(bm, p))
				TH_LOG("range %zu", i);
		}
		gm_bitmap_put(bm);
	}
}

TEST(last_byte_of_64_bit_space_can_be_marked)
{
	static const struct range rows[] = {
		{ TOP, 1, 1, 1 }, { TOP, 2, 1, 1 }, { TOP, TOP, 1, 1 },
		{ TOP - 1, 1, 1, 1 }, { TOP - 1, 3, 1, 1 },
		{ 0, TOP, 0, 1 }, { 1, TOP, 0, 1 }, { TOP / 2, 1, 0, 0 },
		{ TOP / 2 + 1, 1, 1, 1 }, { TOP / 2, 2, 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct range *r = &rows[i];
		struct gm_bitmap *bm = new_bitmap(_metadata, TOP, UINT64_C(1) << 63);

		gm_bitmap_mark(bm, r->off, r->len);
		EXPECT_TRUE(only_marked(bm, r->first, r->last))
			TH_LOG("mark, row %zu", i);
		gm_bitmap_clear(bm, r->off, r->len);
		EXPECT_TRUE(only_marked(bm, 1, 0));
		gm_bitmap_mark_slow(bm, r->off, r->len);
		EXPECT_TRUE(only_marked(bm, r->first, r->last))
			TH_LOG("mark_slow, row %zu", i);
		gm_bitmap_put(bm);
	}
}

TEST(length_near_2_64_is_no_range_in_one_marked_page)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, 200 * PAGE, PAGE);

	/* 5 + 2^64 - 1 bytes end at byte 4 if the sum wraps: in page 0 too. */
	gm_bitmap_mark(bm, 0, 1);
	gm_bitmap_mark(bm, 5, TOP);
	EXPECT_TRUE(only_marked(bm, 0, 199));
	gm_bitmap_reset(bm);
	gm_bitmap_mark(bm, 7 * PAGE, 1);
	gm_bitmap_mark(bm, 7 * PAGE + 100, TOP - 50);
	EXPECT_TRUE(only_marked(bm, 7, 199));
	gm_bitmap_put(bm);
}

TEST(single_pages_are_set_and_cleared)
{
	static const uint64_t pages[] = { 0, 1, 63, 64, 127, 128, 200 };
	struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		gm_bitmap_set_page(bm, pages[i]);
		EXPECT_TRUE(only_marked(bm, pages[i], pages[i]));
		gm_bitmap_set_page(bm, pages[i]);
		gm_bitmap_clear_page(bm, pages[i]);
		EXPECT_TRUE(only_marked(bm, 1, 0));
		gm_bitmap_clear_page(bm, pages[i]);
	}
	gm_bitmap_put(bm);
}

TEST(pages_out_of_range_are_clear_and_ignored)
{
	static const uint64_t pages[] = { PAGES, PAGES + 1, 255, 256, 1000, TOP };
	struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		gm_bitmap_set_page(bm, pages[i]);
		EXPECT_FALSE(gm_bitmap_test_page(bm, pages[i]));
		EXPECT_FALSE(gm_bitmap_test(bm, pages[i] * PAGE));
		EXPECT_TRUE(only_marked(bm, 1, 0));
	}
	gm_bitmap_mark(bm, 0, TOP);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		gm_bitmap_clear_page(bm, pages[i]);
		EXPECT_FALSE(gm_bitmap_test_page(bm, pages[i]));
	}
	EXPECT_FALSE(gm_bitmap_test(bm, TOP));
	EXPECT_TRUE(only_marked(bm, 0, PAGES - 1));
	gm_bitmap_put(bm);
}

TEST(empty_bitmap_ignores_all)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, 0, PAGE);
	uint64_t word = 5;

	gm_bitmap_mark(bm, 0, 1);
	gm_bitmap_mark(bm, 0, TOP);
	gm_bitmap_set_page(bm, 0);
	gm_bitmap_clear_page(bm, 0);
	gm_bitmap_clear(bm, 0, TOP);
	gm_bitmap_reset(bm);
	EXPECT_FALSE(gm_bitmap_test(bm, 0));
	EXPECT_EQ(0, gm_bitmap_take(bm, &word, 1));
	EXPECT_EQ(0, gm_bitmap_take(bm, NULL, 0));
	EXPECT_EQ(5, word);
	gm_bitmap_put(bm);
}

TEST(enlarge_keeps_old_bits_and_new_ones_are_clear)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, 10 * PAGE + 1, PAGE);

	gm_bitmap_mark(bm, 3 * PAGE, 1);
	gm_bitmap_mark(bm, 10 * PAGE, 1);
	ASSERT_OK(gm_bitmap_enlarge(bm, 500 * PAGE));
	EXPECT_EQ(510 * PAGE + 1, gm_bitmap_bytes(bm));
	EXPECT_EQ(511, gm_bitmap_pages(bm));
	EXPECT_EQ(PAGE, gm_bitmap_page_size(bm));
	for (uint64_t p = 0; p < 511; p++)
		EXPECT_EQ(p == 3 || p == 10, gm_bitmap_test_page(bm, p));
	gm_bitmap_mark(bm, 510 * PAGE, 1);
	EXPECT_TRUE(gm_bitmap_test_page(bm, 510));
	/* Bytes that fit into the last page need no new one. */
	ASSERT_OK(gm_bitmap_enlarge(bm, 5));
	EXPECT_EQ(511, gm_bitmap_pages(bm));
	EXPECT_EQ(510 * PAGE + 6, gm_bitmap_bytes(bm));
	ASSERT_OK(gm_bitmap_enlarge(bm, 0));
	EXPECT_EQ(510 * PAGE + 6, gm_bitmap_bytes(bm));
	gm_bitmap_put(bm);
}

TEST(enlarge_from_empty_works)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, 0, PAGE);

	ASSERT_OK(gm_bitmap_enlarge(bm, 2 * PAGE));
	gm_bitmap_mark(bm, PAGE, 1);
	EXPECT_TRUE(only_marked(bm, 1, 1));
	gm_bitmap_put(bm);
}

TEST(failed_enlarge_changes_nothing)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, 100, 1);

	gm_bitmap_mark(bm, 99, 1);
	EXPECT_FAIL(gm_bitmap_enlarge(bm, TOP), EOVERFLOW, GM_ERR_OVERFLOW, 100,
		    TOP, 0, 0);
	EXPECT_FAIL(gm_bitmap_enlarge(bm, TOP - 99), EOVERFLOW, GM_ERR_OVERFLOW,
		    100, TOP - 99, 0, 0);
	EXPECT_FAIL_KIND(gm_bitmap_enlarge(bm, TOP - 100), ENOMEM, GM_ERR_MEMORY);
	EXPECT_EQ(100, gm_bitmap_bytes(bm));
	EXPECT_EQ(100, gm_bitmap_pages(bm));
	EXPECT_TRUE(only_marked(bm, 99, 99));
	gm_bitmap_put(bm);
}

TEST(clone_is_a_copy_of_this_moment)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, 2 * PAGE), *copy;

	gm_bitmap_mark(bm, 5 * 2 * PAGE, 1);
	ASSERT_OK(gm_bitmap_clone(bm, &copy));
	EXPECT_NE(bm, copy);
	EXPECT_EQ(BYTES, gm_bitmap_bytes(copy));
	EXPECT_EQ(101, gm_bitmap_pages(copy));
	EXPECT_EQ(2 * PAGE, gm_bitmap_page_size(copy));
	EXPECT_TRUE(only_marked(copy, 5, 5));
	gm_bitmap_mark(bm, 100 * 2 * PAGE, 1);
	gm_bitmap_mark(copy, 6 * 2 * PAGE, 1);
	EXPECT_FALSE(gm_bitmap_test_page(copy, 100));
	EXPECT_FALSE(gm_bitmap_test_page(bm, 6));
	gm_bitmap_put(bm);
	EXPECT_TRUE(only_marked(copy, 5, 6));
	gm_bitmap_put(copy);
}

TEST(take_gives_all_bits_once)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);
	uint64_t words[6] = { 7, 7, 7, 7, 7, 7 };

	gm_bitmap_mark(bm, 0, 1);
	gm_bitmap_mark(bm, 63 * PAGE, 2 * PAGE);
	gm_bitmap_mark(bm, 200 * PAGE, 1);
	EXPECT_EQ(4, gm_bitmap_take(bm, words, 6));
	EXPECT_EQ(UINT64_C(1) << 63 | 1, words[0]);
	EXPECT_EQ(1, words[1]);
	EXPECT_EQ(0, words[2]);
	EXPECT_EQ(1 << (200 - 192), words[3]);
	EXPECT_EQ(7, words[4]);
	EXPECT_TRUE(only_marked(bm, 1, 0));
	EXPECT_EQ(4, gm_bitmap_take(bm, words, 4));
	EXPECT_EQ(0, words[0] | words[1] | words[2] | words[3]);
	gm_bitmap_put(bm);
}

TEST(take_of_all_pages_has_no_bit_past_the_end)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);
	uint64_t words[4];

	gm_bitmap_mark(bm, 0, TOP);
	EXPECT_EQ(4, gm_bitmap_take(bm, words, 4));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(TOP, words[i]);
	EXPECT_EQ((1 << (PAGES - 192)) - 1, words[3]);
	gm_bitmap_put(bm);
}

TEST(take_without_room_clears_nothing)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);
	uint64_t words[4] = { 7, 7, 7, 7 };

	gm_bitmap_mark(bm, 0, BYTES);
	EXPECT_FAIL(gm_bitmap_take(bm, words, 3), EMSGSIZE, GM_ERR_ARRAY_SMALL,
		    0, 0, 4, 3);
	EXPECT_FAIL(gm_bitmap_take(bm, NULL, 0), EMSGSIZE, GM_ERR_ARRAY_SMALL,
		    0, 0, 4, 0);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(7, words[i]);
	EXPECT_TRUE(only_marked(bm, 0, PAGES - 1));
	gm_bitmap_put(bm);
}

TEST(reset_clears_all)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, BYTES, PAGE);

	gm_bitmap_mark(bm, 0, BYTES);
	gm_bitmap_reset(bm);
	EXPECT_TRUE(only_marked(bm, 1, 0));
	gm_bitmap_mark(bm, PAGE, 1);
	EXPECT_TRUE(only_marked(bm, 1, 1));
	gm_bitmap_put(bm);
}

TEST_HARNESS_MAIN
