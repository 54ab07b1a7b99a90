/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * epoch.h: sections and those who wait for them. Threads of all kinds: many,
 * short-lived ones, such that end in a section, forked ones, and such for which
 * there is no memory.
 */
/* gm-test: windows */
#include <pthread.h>
#include <stdlib.h>
#include "kselftest_harness.h"
#include <guestmem/epoch.h>
#include "actor.h"
#include "expect.h"
#include "no_memory.h"
#include "refuse.h"
#include "system.h"

TEST(section_is_seen_by_its_own_thread)
{
	EXPECT_FALSE(gm_epoch_inside());
	gm_epoch_enter();
	EXPECT_TRUE(gm_epoch_inside());
	gm_epoch_enter();
	gm_epoch_exit();
	EXPECT_TRUE(gm_epoch_inside());
	gm_epoch_exit();
	EXPECT_FALSE(gm_epoch_inside());
	/* One too many changes nothing. */
	gm_epoch_exit();
	EXPECT_FALSE(gm_epoch_inside());
	gm_epoch_enter();
	EXPECT_TRUE(gm_epoch_inside());
	gm_epoch_exit();
	EXPECT_EQ(0, gm_epoch_synchronize());
}

TEST(nobody_waits_for_itself)
{
	gm_epoch_enter();
	gm_epoch_enter();
	gm_epoch_exit();
	EXPECT_FAIL(gm_epoch_synchronize(), EDEADLK, GM_ERR_DEADLOCK, 0, 0, 0,
		    0);
	gm_epoch_exit();
	EXPECT_EQ(0, gm_epoch_synchronize());
}

TEST(epoch_passes_when_older_sections_are_over)
{
	uint64_t before, inside;

	before = gm_epoch_advance();
	EXPECT_TRUE(gm_epoch_passed(before));
	gm_epoch_enter();
	EXPECT_TRUE(gm_epoch_passed(before));
	inside = gm_epoch_advance();
	EXPECT_LT(before, inside);
	EXPECT_FALSE(gm_epoch_passed(inside));
	/* An inner section is no new one. */
	gm_epoch_enter();
	EXPECT_FALSE(gm_epoch_passed(inside));
	gm_epoch_exit();
	EXPECT_FALSE(gm_epoch_passed(inside));
	gm_epoch_exit();
	EXPECT_TRUE(gm_epoch_passed(inside));
	/* A later section does not hold up what was before it. */
	gm_epoch_enter();
	EXPECT_TRUE(gm_epoch_passed(inside));
	gm_epoch_exit();
}

static void *section(void *arg)
{
	struct actor *a = arg;

	gm_epoch_enter();
	set_step(&a->done, 1);
	wait_step(&a->step, 2);
	gm_epoch_exit();
	set_step(&a->done, 2);
	wait_step(&a->step, 3);
	return NULL;
}

static void *synchronize(void *arg)
{
	struct actor *a = arg;

	a->result = gm_epoch_synchronize();
	set_step(&a->done, 1);
	return NULL;
}

TEST(writer_waits_as_long_as_needed)
{
	struct actor reader, writer;
	uint64_t before;

	ACTOR_START(&reader, section, NULL);
	wait_step(&reader.done, 1);
	gm_epoch_enter();
	gm_epoch_exit();
	before = __atomic_load_n(gm_epoch_self->now, __ATOMIC_ACQUIRE);
	ACTOR_START(&writer, synchronize, NULL);
	/* On a busy machine it may take its time to begin. */
	while (__atomic_load_n(gm_epoch_self->now, __ATOMIC_ACQUIRE) == before)
		sched_yield();
	sleep_ms(30);
	EXPECT_EQ(0, get_step(&writer.done));
	/* Others begin and end their sections, and don't wait. */
	gm_epoch_enter();
	set_step(&reader.step, 2);
	/* This section is younger than the writer. */
	wait_step(&writer.done, 1);
	gm_epoch_exit();
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	/* The reader sleeps, outside. That is nobody's matter. */
	EXPECT_EQ(0, gm_epoch_synchronize());
	set_step(&reader.step, 3);
	ACTOR_JOIN(&reader);
}

static void *end_inside(void *arg)
{
	(void)arg;
	gm_epoch_enter();
	gm_epoch_enter();
	return NULL;
}

TEST(thread_that_ends_in_a_section_leaves_it)
{
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, end_inside, NULL));
	ASSERT_EQ(0, pthread_join(t, NULL));
	EXPECT_EQ(0, gm_epoch_synchronize());
}

/* Sections in the destructors of a thread, after the library's own; more often
 * than a thread calls them. The thread sanitizer's thread ends before the last.
 */
#define LATE_ROUNDS (GM_TSAN ? 2 : 6)

static pthread_key_t late_key;

static void late(void *arg)
{
	uintptr_t left = (uintptr_t)arg;

	gm_epoch_enter();
	gm_epoch_exit();
	if (left > 1)
		pthread_setspecific(late_key, (void *)(left - 1));
}

static void *end_late(void *arg)
{
	(void)arg;
	gm_epoch_enter();
	gm_epoch_exit();
	pthread_setspecific(late_key, (void *)(uintptr_t)LATE_ROUNDS);
	return NULL;
}

TEST(section_while_a_thread_ends)
{
	pthread_t t;

	gm_epoch_synchronize();
	ASSERT_EQ(0, pthread_key_create(&late_key, late));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, pthread_create(&t, NULL, end_late, NULL));
		ASSERT_EQ(0, pthread_join(t, NULL));
		EXPECT_EQ(0, gm_epoch_synchronize());
	}
}

static void *short_life(void *arg)
{
	const uint64_t *const *where = arg;
	uint64_t seen;

	gm_epoch_enter();
	seen = *__atomic_load_n(where, __ATOMIC_ACQUIRE);
	gm_epoch_exit();
	return (void *)(uintptr_t)(seen == 7);
}

TEST(thousand_short_lived_threads)
{
	uint64_t *shared = malloc(sizeof(*shared));
	uint64_t good = 0;

	ASSERT_NE(NULL, shared);
	*shared = 7;
	for (int i = 0; i < 500; i++) {
		uint64_t *fresh = malloc(sizeof(*fresh)), *old = shared;
		pthread_t t[2];
		void *ret;

		ASSERT_NE(NULL, fresh);
		*fresh = 7;
		for (int k = 0; k < 2; k++)
			ASSERT_EQ(0, pthread_create(&t[k], NULL, short_life,
						    &shared));
		__atomic_store_n(&shared, fresh, __ATOMIC_RELEASE);
		ASSERT_OK(gm_epoch_synchronize());
		*old = 0;
		free(old);
		for (int k = 0; k < 2; k++) {
			ASSERT_EQ(0, pthread_join(t[k], &ret));
			good += ret != NULL;
		}
	}
	EXPECT_EQ(1000, good);
	free(shared);
}

TEST(child_has_its_own_sections_only)
{
	FORKS();
	struct actor reader;
	pid_t pid;

	ACTOR_START(&reader, section, NULL);
	wait_step(&reader.done, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* The reader's section is not in this process. */
		CHILD_OK(!gm_epoch_inside());
		CHILD_OK(!gm_epoch_synchronize());
		gm_epoch_enter();
		CHILD_OK(gm_epoch_synchronize() == -EDEADLK);
		gm_epoch_exit();
		CHILD_OK(!gm_epoch_synchronize());
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	set_step(&reader.step, 2);
	wait_step(&reader.done, 2);
	set_step(&reader.step, 3);
	ACTOR_JOIN(&reader);
}

TEST(fork_in_a_section)
{
	FORKS();
	uint64_t number;
	pid_t pid;

	gm_epoch_enter();
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_OK(gm_epoch_inside());
		number = gm_epoch_advance();
		CHILD_OK(!gm_epoch_passed(number));
		gm_epoch_exit();
		CHILD_OK(gm_epoch_passed(number));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(gm_epoch_inside());
	gm_epoch_exit();
}

static void *section_without_record(void *arg)
{
	struct actor *a = arg;

	gm_epoch_enter();
	gm_epoch_enter();
	a->result = gm_epoch_inside() && !gm_epoch_self;
	set_step(&a->done, 1);
	wait_step(&a->step, 2);
	gm_epoch_exit();
	set_step(&a->done, 2);
	wait_step(&a->step, 3);
	gm_epoch_exit();
	a->result += gm_epoch_inside();
	return NULL;
}

TEST(no_memory_for_a_record)
{
	STARVES_THREADS();
	FORKS();
	struct actor reader;
	uint64_t number;
	pid_t pid;

	no_memory_at_all(true);
	ACTOR_START(&reader, section_without_record, NULL);
	wait_step(&reader.done, 1);
	number = gm_epoch_advance();
	EXPECT_FALSE(gm_epoch_passed(number));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_OK(gm_epoch_passed(number));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	set_step(&reader.step, 2);
	wait_step(&reader.done, 2);
	EXPECT_FALSE(gm_epoch_passed(number));
	set_step(&reader.step, 3);
	ACTOR_JOIN(&reader);
	EXPECT_EQ(1, reader.result);
	EXPECT_TRUE(gm_epoch_passed(number));

	/* Memory comes in the middle. */
	gm_epoch_enter();
	EXPECT_EQ(NULL, gm_epoch_self);
	no_memory_at_all(false);
	gm_epoch_enter();
	EXPECT_NE(NULL, gm_epoch_self);
	gm_epoch_exit();
	EXPECT_TRUE(gm_epoch_inside());
	EXPECT_FAIL_KIND(gm_epoch_synchronize(), EDEADLK, GM_ERR_DEADLOCK);
	gm_epoch_exit();
	EXPECT_FALSE(gm_epoch_inside());
	EXPECT_EQ(0, gm_epoch_synchronize());
}

TEST(thread_without_a_record_that_ends_in_a_section_leaves_it)
{
	STARVES_THREADS();
	pthread_t t;

	no_memory_at_all(true);
	gm_epoch_enter();
	EXPECT_EQ(NULL, gm_epoch_self);
	gm_epoch_exit();
	ASSERT_EQ(0, pthread_create(&t, NULL, end_inside, NULL));
	ASSERT_EQ(0, pthread_join(t, NULL));
	EXPECT_TRUE(gm_epoch_passed(gm_epoch_advance()));
	EXPECT_EQ(0, gm_epoch_synchronize());
}

/* The linker brings the call here. */
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

static bool refuse_values;

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	return refuse_values ? ENOMEM : __real_pthread_setspecific(key, value);
}

/* Nobody would tell that the thread ends. */
TEST(no_value_for_a_destructor)
{
	STARVES_THREADS();
	struct actor reader, writer;

	refuse_values = true;
	gm_epoch_enter();
	EXPECT_EQ(NULL, gm_epoch_self);
	EXPECT_TRUE(gm_epoch_inside());
	EXPECT_FAIL_KIND(gm_epoch_synchronize(), EDEADLK, GM_ERR_DEADLOCK);
	gm_epoch_exit();
	EXPECT_FALSE(gm_epoch_inside());

	ACTOR_START(&reader, section, NULL);
	wait_step(&reader.done, 1);
	ACTOR_START(&writer, synchronize, NULL);
	sleep_ms(20);
	EXPECT_EQ(0, get_step(&writer.done));
	set_step(&reader.step, 2);
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	set_step(&reader.step, 3);
	ACTOR_JOIN(&reader);
}

TEST(without_membarrier)
{
	struct actor reader, writer;

	if (refuse_syscall(__NR_membarrier, ENOSYS))
		SKIP(return, "no seccomp filter to be had here");
	gm_epoch_enter();
	EXPECT_EQ(1, gm_epoch_self->fence);
	gm_epoch_enter();
	gm_epoch_exit();
	EXPECT_FAIL_KIND(gm_epoch_synchronize(), EDEADLK, GM_ERR_DEADLOCK);
	gm_epoch_exit();
	EXPECT_EQ(0, gm_epoch_synchronize());
	ACTOR_START(&reader, section, NULL);
	wait_step(&reader.done, 1);
	ACTOR_START(&writer, synchronize, NULL);
	sleep_ms(30);
	EXPECT_EQ(0, get_step(&writer.done));
	set_step(&reader.step, 2);
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	set_step(&reader.step, 3);
	ACTOR_JOIN(&reader);
}

TEST(membarrier_that_is_taken_away_is_told)
{
	uint64_t number;

	ASSERT_EQ(0, gm_epoch_synchronize());
	number = gm_epoch_advance();
	EXPECT_TRUE(gm_epoch_passed(number));
	gm_epoch_enter();
	if (gm_epoch_self->fence)
		SKIP(return, "no membarrier here");
	gm_epoch_exit();
	if (refuse_syscall(__NR_membarrier, EPERM))
		SKIP(return, "no seccomp filter to be had here");
	EXPECT_FAIL(gm_epoch_synchronize(), EPERM, GM_ERR_IO, 0, 0, 0, 0);
	EXPECT_FALSE(gm_epoch_passed(number));
}

TEST_HARNESS_MAIN
