/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_dma_map.c - ranges that are mapped for a device, and sets of them: what
 * they hold, how they come and go, and how memory is handed over.
 */
/* gm-test: windows */
#include <string.h>
#include <guestmem/alias.h>
#include "kselftest_harness.h"
#include "dma_guest.h"
#include "expect.h"

FIXTURE(dma_map) {
	struct dma_guest g;
};

/* The same over maps that need no sync, and that do. */
FIXTURE_VARIANT(dma_map) {
	bool sync;
};

FIXTURE_VARIANT_ADD(dma_map, coherent) {
	.sync = false,
};

FIXTURE_VARIANT_ADD(dma_map, sync) {
	.sync = true,
};

FIXTURE_SETUP(dma_map)
{
	ASSERT_OK(dma_guest_init(&self->g, variant->sync));
}

FIXTURE_TEARDOWN(dma_map)
{
	dma_guest_exit(&self->g);
}

TEST_F(dma_map, values)
{
	const struct gm_dma_map *m = self->g.dm[LOW];
	const struct gm_dma_seg *segs;
	size_t count = 0;

	EXPECT_EQ(self->g.r[LOW], gm_dma_map_region(m));
	EXPECT_EQ(0, gm_roff_raw(gm_dma_map_offset(m)));
	EXPECT_EQ(SIZE, gm_dma_map_len(m));
	EXPECT_EQ(GM_PERM_RW, gm_dma_map_perm(m));
	EXPECT_STREQ(DEVICE, gm_dma_map_name(m));
	segs = gm_dma_map_segs(m, &count);
	/* The last two of four became one. */
	EXPECT_EQ(3, count);
	EXPECT_EQ(16, segs[0].len);
	EXPECT_EQ(16, segs[1].len);
	EXPECT_EQ(32, segs[2].len);
	EXPECT_EQ((uintptr_t)self->g.r[LOW]->ext.host + 32, segs[2].address);
	EXPECT_EQ(GM_PERM_READ, gm_dma_map_perm(self->g.dm[ROM]));
	EXPECT_EQ(self->g.m, gm_dma_memory(self->g.d));
}

TEST_F(dma_map, a_part_of_a_region)
{
	const struct gm_dma_seg seg = { 0x1000, 8 };
	struct gm_dma_map *m;
	struct gm_dma *d;
	uint64_t a;

	ASSERT_OK(gm_dma_map_new(self->g.r[BARE], gm_roff(16), GM_PERM_WRITE,
				 &seg, 1, "other", NULL, NULL, &m));
	EXPECT_EQ(16, gm_roff_raw(gm_dma_map_offset(m)));
	EXPECT_EQ(8, gm_dma_map_len(m));
	ASSERT_OK(gm_dma_new(self->g.m, &m, 1, &d));
	ASSERT_OK(gm_dma_address(d, gm_gpa(BARE_GPA + 16), 8, GM_PERM_WRITE,
				 &a));
	EXPECT_EQ(0x1000, a);
	/* Marked in the region, where it is in there. */
	EXPECT_EQ(0x04, dma_guest_take(&self->g, BARE));
	EXPECT_FAIL_NAME(gm_dma_address(d, gm_gpa(BARE_GPA + 15), 1,
					GM_PERM_WRITE, &a),
			 ENOENT, GM_ERR_NO_DMA, BARE_GPA + 15, 1, "other");
	EXPECT_FAIL_NAME(gm_dma_address(d, gm_gpa(BARE_GPA + 24), 1,
					GM_PERM_WRITE, &a),
			 ENOENT, GM_ERR_NO_DMA, BARE_GPA + 24, 1, "other");
	/* For writing is not for reading. */
	EXPECT_FAIL_KIND(gm_dma_address(d, gm_gpa(BARE_GPA + 16), 8,
					GM_PERM_READ, &a),
			 EACCES, GM_ERR_PERMISSION);
	/* The range is the map's, not the region's. */
	EXPECT_EQ(0, gm_dma_map_sync(m, gm_roff(16), 8, GM_DMA_FOR_CPU));
	EXPECT_FAIL_KIND(gm_dma_map_sync(m, gm_roff(15), 1, GM_DMA_FOR_CPU),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_FAIL_KIND(gm_dma_map_sync(m, gm_roff(23), 2, GM_DMA_FOR_CPU),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	gm_dma_put(d);
	gm_dma_map_put(m);
}

#define REFUSED(code, kind, r, off, perm, n, ...) do { \
	const struct gm_dma_seg segs_[] = { __VA_ARGS__ }; \
	struct gm_dma_map *m_ = (void *)1; \
	EXPECT_FAIL_KIND(gm_dma_map_new(r, gm_roff(off), perm, segs_, n, "x", \
					NULL, NULL, &m_), code, kind); \
	EXPECT_EQ((void *)1, m_); \
} while (0)

TEST_F(dma_map, what_is_refused)
{
	struct gm_region *r = self->g.r[BARE];

	REFUSED(EINVAL, GM_ERR_ZERO_LENGTH, r, 0, GM_PERM_RW, 0, { 0, 1 });
	REFUSED(EINVAL, GM_ERR_ZERO_LENGTH, r, 0, GM_PERM_RW, 2, { 0, 8 },
		{ 64, 0 });
	REFUSED(EINVAL, GM_ERR_PERMISSION, r, 0, GM_PERM_NONE, 1, { 0, 8 });
	REFUSED(EACCES, GM_ERR_PERMISSION, self->g.r[ROM], 0, GM_PERM_WRITE, 1,
		{ 0, 8 });
	REFUSED(EACCES, GM_ERR_PERMISSION, self->g.r[ROM], 0, GM_PERM_RW, 1,
		{ 0, 8 });
	REFUSED(EOVERFLOW, GM_ERR_OVERFLOW, r, 0, GM_PERM_RW, 1,
		{ UINT64_MAX - 6, 8 });
	REFUSED(EOVERFLOW, GM_ERR_OVERFLOW, r, 0, GM_PERM_RW, 2, { 0, 8 },
		{ 0, UINT64_MAX });
	REFUSED(EOVERFLOW, GM_ERR_OVERFLOW, r, UINT64_MAX, GM_PERM_RW, 1,
		{ 0, 8 });
	REFUSED(ERANGE, GM_ERR_OUT_OF_BOUNDS, r, 57, GM_PERM_RW, 1, { 0, 8 });
	REFUSED(ERANGE, GM_ERR_OUT_OF_BOUNDS, r, 0, GM_PERM_RW, 2, { 0, 60 },
		{ 100, 5 });
	/* No hold was left. */
	EXPECT_EQ(0, gm_region_check_held(r, gm_roff(0), SIZE,
					  GM_HOLD_DISCARD | GM_HOLD_REMOVE));
}

/* The end of the device's address space is no neighbour of its start. */
TEST_F(dma_map, device_addresses_do_not_wrap)
{
	const struct gm_dma_seg pieces[] = { { UINT64_MAX - 7, 8 }, { 0, 8 } };
	struct gm_dma_seg segs[2];
	struct gm_dma_map *m;
	struct gm_dma *d;
	size_t count;

	ASSERT_OK(gm_dma_map_new(self->g.r[BARE], gm_roff(0), GM_PERM_RW, pieces,
				 2, "x", NULL, NULL, &m));
	gm_dma_map_segs(m, &count);
	EXPECT_EQ(2, count);
	ASSERT_OK(gm_dma_new(self->g.m, &m, 1, &d));
	EXPECT_EQ(2, gm_dma_segments(d, gm_gpa(BARE_GPA), 16, GM_PERM_READ,
				     segs, 2));
	EXPECT_EQ(UINT64_MAX - 7, segs[0].address);
	EXPECT_EQ(0, segs[1].address);
	gm_dma_put(d);
	gm_dma_map_put(m);
}

TEST_F(dma_map, holds_its_range)
{
	struct gm_map *less;

	EXPECT_FAIL_NAME(gm_region_check_held(self->g.r[LOW], gm_roff(8), 1,
					      GM_HOLD_DISCARD),
			 EBUSY, GM_ERR_HELD, 0, SIZE, DEVICE);
	EXPECT_FAIL_NAME(gm_map_remove(self->g.m, gm_gpa(BASE), SIZE, &less,
				       NULL),
			 EBUSY, GM_ERR_HELD, 0, SIZE, DEVICE);
	/* The last reference is in the set. */
	gm_dma_map_put(self->g.dm[LOW]);
	self->g.dm[LOW] = NULL;
	EXPECT_EQ(0, self->g.released[LOW]);
	EXPECT_EQ(-EBUSY, gm_map_remove(self->g.m, gm_gpa(BASE), SIZE, &less,
					NULL));
	gm_dma_put(self->g.d);
	self->g.d = NULL;
	EXPECT_EQ(!variant->sync, self->g.released[LOW]);
	EXPECT_EQ(0, self->g.released[HIGH]);
	EXPECT_EQ(0, gm_region_check_held(self->g.r[LOW], gm_roff(0), SIZE,
					  GM_HOLD_DISCARD | GM_HOLD_REMOVE));
	ASSERT_OK(gm_map_remove(self->g.m, gm_gpa(BASE), SIZE, &less, NULL));
	gm_map_put(less);
}

struct order {
	struct gm_region *r;
	int held;
};

static void look_whether_held(void *ctx)
{
	struct order *o = ctx;

	o->held = gm_region_check_held(o->r, gm_roff(0), 1, GM_HOLD_DISCARD);
}

/* As long as the device may reach the memory, it must stay. */
TEST_F(dma_map, is_held_until_it_is_unmapped)
{
	static const struct gm_dma_map_ops ops = {
		.release = look_whether_held,
	};
	const struct gm_dma_seg seg = { 0, SIZE };
	struct order o = { self->g.r[BARE], 0 };
	struct gm_dma_map *m;

	ASSERT_OK(gm_dma_map_new(o.r, gm_roff(0), GM_PERM_RW, &seg, 1, "x", &ops,
				 &o, &m));
	EXPECT_EQ(m, gm_dma_map_get(m));
	gm_dma_map_put(m);
	EXPECT_EQ(0, o.held);
	gm_dma_map_put(m);
	EXPECT_EQ(-EBUSY, o.held);
	EXPECT_EQ(0, gm_region_check_held(o.r, gm_roff(0), 1, GM_HOLD_DISCARD));
	gm_dma_map_put(NULL);
}

TEST_F(dma_map, set_refuses_what_is_not_in_the_memory_map)
{
	const struct gm_dma_seg seg = { 0, SIZE };
	struct own_region other;
	struct gm_dma_map *m;
	struct gm_dma *d = (void *)1;
	uint8_t mem[SIZE];

	/* Another region at the address of one that is there; and a hole. */
	const uint64_t bases[] = { BASE, BASE + 0x2000 };

	for (int i = 0; i < 2; i++) {
		ASSERT_OK(own_region_init_direct(&other, bases[i], SIZE, mem,
						 NULL));
		ASSERT_OK(gm_dma_map_new(&other.r, gm_roff(0), GM_PERM_RW, &seg,
					 1, "x", NULL, NULL, &m));
		EXPECT_FAIL(gm_dma_new(self->g.m, &m, 1, &d), ENOENT,
			    GM_ERR_NO_REGION, bases[i], SIZE, 0, 0);
		gm_dma_map_put(m);
		gm_region_put(&other.r);
		EXPECT_EQ(1, other.released);
	}
	EXPECT_EQ((void *)1, d);
}

TEST_F(dma_map, set_refuses_overlaps)
{
	const struct gm_dma_seg seg = { 0, 1 };
	struct gm_dma_map *maps[2];
	struct gm_dma *d = (void *)1;

	maps[0] = self->g.dm[LOW];
	ASSERT_OK(gm_dma_map_new(self->g.r[LOW], gm_roff(63), GM_PERM_READ, &seg,
				 1, "x", NULL, NULL, &maps[1]));
	EXPECT_FAIL(gm_dma_new(self->g.m, maps, 2, &d), EEXIST, GM_ERR_OVERLAP,
		    BASE + 63, 1, 0, 0);
	EXPECT_FAIL_KIND(gm_dma_insert(self->g.d, maps[1], &d), EEXIST,
			 GM_ERR_OVERLAP);
	EXPECT_EQ((void *)1, d);
	gm_dma_map_put(maps[1]);
}

TEST_F(dma_map, empty_set)
{
	struct gm_dma *d;
	uint64_t a;

	ASSERT_OK(gm_dma_new(self->g.m, NULL, 0, &d));
	EXPECT_FAIL_NAME(gm_dma_address(d, gm_gpa(BASE), 1, GM_PERM_READ, &a),
			 ENOENT, GM_ERR_NO_DMA, BASE, 1, "");
	EXPECT_FAIL_KIND(gm_dma_address(d, gm_gpa(0), 1, GM_PERM_READ, &a),
			 EFAULT, GM_ERR_GUEST_ADDR);
	EXPECT_EQ(d, gm_dma_get(d));
	gm_dma_put(d);
	gm_dma_put(d);
	gm_dma_put(NULL);
}

TEST_F(dma_map, insert_shares_the_rest)
{
	const struct gm_dma_seg seg = { 0x5000, SIZE };
	struct gm_dma_map *m;
	struct gm_dma *more;
	uint64_t a;

	ASSERT_OK(gm_dma_map_new(self->g.r[BARE], gm_roff(0), GM_PERM_RW, &seg,
				 1, DEVICE, NULL, NULL, &m));
	ASSERT_OK(gm_dma_insert(self->g.d, m, &more));
	gm_dma_map_put(m);
	EXPECT_EQ(self->g.m, gm_dma_memory(more));
	ASSERT_OK(gm_dma_address(more, gm_gpa(BARE_GPA), 1, GM_PERM_RW, &a));
	EXPECT_EQ(0x5000, a);
	ASSERT_OK(gm_dma_address(more, gm_gpa(TOP_GPA), 1, GM_PERM_RW, &a));
	/* The old one stays as it is. */
	EXPECT_EQ(-ENOENT, gm_dma_address(self->g.d, gm_gpa(BARE_GPA), 1,
					  GM_PERM_RW, &a));
	gm_dma_put(self->g.d);
	self->g.d = NULL;
	ASSERT_OK(gm_dma_address(more, gm_gpa(TOP_GPA), 1, GM_PERM_RW, &a));
	EXPECT_EQ(0, self->g.released[TOP]);
	gm_dma_put(more);
}

/* A region that is plugged in: not in the memory map that the old one has. */
TEST_F(dma_map, insert_of_a_new_region)
{
	const struct gm_dma_seg seg = { 0x5000, SIZE };
	struct own_region other;
	struct gm_dma_map *m;
	struct gm_dma *more = (void *)1;
	uint8_t mem[SIZE];
	uint64_t a;

	ASSERT_OK(own_region_init_direct(&other, BASE + 0x2000, SIZE, mem,
					 NULL));
	ASSERT_OK(gm_dma_map_new(&other.r, gm_roff(0), GM_PERM_RW, &seg, 1,
				 DEVICE, NULL, NULL, &m));
	ASSERT_OK(gm_dma_insert(self->g.d, m, &more));
	gm_dma_map_put(m);
	gm_region_put(&other.r);
	EXPECT_EQ(N + 1, gm_map_count(gm_dma_memory(more)));
	ASSERT_OK(gm_dma_address(more, gm_gpa(BASE + 0x2000), SIZE, GM_PERM_RW,
				 &a));
	gm_dma_put(more);
	EXPECT_EQ(1, other.released);
	/* One in the way of another. */
	ASSERT_OK(own_region_init_direct(&other, BASE + 8, 8, mem, NULL));
	const struct gm_dma_seg small = { 0, 8 };

	ASSERT_OK(gm_dma_map_new(&other.r, gm_roff(0), GM_PERM_RW, &small, 1,
				 DEVICE, NULL, NULL, &m));
	EXPECT_FAIL(gm_dma_insert(self->g.d, m, &more), EEXIST, GM_ERR_OVERLAP,
		    BASE + 8, 8, 0, 0);
	gm_dma_map_put(m);
	gm_region_put(&other.r);
}

/* As a VMM takes memory from its guest; see gm_dma_remove(). */
TEST_F(dma_map, memory_is_taken_away_from_a_running_device)
{
	struct gm_dma *less;
	struct gm_map *m;
	uint64_t a;

	gm_dma_map_put(self->g.dm[HIGH]);
	self->g.dm[HIGH] = NULL;
	EXPECT_FAIL_KIND(gm_dma_remove(self->g.d, gm_gpa(BASE), 2 * SIZE, &less),
			 ENOENT, GM_ERR_NO_REGION);
	ASSERT_OK(gm_dma_remove(self->g.d, gm_gpa(BASE + SIZE), SIZE, &less));
	EXPECT_EQ(N - 1, gm_map_count(gm_dma_memory(less)));
	EXPECT_FAIL_KIND(gm_dma_address(less, gm_gpa(BASE + SIZE), 1,
					GM_PERM_RW, &a),
			 EFAULT, GM_ERR_GUEST_ADDR);
	ASSERT_OK(gm_dma_address(less, gm_gpa(BASE), 1, GM_PERM_RW, &a));
	/* Requests in flight have the old one, and so the memory stays mapped. */
	ASSERT_OK(gm_dma_address(self->g.d, gm_gpa(BASE + SIZE), 1, GM_PERM_RW,
				 &a));
	EXPECT_EQ(-EBUSY, gm_map_remove(self->g.m, gm_gpa(BASE + SIZE), SIZE, &m,
					NULL));
	EXPECT_EQ(0, self->g.released[HIGH]);
	/* They have finished. */
	gm_dma_put(self->g.d);
	self->g.d = less;
	EXPECT_EQ(!variant->sync, self->g.released[HIGH]);
	EXPECT_EQ(0, self->g.released[LOW]);
	ASSERT_OK(gm_map_remove(self->g.m, gm_gpa(BASE + SIZE), SIZE, &m, NULL));
	gm_map_put(m);
}

static int track(void *ctx, struct gm_region *r, struct gm_bitmap **dirty)
{
	return gm_bitmap_new(gm_region_len(r), 8, dirty);
}

/* Tracking begins: the maps stay, and their regions are not what is tracked. */
TEST_F(dma_map, writes_are_marked_where_the_memory_map_has_them)
{
	struct dma_guest *g = &self->g;
	struct gm_map *tracked;
	uint64_t a, bits = 0;
	struct gm_dma *d;

	ASSERT_OK(gm_map_new_alias(g->m, track, NULL, &tracked));
	ASSERT_OK(gm_dma_new(tracked, g->d->maps, g->d->nmaps, &d));
	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + SIZE + 16), 8, GM_PERM_WRITE, &a));
	EXPECT_EQ(0, dma_guest_take(g, HIGH));
	gm_bitmap_take(gm_region_bitmap(gm_map_find(tracked, gm_gpa(BASE + SIZE))), &bits, 1);
	EXPECT_EQ(0x04, bits);
	gm_dma_put(d);
	gm_map_put(tracked);
}

TEST_F(dma_map, sync_of_a_map)
{
	struct dma_guest *g = &self->g;
	const struct gm_dma_map *m = g->dm[LOW];

	EXPECT_EQ(0, gm_dma_map_sync(m, gm_roff(5), 7, GM_DMA_FOR_CPU));
	EXPECT_EQ(variant->sync, g->synced);
	if (variant->sync) {
		EXPECT_EQ(5, g->sync_off);
		EXPECT_EQ(7, g->sync_len);
		EXPECT_EQ(GM_DMA_FOR_CPU, g->sync_owner);
		g->sync_result = -ENODEV;
		EXPECT_EQ(-ENODEV, gm_dma_map_sync(m, gm_roff(0), SIZE,
						   GM_DMA_FOR_DEVICE));
		EXPECT_EQ(GM_DMA_FOR_DEVICE, g->sync_owner);
	}
	g->synced = 0;
	EXPECT_EQ(0, gm_dma_map_sync(m, gm_roff(5), 0, GM_DMA_FOR_CPU));
	EXPECT_FAIL_KIND(gm_dma_map_sync(m, gm_roff(0), 1,
					 (enum gm_dma_owner)3),
			 EINVAL, GM_ERR_OPTION);
	EXPECT_FAIL_KIND(gm_dma_map_sync(m, gm_roff(1), UINT64_MAX,
					 GM_DMA_FOR_CPU),
			 EOVERFLOW, GM_ERR_OVERFLOW);
	EXPECT_FAIL_KIND(gm_dma_map_sync(m, gm_roff(1), SIZE, GM_DMA_FOR_CPU),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(0, g->synced);
}

TEST_F(dma_map, sync_by_guest_address)
{
	struct dma_guest *g = &self->g;

	EXPECT_EQ(0, gm_dma_sync(g->d, gm_gpa(BASE + 10), 2, GM_DMA_FOR_CPU));
	if (!variant->sync) {
		EXPECT_EQ(0, gm_dma_sync(g->d, gm_gpa(0), 1, GM_DMA_FOR_CPU));
		EXPECT_EQ(0, g->synced);
		return;
	}
	EXPECT_EQ(1, g->synced);
	EXPECT_EQ(10, g->sync_off);
	EXPECT_EQ(2, g->sync_len);
	/* Three pieces of LOW, one of HIGH. */
	EXPECT_EQ(0, gm_dma_sync(g->d, gm_gpa(BASE), 2 * SIZE,
				 GM_DMA_FOR_DEVICE));
	EXPECT_EQ(5, g->synced);
	EXPECT_EQ(0, g->sync_off);
	EXPECT_EQ(SIZE, g->sync_len);
	EXPECT_EQ(0, gm_dma_sync(g->d, gm_gpa(0), 0, GM_DMA_FOR_DEVICE));
	EXPECT_FAIL_KIND(gm_dma_sync(g->d, gm_gpa(0), 1, GM_DMA_FOR_CPU),
			 EFAULT, GM_ERR_GUEST_ADDR);
	EXPECT_FAIL_KIND(gm_dma_sync(g->d, gm_gpa(BARE_GPA), 1, GM_DMA_FOR_CPU),
			 ENOENT, GM_ERR_NO_DMA);
	EXPECT_FAIL_KIND(gm_dma_sync(g->d, gm_gpa(TOP_GPA), SIZE + 1,
				     GM_DMA_FOR_CPU),
			 EOVERFLOW, GM_ERR_GUEST_OVERFLOW);
	g->sync_result = -EIO;
	EXPECT_EQ(-EIO, gm_dma_sync(g->d, gm_gpa(BASE), 1, GM_DMA_FOR_CPU));
}

TEST_HARNESS_MAIN
