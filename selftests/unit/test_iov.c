/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_iov.c - guest ranges as iovecs: exact, resumable anywhere, marked, and
 * what is refused.
 */
/* gm-test: windows */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/access.h>
#include <guestmem/iov.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"

#define BASE UINT64_C(0x10000)
#define TOP (UINT64_MAX - 63)	/* the last 64 bytes of the address space */

/*
 * "low" [BASE, +64) and "high" [BASE + 64, +64) are adjacent in the guest; in
 * the host, high comes first. After a hole, "rom" and then "far", on demand.
 * Another region is at 0, one ends at 2^64. Dirty pages have 8 bytes.
 */
enum { ZERO, LOW, HIGH, ROM, FAR, LAST, N };

FIXTURE(iov) {
	uint8_t mem[N][64];
	uint8_t *rom;
	struct gm_bitmap *bm[N];
	struct own_region own[N];
	struct gm_region *regions[N];
	struct gm_map *m;
	struct gm_view v;
};

FIXTURE_SETUP(iov)
{
	static const uint64_t base[N] = {
		0, BASE, BASE + 64, BASE + 0x1000, BASE + 0x1040, TOP,
	};
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = GM_MMAP_READ_ONLY,
	};
	int i;

	self->rom = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->rom);
	o.addr = self->rom;
	for (i = 0; i < N; i++) {
		/* High before low. */
		uint8_t *mem = self->mem[i == LOW ? HIGH : i == HIGH ? LOW : i];

		memset(mem, 'A' + i, 64);
		ASSERT_OK(gm_bitmap_new(64, 8, &self->bm[i]));
		self->regions[i] = &self->own[i].r;
		if (i == ROM)
			ASSERT_OK(gm_region_new_mmap(gm_gpa(base[i]), 64, &o,
						     &self->regions[i]));
		else if (i == FAR)
			ASSERT_OK(own_region_init_on_demand(&self->own[i], base[i],
							    64, mem, self->bm[i]));
		else
			ASSERT_OK(own_region_init_direct(&self->own[i], base[i],
							 64, mem, self->bm[i]));
	}
	ASSERT_OK(gm_map_new(self->regions, N, &self->m));
	gm_view_init(&self->v, self->m);
}

FIXTURE_TEARDOWN(iov)
{
	int i;

	gm_map_put(self->m);
	for (i = 0; i < N; i++) {
		gm_region_put(self->regions[i]);
		gm_bitmap_put(self->bm[i]);
		EXPECT_EQ(0, self->own[i].bad);
		EXPECT_EQ(0, self->own[i].open);
	}
	munmap(self->rom, 4096);
}

/* The bits of region @i, one a page of 8 bytes; they are cleared. */
static uint64_t take(struct gm_bitmap *bm)
{
	uint64_t bits = 0;

	gm_bitmap_take(bm, &bits, 1);
	return bits;
}

static const struct gm_range chain[] = {
	{ 0, 0 }, { BASE + 56, 16 }, { BASE, 0 }, { BASE, 8 },
	{ BASE + 120, 8 }, { 3, 5 }, { TOP + 60, 4 }, { BASE, 0 },
};

#define CHAIN (sizeof(chain) / sizeof(chain[0]))
#define CHAIN_LEN 41

TEST_F(iov, init)
{
	static const struct gm_range wraps[] = { { 1, UINT64_MAX }, { 2, 3 } };
	struct gm_iov_cursor c;

	EXPECT_EQ(0, gm_iov_init(&c, chain, CHAIN));
	EXPECT_EQ(CHAIN_LEN, gm_iov_left(&c));
	EXPECT_EQ(0, gm_iov_init(&c, NULL, 0));
	EXPECT_EQ(0, gm_iov_left(&c));
	EXPECT_EQ(0, gm_iov_init(&c, wraps, 1));
	EXPECT_EQ(UINT64_MAX, gm_iov_left(&c));
	EXPECT_EQ(0, gm_iov_init(&c, chain, CHAIN));
	EXPECT_FAIL(gm_iov_init(&c, wraps, 2), EOVERFLOW, GM_ERR_OVERFLOW,
		    UINT64_MAX, 3, 0, 0);
	EXPECT_EQ(CHAIN_LEN, gm_iov_left(&c));
}

TEST_F(iov, extracts_the_whole_chain)
{
	struct gm_iov_cursor c;
	struct iovec iov[16];
	uint64_t bytes = 0;

	gm_iov_init(&c, chain, CHAIN);
	EXPECT_EQ(6, gm_iov_extract(&self->v, &c, GM_PERM_READ, UINT64_MAX, iov,
				    16, &bytes));
	EXPECT_EQ(CHAIN_LEN, bytes);
	EXPECT_EQ(0, gm_iov_left(&c));
	/* Adjacent in the guest, apart in the host: two pieces. */
	EXPECT_EQ((void *)(self->mem[HIGH] + 56), iov[0].iov_base);
	EXPECT_EQ(8, iov[0].iov_len);
	EXPECT_EQ((void *)self->mem[LOW], iov[1].iov_base);
	EXPECT_EQ(8, iov[1].iov_len);
	EXPECT_EQ((void *)self->mem[HIGH], iov[2].iov_base);
	EXPECT_EQ((void *)(self->mem[LOW] + 56), iov[3].iov_base);
	EXPECT_EQ((void *)(self->mem[ZERO] + 3), iov[4].iov_base);
	EXPECT_EQ(5, iov[4].iov_len);
	EXPECT_EQ((void *)(self->mem[LAST] + 60), iov[5].iov_base);
	EXPECT_EQ(4, iov[5].iov_len);
	/* At the end there is no more, again and again. */
	EXPECT_EQ(0, gm_iov_extract(&self->v, &c, GM_PERM_READ, UINT64_MAX, iov,
				    16, &bytes));
	EXPECT_EQ(0, bytes);
}

/* All bytes of the chain in order, through what was extracted. */
static void gather(const struct iovec *iov, int n, uint8_t *out, uint64_t *at)
{
	int i;

	for (i = 0; i < n; i++) {
		memcpy(out + *at, iov[i].iov_base, iov[i].iov_len);
		*at += iov[i].iov_len;
	}
}

TEST_F(iov, resumes_at_every_position)
{
	uint8_t want[CHAIN_LEN], got[CHAIN_LEN];
	struct gm_iov_cursor c;
	struct iovec iov[16];
	uint64_t max, at, bytes, skip;
	int room, n;
	size_t i;

	for (i = 0; i < 64; i++) {
		self->mem[LOW][i] = (uint8_t)i;
		self->mem[HIGH][i] = (uint8_t)(i + 100);
	}
	gm_iov_init(&c, chain, CHAIN);
	ASSERT_OK(gm_iov_read(&self->v, &c, want, CHAIN_LEN));
	for (max = 1; max <= CHAIN_LEN; max++) {
		for (room = 1; room <= 7; room++) {
			gm_iov_init(&c, chain, CHAIN);
			memset(got, 0, sizeof(got));
			at = 0;
			while ((n = gm_iov_extract(&self->v, &c, GM_PERM_RW, max,
						   iov, room, &bytes)) > 0) {
				uint64_t before = at;

				gather(iov, n, got, &at);
				ASSERT_EQ(bytes, at - before);
				ASSERT_LE(bytes, max);
				ASSERT_LE(n, room);
				ASSERT_TRUE(bytes == max || n == room ||
					    at == CHAIN_LEN);
				ASSERT_EQ(CHAIN_LEN - at, gm_iov_left(&c));
			}
			EXPECT_EQ(0, n);
			EXPECT_EQ(CHAIN_LEN, at);
			EXPECT_EQ(0, memcmp(want, got, CHAIN_LEN));
		}
	}
	for (skip = 0; skip <= CHAIN_LEN; skip++) {
		gm_iov_init(&c, chain, CHAIN);
		EXPECT_EQ(0, gm_iov_skip(&c, skip));
		EXPECT_EQ(CHAIN_LEN - skip, gm_iov_left(&c));
		at = skip;
		n = gm_iov_extract(&self->v, &c, GM_PERM_READ, UINT64_MAX, iov,
				   16, &bytes);
		gather(iov, n, got, &at);
		EXPECT_EQ(CHAIN_LEN, at);
		EXPECT_EQ(0, memcmp(want + skip, got + skip, CHAIN_LEN - skip));
	}
}

TEST_F(iov, skip_past_the_end)
{
	struct gm_iov_cursor c;

	gm_iov_init(&c, chain, CHAIN);
	EXPECT_EQ(0, gm_iov_skip(&c, 40));
	EXPECT_FAIL_KIND(gm_iov_skip(&c, 2), ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(2, gm_error_last()->len);
	EXPECT_EQ(1, gm_error_last()->expected);
	EXPECT_EQ(1, gm_iov_left(&c));
	EXPECT_EQ(0, gm_iov_skip(&c, 1));
	EXPECT_EQ(0, gm_iov_skip(&c, 0));
	EXPECT_EQ(0, gm_iov_left(&c));
}

TEST_F(iov, no_room)
{
	struct gm_iov_cursor c;
	struct iovec iov[1];
	uint64_t bytes = 77;

	gm_iov_init(&c, chain, CHAIN);
	EXPECT_FAIL_KIND(gm_iov_extract(&self->v, &c, GM_PERM_READ, 8, iov, 0,
					&bytes), EINVAL, GM_ERR_SIZE);
	EXPECT_FAIL_KIND(gm_iov_extract(&self->v, &c, GM_PERM_READ, 8, iov, -1,
					&bytes), EINVAL, GM_ERR_SIZE);
	EXPECT_EQ(77, bytes);
	EXPECT_EQ(CHAIN_LEN, gm_iov_left(&c));
	EXPECT_EQ(0, gm_iov_extract(&self->v, &c, GM_PERM_READ, 0, iov, 1,
				    &bytes));
	EXPECT_EQ(0, bytes);
}

/* Refused: nothing moved, @bytes untouched. */
#define EXPECT_REFUSED(perm, code, kind, addr_, ...) do { \
	const struct gm_range list_[] = { __VA_ARGS__ }; \
	struct gm_iov_cursor c_, before_; \
	struct iovec iov_[8]; \
	uint64_t bytes_ = 77; \
	gm_iov_init(&c_, list_, sizeof(list_) / sizeof(list_[0])); \
	before_ = c_; \
	EXPECT_FAIL_KIND(gm_iov_extract(&self->v, &c_, perm, UINT64_MAX, iov_, \
					8, &bytes_), code, kind); \
	EXPECT_EQ((uint64_t)(addr_), gm_error_last()->addr); \
	EXPECT_EQ(77, bytes_); \
	EXPECT_EQ(0, memcmp(&c_, &before_, sizeof(c_))); \
} while (0)

TEST_F(iov, hole)
{
	EXPECT_REFUSED(GM_PERM_READ, EFAULT, GM_ERR_GUEST_ADDR, BASE + 128,
		       { BASE, 8 }, { BASE + 100, 29 });
	EXPECT_REFUSED(GM_PERM_READ, EFAULT, GM_ERR_GUEST_ADDR, BASE + 128,
		       { BASE + 128, 1 });
}

TEST_F(iov, read_only)
{
	struct gm_range rom = { BASE + 0x1000, 8 };
	struct gm_iov_cursor c;
	struct iovec iov[2];
	uint64_t bytes;

	EXPECT_REFUSED(GM_PERM_WRITE, EACCES, GM_ERR_PERMISSION, BASE + 0x1000,
		       { BASE, 8 }, { BASE + 0x1000, 8 });
	EXPECT_REFUSED(GM_PERM_RW, EACCES, GM_ERR_PERMISSION, BASE + 0x1004,
		       { BASE + 0x1004, 8 });
	gm_iov_init(&c, &rom, 1);
	EXPECT_EQ(1, gm_iov_extract(&self->v, &c, GM_PERM_READ, 100, iov, 2,
				    &bytes));
	EXPECT_EQ((void *)self->rom, iov[0].iov_base);
}

TEST_F(iov, on_demand)
{
	EXPECT_REFUSED(GM_PERM_READ, EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
		       BASE + 0x1044, { BASE, 8 }, { BASE + 0x1044, 8 });
	/* The address is that of the region, not of the range. */
	EXPECT_REFUSED(GM_PERM_READ, EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
		       BASE + 0x1040, { BASE + 0x1030, 32 });
	EXPECT_EQ(0, self->own[FAR].begins);
}

/* Design, section 5, number 6: never on to address 0, however it is cut. */
TEST_F(iov, range_that_wraps_is_refused)
{
	static const struct gm_range wraps = { UINT64_MAX - 3, 8 };
	struct gm_iov_cursor c;
	uint8_t buf[8] = { 0 };
	struct iovec iov[4];
	uint64_t bytes, cut;

	EXPECT_REFUSED(GM_PERM_READ, EOVERFLOW, GM_ERR_GUEST_OVERFLOW,
		       gm_error_last()->addr, { UINT64_MAX - 3, 8 });
	for (cut = 4; cut < 8; cut++) {
		gm_iov_init(&c, &wraps, 1);
		ASSERT_EQ(0, gm_iov_skip(&c, cut));
		bytes = 77;
		EXPECT_FAIL_KIND(gm_iov_extract(&self->v, &c, GM_PERM_READ, 1,
						iov, 4, &bytes),
				 EOVERFLOW, GM_ERR_GUEST_OVERFLOW);
		EXPECT_EQ(77, bytes);
		EXPECT_FAIL_KIND(gm_iov_read(&self->v, &c, buf, 1), EOVERFLOW,
				 GM_ERR_GUEST_OVERFLOW);
		EXPECT_FAIL_KIND(gm_iov_write(&self->v, &c, buf, 1), EOVERFLOW,
				 GM_ERR_GUEST_OVERFLOW);
		EXPECT_EQ(8 - cut, gm_iov_left(&c));
		gm_iov_mark(&self->v, &c, 8);
		EXPECT_EQ(0, take(self->bm[ZERO]));
	}
	EXPECT_EQ('A', self->mem[ZERO][0]);
	/* Filled array in between. */
	gm_iov_init(&c, &wraps, 1);
	EXPECT_EQ(1, gm_iov_extract(&self->v, &c, GM_PERM_READ, 4, iov, 1,
				    &bytes));
	EXPECT_EQ(4, bytes);
	EXPECT_EQ(-EOVERFLOW, gm_iov_extract(&self->v, &c, GM_PERM_READ, 4, iov,
					     1, &bytes));
}

TEST_F(iov, read_and_write)
{
	uint8_t out[CHAIN_LEN], in[CHAIN_LEN];
	struct gm_iov_cursor c;
	size_t i, step;

	for (i = 0; i < CHAIN_LEN; i++)
		in[i] = (uint8_t)(0x80 + i);
	for (step = 1; step <= CHAIN_LEN; step++) {
		gm_iov_init(&c, chain, CHAIN);
		for (i = 0; i + step <= CHAIN_LEN; i += step)
			EXPECT_EQ(0, gm_iov_write(&self->v, &c, in + i, step));
		EXPECT_EQ(0, gm_iov_write(&self->v, &c, in + i, CHAIN_LEN - i));
		EXPECT_EQ(0, gm_iov_left(&c));
		memset(out, 0, sizeof(out));
		gm_iov_init(&c, chain, CHAIN);
		for (i = 0; i + step <= CHAIN_LEN; i += step)
			EXPECT_EQ(0, gm_iov_read(&self->v, &c, out + i, step));
		EXPECT_EQ(0, gm_iov_read(&self->v, &c, out + i, CHAIN_LEN - i));
		EXPECT_EQ(0, memcmp(in, out, CHAIN_LEN));
	}
	EXPECT_EQ(0x81, take(self->bm[LOW]));
	EXPECT_EQ(0x81, take(self->bm[HIGH]));
	EXPECT_EQ(1, take(self->bm[ZERO]));
	EXPECT_EQ(0x80, take(self->bm[LAST]));

	gm_iov_init(&c, chain, CHAIN);
	EXPECT_FAIL_KIND(gm_iov_read(&self->v, &c, out, CHAIN_LEN + 1), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	EXPECT_FAIL_KIND(gm_iov_write(&self->v, &c, in, CHAIN_LEN + 1), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(CHAIN_LEN, gm_iov_left(&c));
	EXPECT_EQ(0, take(self->bm[LOW]));
}

/* Unlike iovecs, copies reach memory that is mapped on demand. */
TEST_F(iov, read_and_write_on_demand_and_errors)
{
	static const struct gm_range list[] = {
		{ BASE + 0x1038, 16 }, { BASE + 128, 4 },
	};
	struct gm_iov_cursor c;
	uint8_t buf[20] = { 0 };

	gm_iov_init(&c, list, 2);
	EXPECT_EQ(0, gm_iov_read(&self->v, &c, buf, 16));
	EXPECT_EQ('A' + FAR, buf[8]);
	EXPECT_FAIL(gm_iov_read(&self->v, &c, buf, 4), EFAULT, GM_ERR_GUEST_ADDR,
		    BASE + 128, 0, 0, 0);
	EXPECT_EQ(4, gm_iov_left(&c));
	gm_iov_init(&c, list, 2);
	EXPECT_FAIL_KIND(gm_iov_write(&self->v, &c, buf, 16), EACCES,
			 GM_ERR_PERMISSION);
	EXPECT_EQ(20, gm_iov_left(&c));
	EXPECT_EQ(0, gm_iov_skip(&c, 8));
	EXPECT_EQ(0, gm_iov_write(&self->v, &c, buf, 8));
	EXPECT_EQ(1, take(self->bm[FAR]));
}

TEST_F(iov, mark_exactly_what_was_written)
{
	struct gm_iov_cursor c, from;
	uint64_t n;

	for (n = 0; n <= CHAIN_LEN + 3; n++) {
		uint64_t left = n < CHAIN_LEN ? CHAIN_LEN - n : 0;

		gm_iov_init(&c, chain, CHAIN);
		from = c;
		gm_iov_mark(&self->v, &from, n);
		EXPECT_EQ(left, gm_iov_left(&from));
		EXPECT_EQ((n > 0 ? 0x80 : 0) | (n > 16 ? 1 : 0),
			  take(self->bm[LOW]));
		EXPECT_EQ((n > 8 ? 1 : 0) | (n > 24 ? 0x80 : 0),
			  take(self->bm[HIGH]));
		EXPECT_EQ(n > 32 ? 1 : 0, take(self->bm[ZERO]));
		EXPECT_EQ(n > 37 ? 0x80 : 0, take(self->bm[LAST]));
	}
}

TEST_F(iov, one_system_call_moves_a_request)
{
	struct gm_iov_cursor c, from;
	struct iovec iov[16];
	uint8_t data[CHAIN_LEN];
	uint64_t bytes;
	int fd[2], n;

	memset(data, 'x', sizeof(data));
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(30, write(fd[1], data, 30));
	gm_iov_init(&c, chain, CHAIN);
	from = c;
	n = gm_iov_extract(&self->v, &c, GM_PERM_WRITE, UINT64_MAX, iov, 16,
			   &bytes);
	ASSERT_EQ(6, n);
	/* A short read: only what came is marked, and only that is done. */
	ASSERT_EQ(30, readv(fd[0], iov, n));
	gm_iov_mark(&self->v, &from, 30);
	EXPECT_EQ(CHAIN_LEN - 30, gm_iov_left(&from));
	EXPECT_EQ(0x81, take(self->bm[LOW]));
	EXPECT_EQ(0x81, take(self->bm[HIGH]));
	EXPECT_EQ(0, take(self->bm[ZERO]));
	EXPECT_EQ('x', self->mem[LOW][7]);
	EXPECT_EQ('A', self->mem[ZERO][3]);
	close(fd[0]);
	close(fd[1]);
}

TEST_HARNESS_MAIN
