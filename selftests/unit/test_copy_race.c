/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * copy.h and slice.h under a second thread: an aligned guest object of 2, 4 or
 * 8 bytes is never seen half written, whatever the alignment of the local
 * buffer. One side goes through the library, the other is plain atomics, as a
 * guest would do. The objects are all zeros or all ones: any mixture is a tear.
 */
/* gm-test: windows */
#include <pthread.h>
#include "kselftest_harness.h"
#include <guestmem/io.h>
#include <guestmem/ref.h>
#include "scale.h"

#define ROUNDS UINT64_C(150000)
#define ELEMS 16

struct race {
	_Alignas(64) uint8_t guest[8 * ELEMS];
	struct gm_slice slice;
	uint64_t size;
	bool stop;
};

typedef void (*move_fn)(struct race *r, uint8_t *local, uint64_t size);

static bool is_torn(uint64_t v, uint64_t size)
{
	return v != 0 && v != UINT64_MAX >> (64 - 8 * size);
}

static uint64_t guest_load(const uint8_t *p, uint64_t size)
{
	switch (size) {
	case 2:
		return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
	case 4:
		return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
	}
}

/* The same of a local buffer, at any address. */
static uint64_t local_load(const uint8_t *p, uint64_t size)
{
	_Alignas(8) uint8_t object[8];

	memcpy(object, p, size);
	return guest_load(object, size);
}

static void guest_store(uint8_t *p, uint64_t v, uint64_t size)
{
	switch (size) {
	case 2:
		__atomic_store_n((uint16_t *)p, (uint16_t)v, __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((uint32_t *)p, (uint32_t)v, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)p, v, __ATOMIC_RELAXED);
	}
}

static void *guest_reader(void *arg)
{
	struct race *r = arg;
	uint64_t torn = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED))
		for (size_t i = 0; i < ELEMS; i++)
			torn += is_torn(guest_load(r->guest + i * r->size, r->size),
					r->size);
	return (void *)(uintptr_t)torn;
}

static void *guest_writer(void *arg)
{
	struct race *r = arg;
	uint64_t v = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		v = ~v;
		for (size_t i = 0; i < ELEMS; i++)
			guest_store(r->guest + i * r->size, v, r->size);
	}
	return NULL;
}

/* Torn objects that the guest saw while @move wrote from a misaligned buffer. */
static int64_t torn_writes(uint64_t size, move_fn move)
{
	_Alignas(8) uint8_t local[8 * ELEMS + 8];
	struct race r = { .size = size };
	uint64_t rounds = test_iterations(ROUNDS);
	pthread_t t;
	void *torn;

	r.slice = gm_slice_new(r.guest, size * ELEMS);
	if (pthread_create(&t, NULL, guest_reader, &r))
		return -1;
	for (uint64_t i = 0; i < rounds; i++) {
		memset(local, i & 1 ? 0xff : 0, sizeof(local));
		move(&r, local + 1 + i % 7, size);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	if (pthread_join(t, &torn))
		return -1;
	return (int64_t)(uintptr_t)torn;
}

/* Torn objects that @move read into a misaligned buffer while the guest wrote. */
static int64_t torn_reads(uint64_t size, move_fn move, size_t elems)
{
	_Alignas(8) uint8_t local[8 * ELEMS + 8];
	struct race r = { .size = size };
	uint64_t rounds = test_iterations(ROUNDS);
	int64_t torn = 0;
	pthread_t t;

	r.slice = gm_slice_new(r.guest, size * ELEMS);
	if (pthread_create(&t, NULL, guest_writer, &r))
		return -1;
	for (uint64_t i = 0; i < rounds; i++) {
		uint8_t *to = local + 1 + i % 7;

		move(&r, to, size);
		for (size_t e = 0; e < elems; e++)
			torn += is_torn(local_load(to + e * size, size), size);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	if (pthread_join(t, NULL))
		return -1;
	return torn;
}

/* A size that the compiler does not know: no special case of its own. */
static uint64_t hide(uint64_t size)
{
	__asm__ volatile("" : "+r"(size));
	return size;
}

static void slice_write(struct race *r, uint8_t *local, uint64_t size)
{
	gm_slice_write(r->slice, size, local, hide(size));
}

static void slice_read(struct race *r, uint8_t *local, uint64_t size)
{
	gm_slice_read(r->slice, size, local, hide(size));
}

TEST(aligned_write_from_misaligned_buffer_never_tears)
{
	for (uint64_t size = 2; size <= 8; size *= 2)
		EXPECT_EQ(0, torn_writes(size, slice_write));
}

TEST(aligned_read_into_misaligned_buffer_never_tears)
{
	for (uint64_t size = 2; size <= 8; size *= 2)
		EXPECT_EQ(0, torn_reads(size, slice_read, 1));
}

static void write_const(struct race *r, uint8_t *local, uint64_t size)
{
	if (size == 2)
		gm_slice_write(r->slice, 2, local, 2);
	else if (size == 4)
		gm_slice_write(r->slice, 4, local, 4);
	else
		gm_slice_write(r->slice, 8, local, 8);
}

static void read_const(struct race *r, uint8_t *local, uint64_t size)
{
	if (size == 2)
		gm_slice_read(r->slice, 2, local, 2);
	else if (size == 4)
		gm_slice_read(r->slice, 4, local, 4);
	else
		gm_slice_read(r->slice, 8, local, 8);
}

TEST(access_of_size_known_at_compile_time_never_tears)
{
	for (uint64_t size = 2; size <= 8; size *= 2) {
		EXPECT_EQ(0, torn_writes(size, write_const));
		EXPECT_EQ(0, torn_reads(size, read_const, 1));
	}
}

static void some_write(struct race *r, uint8_t *local, uint64_t size)
{
	gm_slice_write_some(r->slice, size * (ELEMS - 1), local, hide(size));
}

static void some_read(struct race *r, uint8_t *local, uint64_t size)
{
	gm_slice_read_some(r->slice, size * (ELEMS - 1), local, hide(size));
}

TEST(access_that_may_be_cut_never_tears)
{
	for (uint64_t size = 2; size <= 8; size *= 2) {
		EXPECT_EQ(0, torn_writes(size, some_write));
		EXPECT_EQ(0, torn_reads(size, some_read, 1));
	}
}

static void elems_write(struct race *r, uint8_t *local, uint64_t size)
{
	gm_slice_copy_from(r->slice, local, size, ELEMS);
}

static void elems_read(struct race *r, uint8_t *local, uint64_t size)
{
	gm_slice_copy_to(r->slice, local, size, ELEMS);
}

TEST(aligned_elements_never_tear)
{
	for (uint64_t size = 2; size <= 8; size *= 2) {
		EXPECT_EQ(0, torn_writes(size, elems_write));
		EXPECT_EQ(0, torn_reads(size, elems_read, ELEMS));
	}
}

static void array_store(struct race *r, uint8_t *local, uint64_t size)
{
	struct gm_array a;

	gm_slice_array(r->slice, 0, hide(size), ELEMS, &a);
	gm_array_store(a, 5, local);
}

static void ref_load(struct race *r, uint8_t *local, uint64_t size)
{
	struct gm_ref ref;

	gm_slice_ref(r->slice, 3 * size, hide(size), &ref);
	gm_ref_load(ref, local);
}

TEST(references_and_arrays_never_tear)
{
	for (uint64_t size = 2; size <= 8; size *= 2) {
		EXPECT_EQ(0, torn_writes(size, array_store));
		EXPECT_EQ(0, torn_reads(size, ref_load, 1));
	}
}

static void buf_source(struct race *r, uint8_t *local, uint64_t size)
{
	struct gm_buf_source s;

	gm_buf_source_init(&s, local, size);
	gm_slice_read_exact_from(r->slice, size, &s.source, size);
}

static void buf_sink(struct race *r, uint8_t *local, uint64_t size)
{
	struct gm_buf_sink s;

	gm_buf_sink_init(&s, local, size);
	gm_slice_write_all_to(r->slice, size, &s.sink, size);
}

TEST(buffers_as_source_and_sink_never_tear)
{
	for (uint64_t size = 2; size <= 8; size *= 2) {
		EXPECT_EQ(0, torn_writes(size, buf_source));
		EXPECT_EQ(0, torn_reads(size, buf_sink, 1));
	}
}

/* From one guest object to another: the second must not show a half either. */
static void within(struct race *r, uint8_t *local, uint64_t size)
{
	_Alignas(8) uint8_t from[8];

	memcpy(from, local, sizeof(from));
	gm_slice_copy_to_slice(gm_slice_new(from, size), r->slice);
}

TEST(copy_between_aligned_slices_never_tears)
{
	for (uint64_t size = 2; size <= 8; size *= 2)
		EXPECT_EQ(0, torn_writes(size, within));
}

/* 3, 5, 6 and 7 bytes move in as few parts as their alignment in guest memory
 * lets be single, and each part is whole: here 4 bytes, which the guest looks
 * at, and 2 behind them.
 */
static void six_bytes(struct race *r, uint8_t *local, uint64_t size)
{
	struct gm_slice s = gm_slice_new(r->guest + (ELEMS - 1) * size, 8);

	gm_slice_write(s, 0, local, hide(6));
}

TEST(odd_sizes_keep_their_aligned_parts_whole)
{
	EXPECT_EQ(0, torn_writes(4, six_bytes));
}

TEST_HARNESS_MAIN
