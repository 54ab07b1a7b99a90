/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * xen.h on pretended drivers: grants that are mapped for an access, kept ones, and many
 * threads.
 */
/* gm-test: linux */
#include <pthread.h>
#include <string.h>
#include "kselftest_harness.h"
#include "vma.h"
#include "xen_region.h"

TEST_F(xen, on_demand_maps_what_an_access_needs)
{
	PAGES_OF_4_KIB();
	struct gm_xen_stats stats;
	struct gm_region *r;
	struct gm_slice s;
	struct gm_guard g;
	uint32_t x = 0;
	void *host;

	self->o.flags = GM_MMAP_DIRTY;
	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 0, &r));
	s = gm_region_as_slice(r);
	EXPECT_EQ(0, xen_fake.map_requests);
	EXPECT_FAIL_KIND(gm_region_host(r, gm_roff(0), &host), EOPNOTSUPP, GM_ERR_NO_HOST_ADDR);
	EXPECT_EQ(0, gm_slice_write(s, 2 * PAGE - 2, "abcd", 4));
	EXPECT_EQ(0, memcmp(self->memory + GPA + 2 * PAGE - 2, "abcd", 4));
	EXPECT_EQ(1, xen_fake.map_requests);
	EXPECT_EQ(0, xen_fake.granted);
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 2 * PAGE));
	x = 5;
	EXPECT_EQ(0, gm_slice_store(s, 3 * PAGE + 8, &x, 4, GM_RELEASE));
	x = 0;
	EXPECT_EQ(0, gm_slice_load(s, 3 * PAGE + 8, &x, 4, GM_ACQUIRE));
	EXPECT_EQ(5, x);
	EXPECT_EQ(5, self->memory[GPA + 3 * PAGE + 8]);
	EXPECT_EQ(0, xen_fake.granted);

	/* All of it, for a while. */
	ASSERT_OK(gm_slice_begin(s, GM_PERM_RW, &g));
	EXPECT_EQ(8, xen_fake.granted);
	EXPECT_EQ(0, gm_region_xen_stats(r, &stats));
	EXPECT_EQ(8, stats.mapped);
	EXPECT_EQ(4, stats.requests);
	EXPECT_EQ(0, memcmp(g.ptr, self->memory + GPA, LEN));
	gm_guard_end(&g);
	EXPECT_EQ(0, xen_fake.granted);
	EXPECT_EQ(0, gm_region_xen_stats(r, &stats));
	EXPECT_EQ(0, stats.mapped);
	gm_region_put(r);
}

/* A request of more than a few grants has its list elsewhere. */
TEST_F(xen, on_demand_large)
{
	PAGES_OF_4_KIB();
	struct gm_xen_opts x = xen_opts(ON_DEMAND);
	static uint8_t have[40 * PAGE];
	struct gm_region *r;

	ASSERT_OK(gm_region_new_xen(gm_gpa(0), XEN_FAKE_PAGES * PAGE, &x, &self->o, &r));
	memset(self->memory, 0x5a, XEN_FAKE_PAGES * PAGE);
	EXPECT_EQ(0, gm_slice_read(gm_region_as_slice(r), PAGE + 7, have, sizeof(have)));
	EXPECT_EQ(0, memcmp(have, self->memory, sizeof(have)));
	EXPECT_EQ(1, xen_fake.map_requests);
	gm_region_put(r);
}

TEST_F(xen, on_demand_error_leaves_nothing)
{
	PAGES_OF_4_KIB();
	struct gm_region *r;
	struct gm_slice s;
	char buf[3 * 4096];
	int before;

	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 0, &r));
	s = gm_region_as_slice(r);
	before = vma_count("xen_fake");
	xen_fake.hole = 6;
	EXPECT_FAIL(gm_slice_read(s, PAGE, buf, sizeof(buf)), EINVAL, GM_ERR_XEN_GRANT, 5, 3,
		    XEN_FAKE_DOMAIN, 0);
	EXPECT_EQ(0, xen_fake.requests);
	xen_fake.fail = ENOSPC;
	EXPECT_FAIL(gm_slice_read(s, 0, buf, 1), ENOSPC, GM_ERR_XEN_GRANT, 4, 1, XEN_FAKE_DOMAIN,
		    0);
	EXPECT_EQ(before, vma_count("xen_fake"));
	gm_region_put(r);
}

TEST_F(xen, cache_keeps_pages)
{
	PAGES_OF_4_KIB();
	struct gm_xen_stats stats;
	struct gm_region *r;
	struct gm_slice s;
	struct gm_guard g, h;
	uint64_t x;
	int i;

	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 2, &r));
	s = gm_region_as_slice(r);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, gm_slice_write_u64(s, 8, (uint64_t)i));
		EXPECT_EQ(0, gm_slice_read_u64(s, 8, &x));
		EXPECT_EQ((uint64_t)i, x);
	}
	EXPECT_EQ(1, xen_fake.map_requests);
	EXPECT_EQ(0, gm_region_xen_stats(r, &stats));
	EXPECT_EQ(19, stats.hits);
	EXPECT_EQ(1, stats.mapped);

	/* A page that was read is not there to be written. */
	EXPECT_EQ(0, gm_slice_read_u64(s, PAGE, &x));
	EXPECT_EQ(0, gm_slice_write_u64(s, PAGE, 1));
	EXPECT_EQ(3, xen_fake.map_requests);
	EXPECT_EQ(2, xen_fake.granted);

	/* Both places are in use: others are mapped for themselves. */
	ASSERT_OK(gm_slice_sub(s, 2 * PAGE, 8, &s));
	ASSERT_OK(gm_slice_begin(s, GM_PERM_READ, &g));
	s = gm_region_as_slice(r);
	ASSERT_OK(gm_slice_sub(s, 3 * PAGE, 8, &s));
	ASSERT_OK(gm_slice_begin(s, GM_PERM_READ, &h));
	s = gm_region_as_slice(r);
	EXPECT_EQ(2, gm_region_xen_trim(r));
	EXPECT_EQ(0, gm_slice_read_u64(s, 4 * PAGE, &x));
	EXPECT_EQ(2, xen_fake.granted);
	gm_guard_end(&g);
	gm_guard_end(&h);
	EXPECT_EQ(0, gm_region_xen_trim(r));
	EXPECT_EQ(0, xen_fake.granted);

	/* What is longer than a page is not kept. */
	EXPECT_EQ(0, gm_slice_read(s, PAGE - 4, &x, 8));
	EXPECT_EQ(0, xen_fake.granted);
	EXPECT_EQ(0, gm_slice_read_u64(s, 0, &x));
	EXPECT_EQ(1, xen_fake.granted);
	gm_region_put(r);
}

TEST_F(xen, cache_error_keeps_what_there_is)
{
	PAGES_OF_4_KIB();
	struct gm_xen_stats stats;
	struct gm_region *r;
	struct gm_slice s;
	uint64_t x;

	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 1, &r));
	s = gm_region_as_slice(r);
	EXPECT_EQ(0, gm_slice_read_u64(s, 0, &x));
	xen_fake.hole = 5;
	EXPECT_FAIL(gm_slice_read_u64(s, PAGE, &x), EINVAL, GM_ERR_XEN_GRANT, 5, 1,
		    XEN_FAKE_DOMAIN, 0);
	EXPECT_EQ(0, gm_slice_read_u64(s, 0, &x));
	EXPECT_EQ(0, gm_region_xen_stats(r, &stats));
	EXPECT_EQ(1, stats.hits);
	gm_region_put(r);
}

#define THREADS 4

static void *count(void *arg)
{
	struct gm_slice s = gm_region_as_slice(arg);
	uint64_t off, x;
	int i;

	for (i = 0; i < 2000; i++) {
		off = (uint64_t)i % 8 * PAGE + 64;
		if (gm_slice_read(s, off, &x, 8) || gm_slice_store_u64(s, off + 8, x, GM_RELEASE))
			return arg;
	}
	return NULL;
}

static void hammer(struct __test_metadata *_metadata, struct gm_region *r)
{
	pthread_t threads[THREADS];
	void *failed;
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, count, r));
	for (i = 0; i < 200; i++)
		gm_region_xen_trim(r);
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
}

TEST_F_TIMEOUT(xen, many_threads_and_one_cache, 300)
{
	PAGES_OF_4_KIB();
	struct gm_region *r;

	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 3, &r));
	hammer(_metadata, r);
	EXPECT_EQ(0, gm_region_xen_trim(r));
	gm_region_put(r);
}

TEST_HARNESS_MAIN
