/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pages.h - the system's pages, which have 4, 16 or 64 KiB.
 */
#ifndef SELFTESTS_UNIT_PAGES_H
#define SELFTESTS_UNIT_PAGES_H

#include <stdint.h>
#include <unistd.h>

/* A multiple of each of them, where a constant is wanted. */
#define ANY_PAGE 65536u

static inline uint64_t system_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

#endif /* SELFTESTS_UNIT_PAGES_H */
