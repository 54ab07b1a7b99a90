/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_region_own.c - making regions of a caller's own kind: what is refused,
 * the end of the address space, who holds what, and backends that misbehave.
 */
/* gm-test: windows */
#include <string.h>
#include <guestmem/region.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"

TEST(init_refuses)
{
	struct gm_region_ops ops = own_region_ops;
	struct gm_region r;
	uint8_t mem[16];

	EXPECT_FAIL(gm_region_init(&r, gm_gpa(0), 0, mem, NULL, &ops), EINVAL,
		    GM_ERR_ZERO_LENGTH, 0, 0, 0, 0);
	EXPECT_FAIL(gm_region_init(&r, gm_gpa(UINT64_MAX), 2, mem, NULL, &ops),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX, 2, 0, 0);
	EXPECT_FAIL(gm_region_init(&r, gm_gpa(2), UINT64_MAX, mem, NULL, &ops),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, 2, UINT64_MAX, 0, 0);
	EXPECT_FAIL(gm_region_init(&r, gm_gpa(0), -(uintptr_t)mem + 1, mem, NULL,
				   &ops),
		    EOVERFLOW, GM_ERR_OVERFLOW, (uintptr_t)mem,
		    -(uintptr_t)mem + 1, 0, 0);
	ops.begin = NULL;
	EXPECT_FAIL_KIND(gm_region_init(&r, gm_gpa(0), 16, mem, NULL, &ops),
			 EINVAL, GM_ERR_OPTION);
	ops = own_region_ops;
	ops.end = NULL;
	EXPECT_FAIL_KIND(gm_region_init(&r, gm_gpa(0), 16, mem, NULL, &ops),
			 EINVAL, GM_ERR_OPTION);
	ops = own_region_ops;
	ops.release = NULL;
	EXPECT_FAIL_KIND(gm_region_init(&r, gm_gpa(0), 16, mem, NULL, &ops),
			 EINVAL, GM_ERR_OPTION);
}

TEST(region_ends_exactly_at_two_to_the_64)
{
	uint8_t mem[16] = { 0 };
	struct own_region own;
	gm_roff_t off;
	uint64_t v = 1;

	ASSERT_OK(own_region_init_direct(&own, UINT64_MAX - 15, 16, mem, NULL));
	EXPECT_EQ(UINT64_MAX, gm_gpa_raw(gm_region_last(&own.r)));
	EXPECT_TRUE(gm_region_contains(&own.r, gm_gpa(UINT64_MAX)));
	EXPECT_TRUE(gm_region_contains(&own.r, gm_gpa(UINT64_MAX - 15)));
	EXPECT_FALSE(gm_region_contains(&own.r, gm_gpa(UINT64_MAX - 16)));
	EXPECT_FALSE(gm_region_contains(&own.r, gm_gpa(0)));
	EXPECT_EQ(0, gm_region_to_offset(&own.r, gm_gpa(UINT64_MAX), &off));
	EXPECT_EQ(15, gm_roff_raw(off));
	EXPECT_EQ(0, gm_region_write(&own.r, gm_roff(8), &v, 8));
	EXPECT_EQ(NULL, gm_region_bitmap(&own.r));
	gm_region_put(&own.r);
	EXPECT_EQ(1, own.released);
	/* All of the space but its last byte: the longest that 64 bits can say. */
	ASSERT_OK(own_region_init_on_demand(&own, 0, UINT64_MAX, mem, NULL));
	EXPECT_EQ(UINT64_MAX - 1, gm_gpa_raw(gm_region_last(&own.r)));
	EXPECT_FALSE(gm_region_contains(&own.r, gm_gpa(UINT64_MAX)));
	gm_region_put(&own.r);
	ASSERT_OK(own_region_init_on_demand(&own, 1, UINT64_MAX, mem, NULL));
	EXPECT_EQ(UINT64_MAX, gm_gpa_raw(gm_region_last(&own.r)));
	EXPECT_FALSE(gm_region_contains(&own.r, gm_gpa(0)));
	gm_region_put(&own.r);
}

/* A region keeps its bitmap alive, and lets it go. */
static int bitmaps_released;

static void mark_nothing(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
}

static bool test_nothing(const struct gm_bitmap *bm, uint64_t off)
{
	return false;
}

static void count_release(struct gm_bitmap *bm)
{
	bitmaps_released++;
}

TEST(region_holds_its_bitmap)
{
	static const struct gm_bitmap_ops ops = {
		.mark = mark_nothing,
		.test = test_nothing,
		.release = count_release,
	};
	struct own_region own;
	struct gm_bitmap bm;
	uint8_t mem[16];

	gm_bitmap_init_ops(&bm, &ops, sizeof(mem), NULL);
	ASSERT_OK(own_region_init_direct(&own, 0, sizeof(mem), mem, &bm));
	gm_bitmap_put(&bm);
	EXPECT_EQ(0, bitmaps_released);
	EXPECT_EQ(&bm, gm_region_bitmap(&own.r));
	gm_region_put(&own.r);
	EXPECT_EQ(1, bitmaps_released);
}

TEST(refused_init_takes_no_reference)
{
	static const struct gm_bitmap_ops ops = {
		.mark = mark_nothing,
		.test = test_nothing,
		.release = count_release,
	};
	struct own_region own;
	struct gm_bitmap bm;
	uint8_t mem[16];

	gm_bitmap_init_ops(&bm, &ops, sizeof(mem), NULL);
	EXPECT_EQ(-EINVAL, own_region_init_direct(&own, 0, 0, mem, &bm));
	gm_bitmap_put(&bm);
	EXPECT_EQ(1, bitmaps_released);
}

/* Design, section 5, number 4: the backend gives less than it was asked for. */
TEST(backend_gives_a_shorter_piece)
{
	uint8_t mem[64], buf[32];
	struct own_region own;
	struct gm_guard g;
	struct gm_slice s;
	uint64_t v = 7;

	memset(mem, 1, sizeof(mem));
	memset(buf, 2, sizeof(buf));
	ASSERT_OK(own_region_init_on_demand(&own, 0, sizeof(mem), mem, NULL));
	own.short_by = 1;
	EXPECT_FAIL_KIND(gm_region_read(&own.r, gm_roff(8), buf, 32), EIO,
			 GM_ERR_BACKEND_RANGE);
	EXPECT_EQ(32, gm_error_last()->expected);
	EXPECT_EQ(31, gm_error_last()->completed);
	EXPECT_FAIL_KIND(gm_region_write(&own.r, gm_roff(8), buf, 32), EIO,
			 GM_ERR_BACKEND_RANGE);
	EXPECT_FAIL_KIND(gm_region_load(&own.r, gm_roff(8), &v, 8, GM_RELAXED),
			 EIO, GM_ERR_BACKEND_RANGE);
	EXPECT_FAIL_KIND(gm_region_store(&own.r, gm_roff(8), &v, 8, GM_RELAXED),
			 EIO, GM_ERR_BACKEND_RANGE);
	EXPECT_EQ(7, v);
	ASSERT_OK(gm_region_slice(&own.r, gm_roff(8), 8, &s));
	EXPECT_FAIL_KIND(gm_slice_begin(s, GM_PERM_READ, &g), EIO,
			 GM_ERR_BACKEND_RANGE);
	/* What it gave was given back, whatever it was. */
	EXPECT_EQ(5, own.begins);
	EXPECT_EQ(0, own.open);
	EXPECT_EQ(0, own.bad);
	gm_region_put(&own.r);
}

TEST(backend_refuses)
{
	uint8_t mem[64] = { 0 }, buf[32] = { 1 };
	struct own_region own;

	ASSERT_OK(own_region_init_on_demand(&own, 0x1000, sizeof(mem), mem, NULL));
	own.perm = GM_PERM_READ;
	EXPECT_FAIL(gm_region_write(&own.r, gm_roff(4), buf, 4), EACCES,
		    GM_ERR_PERMISSION, 0x1004, 4, 0, 0);
	EXPECT_EQ(GM_PERM_WRITE, own.last_perm);
	EXPECT_EQ(0, gm_region_read(&own.r, gm_roff(4), buf, 4));
	EXPECT_EQ(GM_PERM_READ, own.last_perm);
	EXPECT_EQ(4, own.last_off);
	EXPECT_EQ(4, own.last_len);
	own.fail = -ENXIO;
	EXPECT_EQ(-ENXIO, gm_region_read(&own.r, gm_roff(4), buf, 4));
	EXPECT_EQ(-ENXIO, gm_region_read_some(&own.r, gm_roff(4), buf, 4));
	EXPECT_EQ(1, own.begins);
	EXPECT_EQ(0, own.open);
	gm_region_put(&own.r);
	EXPECT_EQ(0, own.bad);
}

/* The slots for kinds that have nothing to do. */
TEST(default_ops)
{
	static const struct gm_region_ops ops = {
		.begin = gm_region_no_begin,
		.end = gm_region_no_end,
		.release = gm_region_exit,
	};
	struct gm_region r;
	struct gm_guard g;
	uint8_t byte = 9;

	ASSERT_OK(gm_region_init(&r, gm_gpa(0x5000), 16, NULL, NULL, &ops));
	EXPECT_FAIL_KIND(gm_region_read(&r, gm_roff(3), &byte, 1), EOPNOTSUPP,
			 GM_ERR_NO_HOST_ADDR);
	EXPECT_EQ(0x5003, gm_error_last()->addr);
	EXPECT_EQ(9, byte);
	EXPECT_FAIL_KIND(gm_region_no_begin(&r, 3, 1, GM_PERM_READ, &g),
			 EOPNOTSUPP, GM_ERR_NO_HOST_ADDR);
	gm_region_no_end(&r, &g);
	gm_region_put(&r);
}

TEST_HARNESS_MAIN
