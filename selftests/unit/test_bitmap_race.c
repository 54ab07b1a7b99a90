/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * bitmap.h with markers and takers at once: no mark is lost, and who took a
 * mark sees what was written before it. Both with the kernel's membarrier and
 * in a process to which it is refused.
 */
/* gm-test: windows */
#include <pthread.h>
#include <sched.h>
#include "kselftest_harness.h"
#include <guestmem/slice_access.h>
#include "expect.h"
#include "meet.h"
#include "refuse.h"

#define PAGE 64
#define PAGES 256
#define WORDS (PAGES / 64)
#define MARKERS 2
#define RUN_NS 60000000LL
#define DUEL_NS 150000000LL

/* Marks the pages [first, first + n), whose values were written just before. */
typedef void (*mark_fn)(struct gm_bitmap *bm, uint64_t first, uint64_t n);

struct race {
	_Alignas(64) uint8_t mem[PAGES * PAGE];
	uint64_t seen[PAGES];
	struct gm_bitmap *bm;
	mark_fn mark;
	uint64_t span;
	uint32_t go;		/* round that markers may run */
	uint32_t done;		/* markers that finished it */
	bool stop;
};

struct marker {
	struct race *race;
	uint64_t id;
};

static uint64_t *value_of(struct race *r, uint64_t page)
{
	return (uint64_t *)(r->mem + page * PAGE);
}

/* One round: write each of one's pages four times, mark after each write. */
static void mark_round(struct race *r, uint64_t id, uint64_t round)
{
	uint64_t i, p, again;

	for (i = id * r->span; i < PAGES; i += MARKERS * r->span)
		for (again = 0; again < 4; again++) {
			for (p = i; p < i + r->span; p++)
				gm_mem_write_u64(value_of(r, p), round * 4 + again);
			r->mark(r->bm, i, r->span);
		}
}

static void *marker(void *arg)
{
	struct marker *m = arg;
	struct race *r = m->race;
	uint32_t round = 0;

	for (;;) {
		while (__atomic_load_n(&r->go, __ATOMIC_ACQUIRE) == round)
			if (__atomic_load_n(&r->stop, __ATOMIC_RELAXED))
				return NULL;
			else
				sched_yield();
		mark_round(r, m->id, ++round);
		__atomic_add_fetch(&r->done, 1, __ATOMIC_RELEASE);
	}
}

/* What was taken is looked at once, and only here. */
static void take(struct race *r)
{
	uint64_t words[WORDS];

	if (gm_bitmap_take(r->bm, words, WORDS) != WORDS)
		return;
	for (uint64_t p = 0; p < PAGES; p++)
		if (words[p / 64] >> (p % 64) & 1)
			r->seen[p] = gm_mem_read_u64(value_of(r, p));
}

/* Pages whose last value nobody saw, over all rounds; negative: no test. */
static int64_t lost_marks(mark_fn mark, uint64_t span, uint64_t *rounds)
{
	static struct race r;
	struct marker m[MARKERS];
	pthread_t t[MARKERS];
	int64_t lost = 0, end;

	memset(&r, 0, sizeof(r));
	r.mark = mark;
	r.span = span;
	if (gm_bitmap_new(sizeof(r.mem), PAGE, &r.bm))
		return -1;
	for (uint64_t i = 0; i < MARKERS; i++) {
		m[i] = (struct marker){ &r, i };
		if (pthread_create(&t[i], NULL, marker, &m[i]))
			return -1;
	}
	*rounds = 0;
	end = now_ns() + RUN_NS;
	do {
		__atomic_store_n(&r.done, 0, __ATOMIC_RELAXED);
		__atomic_add_fetch(&r.go, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&r.done, __ATOMIC_ACQUIRE) < MARKERS) {
			take(&r);
			sched_yield();	/* the markers may wait for a CPU */
		}
		take(&r);
		++*rounds;
		for (uint64_t p = 0; p < PAGES; p++)
			lost += r.seen[p] != *rounds * 4 + 3;
	} while (now_ns() < end);
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < MARKERS; i++)
		pthread_join(t[i], NULL);
	gm_bitmap_put(r.bm);
	return lost;
}

static void mark_bytes(struct gm_bitmap *bm, uint64_t first, uint64_t n)
{
	gm_bitmap_mark(bm, first * PAGE, n * PAGE);
}

static void mark_single_pages(struct gm_bitmap *bm, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		gm_bitmap_set_page(bm, first + i);
}

TEST(single_page_marks_are_never_lost_to_take)
{
	uint64_t rounds;

	EXPECT_EQ(0, lost_marks(mark_bytes, 1, &rounds));
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost_marks(mark_single_pages, 1, &rounds));
	EXPECT_LT(0, rounds);
}

TEST(range_marks_are_never_lost_to_take)
{
	uint64_t rounds;

	/* Parts of a word that the other marker marks too; whole words. */
	EXPECT_EQ(0, lost_marks(mark_bytes, 16, &rounds));
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost_marks(mark_bytes, 128, &rounds));
	EXPECT_LT(0, rounds);
}

/*
 * The narrow case: a marker whose bit is set already, and a taker, at the same
 * instant. What the marker wrote must be seen by the taker, or its bit be set
 * again; with store buffers between them, that takes a barrier. To make the
 * window wide, the marker has the bit in its cache and the taker the data, so
 * that many writes wait in the marker's store buffer.
 */
#define AHEAD 16

struct duel {
	_Alignas(64) uint64_t data[AHEAD][8];	/* the last is looked at */
	_Alignas(64) uint64_t at_marker;	/* steps that each has reached */
	_Alignas(64) uint64_t at_taker;
	struct gm_bitmap *bm;
	mark_fn mark;
	uint64_t span;
	bool stop;
};

static void *duel_marker(void *arg)
{
	struct duel *d = arg;

	for (uint64_t round = 1;; round++) {
		meet(&d->at_marker, &d->at_taker, 3 * round);
		if (__atomic_load_n(&d->stop, __ATOMIC_RELAXED))
			return NULL;
		gm_bitmap_test(d->bm, 0);
		meet(&d->at_marker, &d->at_taker, 3 * round + 1);
		delay(round % 61);
		for (int i = 0; i < AHEAD; i++)
			gm_mem_write_u64(d->data[i], round);
		d->mark(d->bm, 0, d->span);
		meet(&d->at_marker, &d->at_taker, 3 * round + 2);
	}
}

/* Rounds in which the taker had the mark, and not what it stood for. */
static int64_t lost_duels(mark_fn mark, uint64_t span, uint64_t *rounds)
{
	static struct duel d;
	uint64_t words[WORDS], round, seen;
	int64_t lost = 0, end;
	pthread_t t;

	memset(&d, 0, sizeof(d));
	d.mark = mark;
	d.span = span;
	if (gm_bitmap_new(PAGES * PAGE, PAGE, &d.bm) ||
	    pthread_create(&t, NULL, duel_marker, &d))
		return -1;
	end = now_ns() + DUEL_NS;
	for (round = 1; round == 1 || now_ns() < end; round++) {
		gm_bitmap_mark(d.bm, 0, span * PAGE);
		for (int i = 0; i < AHEAD; i++)
			gm_mem_write_u64(d.data[i], 0);
		meet(&d.at_taker, &d.at_marker, 3 * round);
		meet(&d.at_taker, &d.at_marker, 3 * round + 1);
		delay(round % 67);
		if (gm_bitmap_take(d.bm, words, WORDS) != WORDS)
			return -1;
		seen = gm_mem_read_u64(d.data[AHEAD - 1]);
		meet(&d.at_taker, &d.at_marker, 3 * round + 2);
		lost += seen != round && !gm_bitmap_test_page(d.bm, 0);
	}
	__atomic_store_n(&d.stop, true, __ATOMIC_RELAXED);
	meet(&d.at_taker, &d.at_marker, 3 * round);
	pthread_join(t, NULL);
	gm_bitmap_put(d.bm);
	*rounds = round - 1;
	return lost;
}

TEST(mark_of_page_already_marked_is_never_lost_to_take)
{
	uint64_t rounds;

	EXPECT_EQ(0, lost_duels(mark_bytes, 1, &rounds));
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost_duels(mark_bytes, 16, &rounds));
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost_duels(mark_single_pages, 1, &rounds));
	EXPECT_LT(0, rounds);
}

TEST(without_membarrier_marks_are_never_lost_either)
{
	struct gm_bitmap *bm;
	uint64_t rounds;

	if (refuse_syscall(__NR_membarrier, ENOSYS))
		SKIP(return, "no seccomp filter to be had here");
	ASSERT_OK(gm_bitmap_new(PAGE, PAGE, &bm));
	/* Then no inline path, which would skip the locked operation. */
	EXPECT_EQ(NULL, bm->hot);
	gm_bitmap_mark(bm, 0, 1);
	EXPECT_TRUE(gm_bitmap_test(bm, 0));
	gm_bitmap_put(bm);
	EXPECT_EQ(0, lost_marks(mark_bytes, 1, &rounds));
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost_marks(mark_bytes, 128, &rounds));
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost_duels(mark_bytes, 1, &rounds));
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost_duels(mark_bytes, 16, &rounds));
	EXPECT_LT(0, rounds);
	/* All words, of which those in the middle are marked whole. */
	EXPECT_EQ(0, lost_duels(mark_bytes, PAGES, &rounds));
	EXPECT_LT(0, rounds);
}

#define MANY (64 * 1024)
#define TAKERS 2

struct takers {
	struct gm_bitmap *bm;
	uint32_t times[MANY];
	bool stop;
};

static void take_and_count(struct takers *s)
{
	uint64_t words[MANY / 64];

	if (gm_bitmap_take(s->bm, words, MANY / 64) < 0)
		return;
	for (uint64_t i = 0; i < MANY / 64; i++)
		for (uint64_t w = words[i]; w; w &= w - 1)
			__atomic_add_fetch(&s->times[i * 64 + (uint64_t)__builtin_ctzll(w)],
					   1, __ATOMIC_RELAXED);
}

static void *taker(void *arg)
{
	struct takers *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		take_and_count(s);
	return NULL;
}

TEST(each_mark_goes_to_exactly_one_of_many_takers)
{
	static struct takers s;
	uint64_t wrong = 0, n = 0;
	pthread_t t[TAKERS];

	ASSERT_OK(gm_bitmap_new(MANY, 1, &s.bm));
	for (int i = 0; i < TAKERS; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, taker, &s));
	/* Each page once; ranges of all sizes, so that words are shared. */
	for (uint64_t p = 0; p < MANY; p += n) {
		n = p % 97 + 1;
		gm_bitmap_mark(s.bm, p, n);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < TAKERS; i++)
		ASSERT_EQ(0, pthread_join(t[i], NULL));
	take_and_count(&s);
	for (uint64_t p = 0; p < MANY; p++)
		wrong += s.times[p] != 1;
	EXPECT_EQ(0, wrong);
	gm_bitmap_put(s.bm);
}

TEST_HARNESS_MAIN
