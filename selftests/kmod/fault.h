/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fault.h - accesses that may end in a signal. fault_catch() once, first.
 */
#ifndef SELFTESTS_KMOD_FAULT_H
#define SELFTESTS_KMOD_FAULT_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

static sigjmp_buf fault_return;

static void fault_handler(int signal)
{
	siglongjmp(fault_return, signal);
}

static inline void fault_catch(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = fault_handler;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* The signal that reading a byte ends in, or 0. */
static inline int touch(const volatile uint8_t *p)
{
	int signal = sigsetjmp(fault_return, 1);

	if (!signal)
		(void)*p;
	return signal;
}

#endif /* SELFTESTS_KMOD_FAULT_H */
