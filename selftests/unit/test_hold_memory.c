/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * test_hold_memory.c - a hold is of memory, whatever regions have it: of one file,
 * or over the same host addresses. And a hold comes, however much is discarded.
 * One region alone: test_hold.c.
 */
/* gm-test: linux */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <guestmem/hold.h>
#include <guestmem/map.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define PAGES 8

static struct gm_region *map_file(struct __test_metadata *_metadata,
				  struct gm_file *f, uint64_t page,
				  uint64_t len, uint32_t flags)
{
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = flags,
		.file = f,
		.file_off = page * PAGE,
	};
	struct gm_region *r = NULL;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), len, &o, &r));
	return r;
}

static struct gm_hold *hold(struct __test_metadata *_metadata,
			    struct gm_region *r, uint64_t page, uint64_t n)
{
	struct gm_hold *h = NULL;

	ASSERT_OK(gm_region_hold(r, gm_roff(page * PAGE), n * PAGE,
				 GM_HOLD_DISCARD | GM_HOLD_REMOVE, "device",
				 &h));
	return h;
}

static int discard(struct gm_region *r, uint64_t page, uint64_t n)
{
	return gm_region_discard(r, gm_roff(page * PAGE), n * PAGE);
}

FIXTURE(shared) {
	struct gm_region *a;	/* pages 0 to 7 of a memfd */
	struct gm_region *b;	/* pages 2 to 5, through a file of its own */
};

FIXTURE_SETUP(shared)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_MEMFD };
	struct gm_file *again;
	char path[64];
	int fd;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGES * PAGE, &o, &self->a));
	snprintf(path, sizeof(path), "/proc/self/fd/%d",
		 gm_file_fd(gm_region_file(self->a, NULL)));
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_OK(gm_file_new(fd, &again));
	self->b = map_file(_metadata, again, 2, 4 * PAGE, 0);
	gm_file_put(again);
	memset(self->a->ext.host, 5, PAGES * PAGE);
}

FIXTURE_TEARDOWN(shared)
{
	gm_region_put(self->b);
	gm_region_put(self->a);
}

/* Page 1 of b is page 3 of a. */
TEST_F(shared, discard_through_another_region_of_the_file)
{
	struct gm_hold *h = hold(_metadata, self->b, 1, 1);

	EXPECT_FAIL_NAME(discard(self->a, 0, PAGES), EBUSY, GM_ERR_HELD,
			 3 * PAGE, PAGE, "device");
	EXPECT_FAIL_NAME(discard(self->a, 3, 1), EBUSY, GM_ERR_HELD, 3 * PAGE,
			 PAGE, "device");
	EXPECT_EQ(5, self->b->ext.host[PAGE]);
	EXPECT_EQ(0, discard(self->a, 0, 3));
	EXPECT_EQ(0, discard(self->a, 4, 4));
	EXPECT_EQ(5, self->b->ext.host[PAGE]);
	EXPECT_EQ(0, self->b->ext.host[0]);
	gm_hold_end(h);
	EXPECT_EQ(0, discard(self->a, 3, 1));
	EXPECT_EQ(0, self->b->ext.host[PAGE]);
}

/* The offset that is told is one of the region that was asked about. */
TEST_F(shared, what_is_held_before_the_region_has_no_offset_in_it)
{
	struct gm_hold *h = hold(_metadata, self->a, 1, 2);

	EXPECT_FAIL_NAME(discard(self->b, 0, 4), EBUSY, GM_ERR_HELD, 0, PAGE,
			 "device");
	EXPECT_EQ(0, discard(self->b, 1, 3));
	gm_hold_end(h);
	h = hold(_metadata, self->a, 0, 2);
	EXPECT_EQ(0, discard(self->b, 0, 4));
	gm_hold_end(h);
	h = hold(_metadata, self->a, 6, 2);
	EXPECT_EQ(0, discard(self->b, 0, 4));
	gm_hold_end(h);
}

/* The guest may have the memory at another address still. */
TEST_F(shared, removal_is_of_one_region)
{
	struct gm_hold *h = hold(_metadata, self->b, 0, 1);

	EXPECT_EQ(-EBUSY, gm_region_check_held(self->b, gm_roff(0), PAGE,
					       GM_HOLD_REMOVE));
	EXPECT_EQ(0, gm_region_check_held(self->a, gm_roff(2 * PAGE), PAGE,
					  GM_HOLD_REMOVE));
	EXPECT_EQ(-EBUSY, gm_region_check_held(self->a, gm_roff(2 * PAGE), PAGE,
					       GM_HOLD_REMOVE |
					       GM_HOLD_DISCARD));
	gm_hold_end(h);
}

/* Private copies are one's own: they go, and nobody else's memory does. */
TEST_F(shared, private_mapping_of_the_file)
{
	struct gm_region *p = map_file(_metadata, gm_region_file(self->a, NULL),
				       0, PAGES * PAGE, GM_MMAP_PRIVATE);
	struct gm_hold *h = hold(_metadata, self->a, 0, PAGES);

	p->ext.host[0] = 9;
	EXPECT_EQ(0, discard(p, 0, PAGES));
	EXPECT_EQ(5, p->ext.host[0]);
	gm_hold_end(h);
	h = hold(_metadata, p, 0, PAGES);
	EXPECT_EQ(0, discard(self->a, 0, PAGES));
	EXPECT_EQ(-EBUSY, discard(p, 0, 1));
	gm_hold_end(h);
	gm_region_put(p);
}

/* A region that ends amid a page gives back all of it. */
TEST_F(shared, rest_of_a_page)
{
	struct gm_region *odd = map_file(_metadata,
					 gm_region_file(self->a, NULL), 0,
					 PAGE + 100, 0);
	struct gm_hold *h;

	ASSERT_OK(gm_region_hold(self->a, gm_roff(PAGE + 200), 8,
				 GM_HOLD_DISCARD, "x", &h));
	EXPECT_FAIL_KIND(gm_region_discard(odd, gm_roff(PAGE), 100), EBUSY,
			 GM_ERR_HELD);
	EXPECT_EQ(0, discard(odd, 0, 1));
	gm_hold_end(h);
	EXPECT_EQ(0, gm_region_discard(odd, gm_roff(PAGE), 100));
	gm_region_put(odd);
}

/* One file, and yet each mapping has memory of its own. */
TEST(devices_are_not_one_memory)
{
	struct gm_region *a, *b;
	struct gm_file *f;
	struct gm_hold *h;
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_OK(gm_file_new(fd, &f));
	a = map_file(_metadata, f, 0, PAGE, 0);
	b = map_file(_metadata, f, 0, PAGE, 0);
	EXPECT_TRUE(gm_regions_share_file(a, b));
	h = hold(_metadata, a, 0, 1);
	EXPECT_EQ(-EBUSY, discard(a, 0, 1));
	EXPECT_EQ(0, discard(b, 0, 1));
	gm_hold_end(h);
	gm_region_put(b);
	gm_region_put(a);
	gm_file_put(f);
}

/* Regions over pages 2 to 4 of another one's mapping, of two kinds. */
TEST(region_over_the_memory_of_another)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct own_region own;
	struct gm_region *r, *over[2];
	struct gm_hold *h;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGES * PAGE, NULL, &r));
	o.addr = r->ext.host + 2 * PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 3 * PAGE, &o, &over[0]));
	ASSERT_OK(own_region_init_direct(&own, 0, 3 * PAGE, o.addr, NULL));
	over[1] = &own.r;
	for (int i = 0; i < 2; i++) {
		h = hold(_metadata, over[i], 1, 1);
		EXPECT_FAIL_NAME(discard(r, 0, PAGES), EBUSY, GM_ERR_HELD,
				 3 * PAGE, PAGE, "device");
		EXPECT_EQ(0, discard(r, 0, 3));
		EXPECT_EQ(0, discard(r, 4, 4));
		EXPECT_EQ(-EBUSY, gm_region_check_held(over[!i],
						       gm_roff(2 * PAGE - 1),
						       1, GM_HOLD_DISCARD));
		EXPECT_EQ(0, gm_region_check_held(over[!i], gm_roff(2 * PAGE),
						  PAGE, GM_HOLD_DISCARD));
		gm_hold_end(h);
		/* The other way round: who discards by himself asks. */
		h = hold(_metadata, r, 4, 2);
		EXPECT_FAIL_NAME(gm_region_check_held(over[i],
						      gm_roff(2 * PAGE), PAGE,
						      GM_HOLD_DISCARD),
				 EBUSY, GM_ERR_HELD, 2 * PAGE, 2 * PAGE,
				 "device");
		gm_hold_end(h);
		EXPECT_EQ(0, discard(r, 0, PAGES));
	}
	gm_region_put(over[1]);
	gm_region_put(over[0]);
	gm_region_put(r);
}

/* Regions without a host address: the offsets say nothing of each other. */
TEST(on_demand_regions_are_apart)
{
	struct own_region a, b;
	struct gm_hold *h;
	uint8_t mem[64];

	ASSERT_OK(own_region_init_on_demand(&a, 0, 64, mem, NULL));
	ASSERT_OK(own_region_init_on_demand(&b, 64, 64, mem, NULL));
	ASSERT_OK(gm_region_hold(&a.r, gm_roff(0), 64, GM_HOLD_DISCARD, "x",
				 &h));
	EXPECT_EQ(-EBUSY, gm_region_check_held(&a.r, gm_roff(63), 1,
					       GM_HOLD_DISCARD));
	EXPECT_EQ(0, gm_region_check_held(&b.r, gm_roff(0), 64,
					  GM_HOLD_DISCARD));
	gm_hold_end(h);
	gm_region_put(&b.r);
	gm_region_put(&a.r);
}

/* A balloon whose guest never stops: one discard or other is always under way. */
#define THREADS 8
#define BALLOON (UINT64_C(16) << 20)

struct balloon {
	struct gm_region *r;
	uint64_t discards;	/* that have begun */
	bool stop;
	int failed;
};

static void *discard_again_and_again(void *arg)
{
	struct balloon *b = arg;

	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&b->discards, 1, __ATOMIC_RELAXED);
		if (gm_region_discard(b->r, gm_roff(0), BALLOON))
			__atomic_store_n(&b->failed, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A hold that waits for a moment without discards waits until the test is killed. */
TEST(discards_do_not_keep_a_hold_waiting)
{
	struct balloon b = { .stop = false };
	pthread_t threads[THREADS];
	struct gm_region *other;
	struct gm_hold *h;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), BALLOON, NULL, &b.r));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, NULL, &other));
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    discard_again_and_again, &b));
	while (!__atomic_load_n(&b.discards, __ATOMIC_RELAXED))
		usleep(1000);
	for (int i = 0; i < 20; i++) {
		ASSERT_OK(gm_region_hold(other, gm_roff(0), PAGE,
					 GM_HOLD_DISCARD, "device", &h));
		gm_hold_end(h);
	}
	__atomic_store_n(&b.stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, b.failed);
	gm_region_put(other);
	gm_region_put(b.r);
}

TEST_HARNESS_MAIN
