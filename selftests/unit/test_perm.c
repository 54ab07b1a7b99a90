/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * perm.h: each pair of rights.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/perm.h>

#define NO GM_PERM_NONE
#define RD GM_PERM_READ
#define WR GM_PERM_WRITE
#define RW GM_PERM_RW

/* The numbers are ABI: bindings of other languages pass them. */
TEST(numbers_are_bits_of_read_and_write)
{
	EXPECT_EQ(0, NO);
	EXPECT_EQ(1, RD);
	EXPECT_EQ(2, WR);
	EXPECT_EQ(3, RW);
}

TEST(allows_asks_for_every_wanted_right)
{
	static const bool allows[4][4] = {	/* [have][want] */
		[NO] = { [NO] = true },
		[RD] = { [NO] = true, [RD] = true },
		[WR] = { [NO] = true, [WR] = true },
		[RW] = { [NO] = true, [RD] = true, [WR] = true, [RW] = true },
	};

	for (unsigned int have = 0; have < 4; have++)
		for (unsigned int want = 0; want < 4; want++)
			EXPECT_EQ(allows[have][want],
				  gm_perm_allows((enum gm_perm)have,
						 (enum gm_perm)want));
}

TEST(has_write_is_true_of_write_and_both)
{
	EXPECT_FALSE(gm_perm_has_write(NO));
	EXPECT_FALSE(gm_perm_has_write(RD));
	EXPECT_TRUE(gm_perm_has_write(WR));
	EXPECT_TRUE(gm_perm_has_write(RW));
}

TEST(and_or_combine_as_sets)
{
	static const struct { enum gm_perm a, b, both, either; } rows[] = {
		{ NO, NO, NO, NO }, { NO, RD, NO, RD }, { NO, WR, NO, WR },
		{ NO, RW, NO, RW }, { RD, RD, RD, RD }, { RD, WR, NO, RW },
		{ RD, RW, RD, RW }, { WR, WR, WR, WR }, { WR, RW, WR, RW },
		{ RW, RW, RW, RW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].both, gm_perm_and(rows[i].a, rows[i].b));
		EXPECT_EQ(rows[i].both, gm_perm_and(rows[i].b, rows[i].a));
		EXPECT_EQ(rows[i].either, gm_perm_or(rows[i].a, rows[i].b));
		EXPECT_EQ(rows[i].either, gm_perm_or(rows[i].b, rows[i].a));
	}
}

TEST_HARNESS_MAIN
