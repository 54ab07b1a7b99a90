/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * sys/wait.h - for unit tests on Windows, where nobody forks: tests that do are skipped,
 * but compiled.
 */
#ifndef SELFTESTS_WINDOWS_SYS_WAIT_H
#define SELFTESTS_WINDOWS_SYS_WAIT_H

#include <sys/types.h>

#define WIFEXITED(status) false
#define WEXITSTATUS(status) (-1)

static inline pid_t fork(void)
{
	return -1;
}

static inline pid_t waitpid(pid_t pid, int *status, int options)
{
	(void)pid;
	(void)status;
	(void)options;
	return -1;
}

#endif /* SELFTESTS_WINDOWS_SYS_WAIT_H */
