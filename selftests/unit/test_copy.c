/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * copy.h: which bytes move, at each size and alignment of both sides. That they
 * move in one access, test_copy_race.c shows.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/copy.h>

#define ROOM 512
#define FILL 0xee

/* Sizes that the compiler must not know. */
static volatile size_t opaque;

static size_t hide(size_t n)
{
	opaque = n;
	return opaque;
}

static void pattern(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + 1);
}

/* All of @room is FILL but [at, at + n), which is a pattern from @from. */
static bool only_pattern_at(const uint8_t *room, size_t at, size_t n,
			    const uint8_t *from)
{
	for (size_t i = 0; i < ROOM; i++) {
		bool inside = i >= at && i < at + n;

		if (room[i] != (inside ? from[i - at] : FILL))
			return false;
	}
	return true;
}

TEST(is_aligned_looks_at_low_bits)
{
	_Alignas(64) uint8_t mem[64];

	for (size_t n = 1; n <= 64; n *= 2)
		for (size_t off = 0; off < 64; off++)
			EXPECT_EQ(off % n == 0, gm_mem_is_aligned(mem + off, n));
}

#define CHECK_INT(bits, value) do { \
	for (size_t at = 8; at < 16; at++) { \
		uint##bits##_t v = (uint##bits##_t)(value); \
		memset(mem, FILL, sizeof(mem)); \
		gm_mem_write_u##bits(mem + at, v); \
		EXPECT_TRUE(only_pattern_at(mem, at, sizeof(v), (uint8_t *)&v)); \
		EXPECT_EQ(v, gm_mem_read_u##bits(mem + at)); \
		v = (uint##bits##_t)~v; \
		gm_copy_to_host(mem + at, &v, sizeof(v)); \
		EXPECT_EQ(v, gm_mem_read_u##bits(mem + at)); \
		v = 0; \
		gm_copy_from_host(&v, mem + at, sizeof(v)); \
		EXPECT_EQ((uint##bits##_t)~(uint##bits##_t)(value), v); \
	} \
} while (0)

TEST(integers_move_at_any_alignment)
{
	_Alignas(8) uint8_t mem[ROOM];

	CHECK_INT(8, 0x91);
	CHECK_INT(16, 0x9122);
	CHECK_INT(32, 0x91223344);
	CHECK_INT(64, 0x9122334455667788);
}

TEST(small_copies_move_exactly_their_bytes)
{
	_Alignas(8) uint8_t src[ROOM], dst[ROOM];

	pattern(src, sizeof(src));
	for (size_t n = 0; n <= 8; n++)
		for (size_t s = 0; s < 8; s++)
			for (size_t d = 8; d < 16; d++) {
				memset(dst, FILL, sizeof(dst));
				gm_copy_from_host_small(dst + d, src + s, n);
				EXPECT_TRUE(only_pattern_at(dst, d, n, src + s));
				memset(dst, FILL, sizeof(dst));
				gm_copy_to_host_small(dst + d, src + s, n);
				EXPECT_TRUE(only_pattern_at(dst, d, n, src + s));
			}
}

TEST(copies_of_any_size_move_exactly_their_bytes)
{
	_Alignas(8) uint8_t src[ROOM], dst[ROOM];

	pattern(src, sizeof(src));
	for (size_t n = 0; n <= 300; n += n < 70 ? 1 : 23)
		for (size_t s = 0; s < 8; s += 3)
			for (size_t d = 8; d < 16; d++) {
				memset(dst, FILL, sizeof(dst));
				gm_copy_from_host(dst + d, src + s, hide(n));
				EXPECT_TRUE(only_pattern_at(dst, d, n, src + s));
				memset(dst, FILL, sizeof(dst));
				gm_copy_to_host(dst + d, src + s, hide(n));
				EXPECT_TRUE(only_pattern_at(dst, d, n, src + s));
			}
}

TEST(constant_sizes_move_exactly_their_bytes)
{
	_Alignas(8) uint8_t src[ROOM], dst[ROOM];

	pattern(src, sizeof(src));
#define CHECK(n) do { \
	memset(dst, FILL, sizeof(dst)); \
	gm_copy_from_host(dst + 9, src + 3, n); \
	EXPECT_TRUE(only_pattern_at(dst, 9, n, src + 3)); \
	memset(dst, FILL, sizeof(dst)); \
	gm_copy_to_host(dst + 9, src + 3, n); \
	EXPECT_TRUE(only_pattern_at(dst, 9, n, src + 3)); \
} while (0)
	CHECK(0);
	CHECK(1);
	CHECK(2);
	CHECK(3);
	CHECK(4);
	CHECK(7);
	CHECK(8);
	CHECK(9);
	CHECK(64);
#undef CHECK
}

TEST(copy_within_may_overlap_either_way)
{
	uint8_t mem[ROOM], want[ROOM];

	for (size_t n = 0; n <= 200; n += n < 20 ? 1 : 17)
		for (size_t from = 16; from < 32; from++)
			for (size_t to = 16; to < 32; to++) {
				pattern(mem, sizeof(mem));
				memcpy(want, mem, sizeof(mem));
				memmove(want + to, want + from, n);
				gm_copy_within(mem + to, mem + from, n);
				EXPECT_EQ(0, memcmp(want, mem, sizeof(mem)));
			}
}

TEST(orders_of_loads_and_stores)
{
	static const struct { int order; bool load, store; } rows[] = {
		{ GM_RELAXED, true, true }, { GM_ACQUIRE, true, false },
		{ GM_RELEASE, false, true }, { GM_SEQ_CST, true, true },
		{ __ATOMIC_CONSUME, false, false },
		{ __ATOMIC_ACQ_REL, false, false },
		{ 6, false, false }, { -1, false, false }, { 1000, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum gm_order o = (enum gm_order)rows[i].order;

		EXPECT_EQ(rows[i].load, gm_order_for_load(o));
		EXPECT_EQ(rows[i].store, gm_order_for_store(o));
	}
	/* The numbers are ABI. */
	EXPECT_EQ(0, GM_RELAXED);
	EXPECT_EQ(2, GM_ACQUIRE);
	EXPECT_EQ(3, GM_RELEASE);
	EXPECT_EQ(5, GM_SEQ_CST);
}

TEST(atomic_load_and_store_move_exactly_their_bytes)
{
	static const enum gm_order loads[] = { GM_RELAXED, GM_ACQUIRE, GM_SEQ_CST };
	static const enum gm_order stores[] = { GM_RELAXED, GM_RELEASE, GM_SEQ_CST };
	_Alignas(8) uint8_t src[ROOM], mem[ROOM];

	pattern(src, sizeof(src));
	for (size_t n = 1; n <= 8; n *= 2)
		for (size_t i = 0; i < 3; i++)
			for (size_t mis = 0; mis < 8; mis++) {
				memset(mem, FILL, sizeof(mem));
				gm_mem_store(mem + 8, src + mis, n, stores[i]);
				EXPECT_TRUE(only_pattern_at(mem, 8, n, src + mis));
				memset(mem, FILL, sizeof(mem));
				gm_mem_load(mem + 8 + mis, src + 8, n, loads[i]);
				EXPECT_TRUE(only_pattern_at(mem, 8 + mis, n, src + 8));
			}
}

TEST_HARNESS_MAIN
