/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_map.c - finding a region, and making a map of many.
 *
 * To find is compared with a raw volatile read of one address: the smallest
 * thing that an access can cost.
 */
#include <stdlib.h>

#include "bench.h"
#include "guest.h"

struct finder {
	struct guest guest;
	uint64_t mask;		/* of the offsets: 0 stays at one address */
	struct gm_extent *extents;
};

BENCH_LOOP void find(void *ctx, uint64_t n)
{
	struct finder *f = ctx;
	const uint32_t *offsets = guest_next_window(&f->guest);
	const struct gm_map *m = f->guest.map;
	uint64_t i;

	for (i = 0; i < n; i++) {
		gm_gpa_t gpa = gm_gpa(GUEST_GPA + (offsets[i] & f->mask));
		struct gm_region *r;

		BENCH_HIDE(gpa);
		r = gm_map_find(m, gpa);
		if (gm_unlikely(!r))
			bench_fail("gm_map_find");
		BENCH_USE(r);
	}
}

BENCH_LOOP void raw_read(void *ctx, uint64_t n)
{
	struct finder *f = ctx;
	volatile uint32_t *p = (volatile uint32_t *)f->guest.host;

	for (; n; n--) {
		uint32_t x;

		BENCH_HIDE(p);
		x = *p;
		BENCH_USE(x);
	}
}

static void run_find(size_t count)
{
	static struct finder f;
	struct bench_case c = {
		.run = find,
		.base = raw_read,
		.base_name = "volatile same",
		.ctx = &f,
		.ops = GUEST_WINDOW,
	};

	guest_init(&f.guest, count, false);
	f.mask = 0;
	bench_run(&c, "find_same/%zu", count);
	f.mask = UINT64_MAX;
	c.max_ratio = count == 256 ? 3.7 : count == 65536 ? 8.3 : 0;
	bench_run(&c, "find_random/%zu", count);
	guest_exit(&f.guest);
}

BENCH_LOOP void build(void *ctx, uint64_t n)
{
	struct finder *f = ctx;

	for (; n; n--) {
		struct gm_map *m;

		bench_must(!gm_map_new(f->guest.regions, f->guest.count, &m),
			   "gm_map_new");
		gm_map_put(m);
	}
}

/* What a map has to do at least: to collect what lookups need in an array. */
BENCH_LOOP void collect(void *ctx, uint64_t n)
{
	struct finder *f = ctx;

	for (; n; n--) {
		size_t i;

		for (i = 0; i < f->guest.count; i++)
			f->extents[i] = f->guest.regions[i]->ext;
		BENCH_HIDE(f);
	}
}

BENCH_LOOP void insert_remove(void *ctx, uint64_t n)
{
	struct finder *f = ctx;
	struct gm_region *last = f->guest.regions[f->guest.count - 1];

	for (; n; n--) {
		struct gm_map *less, *more;

		bench_must(!gm_map_remove(f->guest.map, gm_region_start(last),
					  gm_region_len(last), &less, NULL),
			   "gm_map_remove");
		bench_must(!gm_map_insert(less, last, &more), "gm_map_insert");
		gm_map_put(more);
		gm_map_put(less);
	}
}

static void run_build(size_t count)
{
	static struct finder f;
	struct bench_case c = {
		.run = build,
		.base = collect,
		.base_name = "array",
		.ctx = &f,
		.ops = 1,
	};

	guest_init(&f.guest, count, false);
	f.extents = calloc(count, sizeof(*f.extents));
	bench_must(f.extents, "calloc");
	bench_run(&c, "new/%zu", count);
	c.run = insert_remove;
	bench_run(&c, "remove_insert/%zu", count);
	free(f.extents);
	guest_exit(&f.guest);
}

int main(int argc, char **argv)
{
	int i;

	bench_start(argc, argv, "map");
	for (i = 0; i < GUEST_COUNTS; i++)
		run_find(guest_counts[i]);
	run_build(256);
	run_build(65536);
	return bench_finish();
}
