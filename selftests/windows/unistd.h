/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * unistd.h - for unit tests on Windows: what the compiler's own lacks.
 */
#ifndef SELFTESTS_WINDOWS_UNISTD_H
#define SELFTESTS_WINDOWS_UNISTD_H

#include_next <unistd.h>

#define _SC_PAGESIZE 30

static inline long sysconf(int name)
{
	return name == _SC_PAGESIZE ? 4096 : -1;
}

#endif /* SELFTESTS_WINDOWS_UNISTD_H */
