/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_log.c - what marking a log costs that another process reads: each mark at
 * once, or put together for a queue.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <guestmem.h>

#include "bench.h"

/* A request's marks: as a device makes them for small buffers and its rings. */
#define MARKS 16

struct queue {
	struct gm_bitmap *bm;
	struct gm_batch batch;
	uint64_t at[MARKS];
};

BENCH_LOOP void mark_at_once(void *ctx, uint64_t n)
{
	struct queue *q = ctx;
	int i;

	for (; n; n--)
		for (i = 0; i < MARKS; i++)
			gm_bitmap_mark(q->bm, q->at[i], 8);
}

BENCH_LOOP void mark_batch(void *ctx, uint64_t n)
{
	struct queue *q = ctx;
	int i;

	for (; n; n--) {
		for (i = 0; i < MARKS; i++)
			gm_bitmap_mark(&q->batch.bitmap, q->at[i], 8);
		gm_batch_flush(&q->batch);
	}
}

/* Another queue that marks the same log, on the other CPUs. */
struct other {
	struct queue *queue;
	bool stop;
};

static void *other_queue(void *arg)
{
	struct other *o = arg;

	while (!__atomic_load_n(&o->stop, __ATOMIC_RELAXED))
		mark_at_once(o->queue, 100);
	return NULL;
}

static void run(const char *name, uint64_t pages)
{
	struct queue q;
	struct other o = { .queue = &q };
	struct bench_case c = {
		.run = mark_batch,
		.base = mark_at_once,
		.base_name = "at once",
		.ctx = &q,
	};
	struct gm_vhost_log *log;
	struct gm_file *file;
	int fd = memfd_create("log", MFD_CLOEXEC), i;
	pthread_t t;

	bench_must(fd >= 0 && !ftruncate(fd, 1 << 20), "memfd");
	bench_must(!gm_file_new(fd, &file), "gm_file_new");
	bench_must(!gm_vhost_log_new(file, 0, 1 << 20, &log), "gm_vhost_log_new");
	bench_must(!gm_vhost_log_bitmap(log, gm_gpa(0), 1 << 30, &q.bm), "gm_vhost_log_bitmap");
	bench_must(!gm_batch_init(&q.batch, q.bm, 4096), "gm_batch_init");
	for (i = 0; i < MARKS; i++)
		q.at[i] = (uint64_t)i * 7919 % pages * 4096 + 8 * (uint64_t)i;
	bench_run(&c, "16_marks/%s", name);
	bench_must(!pthread_create(&t, NULL, other_queue, &o), "pthread_create");
	bench_run(&c, "16_marks_two_queues/%s", name);
	__atomic_store_n(&o.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	gm_bitmap_put(q.bm);
	gm_vhost_log_put(log);
	gm_file_put(file);
}

int main(int argc, char **argv)
{
	bench_start(argc, argv, "log");
	run("1_page", 1);
	run("4_pages", 4);
	run("far_apart", 200000);
	return bench_finish();
}
