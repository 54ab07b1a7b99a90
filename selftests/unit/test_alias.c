/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * alias.h: the same memory with another bitmap.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem.h>
#include "expect.h"
#include "own_region.h"
#include "system.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define GPA 0x10000

static struct gm_bitmap *new_bitmap(struct __test_metadata *_metadata, uint64_t bytes)
{
	struct gm_bitmap *bm = NULL;

	ASSERT_OK(gm_bitmap_new(bytes, 0, &bm));
	return bm;
}

TEST(alias_is_its_base_with_another_bitmap)
{
	LINUX_ONLY();
	struct gm_mmap_opts opts = {
		.sz = sizeof(opts), .flags = GM_MMAP_MEMFD | GM_MMAP_DIRTY,
	};
	struct gm_bitmap *bm = new_bitmap(_metadata, 4 * PAGE);
	struct gm_region *base, *r;
	uint32_t v = 0;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(GPA), 4 * PAGE, &opts, &base));
	ASSERT_OK(gm_region_new_alias(base, bm, &r));
	EXPECT_EQ(GPA, gm_gpa_raw(gm_region_start(r)));
	EXPECT_EQ(4 * PAGE, gm_region_len(r));
	EXPECT_EQ(bm, gm_region_bitmap(r));
	EXPECT_EQ(gm_region_file(base, NULL), gm_region_file(r, NULL));
	EXPECT_EQ(gm_region_prot(base), gm_region_prot(r));
	EXPECT_EQ(gm_region_map_flags(base), gm_region_map_flags(r));
	EXPECT_EQ(gm_region_is_hugetlbfs(base), gm_region_is_hugetlbfs(r));
	EXPECT_TRUE(gm_regions_share_file(base, r));
	v = 42;
	ASSERT_OK(gm_region_write(r, gm_roff(PAGE), &v, sizeof(v)));
	v = 0;
	ASSERT_OK(gm_region_read(base, gm_roff(PAGE), &v, sizeof(v)));
	EXPECT_EQ(42, v);
	EXPECT_EQ(1, gm_bitmap_count(bm));
	EXPECT_EQ(0, gm_bitmap_count(gm_region_bitmap(base)));
	ASSERT_OK(gm_region_write(base, gm_roff(2 * PAGE), &v, sizeof(v)));
	EXPECT_EQ(1, gm_bitmap_count(bm));
	EXPECT_EQ(1, gm_bitmap_count(gm_region_bitmap(base)));
	/* The memory lives as long as either. */
	gm_region_put(base);
	ASSERT_OK(gm_region_read(r, gm_roff(PAGE), &v, sizeof(v)));
	EXPECT_EQ(42, v);
	gm_region_put(r);
	gm_bitmap_put(bm);
}

TEST(alias_without_a_bitmap_marks_none)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_DIRTY };
	struct gm_region *base, *r;
	uint8_t v = 1;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &opts, &base));
	ASSERT_OK(gm_region_new_alias(base, NULL, &r));
	ASSERT_OK(gm_region_write(r, gm_roff(0), &v, 1));
	EXPECT_EQ(NULL, gm_region_bitmap(r));
	EXPECT_EQ(0, gm_bitmap_count(gm_region_bitmap(base)));
	gm_region_put(r);
	gm_region_put(base);
}

TEST(read_only_memory_stays_read_only)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	struct gm_bitmap *bm = new_bitmap(_metadata, PAGE);
	struct gm_region *base, *r;
	uint8_t v = 1;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(GPA), PAGE, &opts, &base));
	ASSERT_OK(gm_region_new_alias(base, bm, &r));
	gm_region_put(base);
	EXPECT_FAIL_KIND(gm_region_write(r, gm_roff(0), &v, 1), EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_EQ(0, gm_bitmap_count(bm));
	gm_region_put(r);
	gm_bitmap_put(bm);
}

TEST(short_bitmap_is_refused)
{
	struct gm_bitmap *bm = new_bitmap(_metadata, PAGE);
	struct gm_region *base, *r = NULL;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE + 1, NULL, &base));
	EXPECT_FAIL_KIND(gm_region_new_alias(base, bm, &r), EINVAL, GM_ERR_OPTION);
	EXPECT_EQ(NULL, r);
	gm_region_put(base);
	gm_bitmap_put(bm);
}

TEST(memory_on_demand_has_aliases_too)
{
	static uint8_t mem[4096];
	struct gm_bitmap *bm = new_bitmap(_metadata, sizeof(mem));
	struct own_region own;
	struct gm_region *r;
	uint32_t v = 7;

	ASSERT_EQ(0, own_region_init_on_demand(&own, GPA, sizeof(mem), mem, NULL));
	ASSERT_OK(gm_region_new_alias(&own.r, bm, &r));
	gm_region_put(&own.r);
	EXPECT_EQ(0, own.released);
	ASSERT_OK(gm_region_write(r, gm_roff(8), &v, sizeof(v)));
	EXPECT_EQ(7, mem[8]);
	EXPECT_EQ(1, own.begins);
	EXPECT_EQ(0, own.open);
	EXPECT_EQ(0, own.bad);
	EXPECT_EQ(1, gm_bitmap_count(bm));
	gm_region_put(r);
	EXPECT_EQ(1, own.released);
	gm_bitmap_put(bm);
}

TEST(holds_and_discards_are_the_memorys)
{
	LINUX_ONLY();
	struct gm_bitmap *bm = new_bitmap(_metadata, 2 * PAGE);
	struct gm_region *base, *r;
	struct gm_hold *hold;
	uint8_t v = 9;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * PAGE, NULL, &base));
	ASSERT_OK(gm_region_new_alias(base, bm, &r));
	ASSERT_OK(gm_region_hold(base, gm_roff(0), PAGE, GM_HOLD_DISCARD, "test", &hold));
	EXPECT_FAIL_NAME(gm_region_discard(r, gm_roff(0), PAGE), EBUSY, GM_ERR_HELD, 0, PAGE,
			 "test");
	gm_hold_end(hold);
	ASSERT_OK(gm_region_write(base, gm_roff(0), &v, 1));
	ASSERT_OK(gm_region_discard(r, gm_roff(0), PAGE));
	ASSERT_OK(gm_region_read(base, gm_roff(0), &v, 1));
	EXPECT_EQ(0, v);
	/* A discard changes what is there. */
	EXPECT_TRUE(gm_bitmap_test_page(bm, 0));
	gm_region_put(base);
	gm_region_put(r);
	gm_bitmap_put(bm);
}

struct tracking {
	int made;
	int fail_at;
};

static int track(void *ctx, struct gm_region *r, struct gm_bitmap **dirty)
{
	struct tracking *t = ctx;

	if (t->made == t->fail_at)
		return gm_error_set(-ENOSPC, GM_ERR_MEMORY, 0, 77);
	t->made++;
	return gm_bitmap_new(gm_region_len(r), 0, dirty);
}

static const struct gm_range ranges[] = { { 0, 0x2000 }, { 0x4000, 0x1000 }, { 0x8000, 0x3000 } };

TEST(map_of_aliases_tracks_all_that_can_be_written)
{
	struct gm_mmap_opts opts[3] = {
		{ .sz = sizeof(opts[0]) },
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_READ_ONLY },
		{ .sz = sizeof(opts[0]) },
	};
	struct tracking t = { .fail_at = -1 };
	struct gm_map *m, *tracked;
	struct gm_view view;

	ASSERT_OK(gm_map_new_mmap(ranges, opts, 3, &m));
	ASSERT_OK(gm_map_new_alias(m, track, &t, &tracked));
	gm_map_put(m);
	EXPECT_EQ(2, t.made);
	ASSERT_EQ(3, gm_map_count(tracked));
	gm_view_init(&view, tracked);
	ASSERT_OK(gm_view_write_u32(&view, gm_gpa(0x9ffc), 1));
	EXPECT_EQ(0, gm_bitmap_count(gm_region_bitmap(gm_map_region(tracked, 0))));
	EXPECT_EQ(1, gm_bitmap_count(gm_region_bitmap(gm_map_region(tracked, 2))));
	EXPECT_FAIL_KIND(gm_view_write_u32(&view, gm_gpa(0x4000), 1), EACCES, GM_ERR_PERMISSION);
	gm_map_put(tracked);
}

TEST(map_of_aliases_that_fails_leaves_nothing)
{
	struct gm_map *m, *tracked = NULL;
	struct tracking t;

	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 3, &m));
	for (int i = 0; i < 3; i++) {
		t = (struct tracking){ .fail_at = i };
		EXPECT_FAIL(gm_map_new_alias(m, track, &t, &tracked), ENOSPC, GM_ERR_MEMORY,
			    0, 77, 0, 0);
		EXPECT_EQ(NULL, tracked);
	}
	gm_map_put(m);
}

TEST_HARNESS_MAIN
