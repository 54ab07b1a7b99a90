/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * addr.h: each check is made for the three kinds of address.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/addr.h>

#define EACH_KIND(check) do { \
	check(gpa); \
	check(iova); \
	check(roff); \
} while (0)

#define TOP UINT64_MAX
#define SENTINEL UINT64_C(0x5e5e5e5e5e5e5e5e)

TEST(raw_number_survives_round_trip)
{
	static const uint64_t raws[] = { 0, 1, 0xdeadbeef, UINT64_C(1) << 63, TOP };

#define CHECK(k) do { \
	for (size_t i = 0; i < ARRAY_SIZE(raws); i++) \
		EXPECT_EQ(raws[i], gm_##k##_raw(gm_##k(raws[i]))); \
	EXPECT_EQ(8, sizeof(gm_##k##_t)); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(guest_size_is_unsigned_64_bits)
{
	EXPECT_EQ(8, sizeof(gm_size_t));
	EXPECT_GT((gm_size_t)-1, 0);
}

TEST(mask_gives_number_and_and_or_give_address)
{
#define CHECK(k) do { \
	gm_##k##_t a = gm_##k(0x12345678); \
	EXPECT_EQ(0x678, gm_##k##_mask(a, 0xfff)); \
	EXPECT_EQ(0, gm_##k##_mask(a, 0)); \
	EXPECT_EQ(0x12345678, gm_##k##_mask(a, TOP)); \
	EXPECT_EQ(0x12345000, gm_##k##_raw(gm_##k##_and(a, ~UINT64_C(0xfff)))); \
	EXPECT_EQ(0, gm_##k##_raw(gm_##k##_and(a, 0))); \
	EXPECT_EQ(0x1234567f, gm_##k##_raw(gm_##k##_or(a, 0xf))); \
	EXPECT_EQ(TOP, gm_##k##_raw(gm_##k##_or(a, TOP))); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(addresses_are_ordered_as_unsigned_numbers)
{
#define CHECK(k) do { \
	EXPECT_LT(gm_##k##_cmp(gm_##k(1), gm_##k(2)), 0); \
	EXPECT_GT(gm_##k##_cmp(gm_##k(2), gm_##k(1)), 0); \
	EXPECT_EQ(0, gm_##k##_cmp(gm_##k(7), gm_##k(7))); \
	EXPECT_LT(gm_##k##_cmp(gm_##k(0), gm_##k(TOP)), 0); \
	EXPECT_GT(gm_##k##_cmp(gm_##k(TOP), gm_##k(TOP >> 1)), 0); \
	EXPECT_TRUE(gm_##k##_eq(gm_##k(TOP), gm_##k(TOP))); \
	EXPECT_FALSE(gm_##k##_eq(gm_##k(0), gm_##k(UINT64_C(1) << 32))); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(default_address_is_zero)
{
	static gm_gpa_t gpa;
	static gm_iova_t iova;
	static gm_roff_t roff;

	EXPECT_TRUE(gm_gpa_eq(gpa, gm_gpa(0)));
	EXPECT_TRUE(gm_iova_eq(iova, gm_iova(0)));
	EXPECT_TRUE(gm_roff_eq(roff, gm_roff(0)));
}

TEST(add_overflow_is_error_and_leaves_out_alone)
{
#define CHECK(k) do { \
	gm_##k##_t out = gm_##k(SENTINEL); \
	EXPECT_TRUE(gm_##k##_add(gm_##k(TOP), 1, &out)); \
	EXPECT_TRUE(gm_##k##_add(gm_##k(1), TOP, &out)); \
	EXPECT_TRUE(gm_##k##_add(gm_##k(TOP), TOP, &out)); \
	EXPECT_EQ(SENTINEL, gm_##k##_raw(out)); \
	EXPECT_FALSE(gm_##k##_add(gm_##k(TOP - 1), 1, &out)); \
	EXPECT_EQ(TOP, gm_##k##_raw(out)); \
	EXPECT_FALSE(gm_##k##_add(gm_##k(TOP), 0, &out)); \
	EXPECT_EQ(TOP, gm_##k##_raw(out)); \
	EXPECT_FALSE(gm_##k##_add(gm_##k(0x1000), 0x234, &out)); \
	EXPECT_EQ(0x1234, gm_##k##_raw(out)); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(sub_underflow_is_error_and_leaves_out_alone)
{
#define CHECK(k) do { \
	gm_##k##_t out = gm_##k(SENTINEL); \
	EXPECT_TRUE(gm_##k##_sub(gm_##k(0), 1, &out)); \
	EXPECT_TRUE(gm_##k##_sub(gm_##k(TOP - 1), TOP, &out)); \
	EXPECT_EQ(SENTINEL, gm_##k##_raw(out)); \
	EXPECT_FALSE(gm_##k##_sub(gm_##k(TOP), TOP, &out)); \
	EXPECT_EQ(0, gm_##k##_raw(out)); \
	EXPECT_FALSE(gm_##k##_sub(gm_##k(0x1234), 0x34, &out)); \
	EXPECT_EQ(0x1200, gm_##k##_raw(out)); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(offset_from_higher_base_is_error_not_wrapped_value)
{
#define CHECK(k) do { \
	uint64_t out = SENTINEL; \
	EXPECT_TRUE(gm_##k##_offset_from(gm_##k(0xfff), gm_##k(0x1000), &out)); \
	EXPECT_TRUE(gm_##k##_offset_from(gm_##k(0), gm_##k(TOP), &out)); \
	EXPECT_EQ(SENTINEL, out); \
	EXPECT_FALSE(gm_##k##_offset_from(gm_##k(0x1234), gm_##k(0x1000), &out)); \
	EXPECT_EQ(0x234, out); \
	EXPECT_FALSE(gm_##k##_offset_from(gm_##k(TOP), gm_##k(0), &out)); \
	EXPECT_EQ(TOP, out); \
	EXPECT_FALSE(gm_##k##_offset_from(gm_##k(TOP), gm_##k(TOP), &out)); \
	EXPECT_EQ(0, out); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(align_up_refuses_bad_alignment_and_overflow)
{
#define CHECK(k) do { \
	gm_##k##_t out = gm_##k(SENTINEL); \
	EXPECT_TRUE(gm_##k##_align_up(gm_##k(8), 0, &out)); \
	EXPECT_TRUE(gm_##k##_align_up(gm_##k(8), 3, &out)); \
	EXPECT_TRUE(gm_##k##_align_up(gm_##k(8), 12, &out)); \
	EXPECT_TRUE(gm_##k##_align_up(gm_##k(8), TOP, &out)); \
	EXPECT_TRUE(gm_##k##_align_up(gm_##k(TOP), 2, &out)); \
	EXPECT_TRUE(gm_##k##_align_up(gm_##k(TOP - 0xffe), 0x1000, &out)); \
	EXPECT_TRUE(gm_##k##_align_up(gm_##k((UINT64_C(1) << 63) + 1), \
				      UINT64_C(1) << 63, &out)); \
	EXPECT_EQ(SENTINEL, gm_##k##_raw(out)); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(align_up_gives_next_multiple)
{
	static const struct { uint64_t a, align, up; } rows[] = {
		{ 0, 1, 0 }, { 1, 1, 1 }, { TOP, 1, TOP },
		{ 0, 0x1000, 0 }, { 1, 0x1000, 0x1000 },
		{ 0xfff, 0x1000, 0x1000 }, { 0x1000, 0x1000, 0x1000 },
		{ 0x1001, 0x1000, 0x2000 }, { 5, 2, 6 },
		{ TOP - 0xfff, 0x1000, TOP - 0xfff },
		{ TOP - 0x1000, 0x1000, TOP - 0xfff },
		{ 1, UINT64_C(1) << 63, UINT64_C(1) << 63 },
	};

#define CHECK(k) do { \
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) { \
		gm_##k##_t a = gm_##k(rows[i].a), out = gm_##k(SENTINEL); \
		EXPECT_FALSE(gm_##k##_align_up(a, rows[i].align, &out)); \
		EXPECT_EQ(rows[i].up, gm_##k##_raw(out)); \
		EXPECT_EQ(rows[i].up, gm_##k##_raw( \
			gm_##k##_align_up_unchecked(a, rows[i].align))); \
	} \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(wrapping_add_and_sub_give_result_and_flag)
{
#define CHECK(k) do { \
	gm_##k##_t out = gm_##k(SENTINEL); \
	EXPECT_TRUE(gm_##k##_wrapping_add(gm_##k(TOP), 5, &out)); \
	EXPECT_EQ(4, gm_##k##_raw(out)); \
	EXPECT_TRUE(gm_##k##_wrapping_add(gm_##k(TOP), TOP, &out)); \
	EXPECT_EQ(TOP - 1, gm_##k##_raw(out)); \
	EXPECT_FALSE(gm_##k##_wrapping_add(gm_##k(TOP - 5), 5, &out)); \
	EXPECT_EQ(TOP, gm_##k##_raw(out)); \
	EXPECT_TRUE(gm_##k##_wrapping_sub(gm_##k(4), 5, &out)); \
	EXPECT_EQ(TOP, gm_##k##_raw(out)); \
	EXPECT_FALSE(gm_##k##_wrapping_sub(gm_##k(5), 5, &out)); \
	EXPECT_EQ(0, gm_##k##_raw(out)); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST(unchecked_forms_give_plain_results)
{
#define CHECK(k) do { \
	EXPECT_EQ(0x1234, gm_##k##_raw( \
		gm_##k##_add_unchecked(gm_##k(0x1000), 0x234))); \
	EXPECT_EQ(TOP, gm_##k##_raw( \
		gm_##k##_add_unchecked(gm_##k(TOP - 1), 1))); \
	EXPECT_EQ(0x1000, gm_##k##_raw( \
		gm_##k##_sub_unchecked(gm_##k(0x1234), 0x234))); \
	EXPECT_EQ(0x234, gm_##k##_offset_from_unchecked(gm_##k(0x1234), \
							gm_##k(0x1000))); \
	EXPECT_EQ(TOP, gm_##k##_offset_from_unchecked(gm_##k(TOP), gm_##k(0))); \
} while (0)
	EACH_KIND(CHECK);
#undef CHECK
}

TEST_HARNESS_MAIN
