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

int main(int argc, char **argv)
{
	int i;

	bench_start(argc, argv, "dirty");
	for (i = 0; i < GUEST_COUNTS; i++)
		run_write(guest_counts[i]);
	run_whole();
	return bench_finish();
}
