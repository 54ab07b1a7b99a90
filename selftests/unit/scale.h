/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * scale.h - how much work a test does: as much as fits in its time, however
 * slow the build it runs in.
 */
#ifndef SELFTESTS_UNIT_SCALE_H
#define SELFTESTS_UNIT_SCALE_H

#include <stdint.h>
#include <stdlib.h>
#include <guestmem/compiler.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* How many times slower than a plain build; GM_TEST_SCALE says otherwise. */
static inline uint64_t test_slowness(void)
{
	const char *env = getenv("GM_TEST_SCALE");
	uint64_t n = env ? strtoull(env, NULL, 0) : 0;

	if (n)
		return n;
	if (RUNNING_ON_VALGRIND)
		return 60;
	if (GM_TSAN)
		return 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__GCOV__)
	return 8;
#elif !defined(__OPTIMIZE__)
	return 4;
#else
	return 1;
#endif
}

/* @full iterations in a plain build, fewer in a slow one, at least 1. */
static inline uint64_t test_iterations(uint64_t full)
{
	uint64_t n = full / test_slowness();

	return n ? n : 1;
}

#endif /* SELFTESTS_UNIT_SCALE_H */
