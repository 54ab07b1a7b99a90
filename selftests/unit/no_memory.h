/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * no_memory.h - let allocations fail: of the library, which is linked to this.
 */
#ifndef SELFTESTS_UNIT_NO_MEMORY_H
#define SELFTESTS_UNIT_NO_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Only the @nth allocation from now on fails, in whatever thread; 0: none. */
void no_memory_for(uint64_t nth);

/* All allocations fail from now on, or none. */
void no_memory_at_all(bool none);

/* How many have failed since one of the above. */
uint64_t no_memory_failed(void);

#endif /* SELFTESTS_UNIT_NO_MEMORY_H */
