/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * test_fork_busy.c - a child that is forked while other threads are in the midst of
 * something: it does not have them, and waits for none of them.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/fault.h>
#include <guestmem/hold.h>
#include <guestmem/mmap.h>
#include <guestmem/space.h>
#include "kselftest_harness.h"
#include "actor.h"
#include "expect.h"
#include "scale.h"
#include "system.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

/* Seconds after which a child hangs. */
#define HANGS 20

/**
 * struct stop - a call of the library's at which a thread is stopped
 * @armed: the next one
 * @arrived: it is there, or it came through without that call
 * @go: it may go on
 */
struct stop {
	bool armed;
	uint32_t arrived;
	uint32_t go;
};

static struct stop at_madvise, at_sigaction, at_key;

/* Was it stopped? */
static bool stop_here(struct stop *s)
{
	if (!__atomic_exchange_n(&s->armed, false, __ATOMIC_ACQ_REL))
		return false;
	set_step(&s->arrived, 1);
	wait_step(&s->go, 1);
	return true;
}

/* The linker brings these calls here. */
int __real_madvise(void *addr, size_t len, int advice);
int __real_sigaction(int sig, const struct sigaction *act, struct sigaction *old);
int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_madvise(void *addr, size_t len, int advice);
int __wrap_sigaction(int sig, const struct sigaction *act, struct sigaction *old);
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));

int __wrap_madvise(void *addr, size_t len, int advice)
{
	if (advice == MADV_DONTNEED)
		stop_here(&at_madvise);
	return __real_madvise(addr, len, advice);
}

int __wrap_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	/* A fork that does not wait for it comes before its end. */
	if (stop_here(&at_sigaction))
		sleep_ms(100);
	return __real_sigaction(sig, act, old);
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	stop_here(&at_key);
	return __real_pthread_key_create(key, destructor);
}

static void *discard(void *arg)
{
	struct actor *a = arg;

	a->result = gm_region_discard(a->ctx, gm_roff(2 * PAGE), PAGE);
	return NULL;
}

static void *hold(void *arg)
{
	struct actor *a = arg;
	struct gm_hold *h;

	set_step(&a->done, 1);
	a->result = gm_region_hold(a->ctx, gm_roff(PAGE), PAGE, GM_HOLD_DISCARD,
				   "actor", &h);
	if (!a->result)
		gm_hold_end(h);
	return NULL;
}

static void change_in_child(struct gm_space *s, struct gm_region *r,
			    struct gm_hold *h)
{
	struct gm_hold *own;

	CHILD_OK(gm_space_remove(s, gm_gpa(0), 4 * PAGE, GM_RELEASE_WAIT, NULL) ==
		 -EBUSY);
	gm_hold_end(h);
	CHILD_OK(!gm_region_hold(r, gm_roff(0), PAGE, GM_HOLD_DISCARD, "child",
				 &own));
	CHILD_OK(gm_region_discard(r, gm_roff(0), 4 * PAGE) == -EBUSY);
	gm_hold_end(own);
	CHILD_OK(!gm_region_discard(r, gm_roff(0), 4 * PAGE));
	CHILD_OK(!gm_space_remove(s, gm_gpa(0), 4 * PAGE, GM_RELEASE_WAIT, NULL));
}

/* The parent does not wait for the discard, too. */
TEST(while_memory_is_discarded)
{
	LINUX_ONLY();
	struct actor discarder, holder;
	struct gm_region *r;
	struct gm_space *s;
	struct gm_hold *h;
	struct gm_map *m;
	pid_t pid;

	if (RUNNING_ON_VALGRIND)
		SKIP(return, "what a thread was just making leaks in a child");
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, NULL, &r));
	ASSERT_OK(gm_map_new(&r, 1, &m));
	ASSERT_OK(gm_space_new(m, &s));
	gm_map_put(m);
	ASSERT_OK(gm_region_hold(r, gm_roff(0), PAGE,
				 GM_HOLD_DISCARD | GM_HOLD_REMOVE, "device", &h));
	at_madvise.armed = true;
	ACTOR_START(&discarder, discard, r);
	wait_step(&at_madvise.arrived, 1);
	ACTOR_START(&holder, hold, r);
	wait_step(&holder.done, 1);
	/* By now it waits for the discard, or soon. */
	sleep_ms(20);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		alarm(HANGS);
		change_in_child(s, r, h);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	set_step(&at_madvise.go, 1);
	ACTOR_JOIN(&discarder);
	ACTOR_JOIN(&holder);
	EXPECT_EQ(0, discarder.result);
	EXPECT_EQ(0, holder.result);
	EXPECT_EQ(-EBUSY, gm_region_discard(r, gm_roff(0), PAGE));
	gm_hold_end(h);
	EXPECT_EQ(0, gm_region_discard(r, gm_roff(0), 4 * PAGE));
	gm_space_put(s);
	gm_region_put(r);
}

/* It goes on when the fork has begun, which waits for it. */
static void let_go(void)
{
	set_step(&at_sigaction.go, 1);
}

static void *enable(void *arg)
{
	struct actor *a = arg;

	a->result = gm_fault_enable();
	wait_step(&a->step, 1);
	return NULL;
}

TEST(while_faults_are_enabled)
{
	LINUX_ONLY();
	struct gm_region *r;
	struct actor a;
	pid_t pid;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, NULL, &r));
	ASSERT_EQ(0, pthread_atfork(let_go, NULL, NULL));
	at_sigaction.armed = true;
	ACTOR_START(&a, enable, NULL);
	wait_step(&at_sigaction.arrived, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		alarm(HANGS);
		CHILD_OK(!gm_fault_enable());
		CHILD_OK(!gm_region_watch(r));
		gm_region_put(r);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	set_step(&a.step, 1);
	ACTOR_JOIN(&a);
	EXPECT_EQ(0, a.result);
	EXPECT_EQ(0, gm_region_watch(r));
	gm_region_put(r);
}

static void *first_section(void *arg)
{
	(void)arg;
	gm_epoch_enter();
	gm_epoch_exit();
	set_step(&at_key.arrived, 1);
	wait_step(&at_key.go, 1);
	return NULL;
}

/* What the process needs for sections is there before anybody has one. */
TEST(while_a_thread_has_the_first_section)
{
	struct actor a;
	pid_t pid;

	at_key.armed = true;
	ACTOR_START(&a, first_section, NULL);
	wait_step(&at_key.arrived, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		alarm(HANGS);
		gm_epoch_enter();
		gm_epoch_exit();
		CHILD_OK(!gm_epoch_synchronize());
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	set_step(&at_key.go, 1);
	ACTOR_JOIN(&a);
}

TEST_HARNESS_MAIN
