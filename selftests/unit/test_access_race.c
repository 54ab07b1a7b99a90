/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * test_access_race.c - an aligned object in guest memory is never seen half
 * written, whatever the alignment of the local buffer.
 */
/* gm-test: windows */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"
#include "scale.h"

/* Enough changes seen to have met a torn one; or as many looks as fit. */
#define CHANGES 20000
#define LOOKS 4000000
/* So many times that, if the other thread did not run meanwhile. */
#define PATIENCE 100

struct race {
	uint64_t cells[8] __attribute__((aligned(64)));
	struct own_region own;
	struct gm_map *m;
	uint64_t looks;
	size_t size;
	bool constant;		/* sizes the compiler knows */
	bool done;
	uint64_t torn;
	uint64_t seen[2];
	uint64_t changes;
	uint64_t last;
};

static const uint64_t patterns[2] = {
	0, UINT64_C(0xffffffffffffffff),
};

/* Each time with the other pattern in place: on one CPU it is what is seen. */
static void give_way(uint64_t i)
{
	if (i % 1023 == 0)
		sched_yield();
}

/* A call whose size is a constant is other code than one whose size isn't. */
static void guest_write(struct race *r, struct gm_view *v, const void *buf)
{
	if (!r->constant)
		gm_view_write(v, gm_gpa(0), buf, r->size);
	else if (r->size == 2)
		gm_view_write(v, gm_gpa(0), buf, 2);
	else if (r->size == 4)
		gm_view_write(v, gm_gpa(0), buf, 4);
	else
		gm_view_write(v, gm_gpa(0), buf, 8);
}

static void guest_read(struct race *r, struct gm_view *v, void *buf)
{
	if (!r->constant)
		gm_view_read(v, gm_gpa(0), buf, r->size);
	else if (r->size == 2)
		gm_view_read(v, gm_gpa(0), buf, 2);
	else if (r->size == 4)
		gm_view_read(v, gm_gpa(0), buf, 4);
	else
		gm_view_read(v, gm_gpa(0), buf, 8);
}

static bool go_on(struct race *r, uint64_t i)
{
	if (!r->seen[0] || !r->seen[1])
		return i < r->looks * PATIENCE;
	return i < r->looks && r->changes < CHANGES;
}

static void look(struct race *r, uint64_t v)
{
	uint64_t mask = r->size == 8 ? UINT64_MAX :
				       (UINT64_C(1) << (8 * r->size)) - 1;

	r->changes += v != r->last;
	r->last = v;
	if (v == (patterns[0] & mask))
		r->seen[0]++;
	else if (v == (patterns[1] & mask))
		r->seen[1]++;
	else
		r->torn++;
}

/* The guest's side of each test: whole stores, whole loads. */
static void *guest_stores(void *arg)
{
	struct race *r = arg;
	uint64_t i;

	for (i = 0; !__atomic_load_n(&r->done, __ATOMIC_ACQUIRE); i++) {
		gm_mem_store(r->cells, &patterns[i & 1], r->size, GM_RELAXED);
		give_way(i);
	}
	return NULL;
}

static void *guest_loads(void *arg)
{
	struct race *r = arg;
	uint64_t i, v;

	for (i = 0; go_on(r, i); i++) {
		v = 0;
		gm_mem_load(&v, r->cells, r->size, GM_RELAXED);
		look(r, v);
		give_way(i);
	}
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

FIXTURE(race) {
	struct race r;
};

FIXTURE_VARIANT(race) {
	size_t size;
	bool constant;
};

FIXTURE_VARIANT_ADD(race, u16) { .size = 2 };
FIXTURE_VARIANT_ADD(race, u32) { .size = 4 };
FIXTURE_VARIANT_ADD(race, u64) { .size = 8 };
FIXTURE_VARIANT_ADD(race, const16) { .size = 2, .constant = true };
FIXTURE_VARIANT_ADD(race, const32) { .size = 4, .constant = true };
FIXTURE_VARIANT_ADD(race, const64) { .size = 8, .constant = true };

FIXTURE_SETUP(race)
{
	struct gm_region *region = &self->r.own.r;

	memset(&self->r, 0, sizeof(self->r));
	self->r.size = variant->size;
	self->r.constant = variant->constant;
	self->r.looks = test_iterations(LOOKS);
	ASSERT_OK(own_region_init_direct(&self->r.own, 0, 64, self->r.cells,
					 NULL));
	ASSERT_OK(gm_map_new(&region, 1, &self->r.m));
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_EQ(0, self->r.torn);
	/* Else the two have never met, and nothing was shown. */
	EXPECT_GT(self->r.seen[0], 0);
	EXPECT_GT(self->r.seen[1], 0);
	gm_map_put(self->r.m);
	gm_region_put(&self->r.own.r);
}

/* Design, section 5, number 1. */
TEST_F(race, view_write_from_misaligned_buffer_never_tears)
{
	uint8_t buf[64] __attribute__((aligned(64)));
	struct race *r = &self->r;
	struct gm_view v;
	pthread_t thread;
	uint64_t i;

	gm_view_init(&v, r->m);
	ASSERT_EQ(0, pthread_create(&thread, NULL, guest_loads, r));
	for (i = 0; !__atomic_load_n(&r->done, __ATOMIC_ACQUIRE); i++) {
		uint8_t *misaligned = buf + 1 + i % 7;

		memcpy(misaligned, &patterns[i & 1], r->size);
		guest_write(r, &v, misaligned);
		give_way(i);
	}
	pthread_join(thread, NULL);
}

TEST_F(race, view_read_into_misaligned_buffer_never_tears)
{
	uint8_t buf[64] __attribute__((aligned(64)));
	struct race *r = &self->r;
	struct gm_view v;
	pthread_t thread;
	uint64_t i, x;

	gm_view_init(&v, r->m);
	ASSERT_EQ(0, pthread_create(&thread, NULL, guest_stores, r));
	for (i = 0; go_on(r, i); i++) {
		uint8_t *misaligned = buf + 1 + i % 7;

		guest_read(r, &v, misaligned);
		x = 0;
		memcpy(&x, misaligned, r->size);
		look(r, x);
		give_way(i);
	}
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
