/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_region.c - arithmetic and properties of a region, and byte access at an
 * offset of it; with a host address and on demand.
 */
/* gm-test: windows */
#include <string.h>
#include <guestmem/region.h>
#include <guestmem/mmap.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"

#define BASE UINT64_C(0x100000)
#define LEN UINT64_C(0x3000)

FIXTURE(region) {
	uint8_t mem[LEN];
	struct gm_bitmap *bm;
	struct own_region own;
	struct gm_region *r;
};

/* The same tests over memory with a host address and without one. */
FIXTURE_VARIANT(region) {
	bool direct;
};

FIXTURE_VARIANT_ADD(region, direct) {
	.direct = true,
};

FIXTURE_VARIANT_ADD(region, on_demand) {
	.direct = false,
};

FIXTURE_SETUP(region)
{
	size_t i;

	for (i = 0; i < LEN; i++)
		self->mem[i] = (uint8_t)(i * 7 + (i >> 8));
	ASSERT_OK(gm_bitmap_new(LEN, 256, &self->bm));
	if (variant->direct)
		ASSERT_OK(own_region_init_direct(&self->own, BASE, LEN,
						 self->mem, self->bm));
	else
		ASSERT_OK(own_region_init_on_demand(&self->own, BASE, LEN,
						    self->mem, self->bm));
	self->r = &self->own.r;
}

FIXTURE_TEARDOWN(region)
{
	gm_region_put(self->r);
	EXPECT_EQ(1, self->own.released);
	EXPECT_EQ(0, self->own.open);
	EXPECT_EQ(0, self->own.bad);
	gm_bitmap_put(self->bm);
}

/* Marked are exactly the 256-byte pages that [off, off + len) touches. */
static void expect_marked(struct __test_metadata *_metadata,
			  struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	uint64_t page;

	for (page = 0; page < LEN / 256; page++)
		EXPECT_EQ(len && page >= off / 256 &&
			  page <= (off + len - 1) / 256,
			  gm_bitmap_test_page(bm, page))
			TH_LOG("page %d", (int)page);
	gm_bitmap_reset(bm);
}

TEST_F(region, start_length_last)
{
	EXPECT_EQ(BASE, gm_gpa_raw(gm_region_start(self->r)));
	EXPECT_EQ(LEN, gm_region_len(self->r));
	EXPECT_EQ(BASE + LEN - 1, gm_gpa_raw(gm_region_last(self->r)));
}

TEST_F(region, contains_and_to_offset)
{
	gm_roff_t off = gm_roff(77);

	EXPECT_TRUE(gm_region_contains(self->r, gm_gpa(BASE)));
	EXPECT_TRUE(gm_region_contains(self->r, gm_gpa(BASE + LEN - 1)));
	EXPECT_FALSE(gm_region_contains(self->r, gm_gpa(BASE - 1)));
	EXPECT_FALSE(gm_region_contains(self->r, gm_gpa(BASE + LEN)));
	EXPECT_FALSE(gm_region_contains(self->r, gm_gpa(0)));
	EXPECT_FALSE(gm_region_contains(self->r, gm_gpa(UINT64_MAX)));

	EXPECT_FAIL(gm_region_to_offset(self->r, gm_gpa(BASE - 1), &off),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE - 1, 0, 0, 0);
	EXPECT_FAIL(gm_region_to_offset(self->r, gm_gpa(BASE + LEN), &off),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + LEN, 0, 0, 0);
	EXPECT_EQ(77, gm_roff_raw(off));
	EXPECT_EQ(0, gm_region_to_offset(self->r, gm_gpa(BASE), &off));
	EXPECT_EQ(0, gm_roff_raw(off));
	EXPECT_EQ(0, gm_region_to_offset(self->r, gm_gpa(BASE + LEN - 1), &off));
	EXPECT_EQ(LEN - 1, gm_roff_raw(off));
}

TEST_F(region, has_and_check_offset)
{
	gm_roff_t off = gm_roff(77);

	EXPECT_TRUE(gm_region_has_offset(self->r, gm_roff(0)));
	EXPECT_TRUE(gm_region_has_offset(self->r, gm_roff(LEN - 1)));
	EXPECT_FALSE(gm_region_has_offset(self->r, gm_roff(LEN)));
	EXPECT_FALSE(gm_region_has_offset(self->r, gm_roff(UINT64_MAX)));

	EXPECT_FAIL_KIND(gm_region_check_offset(self->r, gm_roff(LEN), &off),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(LEN, gm_error_last()->addr);
	EXPECT_EQ(LEN, gm_error_last()->expected);
	EXPECT_EQ(77, gm_roff_raw(off));
	EXPECT_EQ(0, gm_region_check_offset(self->r, gm_roff(LEN - 1), &off));
	EXPECT_EQ(LEN - 1, gm_roff_raw(off));
}

TEST_F(region, offset_add)
{
	gm_roff_t out = gm_roff(77);

	EXPECT_FAIL(gm_region_offset_add(self->r, gm_roff(8), UINT64_MAX, &out),
		    EOVERFLOW, GM_ERR_OVERFLOW, 8, UINT64_MAX, 0, 0);
	EXPECT_FAIL_KIND(gm_region_offset_add(self->r, gm_roff(8), LEN - 8, &out),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(LEN, gm_error_last()->expected);
	/* The sum decides, not where it starts. */
	EXPECT_FAIL_KIND(gm_region_offset_add(self->r, gm_roff(LEN), 0, &out),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(77, gm_roff_raw(out));
	EXPECT_EQ(0, gm_region_offset_add(self->r, gm_roff(8), LEN - 9, &out));
	EXPECT_EQ(LEN - 1, gm_roff_raw(out));
	EXPECT_EQ(0, gm_region_offset_add(self->r, gm_roff(8), 0, &out));
	EXPECT_EQ(8, gm_roff_raw(out));
}

TEST_F(region, properties)
{
	uint64_t file_off = 77;

	EXPECT_EQ(self->bm, gm_region_bitmap(self->r));
	EXPECT_EQ(GM_PERM_RW, gm_region_perm(self->r));
	EXPECT_EQ(NULL, gm_region_file(self->r, &file_off));
	EXPECT_EQ(NULL, gm_region_file(self->r, NULL));
	EXPECT_EQ(77, file_off);
	EXPECT_EQ(GM_UNKNOWN, gm_region_is_hugetlbfs(self->r));
	EXPECT_FALSE(gm_region_is_owned(self->r));
}

TEST_F(region, host_address)
{
	void *p = self;

	EXPECT_FAIL_KIND(gm_region_host(self->r, gm_roff(LEN), &p), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(LEN, gm_error_last()->expected);
	EXPECT_EQ((void *)self, p);
	if (!variant->direct) {
		EXPECT_FAIL_KIND(gm_region_host(self->r, gm_roff(5), &p),
				 EOPNOTSUPP, GM_ERR_NO_HOST_ADDR);
		EXPECT_EQ(BASE + 5, gm_error_last()->addr);
		EXPECT_EQ((void *)self, p);
		return;
	}
	EXPECT_EQ(0, gm_region_host(self->r, gm_roff(LEN - 1), &p));
	EXPECT_EQ((void *)(self->mem + LEN - 1), p);
}

TEST_F(region, slice_bounds)
{
	struct gm_slice s, untouched;

	memset(&s, 0x5a, sizeof(s));
	untouched = s;
	EXPECT_FAIL(gm_region_slice(self->r, gm_roff(1), UINT64_MAX, &s),
		    EOVERFLOW, GM_ERR_OVERFLOW, 1, UINT64_MAX, 0, 0);
	EXPECT_FAIL(gm_region_slice(self->r, gm_roff(1), LEN, &s), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 1, LEN, LEN, 0);
	EXPECT_FAIL(gm_region_slice(self->r, gm_roff(LEN + 1), 0, &s), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN + 1, 0, LEN, 0);
	EXPECT_EQ(0, memcmp(&s, &untouched, sizeof(s)));

	EXPECT_EQ(0, gm_region_slice(self->r, gm_roff(LEN), 0, &s));
	EXPECT_TRUE(gm_slice_is_empty(s));
	EXPECT_EQ(LEN, gm_slice_len(gm_region_as_slice(self->r)));
}

TEST_F(region, slice_reads_writes_and_marks_its_own_bytes)
{
	struct gm_slice s;
	uint32_t v = 0;

	ASSERT_OK(gm_region_slice(self->r, gm_roff(0x1080), 0x200, &s));
	EXPECT_EQ(GM_PERM_RW, gm_slice_perm(s));
	EXPECT_EQ(0, gm_slice_read_u32(s, 4, &v));
	EXPECT_EQ(0, memcmp(&v, self->mem + 0x1084, 4));
	EXPECT_EQ(0, gm_slice_write_u32(s, 0x7e, 0x11223344));
	v = 0x11223344;
	EXPECT_EQ(0, memcmp(&v, self->mem + 0x10fe, 4));
	expect_marked(_metadata, self->bm, 0x10fe, 4);
	EXPECT_FAIL_KIND(gm_slice_write_u32(s, 0x200, 0), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	expect_marked(_metadata, self->bm, 0, 0);
}

TEST_F(region, read_and_write_some_stop_at_the_end)
{
	uint8_t buf[64], old[64];

	memset(buf, 0xee, sizeof(buf));
	EXPECT_EQ(16, gm_region_read_some(self->r, gm_roff(LEN - 16), buf, 64));
	EXPECT_EQ(0, memcmp(buf, self->mem + LEN - 16, 16));
	EXPECT_EQ(0xee, buf[16]);
	EXPECT_EQ(0, gm_region_read_some(self->r, gm_roff(LEN), buf, 0));
	EXPECT_FAIL_KIND(gm_region_read_some(self->r, gm_roff(LEN), buf, 1),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	expect_marked(_metadata, self->bm, 0, 0);

	memcpy(old, self->mem + LEN - 64, 64);
	memset(buf, 0xdd, sizeof(buf));
	EXPECT_EQ(1, gm_region_write_some(self->r, gm_roff(LEN - 1), buf, 64));
	EXPECT_EQ(0xdd, self->mem[LEN - 1]);
	EXPECT_EQ(0, memcmp(old, self->mem + LEN - 64, 63));
	expect_marked(_metadata, self->bm, LEN - 1, 1);
	EXPECT_EQ(0, gm_region_write_some(self->r, gm_roff(LEN), buf, 0));
	EXPECT_FAIL_KIND(gm_region_write_some(self->r, gm_roff(UINT64_MAX), buf, 1),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	expect_marked(_metadata, self->bm, 0, 0);
}

TEST_F(region, exact_read_and_write_tell_what_they_did)
{
	uint8_t buf[64];

	EXPECT_EQ(0, gm_region_read(self->r, gm_roff(1), buf, 64));
	EXPECT_EQ(0, memcmp(buf, self->mem + 1, 64));
	EXPECT_EQ(0, gm_region_read(self->r, gm_roff(UINT64_MAX), buf, 0));
	memset(buf, 0, sizeof(buf));
	EXPECT_FAIL(gm_region_read(self->r, gm_roff(LEN - 3), buf, 8), ERANGE,
		    GM_ERR_PARTIAL, LEN, 0, 8, 3);
	EXPECT_EQ(0, memcmp(buf, self->mem + LEN - 3, 3));
	EXPECT_EQ(0, buf[3]);
	EXPECT_FAIL_KIND(gm_region_read(self->r, gm_roff(LEN), buf, 8), ERANGE,
			 GM_ERR_OUT_OF_BOUNDS);
	expect_marked(_metadata, self->bm, 0, 0);

	memset(buf, 0x77, sizeof(buf));
	EXPECT_EQ(0, gm_region_write(self->r, gm_roff(0x1ff), buf, 2));
	EXPECT_EQ(0x77, self->mem[0x1ff]);
	EXPECT_EQ(0x77, self->mem[0x200]);
	expect_marked(_metadata, self->bm, 0x1ff, 2);
	EXPECT_FAIL(gm_region_write(self->r, gm_roff(LEN - 5), buf, 8), ERANGE,
		    GM_ERR_PARTIAL, LEN, 0, 8, 5);
	EXPECT_EQ(0x77, self->mem[LEN - 1]);
	expect_marked(_metadata, self->bm, LEN - 5, 5);
}

TEST_F(region, atomics)
{
	uint32_t v = 0xabcd;
	uint32_t *p;

	EXPECT_EQ(0, gm_region_store(self->r, gm_roff(0x304), &v, 4, GM_RELEASE));
	EXPECT_EQ(0, memcmp(self->mem + 0x304, &v, 4));
	expect_marked(_metadata, self->bm, 0x304, 4);
	v = 0;
	EXPECT_EQ(0, gm_region_load(self->r, gm_roff(0x304), &v, 4, GM_ACQUIRE));
	EXPECT_EQ(0xabcd, v);

	p = &v;
	EXPECT_FAIL_KIND(gm_region_load(self->r, gm_roff(0x305), p, 4, GM_RELAXED),
			 EINVAL, GM_ERR_MISALIGNED);
	EXPECT_EQ(4, gm_error_last()->len);
	EXPECT_FAIL_KIND(gm_region_store(self->r, gm_roff(0x306), p, 4, GM_RELAXED),
			 EINVAL, GM_ERR_MISALIGNED);
	EXPECT_FAIL(gm_region_load(self->r, gm_roff(0x304), p, 3, GM_RELAXED),
		    EINVAL, GM_ERR_SIZE, 3, 0, 0, 0);
	EXPECT_FAIL(gm_region_load(self->r, gm_roff(0x304), p, 4, GM_RELEASE),
		    EINVAL, GM_ERR_ORDER, GM_RELEASE, 0, 0, 0);
	EXPECT_FAIL(gm_region_store(self->r, gm_roff(0x304), p, 4, GM_ACQUIRE),
		    EINVAL, GM_ERR_ORDER, GM_ACQUIRE, 0, 0, 0);
	EXPECT_FAIL(gm_region_load(self->r, gm_roff(LEN - 2), p, 4, GM_RELAXED),
		    ERANGE, GM_ERR_OUT_OF_BOUNDS, LEN - 2, 4, LEN, 0);
	EXPECT_EQ(0xabcd, v);
	expect_marked(_metadata, self->bm, 0, 0);
}

TEST_F(region, source_and_sink)
{
	struct gm_buf_source src;
	struct gm_buf_sink sink;
	uint8_t data[100], got[100];

	memset(data, 0xa5, sizeof(data));
	gm_buf_source_init(&src, data, sizeof(data));
	EXPECT_EQ(20, gm_region_read_from(self->r, gm_roff(LEN - 20),
					  &src.source, 100));
	EXPECT_EQ(0, memcmp(self->mem + LEN - 20, data, 20));
	expect_marked(_metadata, self->bm, LEN - 20, 20);
	EXPECT_EQ(0, gm_region_read_exact_from(self->r, gm_roff(0x2f0),
					       &src.source, 80));
	EXPECT_EQ(0, memcmp(self->mem + 0x2f0, data, 80));
	expect_marked(_metadata, self->bm, 0x2f0, 80);
	EXPECT_FAIL(gm_region_read_exact_from(self->r, gm_roff(0), &src.source, 1),
		    ENODATA, GM_ERR_UNEXPECTED_END, 0, 0, 1, 0);

	gm_buf_sink_init(&sink, got, sizeof(got));
	EXPECT_EQ(20, gm_region_write_to(self->r, gm_roff(LEN - 20),
					 &sink.sink, 100));
	EXPECT_EQ(0, gm_region_write_all_to(self->r, gm_roff(0x2f0),
					    &sink.sink, 80));
	EXPECT_EQ(0, memcmp(got, data, 100));
	EXPECT_FAIL(gm_region_write_all_to(self->r, gm_roff(0), &sink.sink, 1),
		    ENOSPC, GM_ERR_WRITE_ZERO, 0, 0, 1, 0);
	expect_marked(_metadata, self->bm, 0, 0);
}

TEST_F(region, reference_counts)
{
	EXPECT_EQ(self->r, gm_region_get(self->r));
	gm_region_put(self->r);
	EXPECT_EQ(0, self->own.released);
	gm_region_put(NULL);
}

TEST_HARNESS_MAIN
