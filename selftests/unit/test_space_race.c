/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * Readers of all kinds, many at once, while memory comes and goes. Removed
 * memory is spoiled as soon as no reader should have it, then unmapped: a reader
 * that still looks sees what it must not, is a data race for the thread
 * sanitizer, or gets a signal. Both with the kernel's membarrier and without.
 */
/* gm-test: windows */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include "kselftest_harness.h"
#include <guestmem/access.h>
#include <guestmem/reader.h>
#include "actor.h"
#include "expect.h"
#include "refuse.h"
#include "scale.h"
#include "system.h"

#define SIZE UINT64_C(0x1000)
#define LOW UINT64_C(0)
#define HIGH UINT64_C(0x100000)
#define SPOILED UINT64_C(0xdeaddeaddeaddead)

#define READERS 4
#define RUN_MS 250

struct race {
	struct gm_space *s;
	bool stop;
	bool snapshots;		/* there may be some */
	uint64_t wrong;		/* things that no reader may see; atomic */
	uint64_t found;		/* sections that found HIGH */
	uint64_t missed;	/* that did not */
};

static bool stopped(const struct race *r)
{
	return __atomic_load_n(&r->stop, __ATOMIC_RELAXED);
}

static void count(uint64_t *what, uint64_t n)
{
	__atomic_fetch_add(what, n, __ATOMIC_RELAXED);
}

/* A busy machine may be long in giving a reader its first turn. */
static bool looked(const struct race *r)
{
	return __atomic_load_n(&r->found, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&r->missed, __ATOMIC_RELAXED);
}

/* HIGH, where it is there, is the same and not spoiled at both ends. */
static void look(struct race *r, struct gm_view *v)
{
	uint64_t a = 0, b = 0, low = 0;
	int ret;

	if (gm_view_read_u64(v, gm_gpa(LOW), &low) || low != 1)
		count(&r->wrong, 1);
	ret = gm_view_read_u64(v, gm_gpa(HIGH), &a);
	if (gm_view_read_u64(v, gm_gpa(HIGH + SIZE - 8), &b) != ret)
		count(&r->wrong, 1);
	count(ret ? &r->missed : &r->found, 1);
	if (!ret && (a != b || a == SPOILED || !a))
		count(&r->wrong, 1);
}

static void *read_in_sections(void *arg)
{
	struct race *r = arg;
	struct gm_view v, inner;

	for (uint64_t i = 0; !stopped(r); i++) {
		gm_space_read_begin(r->s, &v);
		look(r, &v);
		if (i % 8 == 0) {
			gm_space_read_begin(r->s, &inner);
			look(r, &inner);
			gm_space_read_end(r->s);
			look(r, &v);
		}
		gm_space_read_end(r->s);
	}
	return NULL;
}

static void *read_by_reader(void *arg)
{
	struct race *r = arg;
	struct gm_reader reader;

	gm_reader_init_space(&reader, r->s);
	for (uint64_t i = 0; !stopped(r); i++) {
		look(r, gm_reader_begin(&reader));
		if (i % 256 == 0)
			sched_yield();
		gm_reader_end(&reader);
		if (i % 4096 == 0) {
			gm_reader_exit(&reader);
			gm_reader_init_space(&reader, r->s);
		}
	}
	gm_reader_exit(&reader);
	return NULL;
}

static void *read_snapshots(void *arg)
{
	struct race *r = arg;
	struct gm_view v;

	while (!stopped(r)) {
		struct gm_map *m = gm_space_snapshot(r->s);

		gm_view_init(&v, m);
		look(r, &v);
		gm_map_put(m);
	}
	return NULL;
}

static void *short_life(void *arg)
{
	struct race *r = arg;
	struct gm_view v;

	gm_space_read_begin(r->s, &v);
	look(r, &v);
	gm_space_read_end(r->s);
	return NULL;
}

static void *read_by_new_threads(void *arg)
{
	struct race *r = arg;
	pthread_t t;

	while (!stopped(r))
		if (!pthread_create(&t, NULL, short_life, r))
			pthread_join(t, NULL);
	return NULL;
}

static void fill(struct gm_region *r, uint64_t value)
{
	uint64_t *p = (uint64_t *)r->ext.host;

	for (size_t i = 0; i < SIZE / 8; i++)
		p[i] = value;
}

/* HIGH comes, another value each time, and goes. */
static int plug(struct race *race, uint64_t round, enum gm_release how)
{
	struct gm_region *r;
	int ret;

	ret = gm_region_new_mmap(gm_gpa(HIGH), SIZE, NULL, &r);
	if (ret)
		return ret;
	fill(r, round + 1);
	ret = gm_space_insert(race->s, r, how);
	gm_region_put(r);
	if (ret)
		return ret;
	/* Waited for, nobody reads it, and it can be spoiled. */
	ret = gm_space_remove(race->s, gm_gpa(HIGH), SIZE, how,
			      how == GM_RELEASE_WAIT ? &r : NULL);
	if (!ret && how == GM_RELEASE_WAIT) {
		if (__atomic_load_n(&r->refs, __ATOMIC_ACQUIRE) == 1)
			fill(r, SPOILED);
		else if (!race->snapshots)
			count(&race->wrong, 1);
		gm_region_put(r);
	}
	return ret;
}

static int64_t run(struct race *r, void *(*const *fns)(void *), int n,
		   enum gm_release how)
{
	struct gm_range low = { gm_gpa(LOW), SIZE };
	struct timespec now, end;
	pthread_t t[READERS];
	uint64_t round = 0;
	struct gm_map *m;
	int ret, i;

	memset(r, 0, sizeof(*r));
	if (gm_map_new_mmap(&low, NULL, 1, &m))
		return -1;
	*(uint64_t *)m->regions[0]->ext.host = 1;
	if (gm_space_new(m, &r->s))
		return -1;
	gm_map_put(m);
	for (i = 0; i < n; i++) {
		r->snapshots |= fns[i] == read_snapshots;
		if (pthread_create(&t[i], NULL, fns[i], r))
			return -1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += RUN_MS * 1000000L;
	do {
		ret = plug(r, round++, how);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!ret && (!looked(r) || (now.tv_sec - end.tv_sec) * 1000000000LL +
						now.tv_nsec < end.tv_nsec));
	__atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	if (!ret)
		ret = (int)gm_space_reclaim(r->s);
	gm_space_put(r->s);
	return ret ? ret : (int64_t)round;
}

static void *(*const one_section[])(void *) = { read_in_sections };
static void *(*const one_reader[])(void *) = { read_by_reader };
static void *(*const mixed[READERS])(void *) = {
	read_in_sections, read_by_reader, read_snapshots, read_by_new_threads,
};

#define RUN(fns, how) do { \
	struct race r_; \
	int64_t rounds_ = run(&r_, fns, sizeof(fns) / sizeof((fns)[0]), how); \
	EXPECT_LT(0, rounds_); \
	EXPECT_EQ(0, r_.wrong); \
	EXPECT_LT(0, r_.found + r_.missed); \
} while (0)

TEST(one_thread_reads_in_sections)
{
	RUN(one_section, GM_RELEASE_WAIT);
}

TEST(one_thread_reads_by_a_reader)
{
	RUN(one_reader, GM_RELEASE_WAIT);
}

TEST(readers_of_all_kinds)
{
	RUN(mixed, GM_RELEASE_WAIT);
	RUN(mixed, GM_RELEASE_LATER);
}

/*
 * The narrow case: a section and a writer that begin at the same instant. The
 * section's note that it is inside waits in the store buffer, behind writes to
 * memory that is in no cache, when it looks for the object; and a writer without a
 * barrier on the reader looks for the note in vain.
 */
#define AHEAD 40
#define COLD (UINT64_C(32) << 20)
#define DUEL_MS 400

struct duel {
	_Alignas(64) uint64_t at_reader;	/* steps that each has reached */
	_Alignas(64) uint64_t at_writer;
	_Alignas(64) uint64_t *object;
	_Alignas(64) uint64_t objects[2][8];
	uint8_t *cold;
	uint64_t wrong;
	bool stop;
};

/* Both go on from here as nearly at once as can be. */
static void meet(uint64_t *mine, const uint64_t *other, uint64_t step)
{
	uint64_t spins = 0;

	__atomic_store_n(mine, step, __ATOMIC_RELEASE);
	while (__atomic_load_n(other, __ATOMIC_ACQUIRE) < step)
		if (++spins % 1024 == 0)
			sched_yield();
}

/* The duellists are not on one CPU, where nothing is at once. */
static void stay_on_cpu(int which)
{
#ifdef _WIN32
	(void)which;
#else
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && !which--)
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
#endif
}

static void delay(uint64_t n)
{
	while (n--)
		__asm__ volatile("" : : : "memory");
}

static void *duel_reader(void *arg)
{
	struct duel *d = arg;
	uint64_t at = 1;

	stay_on_cpu(0);
	for (uint64_t round = 1;; round++) {
		const uint64_t *p;

		meet(&d->at_reader, &d->at_writer, 2 * round);
		if (__atomic_load_n(&d->stop, __ATOMIC_RELAXED))
			return NULL;
		delay(round % 59);
		for (int i = 0; i < AHEAD; i++) {
			at = at * 6364136223846793005u + 1442695040888963407u;
			gm_mem_write_u8(d->cold + (at >> 32) % COLD, 1);
		}
		gm_epoch_enter();
		p = __atomic_load_n(&d->object, __ATOMIC_ACQUIRE);
		delay(2000);
		d->wrong += gm_mem_read_u64(p) == SPOILED;
		gm_epoch_exit();
		meet(&d->at_reader, &d->at_writer, 2 * round + 1);
	}
}

/* Rounds in which the reader had what was freed; negative: no test. */
static int64_t lost_duels(uint64_t *rounds)
{
	static struct duel d;
	struct timespec now, end;
	uint64_t round;
	pthread_t t;

	memset(&d, 0, sizeof(d));
	d.object = d.objects[0];
	d.cold = calloc(1, COLD);
	if (!d.cold || pthread_create(&t, NULL, duel_reader, &d))
		return -1;
	stay_on_cpu(1);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += DUEL_MS * 1000000L;
	for (round = 1;; round++) {
		uint64_t *old = d.object;

		gm_mem_write_u64(d.objects[round & 1], round);
		meet(&d.at_writer, &d.at_reader, 2 * round);
		delay(round % 997);
		__atomic_store_n(&d.object, d.objects[round & 1],
				 __ATOMIC_RELEASE);
		if (gm_epoch_synchronize())
			return -1;
		gm_mem_write_u64(old, SPOILED);
		meet(&d.at_writer, &d.at_reader, 2 * round + 1);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - end.tv_sec) * 1000000000LL + now.tv_nsec >=
		    end.tv_nsec)
			break;
	}
	__atomic_store_n(&d.stop, true, __ATOMIC_RELAXED);
	meet(&d.at_writer, &d.at_reader, 2 * round + 2);
	pthread_join(t, NULL);
	free(d.cold);
	*rounds = round;
	return (int64_t)d.wrong;
}

TEST(section_that_begins_with_the_writer)
{
	uint64_t rounds;

	EXPECT_EQ(0, lost_duels(&rounds));
	EXPECT_LT(0, rounds);
}

TEST(without_membarrier)
{
	uint64_t rounds;

	if (refuse_syscall(__NR_membarrier, ENOSYS))
		SKIP(return, "no seccomp filter to be had here");
	RUN(one_section, GM_RELEASE_WAIT);
	gm_epoch_enter();
	EXPECT_EQ(1, gm_epoch_self->fence);
	gm_epoch_exit();
	RUN(one_reader, GM_RELEASE_WAIT);
	RUN(mixed, GM_RELEASE_WAIT);
	RUN(mixed, GM_RELEASE_LATER);
	EXPECT_EQ(0, lost_duels(&rounds));
	EXPECT_LT(0, rounds);
}

/* Writers that add and remove each its own region, at once. */
#define WRITERS 3

struct writers {
	struct gm_space *s;
	uint64_t next;
	uint64_t failed;
};

static void *change(void *arg)
{
	struct writers *w = arg;
	uint64_t id = __atomic_add_fetch(&w->next, 1, __ATOMIC_RELAXED);
	gm_gpa_t gpa = gm_gpa(id * HIGH);

	for (uint64_t i = 0; i < test_iterations(2000); i++) {
		enum gm_release how = i % 4 ? GM_RELEASE_LATER : GM_RELEASE_WAIT;
		struct gm_view v;
		struct gm_region *r;
		uint64_t x, failed = 0;

		if (gm_region_new_mmap(gpa, SIZE, NULL, &r)) {
			count(&w->failed, 1);
			break;
		}
		failed += gm_space_insert(w->s, r, how) != 0;
		gm_region_put(r);
		gm_space_read_begin(w->s, &v);
		failed += gm_view_read_u64(&v, gpa, &x) != 0;
		gm_space_read_end(w->s);
		failed += gm_space_remove(w->s, gpa, SIZE, how, NULL) != 0;
		count(&w->failed, failed);
	}
	return NULL;
}

TEST(many_writers)
{
	struct gm_range low = { gm_gpa(LOW), SIZE };
	struct writers w = { 0 };
	pthread_t t[WRITERS];
	struct gm_map *m;

	ASSERT_OK(gm_map_new_mmap(&low, NULL, 1, &m));
	ASSERT_OK(gm_space_new(m, &w.s));
	gm_map_put(m);
	for (int i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, change, &w));
	for (int i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_join(t[i], NULL));
	EXPECT_EQ(0, w.failed);
	EXPECT_EQ(0, gm_space_reclaim(w.s));
	EXPECT_EQ(1, gm_map_count(w.s->map));
	gm_space_put(w.s);
}

/* Children forked while others read and write find all in order. */
static void *fork_often(void *arg)
{
	struct race *r = arg;

	while (!stopped(r)) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (!pid) {
			struct gm_view v;

			gm_space_read_begin(r->s, &v);
			look(r, &v);
			gm_space_read_end(r->s);
			/* A writer may have been in the middle. */
			if (plug(r, 7, GM_RELEASE_WAIT) == -EEXIST)
				gm_space_remove(r->s, gm_gpa(HIGH), SIZE,
						GM_RELEASE_WAIT, NULL);
			_exit(gm_space_reclaim(r->s) || r->wrong);
		}
		if (child_status(pid))
			count(&r->wrong, 1);
		count(&r->found, 1);
	}
	return NULL;
}

TEST(fork_while_others_work)
{
	FORKS();
	static void *(*const fns[])(void *) = {
		read_in_sections, read_by_reader, fork_often,
	};

#if GM_TSAN || defined(__SANITIZE_ADDRESS__)
	SKIP(return, "a sanitizer's allocator may be locked in a child");
#endif
	if (RUNNING_ON_VALGRIND)
		SKIP(return, "what a thread was about to free leaks in a child");
	RUN(fns, GM_RELEASE_WAIT);
	RUN(fns, GM_RELEASE_LATER);
}

TEST_HARNESS_MAIN
