/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_map_opts.c - options for a map's regions, of a program that is as old as the
 * library, newer or older.
 */
/* gm-test: windows */
#include <string.h>
#include <guestmem.h>
#include "kselftest_harness.h"
#include "expect.h"

#define LEN UINT64_C(0x10000)
#define N 3

/* With two fields that the library does not know. */
struct newer {
	struct gm_mmap_opts o;
	uint64_t tail[2];
};

/* Ends before the file. */
struct older {
	size_t sz;
	uint32_t flags;
	int prot;
};

static const uint32_t flags[N] = { GM_MMAP_DIRTY, GM_MMAP_READ_ONLY, 0 };

static const struct gm_range ranges[N] = {
	{ 0, LEN }, { LEN, LEN }, { 3 * LEN, LEN },
};

static int new_map(const void *opts, struct gm_map **out)
{
	return gm_map_new_mmap(ranges, opts, N, out);
}

static void check_regions(struct __test_metadata *_metadata, struct gm_map *m)
{
	ASSERT_EQ(N, gm_map_count(m));
	EXPECT_NE(NULL, gm_region_bitmap(gm_map_region(m, 0)));
	EXPECT_EQ(GM_PERM_RW, gm_region_perm(gm_map_region(m, 0)));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(gm_map_region(m, 1)));
	EXPECT_EQ(NULL, gm_region_bitmap(gm_map_region(m, 2)));
	EXPECT_EQ(GM_PERM_RW, gm_region_perm(gm_map_region(m, 2)));
	gm_map_put(m);
}

static void fill(struct newer *o)
{
	memset(o, 0, N * sizeof(*o));
	for (int i = 0; i < N; i++) {
		o[i].o.sz = sizeof(*o);
		o[i].o.flags = flags[i];
	}
}

TEST(as_old_as_the_library)
{
	struct gm_mmap_opts o[N];
	struct gm_map *m;

	memset(o, 0, sizeof(o));
	for (int i = 0; i < N; i++) {
		o[i].sz = sizeof(o[0]);
		o[i].flags = flags[i];
	}
	ASSERT_OK(new_map(o, &m));
	check_regions(_metadata, m);
}

TEST(older)
{
	struct older o[N];
	struct gm_map *m;

	memset(o, 0, sizeof(o));
	for (int i = 0; i < N; i++)
		o[i] = (struct older){ sizeof(o[0]), flags[i], 0 };
	ASSERT_OK(new_map(o, &m));
	check_regions(_metadata, m);
}

TEST(newer)
{
	struct gm_choice choice;
	struct newer o[N];
	struct gm_map *m;

	fill(o);
	ASSERT_OK(new_map(o, &m));
	check_regions(_metadata, m);
	/* Without the module, as here. */
	ASSERT_OK(gm_map_new_auto(NULL, ranges, &o[0].o, N, &m, &choice));
	check_regions(_metadata, m);
}

TEST(newer_that_asks_for_what_is_not_known)
{
	struct gm_map *m = NULL;
	struct newer o[N];

	for (int i = 0; i < N; i++) {
		fill(o);
		o[i].tail[1] = UINT64_MAX;
		EXPECT_FAIL(new_map(o, &m), E2BIG, GM_ERR_OPTION, sizeof(o[0].o) + 8, 0, 0, 0);
	}
	EXPECT_EQ(NULL, m);
}

TEST(sizes_that_are_refused)
{
	const size_t sz = offsetof(struct gm_mmap_opts, sz);
	struct gm_mmap_opts own[N];
	struct gm_map *m = NULL;
	struct newer o[N];

	/* One that ends before its name. */
	memset(own, 0, sizeof(own));
	own[0].sz = sizeof(own[0]);
	own[1].sz = sizeof(own[0]);
	own[2].sz = offsetof(struct gm_mmap_opts, name);
	EXPECT_FAIL(new_map(own, &m), EINVAL, GM_ERR_OPTION, sz, 0, 0, 0);
	/* One of a program that is no newer. */
	for (int i = 0; i < N; i++) {
		fill(o);
		o[i].o.sz = sizeof(o[0].o);
		EXPECT_FAIL(new_map(o, &m), EINVAL, GM_ERR_OPTION, sz, 0, 0, 0);
	}
	fill(o);
	o[0].o.sz = sizeof(o[0].o) + 4;
	EXPECT_FAIL(new_map(o, &m), EINVAL, GM_ERR_OPTION, sz, 0, 0, 0);
	o[0].o.sz = sizeof(size_t);
	EXPECT_FAIL(new_map(o, &m), EINVAL, GM_ERR_OPTION, sz, 0, 0, 0);
	o[0].o.sz = 0;
	EXPECT_FAIL(new_map(o, &m), EINVAL, GM_ERR_OPTION, sz, 0, 0, 0);
	EXPECT_EQ(NULL, m);
	/* None has no size. */
	EXPECT_FAIL_KIND(gm_map_new_mmap(ranges, &o[0].o, 0, &m), EINVAL, GM_ERR_NO_REGION);
}

TEST_HARNESS_MAIN
