/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice_access.h: reads and writes, atomic loads and stores, of direct memory.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/mmap.h>
#include <guestmem/slice_access.h>
#include "expect.h"

#define TOP UINT64_MAX
#define PAGE 4096
#define LEN 64
#define FILL 0xee

FIXTURE(slice) {
	_Alignas(8) uint8_t mem[LEN + 16];
	uint8_t buf[LEN + 16];
	struct gm_slice s;
};

FIXTURE_SETUP(slice)
{
	memset(self->mem, FILL, sizeof(self->mem));
	for (size_t i = 0; i < LEN; i++)
		self->mem[i] = (uint8_t)i;
	memset(self->buf, FILL, sizeof(self->buf));
	self->s = gm_slice_new(self->mem, LEN);
}

FIXTURE_TEARDOWN(slice)
{
	/* No test may write past the slice's end. */
	for (size_t i = LEN; i < sizeof(self->mem); i++)
		EXPECT_EQ(FILL, self->mem[i]);
}

/* Are the first @n bytes of @buf those at @from, and the others untouched? */
static bool holds_only(const uint8_t *buf, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < LEN + 16; i++)
		if (buf[i] != (i < n ? from[i] : FILL))
			return false;
	return true;
}

TEST_F(slice, read_some_gives_what_there_is)
{
	static const struct { uint64_t off, n; int64_t ret; } rows[] = {
		{ 0, 10, 10 }, { 0, LEN, LEN }, { 0, LEN + 1, LEN },
		{ 60, 10, 4 }, { 63, 1, 1 }, { 63, TOP, 1 }, { 0, TOP, LEN },
		{ 0, 0, 0 }, { LEN, 0, 0 }, { 1000, 0, 0 }, { TOP, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(self->buf, FILL, sizeof(self->buf));
		EXPECT_EQ(rows[i].ret, gm_slice_read_some(self->s, rows[i].off,
							  self->buf, rows[i].n));
		EXPECT_TRUE(holds_only(self->buf, self->mem + rows[i].off,
				       (size_t)rows[i].ret));
	}
}

TEST_F(slice, read_some_past_end_is_out_of_bounds)
{
	EXPECT_FAIL(gm_slice_read_some(self->s, LEN, self->buf, 1), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN, 1, LEN, 0);
	EXPECT_FAIL(gm_slice_read_some(self->s, TOP - 5, self->buf, 5), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, TOP - 5, 5, LEN, 0);
	/* Wraps to a place inside. */
	EXPECT_FAIL_KIND(gm_slice_read_some(self->s, TOP - 3, self->buf, 8), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(TOP - 3, gm_error_last()->addr);
	EXPECT_EQ(LEN, gm_error_last()->expected);
	EXPECT_TRUE(holds_only(self->buf, NULL, 0));
}

TEST_F(slice, write_some_takes_what_fits)
{
	EXPECT_EQ(3, gm_slice_write_some(self->s, 5, "abc", 3));
	EXPECT_EQ(0, memcmp(self->mem + 4, "\4abc\10", 5));
	EXPECT_EQ(2, gm_slice_write_some(self->s, LEN - 2, "xyz", 3));
	EXPECT_EQ(0, memcmp(self->mem + LEN - 3, "\75xy", 3));
	EXPECT_EQ(LEN, gm_slice_write_some(self->s, 0, self->buf, LEN + 5));
	EXPECT_EQ(0, memcmp(self->mem, self->buf, LEN));
	EXPECT_EQ(0, gm_slice_write_some(self->s, 0, "q", 0));
	EXPECT_EQ(0, gm_slice_write_some(self->s, TOP, "q", 0));
	EXPECT_EQ(0, memcmp(self->mem, self->buf, LEN));
}

TEST_F(slice, write_some_past_end_is_out_of_bounds)
{
	EXPECT_FAIL(gm_slice_write_some(self->s, LEN, "abc", 3), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN, 3, LEN, 0);
	EXPECT_FAIL_KIND(gm_slice_write_some(self->s, TOP - 1, "abc", 3), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
}

TEST_F(slice, read_takes_all_or_says_how_much)
{
	EXPECT_EQ(0, gm_slice_read(self->s, 3, self->buf, 20));
	EXPECT_TRUE(holds_only(self->buf, self->mem + 3, 20));
	EXPECT_EQ(0, gm_slice_read(self->s, 0, self->buf, LEN));
	EXPECT_TRUE(holds_only(self->buf, self->mem, LEN));

	memset(self->buf, FILL, sizeof(self->buf));
	EXPECT_FAIL(gm_slice_read(self->s, 60, self->buf, 10), ERANGE,
		    GM_ERR_PARTIAL, LEN, 0, 10, 4);
	EXPECT_TRUE(holds_only(self->buf, self->mem + 60, 4));

	memset(self->buf, FILL, sizeof(self->buf));
	EXPECT_FAIL(gm_slice_read(self->s, LEN, self->buf, 1), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN, 1, LEN, 0);
	EXPECT_FAIL(gm_slice_read(self->s, 1, self->buf, TOP), ERANGE,
		    GM_ERR_PARTIAL, LEN, 0, TOP, LEN - 1);
	EXPECT_EQ(0, gm_slice_read(self->s, TOP, self->buf, 0));
	EXPECT_EQ(0, gm_slice_read(self->s, LEN, self->buf, 0));
}

TEST_F(slice, write_takes_all_or_says_how_much)
{
	EXPECT_EQ(0, gm_slice_write(self->s, 3, "abcdefghijklmnop", 16));
	EXPECT_EQ(0, memcmp(self->mem + 2, "\2abcdefghijklmnop\23", 18));
	EXPECT_FAIL(gm_slice_write(self->s, 62, "vwxyz", 5), ERANGE,
		    GM_ERR_PARTIAL, LEN, 0, 5, 2);
	EXPECT_EQ(0, memcmp(self->mem + 61, "\75vw", 3));
	EXPECT_FAIL(gm_slice_write(self->s, LEN, "v", 1), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN, 1, LEN, 0);
	EXPECT_FAIL_KIND(gm_slice_write(self->s, TOP, "vw", 2), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(0, gm_slice_write(self->s, TOP, "v", 0));
}

#define CHECK_INT(bits, value) do { \
	const uint##bits##_t v_ = (value), old_ = (uint##bits##_t)~v_; \
	const size_t n_ = sizeof(v_); \
	uint##bits##_t got_; \
	for (uint64_t off_ = 0; off_ + n_ <= LEN; off_++) { \
		EXPECT_EQ(0, gm_slice_write_u##bits(self->s, off_, v_)); \
		EXPECT_EQ(0, memcmp(self->mem + off_, &v_, n_)); \
		got_ = old_; \
		EXPECT_EQ(0, gm_slice_read_u##bits(self->s, off_, &got_)); \
		EXPECT_EQ(v_, got_); \
	} \
	got_ = old_; \
	EXPECT_FAIL(gm_slice_read_u##bits(self->s, LEN, &got_), ERANGE, \
		    GM_ERR_OUT_OF_BOUNDS, LEN, n_, LEN, 0); \
	EXPECT_EQ(old_, got_); \
	EXPECT_FAIL(gm_slice_write_u##bits(self->s, LEN, v_), ERANGE, \
		    GM_ERR_OUT_OF_BOUNDS, LEN, n_, LEN, 0); \
	for (uint64_t off_ = 0; off_ + n_ <= LEN; off_ += n_) { \
		EXPECT_EQ(0, gm_slice_store_u##bits(self->s, off_, old_, GM_RELEASE)); \
		EXPECT_EQ(0, memcmp(self->mem + off_, &old_, n_)); \
		EXPECT_EQ(0, gm_slice_load_u##bits(self->s, off_, GM_ACQUIRE, &got_)); \
		EXPECT_EQ(old_, got_); \
	} \
	got_ = v_; \
	EXPECT_FAIL(gm_slice_load_u##bits(self->s, LEN, GM_RELAXED, &got_), ERANGE, \
		    GM_ERR_OUT_OF_BOUNDS, LEN, n_, LEN, 0); \
	EXPECT_EQ(v_, got_); \
	EXPECT_FAIL(gm_slice_store_u##bits(self->s, LEN, v_, GM_RELAXED), ERANGE, \
		    GM_ERR_OUT_OF_BOUNDS, LEN, n_, LEN, 0); \
} while (0)

TEST_F(slice, integers_of_each_width)
{
	CHECK_INT(8, 0xa5);
	CHECK_INT(16, 0xa512);
	CHECK_INT(32, 0xa5123456);
	CHECK_INT(64, UINT64_C(0xa5123456789abcde));
}

/* Signed and pointer-sized values go through the functions with a size. */
TEST_F(slice, atomic_access_of_signed_and_pointer_sized_values)
{
	int32_t i32 = -5, i32_got = 0;
	int64_t i64 = INT64_MIN, i64_got = 0;
	intptr_t ip = -7, ip_got = 0;
	void *p = &i32, *p_got = NULL;

	EXPECT_EQ(0, gm_slice_store(self->s, 0, &i32, sizeof(i32), GM_SEQ_CST));
	EXPECT_EQ(0, gm_slice_load(self->s, 0, &i32_got, sizeof(i32), GM_SEQ_CST));
	EXPECT_EQ(i32, i32_got);
	EXPECT_EQ(0, gm_slice_store(self->s, 8, &i64, sizeof(i64), GM_RELEASE));
	EXPECT_EQ(0, gm_slice_load(self->s, 8, &i64_got, sizeof(i64), GM_ACQUIRE));
	EXPECT_EQ(i64, i64_got);
	EXPECT_EQ(0, gm_slice_store(self->s, 16, &ip, sizeof(ip), GM_RELAXED));
	EXPECT_EQ(0, gm_slice_load(self->s, 16, &ip_got, sizeof(ip), GM_RELAXED));
	EXPECT_EQ(ip, ip_got);
	EXPECT_EQ(0, gm_slice_store(self->s, 24, &p, sizeof(p), GM_RELEASE));
	EXPECT_EQ(0, gm_slice_load(self->s, 24, &p_got, sizeof(p), GM_ACQUIRE));
	EXPECT_EQ(p, p_got);
}

TEST_F(slice, misaligned_atomic_access_is_an_error)
{
	uint64_t v = 77;

	for (uint64_t n = 2; n <= 8; n *= 2)
		for (uint64_t off = 1; off < n; off++) {
			EXPECT_FAIL(gm_slice_load(self->s, off, &v, n, GM_RELAXED),
				    EINVAL, GM_ERR_MISALIGNED,
				    (uintptr_t)self->mem + off, n, 0, 0);
			EXPECT_FAIL(gm_slice_store(self->s, off, &v, n, GM_RELAXED),
				    EINVAL, GM_ERR_MISALIGNED,
				    (uintptr_t)self->mem + off, n, 0, 0);
		}
	EXPECT_EQ(77, v);
	for (size_t i = 0; i < LEN; i++)
		EXPECT_EQ(i, self->mem[i]);
	/* It is the host address that counts. */
	EXPECT_EQ(0, gm_slice_load(gm_slice_new(self->mem + 1, 20), 7, &v, 8,
				   GM_RELAXED));
	EXPECT_EQ(0, memcmp(&v, self->mem + 8, 8));
}

TEST_F(slice, atomic_access_of_other_sizes_is_an_error)
{
	static const uint64_t sizes[] = { 0, 3, 5, 6, 7, 9, 16, 32, LEN };
	uint8_t v[LEN] = { 77 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_FAIL(gm_slice_load(self->s, 0, v, sizes[i], GM_RELAXED),
			    EINVAL, GM_ERR_SIZE, sizes[i], 0, 0, 0);
		EXPECT_FAIL(gm_slice_store(self->s, 0, v, sizes[i], GM_RELAXED),
			    EINVAL, GM_ERR_SIZE, sizes[i], 0, 0, 0);
	}
	EXPECT_EQ(77, v[0]);
	EXPECT_EQ(0, self->mem[0]);
}

TEST_F(slice, atomic_access_with_order_of_the_other_kind_is_an_error)
{
	static const int bad_load[] = { GM_RELEASE, __ATOMIC_ACQ_REL,
					__ATOMIC_CONSUME, 17 };
	static const int bad_store[] = { GM_ACQUIRE, __ATOMIC_ACQ_REL,
					 __ATOMIC_CONSUME, 17 };
	uint32_t v = 77;

	for (size_t i = 0; i < 4; i++) {
		EXPECT_FAIL(gm_slice_load(self->s, 0, &v, 4,
					  (enum gm_order)bad_load[i]),
			    EINVAL, GM_ERR_ORDER, bad_load[i], 0, 0, 0);
		EXPECT_FAIL(gm_slice_store(self->s, 0, &v, 4,
					   (enum gm_order)bad_store[i]),
			    EINVAL, GM_ERR_ORDER, bad_store[i], 0, 0, 0);
	}
	EXPECT_EQ(77, v);
	EXPECT_EQ(0, self->mem[0]);
}

TEST_F(slice, atomic_access_out_of_bounds_is_an_error)
{
	uint64_t v = 77;

	EXPECT_FAIL(gm_slice_load(self->s, LEN - 4, &v, 8, GM_RELAXED), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN - 4, 8, LEN, 0);
	EXPECT_FAIL(gm_slice_store(self->s, LEN - 4, &v, 8, GM_RELAXED), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN - 4, 8, LEN, 0);
	EXPECT_FAIL(gm_slice_load(self->s, TOP - 7, &v, 8, GM_RELAXED), EOVERFLOW,
		    GM_ERR_OVERFLOW, TOP - 7, 8, 0, 0);
	EXPECT_FAIL(gm_slice_store(self->s, TOP - 7, &v, 8, GM_RELAXED), EOVERFLOW,
		    GM_ERR_OVERFLOW, TOP - 7, 8, 0, 0);
	EXPECT_EQ(77, v);
}

TEST(writes_to_read_only_memory_are_refused)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	struct gm_region *r;
	struct gm_slice s;
	uint32_t v = 77;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &opts, &r));
	s = gm_region_as_slice(r);
	EXPECT_FAIL(gm_slice_write(s, 8, &v, 4), EACCES, GM_ERR_PERMISSION, 8, 4,
		    0, 0);
	EXPECT_FAIL(gm_slice_write_some(s, 8, &v, 4), EACCES, GM_ERR_PERMISSION,
		    8, 4, 0, 0);
	EXPECT_FAIL(gm_slice_store(s, 8, &v, 4, GM_RELAXED), EACCES,
		    GM_ERR_PERMISSION, 8, 4, 0, 0);
	EXPECT_FAIL_KIND(gm_slice_write_u8(s, 0, 1), EACCES, GM_ERR_PERMISSION);
	EXPECT_FAIL_KIND(gm_slice_store_u64(s, 0, 1, GM_RELEASE), EACCES,
			 GM_ERR_PERMISSION);
	EXPECT_EQ(0, gm_slice_write(s, 8, &v, 0));
	EXPECT_EQ(0, gm_slice_read(s, 8, &v, 4));
	EXPECT_EQ(0, v);
	v = 77;
	EXPECT_EQ(0, gm_slice_load(s, 8, &v, 4, GM_ACQUIRE));
	EXPECT_EQ(0, v);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
