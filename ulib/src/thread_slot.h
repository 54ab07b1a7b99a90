/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * thread_slot.h - a small number for each thread.
 */
#ifndef GM_THREAD_SLOT_H
#define GM_THREAD_SLOT_H

#include "internal.h"

#define GM_THREAD_SLOTS 64

/* Bytes from the line of one number to that of the next. */
#define GM_THREAD_SLOT_BYTES 64

extern __thread uint64_t gm_thread_slot_own
	__attribute__((__tls_model__("initial-exec")));

uint64_t gm_thread_slot_take(void);

/*
 * This thread's number, 1 to 63, or 0 if there are more threads than that; times
 * GM_THREAD_SLOT_BYTES, as it is wanted.
 */
static inline uint64_t gm_thread_slot(void)
{
	uint64_t slot = gm_thread_slot_own;

	return gm_likely(slot) ? slot : gm_thread_slot_take();
}

#endif /* GM_THREAD_SLOT_H */
