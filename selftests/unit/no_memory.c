/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* no_memory.c - see no_memory.h. The linker brings these calls here. */

#include <stdlib.h>
#include "no_memory.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__real__aligned_malloc(size_t size, size_t align);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap__aligned_malloc(size_t size, size_t align);

static uint64_t countdown;	/* 0: none fails; atomic, as all here */
static bool always;
static uint64_t failed;

void no_memory_for(uint64_t nth)
{
	__atomic_store_n(&always, false, __ATOMIC_RELAXED);
	__atomic_store_n(&failed, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&countdown, nth, __ATOMIC_RELAXED);
}

void no_memory_at_all(bool none)
{
	no_memory_for(0);
	__atomic_store_n(&always, none, __ATOMIC_RELAXED);
}

uint64_t no_memory_failed(void)
{
	return __atomic_load_n(&failed, __ATOMIC_RELAXED);
}

static bool fails(void)
{
	uint64_t n = __atomic_load_n(&countdown, __ATOMIC_RELAXED);
	bool now = __atomic_load_n(&always, __ATOMIC_RELAXED);

	while (n && !__atomic_compare_exchange_n(&countdown, &n, n - 1, false,
						 __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
		;
	now = now || n == 1;
	if (now)
		__atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED);
	return now;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

#ifdef _WIN32
void *__wrap__aligned_malloc(size_t size, size_t align)
{
	return fails() ? NULL : __real__aligned_malloc(size, align);
}
#else
void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(align, size);
}
#endif
