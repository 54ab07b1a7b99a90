/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_access_io.c - guest ranges filled from sources and drained to sinks: all
 * regions in one call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "own_region.h"

#define BASE UINT64_C(0x40000)
#define SIZE 32
/* More adjacent regions than one call of a source is given. */
#define MANY (GM_IO_BATCH + 6)

FIXTURE(io) {
	uint8_t mem[MANY][SIZE];
	struct gm_bitmap *bm[MANY];
	struct own_region own[MANY];
	struct gm_region *regions[MANY];
	struct gm_map *m;
	struct gm_view v;
};

FIXTURE_VARIANT(io) {
	int on_demand;		/* each so many'th region is */
};

FIXTURE_VARIANT_ADD(io, direct) { .on_demand = MANY + 1 };
FIXTURE_VARIANT_ADD(io, each_third_on_demand) { .on_demand = 3 };

FIXTURE_SETUP(io)
{
	int i;

	for (i = 0; i < MANY; i++) {
		/* Neighbours in the guest are no neighbours in the host. */
		uint8_t *mem = self->mem[MANY - 1 - i];
		uint64_t base = BASE + (uint64_t)i * SIZE;

		memset(mem, i, SIZE);
		ASSERT_OK(gm_bitmap_new(SIZE, 8, &self->bm[i]));
		if (i % variant->on_demand == 1)
			ASSERT_OK(own_region_init_on_demand(&self->own[i], base,
							    SIZE, mem,
							    self->bm[i]));
		else
			ASSERT_OK(own_region_init_direct(&self->own[i], base,
							 SIZE, mem, self->bm[i]));
		self->regions[i] = &self->own[i].r;
	}
	ASSERT_OK(gm_map_new(self->regions, MANY, &self->m));
	gm_view_init(&self->v, self->m);
}

FIXTURE_TEARDOWN(io)
{
	int i;

	gm_map_put(self->m);
	for (i = 0; i < MANY; i++) {
		gm_region_put(self->regions[i]);
		gm_bitmap_put(self->bm[i]);
		EXPECT_EQ(0, self->own[i].bad);
		EXPECT_EQ(0, self->own[i].open);
	}
}

static uint64_t take(struct gm_bitmap *bm)
{
	uint64_t bits = 0;

	gm_bitmap_take(bm, &bits, 1);
	return bits;
}

/* Marked are exactly the bytes [off, off + n) from BASE. */
#define EXPECT_MARKED(off, n) \
	expect_marked(_metadata, self->bm, off, n)

static void expect_marked(struct __test_metadata *_metadata,
			  struct gm_bitmap *bm[], uint64_t off, uint64_t n)
{
	uint64_t i, b, want;

	for (i = 0; i < MANY; i++) {
		want = 0;
		for (b = i * SIZE; b < (i + 1) * SIZE; b++)
			if (b >= off && b - off < n)
				want |= UINT64_C(1) << (b % SIZE / 8);
		EXPECT_EQ(want, take(bm[i]))
			TH_LOG("region %d", (int)i);
	}
}

/* A source and a sink of the caller's own that keep account of their calls. */
struct counter {
	struct gm_source source;
	struct gm_sink sink;
	int calls;
	int slices[4];
	uint64_t bytes[4];
	int64_t answer;		/* 0: all; else so many, or an error */
};

static int64_t count_call(struct counter *c, const struct gm_slice *slices,
			  int count)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < count; i++)
		n += gm_slice_len(slices[i]);
	if (c->calls < 4) {
		c->slices[c->calls] = count;
		c->bytes[c->calls] = n;
	}
	c->calls++;
	return c->answer ? c->answer : (int64_t)n;
}

static int64_t counter_read(struct gm_source *src, const struct gm_slice *slices,
			    int count)
{
	return count_call((struct counter *)src, slices, count);
}

static int64_t counter_write(struct gm_sink *sink, const struct gm_slice *slices,
			     int count)
{
	struct counter *c = (struct counter *)((char *)sink -
					       offsetof(struct counter, sink));

	return count_call(c, slices, count);
}

static const struct counter new_counter = {
	.source.read = counter_read,
	.sink.write = counter_write,
};

TEST_F(io, all_slices_in_one_call)
{
	struct counter c = new_counter;

	EXPECT_EQ(3 * SIZE, gm_view_read_from(&self->v, gm_gpa(BASE + 5),
					      &c.source, 3 * SIZE));
	EXPECT_EQ(1, c.calls);
	EXPECT_EQ(4, c.slices[0]);
	EXPECT_EQ(3 * SIZE, c.bytes[0]);
	c = new_counter;
	EXPECT_EQ(0, gm_view_write_all_to(&self->v, gm_gpa(BASE), &c.sink,
					  5 * SIZE));
	EXPECT_EQ(1, c.calls);
	EXPECT_EQ(5, c.slices[0]);
	EXPECT_EQ(5 * SIZE, c.bytes[0]);
}

TEST_F(io, more_regions_than_a_call_is_given)
{
	struct counter c = new_counter;

	EXPECT_EQ(GM_IO_BATCH * SIZE,
		  gm_view_write_to(&self->v, gm_gpa(BASE), &c.sink, MANY * SIZE));
	EXPECT_EQ(1, c.calls);
	EXPECT_EQ(GM_IO_BATCH, c.slices[0]);
	c = new_counter;
	EXPECT_EQ(0, gm_view_read_exact_from(&self->v, gm_gpa(BASE), &c.source,
					     MANY * SIZE));
	EXPECT_EQ(2, c.calls);
	EXPECT_EQ(GM_IO_BATCH, c.slices[0]);
	EXPECT_EQ(MANY - GM_IO_BATCH, c.slices[1]);
	EXPECT_EQ((MANY - GM_IO_BATCH) * SIZE, c.bytes[1]);
}

TEST_F(io, cut_at_the_end)
{
	struct counter c = new_counter;
	gm_gpa_t near_end = gm_gpa(BASE + MANY * SIZE - 3);

	EXPECT_EQ(3, gm_view_read_from(&self->v, near_end, &c.source, 100));
	EXPECT_EQ(3, gm_view_write_to(&self->v, near_end, &c.sink, UINT64_MAX));
	EXPECT_EQ(2, c.calls);
	EXPECT_EQ(0, gm_view_read_from(&self->v, near_end, &c.source, 0));
	EXPECT_EQ(0, gm_view_write_to(&self->v, gm_gpa(0), &c.sink, 0));
	EXPECT_EQ(0, gm_view_read_exact_from(&self->v, gm_gpa(0), &c.source, 0));
	EXPECT_EQ(0, gm_view_write_all_to(&self->v, gm_gpa(0), &c.sink, 0));
	EXPECT_EQ(2, c.calls);
}

TEST_F(io, refused_before_the_other_side_is_touched)
{
	struct counter c = new_counter;
	gm_gpa_t near_end = gm_gpa(BASE + MANY * SIZE - 3);

	EXPECT_FAIL(gm_view_read_from(&self->v, gm_gpa(BASE - 1), &c.source, 8),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE - 1, 0, 0, 0);
	EXPECT_FAIL(gm_view_write_to(&self->v, gm_gpa(BASE - 1), &c.sink, 8),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE - 1, 0, 0, 0);
	EXPECT_FAIL(gm_view_read_exact_from(&self->v, near_end, &c.source, 4),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + MANY * SIZE, 0, 0, 0);
	EXPECT_FAIL(gm_view_write_all_to(&self->v, near_end, &c.sink, 4),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + MANY * SIZE, 0, 0, 0);
	EXPECT_FAIL(gm_view_read_exact_from(&self->v, near_end, &c.source,
					    UINT64_MAX),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, gm_gpa_raw(near_end),
		    UINT64_MAX, 0, 0);
	EXPECT_FAIL(gm_view_write_all_to(&self->v, near_end, &c.sink,
					 UINT64_MAX),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, gm_gpa_raw(near_end),
		    UINT64_MAX, 0, 0);
	EXPECT_EQ(0, c.calls);
	EXPECT_MARKED(0, 0);
}

TEST_F(io, error_of_the_source_and_claims_too_high)
{
	struct counter c = new_counter;

	c.answer = -ETIMEDOUT;
	EXPECT_EQ(-ETIMEDOUT, gm_view_read_from(&self->v, gm_gpa(BASE),
						&c.source, 8));
	EXPECT_EQ(-ETIMEDOUT, gm_view_write_all_to(&self->v, gm_gpa(BASE),
						   &c.sink, 8));
	/* It says it moved more than it was given. */
	c.answer = 9;
	EXPECT_FAIL_KIND(gm_view_read_from(&self->v, gm_gpa(BASE), &c.source, 8),
			 ERANGE, GM_ERR_CALLBACK_RANGE);
	EXPECT_EQ(8, gm_error_last()->expected);
	EXPECT_EQ(9, gm_error_last()->completed);
	EXPECT_FAIL_KIND(gm_view_write_to(&self->v, gm_gpa(BASE), &c.sink, 8),
			 ERANGE, GM_ERR_CALLBACK_RANGE);
	EXPECT_FAIL_KIND(gm_view_read_exact_from(&self->v, gm_gpa(BASE),
						 &c.source, 8),
			 ERANGE, GM_ERR_CALLBACK_RANGE);
	EXPECT_FAIL_KIND(gm_view_write_all_to(&self->v, gm_gpa(BASE), &c.sink, 8),
			 ERANGE, GM_ERR_CALLBACK_RANGE);
}

/* A source that gives a little at a time is asked until all is there. */
TEST_F(io, exact_goes_on_after_a_short_call)
{
	struct counter c = new_counter;

	c.answer = 7;
	EXPECT_EQ(0, gm_view_read_exact_from(&self->v, gm_gpa(BASE), &c.source,
					     70));
	EXPECT_EQ(10, c.calls);
	EXPECT_EQ(70, c.bytes[0]);
	EXPECT_EQ(63, c.bytes[1]);
	c = new_counter;
	c.answer = 7;
	EXPECT_EQ(0, gm_view_write_all_to(&self->v, gm_gpa(BASE), &c.sink, 70));
	EXPECT_EQ(10, c.calls);
}

TEST_F(io, short_source_and_short_sink)
{
	uint8_t data[50], got[40];
	struct gm_buf_source src;
	struct gm_buf_sink sink;

	memset(data, 0xd5, sizeof(data));
	gm_buf_source_init(&src, data, sizeof(data));
	EXPECT_FAIL_KIND(gm_view_read_exact_from(&self->v, gm_gpa(BASE + 10),
						 &src.source, 64),
			 ENODATA, GM_ERR_UNEXPECTED_END);
	EXPECT_EQ(64, gm_error_last()->expected);
	EXPECT_EQ(50, gm_error_last()->completed);
	EXPECT_MARKED(10, 50);
	EXPECT_EQ(0xd5, self->mem[MANY - 1][10]);
	EXPECT_EQ(0xd5, self->mem[MANY - 2][27]);
	EXPECT_EQ(1, self->mem[MANY - 2][28]);
	EXPECT_EQ(0, gm_view_read_from(&self->v, gm_gpa(BASE), &src.source, 8));

	gm_buf_sink_init(&sink, got, sizeof(got));
	EXPECT_FAIL_KIND(gm_view_write_all_to(&self->v, gm_gpa(BASE + 10),
					      &sink.sink, 64),
			 ENOSPC, GM_ERR_WRITE_ZERO);
	EXPECT_EQ(64, gm_error_last()->expected);
	EXPECT_EQ(40, gm_error_last()->completed);
	EXPECT_EQ(0, memcmp(got, data, 40));
	EXPECT_MARKED(0, 0);
}

TEST_F(io, buffers_move_across_regions)
{
	uint8_t data[6 * SIZE], got[6 * SIZE];
	struct gm_buf_source src;
	struct gm_grow_sink sink;
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13);
	gm_buf_source_init(&src, data, sizeof(data));
	EXPECT_EQ(sizeof(data), (size_t)gm_view_read_from(&self->v,
							  gm_gpa(BASE + 3),
							  &src.source, 1000));
	EXPECT_MARKED(3, sizeof(data));
	EXPECT_EQ(0, gm_view_read(&self->v, gm_gpa(BASE + 3), got, sizeof(got)));
	EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
	gm_grow_sink_init(&sink);
	EXPECT_EQ(0, gm_view_write_all_to(&self->v, gm_gpa(BASE + 3), &sink.sink,
					  sizeof(data)));
	ASSERT_EQ(sizeof(data), sink.len);
	EXPECT_EQ(0, memcmp(data, sink.buf, sizeof(data)));
	gm_grow_sink_exit(&sink);
	EXPECT_MARKED(0, 0);
}

/*
 * A record is gone with the read that takes it, however much of it that read
 * had room for. So a range over regions arrives whole only if it is one readv.
 */
TEST_F(io, one_system_call_a_request)
{
	uint8_t data[5 * SIZE], got[6 * SIZE];
	struct gm_fd_source src;
	struct gm_fd_sink sink;
	int sv[2];
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 5 + 1);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	ASSERT_EQ((int)sizeof(data), send(sv[1], data, sizeof(data), 0));
	gm_fd_source_init(&src, sv[0]);
	EXPECT_EQ(sizeof(data), (size_t)gm_view_read_from(&self->v,
							  gm_gpa(BASE + 7),
							  &src.source,
							  sizeof(data)));
	EXPECT_EQ(0, gm_view_read(&self->v, gm_gpa(BASE + 7), got, sizeof(data)));
	EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
	EXPECT_MARKED(7, sizeof(data));
	EXPECT_EQ(-1, recv(sv[0], got, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);

	/* And in the other direction one record, not one a region. */
	gm_fd_sink_init(&sink, sv[0]);
	EXPECT_EQ(0, gm_view_write_all_to(&self->v, gm_gpa(BASE + 7), &sink.sink,
					  sizeof(data)));
	EXPECT_EQ(sizeof(data), (size_t)recv(sv[1], got, sizeof(got), 0));
	EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
	close(sv[0]);
	close(sv[1]);
}

TEST_F(io, file_at_an_offset)
{
	int fd = memfd_create("io", 0);
	struct gm_fd_source src;
	struct gm_fd_sink sink;
	uint8_t got[4 * SIZE];

	ASSERT_GE(fd, 0);
	gm_fd_sink_init_at(&sink, fd, 1000);
	EXPECT_EQ(0, gm_view_write_all_to(&self->v, gm_gpa(BASE), &sink.sink,
					  4 * SIZE));
	EXPECT_EQ(1000 + 4 * SIZE, sink.off);
	EXPECT_EQ(4 * SIZE, pread(fd, got, sizeof(got), 1000));
	EXPECT_EQ(0, got[0]);
	EXPECT_EQ(3, got[4 * SIZE - 1]);
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR));
	gm_fd_source_init_at(&src, fd, 1000);
	EXPECT_EQ(0, gm_view_read_exact_from(&self->v, gm_gpa(BASE + 8 * SIZE),
					     &src.source, 4 * SIZE));
	EXPECT_EQ(3, self->mem[MANY - 12][SIZE - 1]);
	EXPECT_MARKED(8 * SIZE, 4 * SIZE);
	EXPECT_FAIL_KIND(gm_view_read_exact_from(&self->v, gm_gpa(BASE),
						 &src.source, 1),
			 ENODATA, GM_ERR_UNEXPECTED_END);
	close(fd);
}

TEST_F(io, bad_descriptor)
{
	struct gm_fd_source src;
	struct gm_fd_sink sink;

	gm_fd_source_init(&src, -1);
	gm_fd_sink_init(&sink, -1);
	EXPECT_FAIL_KIND(gm_view_read_from(&self->v, gm_gpa(BASE), &src.source,
					   8), EBADF, GM_ERR_IO);
	EXPECT_FAIL_KIND(gm_view_write_all_to(&self->v, gm_gpa(BASE), &sink.sink,
					      8), EBADF, GM_ERR_IO);
}

TEST(read_only_memory_is_no_target)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_READ_ONLY };
	struct gm_range ranges[] = { { gm_gpa(0), 4096 }, { gm_gpa(4096), 4096 } };
	struct gm_mmap_opts opts[2] = { { .sz = sizeof(o) }, o };
	struct counter c = new_counter;
	struct gm_view v;
	struct gm_map *m;

	ASSERT_OK(gm_map_new_mmap(ranges, opts, 2, &m));
	gm_view_init(&v, m);
	EXPECT_FAIL_KIND(gm_view_read_from(&v, gm_gpa(4096), &c.source, 8),
			 EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(4096, gm_error_last()->addr);
	EXPECT_FAIL_KIND(gm_view_read_exact_from(&v, gm_gpa(4090), &c.source, 8),
			 EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(0, c.calls);
	EXPECT_EQ(6, gm_view_read_from(&v, gm_gpa(4090), &c.source, 8));
	EXPECT_EQ(8, gm_view_write_to(&v, gm_gpa(4090), &c.sink, 8));
	gm_map_put(m);
}

TEST_HARNESS_MAIN
