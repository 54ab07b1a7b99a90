/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_access_atomic.c - atomic loads and stores by guest address: one access,
 * or an error; never a torn one.
 */
/* gm-test: windows */
#include <string.h>
#include <sys/mman.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"
#include "pages.h"

#define BASE UINT64_C(0x20000)
#define SIZE 64

/*
 * Two adjacent regions of 64 bytes and a read-only one; in one variant the
 * second is on demand. The odd region starts 1 byte off in the host.
 */
enum { A, B, ROM, ODD, N };

static const uint64_t base_of[N] = {
	BASE, BASE + SIZE, BASE + 2 * SIZE, BASE + 0x1000,
};

FIXTURE(atomic) {
	uint8_t *mem;
	uint8_t *at[N];
	struct gm_bitmap *bm[N];
	struct own_region own[N];
	struct gm_region *regions[N];
	struct gm_map *m;
	struct gm_view v;
};

FIXTURE_VARIANT(atomic) {
	bool on_demand;
};

FIXTURE_VARIANT_ADD(atomic, direct) { .on_demand = false };
FIXTURE_VARIANT_ADD(atomic, on_demand) { .on_demand = true };

FIXTURE_SETUP(atomic)
{
	struct gm_mmap_opts rom = {
		.sz = sizeof(rom),
		.flags = GM_MMAP_READ_ONLY,
	};
	int i;

	self->mem = mmap(NULL, N * ANY_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->mem);
	for (i = 0; i < N; i++) {
		self->at[i] = self->mem + ANY_PAGE * i + (i == ODD);
		self->regions[i] = &self->own[i].r;
		ASSERT_OK(gm_bitmap_new(SIZE, 8, &self->bm[i]));
		rom.addr = self->at[i];
		if (i == ROM)
			ASSERT_OK(gm_region_new_mmap(gm_gpa(base_of[i]), SIZE,
						     &rom, &self->regions[i]));
		else if (i == B && variant->on_demand)
			ASSERT_OK(own_region_init_on_demand(&self->own[i],
					base_of[i], SIZE, self->at[i],
					self->bm[i]));
		else
			ASSERT_OK(own_region_init_direct(&self->own[i],
					base_of[i], SIZE, self->at[i],
					self->bm[i]));
	}
	ASSERT_OK(gm_map_new(self->regions, N, &self->m));
	gm_view_init(&self->v, self->m);
}

FIXTURE_TEARDOWN(atomic)
{
	int i;

	gm_map_put(self->m);
	for (i = 0; i < N; i++) {
		gm_region_put(self->regions[i]);
		gm_bitmap_put(self->bm[i]);
		EXPECT_EQ(0, self->own[i].bad);
		EXPECT_EQ(0, self->own[i].open);
	}
	munmap(self->mem, N * ANY_PAGE);
}

static uint64_t take(struct gm_bitmap *bm)
{
	uint64_t bits = 0;

	gm_bitmap_take(bm, &bits, 1);
	return bits;
}

static const enum gm_order load_orders[] = {
	GM_RELAXED, GM_ACQUIRE, GM_SEQ_CST,
};

static const enum gm_order store_orders[] = {
	GM_RELAXED, GM_RELEASE, GM_SEQ_CST,
};

TEST_F(atomic, each_size_and_order_at_each_address)
{
	uint64_t n, off, v, got, i;

	for (n = 1; n <= 8; n *= 2) {
		for (off = 0; off + n <= 2 * SIZE; off += n) {
			gm_gpa_t at = gm_gpa(BASE + off);
			uint8_t *host = &self->at[off / SIZE][off % SIZE];

			for (i = 0; i < 3; i++) {
				v = UINT64_C(0x0123456789abcdef) * (off + i + 1);
				ASSERT_EQ(0, gm_view_store(&self->v, at, &v, n,
							   store_orders[i]));
				ASSERT_EQ(0, memcmp(host, &v, n));
				ASSERT_EQ(UINT64_C(1) << (off % SIZE / 8),
					  take(self->bm[off / SIZE]));
				got = 0;
				ASSERT_EQ(0, gm_view_load(&self->v, at, &got, n,
							  load_orders[i]));
				ASSERT_EQ(0, memcmp(&got, &v, n));
				ASSERT_EQ(0, take(self->bm[A]));
				ASSERT_EQ(0, take(self->bm[B]));
			}
		}
	}
}

TEST_F(atomic, integers)
{
	gm_gpa_t at = gm_gpa(BASE + SIZE - 8), next = gm_gpa(BASE + SIZE);
	uint64_t v64 = 0;
	uint32_t v32 = 0;
	uint16_t v16 = 0;
	uint8_t v8 = 0;

	EXPECT_EQ(0, gm_view_store_u64(&self->v, at, 0x1122334455667788,
				       GM_SEQ_CST));
	EXPECT_EQ(0, gm_view_load_u64(&self->v, at, GM_SEQ_CST, &v64));
	EXPECT_EQ(0x1122334455667788, v64);
	EXPECT_EQ(0, gm_view_store_u32(&self->v, next, 0xa1b2c3d4, GM_RELEASE));
	EXPECT_EQ(0, gm_view_load_u32(&self->v, next, GM_ACQUIRE, &v32));
	EXPECT_EQ(0xa1b2c3d4, v32);
	EXPECT_EQ(0, gm_view_store_u16(&self->v, next, 0xbeef, GM_RELAXED));
	EXPECT_EQ(0, gm_view_load_u16(&self->v, next, GM_RELAXED, &v16));
	EXPECT_EQ(0xbeef, v16);
	EXPECT_EQ(0, gm_view_store_u8(&self->v, next, 0x5a, GM_RELAXED));
	EXPECT_EQ(0, gm_view_load_u8(&self->v, next, GM_RELAXED, &v8));
	EXPECT_EQ(0x5a, v8);
	EXPECT_EQ(0x80, take(self->bm[A]));
	EXPECT_EQ(1, take(self->bm[B]));
}

TEST_F(atomic, straddles_regions)
{
	uint64_t v = 7, off;

	for (off = SIZE - 7; off < SIZE; off++) {
		EXPECT_FAIL_KIND(gm_view_load(&self->v, gm_gpa(BASE + off), &v, 8,
					      GM_RELAXED),
				 EMSGSIZE, GM_ERR_FRAGMENTED);
		EXPECT_EQ(BASE + off, gm_error_last()->addr);
		EXPECT_EQ(8, gm_error_last()->len);
		EXPECT_EQ(SIZE - off, gm_error_last()->completed);
		EXPECT_FAIL_KIND(gm_view_store(&self->v, gm_gpa(BASE + off), &v,
					       8, GM_RELAXED),
				 EMSGSIZE, GM_ERR_FRAGMENTED);
	}
	EXPECT_EQ(7, v);
	EXPECT_EQ(0, self->at[A][SIZE - 1]);
	EXPECT_EQ(0, take(self->bm[A]));
	EXPECT_EQ(0, take(self->bm[B]));
}

TEST_F(atomic, misaligned)
{
	static const uint64_t bases[] = { BASE, BASE + SIZE };
	uint64_t v = 7, n, off, i;

	for (i = 0; i < 2; i++) {
		for (n = 2; n <= 8; n *= 2) {
			for (off = 1; off < n; off++) {
				gm_gpa_t at = gm_gpa(bases[i] + 8 + off);

				EXPECT_FAIL(gm_view_load(&self->v, at, &v, n,
							 GM_RELAXED),
					    EINVAL, GM_ERR_MISALIGNED,
					    gm_gpa_raw(at), n, 0, 0);
				EXPECT_FAIL(gm_view_store(&self->v, at, &v, n,
							  GM_RELAXED),
					    EINVAL, GM_ERR_MISALIGNED,
					    gm_gpa_raw(at), n, 0, 0);
			}
		}
	}
	EXPECT_EQ(7, v);
	EXPECT_EQ(0, take(self->bm[A]));
	EXPECT_EQ(0, take(self->bm[B]));
}

/* What counts is the host's address: there the access is made. */
TEST_F(atomic, aligned_in_the_guest_but_not_in_the_host)
{
	uint32_t v = 7;

	EXPECT_EQ(-EINVAL, gm_view_load(&self->v, gm_gpa(base_of[ODD]), &v, 4,
					GM_RELAXED));
	EXPECT_EQ(GM_ERR_MISALIGNED, gm_error_last()->kind);
	EXPECT_EQ(-EINVAL, gm_view_store(&self->v, gm_gpa(base_of[ODD]), &v, 4,
					 GM_RELAXED));
	EXPECT_EQ(0, gm_view_store(&self->v, gm_gpa(base_of[ODD] + 3), &v, 4,
				   GM_RELAXED));
	EXPECT_EQ(7, self->at[ODD][3]);
	EXPECT_EQ(1, take(self->bm[ODD]));
	/* Plain access is fine with it. */
	EXPECT_EQ(0, gm_view_read_u32(&self->v, gm_gpa(base_of[ODD] + 1), &v));
	EXPECT_EQ(7 << 16, v);
}

TEST_F(atomic, sizes_and_orders_that_are_none)
{
	static const uint64_t sizes[] = { 0, 3, 5, 6, 7, 9, 16, UINT64_MAX };
	uint64_t v = 7;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		EXPECT_FAIL(gm_view_load(&self->v, gm_gpa(BASE), &v, sizes[i],
					 GM_RELAXED),
			    EINVAL, GM_ERR_SIZE, sizes[i], 0, 0, 0);
		EXPECT_FAIL(gm_view_store(&self->v, gm_gpa(BASE), &v, sizes[i],
					  GM_RELAXED),
			    EINVAL, GM_ERR_SIZE, sizes[i], 0, 0, 0);
	}
	EXPECT_FAIL(gm_view_load(&self->v, gm_gpa(BASE), &v, 8, GM_RELEASE),
		    EINVAL, GM_ERR_ORDER, GM_RELEASE, 0, 0, 0);
	EXPECT_FAIL(gm_view_store(&self->v, gm_gpa(BASE), &v, 8, GM_ACQUIRE),
		    EINVAL, GM_ERR_ORDER, GM_ACQUIRE, 0, 0, 0);
	EXPECT_FAIL_KIND(gm_view_store_u32(&self->v, gm_gpa(BASE), 1,
					   (enum gm_order)__ATOMIC_CONSUME),
			 EINVAL, GM_ERR_ORDER);
	EXPECT_FAIL_KIND(gm_view_load(&self->v, gm_gpa(BASE), &v, 8,
				      (enum gm_order)99), EINVAL, GM_ERR_ORDER);
	EXPECT_EQ(7, v);
	EXPECT_EQ(0, take(self->bm[A]));
}

TEST_F(atomic, holes_wraps_and_read_only)
{
	uint64_t v = 7;

	EXPECT_FAIL(gm_view_load(&self->v, gm_gpa(BASE - 8), &v, 8, GM_RELAXED),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE - 8, 0, 0, 0);
	EXPECT_FAIL(gm_view_store(&self->v, gm_gpa(BASE + 3 * SIZE), &v, 8,
				  GM_RELAXED),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + 3 * SIZE, 0, 0, 0);
	/* Half in a hole: not there, rather than in pieces. */
	EXPECT_FAIL(gm_view_load(&self->v, gm_gpa(BASE + 3 * SIZE - 4), &v, 8,
				 GM_RELAXED),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + 3 * SIZE, 0, 0, 0);
	EXPECT_GT(0, gm_view_load(&self->v, gm_gpa(UINT64_MAX - 3), &v, 8,
				  GM_RELAXED));
	EXPECT_FAIL_KIND(gm_view_store(&self->v, gm_gpa(base_of[ROM]), &v, 8,
				       GM_RELAXED), EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(7, v);
	EXPECT_EQ(0, gm_view_load(&self->v, gm_gpa(base_of[ROM]), &v, 8,
				  GM_RELAXED));
	EXPECT_EQ(0, v);
	EXPECT_FAIL_KIND(gm_view_store_u64(&self->v, gm_gpa(base_of[ROM]), 1,
					   GM_RELAXED),
			 EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(0, self->at[ROM][0]);
}

/* The last eight bytes of the address space. */
TEST(at_the_end_of_the_address_space)
{
	uint64_t cell[2] = { 0 }, v = 5;
	struct own_region own;
	struct gm_region *r = &own.r;
	struct gm_map *m;
	struct gm_view view;

	ASSERT_OK(own_region_init_direct(&own, UINT64_MAX - 15, 16, cell, NULL));
	ASSERT_OK(gm_map_new(&r, 1, &m));
	gm_view_init(&view, m);
	EXPECT_EQ(0, gm_view_store(&view, gm_gpa(UINT64_MAX - 7), &v, 8,
				   GM_SEQ_CST));
	EXPECT_EQ(5, cell[1]);
	EXPECT_FAIL(gm_view_store(&view, gm_gpa(UINT64_MAX - 3), &v, 8,
				  GM_SEQ_CST),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX - 3, 8, 0, 0);
	EXPECT_EQ(5, cell[1]);
	gm_map_put(m);
	gm_region_put(r);
}

/* Design, section 5, number 4. */
TEST_F(atomic, backend_gives_a_shorter_piece)
{
	uint64_t v = 7;

	if (!variant->on_demand)
		return;
	self->own[B].short_by = 1;
	EXPECT_FAIL_KIND(gm_view_load(&self->v, gm_gpa(BASE + SIZE), &v, 8,
				      GM_RELAXED), EIO, GM_ERR_BACKEND_RANGE);
	EXPECT_FAIL_KIND(gm_view_store(&self->v, gm_gpa(BASE + SIZE), &v, 8,
				       GM_RELAXED), EIO, GM_ERR_BACKEND_RANGE);
	EXPECT_EQ(7, v);
	EXPECT_EQ(0, self->at[B][0]);
	EXPECT_EQ(0, take(self->bm[B]));
}

TEST_HARNESS_MAIN
