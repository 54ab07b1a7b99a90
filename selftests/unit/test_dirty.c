/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Every way to write marks exactly the bytes that it wrote, and no way to read
 * marks any. The bitmap has a bit a byte, so that one too many shows. Each way
 * runs on direct memory and on memory that is mapped on demand.
 */
#include "kselftest_harness.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <guestmem/io.h>
#include <guestmem/ref.h>
#include "expect.h"
#include "own_region.h"

#define LEN 256
#define AT 64		/* where the slice starts in its bitmap */
#define SIZE 64		/* its length */

static const uint8_t src[SIZE] = { 1, 2, 3 };
static uint8_t dst[SIZE];

static struct gm_array array_of(struct gm_slice s)
{
	struct gm_array a;

	if (gm_slice_array(s, 6, 10, 5, &a))
		abort();
	return a;
}

static struct gm_ref ref_of(struct gm_slice s)
{
	struct gm_ref r;

	if (gm_slice_ref(s, 13, 7, &r))
		abort();
	return r;
}

/* A file of 10 bytes, open for both. */
static int file_of_10(void)
{
	int fd = memfd_create("dirty", MFD_CLOEXEC);

	if (fd < 0 || write(fd, "0123456789", 10) != 10 || lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

#define WAY(name, stmt) static void name(struct gm_slice s) { stmt; }

WAY(write_all, gm_slice_write(s, 5, src, 11))
WAY(write_nothing, gm_slice_write(s, 5, src, 0))
WAY(write_part, gm_slice_write(s, SIZE - 3, src, 11))
WAY(write_outside, gm_slice_write(s, SIZE, src, 1))
WAY(write_some, gm_slice_write_some(s, SIZE - 2, src, 11))
WAY(write_u8, gm_slice_write_u8(s, 1, 1))
WAY(write_u16, gm_slice_write_u16(s, 3, 1))
WAY(write_u32, gm_slice_write_u32(s, 7, 1))
WAY(write_u64, gm_slice_write_u64(s, 9, 1))
WAY(store, gm_slice_store(s, 8, src, 4, GM_SEQ_CST))
WAY(store_u8, gm_slice_store_u8(s, 9, 1, GM_RELAXED))
WAY(store_u16, gm_slice_store_u16(s, 10, 1, GM_RELEASE))
WAY(store_u32, gm_slice_store_u32(s, 12, 1, GM_RELEASE))
WAY(store_u64, gm_slice_store_u64(s, 16, 1, GM_RELEASE))
WAY(store_misaligned, gm_slice_store(s, 9, src, 4, GM_RELAXED))
WAY(store_bad_order, gm_slice_store(s, 8, src, 4, GM_ACQUIRE))
WAY(copy_from, gm_slice_copy_from(s, src, 8, 3))
WAY(copy_from_cut, gm_slice_copy_from(s, src, 60, 2))
WAY(copy_slice_in, gm_slice_copy_to_slice(gm_slice_new(dst, 20), s))
WAY(ref_store, gm_ref_store(ref_of(s), src))
WAY(array_store, gm_array_store(array_of(s), 2, src))
WAY(array_store_outside, gm_array_store(array_of(s), 5, src))
WAY(array_copy_from, gm_array_copy_from(array_of(s), src, 3))
WAY(explicit_mark, gm_slice_mark(s, 60, 100))

static void guard_write(struct gm_slice s)
{
	struct gm_guard g;

	if (gm_slice_begin(s, GM_PERM_WRITE, &g))
		abort();
	gm_mem_write_u32(g.ptr + 20, 1);
	gm_guard_end(&g);
	gm_slice_mark(s, 20, 4);
}

static void array_ref_store(struct gm_slice s)
{
	struct gm_ref r;

	if (gm_array_ref_at(array_of(s), 1, &r))
		abort();
	gm_ref_store(r, src);
}

static void buf_source(struct gm_slice s)
{
	struct gm_buf_source b;

	gm_buf_source_init(&b, src, 9);
	gm_slice_read_from(s, 4, &b.source, 20);
}

static void buf_source_exact_short(struct gm_slice s)
{
	struct gm_buf_source b;

	gm_buf_source_init(&b, src, 9);
	gm_slice_read_exact_from(s, 4, &b.source, 20);
}

static void fd_source_short(struct gm_slice s)
{
	struct gm_fd_source f;
	int fd = file_of_10();

	gm_fd_source_init(&f, fd);
	gm_slice_read_from(s, 30, &f.source, 30);
	close(fd);
}

static void fd_source_at(struct gm_slice s)
{
	struct gm_fd_source f;
	int fd = file_of_10();

	gm_fd_source_init_at(&f, fd, 4);
	gm_slice_read_exact_from(s, 0, &f.source, 6);
	close(fd);
}

static void fd_source_at_end(struct gm_slice s)
{
	struct gm_fd_source f;
	int fd = file_of_10();

	gm_fd_source_init_at(&f, fd, 10);
	gm_slice_read_from(s, 0, &f.source, 6);
	close(fd);
}

/* Nobody knows how far a failed read came: its whole target is dirty. */
static void fd_source_fails(struct gm_slice s)
{
	struct gm_fd_source f;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	gm_fd_source_init(&f, fd);
	gm_slice_read_from(s, 3, &f.source, 50);
	close(fd);
}

static void fd_sink(struct gm_slice s)
{
	struct gm_fd_sink f;
	int fd = file_of_10();

	gm_fd_sink_init(&f, fd);
	gm_slice_write_all_to(s, 0, &f.sink, SIZE);
	close(fd);
}

static void buf_sink(struct gm_slice s)
{
	struct gm_buf_sink b;

	gm_buf_sink_init(&b, dst, sizeof(dst));
	gm_slice_write_to(s, 0, &b.sink, SIZE);
}

static void grow_sink(struct gm_slice s)
{
	struct gm_grow_sink b;

	gm_grow_sink_init(&b);
	gm_slice_write_to(s, 0, &b.sink, SIZE);
	gm_grow_sink_exit(&b);
}

WAY(read_all, gm_slice_read(s, 5, dst, 11))
WAY(read_part, gm_slice_read(s, 60, dst, 11))
WAY(read_some, gm_slice_read_some(s, 5, dst, 11))
WAY(load, gm_slice_load(s, 8, dst, 8, GM_ACQUIRE))
WAY(copy_to, gm_slice_copy_to(s, dst, 8, 3))
WAY(copy_slice_out, gm_slice_copy_to_slice(s, gm_slice_new(dst, 20)))
WAY(ref_load, gm_ref_load(ref_of(s), dst))
WAY(array_load, gm_array_load(array_of(s), 2, dst))
WAY(array_copy_to, gm_array_copy_to(array_of(s), dst, 3))
WAY(array_copy_to_slice, gm_array_copy_to_slice(array_of(s), gm_slice_new(dst, 64)))

#define ROW(way, first, count) { #way, way, first, count }

static const struct {
	const char *name;
	void (*way)(struct gm_slice s);
	uint64_t first, count;		/* bytes written, in the slice */
} ways[] = {
	ROW(write_all, 5, 11), ROW(write_nothing, 0, 0),
	ROW(write_part, SIZE - 3, 3), ROW(write_outside, 0, 0),
	ROW(write_some, SIZE - 2, 2), ROW(write_u8, 1, 1), ROW(write_u16, 3, 2),
	ROW(write_u32, 7, 4), ROW(write_u64, 9, 8), ROW(store, 8, 4),
	ROW(store_u8, 9, 1), ROW(store_u16, 10, 2), ROW(store_u32, 12, 4),
	ROW(store_u64, 16, 8), ROW(store_misaligned, 0, 0),
	ROW(store_bad_order, 0, 0), ROW(copy_from, 0, 24),
	ROW(copy_from_cut, 0, 60), ROW(copy_slice_in, 0, 20),
	ROW(ref_store, 13, 7), ROW(array_store, 26, 10),
	ROW(array_store_outside, 0, 0), ROW(array_copy_from, 6, 30),
	ROW(array_ref_store, 16, 10), ROW(explicit_mark, 60, 4),
	ROW(guard_write, 20, 4), ROW(buf_source, 4, 9),
	ROW(buf_source_exact_short, 4, 9), ROW(fd_source_short, 30, 10),
	ROW(fd_source_at, 0, 6), ROW(fd_source_at_end, 0, 0),
	ROW(fd_source_fails, 3, 50),
	/* reads of guest memory */
	ROW(fd_sink, 0, 0), ROW(buf_sink, 0, 0), ROW(grow_sink, 0, 0),
	ROW(read_all, 0, 0), ROW(read_part, 0, 0), ROW(read_some, 0, 0),
	ROW(load, 0, 0), ROW(copy_to, 0, 0), ROW(copy_slice_out, 0, 0),
	ROW(ref_load, 0, 0), ROW(array_load, 0, 0), ROW(array_copy_to, 0, 0),
	ROW(array_copy_to_slice, 0, 0),
};

/* Bytes whose mark is wrong after one way. */
static int wrong_marks(size_t i, struct gm_bitmap *bm, struct gm_slice s)
{
	int wrong = 0;

	gm_bitmap_reset(bm);
	ways[i].way(s);
	for (uint64_t b = 0; b < LEN; b++) {
		bool want = b >= AT && b - AT - ways[i].first < ways[i].count;

		wrong += gm_bitmap_test_page(bm, b) != want;
	}
	return wrong;
}

TEST(each_write_marks_exactly_what_it_wrote_and_reads_mark_none)
{
	_Alignas(16) static uint8_t mem[LEN];
	struct gm_bitmap *bm;
	struct gm_slice s;

	ASSERT_OK(gm_bitmap_new(LEN, 1, &bm));
	s = gm_slice_new_dirty(mem + AT, SIZE, bm, AT);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		EXPECT_EQ(0, wrong_marks(i, bm, s))
			TH_LOG("%s", ways[i].name);
	}
	gm_bitmap_put(bm);
}

TEST(each_write_on_demand_marks_exactly_what_it_wrote_and_reads_mark_none)
{
	_Alignas(16) static uint8_t mem[LEN];
	struct own_region o;
	struct gm_bitmap *bm;
	struct gm_slice s;

	ASSERT_OK(gm_bitmap_new(LEN, 1, &bm));
	ASSERT_OK(own_region_init_on_demand(&o, 0, LEN, mem, bm));
	ASSERT_OK(gm_region_slice(&o.r, gm_roff(AT), SIZE, &s));
	EXPECT_EQ(bm, gm_slice_bitmap(s).bm);
	EXPECT_EQ(AT, gm_slice_bitmap(s).off);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		EXPECT_EQ(0, wrong_marks(i, bm, s))
			TH_LOG("%s", ways[i].name);
		EXPECT_EQ(0, o.open);
	}
	gm_region_put(&o.r);
	EXPECT_EQ(0, o.bad);
	gm_bitmap_put(bm);
}

TEST(write_that_region_refuses_marks_nothing)
{
	_Alignas(16) static uint8_t mem[LEN];
	struct own_region o;
	struct gm_bitmap *bm;
	struct gm_slice s;

	ASSERT_OK(gm_bitmap_new(LEN, 1, &bm));
	ASSERT_OK(own_region_init_on_demand(&o, 0, LEN, mem, bm));
	ASSERT_OK(gm_region_slice(&o.r, gm_roff(AT), SIZE, &s));
	o.fail = -EIO;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		/* Two write on their own account. */
		if (ways[i].way == guard_write || ways[i].way == explicit_mark)
			continue;
		gm_bitmap_reset(bm);
		ways[i].way(s);
		for (uint64_t b = 0; b < LEN; b++)
			EXPECT_FALSE(gm_bitmap_test_page(bm, b));
	}
	o.fail = 0;
	gm_region_put(&o.r);
	gm_bitmap_put(bm);
}

TEST_HARNESS_MAIN
