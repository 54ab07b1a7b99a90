/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bitmap.h: a caller's own tracker, and bitmaps seen from an offset.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/slice_access.h>
#include "expect.h"

#define TOP UINT64_MAX

/* A tracker that keeps the list of what it was told. */
struct log {
	struct gm_bitmap bm;
	struct { uint64_t off, len; } marks[64];
	int count;
	int released;
};

static void log_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	struct log *log = bm->ctx;

	log->marks[log->count].off = off;
	log->marks[log->count].len = len;
	log->count++;
}

static bool log_test(const struct gm_bitmap *bm, uint64_t off)
{
	const struct log *log = bm->ctx;

	for (int i = 0; i < log->count; i++)
		if (off >= log->marks[i].off &&
		    off - log->marks[i].off < log->marks[i].len)
			return true;
	return false;
}

static void log_release(struct gm_bitmap *bm)
{
	((struct log *)bm->ctx)->released++;
}

static const struct gm_bitmap_ops log_ops = { log_mark, log_test, log_release };

TEST(own_tracker_is_told_of_each_mark)
{
	struct log log = { .count = 0 };

	gm_bitmap_init_ops(&log.bm, &log_ops, 1000, &log);
	EXPECT_EQ(&log, log.bm.ctx);
	EXPECT_EQ(1000, gm_bitmap_bytes(&log.bm));
	gm_bitmap_mark(&log.bm, 10, 20);
	gm_bitmap_mark(&log.bm, 10, 20);
	gm_bitmap_mark(&log.bm, 500, 1);
	ASSERT_EQ(3, log.count);
	EXPECT_EQ(10, log.marks[1].off);
	EXPECT_EQ(20, log.marks[1].len);
	EXPECT_EQ(500, log.marks[2].off);
	EXPECT_EQ(1, log.marks[2].len);
	EXPECT_FALSE(gm_bitmap_test(&log.bm, 9));
	EXPECT_TRUE(gm_bitmap_test(&log.bm, 10));
	EXPECT_TRUE(gm_bitmap_test(&log.bm, 29));
	EXPECT_FALSE(gm_bitmap_test(&log.bm, 30));
}

TEST(own_tracker_is_never_told_of_nothing_or_of_overflow)
{
	struct log log = { .count = 0 };

	gm_bitmap_init_ops(&log.bm, &log_ops, TOP, &log);
	gm_bitmap_mark(&log.bm, 0, 0);
	gm_bitmap_mark(&log.bm, TOP, 0);
	EXPECT_EQ(0, log.count);
	gm_bitmap_mark(&log.bm, 0, TOP);
	gm_bitmap_mark(&log.bm, 1, TOP);
	gm_bitmap_mark(&log.bm, TOP - 1, 1);
	gm_bitmap_mark(&log.bm, TOP - 1, 2);
	gm_bitmap_mark(&log.bm, TOP - 5, TOP);
	gm_bitmap_mark(&log.bm, TOP, TOP);
	gm_bitmap_mark(&log.bm, TOP, 1);
	for (int i = 0; i < log.count; i++) {
		EXPECT_NE(0, log.marks[i].len);
		EXPECT_LE(log.marks[i].len, TOP - log.marks[i].off);
	}
	/* The last byte is told as the one before it. */
	ASSERT_EQ(7, log.count);
	EXPECT_EQ(TOP, log.marks[0].len);
	EXPECT_EQ(TOP - 1, log.marks[1].len);
	EXPECT_EQ(1, log.marks[2].len);
	EXPECT_EQ(1, log.marks[3].len);
	EXPECT_EQ(5, log.marks[4].len);
	EXPECT_EQ(TOP - 1, log.marks[5].off);
	EXPECT_EQ(TOP - 1, log.marks[6].off);
}

TEST(own_tracker_is_released_with_its_last_reference)
{
	static const struct gm_bitmap_ops no_release = { log_mark, log_test, NULL };
	struct log log = { .count = 0 };

	gm_bitmap_init_ops(&log.bm, &log_ops, 1, &log);
	EXPECT_EQ(&log.bm, gm_bitmap_get(&log.bm));
	gm_bitmap_put(&log.bm);
	EXPECT_EQ(0, log.released);
	gm_bitmap_put(&log.bm);
	EXPECT_EQ(1, log.released);

	gm_bitmap_init_ops(&log.bm, &no_release, 1, &log);
	gm_bitmap_put(&log.bm);
	EXPECT_EQ(1, log.released);
}

TEST(what_needs_words_is_refused_on_own_tracker)
{
	struct gm_bitmap *out = NULL;
	struct log log = { .count = 0 };
	uint64_t word = 7;

	gm_bitmap_init_ops(&log.bm, &log_ops, 64, &log);
	EXPECT_FAIL_KIND(gm_bitmap_clone(&log.bm, &out), EOPNOTSUPP, GM_ERR_OPTION);
	EXPECT_EQ(NULL, out);
	EXPECT_FAIL_KIND(gm_bitmap_enlarge(&log.bm, 1), EOPNOTSUPP, GM_ERR_OPTION);
	EXPECT_EQ(64, gm_bitmap_bytes(&log.bm));
	EXPECT_FAIL_KIND(gm_bitmap_take(&log.bm, &word, 1), EOPNOTSUPP,
			 GM_ERR_OPTION);
	EXPECT_EQ(7, word);
	EXPECT_FALSE(gm_bitmap_test_page(&log.bm, 0));
	EXPECT_EQ(0, log.count);
}

TEST(own_tracker_sees_writes_to_a_slice)
{
	struct log log = { .count = 0 };
	uint8_t mem[100];
	struct gm_slice s;

	gm_bitmap_init_ops(&log.bm, &log_ops, 1000, &log);
	s = gm_slice_new_dirty(mem, sizeof(mem), &log.bm, 300);
	EXPECT_EQ(0, gm_slice_write(s, 7, "abc", 3));
	EXPECT_EQ(0, gm_slice_store_u32(s, 96 - (uintptr_t)mem % 4, 1, GM_RELAXED));
	ASSERT_EQ(2, log.count);
	EXPECT_EQ(307, log.marks[0].off);
	EXPECT_EQ(3, log.marks[0].len);
	EXPECT_EQ(396 - (uintptr_t)mem % 4, log.marks[1].off);
	EXPECT_EQ(4, log.marks[1].len);
}

TEST(bitmap_slice_marks_and_tests_from_its_offset)
{
	struct gm_bitmap_slice s;
	struct gm_bitmap *bm;

	ASSERT_OK(gm_bitmap_new(1000, 1, &bm));
	s = gm_bitmap_slice_at(bm, 100);
	EXPECT_EQ(bm, s.bm);
	EXPECT_EQ(100, s.off);
	gm_bitmap_slice_mark(s, 5, 2);
	for (uint64_t i = 0; i < 1000; i++)
		EXPECT_EQ(i == 105 || i == 106, gm_bitmap_test_page(bm, i));
	EXPECT_FALSE(gm_bitmap_slice_test(s, 4));
	EXPECT_TRUE(gm_bitmap_slice_test(s, 5));
	EXPECT_TRUE(gm_bitmap_slice_test(s, 6));
	EXPECT_FALSE(gm_bitmap_slice_test(s, 7));
	/* Out of the bitmap: ignored, false. */
	gm_bitmap_slice_mark(s, 900, 1);
	EXPECT_FALSE(gm_bitmap_slice_test(s, 900));
	EXPECT_FALSE(gm_bitmap_slice_test(s, TOP));
	gm_bitmap_put(bm);
}

TEST(bitmap_slices_nest)
{
	struct gm_bitmap_slice s;
	struct gm_bitmap *bm;

	ASSERT_OK(gm_bitmap_new(1000, 1, &bm));
	s = gm_bitmap_slice_sub(gm_bitmap_slice_sub(gm_bitmap_slice_at(bm, 100), 20), 3);
	EXPECT_EQ(bm, s.bm);
	EXPECT_EQ(123, s.off);
	gm_bitmap_slice_mark(s, 0, 1);
	EXPECT_TRUE(gm_bitmap_test_page(bm, 123));
	EXPECT_TRUE(gm_bitmap_slice_test(s, 0));
	gm_bitmap_put(bm);
}

TEST(bitmap_slice_whose_offset_overflows_marks_nothing)
{
	struct gm_bitmap_slice s;
	struct gm_bitmap *bm;

	ASSERT_OK(gm_bitmap_new(64, 1, &bm));
	s = gm_bitmap_slice_at(bm, 10);
	gm_bitmap_slice_mark(s, TOP - 5, 3);
	EXPECT_FALSE(gm_bitmap_slice_test(s, TOP - 5));
	s = gm_bitmap_slice_sub(s, TOP);
	EXPECT_EQ(NULL, s.bm);
	gm_bitmap_slice_mark(s, 0, 64);
	for (uint64_t i = 0; i < 64; i++)
		EXPECT_FALSE(gm_bitmap_test_page(bm, i));
	gm_bitmap_put(bm);
}

TEST(bitmap_slice_without_bitmap_does_nothing)
{
	struct gm_bitmap_slice s = gm_bitmap_slice_at(NULL, 5);

	gm_bitmap_slice_mark(s, 0, TOP);
	EXPECT_FALSE(gm_bitmap_slice_test(s, 0));
	EXPECT_EQ(NULL, gm_bitmap_slice_sub(s, 3).bm);
}

/* A slice borrows; a reference makes the bitmap outlive its owner. */
TEST(counted_reference_lets_slice_outlive_owner)
{
	struct gm_bitmap_slice s;
	struct gm_bitmap *bm;

	ASSERT_OK(gm_bitmap_new(64, 1, &bm));
	s = gm_bitmap_slice_at(gm_bitmap_get(bm), 8);
	gm_bitmap_put(bm);
	gm_bitmap_slice_mark(s, 1, 1);
	EXPECT_TRUE(gm_bitmap_slice_test(s, 1));
	gm_bitmap_put(s.bm);
}

TEST_HARNESS_MAIN
