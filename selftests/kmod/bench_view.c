/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=bench lib */
/*
 * bench_view.c - access to the module's memory through the library, compared
 * with the same access to mapped memory.
 */
#define _GNU_SOURCE
#include <guestmem.h>
#include "../../ulib/bench/bench.h"
#include "util.h"

#define LENGTH (64 * MIB)
#define BASE UINT64_C(0x100000)
#define WINDOW 4096

/**
 * struct both - what is measured
 * @ours: a view of the module's memory
 * @theirs: a view of mapped memory
 * @offset: where to access, at random
 */
struct both {
	struct gm_view ours;
	struct gm_view theirs;
	uint32_t offset[WINDOW];
};

#define ACCESS_LOOP(name, view, at, ...) \
BENCH_LOOP void name(void *ctx, uint64_t n) \
{ \
	struct both *b = ctx; \
	struct gm_view v = b->view; \
	uint64_t i; \
\
	for (i = 0; i < n; i++) { \
		gm_gpa_t gpa = gm_gpa(BASE + (at)); \
		uint64_t x = i; \
\
		BENCH_HIDE(gpa); \
		BENCH_OK(__VA_ARGS__); \
		BENCH_USE(x); \
	} \
}

#define ACCESS_LOOPS(name, at, ...) \
ACCESS_LOOP(ours_##name, ours, at, __VA_ARGS__) \
ACCESS_LOOP(theirs_##name, theirs, at, __VA_ARGS__)

ACCESS_LOOPS(read, 64, gm_view_read_u64(&v, gpa, &x))
ACCESS_LOOPS(write, 64, gm_view_write_u64(&v, gpa, x))
ACCESS_LOOPS(read_random, b->offset[i % WINDOW], gm_view_read_u64(&v, gpa, &x))

static const struct access {
	const char *name;
	bench_fn *run;
	bench_fn *base;
} accesses[] = {
	{ "read_u64", ours_read, theirs_read },
	{ "write_u64", ours_write, theirs_write },
	{ "read_u64_random", ours_read_random, theirs_read_random },
};

static const struct gm_range range = { BASE, LENGTH };

/* Memory of small pages, all of them there, as the module's are. */
static struct gm_map *mapped_memory(void)
{
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = GM_MMAP_PREFAULT | GM_MMAP_NO_THP,
	};
	struct gm_map *m;

	BENCH_OK(gm_map_new_mmap(&range, &o, 1, &m));
	return m;
}

int main(void)
{
	static char * const argv[] = { "bench", "--json", "/proc/self/fd/1" };
	static struct both b;
	struct bench_case c = {
		.ctx = &b, .base_name = "mmap", .max_ratio = 1.05,
	};
	struct gm_map *ours, *theirs = mapped_memory();
	uint32_t i, state = 1;
	struct gm_kmod *k;

	bench_start(3, (char **)argv, "view");
	BENCH_OK(gm_kmod_open(NULL, &k));
	BENCH_OK(gm_map_new_kmod(k, &range, NULL, 1, &ours));
	gm_view_init(&b.ours, ours);
	gm_view_init(&b.theirs, theirs);
	for (i = 0; i < WINDOW; i++) {
		state = state * 1664525 + 1013904223;
		b.offset[i] = (state >> 4) % (LENGTH / 8) * 8;
	}
	for (i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		c.run = accesses[i].run;
		c.base = accesses[i].base;
		bench_run(&c, "%s", accesses[i].name);
	}
	gm_map_put(ours);
	gm_map_put(theirs);
	gm_kmod_put(k);
	return bench_finish();
}
