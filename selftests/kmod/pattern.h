/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pattern.h - bytes that differ by seed and by place, so that nothing that was
 * moved wrongly looks right.
 */
#ifndef SELFTESTS_KMOD_PATTERN_H
#define SELFTESTS_KMOD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint8_t pattern_byte(uint32_t seed, size_t i)
{
	uint32_t x = (seed + 1) * 2654435761U ^ (uint32_t)i * 2246822519U;

	x ^= x >> 15;
	x *= 3266489917U;
	return x >> 24;
}

static inline void pattern_fill(void *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = pattern_byte(seed, i);
}

static inline bool pattern_is(const void *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		if (((const uint8_t *)p)[i] != pattern_byte(seed, i))
			return false;
	return true;
}

#endif /* SELFTESTS_KMOD_PATTERN_H */
