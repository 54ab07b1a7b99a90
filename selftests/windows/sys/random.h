/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * sys/random.h - for unit tests on Windows.
 */
#ifndef SELFTESTS_WINDOWS_SYS_RANDOM_H
#define SELFTESTS_WINDOWS_SYS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* @flags: 0 */
int64_t getrandom(void *p, size_t n, unsigned int flags);

#endif /* SELFTESTS_WINDOWS_SYS_RANDOM_H */
