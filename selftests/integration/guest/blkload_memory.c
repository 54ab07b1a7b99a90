/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blkload_memory.c - loads that remember: what they have written to the disk, and
 * what the disk has written to memory.
 *
 * churn has many writes at work at once, remembers what it has written where, and
 * compares before it writes there again, and all at the end: a write that was lost,
 * or that came once more when it was out of date, shows.
 *
 * hold reads into many pages of memory, which only the device ever writes to, and
 * remembers what each page holds: one that was not taken along when the guest moved,
 * or that was read to the wrong place, shows.
 *
 * Both print how many requests there were.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkload.h"

#define WORKERS		12
#define FLUSH_EACH	4
#define HELD_PAGES	256u	/* of each worker */

static volatile sig_atomic_t ends;

static void on_term(int sig)
{
	(void)sig;
	ends = 1;
}

/**
 * struct worker - a thread and its part of the load
 * @thread: the thread
 * @range: its part of the disk
 * @deadline: when it ends, if it has made enough requests
 * @least: so many are enough
 * @random: state of a generator
 * @count: requests
 * @generations: how often each block was written
 */
struct worker {
	pthread_t thread;
	struct range range;
	uint64_t deadline;
	uint64_t least;
	uint64_t random;
	uint64_t count;
	uint32_t *generations;
};

static uint64_t next_random(struct worker *w)
{
	w->random = mix(w->random + 1);
	return w->random;
}

static bool goes_on(const struct worker *w)
{
	return w->count < w->least || (!ends && now_ns() < w->deadline);
}

/* What block i of the worker's range holds after so many writes. */
static void transfer_generation(struct worker *w, uint64_t i, bool write, uint64_t *buf)
{
	struct range r = w->range;
	uint64_t at = r.offset + i * PAGE;

	r.seed += (uint64_t)w->generations[i] << 32;
	if (write)
		stamp(&r, buf, at, PAGE);
	transfer(r.fd, write, buf, PAGE, at);
	if (!write)
		compare(&r, buf, at, PAGE);
}

static void *churn(void *arg)
{
	uint64_t *buf = buffer(PAGE);
	struct worker *w = arg;
	uint64_t i, random, blocks = w->range.len / PAGE;

	w->generations = buffer(blocks * sizeof(*w->generations));
	while (goes_on(w)) {
		random = next_random(w);
		i = random % blocks;
		if (random >> 40 & 3)
			transfer_generation(w, i, false, buf);
		w->generations[i]++;
		transfer_generation(w, i, true, buf);
		if (++w->count % FLUSH_EACH == 0 && fdatasync(w->range.fd))
			die("fdatasync: %s", strerror(errno));
	}
	for (i = 0; i < blocks; i++)
		transfer_generation(w, i, false, buf);
	return NULL;
}

static void *hold(void *arg)
{
	char *pages = buffer(HELD_PAGES * PAGE);
	struct worker *w = arg;
	uint64_t held[HELD_PAGES], i, blocks = w->range.len / PAGE;

	for (i = 0; i < HELD_PAGES || goes_on(w); i++) {
		uint64_t random = next_random(w), page = random % HELD_PAGES;

		/* Each of them once, then any. */
		if (i < HELD_PAGES)
			page = i;
		held[page] = w->range.offset + (random >> 16) % blocks * PAGE;
		transfer(w->range.fd, false, pages + page * PAGE, PAGE, held[page]);
		w->count++;
		page = (random >> 8) % HELD_PAGES;
		if (page < i)
			compare(&w->range, (uint64_t *)(pages + page * PAGE), held[page], PAGE);
	}
	for (i = 0; i < HELD_PAGES; i++)
		compare(&w->range, (uint64_t *)(pages + i * PAGE), held[i], PAGE);
	return NULL;
}

void run_memory(const char *kind, const struct range *r, uint64_t seconds, uint64_t least)
{
	static struct worker workers[WORKERS];
	uint64_t part = r->len / WORKERS / PAGE * PAGE, count = 0;

	signal(SIGTERM, on_term);
	for (unsigned int t = 0; t < WORKERS; t++) {
		struct worker *w = &workers[t];

		w->range = *r;
		w->range.offset += t * part;
		w->range.len = part;
		w->deadline = now_ns() + seconds * 1000000000;
		w->least = (least + WORKERS - 1) / WORKERS;
		w->random = t;
		if (pthread_create(&w->thread, NULL, strcmp(kind, "hold") ? churn : hold, w))
			die("no thread");
	}
	for (unsigned int t = 0; t < WORKERS; t++) {
		pthread_join(workers[t].thread, NULL);
		count += workers[t].count;
	}
	printf("%" PRIu64 "\n", count);
}
