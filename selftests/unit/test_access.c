/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_access.c - reads and writes by guest address: over several regions, cut
 * short, refused; and what they mark.
 */
/* gm-test: windows */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"
#include "pages.h"

#define BASE UINT64_C(0x10000)
#define SIZE 64
#define TOP (UINT64_MAX - 15)

/*
 * Three regions of 64 bytes, adjacent in the guest and in reverse order in the
 * host, with a page between them; the middle one is on demand in one variant.
 * Then a hole, a read-only region right after a writable one, and the last 16
 * bytes of the address space. Dirty pages have 8 bytes.
 */
enum { A, B, C, D, ROM, LAST, N };

static const uint64_t base_of[N] = {
	BASE, BASE + SIZE, BASE + 2 * SIZE, BASE + 0x1000, BASE + 0x1000 + SIZE,
	TOP,
};

static const uint64_t len_of[N] = { SIZE, SIZE, SIZE, SIZE, SIZE, 16 };

FIXTURE(access) {
	uint8_t *mem;			/* a page a region */
	uint8_t *at[N];
	struct gm_bitmap *bm[N];
	struct own_region own[N];
	struct gm_region *regions[N];
	struct gm_map *m;
	struct gm_view v;
};

FIXTURE_VARIANT(access) {
	bool on_demand;
};

FIXTURE_VARIANT_ADD(access, direct) { .on_demand = false };
FIXTURE_VARIANT_ADD(access, on_demand) { .on_demand = true };

FIXTURE_SETUP(access)
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
		self->at[i] = self->mem + ANY_PAGE * (N - 1 - i);
		memset(self->at[i], 'a' + i, len_of[i]);
		self->regions[i] = &self->own[i].r;
		ASSERT_OK(gm_bitmap_new(SIZE, 8, &self->bm[i]));
		rom.addr = self->at[i];
		if (i == ROM)
			ASSERT_OK(gm_region_new_mmap(gm_gpa(base_of[i]),
						     len_of[i], &rom,
						     &self->regions[i]));
		else if (i == B && variant->on_demand)
			ASSERT_OK(own_region_init_on_demand(&self->own[i],
					base_of[i], len_of[i], self->at[i],
					self->bm[i]));
		else
			ASSERT_OK(own_region_init_direct(&self->own[i],
					base_of[i], len_of[i], self->at[i],
					self->bm[i]));
	}
	ASSERT_OK(gm_map_new(self->regions, N, &self->m));
	gm_view_init(&self->v, self->m);
}

FIXTURE_TEARDOWN(access)
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

/* The byte of guest address BASE + @i, by way of the host. */
#define HOST(i) (self->at[(i) / SIZE][(i) % SIZE])

/* Bits of region @i (one a page of 8 bytes) that [off, off + n) touches. */
static uint64_t bits_of(int i, uint64_t off, uint64_t n)
{
	uint64_t bits = 0, b;

	for (b = off; b < off + n; b++)
		if (b / SIZE == (uint64_t)i)
			bits |= UINT64_C(1) << (b % SIZE / 8);
	return bits;
}

TEST_F(access, every_size_at_every_split)
{
	uint8_t out[SIZE], in[SIZE], before[3 * SIZE];
	uint64_t off, n, i;

	for (n = 1; n <= SIZE; n++) {
		/* From all in the first region to all in the third. */
		for (off = SIZE - n; off <= 2 * SIZE; off++) {
			for (i = 0; i < 3 * SIZE; i++)
				before[i] = HOST(i);
			for (i = 0; i < n; i++)
				in[i] = (uint8_t)(n * 31 + off * 7 + i);
			ASSERT_EQ(0, gm_view_write(&self->v, gm_gpa(BASE + off),
						   in, n));
			memcpy(before + off, in, n);
			for (i = 0; i < 3 * SIZE; i++)
				ASSERT_EQ(before[i], HOST(i));
			for (i = A; i <= C; i++)
				ASSERT_EQ(bits_of((int)i, off, n),
					  take(self->bm[i]));
			memset(out, 0, sizeof(out));
			ASSERT_EQ(0, gm_view_read(&self->v, gm_gpa(BASE + off),
						  out, n));
			ASSERT_EQ(0, memcmp(in, out, n));
			for (i = A; i <= C; i++)
				ASSERT_EQ(0, take(self->bm[i]));
		}
	}
}

/* Design, section 5, number 5. */
TEST_F(access, adjacent_regions_with_separate_hosts_are_not_one_range)
{
	uint8_t all[3 * SIZE], beyond[4096 - SIZE];
	uint32_t i;

	memset(all, 'Z', sizeof(all));
	EXPECT_EQ(0, gm_view_write(&self->v, gm_gpa(BASE), all, sizeof(all)));
	memset(beyond, 0, sizeof(beyond));
	for (i = A; i <= C; i++) {
		EXPECT_EQ(0, memcmp(self->at[i], all, SIZE));
		/* What follows each region in the host is not guest memory. */
		EXPECT_EQ(0, memcmp(self->at[i] + SIZE, beyond, sizeof(beyond)));
	}
	self->at[A][SIZE] = 0xbd;
	EXPECT_EQ(0, gm_view_read(&self->v, gm_gpa(BASE), all, sizeof(all)));
	for (i = 0; i < sizeof(all); i++)
		EXPECT_EQ('Z', all[i]);
}

TEST_F(access, integers_straddle_regions)
{
	uint64_t off;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;
	uint8_t v8;

	for (off = SIZE - 8; off <= SIZE + 8; off++) {
		gm_gpa_t at = gm_gpa(BASE + off);

		EXPECT_EQ(0, gm_view_write_u64(&self->v, at, 0x1122334455667788));
		EXPECT_EQ(0, gm_view_read_u64(&self->v, at, &v64));
		EXPECT_EQ(0x1122334455667788, v64);
		EXPECT_EQ(0, gm_view_read_le64(&self->v, at, &v64));
		EXPECT_EQ(0x1122334455667788, v64);
		EXPECT_EQ(0, gm_view_read_be64(&self->v, at, &v64));
		EXPECT_EQ(0x8877665544332211, v64);
		EXPECT_EQ(0, gm_view_write_be64(&self->v, at, 0x1122334455667788));
		EXPECT_EQ(0x11, HOST(off));
		EXPECT_EQ(0x88, HOST(off + 7));
		EXPECT_EQ(0, gm_view_write_le64(&self->v, at, 0x1122334455667788));
		EXPECT_EQ(0x88, HOST(off));

		EXPECT_EQ(0, gm_view_write_u32(&self->v, at, 0xa1b2c3d4));
		EXPECT_EQ(0, gm_view_read_u32(&self->v, at, &v32));
		EXPECT_EQ(0xa1b2c3d4, v32);
		EXPECT_EQ(0, gm_view_write_be32(&self->v, at, 0xa1b2c3d4));
		EXPECT_EQ(0, gm_view_read_le32(&self->v, at, &v32));
		EXPECT_EQ(0xd4c3b2a1, v32);
		EXPECT_EQ(0, gm_view_write_le32(&self->v, at, 0xa1b2c3d4));
		EXPECT_EQ(0, gm_view_read_be32(&self->v, at, &v32));
		EXPECT_EQ(0xd4c3b2a1, v32);

		EXPECT_EQ(0, gm_view_write_u16(&self->v, at, 0xfedc));
		EXPECT_EQ(0, gm_view_read_u16(&self->v, at, &v16));
		EXPECT_EQ(0xfedc, v16);
		EXPECT_EQ(0, gm_view_write_be16(&self->v, at, 0xfedc));
		EXPECT_EQ(0, gm_view_read_le16(&self->v, at, &v16));
		EXPECT_EQ(0xdcfe, v16);
		EXPECT_EQ(0, gm_view_write_le16(&self->v, at, 0xfedc));
		EXPECT_EQ(0, gm_view_read_be16(&self->v, at, &v16));
		EXPECT_EQ(0xdcfe, v16);

		EXPECT_EQ(0, gm_view_write_u8(&self->v, at, 0x77));
		EXPECT_EQ(0, gm_view_read_u8(&self->v, at, &v8));
		EXPECT_EQ(0x77, v8);
		EXPECT_EQ(0x77, HOST(off));
	}
}

TEST_F(access, failed_integer_read_leaves_the_value)
{
	uint64_t v64 = 7;
	uint32_t v32 = 7;
	uint16_t v16 = 7;
	gm_gpa_t hole = gm_gpa(BASE + 3 * SIZE);

	EXPECT_EQ(-EFAULT, gm_view_read_u64(&self->v, hole, &v64));
	EXPECT_EQ(-EFAULT, gm_view_read_be64(&self->v, hole, &v64));
	EXPECT_EQ(-EFAULT, gm_view_read_le32(&self->v, hole, &v32));
	EXPECT_EQ(-EFAULT, gm_view_read_be16(&self->v, hole, &v16));
	/* Also where a part of it was there. */
	EXPECT_EQ(-EFAULT, gm_view_read_le64(&self->v,
					     gm_gpa(BASE + 3 * SIZE - 4), &v64));
	EXPECT_EQ(7, v64);
	EXPECT_EQ(7, v32);
	EXPECT_EQ(7, v16);
}

TEST_F(access, hole_on_the_way)
{
	uint8_t buf[SIZE];

	memset(buf, 'X', sizeof(buf));
	EXPECT_FAIL(gm_view_write(&self->v, gm_gpa(BASE + 3 * SIZE - 5), buf, 9),
		    EFAULT, GM_ERR_PARTIAL, BASE + 3 * SIZE, 0, 9, 5);
	EXPECT_EQ('X', HOST(3 * SIZE - 5));
	EXPECT_EQ('X', HOST(3 * SIZE - 1));
	EXPECT_EQ(bits_of(C, 3 * SIZE - 5, 5), take(self->bm[C]));
	memset(buf, 0, sizeof(buf));
	EXPECT_FAIL(gm_view_read(&self->v, gm_gpa(BASE + 3 * SIZE - 5), buf, 64),
		    EFAULT, GM_ERR_PARTIAL, BASE + 3 * SIZE, 0, 64, 5);
	EXPECT_EQ('X', buf[4]);
	EXPECT_EQ(0, buf[5]);
	/* Over two borders, into the hole. */
	EXPECT_FAIL(gm_view_write(&self->v, gm_gpa(BASE + 1), self->mem,
				  3 * SIZE), EFAULT, GM_ERR_PARTIAL,
		    BASE + 3 * SIZE, 0, 3 * SIZE, 3 * SIZE - 1);
	EXPECT_EQ(0xff, take(self->bm[A]));
	EXPECT_EQ(0xff, take(self->bm[B]));
	EXPECT_EQ(0xff, take(self->bm[C]));
}

TEST_F(access, nothing_at_the_first_address)
{
	uint8_t buf[16] = { 0 };

	EXPECT_FAIL(gm_view_read(&self->v, gm_gpa(BASE - 1), buf, 16), EFAULT,
		    GM_ERR_GUEST_ADDR, BASE - 1, 0, 0, 0);
	EXPECT_FAIL(gm_view_write(&self->v, gm_gpa(BASE - 1), buf, 16), EFAULT,
		    GM_ERR_GUEST_ADDR, BASE - 1, 0, 0, 0);
	EXPECT_FAIL(gm_view_read_some(&self->v, gm_gpa(0), buf, 16), EFAULT,
		    GM_ERR_GUEST_ADDR, 0, 0, 0, 0);
	EXPECT_FAIL(gm_view_write_some(&self->v, gm_gpa(0), buf, 16), EFAULT,
		    GM_ERR_GUEST_ADDR, 0, 0, 0, 0);
	EXPECT_EQ('a', HOST(0));
}

TEST_F(access, length_zero_succeeds_anywhere)
{
	static const uint64_t at[] = { 0, BASE, BASE + 3 * SIZE, UINT64_MAX };
	size_t i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		gm_gpa_t gpa = gm_gpa(at[i]);

		EXPECT_EQ(0, gm_view_read(&self->v, gpa, NULL, 0));
		EXPECT_EQ(0, gm_view_write(&self->v, gpa, NULL, 0));
		EXPECT_EQ(0, gm_view_read_some(&self->v, gpa, NULL, 0));
		EXPECT_EQ(0, gm_view_write_some(&self->v, gpa, NULL, 0));
	}
	EXPECT_EQ(0, take(self->bm[A]));
}

TEST_F(access, some_is_as_much_as_there_is)
{
	uint8_t buf[4 * SIZE];

	EXPECT_EQ(3 * SIZE, gm_view_read_some(&self->v, gm_gpa(BASE), buf,
					      4 * SIZE));
	EXPECT_EQ('a', buf[SIZE - 1]);
	EXPECT_EQ('b', buf[SIZE]);
	EXPECT_EQ('c', buf[3 * SIZE - 1]);
	memset(buf, 'S', sizeof(buf));
	EXPECT_EQ(7, gm_view_write_some(&self->v, gm_gpa(BASE + 3 * SIZE - 7),
					buf, 8));
	EXPECT_EQ('S', HOST(3 * SIZE - 1));
	EXPECT_EQ(bits_of(C, 3 * SIZE - 7, 7), take(self->bm[C]));
	EXPECT_EQ(16, gm_view_read_some(&self->v, gm_gpa(TOP), buf, 4 * SIZE));
	EXPECT_EQ(1, gm_view_write_some(&self->v, gm_gpa(UINT64_MAX), buf, 2));
	EXPECT_EQ(2, take(self->bm[LAST]));
	EXPECT_EQ('a', HOST(0));
}

/* Design, section 5, numbers 2 and 6. */
TEST_F(access, range_that_wraps_is_refused)
{
	uint8_t buf[32] = { 0 };
	uint64_t v = 7;

	EXPECT_FAIL(gm_view_check_range(&self->v, gm_gpa(UINT64_MAX - 3), 8,
					GM_PERM_READ), EOVERFLOW,
		    GM_ERR_GUEST_OVERFLOW, UINT64_MAX - 3, 8, 0, 0);
	EXPECT_EQ(0, gm_view_check_range(&self->v, gm_gpa(UINT64_MAX - 3), 4,
					 GM_PERM_RW));
	EXPECT_FAIL_KIND(gm_view_read(&self->v, gm_gpa(UINT64_MAX - 3), buf, 8),
			 EOVERFLOW, GM_ERR_PARTIAL);
	EXPECT_EQ(8, gm_error_last()->expected);
	EXPECT_EQ(4, gm_error_last()->completed);
	EXPECT_EQ('a' + LAST, buf[3]);
	EXPECT_EQ(0, buf[4]);
	EXPECT_FAIL_KIND(gm_view_write(&self->v, gm_gpa(TOP), buf, 32),
			 EOVERFLOW, GM_ERR_PARTIAL);
	EXPECT_EQ(16, gm_error_last()->completed);
	EXPECT_EQ(3, take(self->bm[LAST]));
	EXPECT_EQ(-EOVERFLOW, gm_view_read_u64(&self->v, gm_gpa(UINT64_MAX), &v));
	EXPECT_EQ(7, v);
	/* The last eight bytes are fine. */
	EXPECT_EQ(0, gm_view_read_u64(&self->v, gm_gpa(UINT64_MAX - 7), &v));
	EXPECT_EQ(0, v);
}

TEST_F(access, read_only)
{
	gm_gpa_t rom = gm_gpa(base_of[ROM]);
	uint8_t buf[2 * SIZE];
	uint64_t v = 0;

	memset(buf, 'R', sizeof(buf));
	EXPECT_FAIL(gm_view_write(&self->v, rom, buf, 4), EACCES,
		    GM_ERR_PERMISSION, base_of[ROM], 4, 0, 0);
	EXPECT_FAIL_KIND(gm_view_write_some(&self->v, rom, buf, 4), EACCES,
			 GM_ERR_PERMISSION);
	EXPECT_EQ(0, gm_view_read_u64(&self->v, rom, &v));
	/* With the hint on it, the same. */
	EXPECT_FAIL(gm_view_write_u64(&self->v, rom, v), EACCES,
		    GM_ERR_PERMISSION, base_of[ROM], 8, 0, 0);
	/* From writable memory into it: what fits is written. */
	EXPECT_FAIL(gm_view_write(&self->v, gm_gpa(base_of[ROM] - 3), buf, 8),
		    EACCES, GM_ERR_PARTIAL, base_of[ROM], 0, 8, 3);
	EXPECT_EQ(3, gm_view_write_some(&self->v, gm_gpa(base_of[ROM] - 3), buf,
					8));
	EXPECT_EQ('R', self->at[D][SIZE - 1]);
	EXPECT_EQ(0x80, take(self->bm[D]));
	EXPECT_EQ('a' + ROM, self->at[ROM][0]);
	EXPECT_EQ(0, gm_view_read(&self->v, gm_gpa(base_of[D]), buf, 2 * SIZE));
	EXPECT_EQ('a' + ROM, buf[SIZE]);
}

/* A mark is the bytes that are named, and none in a hole or read-only. */
TEST_F(access, mark)
{
	gm_view_mark(&self->v, gm_gpa(BASE + SIZE - 1), 2);
	EXPECT_EQ(0x80, take(self->bm[A]));
	EXPECT_EQ(1, take(self->bm[B]));
	EXPECT_EQ(0, take(self->bm[C]));
	gm_view_mark(&self->v, gm_gpa(BASE), 0);
	EXPECT_EQ(0, take(self->bm[A]));
	gm_view_mark(&self->v, gm_gpa(0), UINT64_MAX);
	EXPECT_EQ(0xff, take(self->bm[A]));
	EXPECT_EQ(0xff, take(self->bm[B]));
	EXPECT_EQ(0xff, take(self->bm[C]));
	EXPECT_EQ(0xff, take(self->bm[D]));
	EXPECT_EQ(3, take(self->bm[LAST]));
	/* Passing 2^64 is not at 0 again: A is no higher than this. */
	gm_view_mark(&self->v, gm_gpa(BASE + 3 * SIZE), UINT64_MAX);
	EXPECT_EQ(0, take(self->bm[A]));
	EXPECT_EQ(0, take(self->bm[C]));
	EXPECT_EQ(0xff, take(self->bm[D]));
	EXPECT_EQ(3, take(self->bm[LAST]));
	gm_view_mark(&self->v, gm_gpa(BASE + 3 * SIZE), 16);
	EXPECT_EQ(0, take(self->bm[C]));
	EXPECT_EQ(0, take(self->bm[D]));
}

/* Design, section 5, number 4: over several regions too. */
TEST_F(access, backend_gives_a_shorter_piece)
{
	uint8_t buf[3 * SIZE];

	if (!variant->on_demand)
		return;
	self->own[B].short_by = 1;
	EXPECT_FAIL_KIND(gm_view_read(&self->v, gm_gpa(BASE + SIZE), buf, 8),
			 EIO, GM_ERR_BACKEND_RANGE);
	EXPECT_FAIL(gm_view_read(&self->v, gm_gpa(BASE), buf, 3 * SIZE), EIO,
		    GM_ERR_PARTIAL, BASE + SIZE, 0, 3 * SIZE, SIZE);
	EXPECT_EQ(SIZE, gm_view_read_some(&self->v, gm_gpa(BASE), buf, 3 * SIZE));
	EXPECT_FAIL(gm_view_write(&self->v, gm_gpa(BASE), buf, 3 * SIZE), EIO,
		    GM_ERR_PARTIAL, BASE + SIZE, 0, 3 * SIZE, SIZE);
	EXPECT_EQ(0xff, take(self->bm[A]));
	EXPECT_EQ(0, take(self->bm[B]));
	EXPECT_EQ(0, take(self->bm[C]));
	self->own[B].short_by = 0;
	self->own[B].fail = -ENXIO;
	EXPECT_EQ(-ENXIO, gm_view_read_some(&self->v, gm_gpa(BASE + SIZE), buf, 1));
	EXPECT_EQ(-ENXIO, gm_view_write(&self->v, gm_gpa(BASE), buf, SIZE + 1));
}

TEST_HARNESS_MAIN
