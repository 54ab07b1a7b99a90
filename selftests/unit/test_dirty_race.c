/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * bitmap.h and dirty.h with setters and harvesters at once: each page that is
 * set is harvested, as often as it was set and once at least, and none that was
 * not. Pages are spread so that they share words, words of the summary, or
 * neither.
 */
/* gm-test: windows */
#include <pthread.h>
#include <sched.h>
#include "kselftest_harness.h"
#include <guestmem/dirty.h>
#include "expect.h"
#include "meet.h"
#include "scale.h"

#define SETTERS 2
#define SLOTS 64	/* pages of each setter */
#define PAGES UINT64_C(600000)
#define DUEL_NS 150000000LL

/*
 * In step, a setter sets a page only after it was harvested by all: then it is
 * harvested exactly as often as it was set. Not in step, a setter does not wait,
 * and harvesters note how often a page was set when they get it: the last one
 * must have been seen. A bit without its summary is never harvested again, since
 * who finds it set leaves it alone; so nothing that is lost is made good later.
 */
struct race {
	struct gm_bitmap *bm;
	struct gm_dirty_consumer *consumers[2];
	int harvesters;
	uint64_t stride;	/* from page to page of all setters */
	bool ranges;
	bool in_step;
	uint64_t rounds;
	uint64_t set[SETTERS * SLOTS];
	uint64_t got[2][SETTERS * SLOTS];
	uint64_t strange;
	uint32_t running;
};

struct thread {
	struct race *race;
	uint64_t id;
};

/* Slots of setters take turns, so that neighbours are of different threads. */
static uint64_t page_of(const struct race *r, uint64_t slot)
{
	return slot * r->stride;
}

static bool all_have(const struct race *r, uint64_t slot, uint64_t n)
{
	for (int h = 0; h < r->harvesters; h++)
		if (__atomic_load_n(&r->got[h][slot], __ATOMIC_ACQUIRE) < n)
			return false;
	return true;
}

static void *setter(void *arg)
{
	struct thread *t = arg;
	struct race *r = t->race;

	for (uint64_t round = 1; round <= r->rounds; round++) {
		for (uint64_t slot = t->id; slot < SETTERS * SLOTS; slot += SETTERS) {
			while (r->in_step && !all_have(r, slot, round - 1))
				sched_yield();
			__atomic_store_n(&r->set[slot], round, __ATOMIC_RELAXED);
			if (r->ranges)
				gm_bitmap_mark(r->bm, page_of(r, slot), r->stride);
			else
				gm_bitmap_set_page(r->bm, page_of(r, slot));
		}
	}
	__atomic_fetch_sub(&r->running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int64_t take(struct race *r, int h, struct gm_page_run *span, struct gm_page_run *runs,
		    size_t max)
{
	if (r->consumers[h])
		return gm_dirty_consumer_take_runs(r->consumers[h], span, runs, max);
	return gm_bitmap_take_runs(r->bm, span, runs, max);
}

/*
 * What is harvested was set, and since it was harvested last. Of a range, which
 * may come in parts, the last page counts.
 */
static void note(struct race *r, int h, const struct gm_page_run *run)
{
	uint64_t counts = r->ranges ? r->stride - 1 : 0;

	for (uint64_t p = run->first; p < run->first + run->count; p++) {
		uint64_t slot = p / r->stride, n;

		if (slot >= SETTERS * SLOTS || (!r->ranges && p % r->stride)) {
			r->strange++;
			return;
		}
		if (p % r->stride != counts)
			continue;
		n = __atomic_load_n(&r->set[slot], __ATOMIC_RELAXED);
		if (r->in_step && n != r->got[h][slot] + 1)
			r->strange++;
		__atomic_store_n(&r->got[h][slot], n, __ATOMIC_RELEASE);
	}
}

static void harvest(struct race *r, int h, size_t max)
{
	struct gm_page_run span = { 0, PAGES }, runs[16];
	int64_t n;

	while ((n = take(r, h, &span, runs, max)) > 0)
		for (int64_t i = 0; i < n; i++)
			note(r, h, &runs[i]);
}

static void *harvester(void *arg)
{
	struct thread *t = arg;
	struct race *r = t->race;
	size_t max = 1;

	while (__atomic_load_n(&r->running, __ATOMIC_ACQUIRE)) {
		/* Small arrays put much back. */
		max = max % 16 + 1;
		harvest(r, (int)t->id, max);
	}
	harvest(r, (int)t->id, 16);
	return NULL;
}

/* The whole race; pages that were not harvested exactly as often as set. */
static uint64_t wrong_counts(struct race *r)
{
	struct thread set[SETTERS], get[2];
	pthread_t s[SETTERS], h[2];
	uint64_t wrong = 0;

	r->running = SETTERS;
	for (int i = 0; i < r->harvesters; i++) {
		get[i] = (struct thread){ r, (uint64_t)i };
		pthread_create(&h[i], NULL, harvester, &get[i]);
	}
	for (int i = 0; i < SETTERS; i++) {
		set[i] = (struct thread){ r, (uint64_t)i };
		pthread_create(&s[i], NULL, setter, &set[i]);
	}
	for (int i = 0; i < SETTERS; i++)
		pthread_join(s[i], NULL);
	for (int i = 0; i < r->harvesters; i++)
		pthread_join(h[i], NULL);
	for (int i = 0; i < r->harvesters; i++)
		for (int slot = 0; slot < SETTERS * SLOTS; slot++)
			wrong += r->got[i][slot] != r->rounds;
	return wrong + r->strange + gm_bitmap_count(r->bm);
}

static const uint64_t strides[] = { 1, 64, 4096 };

static void run_race(struct __test_metadata *_metadata, bool in_step, bool ranges,
		     int consumers, uint64_t rounds)
{
	static struct race r;

	for (size_t i = 0; i < ARRAY_SIZE(strides); i++) {
		memset(&r, 0, sizeof(r));
		r.harvesters = consumers ? consumers : 1;
		r.stride = strides[i];
		r.ranges = ranges;
		r.in_step = in_step;
		r.rounds = test_iterations(ranges ? 1 + rounds / strides[i] : rounds);
		ASSERT_OK(gm_bitmap_new(PAGES, 1, &r.bm));
		for (int c = 0; c < consumers; c++)
			ASSERT_OK(gm_dirty_consumer_new(r.bm, &r.consumers[c]));
		EXPECT_EQ(0, wrong_counts(&r));
		for (int c = 0; c < consumers; c++) {
			EXPECT_EQ(0, gm_dirty_consumer_count(r.consumers[c]));
			gm_dirty_consumer_free(r.consumers[c]);
		}
		gm_bitmap_put(r.bm);
	}
}

/* Each setter sets 64 pages a round: 0.8 million sets for each stride. */
TEST(last_set_of_each_page_is_harvested)
{
	run_race(_metadata, false, false, 0, 6000);
}

TEST(last_set_of_each_range_is_harvested)
{
	run_race(_metadata, false, true, 0, 20000);
}

TEST(each_set_is_harvested_exactly_once)
{
	run_race(_metadata, true, false, 0, 100);
	run_race(_metadata, true, true, 0, 100);
}

TEST(each_consumer_harvests_the_last_set_of_each_page)
{
	run_race(_metadata, false, false, 2, 4000);
}

TEST(each_consumer_harvests_each_set_exactly_once)
{
	run_race(_metadata, true, false, 2, 50);
}

/*
 * The narrow case: a page is set at the instant in which the summary above it is
 * taken, since a neighbour was set before. It must come with that take, or with
 * the next.
 */
struct duel {
	_Alignas(64) uint64_t at_setter;	/* steps that each has reached */
	_Alignas(64) uint64_t at_taker;
	struct gm_bitmap *bm;
	uint64_t page;
	uint64_t count;
	bool stop;
};

static void *duel_setter(void *arg)
{
	struct duel *d = arg;

	for (uint64_t round = 1;; round++) {
		meet(&d->at_setter, &d->at_taker, 2 * round);
		if (__atomic_load_n(&d->stop, __ATOMIC_RELAXED))
			return NULL;
		delay(round % 31);
		gm_bitmap_mark(d->bm, d->page, d->count);
		meet(&d->at_setter, &d->at_taker, 2 * round + 1);
	}
}

static uint64_t take_pages(struct gm_bitmap *bm)
{
	struct gm_page_run span = { 0, PAGES }, runs[64];
	uint64_t pages = 0;
	int64_t n;

	while ((n = gm_bitmap_take_runs(bm, &span, runs, 64)) > 0)
		while (n--)
			pages += runs[n].count;
	return pages;
}

/* @count pages from @page on are set while @neighbour is taken. */
static uint64_t lost_duels(uint64_t neighbour, uint64_t page, uint64_t count)
{
	static struct duel d;
	int64_t end = now_ns() + DUEL_NS;
	uint64_t lost = 0, pages, round;
	pthread_t t;

	memset(&d, 0, sizeof(d));
	d.page = page;
	d.count = count;
	if (gm_bitmap_new(PAGES, 1, &d.bm) || pthread_create(&t, NULL, duel_setter, &d))
		return UINT64_MAX;
	for (round = 1; round == 1 || now_ns() < end; round++) {
		gm_bitmap_set_page(d.bm, neighbour);
		meet(&d.at_taker, &d.at_setter, 2 * round);
		delay(round % 37);
		pages = take_pages(d.bm);
		meet(&d.at_taker, &d.at_setter, 2 * round + 1);
		pages += take_pages(d.bm);
		lost += pages != count + 1;
	}
	__atomic_store_n(&d.stop, true, __ATOMIC_RELAXED);
	meet(&d.at_taker, &d.at_setter, 2 * round);
	pthread_join(t, NULL);
	gm_bitmap_put(d.bm);
	return lost;
}

TEST(set_and_take_at_one_instant)
{
	/* In one word; below one word of the summary; below one of the top. */
	EXPECT_EQ(0, lost_duels(1, 0, 1));
	EXPECT_EQ(0, lost_duels(64, 0, 1));
	EXPECT_EQ(0, lost_duels(4096, 0, 1));
	/* Words of ones, which are set by plain stores. */
	EXPECT_EQ(0, lost_duels(0, 64, 64));
	EXPECT_EQ(0, lost_duels(0, 64, 50 * 64));
	/* So many that the take comes in the middle. */
	EXPECT_EQ(0, lost_duels(0, 64, 8 * 4096));
}

struct guests {
	struct gm_bitmap *bm;
	bool stop;
};

/* Consumers that come, ask, and go; the first ones at once. */
static void *come_and_go(void *arg)
{
	struct guests *g = arg;
	struct gm_dirty_consumer *c;
	struct gm_page_run span, run;

	while (!__atomic_load_n(&g->stop, __ATOMIC_ACQUIRE)) {
		if (gm_dirty_consumer_new(g->bm, &c))
			return NULL;
		span = (struct gm_page_run){ 0, PAGES };
		gm_dirty_consumer_take_runs(c, &span, &run, 1);
		gm_dirty_consumer_mark(c, 0, 10);
		gm_dirty_consumer_count(c);
		gm_dirty_consumer_free(c);
	}
	return g;
}

TEST(consumers_come_and_go_while_others_harvest)
{
	uint64_t rounds = test_iterations(20000), missed = 0;
	struct guests g = { .stop = false };
	struct gm_dirty_consumer *c;
	pthread_t t[2];

	ASSERT_OK(gm_bitmap_new(PAGES, 1, &g.bm));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, come_and_go, &g));
	ASSERT_OK(gm_dirty_consumer_new(g.bm, &c));
	for (; rounds; rounds--) {
		uint64_t page = rounds * 7919 % PAGES;
		struct gm_page_run span = { 0, PAGES }, run = { 0, 0 };

		gm_bitmap_set_page(g.bm, page);
		missed += gm_dirty_consumer_take_runs(c, &span, &run, 1) != 1 ||
			  run.first != page || run.count != 1;
	}
	__atomic_store_n(&g.stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++) {
		void *ret;

		ASSERT_EQ(0, pthread_join(t[i], &ret));
		EXPECT_EQ(&g, ret);
	}
	EXPECT_EQ(0, missed);
	gm_dirty_consumer_free(c);
	gm_bitmap_put(g.bm);
}

TEST_HARNESS_MAIN
