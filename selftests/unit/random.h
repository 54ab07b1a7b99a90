/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * random.h - numbers that look random and can be had again (splitmix64).
 */
#ifndef SELFTESTS_UNIT_RANDOM_H
#define SELFTESTS_UNIT_RANDOM_H

#include <stdint.h>

struct rnd {
	uint64_t state;
};

static inline uint64_t rnd_u64(struct rnd *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 to @n - 1; @n is small beside 2^64. */
static inline uint64_t rnd_below(struct rnd *r, uint64_t n)
{
	return rnd_u64(r) % n;
}

/* @lo to @hi, both included. */
static inline uint64_t rnd_between(struct rnd *r, uint64_t lo, uint64_t hi)
{
	return lo + rnd_below(r, hi - lo + 1);
}

#endif /* SELFTESTS_UNIT_RANDOM_H */
