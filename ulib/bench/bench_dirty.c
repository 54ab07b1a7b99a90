/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_dirty.c - what the dirty bitmap costs.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "guest.h"

struct writer {
	struct gm_view tracked;
	struct gm_view plain;
	gm_gpa_t gpa;
};

#define WRITE_LOOP(name, view) \
BENCH_LOOP void name(void *ctx, uint64_t n) \
{ \
	struct writer *w = ctx; \
	struct gm_view *v = &w->view; \
	gm_gpa_t gpa = w->gpa; \
\
	for (; n; n--) { \
		BENCH_FORGET(); \
		BENCH_OK(gm_view_write_u32(v, gpa, (uint32_t)n)); \
	} \
}

WRITE_LOOP(write_tracked, tracked)
WRITE_LOOP(write_plain, plain)

static void run_write(size_t count)
{
	struct guest tracked, plain;
	struct writer w = { .gpa = gm_gpa(GUEST_GPA + GUEST_BYTES / 2 + 64) };
	struct bench_case c = {
		.run = write_tracked,
		.base = write_plain,
		.base_name = "no bitmap",
		.ctx = &w,
		.max_ratio = 2,
	};

	guest_init(&tracked, count, true);
	guest_init(&plain, count, false);
	gm_view_init(&w.tracked, tracked.map);
	gm_view_init(&w.plain, plain.map);
	bench_run(&c, "write_u32_dirty_page/%zu", count);
	guest_exit(&plain);
	guest_exit(&tracked);
}

struct marker {
	struct gm_bitmap *bm;
	uint64_t *words;
	uint64_t *copy;
	uint64_t nwords;
};

/* Each round is one operation: what comes before it is not timed. */
static void make_clear(void *ctx, uint64_t n)
{
	struct marker *m = ctx;

	(void)n;
	gm_bitmap_reset(m->bm);
}

static void make_dirty(void *ctx, uint64_t n)
{
	struct marker *m = ctx;

	(void)n;
	gm_bitmap_mark(m->bm, 0, GUEST_BYTES);
}

BENCH_LOOP void mark(void *ctx, uint64_t n)
{
	struct marker *m = ctx;

	for (; n; n--)
		gm_bitmap_mark(m->bm, 0, GUEST_BYTES);
}

BENCH_LOOP void raw_set(void *ctx, uint64_t n)
{
	struct marker *m = ctx;

	for (; n; n--) {
		memset(m->words, 0xff, m->nwords * 8);
		BENCH_HIDE(m);
	}
}

BENCH_LOOP void take(void *ctx, uint64_t n)
{
	struct marker *m = ctx;

	for (; n; n--)
		bench_must(gm_bitmap_take(m->bm, m->copy, m->nwords) > 0,
			   "gm_bitmap_take");
}

BENCH_LOOP void raw_take(void *ctx, uint64_t n)
{
	struct marker *m = ctx;

	for (; n; n--) {
		memcpy(m->copy, m->words, m->nwords * 8);
		memset(m->words, 0, m->nwords * 8);
		BENCH_HIDE(m);
	}
}

static void run_whole(void)
{
	struct marker m = { .nwords = GUEST_BYTES / 4096 / 64 };
	struct bench_case c = { .ctx = &m, .ops = 1 };

	m.words = calloc(m.nwords, 8);
	m.copy = calloc(m.nwords, 8);
	bench_must(m.words && m.copy, "calloc");
	bench_must(!gm_bitmap_new(GUEST_BYTES, 4096, &m.bm), "gm_bitmap_new");

	c.run = mark;
	c.base = raw_set;
	c.base_name = "memset";
	c.max_ns = 10000;
	c.prepare = make_clear;
	bench_run(&c, "mark_1g/clear");
	c.prepare = make_dirty;
	bench_run(&c, "mark_1g/dirty");

	c.run = take;
	c.base = raw_take;
	c.base_name = "memcpy+memset";
	c.max_ns = 0;
	c.prepare = make_clear;
	bench_run(&c, "take_1g/clear");
	c.prepare = make_dirty;
	bench_run(&c, "take_1g/dirty");

	gm_bitmap_put(m.bm);
	free(m.copy);
	free(m.words);
}

/* Harvest of a large guest, of which few pages are dirty, or none. */
struct harvest {
	struct gm_bitmap *bm;
	struct gm_dirty_consumer *consumer;
	struct gm_page_run *runs;
	uint64_t pages;
	uint64_t dirty;
	const uint64_t *words;
};

#define MAX_DIRTY 100000

/* Far apart, in no order: none shares a word with another, if there is room. */
static void mark_some(void *ctx, uint64_t n)
{
	struct harvest *h = ctx;
	uint64_t i;

	(void)n;
	for (i = 0; i < h->dirty; i++)
		gm_bitmap_set_page(h->bm, i * 7368787 * 64 % h->pages);
}

static uint64_t take_runs(struct harvest *h)
{
	struct gm_page_run span = { 0, h->pages };
	int64_t n;

	if (h->consumer)
		n = gm_dirty_consumer_take_runs(h->consumer, &span, h->runs,
						MAX_DIRTY);
	else
		n = gm_bitmap_take_runs(h->bm, &span, h->runs, MAX_DIRTY);
	bench_must(n >= 0 && !span.count, "take_runs");
	return (uint64_t)n;
}

BENCH_LOOP void harvest(void *ctx, uint64_t n)
{
	struct harvest *h = ctx;

	for (; n; n--)
		bench_must(take_runs(h) == h->dirty, "harvest");
}

/* What looks at each word of a bitmap. */
BENCH_LOOP void raw_scan(void *ctx, uint64_t n)
{
	struct harvest *h = ctx;
	uint64_t i, any;

	for (; n; n--) {
		any = 0;
		for (i = 0; i < h->pages / 64; i++)
			any |= h->words[i];
		BENCH_USE(any);
	}
}

static void run_harvest(const char *name, uint64_t bytes, uint64_t dirty, double max_ns,
			bool consumers)
{
	struct harvest h = { .pages = bytes / 4096, .dirty = dirty };
	struct gm_dirty_consumer *other = NULL;
	struct bench_case c = {
		.run = harvest,
		.ctx = &h,
		.ops = 1,
		.max_ns = max_ns,
		.prepare = mark_some,
	};

	bench_must(!gm_bitmap_new(bytes, 4096, &h.bm), "gm_bitmap_new");
	h.runs = calloc(MAX_DIRTY, sizeof(h.runs[0]));
	bench_must(h.runs, "calloc");
	h.words = h.bm->words;
	if (consumers)
		bench_must(!gm_dirty_consumer_new(h.bm, &h.consumer) &&
			   !gm_dirty_consumer_new(h.bm, &other), "consumers");
	if (!dirty) {
		c.base = raw_scan;
		c.base_name = "look at all";
	}
	bench_run(&c, "%s/%llu", name, (unsigned long long)dirty);
	gm_dirty_consumer_free(other);
	gm_dirty_consumer_free(h.consumer);
	free(h.runs);
	gm_bitmap_put(h.bm);
}

static void run_harvests(void)
{
	const uint64_t tib = UINT64_C(1) << 40;
	uint64_t dirty;

	run_harvest("harvest_4g", UINT64_C(4) << 30, 0, 1000, false);
	run_harvest("harvest_1t", tib, 0, 0, false);
	for (dirty = 1; dirty <= MAX_DIRTY; dirty *= 10)
		run_harvest("harvest_1t", tib, dirty, dirty == 1000 ? 1e5 : 0,
			    false);
	for (dirty = 10; dirty <= MAX_DIRTY; dirty *= 100)
		run_harvest("harvest_1t_2_consumers", tib, dirty, 0, true);
}

int main(int argc, char **argv)
{
	int i;

	bench_start(argc, argv, "dirty");
	for (i = 0; i < GUEST_COUNTS; i++)
		run_write(guest_counts[i]);
	run_whole();
	run_harvests();
	return bench_finish();
}
