/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice.h, ref.h, io.h on memory that has no host address: each access asks the
 * region for exactly what it needs and gives it back, also when it fails.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/ref.h>
#include <guestmem/access.h>
#include "expect.h"
#include "own_region.h"

#define TOP UINT64_MAX
#define LEN 256
#define BASE UINT64_C(0x10000)

FIXTURE(od) {
	_Alignas(16) uint8_t mem[LEN];
	struct own_region o;
	struct gm_slice s;	/* [64, 192) of it */
};

FIXTURE_SETUP(od)
{
	for (size_t i = 0; i < LEN; i++)
		self->mem[i] = (uint8_t)i;
	ASSERT_OK(own_region_init_on_demand(&self->o, BASE, LEN, self->mem, NULL));
	ASSERT_OK(gm_region_slice(&self->o.r, gm_roff(64), 128, &self->s));
}

FIXTURE_TEARDOWN(od)
{
	/* Balance: what was begun was ended, and nothing else happened. */
	EXPECT_EQ(0, self->o.open);
	gm_region_put(&self->o.r);
	EXPECT_EQ(1, self->o.released);
	EXPECT_EQ(0, self->o.bad);
}

/* The last access asked for this and nothing else, and it was the nth. */
#define EXPECT_ASKED(n, off_, len_, perm_) do { \
	EXPECT_EQ(n, self->o.begins); \
	EXPECT_EQ((uint64_t)(off_), self->o.last_off); \
	EXPECT_EQ((uint64_t)(len_), self->o.last_len); \
	EXPECT_EQ(perm_, self->o.last_perm); \
	EXPECT_EQ(0, self->o.open); \
} while (0)

TEST_F(od, slice_has_no_host_address)
{
	void *p = NULL;

	EXPECT_EQ(NULL, self->s.host);
	EXPECT_EQ(&self->o.r, self->s.region);
	EXPECT_EQ(64, self->s.off);
	EXPECT_EQ(128, gm_slice_len(self->s));
	EXPECT_EQ(GM_PERM_RW, gm_slice_perm(self->s));
	EXPECT_EQ(NULL, gm_slice_bitmap(self->s).bm);
	EXPECT_FAIL(gm_slice_aligned_ptr(self->s, 8, 16, 8, &p), EOPNOTSUPP,
		    GM_ERR_NO_HOST_ADDR, 72, 16, 0, 0);
	EXPECT_FAIL(gm_slice_atomic_ptr(self->s, 8, 8, &p), EOPNOTSUPP,
		    GM_ERR_NO_HOST_ADDR, 72, 8, 0, 0);
	EXPECT_EQ(NULL, p);
	EXPECT_EQ(0, self->o.begins);
}

TEST_F(od, reads_and_writes_ask_for_exactly_their_bytes)
{
	uint8_t buf[128] = { 0 };

	EXPECT_EQ(0, gm_slice_read(self->s, 3, buf, 20));
	EXPECT_EQ(0, memcmp(buf, self->mem + 67, 20));
	EXPECT_ASKED(1, 67, 20, GM_PERM_READ);
	EXPECT_EQ(0, gm_slice_write(self->s, 5, "abcdefgh", 8));
	EXPECT_EQ(0, memcmp(self->mem + 68, "\x44" "abcdefgh\x4d", 10));
	EXPECT_ASKED(2, 69, 8, GM_PERM_WRITE);
	EXPECT_EQ(4, gm_slice_read_some(self->s, 124, buf, 50));
	EXPECT_EQ(0, memcmp(buf, self->mem + 188, 4));
	EXPECT_ASKED(3, 188, 4, GM_PERM_READ);
	EXPECT_EQ(2, gm_slice_write_some(self->s, 126, "xyz", 3));
	EXPECT_EQ(0, memcmp(self->mem + 189, "\xbdxy\xc0", 4));
	EXPECT_ASKED(4, 190, 2, GM_PERM_WRITE);
}

TEST_F(od, narrowed_slice_keeps_its_place_in_region)
{
	struct gm_slice sub, head, tail;
	uint8_t v = 0;

	ASSERT_OK(gm_slice_sub(self->s, 16, 100, &sub));
	ASSERT_OK(gm_slice_split(sub, 10, &head, &tail));
	EXPECT_EQ(NULL, tail.host);
	EXPECT_EQ(90, tail.off);
	EXPECT_EQ(90, tail.len);
	EXPECT_EQ(0, gm_slice_read_u8(tail, 1, &v));
	EXPECT_EQ(91, v);
	EXPECT_ASKED(1, 91, 1, GM_PERM_READ);
}

TEST_F(od, out_of_bounds_access_asks_for_nothing)
{
	uint32_t v = 77;

	EXPECT_FAIL(gm_slice_read(self->s, 128, &v, 4), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 128, 4, 128, 0);
	EXPECT_FAIL(gm_slice_write(self->s, 128, &v, 4), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 128, 4, 128, 0);
	EXPECT_FAIL(gm_slice_load(self->s, 126, &v, 4, GM_RELAXED), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 126, 4, 128, 0);
	EXPECT_FAIL(gm_slice_store(self->s, TOP, &v, 4, GM_RELAXED), EOVERFLOW,
		    GM_ERR_OVERFLOW, TOP, 4, 0, 0);
	EXPECT_EQ(0, gm_slice_read(self->s, TOP, &v, 0));
	EXPECT_EQ(0, gm_slice_write(self->s, 128, &v, 0));
	EXPECT_EQ(77, v);
	EXPECT_EQ(0, self->o.begins);
}

TEST_F(od, read_that_is_cut_keeps_what_was_there)
{
	uint8_t buf[8] = { 0 };

	EXPECT_FAIL(gm_slice_read(self->s, 125, buf, 8), ERANGE, GM_ERR_PARTIAL,
		    128, 0, 8, 3);
	EXPECT_EQ(0, memcmp(buf, "\xbd\xbe\xbf\0\0", 5));
	EXPECT_ASKED(1, 189, 3, GM_PERM_READ);
}

TEST_F(od, atomics_work_through_begin_and_end)
{
	uint64_t v;
	int n = 0;

	for (uint64_t size = 1; size <= 8; size *= 2) {
		v = 0;
		EXPECT_EQ(0, gm_slice_load(self->s, size, &v, size, GM_ACQUIRE));
		EXPECT_EQ(0, memcmp(&v, self->mem + 64 + size, size));
		EXPECT_ASKED(++n, 64 + size, size, GM_PERM_READ);
		v = UINT64_C(0xf1f2f3f4f5f6f7f8);
		EXPECT_EQ(0, gm_slice_store(self->s, size, &v, size, GM_RELEASE));
		EXPECT_EQ(0, memcmp(&v, self->mem + 64 + size, size));
		EXPECT_ASKED(++n, 64 + size, size, GM_PERM_WRITE);
	}
}

TEST_F(od, bad_atomic_access_gives_back_what_it_asked_for)
{
	uint64_t v = 77;

	EXPECT_FAIL_KIND(gm_slice_load(self->s, 3, &v, 8, GM_RELAXED), EINVAL,
			 GM_ERR_MISALIGNED);
	EXPECT_NE(0, gm_error_last()->addr % 8);
	EXPECT_EQ(8, gm_error_last()->len);
	EXPECT_FAIL_KIND(gm_slice_store(self->s, 1, &v, 2, GM_RELAXED), EINVAL,
			 GM_ERR_MISALIGNED);
	EXPECT_FAIL(gm_slice_load(self->s, 0, &v, 3, GM_RELAXED), EINVAL,
		    GM_ERR_SIZE, 3, 0, 0, 0);
	EXPECT_FAIL(gm_slice_store(self->s, 0, &v, 8, GM_ACQUIRE), EINVAL,
		    GM_ERR_ORDER, GM_ACQUIRE, 0, 0, 0);
	EXPECT_EQ(77, v);
	EXPECT_EQ(64, self->mem[64]);
	EXPECT_EQ(0, self->o.open);
}

TEST_F(od, element_copies_ask_for_whole_elements)
{
	uint32_t v[40];

	EXPECT_EQ(3, gm_slice_copy_to(self->s, v, 40, 4));
	EXPECT_EQ(0, memcmp(v, self->mem + 64, 120));
	EXPECT_ASKED(1, 64, 120, GM_PERM_READ);
	memset(v, 0x11, sizeof(v));
	EXPECT_EQ(2, gm_slice_copy_from(self->s, v, 4, 2));
	EXPECT_EQ(0, memcmp(v, self->mem + 64, 8));
	EXPECT_EQ(72, self->mem[72]);
	EXPECT_ASKED(2, 64, 8, GM_PERM_WRITE);
}

TEST_F(od, slice_to_slice_asks_for_both_sides)
{
	struct gm_slice a, b;
	uint8_t buf[16];

	ASSERT_OK(gm_slice_sub(self->s, 0, 16, &a));
	ASSERT_OK(gm_slice_sub(self->s, 32, 10, &b));
	EXPECT_EQ(10, gm_slice_copy_to_slice(a, b));
	EXPECT_EQ(0, memcmp(self->mem + 64, self->mem + 96, 10));
	EXPECT_EQ(106, self->mem[106]);
	EXPECT_ASKED(2, 96, 10, GM_PERM_WRITE);
	EXPECT_EQ(10, gm_slice_copy_to_slice(b, gm_slice_new(buf, 16)));
	EXPECT_EQ(0, memcmp(buf, self->mem + 96, 10));
	EXPECT_ASKED(3, 96, 10, GM_PERM_READ);
	EXPECT_EQ(10, gm_slice_copy_to_slice(gm_slice_new("0123456789abcdef", 16), b));
	EXPECT_EQ(0, memcmp(self->mem + 96, "0123456789\x6a", 11));
	EXPECT_ASKED(4, 96, 10, GM_PERM_WRITE);
}

TEST_F(od, slice_guard_covers_whole_slice_until_its_end)
{
	struct gm_guard g;

	ASSERT_EQ(0, gm_slice_begin(self->s, GM_PERM_RW, &g));
	EXPECT_EQ(128, g.len);
	EXPECT_EQ(&self->o.r, g.region);
	EXPECT_EQ(1, self->o.open);
	EXPECT_EQ(GM_PERM_RW, self->o.last_perm);
	gm_mem_write_u8(g.ptr, 1);
	gm_mem_write_u8(g.ptr + 127, 2);
	gm_guard_end(&g);
	EXPECT_EQ(0, self->o.open);
	EXPECT_EQ(NULL, g.ptr);
	EXPECT_EQ(1, self->mem[64]);
	EXPECT_EQ(2, self->mem[191]);
}

TEST_F(od, guard_of_empty_slice_asks_for_nothing)
{
	struct gm_slice empty;
	struct gm_guard g;

	ASSERT_OK(gm_slice_sub(self->s, 5, 0, &empty));
	ASSERT_EQ(0, gm_slice_begin(empty, GM_PERM_RW, &g));
	EXPECT_EQ(0, g.len);
	gm_guard_end(&g);
	EXPECT_EQ(0, self->o.begins);
	EXPECT_EQ(NULL, gm_slice_bitmap(empty).bm);
}

TEST_F(od, array_guard_covers_count_times_size)
{
	struct gm_array a;
	struct gm_guard g;

	ASSERT_OK(gm_slice_array(self->s, 8, 12, 9, &a));
	ASSERT_EQ(0, gm_array_begin(a, GM_PERM_WRITE, &g));
	EXPECT_EQ(9 * 12, g.len);
	EXPECT_EQ(72, self->o.last_off);
	EXPECT_EQ(9 * 12, self->o.last_len);
	for (size_t i = 0; i < 9 * 12; i++)
		gm_mem_write_u8(g.ptr + i, 0xcc);
	gm_guard_end(&g);
	EXPECT_EQ(71, self->mem[71]);
	EXPECT_EQ(0xcc, self->mem[72]);
	EXPECT_EQ(0xcc, self->mem[72 + 107]);
	EXPECT_EQ(72 + 108, self->mem[72 + 108]);
}

TEST_F(od, references_and_array_elements_ask_for_one_object)
{
	struct gm_array a;
	struct gm_guard g;
	struct gm_ref r;
	uint8_t v[12];

	ASSERT_OK(gm_slice_ref(self->s, 8, 12, &r));
	EXPECT_EQ(0, gm_ref_load(r, v));
	EXPECT_EQ(0, memcmp(v, self->mem + 72, 12));
	EXPECT_ASKED(1, 72, 12, GM_PERM_READ);
	memset(v, 0xdd, 12);
	EXPECT_EQ(0, gm_ref_store(r, v));
	EXPECT_EQ(0xdd, self->mem[83]);
	EXPECT_ASKED(2, 72, 12, GM_PERM_WRITE);
	ASSERT_EQ(0, gm_ref_begin(r, GM_PERM_READ, &g));
	EXPECT_EQ(12, g.len);
	gm_guard_end(&g);
	ASSERT_OK(gm_slice_array(self->s, 0, 12, 10, &a));
	EXPECT_EQ(0, gm_array_load(a, 9, v));
	EXPECT_EQ(0, memcmp(v, self->mem + 64 + 108, 12));
	EXPECT_ASKED(4, 64 + 108, 12, GM_PERM_READ);
	EXPECT_EQ(0, gm_array_store(a, 3, v));
	EXPECT_ASKED(5, 64 + 36, 12, GM_PERM_WRITE);
}

/* Each kind of access on a region that answers @err, or gives too few bytes. */
#define EXPECT_EACH_FAILS(errno_, kind_) do { \
	uint32_t v_[4] = { 77 }; \
	struct gm_guard g_ = { .len = 99 }; \
	EXPECT_FAIL_KIND(gm_slice_read(self->s, 0, v_, 4), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_write(self->s, 0, v_, 4), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_read_some(self->s, 0, v_, 9), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_write_some(self->s, 0, v_, 9), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_load(self->s, 0, v_, 4, GM_RELAXED), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_store(self->s, 0, v_, 4, GM_RELAXED), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_copy_to(self->s, v_, 4, 4), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_copy_from(self->s, v_, 4, 4), errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_copy_to_slice(self->s, gm_slice_new(v_, 8)), \
			 errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_copy_to_slice(gm_slice_new(v_, 8), self->s), \
			 errno_, kind_); \
	EXPECT_FAIL_KIND(gm_slice_begin(self->s, GM_PERM_RW, &g_), errno_, kind_); \
	EXPECT_EQ(77, v_[0]); \
	EXPECT_EQ(99, g_.len); \
	EXPECT_EQ(0, self->o.open); \
	for (size_t i_ = 0; i_ < LEN; i_++) \
		EXPECT_EQ(i_, self->mem[i_]); \
} while (0)

TEST_F(od, backend_that_gives_less_is_refused)
{
	struct gm_guard g;

	self->o.short_by = 1;
	EXPECT_EACH_FAILS(EIO, GM_ERR_BACKEND_RANGE);
	EXPECT_EQ(11, self->o.begins);
	EXPECT_FAIL(gm_slice_begin(self->s, GM_PERM_READ, &g), EIO,
		    GM_ERR_BACKEND_RANGE, 64, 128, 128, 127);
	self->o.short_by = TOP;
	EXPECT_FAIL(gm_slice_begin(self->s, GM_PERM_READ, &g), EIO,
		    GM_ERR_BACKEND_RANGE, 64, 128, 128, 0);
}

TEST_F(od, permission_error_of_region_is_passed_on)
{
	uint8_t v = 77;

	self->o.perm = GM_PERM_READ;
	EXPECT_EQ(0, gm_slice_read_u8(self->s, 0, &v));
	EXPECT_EQ(64, v);
	EXPECT_FAIL(gm_slice_write_u8(self->s, 0, 1), EACCES, GM_ERR_PERMISSION,
		    BASE + 64, 1, 0, 0);
	self->o.perm = GM_PERM_NONE;
	EXPECT_EACH_FAILS(EACCES, GM_ERR_PERMISSION);
}

TEST_F(od, errno_of_region_is_passed_on)
{
	uint32_t v = 77;

	self->o.fail = -EHOSTDOWN;
	EXPECT_EQ(-EHOSTDOWN, gm_slice_read(self->s, 0, &v, 4));
	EXPECT_EQ(-EHOSTDOWN, gm_slice_write(self->s, 0, &v, 4));
	EXPECT_EQ(-EHOSTDOWN, gm_slice_load(self->s, 0, &v, 4, GM_SEQ_CST));
	EXPECT_EQ(-EHOSTDOWN, gm_slice_copy_from(self->s, &v, 4, 1));
	EXPECT_EQ(77, v);
	EXPECT_EQ(0, self->o.begins);
}

TEST_F(od, errno_without_kind_has_none_of_an_older_failure)
{
	struct gm_region *r = &self->o.r;
	uint64_t v = 77, out;
	struct gm_view view;
	struct gm_map *m;

	self->o.fail = -EHOSTDOWN;
	EXPECT_FAIL(gm_slice_read(self->s, 3, &v, 8), EHOSTDOWN, GM_ERR_IO, 67,
		    8, 0, 0);
	ASSERT_OK(gm_map_new(&r, 1, &m));
	gm_view_init(&view, m);
	/* After these, callers do as if it were one of these. */
	gm_error_set_counts(-EHOSTDOWN, GM_ERR_PARTIAL, 1, 0, 8, 4);
	EXPECT_EQ(-EHOSTDOWN, gm_view_read(&view, gm_gpa(BASE), &v, 8));
	EXPECT_EQ(77, v);
	EXPECT_EQ(GM_ERR_IO, gm_error_last()->kind);
	gm_error_set(-EINVAL, GM_ERR_MISALIGNED, 1, 8);
	EXPECT_EQ(-EHOSTDOWN, gm_view_load_u64(&view, gm_gpa(BASE + 8),
					       GM_RELAXED, &out));
	EXPECT_EQ(GM_ERR_IO, gm_error_last()->kind);
	EXPECT_EQ(8, gm_error_last()->addr);
	/* Success leaves the last failure as it was. */
	self->o.fail = 0;
	EXPECT_EQ(0, gm_slice_read(self->s, 0, &v, 8));
	EXPECT_EQ(GM_ERR_IO, gm_error_last()->kind);
	gm_map_put(m);
}

TEST_F(od, growing_sink_that_got_nothing_has_no_buffer)
{
	struct gm_grow_sink g;
	size_t len = 77;

	gm_grow_sink_init(&g);
	self->o.fail = -EHOSTDOWN;
	EXPECT_EQ(-EHOSTDOWN, gm_slice_write_to(self->s, 0, &g.sink, 16));
	EXPECT_EQ(NULL, gm_grow_sink_take(&g, &len));
	EXPECT_EQ(0, len);
}

TEST_F(od, backend_that_returns_a_count_is_refused)
{
	struct gm_guard g;

	self->o.fail = 1;
	EXPECT_EACH_FAILS(EIO, GM_ERR_BACKEND_RANGE);
	/* As many as were asked for is no success either. */
	self->o.fail = 128;
	EXPECT_FAIL(gm_slice_begin(self->s, GM_PERM_READ, &g), EIO,
		    GM_ERR_BACKEND_RANGE, 64, 128, 128, 0);
	EXPECT_EQ(0, self->o.begins);
}

TEST_HARNESS_MAIN
