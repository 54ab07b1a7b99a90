/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * system.h - which system the library was built for (OS= of make). Tests of what only
 * Linux has are skipped for others; Documentation/platforms.rst says what that is.
 */
#ifndef SELFTESTS_UNIT_SYSTEM_H
#define SELFTESTS_UNIT_SYSTEM_H

#ifndef GM_TEST_LINUX
#define GM_TEST_LINUX 1
#endif

#ifdef _WIN32
#define GM_TEST_WINDOWS 1
#else
#define GM_TEST_WINDOWS 0
#endif

/* The first line of a test. */
#define LINUX_ONLY() do { \
	if (!GM_TEST_LINUX) \
		SKIP(return, "Linux only"); \
} while (0)

/* Of one that forks. */
#define FORKS() do { \
	if (GM_TEST_WINDOWS) \
		SKIP(return, "no fork() on Windows"); \
} while (0)

/* Of one that leaves threads without memory, or without keys. */
#define STARVES_THREADS() do { \
	if (GM_TEST_WINDOWS) \
		SKIP(return, "variables of threads need memory and a key"); \
} while (0)

#endif /* SELFTESTS_UNIT_SYSTEM_H */
