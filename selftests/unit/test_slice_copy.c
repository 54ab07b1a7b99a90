/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice_access.h: elements in and out, and from slice to slice.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/mmap.h>
#include <guestmem/slice_access.h>
#include "expect.h"

#define PAGE 4096
#define LEN 48
#define ROOM 128
#define FILL 0xee

static void count_up(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i + 1);
}

/* Are bytes [at, at + n) those at @from, and all others FILL? */
static bool holds_only(const uint8_t *room, size_t at, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < ROOM; i++)
		if (room[i] != (i >= at && i - at < n ? from[i - at] : FILL))
			return false;
	return true;
}

/* Sizes with a single access each, and others; the last larger than a slice. */
static const size_t elems[] = { 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 24, 47, 48, 49 };
static const size_t counts[] = { 0, 1, 2, 3, 6, 7, 12, 24, 48, 49, SIZE_MAX };

TEST(copy_to_gives_whole_elements_short_side_wins)
{
	_Alignas(8) uint8_t mem[ROOM], buf[ROOM];

	count_up(mem, ROOM);
	for (size_t e = 0; e < ARRAY_SIZE(elems); e++)
		for (size_t c = 0; c < ARRAY_SIZE(counts); c++)
			for (size_t mis = 0; mis < 4; mis++) {
				struct gm_slice s = gm_slice_new(mem + mis, LEN);
				size_t want = LEN / elems[e];

				if (counts[c] < want)
					want = counts[c];
				memset(buf, FILL, sizeof(buf));
				EXPECT_EQ(want, gm_slice_copy_to(s, buf + 1, elems[e],
								 counts[c]));
				EXPECT_TRUE(holds_only(buf, 1, mem + mis,
						       want * elems[e]));
			}
}

TEST(copy_from_takes_whole_elements_short_side_wins)
{
	_Alignas(8) uint8_t mem[ROOM], buf[ROOM];

	count_up(buf, ROOM);
	for (size_t e = 0; e < ARRAY_SIZE(elems); e++)
		for (size_t c = 0; c < ARRAY_SIZE(counts); c++)
			for (size_t mis = 8; mis < 12; mis++) {
				struct gm_slice s = gm_slice_new(mem + mis, LEN);
				size_t want = LEN / elems[e];

				if (counts[c] < want)
					want = counts[c];
				memset(mem, FILL, sizeof(mem));
				EXPECT_EQ(want, gm_slice_copy_from(s, buf + 1, elems[e],
								   counts[c]));
				EXPECT_TRUE(holds_only(mem, mis, buf + 1,
						       want * elems[e]));
			}
}

TEST(elements_of_size_zero_are_an_error)
{
	uint8_t mem[8] = { 1, 2, 3 }, buf[8] = { 9, 9, 9 };
	struct gm_slice s = gm_slice_new(mem, 8);

	EXPECT_FAIL(gm_slice_copy_to(s, buf, 0, 3), EINVAL, GM_ERR_SIZE, 0, 0, 0, 0);
	EXPECT_FAIL(gm_slice_copy_from(s, buf, 0, 3), EINVAL, GM_ERR_SIZE, 0, 0, 0, 0);
	EXPECT_EQ(1, mem[0]);
	EXPECT_EQ(9, buf[0]);
}

TEST(copy_of_empty_slice_is_nothing)
{
	uint8_t mem[8] = { 1 }, buf[8] = { 9 };
	struct gm_slice s = gm_slice_new(mem, 0);

	EXPECT_EQ(0, gm_slice_copy_to(s, buf, 4, 2));
	EXPECT_EQ(0, gm_slice_copy_from(s, buf, 4, 2));
	EXPECT_EQ(0, gm_slice_copy_to_slice(s, gm_slice_new(buf, 8)));
	EXPECT_EQ(0, gm_slice_copy_to_slice(gm_slice_new(buf, 8), s));
	EXPECT_EQ(1, mem[0]);
	EXPECT_EQ(9, buf[0]);
}

TEST(slice_to_slice_shorter_length_wins)
{
	uint8_t from[ROOM], to[ROOM];

	count_up(from, ROOM);
	for (size_t a = 1; a <= 40; a += 3)
		for (size_t b = 1; b <= 40; b += 3) {
			size_t want = a < b ? a : b;

			memset(to, FILL, sizeof(to));
			EXPECT_EQ(want, gm_slice_copy_to_slice(gm_slice_new(from + 1, a),
							       gm_slice_new(to + 3, b)));
			EXPECT_TRUE(holds_only(to, 3, from + 1, want));
		}
}

TEST(slice_to_slice_may_overlap_either_way)
{
	uint8_t mem[ROOM], want[ROOM];

	for (size_t n = 1; n <= 64; n++)
		for (size_t from = 0; from < 24; from += 3)
			for (size_t to = 0; to < 24; to += 3) {
				count_up(mem, ROOM);
				memcpy(want, mem, ROOM);
				memmove(want + to, want + from, n);
				EXPECT_EQ(n, gm_slice_copy_to_slice(
						gm_slice_new(mem + from, n),
						gm_slice_new(mem + to, n)));
				EXPECT_EQ(0, memcmp(want, mem, ROOM));
			}
}

TEST(copies_into_read_only_memory_are_refused)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	uint8_t buf[LEN] = { 9 };
	struct gm_region *r;
	struct gm_slice s;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &opts, &r));
	ASSERT_OK(gm_slice_sub(gm_region_as_slice(r), 16, 32, &s));
	EXPECT_FAIL(gm_slice_copy_from(s, buf, 4, 5), EACCES, GM_ERR_PERMISSION,
		    16, 20, 0, 0);
	EXPECT_FAIL(gm_slice_copy_to_slice(gm_slice_new(buf, 10), s), EACCES,
		    GM_ERR_PERMISSION, 16, 10, 0, 0);
	EXPECT_EQ(8, gm_slice_copy_to(s, buf, 4, 12));
	EXPECT_EQ(0, buf[0]);
	buf[0] = 9;
	EXPECT_EQ(10, gm_slice_copy_to_slice(s, gm_slice_new(buf, 10)));
	EXPECT_EQ(0, buf[0]);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
