/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_map.c - maps: made, with a region more or less, who holds what, and
 * questions about addresses.
 */
/* gm-test: windows */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/map.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"
#include "system.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define N 4

/*
 * Regions 0 and 1 are adjacent, 2 comes after a hole, 3 is the last page of the
 * address space and has no host address.
 */
static const uint64_t base_of[N] = { 0x1000, 0x3000, 0x8000, -0x1000ull };
static const uint64_t len_of[N] = { 0x2000, 0x1000, 0x800, 0x1000 };

FIXTURE(map) {
	uint8_t mem[N][0x2000];
	struct own_region own[N];
	struct gm_region *regions[N];
	struct gm_map *m;
};

FIXTURE_SETUP(map)
{
	int i;

	for (i = 0; i < N; i++) {
		if (i < 3)
			ASSERT_OK(own_region_init_direct(&self->own[i], base_of[i],
							 len_of[i], self->mem[i],
							 NULL));
		else
			ASSERT_OK(own_region_init_on_demand(&self->own[i],
							    base_of[i], len_of[i],
							    self->mem[i], NULL));
		self->regions[i] = &self->own[i].r;
	}
	ASSERT_OK(gm_map_new(self->regions, N, &self->m));
}

FIXTURE_TEARDOWN(map)
{
	int i;

	gm_map_put(self->m);
	for (i = 0; i < N; i++) {
		EXPECT_EQ(0, self->own[i].released);
		gm_region_put(self->regions[i]);
		EXPECT_EQ(1, self->own[i].released);
		EXPECT_EQ(0, self->own[i].bad);
	}
}

TEST_F(map, count_and_iteration_in_order)
{
	size_t i;

	EXPECT_EQ(N, gm_map_count(self->m));
	for (i = 0; i < N; i++)
		EXPECT_EQ(self->regions[i], gm_map_region(self->m, i));
	EXPECT_EQ(NULL, gm_map_region(self->m, N));
	EXPECT_EQ(NULL, gm_map_region(self->m, SIZE_MAX));
	EXPECT_EQ(UINT64_MAX, gm_gpa_raw(gm_map_last(self->m)));
}

TEST_F(map, find_at_each_edge)
{
	int i;

	for (i = 0; i < N; i++) {
		gm_gpa_t first = gm_gpa(base_of[i]);
		gm_gpa_t last = gm_gpa(base_of[i] + len_of[i] - 1);

		EXPECT_EQ(self->regions[i], gm_map_find(self->m, first));
		EXPECT_EQ(self->regions[i], gm_map_find(self->m, last));
		EXPECT_TRUE(gm_map_contains(self->m, first));
		EXPECT_TRUE(gm_map_contains(self->m, last));
	}
	EXPECT_EQ(NULL, gm_map_find(self->m, gm_gpa(0)));
	EXPECT_EQ(NULL, gm_map_find(self->m, gm_gpa(0xfff)));
	EXPECT_EQ(NULL, gm_map_find(self->m, gm_gpa(0x4000)));
	EXPECT_EQ(NULL, gm_map_find(self->m, gm_gpa(0x7fff)));
	EXPECT_EQ(NULL, gm_map_find(self->m, gm_gpa(0x8800)));
	EXPECT_EQ(NULL, gm_map_find(self->m, gm_gpa(-0x1001ull)));
	EXPECT_FALSE(gm_map_contains(self->m, gm_gpa(0x4000)));
}

TEST_F(map, to_offset_and_check)
{
	struct gm_region *r = NULL;
	gm_roff_t off = gm_roff(7);
	gm_gpa_t out = gm_gpa(7);

	EXPECT_FAIL(gm_map_to_offset(self->m, gm_gpa(0x4000), &off, &r), EFAULT,
		    GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
	EXPECT_FAIL(gm_map_check(self->m, gm_gpa(0x4000), &out), EFAULT,
		    GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
	EXPECT_EQ(7, gm_roff_raw(off));
	EXPECT_EQ(7, gm_gpa_raw(out));
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(0, gm_map_to_offset(self->m, gm_gpa(0x3fff), &off, &r));
	EXPECT_EQ(0xfff, gm_roff_raw(off));
	EXPECT_EQ(self->regions[1], r);
	EXPECT_EQ(0, gm_map_check(self->m, gm_gpa(UINT64_MAX), &out));
	EXPECT_EQ(UINT64_MAX, gm_gpa_raw(out));
}

TEST_F(map, offset_add)
{
	gm_gpa_t out = gm_gpa(7);

	EXPECT_FAIL(gm_map_offset_add(self->m, gm_gpa(0x1000), UINT64_MAX, &out),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, 0x1000, UINT64_MAX, 0, 0);
	EXPECT_FAIL(gm_map_offset_add(self->m, gm_gpa(0x1000), 0x3000, &out),
		    EFAULT, GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
	EXPECT_EQ(7, gm_gpa_raw(out));
	EXPECT_EQ(0, gm_map_offset_add(self->m, gm_gpa(0x1000), 0x2fff, &out));
	EXPECT_EQ(0x3fff, gm_gpa_raw(out));
	/* Only the sum counts: across a hole, and from one. */
	EXPECT_EQ(0, gm_map_offset_add(self->m, gm_gpa(0x4000), 0x4000, &out));
	EXPECT_EQ(0x8000, gm_gpa_raw(out));
	EXPECT_EQ(0, gm_map_offset_add(self->m, gm_gpa(-0x1000ull), 0xfff, &out));
	EXPECT_EQ(UINT64_MAX, gm_gpa_raw(out));
}

TEST_F(map, check_range_sees_holes)
{
	EXPECT_EQ(0, gm_map_check_range(self->m, gm_gpa(0x1000), 0x3000));
	EXPECT_EQ(0, gm_map_check_range(self->m, gm_gpa(0x2fff), 2));
	EXPECT_EQ(0, gm_map_check_range(self->m, gm_gpa(0x4000), 0));
	EXPECT_EQ(0, gm_map_check_range(self->m, gm_gpa(-0x1000ull), 0x1000));
	EXPECT_FAIL(gm_map_check_range(self->m, gm_gpa(0x1000), 0x3001), EFAULT,
		    GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
	EXPECT_FAIL(gm_map_check_range(self->m, gm_gpa(0xfff), 2), EFAULT,
		    GM_ERR_GUEST_ADDR, 0xfff, 0, 0, 0);
	/* Both ends are there, the middle is not. */
	EXPECT_FAIL(gm_map_check_range(self->m, gm_gpa(0x3000), 0x5800), EFAULT,
		    GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
}

/* Design, section 5, numbers 2 and 6. */
TEST_F(map, range_that_wraps_is_refused)
{
	EXPECT_FAIL(gm_map_check_range(self->m, gm_gpa(UINT64_MAX - 3), 8),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX - 3, 8, 0, 0);
	EXPECT_FAIL(gm_map_check_range(self->m, gm_gpa(0x1000), UINT64_MAX),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, 0x1000, UINT64_MAX, 0, 0);
	EXPECT_EQ(0, gm_map_check_range(self->m, gm_gpa(UINT64_MAX - 3), 4));
}

TEST(range_that_wraps_is_refused_by_an_empty_map)
{
	struct gm_map *m, *empty;
	struct own_region own;
	uint8_t mem[16];

	ASSERT_OK(own_region_init_direct(&own, 0, 16, mem, NULL));
	ASSERT_OK(gm_map_new((struct gm_region *[]){ &own.r }, 1, &m));
	ASSERT_OK(gm_map_remove(m, gm_gpa(0), 16, &empty, NULL));
	EXPECT_EQ(0, gm_map_count(empty));
	EXPECT_EQ(0, gm_gpa_raw(gm_map_last(empty)));
	EXPECT_EQ(NULL, gm_map_region(empty, 0));
	EXPECT_EQ(NULL, gm_map_find(empty, gm_gpa(0)));
	EXPECT_EQ(NULL, gm_map_find(empty, gm_gpa(UINT64_MAX)));
	EXPECT_GT(0, gm_map_check_range(empty, gm_gpa(UINT64_MAX - 3), 8));
	EXPECT_GT(0, gm_map_check_range(empty, gm_gpa(UINT64_MAX - 3), 4));
	EXPECT_EQ(0, gm_map_check_range(empty, gm_gpa(UINT64_MAX - 3), 0));
	EXPECT_FAIL(gm_map_remove(empty, gm_gpa(0), 16, &m, NULL), ENOENT,
		    GM_ERR_NO_REGION, 0, 16, 0, 0);
	gm_map_put(m);
	/* What was emptied can be filled. */
	ASSERT_OK(gm_map_insert(empty, &own.r, &m));
	EXPECT_EQ(&own.r, gm_map_find(m, gm_gpa(15)));
	gm_map_put(empty);
	gm_map_put(m);
	gm_region_put(&own.r);
	EXPECT_EQ(1, own.released);
}

TEST_F(map, host_address)
{
	void *p = NULL;

	EXPECT_FAIL(gm_map_host(self->m, gm_gpa(0x4000), &p), EFAULT,
		    GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
	EXPECT_FAIL_KIND(gm_map_host(self->m, gm_gpa(UINT64_MAX), &p),
			 EOPNOTSUPP, GM_ERR_NO_HOST_ADDR);
	EXPECT_EQ(UINT64_MAX, gm_error_last()->addr);
	EXPECT_EQ(NULL, p);
	EXPECT_EQ(0, gm_map_host(self->m, gm_gpa(0x3001), &p));
	EXPECT_EQ((void *)(self->mem[1] + 1), p);
}

TEST_F(map, slice_in_one_piece)
{
	struct gm_slice s, untouched;
	uint8_t byte = 0x31;

	memset(&s, 0x5a, sizeof(s));
	untouched = s;
	EXPECT_FAIL(gm_map_slice(self->m, gm_gpa(0x4000), 0, &s), EFAULT,
		    GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
	EXPECT_FAIL(gm_map_slice(self->m, gm_gpa(0x3000), 0x1001, &s), EFAULT,
		    GM_ERR_GUEST_ADDR, 0x4000, 0, 0, 0);
	EXPECT_FAIL(gm_map_slice(self->m, gm_gpa(UINT64_MAX), 2, &s), EOVERFLOW,
		    GM_ERR_GUEST_OVERFLOW, UINT64_MAX, 2, 0, 0);
	EXPECT_FAIL_KIND(gm_map_slice(self->m, gm_gpa(0x2ff0), 0x20, &s),
			 EMSGSIZE, GM_ERR_FRAGMENTED);
	EXPECT_EQ(0x2ff0, gm_error_last()->addr);
	EXPECT_EQ(0x20, gm_error_last()->len);
	EXPECT_EQ(0x10, gm_error_last()->completed);
	EXPECT_EQ(0, memcmp(&s, &untouched, sizeof(s)));

	ASSERT_OK(gm_map_slice(self->m, gm_gpa(0x3fff), 0, &s));
	EXPECT_TRUE(gm_slice_is_empty(s));
	ASSERT_OK(gm_map_slice(self->m, gm_gpa(0x1010), 0x1ff0, &s));
	EXPECT_EQ(0x1ff0, gm_slice_len(s));
	EXPECT_EQ(0, gm_slice_write(s, 0x1fef, &byte, 1));
	EXPECT_EQ(0x31, self->mem[0][0x1fff]);
	/* And on demand. */
	ASSERT_OK(gm_map_slice(self->m, gm_gpa(UINT64_MAX - 7), 8, &s));
	EXPECT_EQ(0, gm_slice_write(s, 7, &byte, 1));
	EXPECT_EQ(0x31, self->mem[3][0xfff]);
}

TEST_F(map, new_refuses)
{
	struct gm_region *r[3];
	struct gm_map *m = NULL;

	EXPECT_FAIL(gm_map_new(self->regions, 0, &m), EINVAL, GM_ERR_NO_REGION,
		    0, 0, 0, 0);
	r[0] = self->regions[0];
	r[1] = self->regions[2];
	r[2] = self->regions[1];
	EXPECT_FAIL_KIND(gm_map_new(r, 3, &m), EINVAL, GM_ERR_UNSORTED);
	EXPECT_EQ(0x3000, gm_error_last()->addr);
	r[1] = self->regions[0];
	EXPECT_FAIL(gm_map_new(r, 2, &m), EEXIST, GM_ERR_OVERLAP, 0x1000,
		    0x2000, 0, 0);
	EXPECT_EQ(NULL, m);
	/* The references that were taken on the way are gone: see teardown. */
}

TEST_F(map, overlap_by_one_byte)
{
	static const struct {
		uint64_t base, len;
		bool fits;
	} c[] = {
		{ 0x0fff, 2, false }, { 0x0fff, 1, true },
		{ 0x3fff, 1, false }, { 0x4000, 0x4000, true },
		{ 0x4000, 0x4001, false }, { 0x87ff, 8, false },
		{ 0x8800, 8, true }, { 0, UINT64_MAX, false },
		{ UINT64_MAX, 1, false }, { -0x2000ull, 0x1000, true },
		{ -0x2000ull, 0x1001, false }, { 0x1800, 0x10, false },
	};
	struct own_region own;
	struct gm_map *m;
	size_t i;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		ASSERT_OK(own_region_init_on_demand(&own, c[i].base, c[i].len,
						    self->mem[0], NULL));
		m = NULL;
		if (c[i].fits) {
			EXPECT_EQ(0, gm_map_insert(self->m, &own.r, &m));
			EXPECT_EQ(&own.r, gm_map_find(m, gm_gpa(c[i].base)));
			EXPECT_EQ(N + 1, gm_map_count(m));
			gm_map_put(m);
		} else {
			EXPECT_FAIL(gm_map_insert(self->m, &own.r, &m), EEXIST,
				    GM_ERR_OVERLAP, c[i].base, c[i].len, 0, 0);
			EXPECT_EQ(NULL, m);
		}
		EXPECT_EQ(0, own.released);
		gm_region_put(&own.r);
		EXPECT_EQ(1, own.released);
	}
}

TEST_F(map, insert_shares_regions_and_keeps_the_old_map)
{
	struct own_region own;
	struct gm_map *more;
	size_t i;

	ASSERT_OK(own_region_init_direct(&own, 0x5000, 0x100, self->mem[3], NULL));
	ASSERT_OK(gm_map_insert(self->m, &own.r, &more));
	gm_region_put(&own.r);
	/* Sorted, and the very same regions. */
	EXPECT_EQ(&own.r, gm_map_region(more, 2));
	for (i = 0; i < N; i++)
		EXPECT_EQ(self->regions[i], gm_map_region(more, i + (i >= 2)));
	EXPECT_EQ(N, gm_map_count(self->m));
	EXPECT_EQ(NULL, gm_map_find(self->m, gm_gpa(0x5000)));
	EXPECT_EQ(&own.r, gm_map_find(more, gm_gpa(0x50ff)));
	/* The map holds it, and nobody else. */
	EXPECT_EQ(0, own.released);
	EXPECT_EQ(more, gm_map_get(more));
	gm_map_put(more);
	EXPECT_EQ(0, own.released);
	gm_map_put(more);
	EXPECT_EQ(1, own.released);
}

TEST_F(map, remove_shares_regions_and_keeps_the_old_map)
{
	struct gm_region *removed = NULL;
	struct gm_map *less, *m = NULL;

	EXPECT_FAIL(gm_map_remove(self->m, gm_gpa(0x1000), 0x1000, &m, &removed),
		    ENOENT, GM_ERR_NO_REGION, 0x1000, 0x1000, 0, 0);
	EXPECT_FAIL(gm_map_remove(self->m, gm_gpa(0x1001), 0x1fff, &m, &removed),
		    ENOENT, GM_ERR_NO_REGION, 0x1001, 0x1fff, 0, 0);
	EXPECT_FAIL(gm_map_remove(self->m, gm_gpa(0x4000), 0x1000, &m, NULL),
		    ENOENT, GM_ERR_NO_REGION, 0x4000, 0x1000, 0, 0);
	EXPECT_EQ(NULL, m);
	EXPECT_EQ(NULL, removed);

	ASSERT_OK(gm_map_remove(self->m, gm_gpa(0x3000), 0x1000, &less, &removed));
	EXPECT_EQ(self->regions[1], removed);
	EXPECT_EQ(N - 1, gm_map_count(less));
	EXPECT_EQ(self->regions[0], gm_map_region(less, 0));
	EXPECT_EQ(self->regions[2], gm_map_region(less, 1));
	EXPECT_EQ(self->regions[3], gm_map_region(less, 2));
	EXPECT_EQ(NULL, gm_map_find(less, gm_gpa(0x3000)));
	EXPECT_EQ(removed, gm_map_find(self->m, gm_gpa(0x3000)));
	gm_map_put(less);
	gm_region_put(removed);

	/* The last one: without a wish for the region. */
	ASSERT_OK(gm_map_remove(self->m, gm_gpa(-0x1000ull), 0x1000, &less, NULL));
	EXPECT_EQ(0x87ff, gm_gpa_raw(gm_map_last(less)));
	gm_map_put(less);
}

TEST(region_lives_until_the_last_map_that_has_it)
{
	struct gm_region *removed;
	struct own_region a, b;
	struct gm_map *m, *less;
	uint8_t mem[64];

	ASSERT_OK(own_region_init_direct(&a, 0, 32, mem, NULL));
	ASSERT_OK(own_region_init_direct(&b, 32, 32, mem + 32, NULL));
	ASSERT_OK(gm_map_new((struct gm_region *[]){ &a.r, &b.r }, 2, &m));
	gm_region_put(&a.r);
	gm_region_put(&b.r);
	ASSERT_OK(gm_map_remove(m, gm_gpa(32), 32, &less, &removed));
	gm_map_put(m);
	EXPECT_EQ(0, a.released);
	EXPECT_EQ(0, b.released);
	gm_map_put(less);
	EXPECT_EQ(1, a.released);
	EXPECT_EQ(0, b.released);
	gm_region_put(removed);
	EXPECT_EQ(1, b.released);
	gm_map_put(NULL);
}

TEST(new_mmap_makes_all_or_nothing)
{
	LINUX_ONLY();
	struct gm_range ranges[3] = {
		{ gm_gpa(0), 3 * PAGE },
		{ gm_gpa(8 * PAGE), PAGE },
		{ gm_gpa(-PAGE), PAGE },
	};
	struct gm_mmap_opts opts[3];
	struct gm_map *m = NULL;
	size_t i;

	for (i = 0; i < 3; i++)
		opts[i] = (struct gm_mmap_opts){
			.sz = sizeof(opts[i]),
			.flags = GM_MMAP_MEMFD,
			.name = "gm-map-new",
		};
	opts[1].flags |= GM_MMAP_DIRTY;
	ASSERT_OK(gm_map_new_mmap(ranges, opts, 3, &m));
	EXPECT_EQ(3, gm_map_count(m));
	EXPECT_EQ(3, vma_count("gm-map-new"));
	for (i = 0; i < 3; i++) {
		struct gm_region *r = gm_map_region(m, i);

		EXPECT_TRUE(gm_gpa_eq(ranges[i].gpa, gm_region_start(r)));
		EXPECT_EQ(ranges[i].len, gm_region_len(r));
		EXPECT_EQ(i == 1, gm_region_bitmap(r) != NULL);
	}
	gm_map_put(m);
	EXPECT_EQ(0, vma_count("gm-map-new"));

	/* An error of the region, of the map, and of the options. */
	m = NULL;
	ranges[2].len = PAGE + 1;
	EXPECT_FAIL(gm_map_new_mmap(ranges, opts, 3, &m), EOVERFLOW,
		    GM_ERR_GUEST_OVERFLOW, -PAGE, PAGE + 1, 0, 0);
	ranges[2] = ranges[0];
	EXPECT_FAIL_KIND(gm_map_new_mmap(ranges, opts, 3, &m), EINVAL,
			 GM_ERR_UNSORTED);
	ranges[1] = ranges[0];
	EXPECT_FAIL_KIND(gm_map_new_mmap(ranges, opts, 2, &m), EEXIST,
			 GM_ERR_OVERLAP);
	opts[1].map_flags = MAP_FIXED;
	EXPECT_FAIL_KIND(gm_map_new_mmap(ranges, opts, 2, &m), EINVAL,
			 GM_ERR_MAP_FIXED);
	EXPECT_FAIL_KIND(gm_map_new_mmap(ranges, opts, 0, &m), EINVAL,
			 GM_ERR_NO_REGION);
	EXPECT_EQ(NULL, m);
	EXPECT_EQ(0, vma_count("gm-map-new"));

	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 1, &m));
	EXPECT_EQ(3 * PAGE - 1, gm_gpa_raw(gm_map_last(m)));
	EXPECT_TRUE(gm_region_is_owned(gm_map_region(m, 0)));
	gm_map_put(m);
}

TEST_HARNESS_MAIN
