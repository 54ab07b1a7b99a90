/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * test_hold.c - who holds memory, what that forbids, and memory that is given
 * back: it goes, and reads as zero. Holds of devices: test_dma_map.c.
 */
/* gm-test: windows */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <guestmem/hold.h>
#include <guestmem/map.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"
#include "scale.h"
#include "system.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define PAGES 8
#define BASE UINT64_C(0x100000)

FIXTURE(hold) {
	struct gm_region *r;
	struct gm_map *m;
};

FIXTURE_SETUP(hold)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_DIRTY };

	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PAGES * PAGE, &o, &self->r));
	ASSERT_OK(gm_map_new(&self->r, 1, &self->m));
	memset(self->r->ext.host, 0xaa, PAGES * PAGE);
}

FIXTURE_TEARDOWN(hold)
{
	gm_map_put(self->m);
	gm_region_put(self->r);
}

static int discard(struct gm_region *r, uint64_t page, uint64_t n)
{
	return gm_region_discard(r, gm_roff(page * PAGE), n * PAGE);
}

TEST_F(hold, what_is_refused)
{
	LINUX_ONLY();
	uint64_t len = PAGES * PAGE;
	struct gm_hold *h = (void *)1;

	EXPECT_FAIL(gm_region_hold(self->r, gm_roff(7), 0, GM_HOLD_DISCARD, "x",
				   &h),
		    EINVAL, GM_ERR_ZERO_LENGTH, 7, 0, 0, 0);
	EXPECT_FAIL(gm_region_hold(self->r, gm_roff(0), 1, 0, "x", &h), EINVAL,
		    GM_ERR_SIZE, 0, 0, 0, 0);
	EXPECT_FAIL(gm_region_hold(self->r, gm_roff(0), 1, 4, "x", &h), EINVAL,
		    GM_ERR_SIZE, 4, 0, 0, 0);
	EXPECT_FAIL(gm_region_hold(self->r, gm_roff(1), UINT64_MAX,
				   GM_HOLD_DISCARD, "x", &h),
		    EOVERFLOW, GM_ERR_OVERFLOW, 1, UINT64_MAX, 0, 0);
	EXPECT_FAIL_KIND(gm_region_hold(self->r, gm_roff(1), len,
					GM_HOLD_DISCARD, "x", &h),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(len, gm_error_last()->expected);
	EXPECT_EQ((void *)1, h);
	EXPECT_EQ(0, discard(self->r, 0, PAGES));
	gm_hold_end(NULL);
}

/* Bytes [PAGE + 1, 2 * PAGE) are held: the page before and after are not. */
TEST_F(hold, discard_of_held_bytes_names_the_holder)
{
	LINUX_ONLY();
	struct gm_hold *h;

	ASSERT_OK(gm_region_hold(self->r, gm_roff(PAGE + 1), PAGE - 1,
				 GM_HOLD_DISCARD, "0000:00:04.0", &h));
	EXPECT_FAIL_NAME(discard(self->r, 1, 1), EBUSY, GM_ERR_HELD, PAGE + 1,
			 PAGE - 1, "0000:00:04.0");
	EXPECT_FAIL_NAME(discard(self->r, 0, PAGES), EBUSY, GM_ERR_HELD,
			 PAGE + 1, PAGE - 1, "0000:00:04.0");
	EXPECT_EQ(0xaa, self->r->ext.host[0]);
	EXPECT_EQ(0xaa, self->r->ext.host[PAGE]);
	EXPECT_EQ(0, discard(self->r, 0, 1));
	EXPECT_EQ(0, discard(self->r, 2, PAGES - 2));
	EXPECT_EQ(0, self->r->ext.host[0]);
	EXPECT_EQ(0xaa, self->r->ext.host[2 * PAGE - 1]);
	EXPECT_EQ(0, self->r->ext.host[2 * PAGE]);
	gm_hold_end(h);
	EXPECT_EQ(0, discard(self->r, 1, 1));
	EXPECT_EQ(0, self->r->ext.host[2 * PAGE - 1]);
}

TEST_F(hold, a_range_is_held_from_its_first_to_its_last_byte)
{
	const uint64_t d = GM_HOLD_DISCARD;
	struct gm_hold *h;

	ASSERT_OK(gm_region_hold(self->r, gm_roff(100), 50, d, "x", &h));
	EXPECT_EQ(0, gm_region_check_held(self->r, gm_roff(0), 100, d));
	EXPECT_EQ(-EBUSY, gm_region_check_held(self->r, gm_roff(0), 101, d));
	EXPECT_EQ(-EBUSY, gm_region_check_held(self->r, gm_roff(149), 1, d));
	EXPECT_EQ(-EBUSY, gm_region_check_held(self->r, gm_roff(110), 1, d));
	EXPECT_EQ(-EBUSY, gm_region_check_held(self->r, gm_roff(100), 50, d));
	EXPECT_EQ(0, gm_region_check_held(self->r, gm_roff(150), 100, d));
	EXPECT_EQ(0, gm_region_check_held(self->r, gm_roff(110), 0, d));
	EXPECT_EQ(0, gm_region_check_held(self->r, gm_roff(100), 50,
					  GM_HOLD_REMOVE));
	gm_hold_end(h);
	EXPECT_EQ(0, gm_region_check_held(self->r, gm_roff(100), 50, d));
}

TEST_F(hold, removal_of_a_held_region_names_the_holder)
{
	LINUX_ONLY();
	struct gm_map *less = (void *)1;
	struct gm_region *removed = (void *)1;
	struct gm_hold *h;

	ASSERT_OK(gm_region_hold(self->r, gm_roff(64), 8, GM_HOLD_REMOVE,
				 "vfio", &h));
	EXPECT_FAIL_NAME(gm_map_remove(self->m, gm_gpa(BASE), PAGES * PAGE,
				       &less, &removed),
			 EBUSY, GM_ERR_HELD, 64, 8, "vfio");
	EXPECT_EQ((void *)1, less);
	EXPECT_EQ((void *)1, removed);
	/* A region goes as a whole, whatever the range that is asked for. */
	EXPECT_EQ(-EBUSY, gm_region_check_held(self->r, gm_roff(0), 1,
					       GM_HOLD_REMOVE));
	/* What is no region is that first. */
	EXPECT_FAIL_KIND(gm_map_remove(self->m, gm_gpa(BASE), PAGE, &less, NULL),
			 ENOENT, GM_ERR_NO_REGION);
	EXPECT_FAIL_KIND(gm_map_remove(self->m, gm_gpa(0), PAGE, &less, NULL),
			 ENOENT, GM_ERR_NO_REGION);
	/* It forbids nothing else. */
	EXPECT_EQ(0, discard(self->r, 0, PAGES));
	gm_hold_end(h);
	ASSERT_OK(gm_map_remove(self->m, gm_gpa(BASE), PAGES * PAGE, &less,
				&removed));
	EXPECT_EQ(self->r, removed);
	gm_region_put(removed);
	gm_map_put(less);
}

TEST_F(hold, discard_alone_does_not_forbid_removal)
{
	struct gm_map *less;
	struct gm_hold *h;

	ASSERT_OK(gm_region_hold(self->r, gm_roff(0), 8, GM_HOLD_DISCARD, "x",
				 &h));
	ASSERT_OK(gm_map_remove(self->m, gm_gpa(BASE), PAGES * PAGE, &less,
				NULL));
	gm_map_put(less);
	gm_hold_end(h);
}

TEST_F(hold, each_of_several_holds_counts)
{
	LINUX_ONLY();
	const char * const names[] = { "a", "b", "c" };
	struct gm_hold *h[3];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_OK(gm_region_hold(self->r, gm_roff((uint64_t)i * PAGE),
					 PAGE, GM_HOLD_DISCARD, names[i],
					 &h[i]));
	/* Out of the middle, the end and the start of the list. */
	gm_hold_end(h[1]);
	EXPECT_EQ(0, discard(self->r, 1, 1));
	EXPECT_EQ(-EBUSY, discard(self->r, 0, 1));
	EXPECT_STREQ("a", gm_error_last()->name);
	EXPECT_EQ(-EBUSY, discard(self->r, 2, 1));
	EXPECT_STREQ("c", gm_error_last()->name);
	gm_hold_end(h[0]);
	EXPECT_EQ(0, discard(self->r, 0, 1));
	EXPECT_EQ(-EBUSY, discard(self->r, 0, PAGES));
	gm_hold_end(h[2]);
	EXPECT_EQ(0, discard(self->r, 0, PAGES));
}

TEST_F(hold, keeps_the_region)
{
	uint8_t *host = self->r->ext.host;
	struct gm_region *r;
	struct gm_hold *h;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, NULL, &r));
	host = r->ext.host;
	ASSERT_OK(gm_region_hold(r, gm_roff(0), 1, GM_HOLD_DISCARD, "x", &h));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_mapped(host, PAGE));
	gm_hold_end(h);
	EXPECT_TRUE(vma_is_unmapped(host, PAGE));
}

TEST_F(hold, holder_is_copied_and_cut)
{
	char name[] = "a name that is longer than there is room";
	struct gm_hold *h;

	ASSERT_OK(gm_region_hold(self->r, gm_roff(0), 1, GM_HOLD_DISCARD, name,
				 &h));
	memset(name, 'x', sizeof(name));
	EXPECT_EQ(-EBUSY, discard(self->r, 0, 1));
	EXPECT_STREQ("a name that is longer t", gm_error_last()->name);
	gm_hold_end(h);
}

/* Design, section 5, number 12: memory really goes. */
TEST_F(hold, discarded_memory_is_gone_and_marked_dirty)
{
	LINUX_ONLY();
	uint64_t bits = 0;

	ASSERT_EQ(PAGES, vma_resident_pages(self->r->ext.host, PAGES * PAGE));
	EXPECT_EQ(0, discard(self->r, 2, 3));
	EXPECT_EQ(PAGES - 3, vma_resident_pages(self->r->ext.host,
						PAGES * PAGE));
	gm_bitmap_take(self->r->ext.dirty, &bits, 1);
	EXPECT_EQ(0x1c, bits);
	EXPECT_EQ(0, discard(self->r, 3, 0));
	EXPECT_EQ(0xaa, self->r->ext.host[5 * PAGE]);
}

TEST_F(hold, discard_errors)
{
	uint64_t len = PAGES * PAGE, bits = 0;

	EXPECT_FAIL(gm_region_discard(self->r, gm_roff(1), PAGE), EINVAL,
		    GM_ERR_MISALIGNED, 1, PAGE, 0, 0);
	EXPECT_FAIL(gm_region_discard(self->r, gm_roff(0), PAGE - 1), EINVAL,
		    GM_ERR_MISALIGNED, PAGE - 1, PAGE, 0, 0);
	EXPECT_FAIL_KIND(gm_region_discard(self->r, gm_roff(PAGE), len), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	EXPECT_FAIL_KIND(gm_region_discard(self->r, gm_roff(len), PAGE), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	EXPECT_FAIL(gm_region_discard(self->r, gm_roff(PAGE), UINT64_MAX),
		    EOVERFLOW, GM_ERR_OVERFLOW, PAGE, UINT64_MAX, 0, 0);
	gm_bitmap_take(self->r->ext.dirty, &bits, 1);
	EXPECT_EQ(0, bits);
	EXPECT_EQ(0xaa, self->r->ext.host[0]);
}

/* A region may end amid a page; its mapping does not. */
TEST(discard_to_the_end_of_the_region)
{
	LINUX_ONLY();
	struct gm_region *r;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE + 100, NULL, &r));
	memset(r->ext.host, 1, PAGE + 100);
	EXPECT_FAIL_KIND(gm_region_discard(r, gm_roff(PAGE), 99), EINVAL,
			 GM_ERR_MISALIGNED);
	EXPECT_EQ(0, gm_region_discard(r, gm_roff(PAGE), 100));
	EXPECT_EQ(1, vma_resident_pages(r->ext.host, 2 * PAGE));
	EXPECT_EQ(0, gm_region_discard(r, gm_roff(0), PAGE + 100));
	EXPECT_EQ(0, vma_resident_pages(r->ext.host, 2 * PAGE));
	gm_region_put(r);
}

/* Shared memory goes for all who have it: the file has a hole. */
TEST(discard_of_a_memfd_frees_it)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_MEMFD };
	struct gm_region *r;
	struct stat st;
	uint8_t *other;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGES * PAGE, &o, &r));
	memset(r->ext.host, 1, PAGES * PAGE);
	other = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED,
		     gm_file_fd(gm_region_file(r, NULL)), 0);
	ASSERT_NE(MAP_FAILED, (void *)other);
	EXPECT_EQ(1, other[PAGE]);
	EXPECT_EQ(0, discard(r, 1, 3));
	EXPECT_EQ(0, other[PAGE]);
	EXPECT_EQ(1, other[4 * PAGE]);
	ASSERT_EQ(0, fstat(gm_file_fd(gm_region_file(r, NULL)), &st));
	/* Touching the hole has not filled it, since it was read only. */
#ifndef _WIN32
	EXPECT_GE((PAGES - 2) * PAGE, (uint64_t)st.st_blocks * 512);
#endif
	munmap(other, PAGES * PAGE);
	gm_region_put(r);
}

TEST(discard_is_refused)
{
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = GM_MMAP_READ_ONLY,
	};
	struct own_region own;
	struct gm_region *r;
	uint8_t mem[64];
	void *p;

	/* Read-only. */
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PAGE, &o, &r));
	EXPECT_FAIL(discard(r, 0, 1), EACCES, GM_ERR_PERMISSION, BASE, PAGE, 0,
		    0);
	gm_region_put(r);
	/* The caller's mapping. */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	o.flags = 0;
	o.addr = p;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PAGE, &o, &r));
	EXPECT_FAIL(discard(r, 0, 1), EOPNOTSUPP, GM_ERR_NO_HOST_ADDR, BASE,
		    PAGE, 0, 0);
	gm_region_put(r);
	munmap(p, PAGE);
	/* A kind of the caller's own. */
	ASSERT_OK(own_region_init_direct(&own, BASE, 64, mem, NULL));
	EXPECT_FAIL_KIND(gm_region_discard(&own.r, gm_roff(0), 64), EOPNOTSUPP,
			 GM_ERR_NO_HOST_ADDR);
	gm_region_put(&own.r);
}

TEST(locked_memory_is_not_discarded)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_LOCK };
	struct gm_region *r;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PAGE, &o, &r));
	if (!vma_has_flag(r->ext.host, "lo"))
		SKIP(goto out, "a sanitizer has kept mlock() from locking");
	r->ext.host[0] = 7;
	EXPECT_FAIL(discard(r, 0, 1), EOPNOTSUPP, GM_ERR_IO, 0, PAGE, 0, 0);
	EXPECT_EQ(7, r->ext.host[0]);
out:
	gm_region_put(r);
}

/* So much that a discard takes a while. */
#define RACE_LENGTH (UINT64_C(32) << 20)

/* Each round begins for both threads at once, and ends for both. */
struct race {
	struct gm_region *r;
	uint64_t rounds;
	uint64_t lost;
	pthread_barrier_t barrier;
};

/* What was written under a hold is there until its end. */
static void *hold_and_write(void *arg)
{
	struct race *race = arg;
	volatile uint8_t *p = race->r->ext.host + RACE_LENGTH - 1;
	struct gm_hold *h = NULL;
	int failed = 0;

	for (uint64_t i = 0; i < race->rounds; i++) {
		pthread_barrier_wait(&race->barrier);
		/* First one, then the other is there first. */
		usleep((unsigned int)(i % 16) * 50);
		failed |= gm_region_hold(race->r, gm_roff(RACE_LENGTH - 1), 1,
					 GM_HOLD_DISCARD, "writer", &h);
		__atomic_store_n(p, 7, __ATOMIC_RELAXED);
		pthread_barrier_wait(&race->barrier);
		race->lost += __atomic_load_n(p, __ATOMIC_RELAXED) != 7;
		gm_hold_end(h);
	}
	return failed ? arg : NULL;
}

TEST(no_discard_comes_during_a_hold)
{
	LINUX_ONLY();
	/* Small pages: the more there are, the longer it takes. */
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_NO_THP };
	struct race race = { .rounds = test_iterations(64) };
	pthread_t writer;
	void *ret;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), RACE_LENGTH, &o, &race.r));
	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&writer, NULL, hold_and_write, &race));
	for (uint64_t i = 0; i < race.rounds; i++) {
		for (uint64_t at = 0; at < RACE_LENGTH - PAGE; at += PAGE)
			race.r->ext.host[at] = 1;
		pthread_barrier_wait(&race.barrier);
		/* It may come too late, and be refused. */
		gm_region_discard(race.r, gm_roff(0), RACE_LENGTH);
		pthread_barrier_wait(&race.barrier);
	}
	ASSERT_EQ(0, pthread_join(writer, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(0, race.lost);
	pthread_barrier_destroy(&race.barrier);
	gm_region_put(race.r);
}

TEST_HARNESS_MAIN
