/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_iommu_access.c - all kinds of access by IOVA, over pages that lie
 * scattered in the guest; and where it is marked what they write.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include <guestmem/iov.h>
#include "expect.h"
#include "iommu_guest.h"
#include "own_region.h"

#define PAGES 12

FIXTURE(access) {
	struct iommu_guest g;
	struct gm_bitmap *bm;
	uint8_t want[PAGES * PAGE];	/* bytes by IOVA */
	uint8_t buf[PAGES * PAGE];
};

FIXTURE_VARIANT(access) {
	bool by_iova;		/* written pages are marked by IOVA */
};

FIXTURE_VARIANT_ADD(access, marked_by_region) { .by_iova = false };
FIXTURE_VARIANT_ADD(access, marked_by_iova) { .by_iova = true };

/* Page n of the IOVAs is page 5 n modulo 16 of the guest: none follows another. */
static uint64_t gpa_of(uint64_t iova)
{
	uint64_t off = iova - IOVA;

	return GPA + off / PAGE * 5 % 16 * PAGE + off % PAGE;
}

FIXTURE_SETUP(access)
{
	uint64_t n;

	self->bm = NULL;
	if (variant->by_iova)
		ASSERT_OK(gm_bitmap_new(IOVA + PAGES * PAGE, 65536,
					&self->bm));
	ASSERT_OK(iommu_guest_init(&self->g, 64, self->bm));
	for (n = 0; n < PAGES; n++)
		iommu_guest_set(&self->g, n, gpa_of(IOVA + n * PAGE),
				GM_PERM_RW);
	for (n = 0; n < sizeof(self->want); n++) {
		self->want[n] = (uint8_t)(n * 7 + n / 251);
		*iommu_guest_host(&self->g, gpa_of(IOVA + n)) = self->want[n];
	}
}

FIXTURE_TEARDOWN(access)
{
	iommu_guest_exit(&self->g);
	gm_bitmap_put(self->bm);
}

/* Is all memory as it should be? */
static void expect_memory(struct __test_metadata *_metadata,
			  const struct iommu_guest *g, const uint8_t *want)
{
	uint64_t n, wrong = 0;

	for (n = 0; n < PAGES * PAGE; n++)
		wrong += *iommu_guest_host(g, gpa_of(IOVA + n)) != want[n];
	EXPECT_EQ(0, wrong);
}

/* Are exactly pages [first, last] of the IOVAs marked, where they have to be? */
static void expect_marks(struct __test_metadata *_metadata,
			 const struct iommu_guest *g, uint64_t first,
			 uint64_t last)
{
	uint64_t n, wrong = 0;

	for (n = 0; n < PAGES; n++) {
		bool by_region = iommu_guest_is_dirty(g, gpa_of(IOVA +
								n * PAGE));
		bool want = n >= first && n <= last;

		wrong += by_region != (want && !g->dirty);
	}
	EXPECT_EQ(0, wrong);
	if (g->dirty)
		EXPECT_EQ(first <= last, gm_bitmap_test(g->dirty, IOVA));
}

#define NONE 1, 0

TEST_F(access, bytes_over_many_pages)
{
	gm_gpa_t at = gm_gpa(IOVA + 100);
	uint64_t n = 9 * PAGE;

	ASSERT_OK(gm_view_read(&self->g.v, at, self->buf, n));
	EXPECT_EQ(0, memcmp(self->buf, self->want + 100, n));
	EXPECT_EQ(1, self->g.calls);
	EXPECT_EQ(n, self->g.len);
	EXPECT_EQ((int64_t)n, gm_view_read_some(&self->g.v, at, self->buf, n));
	expect_marks(_metadata, &self->g, NONE);
	memset(self->buf, 0x77, n);
	memset(self->want + 100, 0x77, n);
	ASSERT_OK(gm_view_write(&self->g.v, at, self->buf, n));
	expect_memory(_metadata, &self->g, self->want);
	expect_marks(_metadata, &self->g, 0, 9);
	EXPECT_EQ((int64_t)n, gm_view_write_some(&self->g.v, at, self->buf,
						 n));
	ASSERT_OK(gm_view_read(&self->g.v, gm_gpa(1), self->buf, 0));
	ASSERT_OK(gm_view_write(&self->g.v, gm_gpa(1), self->buf, 0));
}

TEST_F(access, integers_at_each_edge)
{
	uint64_t off, x, want;

	for (off = PAGE - 8; off <= PAGE + 8; off++) {
		memcpy(&want, self->want + off, 8);
		ASSERT_OK(gm_view_read_u64(&self->g.v, gm_gpa(IOVA + off),
					   &x));
		ASSERT_EQ(want, x);
		want = ~want;
		memcpy(self->want + off, &want, 8);
		ASSERT_OK(gm_view_write_u64(&self->g.v, gm_gpa(IOVA + off),
					    want));
	}
	expect_memory(_metadata, &self->g, self->want);
	expect_marks(_metadata, &self->g, 0, 1);
}

TEST_F(access, atomics)
{
	uint32_t x, want;
	uint64_t y;

	memcpy(&want, self->want + PAGE, 4);
	ASSERT_OK(gm_view_load_u32(&self->g.v, gm_gpa(IOVA + PAGE), GM_ACQUIRE,
				   &x));
	EXPECT_EQ(want, x);
	expect_marks(_metadata, &self->g, NONE);
	ASSERT_OK(gm_view_store_u32(&self->g.v, gm_gpa(IOVA + PAGE), ~want,
				    GM_RELEASE));
	want = ~want;
	memcpy(self->want + PAGE, &want, 4);
	expect_memory(_metadata, &self->g, self->want);
	expect_marks(_metadata, &self->g, 1, 1);
	EXPECT_FAIL(gm_view_load_u64(&self->g.v, gm_gpa(IOVA + 2 * PAGE - 4),
				     GM_RELAXED, &y),
		    EMSGSIZE, GM_ERR_FRAGMENTED, IOVA + 2 * PAGE - 4, 8, 8, 4);
	EXPECT_FAIL(gm_view_load_u64(&self->g.v, gm_gpa(IOVA + PAGES * PAGE -
							4), GM_RELAXED, &y),
		    EFAULT, GM_ERR_IOVA, IOVA + PAGES * PAGE, 4, 0, 0);
	EXPECT_FAIL(gm_view_load_u32(&self->g.v, gm_gpa(IOVA + 2), GM_RELAXED,
				     &x),
		    EINVAL, GM_ERR_MISALIGNED, IOVA + 2, 4, 0, 0);
}

TEST_F(access, slices_of_a_fragmented_range)
{
	struct gm_slices it;
	struct gm_slice s;
	uint64_t done = 0;
	int count = 0;

	ASSERT_OK(gm_view_check_range(&self->g.v, gm_gpa(IOVA + 1), 3 * PAGE,
				      GM_PERM_RW));
	gm_view_begin(&self->g.v);
	gm_slices_init(&it, &self->g.v, gm_gpa(IOVA + 1), 3 * PAGE,
		       GM_PERM_RW);
	for (; gm_slices_next(&it, &s) > 0; count++) {
		EXPECT_EQ(iommu_guest_host(&self->g, gpa_of(IOVA + 1 + done)),
			  s.host);
		done += s.len;
		ASSERT_OK(gm_slice_write(s, 0, "x", 1));
	}
	gm_view_end(&self->g.v);
	EXPECT_EQ(4, count);
	EXPECT_EQ(3 * PAGE, done);
	expect_marks(_metadata, &self->g, 0, 3);
}

TEST_F(access, check_range)
{
	struct gm_view *v = &self->g.v;

	ASSERT_OK(gm_view_check_range(v, gm_gpa(IOVA), PAGES * PAGE,
				      GM_PERM_RW));
	EXPECT_FAIL(gm_view_check_range(v, gm_gpa(IOVA), PAGES * PAGE + 1,
					GM_PERM_READ),
		    EFAULT, GM_ERR_IOVA, IOVA + PAGES * PAGE, 1, 0, 0);
	EXPECT_FAIL(gm_view_check_range(v, gm_gpa(UINT64_MAX - 3), 8,
					GM_PERM_READ),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX - 3, 8, 0, 0);
	ASSERT_OK(gm_view_check_range(v, gm_gpa(5), 0, GM_PERM_RW));
}

static int64_t count_piece(void *ctx, uint64_t done, uint64_t len,
			   gm_roff_t off, struct gm_region *r)
{
	uint64_t *pieces = ctx;

	(void)done, (void)off, (void)r;
	++*pieces;
	return (int64_t)len;
}

TEST_F(access, try_access)
{
	uint64_t pieces = 0;

	EXPECT_EQ((int64_t)(3 * PAGE),
		  gm_view_try_access(&self->g.v, gm_gpa(IOVA + 5), 3 * PAGE,
				     count_piece, &pieces));
	EXPECT_EQ(4, pieces);
	/* Up to where nothing is. */
	EXPECT_EQ(7, gm_view_try_access(&self->g.v,
					gm_gpa(IOVA + PAGES * PAGE - 7), 100,
					count_piece, &pieces));
}

TEST_F(access, sources_and_sinks)
{
	struct gm_fd_source src;
	struct gm_fd_sink sink;
	int fd = memfd_create("io", 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)(6 * PAGE), write(fd, self->buf, 6 * PAGE));
	gm_fd_source_init_at(&src, fd, 0);
	ASSERT_OK(gm_view_read_exact_from(&self->g.v, gm_gpa(IOVA + 3),
					  &src.source, 5 * PAGE));
	memset(self->want + 3, 0, 5 * PAGE);
	expect_memory(_metadata, &self->g, self->want);
	expect_marks(_metadata, &self->g, 0, 5);
	gm_fd_sink_init_at(&sink, fd, 0);
	ASSERT_OK(gm_view_write_all_to(&self->g.v, gm_gpa(IOVA + 5 * PAGE),
				       &sink.sink, 3 * PAGE));
	ASSERT_EQ((ssize_t)(3 * PAGE), pread(fd, self->buf, 3 * PAGE, 0));
	EXPECT_EQ(0, memcmp(self->buf, self->want + 5 * PAGE, 3 * PAGE));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR) - (off_t)(6 * PAGE));
	close(fd);
}

/* A miss in the middle does not take the slices away that are in hand. */
TEST_F(access, source_stops_at_a_miss_and_goes_on)
{
	struct gm_buf_source src;

	ASSERT_OK(gm_iommu_map(self->g.iommu, gm_iova(IOVA), PAGE,
			       gm_gpa(gpa_of(IOVA)), GM_PERM_RW));
	memset(self->buf, 1, sizeof(self->buf));
	gm_buf_source_init(&src, self->buf, 2 * PAGE);
	EXPECT_EQ((int64_t)PAGE, gm_view_read_from(&self->g.v, gm_gpa(IOVA),
						   &src.source, 2 * PAGE));
	EXPECT_EQ(0, self->g.calls);
	EXPECT_EQ((int64_t)PAGE, gm_view_read_from(&self->g.v,
						   gm_gpa(IOVA + PAGE),
						   &src.source, PAGE));
	EXPECT_EQ(1, self->g.calls);
}

TEST_F(access, iovecs)
{
	struct gm_range chain[2] = {
		{ gm_gpa(IOVA + 8), 2 * PAGE }, { gm_gpa(IOVA + 4 * PAGE), 16 },
	};
	struct gm_iov_cursor c, start;
	struct iovec iov[8];
	uint64_t bytes;
	int n;

	ASSERT_OK(gm_iov_init(&c, chain, 2));
	EXPECT_FAIL(gm_iov_extract(&self->g.v, &c, GM_PERM_WRITE, UINT64_MAX,
				   iov, 8, &bytes),
		    EINVAL, GM_ERR_SECTION, IOVA + 8, 2 * PAGE, 0, 0);
	gm_view_begin(&self->g.v);
	EXPECT_EQ(-EAGAIN, gm_iov_extract(&self->g.v, &c, GM_PERM_WRITE,
					  UINT64_MAX, iov, 8, &bytes));
	gm_view_end(&self->g.v);
	ASSERT_OK(gm_view_check_range(&self->g.v, gm_gpa(IOVA), 5 * PAGE,
				      GM_PERM_RW));
	gm_view_begin(&self->g.v);
	start = c;
	n = gm_iov_extract(&self->g.v, &c, GM_PERM_WRITE, UINT64_MAX, iov, 8,
			   &bytes);
	ASSERT_EQ(4, n);
	EXPECT_EQ(2 * PAGE + 16, bytes);
	EXPECT_EQ(iommu_guest_host(&self->g, gpa_of(IOVA + PAGE)),
		  iov[1].iov_base);
	expect_marks(_metadata, &self->g, NONE);
	gm_iov_mark(&self->g.v, &start, 2 * PAGE);
	gm_view_end(&self->g.v);
	expect_marks(_metadata, &self->g, 0, 2);
	ASSERT_OK(gm_iov_init(&c, chain, 2));
	ASSERT_OK(gm_iov_read(&self->g.v, &c, self->buf, 2 * PAGE + 16));
	EXPECT_EQ(0, memcmp(self->buf + 2 * PAGE, self->want + 4 * PAGE, 16));
}

/* Pages that can't be found any more are not lost. */
TEST_F(access, mark_whose_translation_is_gone)
{
	uint64_t n;

	ASSERT_OK(gm_iommu_invalidate_all(self->g.iommu));
	gm_view_begin(&self->g.v);
	gm_view_mark(&self->g.v, gm_gpa(IOVA + PAGE), 1);
	gm_view_end(&self->g.v);
	if (variant->by_iova)
		EXPECT_TRUE(gm_bitmap_test(self->bm, IOVA));
	for (n = 0; n < 2 * REGION_PAGES; n++)
		EXPECT_EQ(!variant->by_iova,
			  iommu_guest_is_dirty(&self->g, GPA + n * PAGE));
}

/* Outside of the section, the translation may be another one by now. */
TEST_F(access, mark_after_the_section)
{
	uint64_t gpa = gpa_of(IOVA + PAGE);

	ASSERT_OK(gm_iommu_invalidate_all(self->g.iommu));
	ASSERT_OK(gm_iommu_map(self->g.iommu, gm_iova(IOVA + PAGE), PAGE,
			       gm_gpa(gpa ^ PAGE), GM_PERM_RW));
	expect_marks(_metadata, &self->g, NONE);
	gm_view_mark(&self->g.v, gm_gpa(IOVA + PAGE), 1);
	EXPECT_TRUE(variant->by_iova ?
		    gm_bitmap_test(self->bm, IOVA + PAGE) :
		    iommu_guest_is_dirty(&self->g, gpa));
}

TEST_F(access, while_it_is_off_the_regions_are_marked)
{
	ASSERT_OK(gm_iommu_set_enabled(self->g.iommu, false));
	EXPECT_EQ(self->bm, gm_iommu_bitmap(self->g.iommu));
	ASSERT_OK(gm_view_write_u32(&self->g.v, gm_gpa(GPA + PAGE), 1));
	EXPECT_TRUE(iommu_guest_is_dirty(&self->g, GPA + PAGE));
	gm_view_mark(&self->g.v, gm_gpa(GPA + 9 * PAGE), 1);
	EXPECT_TRUE(iommu_guest_is_dirty(&self->g, GPA + 9 * PAGE));
	EXPECT_FALSE(iommu_guest_is_dirty(&self->g, GPA + 8 * PAGE));
	/* No mark past the map, and an end to the range. */
	gm_view_mark(&self->g.v, gm_gpa(0), UINT64_MAX);
	EXPECT_TRUE(iommu_guest_is_dirty(&self->g, GPA + 8 * PAGE));
	if (variant->by_iova)
		EXPECT_FALSE(gm_bitmap_test(self->bm, GPA));
}

/* --- memory mapped on demand, and read-only --- */

static void own_guest(struct __test_metadata *_metadata, struct gm_iommu **i,
		      struct gm_bitmap *dirty, bool mapped)
{
	static const struct gm_iommu_ops ops = {
		.translate = iommu_guest_translate,
	};
	static struct iommu_guest nobody;

	ASSERT_OK(gm_iommu_new(&ops, &nobody, 8, dirty, i));
	if (mapped)
		ASSERT_OK(gm_iommu_map(*i, gm_iova(IOVA), 64, gm_gpa(0),
				       GM_PERM_RW));
}

TEST(memory_on_demand)
{
	struct gm_region *regions[1];
	uint8_t mem[64] = "hello";
	struct own_region own;
	struct gm_bitmap *bm;
	struct gm_iommu *i;
	struct gm_map *m;
	struct gm_view v;
	uint64_t x = 0;

	ASSERT_OK(own_region_init_on_demand(&own, 0, 64, mem, NULL));
	regions[0] = &own.r;
	ASSERT_OK(gm_map_new(regions, 1, &m));
	own_guest(_metadata, &i, NULL, true);
	gm_view_init_iommu(&v, i, m);
	ASSERT_OK(gm_view_read(&v, gm_gpa(IOVA), &x, 6));
	EXPECT_EQ(0, memcmp(&x, "hello", 6));
	ASSERT_OK(gm_view_write_u64(&v, gm_gpa(IOVA + 8), 77));
	EXPECT_EQ(77, mem[8]);
	ASSERT_OK(gm_view_load_u64(&v, gm_gpa(IOVA + 8), GM_ACQUIRE, &x));
	EXPECT_EQ(77, x);
	EXPECT_EQ(0, own.open);
	gm_iommu_put(i);
	/* Its slices can't be told to mark by IOVA: refused, not forgotten. */
	ASSERT_OK(gm_bitmap_new(4096, 4096, &bm));
	own_guest(_metadata, &i, bm, true);
	gm_view_init_iommu(&v, i, m);
	ASSERT_OK(gm_view_read(&v, gm_gpa(IOVA), &x, 6));
	EXPECT_FAIL(gm_view_write_u64(&v, gm_gpa(IOVA + 8), 78), EOPNOTSUPP,
		    GM_ERR_NO_HOST_ADDR, IOVA + 8, 8, 0, 0);
	EXPECT_EQ(77, mem[8]);
	gm_iommu_put(i);
	gm_bitmap_put(bm);
	gm_map_put(m);
	gm_region_put(&own.r);
}

TEST(memory_that_is_read_only)
{
	struct gm_mmap_opts opts = {
		.sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY,
	};
	struct gm_range r = { gm_gpa(0), PAGE };
	struct gm_bitmap *bm;
	struct gm_iommu *i;
	struct gm_slice s;
	struct gm_map *m;
	struct gm_view v;
	uint64_t x;

	ASSERT_OK(gm_map_new_mmap(&r, &opts, 1, &m));
	ASSERT_OK(gm_bitmap_new(IOVA + PAGE, 65536, &bm));
	own_guest(_metadata, &i, bm, true);
	gm_view_init_iommu(&v, i, m);
	ASSERT_OK(gm_view_read_u64(&v, gm_gpa(IOVA), &x));
	EXPECT_FAIL(gm_view_write_u64(&v, gm_gpa(IOVA), 1), EACCES,
		    GM_ERR_PERMISSION, 0, 8, 0, 0);
	gm_view_begin(&v);
	ASSERT_OK(gm_view_slice(&v, gm_gpa(IOVA), 8, GM_PERM_READ, &s));
	EXPECT_EQ(-EACCES, gm_slice_write(s, 0, &x, 8));
	gm_view_end(&v);
	EXPECT_FALSE(gm_bitmap_test(bm, IOVA));
	gm_iommu_put(i);
	gm_bitmap_put(bm);
	gm_map_put(m);
}

TEST_HARNESS_MAIN
