/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * actor.h - a thread that does one step when it is told, and says so.
 */
#ifndef SELFTESTS_UNIT_ACTOR_H
#define SELFTESTS_UNIT_ACTOR_H

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/**
 * struct actor - the thread and what it is told
 * @thread: the thread
 * @step: it is told, by the test
 * @done: it has done, by the thread
 * @result: what came of it
 * @ctx: what it works on
 */
struct actor {
	pthread_t thread;
	uint32_t step;
	uint32_t done;
	int64_t result;
	void *ctx;
};

static inline void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static inline uint32_t get_step(const uint32_t *what)
{
	return __atomic_load_n(what, __ATOMIC_ACQUIRE);
}

static inline void set_step(uint32_t *what, uint32_t value)
{
	__atomic_store_n(what, value, __ATOMIC_RELEASE);
}

static inline void wait_step(const uint32_t *what, uint32_t value)
{
	while (get_step(what) < value)
		sleep_ms(1);
}

#define ACTOR_START(actor, fn, context) do { \
	memset(actor, 0, sizeof(*(actor))); \
	(actor)->ctx = (context); \
	ASSERT_EQ(0, pthread_create(&(actor)->thread, NULL, fn, actor)); \
} while (0)

#define ACTOR_JOIN(actor) ASSERT_EQ(0, pthread_join((actor)->thread, NULL))

/* In a forked child: its exit status says which condition did not hold. */
#define CHILD_OK(cond) do { if (!(cond)) _exit(__LINE__ % 250 + 1); } while (0)

static inline int child_status(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
		       WEXITSTATUS(status) : -1;
}

#endif /* SELFTESTS_UNIT_ACTOR_H */
