/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=bench */
/*
 * bench_alloc.c - memory of the module against anonymous memory that is there
 * at once (MAP_POPULATE), and the first access to each page of both.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include "../../ulib/bench/bench.h"
#include "util.h"

#define LENGTH (256 * MIB)
/* Where memory has to be filled first, untimed, for each time that it goes. */
#define FILLED_LENGTH (64 * MIB)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/**
 * struct memory - what is measured
 * @control: the control device
 * @length: how much
 * @advice: for the anonymous memory: which pages
 * @region: the module's, or -1
 * @p: its mapping
 * @anonymous: anonymous memory, or NULL
 * @faults: page faults that touching the module's memory took
 */
struct memory {
	int control;
	uint64_t length;
	int advice;
	int region;
	volatile uint8_t *p;
	volatile uint8_t *anonymous;
	long faults;
};

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* The descriptor and the mapping: memory that can be used. */
BENCH_LOOP void ours_alloc(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	(void)n;
	m->region = region_alloc(m->control, m->length);
	bench_must(m->region >= 0, "allocating");
	m->p = map_shared(m->region, m->length);
	bench_must(m->p != MAP_FAILED, "mmap");
}

BENCH_LOOP void ours_free(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	(void)n;
	munmap((void *)m->p, m->length);
	close(m->region);
	m->region = -1;
}

/* Addresses with room for alignment, and no memory yet. */
static void anonymous_map(struct memory *m)
{
	m->anonymous = map_anonymous(m->length + HUGE);
	bench_must(m->anonymous != MAP_FAILED, "mmap");
	BENCH_OK(madvise((void *)m->anonymous, m->length + HUGE, m->advice));
}

/* MAP_POPULATE, with a choice of pages. */
BENCH_LOOP void anonymous_fill(void *ctx, uint64_t n)
{
	struct memory *m = ctx;
	uintptr_t start;

	(void)n;
	anonymous_map(m);
	start = ((uintptr_t)m->anonymous + HUGE - 1) / HUGE * HUGE;
	BENCH_OK(madvise((void *)start, m->length, MADV_POPULATE_WRITE));
}

BENCH_LOOP void anonymous_free(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	(void)n;
	munmap((void *)m->anonymous, m->length + HUGE);
	m->anonymous = NULL;
}

static void none(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	if (m->region >= 0)
		ours_free(m, n);
	if (m->anonymous)
		anonymous_free(m, n);
}

static void both(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	if (m->region < 0)
		ours_alloc(m, n);
	if (!m->anonymous)
		anonymous_fill(m, n);
}

/* One byte of each page is written. */
BENCH_LOOP void ours_touch(void *ctx, uint64_t n)
{
	struct memory *m = ctx;
	long before = faults();

	for (uint64_t i = 0; i < n; i++)
		m->p[i * 4096] = 1;
	m->faults += faults() - before;
}

BENCH_LOOP void anonymous_touch(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	for (uint64_t i = 0; i < n; i++)
		m->anonymous[i * 4096] = 1;
}

/* A new region, and new anonymous memory. */
static void untouched(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	none(m, n);
	ours_alloc(m, n);
	anonymous_map(m);
}

static void run(struct memory *m, const char *name, int advice)
{
	struct bench_case c = {
		.ctx = m, .base_name = "MAP_POPULATE", .ops = 1,
		.base = anonymous_fill, .prepare = none,
	};

	m->advice = advice;
	m->length = LENGTH;
	c.run = ours_alloc;
	bench_run(&c, "alloc_256M/%s", name);
	none(m, 1);
	m->length = FILLED_LENGTH;
	c.run = ours_free;
	c.base = anonymous_free;
	c.base_name = "munmap";
	c.prepare = both;
	bench_run(&c, "free_64M/%s", name);
	none(m, 1);
}

static void run_touch(struct memory *m)
{
	struct bench_case c = {
		.ctx = m, .run = ours_touch, .base = anonymous_touch,
		.base_name = "anonymous", .prepare = untouched,
		.ops = FILLED_LENGTH / 4096,
	};

	m->advice = MADV_NOHUGEPAGE;
	m->length = FILLED_LENGTH;
	m->faults = 0;
	bench_run(&c, "first_touch/4k_pages");
	none(m, 1);
	printf("page faults of all first touches: %ld\n", m->faults);
	bench_must(!m->faults, "touching without a page fault");
}

int main(void)
{
	static char * const argv[] = { "bench", "--json", "/proc/self/fd/1" };
	struct memory m = { .region = -1 };

	bench_start(3, (char **)argv, "alloc");
	m.control = control_open();
	bench_must(m.control >= 0, "opening the device");
	run(&m, "4k_pages", MADV_NOHUGEPAGE);
	run(&m, "huge_pages", MADV_HUGEPAGE);
	run_touch(&m);
	return bench_finish();
}
