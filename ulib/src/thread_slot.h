/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * thread_slot.h - a small number for each thread.
 */
#ifndef GM_THREAD_SLOT_H
#define GM_THREAD_SLOT_H

#include "internal.h"

#define GM_THREAD_SLOTS 64

extern __thread uint32_t gm_thread_slot_own
	__attribute__((__tls_model__("initial-exec")));

uint32_t gm_thread_slot_take(void);

/* This thread's number, 1 to 63; 0 if there are more threads than that. */
static inline uint32_t gm_thread_slot(void)
{
	uint32_t slot = gm_thread_slot_own;

	return gm_likely(slot) ? slot : gm_thread_slot_take();
}

#endif /* GM_THREAD_SLOT_H */
