/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * epoch.c - records of readers, and waiting for them.
 *
 * Why a writer that finds a record outside may go on: the reader does "note the
 * section; look for the object", the writer "take the object away; barrier on
 * all threads; look at the record". If the writer did not see the note, then it
 * came after the barrier, and so did the look, which does not find the object.
 *
 * Records are in one list under one lock, which is held for as long as it takes
 * to look through them, never while waiting: a thread that registers does not
 * wait for other readers.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "aligned.h"
#include "internal.h"

#define DEPTH_BITS 16
#define EPOCH_ONE (UINT64_C(1) << DEPTH_BITS)

/* Two cache lines: CPUs fetch them in pairs. */
#define LINE 128

#define RECORD_HEAP (1u << 0)	/* a thread's own, made here; else a reader's */
#define RECORD_LISTED (1u << 1)

/* A wait: look SPINS times, then sleep, longer each time. */
#define SPINS 200
#define SLEEP_MIN_NS 10000L
#define SLEEP_MAX_NS 500000L

__thread struct gm_epoch_record *gm_epoch_self;

/* Sections of this thread that are in no record, since there is no memory. */
static __thread uint32_t unrecorded;

static struct {
	_Alignas(LINE) uint64_t now;		/* a state of depth 1 */
	_Alignas(LINE) pthread_mutex_t lock;	/* of what follows */
	struct gm_epoch_record *records;
	uint64_t unrecorded;			/* of all threads; atomic */
	pthread_key_t key;
	bool no_key;
} epoch = {
	.now = EPOCH_ONE + 1,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static void list_add(struct gm_epoch_record *rec)
{
	rec->prev = NULL;
	rec->next = epoch.records;
	if (rec->next)
		rec->next->prev = rec;
	epoch.records = rec;
	rec->flags |= RECORD_LISTED;
}

static void list_del(struct gm_epoch_record *rec)
{
	if (rec->prev)
		rec->prev->next = rec->next;
	else
		epoch.records = rec->next;
	if (rec->next)
		rec->next->prev = rec->prev;
	rec->flags &= ~RECORD_LISTED;
}

/*
 * The thread ends. If in a section, that ends too. Where the compiler makes variables of
 * threads itself (Windows), they may be gone already: so the record is handed over.
 */
static void thread_ends(void *arg)
{
	struct gm_epoch_record *rec = arg == &epoch ? NULL : arg;

	__atomic_fetch_sub(&epoch.unrecorded, unrecorded, __ATOMIC_SEQ_CST);
	unrecorded = 0;
	if (!rec)
		return;
	gm_epoch_self = NULL;
	gm_epoch_record_remove(rec);
	gm_aligned_free(rec);
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&epoch.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&epoch.lock);
}

/*
 * Of all threads, the child has the one that forked. A reader may be on a stack
 * that the child's threads get anew, and nobody will say so: it is in the list
 * again when it is used again.
 */
static void fork_child(void)
{
	struct gm_epoch_record *rec, *next;

	for (rec = epoch.records; rec; rec = next) {
		next = rec->next;
		if (rec->flags & RECORD_HEAP) {
			if (rec == gm_epoch_self)
				continue;
			list_del(rec);
			gm_aligned_free(rec);
		} else if (!gm_epoch_record_inside(rec) ||
			   rec->owner != gm_epoch_owner()) {
			list_del(rec);
			gm_reader_forked(rec);
		}
	}
	epoch.unrecorded = unrecorded;
	pthread_mutex_unlock(&epoch.lock);
}

gm_at_load static void set_up(void)
{
	epoch.no_key = pthread_key_create(&epoch.key, thread_ends) != 0;
	gm_os_atfork(fork_prepare, fork_parent, fork_child);
}

void gm_epoch_record_init(struct gm_epoch_record *rec, const void *owner)
{
	struct gm_epoch_record init = { .now = &epoch.now, .owner = owner };

	*rec = init;
	/* Not in set_up(): by now the process may have given up system calls. */
	rec->fence = !gm_os_barrier_register();
}

void gm_epoch_record_add(struct gm_epoch_record *rec)
{
	pthread_mutex_lock(&epoch.lock);
	list_add(rec);
	pthread_mutex_unlock(&epoch.lock);
}

void gm_epoch_record_remove(struct gm_epoch_record *rec)
{
	pthread_mutex_lock(&epoch.lock);
	if (rec->flags & RECORD_LISTED)
		list_del(rec);
	pthread_mutex_unlock(&epoch.lock);
}

bool gm_epoch_record_is_listed(const struct gm_epoch_record *rec)
{
	return rec->flags & RECORD_LISTED;
}

/* NULL: no memory, or no way to learn of the thread's end. */
static struct gm_epoch_record *thread_record(void)
{
	struct gm_epoch_record *rec;

	/* Even without a record: the destructor is for such sections, too. */
	if (epoch.no_key || pthread_setspecific(epoch.key, &epoch))
		return NULL;
	rec = gm_aligned_alloc(LINE, LINE);
	if (!rec)
		return NULL;
	gm_epoch_record_init(rec, gm_epoch_owner());
	rec->flags = RECORD_HEAP;
	gm_epoch_record_add(rec);
	/* It has a value already, so there is room. */
	pthread_setspecific(epoch.key, rec);
	return rec;
}

void gm_epoch_enter_slow(void)
{
	gm_epoch_self = thread_record();
	if (gm_epoch_self) {
		gm_epoch_record_begin(gm_epoch_self);
		return;
	}
	unrecorded++;
	__atomic_fetch_add(&epoch.unrecorded, 1, __ATOMIC_SEQ_CST);
	/* An atomic operation alone may let later loads pass its store. */
	gm_epoch_fence();
}

void gm_epoch_exit_slow(void)
{
	if (!unrecorded)
		return;
	unrecorded--;
	__atomic_fetch_sub(&epoch.unrecorded, 1, __ATOMIC_SEQ_CST);
}

bool gm_epoch_inside(void)
{
	const struct gm_epoch_record *rec;
	bool inside = unrecorded;

	pthread_mutex_lock(&epoch.lock);
	for (rec = epoch.records; rec && !inside; rec = rec->next)
		/* In this order: a section's owner is stored before it. */
		inside = __atomic_load_n(&rec->state, __ATOMIC_ACQUIRE) &
				 GM_EPOCH_DEPTH &&
			 __atomic_load_n(&rec->owner, __ATOMIC_RELAXED) ==
				 gm_epoch_owner();
	pthread_mutex_unlock(&epoch.lock);
	return inside;
}

/* A full barrier on all threads, or on this one if sections have their own. */
static int barrier(void)
{
	gm_epoch_fence();
	return gm_os_barrier_register() ? gm_os_barrier_all_threads() : 0;
}

/* The oldest epoch that a section is in; @now if there is no older one. */
static uint64_t oldest(uint64_t now)
{
	const struct gm_epoch_record *rec;
	uint64_t min = now;

	/* Nobody knows in which: older than all. */
	if (__atomic_load_n(&epoch.unrecorded, __ATOMIC_ACQUIRE))
		min -= UINT64_C(1) << 62;
	pthread_mutex_lock(&epoch.lock);
	for (rec = epoch.records; rec; rec = rec->next) {
		uint64_t state = __atomic_load_n(&rec->state, __ATOMIC_ACQUIRE);

		if (state & GM_EPOCH_DEPTH && (int64_t)(state - min) < 0)
			min = state;
	}
	pthread_mutex_unlock(&epoch.lock);
	return min >> DEPTH_BITS << DEPTH_BITS;
}

int gm_epoch_oldest(uint64_t *out)
{
	uint64_t now;
	int ret;

	/*
	 * Before the barrier: a section that began after it may have found what
	 * is taken away now, and its note may not be seen yet.
	 */
	now = __atomic_load_n(&epoch.now, __ATOMIC_ACQUIRE);
	ret = barrier();
	if (!ret)
		*out = oldest(now);
	return ret;
}

uint64_t gm_epoch_advance(void)
{
	return __atomic_add_fetch(&epoch.now, EPOCH_ONE, __ATOMIC_SEQ_CST) &
	       ~GM_EPOCH_DEPTH;
}

bool gm_epoch_passed(uint64_t number)
{
	uint64_t min;

	return !gm_epoch_oldest(&min) && (int64_t)(min - number) >= 0;
}

/* The more often it was in vain, the longer. */
static void pause_before(uint32_t look)
{
	struct timespec t = { .tv_nsec = SLEEP_MIN_NS };

	if (look < SPINS) {
		sched_yield();
		return;
	}
	look -= SPINS;
	t.tv_nsec = look < 6 ? SLEEP_MIN_NS << look : SLEEP_MAX_NS;
	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/*
 * One barrier: who comes after it finds the new only. It is no cancellation
 * point, since writers have locks.
 */
static int wait_for(uint64_t number)
{
	uint32_t look;
	uint64_t min;
	int ret, cancel;

	ret = gm_epoch_oldest(&min);
	if (ret)
		return gm_error_set(ret, GM_ERR_IO, 0, 0);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	for (look = 0; (int64_t)(min - number) < 0; look++) {
		pause_before(look);
		min = oldest(number);
	}
	pthread_setcancelstate(cancel, NULL);
	return 0;
}

int gm_epoch_wait(uint64_t *passed)
{
	uint64_t number;
	int ret;

	if (gm_epoch_inside())
		return gm_error_set(-EDEADLK, GM_ERR_DEADLOCK, 0, 0);
	number = gm_epoch_advance();
	ret = wait_for(number);
	if (!ret)
		*passed = number;
	return ret;
}

int gm_epoch_synchronize(void)
{
	uint64_t passed;

	return gm_epoch_wait(&passed);
}
