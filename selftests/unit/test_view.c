/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_view.c - what a device holds: checks with rights, slices, the walk over
 * a range, the callback form, and views of maps that others have replaced.
 */
/* gm-test: windows */
#include <string.h>
#include <sys/mman.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"
#include "pages.h"

#define BASE UINT64_C(0x1000)
#define SIZE 64
#define TOP (UINT64_MAX - 63)

/* A, B, ROM are adjacent; B is on demand. Then a hole. LAST ends at 2^64. */
enum { A, B, ROM, LAST, N };

static const uint64_t base_of[N] = {
	BASE, BASE + SIZE, BASE + 2 * SIZE, TOP,
};

FIXTURE(view) {
	uint8_t *mem;
	struct own_region own[N];
	struct gm_region *regions[N];
	struct gm_map *m;
	struct gm_view v;
};

FIXTURE_SETUP(view)
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
		uint8_t *mem = self->mem + ANY_PAGE * i;

		memset(mem, 'a' + i, SIZE);
		self->regions[i] = &self->own[i].r;
		rom.addr = mem;
		if (i == ROM)
			ASSERT_OK(gm_region_new_mmap(gm_gpa(base_of[i]), SIZE,
						     &rom, &self->regions[i]));
		else if (i == B)
			ASSERT_OK(own_region_init_on_demand(&self->own[i],
					base_of[i], SIZE, mem, NULL));
		else
			ASSERT_OK(own_region_init_direct(&self->own[i],
					base_of[i], SIZE, mem, NULL));
	}
	ASSERT_OK(gm_map_new(self->regions, N, &self->m));
	gm_view_init(&self->v, self->m);
}

FIXTURE_TEARDOWN(view)
{
	int i;

	gm_map_put(self->m);
	for (i = 0; i < N; i++) {
		gm_region_put(self->regions[i]);
		EXPECT_EQ(0, self->own[i].bad);
		EXPECT_EQ(0, self->own[i].open);
	}
	munmap(self->mem, N * ANY_PAGE);
}

TEST_F(view, physical_memory)
{
	EXPECT_EQ(self->m, gm_view_map(&self->v));
}

TEST_F(view, check_range_with_rights)
{
	static const enum gm_perm perms[] = {
		GM_PERM_NONE, GM_PERM_READ, GM_PERM_WRITE, GM_PERM_RW,
	};
	gm_gpa_t a = gm_gpa(BASE), rom = gm_gpa(base_of[ROM]);
	int i;

	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, gm_view_check_range(&self->v, a, 2 * SIZE, perms[i]));
		EXPECT_EQ(0, gm_view_check_range(&self->v, gm_gpa(0), 0, perms[i]));
		EXPECT_EQ(0, gm_view_check_range(&self->v, gm_gpa(TOP), SIZE,
						 perms[i]));
		EXPECT_FAIL(gm_view_check_range(&self->v, a, 3 * SIZE + 1,
						GM_PERM_READ), EFAULT,
			    GM_ERR_GUEST_ADDR, BASE + 3 * SIZE, 0, 0, 0);
		if (!gm_perm_has_write(perms[i])) {
			EXPECT_EQ(0, gm_view_check_range(&self->v, a, 3 * SIZE,
							 perms[i]));
			continue;
		}
		EXPECT_FAIL_KIND(gm_view_check_range(&self->v, a, 3 * SIZE,
						     perms[i]),
				 EACCES, GM_ERR_PERMISSION);
		EXPECT_EQ(base_of[ROM], gm_error_last()->addr);
		EXPECT_FAIL(gm_view_check_range(&self->v, rom, 8, perms[i]),
			    EACCES, GM_ERR_PERMISSION, base_of[ROM], 8, 0, 0);
	}
	/* Nothing was mapped for a mere question. */
	EXPECT_EQ(0, self->own[B].begins);
}

TEST_F(view, range_that_wraps_is_refused)
{
	struct gm_slice s;

	EXPECT_FAIL(gm_view_check_range(&self->v, gm_gpa(UINT64_MAX), 2,
					GM_PERM_NONE),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX, 2, 0, 0);
	EXPECT_FAIL(gm_view_slice(&self->v, gm_gpa(UINT64_MAX - 3), 8,
				  GM_PERM_READ, &s),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX - 3, 8, 0, 0);
	EXPECT_FAIL(gm_view_slice(&self->v, gm_gpa(BASE), UINT64_MAX,
				  GM_PERM_READ, &s),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, BASE, UINT64_MAX, 0, 0);
}

TEST_F(view, slice_in_one_piece)
{
	struct gm_slice s, untouched;
	uint64_t v = 0;

	memset(&s, 0x5a, sizeof(s));
	untouched = s;
	EXPECT_FAIL(gm_view_slice(&self->v, gm_gpa(BASE - 1), 1, GM_PERM_READ,
				  &s),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE - 1, 0, 0, 0);
	EXPECT_FAIL(gm_view_slice(&self->v, gm_gpa(BASE + 3 * SIZE), 0,
				  GM_PERM_READ, &s),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + 3 * SIZE, 0, 0, 0);
	EXPECT_FAIL_KIND(gm_view_slice(&self->v, gm_gpa(BASE + 1), SIZE,
				       GM_PERM_READ, &s),
			 EMSGSIZE, GM_ERR_FRAGMENTED);
	EXPECT_EQ(BASE + 1, gm_error_last()->addr);
	EXPECT_EQ(SIZE, gm_error_last()->len);
	EXPECT_EQ(SIZE - 1, gm_error_last()->completed);
	EXPECT_FAIL_KIND(gm_view_slice(&self->v, gm_gpa(base_of[ROM]), 8,
				       GM_PERM_RW, &s),
			 EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(0, memcmp(&s, &untouched, sizeof(s)));

	ASSERT_OK(gm_view_slice(&self->v, gm_gpa(base_of[ROM] + 8), 8,
				GM_PERM_READ, &s));
	EXPECT_EQ(0, gm_slice_read_u64(s, 0, &v));
	EXPECT_EQ('c', v & 0xff);
	EXPECT_EQ(-EACCES, gm_slice_write_u64(s, 0, 1));
	/* On demand: each access through it, to its own place. */
	ASSERT_OK(gm_view_slice(&self->v, gm_gpa(base_of[B] + 8), 16,
				GM_PERM_RW, &s));
	EXPECT_EQ(0, gm_slice_write_u64(s, 8, 0x4242424242424242));
	EXPECT_EQ(16, self->own[B].last_off);
	EXPECT_EQ(8, self->own[B].last_len);
	EXPECT_EQ('B', self->mem[ANY_PAGE * B + 16]);
	EXPECT_EQ('b', self->mem[ANY_PAGE * B + 15]);
	EXPECT_EQ(-ERANGE, gm_slice_read_u64(s, 16, &v));
	ASSERT_OK(gm_view_slice(&self->v, gm_gpa(UINT64_MAX - 7), 8, GM_PERM_RW,
				&s));
	EXPECT_EQ(8, gm_slice_len(s));
}

TEST_F(view, slices_of_a_range)
{
	static const uint64_t lens[] = { SIZE - 4, SIZE, 5 };
	struct gm_slices it;
	struct gm_slice s;
	uint8_t byte;
	int i = 0, ret;

	gm_slices_init(&it, &self->v, gm_gpa(BASE + 4), 2 * SIZE + 1,
		       GM_PERM_READ);
	while ((ret = gm_slices_next(&it, &s)) > 0) {
		ASSERT_LT(i, 3);
		EXPECT_EQ(lens[i], gm_slice_len(s));
		EXPECT_EQ(0, gm_slice_read_u8(s, lens[i] - 1, &byte));
		EXPECT_EQ('a' + i, byte);
		i++;
	}
	EXPECT_EQ(0, ret);
	EXPECT_EQ(3, i);
	EXPECT_EQ(0, gm_slices_next(&it, &s));
	gm_slices_init(&it, &self->v, gm_gpa(0), 0, GM_PERM_READ);
	EXPECT_EQ(0, gm_slices_next(&it, &s));
}

TEST_F(view, slices_end_at_an_error)
{
	struct gm_slices it;
	struct gm_slice s;

	gm_slices_init(&it, &self->v, gm_gpa(base_of[ROM]), SIZE + 1,
		       GM_PERM_READ);
	EXPECT_EQ(1, gm_slices_next(&it, &s));
	EXPECT_EQ(SIZE, gm_slice_len(s));
	EXPECT_FAIL(gm_slices_next(&it, &s), EFAULT, GM_ERR_GUEST_ADDR,
		    BASE + 3 * SIZE, 0, 0, 0);
	EXPECT_EQ(SIZE, gm_slice_len(s));
	EXPECT_EQ(0, gm_slices_next(&it, &s));

	gm_slices_init(&it, &self->v, gm_gpa(base_of[B]), 2 * SIZE,
		       GM_PERM_WRITE);
	EXPECT_EQ(1, gm_slices_next(&it, &s));
	EXPECT_FAIL_KIND(gm_slices_next(&it, &s), EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(0, gm_slices_next(&it, &s));

	/* To the last address, and not on at 0. */
	gm_slices_init(&it, &self->v, gm_gpa(TOP + 60), 4, GM_PERM_READ);
	EXPECT_EQ(1, gm_slices_next(&it, &s));
	EXPECT_EQ(0, gm_slices_next(&it, &s));
	gm_slices_init(&it, &self->v, gm_gpa(TOP + 60), 5, GM_PERM_READ);
	EXPECT_EQ(1, gm_slices_next(&it, &s));
	EXPECT_EQ(4, gm_slice_len(s));
	EXPECT_FAIL_KIND(gm_slices_next(&it, &s), EOVERFLOW,
			 GM_ERR_GUEST_OVERFLOW);
	EXPECT_EQ(0, gm_slices_next(&it, &s));
}

TEST_F(view, slices_that_stop_without_an_error)
{
	struct gm_slices it;
	struct gm_slice s;

	gm_slices_init_stop(&it, &self->v, gm_gpa(base_of[ROM]), 1000,
			    GM_PERM_READ);
	EXPECT_EQ(1, gm_slices_next(&it, &s));
	EXPECT_EQ(0, gm_slices_next(&it, &s));
	EXPECT_EQ(0, gm_slices_next(&it, &s));
	gm_slices_init_stop(&it, &self->v, gm_gpa(TOP), 1000, GM_PERM_READ);
	EXPECT_EQ(1, gm_slices_next(&it, &s));
	EXPECT_EQ(0, gm_slices_next(&it, &s));
	/* An error at the first is one. */
	gm_slices_init_stop(&it, &self->v, gm_gpa(BASE - 1), 1000, GM_PERM_READ);
	EXPECT_EQ(-EFAULT, gm_slices_next(&it, &s));
	EXPECT_EQ(0, gm_slices_next(&it, &s));
	gm_slices_init_stop(&it, &self->v, gm_gpa(base_of[ROM]), 8,
			    GM_PERM_WRITE);
	EXPECT_EQ(-EACCES, gm_slices_next(&it, &s));
}

/* What the callback is to answer, and what it was told. */
struct script {
	int64_t answer[8];	/* 0 and ALL: see below */
	int calls;
	uint64_t done[8], len[8], off[8];
	struct gm_region *r[8];
};

#define ALL INT64_MAX

static int64_t play(void *ctx, uint64_t done, uint64_t len, gm_roff_t off,
		    struct gm_region *r)
{
	struct script *s = ctx;
	int i = s->calls++;

	s->done[i] = done;
	s->len[i] = len;
	s->off[i] = gm_roff_raw(off);
	s->r[i] = r;
	return s->answer[i] == ALL ? (int64_t)len : s->answer[i];
}

TEST_F(view, try_access_goes_over_all_pieces)
{
	struct script s = { .answer = { ALL, ALL, ALL } };
	int i;

	EXPECT_EQ(2 * SIZE, gm_view_try_access(&self->v, gm_gpa(BASE + 4),
					       2 * SIZE, play, &s));
	ASSERT_EQ(3, s.calls);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(self->regions[i], s.r[i]);
		EXPECT_EQ(i ? 0 : 4, s.off[i]);
	}
	EXPECT_EQ(0, s.done[0]);
	EXPECT_EQ(SIZE - 4, s.len[0]);
	EXPECT_EQ(SIZE - 4, s.done[1]);
	EXPECT_EQ(SIZE, s.len[1]);
	EXPECT_EQ(2 * SIZE - 4, s.done[2]);
	EXPECT_EQ(4, s.len[2]);

	s.calls = 0;
	EXPECT_EQ(0, gm_view_try_access(&self->v, gm_gpa(0), 0, play, &s));
	EXPECT_EQ(0, s.calls);
}

TEST_F(view, try_access_goes_on_after_less_than_a_piece)
{
	struct script s = { .answer = { 10, 20, ALL, 0 } };

	EXPECT_EQ(SIZE, gm_view_try_access(&self->v, gm_gpa(BASE), 2 * SIZE,
					   play, &s));
	EXPECT_EQ(4, s.calls);
	EXPECT_EQ(10, s.off[1]);
	EXPECT_EQ(30, s.off[2]);
	EXPECT_EQ(SIZE - 30, s.len[2]);
	EXPECT_EQ(self->regions[B], s.r[3]);
}

TEST_F(view, try_access_stops)
{
	struct script s = { .answer = { ALL, -EIO } };

	EXPECT_EQ(-EIO, gm_view_try_access(&self->v, gm_gpa(BASE), 2 * SIZE,
					   play, &s));
	/* At the first hole, with what is done; an error if that is nothing. */
	s = (struct script){ .answer = { ALL, ALL } };
	EXPECT_EQ(SIZE, gm_view_try_access(&self->v, gm_gpa(base_of[ROM]),
					   2 * SIZE, play, &s));
	EXPECT_EQ(1, s.calls);
	EXPECT_FAIL(gm_view_try_access(&self->v, gm_gpa(BASE + 3 * SIZE), 1, play,
				       &s),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + 3 * SIZE, 0, 0, 0);
	EXPECT_EQ(1, s.calls);
}

TEST_F(view, try_access_callback_claims_too_much)
{
	struct script s = { .answer = { ALL, SIZE + 1 } };

	EXPECT_FAIL_KIND(gm_view_try_access(&self->v, gm_gpa(BASE), 3 * SIZE,
					    play, &s),
			 ERANGE, GM_ERR_CALLBACK_RANGE);
	EXPECT_EQ(SIZE, gm_error_last()->expected);
	EXPECT_EQ(SIZE + 1, gm_error_last()->completed);
	EXPECT_EQ(2, s.calls);
}

TEST_F(view, try_access_at_the_end_of_the_address_space)
{
	struct script s = { .answer = { ALL, ALL } };

	EXPECT_EQ(4, gm_view_try_access(&self->v, gm_gpa(TOP + 60), 4, play, &s));
	EXPECT_FAIL(gm_view_try_access(&self->v, gm_gpa(TOP + 60), 5, play, &s),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, TOP + 60, 5, 0, 0);
	EXPECT_EQ(2, s.calls);
	EXPECT_EQ(4, s.len[1]);
}

/* A device's view stays good while its map does, whatever maps come after. */
static int64_t all_of_it(void *ctx, uint64_t done, uint64_t len, gm_roff_t off,
			 struct gm_region *r)
{
	return len < (UINT64_C(1) << 62) ? (int64_t)len : INT64_C(1) << 62;
}

TEST_F(view, try_access_does_no_more_than_its_result_can_say)
{
	struct own_region vast;
	struct gm_region *r = &vast.r;
	struct gm_map *m;
	struct gm_view v;

	ASSERT_OK(own_region_init_on_demand(&vast, 0, UINT64_MAX, self->mem, NULL));
	ASSERT_OK(gm_map_new(&r, 1, &m));
	gm_view_init(&v, m);
	EXPECT_EQ(INT64_MAX, gm_view_try_access(&v, gm_gpa(0), UINT64_MAX,
						all_of_it, NULL));
	gm_map_put(m);
	gm_region_put(r);
}

TEST_F(view, view_of_an_old_map_after_insert_and_remove)
{
	struct own_region plug;
	struct gm_map *more, *less;
	struct gm_view v;
	uint8_t mem[SIZE];
	uint64_t x = 0;

	memset(mem, 'p', sizeof(mem));
	ASSERT_OK(own_region_init_direct(&plug, BASE + 3 * SIZE, SIZE, mem, NULL));
	EXPECT_EQ(0, gm_view_read_u64(&self->v, gm_gpa(BASE), &x));
	ASSERT_OK(gm_map_insert(self->m, &plug.r, &more));
	gm_view_init(&v, more);
	EXPECT_EQ(0, gm_view_read_u64(&v, gm_gpa(BASE + 3 * SIZE), &x));
	EXPECT_EQ('p', x & 0xff);
	EXPECT_EQ(-EFAULT, gm_view_read_u64(&self->v, gm_gpa(BASE + 3 * SIZE),
					    &x));
	EXPECT_EQ(0, gm_view_write_u64(&self->v, gm_gpa(BASE), 7));
	/* Both see one memory. */
	EXPECT_EQ(0, gm_view_read_u64(&v, gm_gpa(BASE), &x));
	EXPECT_EQ(7, x);

	ASSERT_OK(gm_map_remove(more, gm_gpa(BASE), SIZE, &less, NULL));
	gm_map_put(more);
	gm_view_init(&v, less);
	EXPECT_EQ(-EFAULT, gm_view_read_u64(&v, gm_gpa(BASE), &x));
	EXPECT_EQ(0, gm_view_read_u64(&self->v, gm_gpa(BASE), &x));
	gm_map_put(less);
	gm_region_put(&plug.r);
	EXPECT_EQ(1, plug.released);
}

/* The hint is of use and never in the way: two regions in turn, and misses. */
TEST_F(view, hint_follows)
{
	uint64_t x;
	int i;

	for (i = 0; i < 10; i++) {
		gm_gpa_t at = gm_gpa(i & 1 ? TOP : BASE + (uint64_t)i);

		EXPECT_EQ(0, gm_view_read_u64(&self->v, at, &x));
		EXPECT_EQ(i & 1 ? 'a' + LAST : 'a', x & 0xff);
		EXPECT_EQ(-EFAULT, gm_view_read_u64(&self->v, gm_gpa(0), &x));
		EXPECT_EQ(0, gm_view_read_u64(&self->v, gm_gpa(base_of[B]), &x));
		EXPECT_EQ('b', x & 0xff);
	}
	EXPECT_EQ(10, self->own[B].begins);
}

TEST_HARNESS_MAIN
