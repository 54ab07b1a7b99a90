/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_space.c - what it costs that a map may change: begin, read a u32, end,
 * against the read alone; by readers of this library, by locks, and by liburcu
 * where it is installed. With more readers at work on other CPUs, none should
 * cost more.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

#include "bench.h"
#include "guest.h"
#include "urcu.h"

#define MAX_THREADS 4

/* One thread's own; no two in one cache line. */
struct me {
	struct gm_view view;
	struct gm_reader reader;
	struct gm_reader plain;
	struct gm_space *space;
	bench_fn *fn;
	pthread_t thread;
} __attribute__((__aligned__(128)));

static struct {
	struct gm_space *space;
	struct gm_map *map;
	bool stop;
	uint32_t ready;
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
} shared = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.rwlock = PTHREAD_RWLOCK_INITIALIZER,
};

static struct me everybody[MAX_THREADS];

#define READ(v) do { \
	gm_gpa_t gpa = gm_gpa(GUEST_GPA + 64); \
	uint32_t x; \
\
	BENCH_HIDE(gpa); \
	BENCH_OK(gm_view_read_u32(v, gpa, &x)); \
	BENCH_USE(x); \
} while (0)

/* @n times: begin, which leaves a view in v; read; end. */
#define READ_LOOP(name, begin, end) \
BENCH_LOOP void name(void *ctx, uint64_t n) \
{ \
	struct me *me = ctx; \
	struct gm_view own, *v = &own; \
\
	(void)me; \
	(void)own; \
	for (; n; n--) { \
		BENCH_FORGET(); \
		begin; \
		READ(v); \
		end; \
	} \
}

READ_LOOP(read_only, v = &me->view, (void)v)
READ_LOOP(reader_space, v = gm_reader_begin(&me->reader),
	  gm_reader_end(&me->reader))
READ_LOOP(reader_plain, v = gm_reader_begin(&me->plain),
	  gm_reader_end(&me->plain))
READ_LOOP(section, gm_space_read_begin(me->space, v),
	  gm_space_read_end(me->space))
READ_LOOP(epoch_only, gm_epoch_enter(); v = &me->view, gm_epoch_exit())
READ_LOOP(snapshot, struct gm_map *m = gm_space_snapshot(me->space);
	  gm_view_init(v, m), gm_map_put(m))
READ_LOOP(by_mutex, pthread_mutex_lock(&shared.mutex);
	  gm_view_init(v, shared.map), pthread_mutex_unlock(&shared.mutex))
READ_LOOP(by_rwlock, pthread_rwlock_rdlock(&shared.rwlock);
	  gm_view_init(v, shared.map), pthread_rwlock_unlock(&shared.rwlock))

#ifdef GM_HAVE_URCU
READ_LOOP(urcu_memb, _urcu_memb_read_lock();
	  gm_view_init(v, rcu_dereference(shared.map)), _urcu_memb_read_unlock())
READ_LOOP(urcu_bp, _urcu_bp_read_lock();
	  gm_view_init(v, rcu_dereference(shared.map)), _urcu_bp_read_unlock())
READ_LOOP(urcu_memb_calls, urcu_memb_read_lock();
	  gm_view_init(v, rcu_dereference(shared.map)), urcu_memb_read_unlock())
#endif

static void me_init(struct me *me)
{
	me->space = shared.space;
	gm_view_init(&me->view, shared.map);
	gm_reader_init_space(&me->reader, shared.space);
	gm_reader_init_plain(&me->plain, shared.map);
}

static void me_exit(struct me *me)
{
	gm_reader_exit(&me->plain);
	gm_reader_exit(&me->reader);
}

static void *other(void *arg)
{
	struct me *me = arg;

	bench_go_elsewhere();
	urcu_memb_register_thread();
	__atomic_fetch_add(&shared.ready, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED))
		me->fn(me, 1000);
	urcu_memb_unregister_thread();
	return NULL;
}

static void others_start(bench_fn *fn, int threads)
{
	int i;

	shared.stop = false;
	shared.ready = 0;
	for (i = 1; i < threads; i++) {
		everybody[i].fn = fn;
		bench_must(!pthread_create(&everybody[i].thread, NULL, other,
					   &everybody[i]), "pthread_create");
	}
	while (__atomic_load_n(&shared.ready, __ATOMIC_RELAXED) + 1 <
	       (uint32_t)threads)
		;
}

static void others_stop(int threads)
{
	int i;

	__atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
	for (i = 1; i < threads; i++)
		pthread_join(everybody[i].thread, NULL);
}

static void run_case(bench_fn *fn, int threads, double max_more_ns,
		     const char *name)
{
	struct bench_case c = {
		.run = fn,
		.base = read_only,
		.base_name = "the read alone",
		.ctx = &everybody[0],
		.max_more_ns = max_more_ns,
	};

	others_start(fn, threads);
	bench_run(&c, "%s/%d", name, threads);
	others_stop(threads);
}

static void run_readers(int threads)
{
	run_case(reader_space, threads, 2, "reader");
	run_case(reader_plain, threads, 2, "reader_plain_map");
	run_case(section, threads, 2, "section");
	run_case(epoch_only, threads, 0, "epoch_enter_exit");
	/* As where there is no membarrier(2). */
	everybody[0].reader.record.fence ^= 1;
	run_case(reader_space, threads, 0, "reader_with_fence");
	everybody[0].reader.record.fence ^= 1;
	run_case(snapshot, threads, 0, "snapshot");
	run_case(by_mutex, threads, 0, "mutex");
	run_case(by_rwlock, threads, 0, "rwlock");
#ifdef GM_HAVE_URCU
	run_case(urcu_memb, threads, 0, "liburcu_memb_inlined");
	run_case(urcu_bp, threads, 0, "liburcu_bp_inlined");
	run_case(urcu_memb_calls, threads, 0, "liburcu_memb");
#endif
}

BENCH_LOOP void replace_wait(void *ctx, uint64_t n)
{
	(void)ctx;
	BENCH_OK(gm_space_lock(shared.space));
	for (; n; n--)
		BENCH_OK(gm_space_replace(shared.space, shared.map,
					  GM_RELEASE_WAIT));
	gm_space_unlock(shared.space);
}

BENCH_LOOP void replace_later(void *ctx, uint64_t n)
{
	(void)ctx;
	BENCH_OK(gm_space_lock(shared.space));
	for (; n; n--)
		BENCH_OK(gm_space_replace(shared.space, shared.map,
					  GM_RELEASE_LATER));
	gm_space_unlock(shared.space);
}

static void run_writer(int threads)
{
	struct bench_case wait = { .run = replace_wait, .ops = 100 };
	struct bench_case later = { .run = replace_later, .ops = 100 };

	others_start(reader_space, threads);
	bench_run(&wait, "replace_wait/%d", threads);
	bench_run(&later, "replace_later/%d", threads);
	others_stop(threads);
}

int main(int argc, char **argv)
{
	static struct guest guest;
	int i;

	bench_start(argc, argv, "space");
	guest_init(&guest, 8, false);
	shared.map = guest.map;
	BENCH_OK(gm_space_new(guest.map, &shared.space));
	urcu_memb_register_thread();
	for (i = 0; i < MAX_THREADS; i++)
		me_init(&everybody[i]);
	for (i = 1; i <= MAX_THREADS; i *= 2)
		run_readers(i);
	for (i = 1; i <= MAX_THREADS; i *= 2)
		run_writer(i);
	for (i = 0; i < MAX_THREADS; i++)
		me_exit(&everybody[i]);
	urcu_memb_unregister_thread();
	gm_space_put(shared.space);
	guest_exit(&guest);
	return bench_finish();
}
