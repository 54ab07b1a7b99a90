/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * test_fork_busy.c - a child that is forked while other threads are in the midst of
 * something: it does not have them, and waits for none of them.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <guestmem/epoch.h>
#include "kselftest_harness.h"
#include "actor.h"
#include "expect.h"

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

static struct stop at_key;

static void stop_here(struct stop *s)
{
	if (!__atomic_exchange_n(&s->armed, false, __ATOMIC_ACQ_REL))
		return;
	set_step(&s->arrived, 1);
	wait_step(&s->go, 1);
}

/* The linker brings the call here. */
int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));

int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	stop_here(&at_key);
	return __real_pthread_key_create(key, destructor);
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
