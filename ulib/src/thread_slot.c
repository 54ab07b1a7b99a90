/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * thread_slot.c - a small number for each thread, its own while it runs, so
 * that it can count in a cache line of its own.
 */
#include <pthread.h>

#include "thread_slot.h"

__thread uint64_t gm_thread_slot_own
	__attribute__((__tls_model__("initial-exec")));

/* Bit n: slot n is taken. Slot 0 is for all who came too late. */
static uint64_t taken = 1;
static pthread_key_t key;
static bool have_key;

static void give_back(void *slot)
{
	gm_thread_slot_own = 0;
	__atomic_fetch_and(&taken, ~(UINT64_C(1) << (uintptr_t)slot),
			   __ATOMIC_RELEASE);
}

gm_at_load static void make_key(void)
{
	have_key = !pthread_key_create(&key, give_back);
}

uint64_t gm_thread_slot_take(void)
{
	uint64_t old = __atomic_load_n(&taken, __ATOMIC_RELAXED), bit;
	uint32_t slot;

	if (!have_key)
		return 0;
	do {
		if (!~old)
			return 0;
		bit = ~old & (old + 1);
	} while (!__atomic_compare_exchange_n(&taken, &old, old | bit, true,
					      __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	slot = (uint32_t)__builtin_ctzll(bit);
	if (pthread_setspecific(key, (void *)(uintptr_t)slot)) {
		give_back((void *)(uintptr_t)slot);
		return 0;
	}
	gm_thread_slot_own = slot * (uint64_t)GM_THREAD_SLOT_BYTES;
	return gm_thread_slot_own;
}
