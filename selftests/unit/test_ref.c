/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ref.h: references to an object, arrays of objects, pointers to an object.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/mmap.h>
#include <guestmem/ref.h>
#include "expect.h"

#define TOP UINT64_MAX
#define PAGE 4096
#define LEN 100

static void count_up(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)i;
}

TEST(reference_covers_its_object)
{
	struct gm_bitmap *bm;
	struct gm_ref r;
	uint8_t mem[LEN];
	struct gm_slice s;

	ASSERT_OK(gm_bitmap_new(1000, 1, &bm));
	s = gm_slice_new_dirty(mem, LEN, bm, 50);
	ASSERT_EQ(0, gm_slice_ref(s, 7, 20, &r));
	EXPECT_EQ(20, gm_ref_len(r));
	EXPECT_EQ(mem + 7, gm_ref_to_slice(r).host);
	EXPECT_EQ(20, gm_ref_to_slice(r).len);
	EXPECT_EQ(bm, gm_ref_bitmap(r).bm);
	EXPECT_EQ(57, gm_ref_bitmap(r).off);
	ASSERT_EQ(0, gm_slice_ref(s, 100, 0, &r));
	EXPECT_EQ(0, gm_ref_len(r));
	gm_bitmap_put(bm);
}

TEST(reference_out_of_bounds_is_an_error)
{
	uint8_t mem[LEN];
	struct gm_slice s = gm_slice_new(mem, LEN);
	struct gm_ref r = { gm_slice_new(mem, 77) };

	EXPECT_FAIL(gm_slice_ref(s, 90, 11, &r), ERANGE, GM_ERR_OUT_OF_BOUNDS,
		    90, 11, LEN, 0);
	EXPECT_FAIL(gm_slice_ref(s, 101, 0, &r), ERANGE, GM_ERR_OUT_OF_BOUNDS,
		    101, 0, LEN, 0);
	EXPECT_FAIL(gm_slice_ref(s, 8, TOP - 3, &r), EOVERFLOW, GM_ERR_OVERFLOW,
		    8, TOP - 3, 0, 0);
	EXPECT_EQ(77, gm_ref_len(r));
}

TEST(reference_loads_and_stores_object_at_any_alignment)
{
	uint8_t mem[LEN], want[LEN], v[40];

	for (uint64_t size = 0; size <= 40; size++)
		for (uint64_t off = 0; off < 16; off++) {
			struct gm_ref r;

			count_up(mem, LEN);
			count_up(want, LEN);
			memset(v, 0xee, sizeof(v));
			ASSERT_EQ(0, gm_slice_ref(gm_slice_new(mem, LEN), off,
						  size, &r));
			EXPECT_EQ(0, gm_ref_load(r, v));
			EXPECT_EQ(0, memcmp(v, mem + off, size));
			if (size < sizeof(v))
				EXPECT_EQ(0xee, v[size]);
			memset(v, 0xdd, sizeof(v));
			EXPECT_EQ(0, gm_ref_store(r, v));
			memset(want + off, 0xdd, size);
			EXPECT_EQ(0, memcmp(want, mem, LEN));
		}
}

TEST(reference_guard_is_its_object)
{
	uint8_t mem[LEN];
	struct gm_guard g;
	struct gm_ref r;

	ASSERT_EQ(0, gm_slice_ref(gm_slice_new(mem, LEN), 9, 5, &r));
	ASSERT_EQ(0, gm_ref_begin(r, GM_PERM_RW, &g));
	EXPECT_EQ(mem + 9, g.ptr);
	EXPECT_EQ(5, g.len);
	gm_guard_end(&g);
}

TEST(array_covers_count_times_size)
{
	struct gm_bitmap *bm;
	struct gm_array a;
	struct gm_guard g;
	uint8_t mem[LEN];

	ASSERT_OK(gm_bitmap_new(1000, 1, &bm));
	ASSERT_EQ(0, gm_slice_array(gm_slice_new_dirty(mem, LEN, bm, 50), 4, 12,
				    8, &a));
	EXPECT_EQ(8, gm_array_len(a));
	EXPECT_FALSE(gm_array_is_empty(a));
	EXPECT_EQ(12, gm_array_element_size(a));
	EXPECT_EQ(mem + 4, gm_array_to_slice(a).host);
	EXPECT_EQ(96, gm_array_to_slice(a).len);
	EXPECT_EQ(bm, gm_array_bitmap(a).bm);
	EXPECT_EQ(54, gm_array_bitmap(a).off);
	ASSERT_EQ(0, gm_array_begin(a, GM_PERM_READ, &g));
	EXPECT_EQ(mem + 4, g.ptr);
	EXPECT_EQ(96, g.len);
	gm_guard_end(&g);
	ASSERT_EQ(0, gm_slice_array(gm_slice_new(mem, LEN), 100, 12, 0, &a));
	EXPECT_TRUE(gm_array_is_empty(a));
	EXPECT_EQ(0, gm_array_len(a));
	gm_bitmap_put(bm);
}

TEST(array_whose_size_overflows_or_is_outside_is_an_error)
{
	uint8_t mem[LEN];
	struct gm_slice s = gm_slice_new(mem, LEN);
	struct gm_array a = { s, 77, 78 };

	EXPECT_FAIL(gm_slice_array(s, 0, 0, 5, &a), EINVAL, GM_ERR_SIZE, 0, 0, 0, 0);
	EXPECT_FAIL(gm_slice_array(s, 0, 2, UINT64_C(1) << 63, &a), EOVERFLOW,
		    GM_ERR_TOO_BIG, UINT64_C(1) << 63, 2, 0, 0);
	EXPECT_FAIL(gm_slice_array(s, 0, TOP, TOP, &a), EOVERFLOW,
		    GM_ERR_TOO_BIG, TOP, TOP, 0, 0);
	/* The product wraps to 16, which would fit. */
	EXPECT_FAIL(gm_slice_array(s, 0, 16, (UINT64_C(1) << 60) + 1, &a),
		    EOVERFLOW, GM_ERR_TOO_BIG, (UINT64_C(1) << 60) + 1, 16, 0, 0);
	EXPECT_FAIL(gm_slice_array(s, 2, 1, TOP, &a), EOVERFLOW, GM_ERR_OVERFLOW,
		    2, TOP, 0, 0);
	EXPECT_FAIL(gm_slice_array(s, 0, 10, 11, &a), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 0, 110, LEN, 0);
	EXPECT_FAIL(gm_slice_array(s, 1, 10, 10, &a), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 1, 100, LEN, 0);
	EXPECT_EQ(77, a.elem);
	EXPECT_EQ(78, a.count);
	EXPECT_EQ(0, gm_slice_array(s, 0, 10, 10, &a));
}

TEST(array_index_is_checked)
{
	uint8_t mem[LEN], v[8] = { 77 };
	struct gm_ref r = { gm_slice_new(mem, 55) };
	static const uint64_t bad[] = { 5, 6, UINT64_C(1) << 61, TOP };
	struct gm_array a;

	count_up(mem, LEN);
	ASSERT_EQ(0, gm_slice_array(gm_slice_new(mem, LEN), 0, 8, 5, &a));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_FAIL(gm_array_load(a, bad[i], v), ERANGE,
			    GM_ERR_OUT_OF_BOUNDS, bad[i], 1, 5, 0);
		EXPECT_FAIL(gm_array_store(a, bad[i], v), ERANGE,
			    GM_ERR_OUT_OF_BOUNDS, bad[i], 1, 5, 0);
		EXPECT_FAIL(gm_array_ref_at(a, bad[i], &r), ERANGE,
			    GM_ERR_OUT_OF_BOUNDS, bad[i], 1, 5, 0);
		EXPECT_FAIL(gm_array_index_error(a, bad[i]), ERANGE,
			    GM_ERR_OUT_OF_BOUNDS, bad[i], 1, 5, 0);
	}
	EXPECT_EQ(77, v[0]);
	EXPECT_EQ(55, gm_ref_len(r));
	for (size_t i = 0; i < LEN; i++)
		EXPECT_EQ(i, mem[i]);
}

TEST(array_loads_and_stores_single_objects)
{
	uint8_t mem[LEN], want[LEN], v[12];
	struct gm_array a;
	struct gm_ref r;

	for (uint64_t elem = 1; elem <= 12; elem++)
		for (uint64_t i = 0; i < 7; i++) {
			count_up(mem, LEN);
			count_up(want, LEN);
			ASSERT_EQ(0, gm_slice_array(gm_slice_new(mem, LEN), 3,
						    elem, 7, &a));
			EXPECT_EQ(0, gm_array_load(a, i, v));
			EXPECT_EQ(0, memcmp(v, mem + 3 + i * elem, elem));
			ASSERT_EQ(0, gm_array_ref_at(a, i, &r));
			EXPECT_EQ(mem + 3 + i * elem, gm_ref_to_slice(r).host);
			EXPECT_EQ(elem, gm_ref_len(r));
			memset(v, 0xdd, sizeof(v));
			EXPECT_EQ(0, gm_array_store(a, i, v));
			memset(want + 3 + i * elem, 0xdd, elem);
			EXPECT_EQ(0, memcmp(want, mem, LEN));
		}
}

TEST(array_copies_short_side_wins)
{
	uint8_t mem[LEN], buf[LEN];
	struct gm_array a;

	count_up(mem, LEN);
	ASSERT_EQ(0, gm_slice_array(gm_slice_new(mem, LEN), 4, 6, 5, &a));
	memset(buf, 0xee, sizeof(buf));
	EXPECT_EQ(3, gm_array_copy_to(a, buf, 3));
	EXPECT_EQ(0, memcmp(buf, mem + 4, 18));
	EXPECT_EQ(0xee, buf[18]);
	EXPECT_EQ(5, gm_array_copy_to(a, buf, 9));
	EXPECT_EQ(0, memcmp(buf, mem + 4, 30));
	EXPECT_EQ(0xee, buf[30]);

	memset(buf, 0xdd, sizeof(buf));
	EXPECT_EQ(2, gm_array_copy_from(a, buf, 2));
	EXPECT_EQ(0, memcmp(mem + 4, buf, 12));
	EXPECT_EQ(3, mem[3]);
	EXPECT_EQ(16, mem[16]);
	EXPECT_EQ(5, gm_array_copy_from(a, buf, 6));
	EXPECT_EQ(0xdd, mem[33]);
	EXPECT_EQ(34, mem[34]);

	memset(buf, 0xee, sizeof(buf));
	EXPECT_EQ(20, gm_array_copy_to_slice(a, gm_slice_new(buf, 20)));
	EXPECT_EQ(0xdd, buf[19]);
	EXPECT_EQ(0xee, buf[20]);
	EXPECT_EQ(30, gm_array_copy_to_slice(a, gm_slice_new(buf, LEN)));
	EXPECT_EQ(0xee, buf[30]);
}

TEST(stores_to_read_only_memory_are_refused)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	uint8_t v[12] = { 9, 9, 9 };
	struct gm_region *region;
	struct gm_array a;
	struct gm_guard g;
	struct gm_ref r;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &opts, &region));
	ASSERT_OK(gm_slice_ref(gm_region_as_slice(region), 16, 12, &r));
	ASSERT_OK(gm_slice_array(gm_region_as_slice(region), 16, 4, 3, &a));
	EXPECT_FAIL(gm_ref_store(r, v), EACCES, GM_ERR_PERMISSION, 16, 12, 0, 0);
	EXPECT_FAIL(gm_ref_begin(r, GM_PERM_WRITE, &g), EACCES,
		    GM_ERR_PERMISSION, 16, 12, 0, 0);
	EXPECT_FAIL(gm_array_store(a, 2, v), EACCES, GM_ERR_PERMISSION, 24, 4, 0, 0);
	EXPECT_FAIL(gm_array_copy_from(a, v, 2), EACCES, GM_ERR_PERMISSION,
		    16, 8, 0, 0);
	EXPECT_FAIL(gm_array_begin(a, GM_PERM_WRITE, &g), EACCES,
		    GM_ERR_PERMISSION, 16, 12, 0, 0);
	EXPECT_EQ(NULL, gm_ref_bitmap(r).bm);
	EXPECT_EQ(NULL, gm_array_bitmap(a).bm);
	EXPECT_EQ(0, gm_ref_load(r, v));
	EXPECT_EQ(0, v[0] | v[1] | v[2]);
	gm_region_put(region);
}

TEST(aligned_pointer_or_misaligned_error)
{
	_Alignas(64) uint8_t mem[128];
	struct gm_slice s = gm_slice_new(mem, 128);
	void *p = NULL;

	for (uint64_t align = 1; align <= 64; align *= 2)
		for (uint64_t off = 0; off < 64; off++) {
			p = NULL;
			if (off % align) {
				EXPECT_FAIL(gm_slice_aligned_ptr(s, off, 64, align, &p),
					    EINVAL, GM_ERR_MISALIGNED,
					    (uintptr_t)mem + off, align, 0, 0);
				EXPECT_EQ(NULL, p);
			} else {
				EXPECT_EQ(0, gm_slice_aligned_ptr(s, off, 64, align, &p));
				EXPECT_EQ(mem + off, p);
			}
		}
}

TEST(atomic_pointer_needs_its_size_as_alignment)
{
	_Alignas(8) uint8_t mem[64];
	struct gm_slice s = gm_slice_new(mem, 64);
	void *p = NULL;

	for (uint64_t size = 0; size <= 17; size++) {
		if (size == 1 || size == 2 || size == 4 || size == 8)
			continue;
		EXPECT_FAIL(gm_slice_atomic_ptr(s, 0, size, &p), EINVAL,
			    GM_ERR_SIZE, size, 0, 0, 0);
	}
	for (uint64_t size = 2; size <= 8; size *= 2)
		EXPECT_FAIL(gm_slice_atomic_ptr(s, size / 2, size, &p), EINVAL,
			    GM_ERR_MISALIGNED, (uintptr_t)mem + size / 2, size,
			    0, 0);
	EXPECT_FAIL(gm_slice_atomic_ptr(s, 64, 4, &p), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 64, 4, 64, 0);
	EXPECT_FAIL(gm_slice_atomic_ptr(s, TOP - 1, 4, &p), EOVERFLOW,
		    GM_ERR_OVERFLOW, TOP - 1, 4, 0, 0);
	EXPECT_EQ(NULL, p);
	for (uint64_t size = 1; size <= 8; size *= 2) {
		EXPECT_EQ(0, gm_slice_atomic_ptr(s, 64 - size, size, &p));
		EXPECT_EQ(mem + 64 - size, p);
	}
	memset(mem, 0, sizeof(mem));
	ASSERT_EQ(0, gm_slice_atomic_ptr(s, 8, 4, &p));
	EXPECT_EQ(0, __atomic_fetch_add((uint32_t *)p, 5, __ATOMIC_SEQ_CST));
	EXPECT_EQ(5, gm_mem_read_u32(mem + 8));
}

TEST(atomic_pointer_into_read_only_memory_is_refused)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	struct gm_region *r;
	void *p = NULL;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &opts, &r));
	EXPECT_FAIL(gm_slice_atomic_ptr(gm_region_as_slice(r), 16, 8, &p), EACCES,
		    GM_ERR_PERMISSION, 16, 8, 0, 0);
	EXPECT_EQ(NULL, p);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
