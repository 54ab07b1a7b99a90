/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_map_index.c - a map finds exactly what a search through all its regions
 * finds, however the regions lie.
 */
/* gm-test: windows */
#include <stdlib.h>
#include <string.h>
#include <guestmem/map.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "random.h"
#include "scale.h"

#define MAX 65536

/* Nothing is ever accessed: only where the regions lie counts. */
static const struct gm_region_ops ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = gm_region_exit,
};

static struct gm_region storage[MAX];
static struct gm_region *regions[MAX];

/* Append a region; false if it would pass the end of the address space. */
static bool append(size_t *n, uint64_t base, uint64_t len)
{
	if (!len || len - 1 > UINT64_MAX - base ||
	    gm_region_init(&storage[*n], gm_gpa(base), len, NULL, NULL, &ops))
		return false;
	regions[*n] = &storage[*n];
	(*n)++;
	return true;
}

static struct gm_region *search(size_t n, uint64_t gpa)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (gpa - storage[i].ext.base < storage[i].ext.len)
			return regions[i];
	return NULL;
}

static void expect_found(struct __test_metadata *_metadata,
			 const struct gm_map *m, uint64_t gpa,
			 struct gm_region *want)
{
	struct gm_region *got = gm_map_find(m, gm_gpa(gpa));

	EXPECT_EQ(want, got)
		TH_LOG("gpa %llx, %u regions, granules of 2^%u",
		       (unsigned long long)gpa, m->count, m->shift);
	EXPECT_EQ(want != NULL, gm_map_contains(m, gm_gpa(gpa)));
}

/* All edges, and random addresses near and far; then everything is dropped. */
static void check_map(struct __test_metadata *_metadata, size_t n,
		      struct rnd *rnd)
{
	uint64_t probes = test_iterations(100000) / n + 20;
	struct gm_map *m = NULL;
	size_t i, step;

	ASSERT_OK(gm_map_new(regions, n, &m));
	step = n > 1000 && test_slowness() > 1 ? 61 : 1;
	for (i = 0; i < n; i += step) {
		const struct gm_extent *e = &storage[i].ext;
		uint64_t last = e->base + (e->len - 1);

		expect_found(_metadata, m, e->base, regions[i]);
		expect_found(_metadata, m, last, regions[i]);
		expect_found(_metadata, m, e->base + e->len / 2, regions[i]);
		/* Between neighbours there is a hole, or nothing. */
		if (i && storage[i - 1].ext.base + storage[i - 1].ext.len <
				 e->base)
			expect_found(_metadata, m, e->base - 1, NULL);
		if (i + 1 < n && last + 1 < storage[i + 1].ext.base)
			expect_found(_metadata, m, last + 1, NULL);
	}
	/* Before the first and after the last, where it wraps. */
	expect_found(_metadata, m, storage[0].ext.base - 1,
		     search(n, storage[0].ext.base - 1));
	expect_found(_metadata, m, gm_gpa_raw(gm_map_last(m)) + 1,
		     search(n, gm_gpa_raw(gm_map_last(m)) + 1));
	while (probes--) {
		uint64_t gpa = rnd_u64(rnd) >> rnd_below(rnd, 64);

		if (probes & 1)
			gpa += storage[rnd_below(rnd, n)].ext.base;
		expect_found(_metadata, m, gpa, search(n, gpa));
	}
	EXPECT_EQ(storage[n - 1].ext.base + (storage[n - 1].ext.len - 1),
		  gm_gpa_raw(gm_map_last(m)));
	gm_map_put(m);
	for (i = 0; i < n; i++)
		gm_region_put(regions[i]);
}

TEST(one_region)
{
	static const struct {
		uint64_t base, len;
	} c[] = {
		{ 0, 1 }, { 0, 4096 }, { 4096, 4096 }, { 3, 5 },
		{ 0, UINT64_MAX }, { 1, UINT64_MAX }, { UINT64_MAX, 1 },
		{ -4096ull, 4096 }, { 1ull << 63, 1ull << 63 },
		{ (1ull << 63) - 1, 2 }, { 0, 1ull << 63 },
	};
	struct rnd rnd = { 1 };
	size_t i, n;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		n = 0;
		ASSERT_TRUE(append(&n, c[i].base, c[i].len));
		check_map(_metadata, n, &rnd);
	}
}

TEST(two_regions_as_far_apart_as_can_be)
{
	struct rnd rnd = { 2 };
	size_t n = 0;

	append(&n, 0, 4096);
	append(&n, -4096ull, 4096);
	check_map(_metadata, n, &rnd);
	n = 0;
	append(&n, 0, 1);
	append(&n, UINT64_MAX, 1);
	check_map(_metadata, n, &rnd);
	n = 0;
	append(&n, 0, UINT64_MAX);
	append(&n, UINT64_MAX, 1);
	check_map(_metadata, n, &rnd);
}

TEST(a_usual_guest)
{
	struct rnd rnd = { 3 };
	size_t n = 0;

	append(&n, 0, 0xa0000);
	append(&n, 0xc0000, 0x20000);
	append(&n, 0x100000, 0xbff00000);
	append(&n, 0xfffc0000, 0x40000);
	append(&n, 0x100000000ull, 0x7c0000000ull);
	append(&n, 0x8000000000ull, 0x1000000000ull);
	check_map(_metadata, n, &rnd);
}

/* Hot-plugged memory: many regions of one size. */
TEST(many_regions_of_one_size)
{
	static const size_t counts[] = { 8, 1000, MAX };
	struct rnd rnd = { 4 };
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = 0;
		while (n < counts[i])
			append(&n, 0x100000000ull + n * 0x8000000, 0x8000000);
		check_map(_metadata, n, &rnd);
		n = 0;
		/* Each second one is plugged. */
		while (n < counts[i])
			append(&n, n * 0x2000, 0x1000);
		check_map(_metadata, n, &rnd);
	}
}

/* Most regions in one granule, since another is far away. */
TEST(crowded_granule)
{
	static const size_t counts[] = { 8, 1000, MAX };
	struct rnd rnd = { 5 };
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = 0;
		while (n < counts[i] - 1)
			append(&n, n * 32 + rnd_below(&rnd, 8),
			       rnd_between(&rnd, 1, 24));
		append(&n, -4096ull, 4096);
		check_map(_metadata, n, &rnd);
		/* And at the other end. */
		n = 0;
		append(&n, 0, 4096);
		while (n < counts[i])
			append(&n, UINT64_MAX - (counts[i] - n) * 16 + 1,
			       rnd_between(&rnd, 1, 16));
		check_map(_metadata, n, &rnd);
	}
}

TEST(adjacent_bytes)
{
	struct rnd rnd = { 6 };
	size_t n = 0;

	while (n < 1000)
		append(&n, UINT64_MAX - 999 + n, 1);
	check_map(_metadata, n, &rnd);
}

/* Lengths and holes over all magnitudes. */
TEST(random_maps)
{
	uint64_t rounds = test_iterations(1500);
	struct rnd rnd = { 7 };

	while (rounds--) {
		size_t n = 0, want = rnd_between(&rnd, 1, 40);
		uint64_t max = rnd_between(&rnd, 1, 60);
		uint64_t at = rnd_below(&rnd, 2) ?
				      0 : rnd_u64(&rnd) >> rnd_below(&rnd, 64);

		while (n < want) {
			uint64_t hole = rnd_below(&rnd, 2) ? 0 :
				rnd_u64(&rnd) >> (64 - rnd_below(&rnd, max) - 1);
			uint64_t len = (rnd_u64(&rnd) >>
					(64 - rnd_below(&rnd, max) - 1)) + 1;

			if (__builtin_add_overflow(at, hole, &at) ||
			    !append(&n, at, len) ||
			    __builtin_add_overflow(at, len, &at))
				break;
		}
		if (n)
			check_map(_metadata, n, &rnd);
	}
}

TEST_HARNESS_MAIN
