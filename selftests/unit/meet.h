/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * meet.h - two threads that do something at the same instant, again and again.
 */
#ifndef SELFTESTS_UNIT_MEET_H
#define SELFTESTS_UNIT_MEET_H

#include <sched.h>
#include <stdint.h>
#include <time.h>

static inline int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Both go on from here as nearly at once as can be. */
static inline void meet(uint64_t *mine, const uint64_t *other, uint64_t step)
{
	uint64_t spins = 0;

	__atomic_store_n(mine, step, __ATOMIC_RELEASE);
	while (__atomic_load_n(other, __ATOMIC_ACQUIRE) < step)
		if (++spins % 1024 == 0)
			sched_yield();
}

static inline void delay(uint64_t n)
{
	while (n--)
		__asm__ volatile("" : : : "memory");
}

#endif /* SELFTESTS_UNIT_MEET_H */
