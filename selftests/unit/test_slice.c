/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice.h: making and narrowing slices, bounds, guards. Access through them:
 * test_slice_access.c, test_slice_copy.c; on demand: test_slice_ondemand.c.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/mmap.h>
#include <guestmem/ref.h>
#include "expect.h"

#define TOP UINT64_MAX
#define PAGE 4096

TEST(new_slice_covers_raw_memory_without_bitmap)
{
	uint8_t mem[100];
	struct gm_slice s = gm_slice_new(mem, 100), empty = gm_slice_new(mem, 0);

	EXPECT_EQ(&mem[0], s.host);
	EXPECT_EQ(100, gm_slice_len(s));
	EXPECT_FALSE(gm_slice_is_empty(s));
	EXPECT_EQ(NULL, s.dirty);
	EXPECT_EQ(NULL, gm_slice_bitmap(s).bm);
	EXPECT_EQ(GM_PERM_RW, gm_slice_perm(s));
	EXPECT_EQ(0, gm_slice_len(empty));
	EXPECT_TRUE(gm_slice_is_empty(empty));
}

TEST(new_slice_with_bitmap_marks_from_its_offset)
{
	struct gm_bitmap *bm;
	struct gm_slice s;
	uint8_t mem[100];

	ASSERT_OK(gm_bitmap_new(1000, 1, &bm));
	s = gm_slice_new_dirty(mem, 100, bm, 500);
	EXPECT_EQ(bm, gm_slice_bitmap(s).bm);
	EXPECT_EQ(500, gm_slice_bitmap(s).off);
	EXPECT_EQ(GM_PERM_RW, gm_slice_perm(s));
	EXPECT_EQ(0, gm_slice_write_u8(s, 99, 1));
	EXPECT_TRUE(gm_bitmap_test_page(bm, 599));
	s = gm_slice_new_dirty(mem, 100, NULL, 500);
	EXPECT_EQ(NULL, gm_slice_bitmap(s).bm);
	gm_bitmap_put(bm);
}

TEST(bitmap_offset_that_overflows_leaves_slice_without_bitmap)
{
	struct gm_bitmap *bm;
	uint8_t mem[100];

	ASSERT_OK(gm_bitmap_new(1000, 1, &bm));
	EXPECT_EQ(bm, gm_slice_new_dirty(mem, 100, bm, TOP - 100).dirty);
	EXPECT_EQ(NULL, gm_slice_new_dirty(mem, 100, bm, TOP - 99).dirty);
	EXPECT_EQ(NULL, gm_slice_new_dirty(mem, 100, bm, TOP).dirty);
	EXPECT_EQ(0, gm_slice_write_u8(gm_slice_new_dirty(mem, 100, bm, TOP - 9), 20, 1));
	for (uint64_t i = 0; i < 1000; i++)
		EXPECT_FALSE(gm_bitmap_test_page(bm, i));
	gm_bitmap_put(bm);
}

TEST(read_only_region_gives_read_only_slice_without_bitmap)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	struct gm_region *r;
	struct gm_slice s, sub;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &opts, &r));
	s = gm_region_as_slice(r);
	EXPECT_EQ(GM_PERM_READ, gm_slice_perm(s));
	EXPECT_EQ(NULL, gm_slice_bitmap(s).bm);
	ASSERT_OK(gm_slice_sub(s, 8, 8, &sub));
	EXPECT_EQ(GM_PERM_READ, gm_slice_perm(sub));
	gm_region_put(r);
}

TEST(compute_offset_adds_or_says_overflow)
{
	uint64_t out = 77;

	EXPECT_FAIL(gm_compute_offset(TOP, 1, &out), EOVERFLOW, GM_ERR_OVERFLOW,
		    TOP, 1, 0, 0);
	EXPECT_FAIL(gm_compute_offset(2, TOP - 1, &out), EOVERFLOW,
		    GM_ERR_OVERFLOW, 2, TOP - 1, 0, 0);
	EXPECT_EQ(77, out);
	EXPECT_EQ(0, gm_compute_offset(TOP - 1, 1, &out));
	EXPECT_EQ(TOP, out);
	EXPECT_EQ(0, gm_compute_offset(0, 0, &out));
	EXPECT_EQ(0, out);
}

/* Ranges in a slice of 100 bytes. */
static const struct bound { uint64_t off, n; int err; } bounds[] = {
	{ 0, 0, 0 }, { 0, 100, 0 }, { 100, 0, 0 }, { 99, 1, 0 }, { 40, 20, 0 },
	{ 0, 101, ERANGE }, { 100, 1, ERANGE }, { 101, 0, ERANGE },
	{ 99, 2, ERANGE }, { TOP, 0, ERANGE }, { 0, TOP, ERANGE },
	{ 50, TOP - 50, ERANGE },
	{ 50, TOP - 49, EOVERFLOW }, { TOP, 1, EOVERFLOW },
	{ TOP, TOP, EOVERFLOW }, { 1, TOP, EOVERFLOW }, { 100, TOP, EOVERFLOW },
};

/* What such a range must have failed with. */
#define EXPECT_BOUND(b, call) do { \
	if ((b)->err == EOVERFLOW) \
		EXPECT_FAIL(call, EOVERFLOW, GM_ERR_OVERFLOW, (b)->off, (b)->n, 0, 0); \
	else \
		EXPECT_FAIL(call, ERANGE, GM_ERR_OUT_OF_BOUNDS, (b)->off, (b)->n, 100, 0); \
} while (0)

TEST(offset_plus_size_never_wraps)
{
	uint8_t mem[100];
	struct gm_slice s = gm_slice_new(mem, 100);

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		const struct bound *b = &bounds[i];
		struct gm_slice sub = gm_slice_new(mem + 1, 2);
		uint64_t end = 77;
		void *p = NULL;

		if (b->err) {
			EXPECT_BOUND(b, gm_slice_compute_end(s, b->off, b->n, &end));
			EXPECT_EQ(77, end);
			EXPECT_BOUND(b, gm_slice_sub(s, b->off, b->n, &sub));
			EXPECT_EQ(mem + 1, sub.host);
			EXPECT_EQ(2, sub.len);
			EXPECT_BOUND(b, gm_slice_aligned_ptr(s, b->off, b->n, 1, &p));
			EXPECT_EQ(NULL, p);
			continue;
		}
		EXPECT_EQ(0, gm_slice_compute_end(s, b->off, b->n, &end));
		EXPECT_EQ(b->off + b->n, end);
		EXPECT_EQ(0, gm_slice_sub(s, b->off, b->n, &sub));
		EXPECT_EQ(mem + b->off, sub.host);
		EXPECT_EQ(b->n, sub.len);
		EXPECT_EQ(0, gm_slice_aligned_ptr(s, b->off, b->n, 1, &p));
		EXPECT_EQ(mem + b->off, p);
	}
}

TEST(offset_leaves_out_the_first_bytes)
{
	static const uint64_t bad[] = { 101, 1000, TOP };
	uint8_t mem[100];
	struct gm_slice s = gm_slice_new(mem, 100), rest = { NULL, 5, { NULL }, 6 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_FAIL(gm_slice_offset(s, bad[i], &rest), ERANGE,
			    GM_ERR_OUT_OF_BOUNDS, bad[i], 0, 100, 0);
		EXPECT_EQ(5, rest.len);
		EXPECT_EQ(6, rest.off);
	}
	for (uint64_t off = 0; off <= 100; off += 25) {
		EXPECT_EQ(0, gm_slice_offset(s, off, &rest));
		EXPECT_EQ(mem + off, rest.host);
		EXPECT_EQ(100 - off, rest.len);
	}
	EXPECT_TRUE(gm_slice_is_empty(rest));
}

TEST(split_cuts_in_two)
{
	uint8_t mem[100];
	struct gm_slice s = gm_slice_new(mem, 100);
	struct gm_slice head = gm_slice_new(mem, 3), tail = gm_slice_new(mem, 4);

	EXPECT_FAIL(gm_slice_split(s, 101, &head, &tail), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 101, 0, 100, 0);
	EXPECT_FAIL(gm_slice_split(s, TOP, &head, &tail), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, TOP, 0, 100, 0);
	EXPECT_EQ(3, head.len);
	EXPECT_EQ(4, tail.len);
	for (uint64_t mid = 0; mid <= 100; mid += 20) {
		EXPECT_EQ(0, gm_slice_split(s, mid, &head, &tail));
		EXPECT_EQ(&mem[0], head.host);
		EXPECT_EQ(mid, head.len);
		EXPECT_EQ(mem + mid, tail.host);
		EXPECT_EQ(100 - mid, tail.len);
	}
}

TEST(bitmap_follows_narrowed_slices)
{
	struct gm_slice s, sub, rest, head, tail;
	struct gm_bitmap *bm;
	uint8_t mem[100];

	ASSERT_OK(gm_bitmap_new(1000, 1, &bm));
	s = gm_slice_new_dirty(mem, 100, bm, 200);
	ASSERT_OK(gm_slice_sub(s, 10, 80, &sub));
	ASSERT_OK(gm_slice_offset(sub, 5, &rest));
	ASSERT_OK(gm_slice_split(rest, 7, &head, &tail));
	EXPECT_EQ(bm, gm_slice_bitmap(sub).bm);
	EXPECT_EQ(210, gm_slice_bitmap(sub).off);
	EXPECT_EQ(215, gm_slice_bitmap(rest).off);
	EXPECT_EQ(215, gm_slice_bitmap(head).off);
	EXPECT_EQ(bm, gm_slice_bitmap(tail).bm);
	EXPECT_EQ(222, gm_slice_bitmap(tail).off);
	EXPECT_EQ(0, gm_slice_write_u16(tail, 1, 0x1234));
	for (uint64_t i = 0; i < 1000; i++)
		EXPECT_EQ(i == 223 || i == 224, gm_bitmap_test_page(bm, i));
	gm_bitmap_put(bm);
}

TEST(mark_ignores_what_is_outside_of_slice)
{
	static const struct { uint64_t off, n, first, count; } rows[] = {
		{ 0, 1, 0, 1 }, { 0, 20, 0, 20 }, { 19, 1, 19, 1 },
		{ 10, 100, 10, 10 }, { 0, TOP, 0, 20 }, { 19, TOP, 19, 1 },
		{ 20, 1, 0, 0 }, { TOP, TOP, 0, 0 }, { 5, 0, 0, 0 },
	};
	struct gm_bitmap *bm;
	uint8_t mem[20];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_OK(gm_bitmap_new(100, 1, &bm));
		gm_slice_mark(gm_slice_new_dirty(mem, 20, bm, 30), rows[i].off,
			      rows[i].n);
		for (uint64_t b = 0; b < 100; b++)
			EXPECT_EQ(b - 30 - rows[i].first < rows[i].count,
				  gm_bitmap_test_page(bm, b));
		gm_bitmap_put(bm);
	}
	gm_slice_mark(gm_slice_new(mem, 20), 0, 20);
}

TEST(guard_of_direct_slice_is_its_memory)
{
	uint8_t mem[100];
	struct gm_guard g;

	ASSERT_EQ(0, gm_slice_begin(gm_slice_new(mem, 100), GM_PERM_RW, &g));
	EXPECT_EQ(&mem[0], g.ptr);
	EXPECT_EQ(100, g.len);
	EXPECT_EQ(NULL, g.region);
	gm_guard_end(&g);
	EXPECT_EQ(NULL, g.ptr);
	ASSERT_EQ(0, gm_slice_begin(gm_slice_new(mem, 0), GM_PERM_READ, &g));
	EXPECT_EQ(0, g.len);
	gm_guard_end(&g);
}

TEST(guard_for_writing_to_read_only_memory_is_refused)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	struct gm_guard g = { .len = 77 };
	struct gm_region *r;
	struct gm_slice s;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x1000), PAGE, &opts, &r));
	ASSERT_OK(gm_slice_sub(gm_region_as_slice(r), 16, 32, &s));
	EXPECT_FAIL(gm_slice_begin(s, GM_PERM_WRITE, &g), EACCES,
		    GM_ERR_PERMISSION, 16, 32, 0, 0);
	EXPECT_FAIL(gm_slice_begin(s, GM_PERM_RW, &g), EACCES,
		    GM_ERR_PERMISSION, 16, 32, 0, 0);
	EXPECT_EQ(77, g.len);
	ASSERT_OK(gm_slice_begin(s, GM_PERM_READ, &g));
	EXPECT_EQ(s.host, g.ptr);
	gm_guard_end(&g);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
