/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * iotlb.h with lookups while mappings change, are invalidated and evicted: what
 * a lookup gives was so at a moment while it ran.
 */
/* gm-test: windows */
#include <pthread.h>
#include <sched.h>
#include "kselftest_harness.h"
#include <guestmem/iotlb.h>
#include "expect.h"
#include "random.h"
#include "scale.h"

/* So many that some share a bucket of the front, one after the other. */
#define PAGES 4096
#define PAGE UINT64_C(4096)
/* Not of whole pages: only the tree has such mappings. */
#define PART UINT64_C(64)
#define READERS 3
#define CHANGES 200000

/* A page's target says which page it is, and when it was mapped there. */
#define TARGET(r, page, time) ((time) << 24 | (page) * (r)->size)
#define PLACE(gpa) ((gpa) & 0xffffff)

struct race {
	struct gm_iotlb *t;
	uint64_t size;		/* of a page */
	/* No mapping of the page from before that time may be found. */
	uint64_t oldest[PAGES];
	uint64_t recent;	/* page that was mapped last */
	bool stop;
	uint64_t hits;
	uint64_t wrong;
};

static struct race race;

static bool is_right(struct race *r, uint64_t page, uint64_t off, uint64_t len)
{
	uint64_t oldest = __atomic_load_n(&r->oldest[page], __ATOMIC_ACQUIRE);
	struct gm_range out;
	int ret;

	ret = gm_iotlb_lookup(r->t, gm_iova(page * r->size + off), len,
			      GM_PERM_READ, &out);
	if (ret)
		return ret == -ENOENT;
	__atomic_fetch_add(&r->hits, 1, __ATOMIC_RELAXED);
	return PLACE(gm_gpa_raw(out.gpa)) == page * r->size + off &&
	       gm_gpa_raw(out.gpa) >> 24 >= oldest && out.len == len;
}

/* All pieces of some pages, at one moment: each by itself is right. */
static bool are_right(struct race *r, uint64_t page)
{
	struct gm_range out[4];
	uint64_t i, at = page * r->size;
	int64_t n;

	n = gm_iotlb_translate(r->t, gm_iova(at), 4 * r->size, GM_PERM_READ, out,
			       4);
	if (n < 0)
		return n == -ENOENT;
	for (i = 0; i < (uint64_t)n; i++) {
		if (PLACE(gm_gpa_raw(out[i].gpa)) != at ||
		    out[i].len % r->size)
			return false;
		at += out[i].len;
	}
	return at == (page + 4) * r->size;
}

static void *read_all(void *arg)
{
	struct race *r = arg;
	struct rnd rnd = { (uintptr_t)&rnd };
	bool ok = true;

	while (ok && !__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		uint64_t page = rnd_below(&rnd, PAGES);

		if (rnd_below(&rnd, 8))
			page = __atomic_load_n(&r->recent, __ATOMIC_RELAXED);

		ok = is_right(r, page, rnd_below(&rnd, r->size - 8), 8);
		if (ok && !rnd_below(&rnd, 16))
			ok = are_right(r, rnd_below(&rnd, PAGES - 4));
	}
	if (!ok)
		__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void set_oldest(struct race *r, uint64_t page, uint64_t n, uint64_t time)
{
	uint64_t i;

	for (i = page; i < page + n; i++)
		__atomic_store_n(&r->oldest[i], time, __ATOMIC_RELEASE);
}

/* One change; when it has returned, nothing older is found. */
static int change(struct race *r, struct rnd *rnd, uint64_t time)
{
	uint64_t n = rnd_below(rnd, 8) ? 1 : 1 + rnd_below(rnd, 16);
	uint64_t page = rnd_below(rnd, PAGES - n + 1);
	int ret;

	switch (rnd_below(rnd, 8)) {
	case 0:
		ret = gm_iotlb_invalidate(r->t, gm_iova(page * r->size),
					  n * r->size);
		break;
	case 1:
		if (!rnd_below(rnd, 64)) {
			gm_iotlb_invalidate_all(r->t);
			set_oldest(r, 0, PAGES, time + 1);
			return 0;
		}
		/* fall through */
	default:
		ret = gm_iotlb_set_mapping(r->t, gm_iova(page * r->size),
					   n * r->size,
					   gm_gpa(TARGET(r, page, time)),
					   GM_PERM_READ);
		set_oldest(r, page, n, time);
		__atomic_store_n(&r->recent, page, __ATOMIC_RELAXED);
		return ret;
	}
	set_oldest(r, page, n, time + 1);
	return ret;
}

static bool holds(uint64_t capacity, uint64_t size)
{
	uint64_t time, changes = test_iterations(CHANGES);
	struct rnd rnd = { capacity };
	struct gm_iotlb_stats s;
	struct race *r = &race;
	pthread_t t[READERS];
	int i, ret = 0;

	memset(r, 0, sizeof(*r));
	r->size = size;
	if (gm_iotlb_new(capacity, &r->t))
		return false;
	for (i = 0; i < READERS; i++)
		pthread_create(&t[i], NULL, read_all, r);
	for (time = 1; !ret && time < changes; time++)
		ret = change(r, &rnd, time);
	__atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < READERS; i++)
		pthread_join(t[i], NULL);
	gm_iotlb_stats(r->t, &s);
	gm_iotlb_free(r->t);
	/* Each lookup of a reader was counted, in whosever line. */
	return !ret && !r->wrong && s.hits == r->hits;
}

TEST(lookups_are_of_one_moment_while_mappings_change)
{
	EXPECT_TRUE(holds(4096, PAGE));
	EXPECT_TRUE(holds(4096, PART));
}

TEST(lookups_are_of_one_moment_while_mappings_are_evicted)
{
	EXPECT_TRUE(holds(32, PAGE));
	EXPECT_TRUE(holds(200, PART));
	EXPECT_TRUE(holds(1, PAGE));
}

/* More threads at a time than have a counter of their own. */
#define MANY 70
#define EACH 500

static void *count_hits(void *arg)
{
	struct race *r = arg;
	struct gm_range out;
	uint64_t i;

	__atomic_fetch_add(&r->hits, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < EACH; i++) {
		if (gm_iotlb_lookup(r->t, gm_iova(0), 8, GM_PERM_READ, &out))
			__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
		/* All are there at once. */
		while (!i && __atomic_load_n(&r->hits, __ATOMIC_SEQ_CST) < MANY)
			sched_yield();
	}
	return NULL;
}

TEST(hits_of_more_threads_than_counters_are_counted)
{
	struct gm_iotlb_stats s;
	struct race *r = &race;
	pthread_t t[MANY];
	int i, round;

	memset(r, 0, sizeof(*r));
	ASSERT_OK(gm_iotlb_new(8, &r->t));
	ASSERT_OK(gm_iotlb_set_mapping(r->t, gm_iova(0), PAGE, gm_gpa(0),
				       GM_PERM_RW));
	/* Counters of threads that have ended are others' then. */
	for (round = 0; round < 2; round++) {
		r->hits = 0;
		for (i = 0; i < MANY; i++)
			ASSERT_EQ(0, pthread_create(&t[i], NULL, count_hits,
						    r));
		for (i = 0; i < MANY; i++)
			pthread_join(t[i], NULL);
	}
	gm_iotlb_stats(r->t, &s);
	EXPECT_EQ(2 * MANY * EACH, s.hits);
	EXPECT_EQ(0, r->wrong);
	gm_iotlb_free(r->t);
}

TEST_HARNESS_MAIN
