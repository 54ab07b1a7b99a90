/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io.h: sources and sinks that are memory or a caller's own. File descriptors:
 * test_io_fd.c.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/io.h>
#include <guestmem/mmap.h>
#include "expect.h"

#define TOP UINT64_MAX
#define PAGE 4096
#define LEN 64
#define FILL 0xee

/* A failed allocation is what a test wants, also under a sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Each call brings @step bytes at most, until @left are gone, then @last. */
struct own {
	struct gm_source source;
	struct gm_sink sink;
	uint64_t step;
	uint64_t left;
	int64_t last;
	uint8_t next;
	uint8_t got[LEN];
	size_t ngot;
	int calls;
	int bad;
};

static uint64_t own_size(struct own *o, const struct gm_slice *slices, int count)
{
	uint64_t n = o->step < o->left ? o->step : o->left;

	o->calls++;
	if (count != 1)
		o->bad++;
	if (n > gm_slice_len(slices[0]))
		n = gm_slice_len(slices[0]);
	o->left -= n;
	return n;
}

static int64_t own_read(struct gm_source *src, const struct gm_slice *slices,
			int count)
{
	struct own *o = (struct own *)((char *)src - offsetof(struct own, source));
	uint64_t n = own_size(o, slices, count);

	if (!n)
		return o->last;
	for (uint64_t i = 0; i < n; i++)
		if (gm_slice_write_u8(slices[0], i, o->next++))
			o->bad++;
	return (int64_t)n;
}

static int64_t own_write(struct gm_sink *sink, const struct gm_slice *slices,
			 int count)
{
	struct own *o = (struct own *)((char *)sink - offsetof(struct own, sink));
	uint64_t n = own_size(o, slices, count);

	if (!n)
		return o->last;
	if (gm_slice_read(slices[0], 0, o->got + o->ngot, n))
		o->bad++;
	o->ngot += n;
	return (int64_t)n;
}

FIXTURE(io) {
	uint8_t mem[LEN];
	struct gm_slice s;
	struct own own;
};

FIXTURE_SETUP(io)
{
	for (size_t i = 0; i < LEN; i++)
		self->mem[i] = (uint8_t)(0x80 + i);
	self->s = gm_slice_new(self->mem, LEN);
	self->own = (struct own){
		.source = { own_read }, .sink = { own_write },
		.step = 7, .left = TOP,
	};
}

FIXTURE_TEARDOWN(io)
{
	EXPECT_EQ(0, self->own.bad);
}

/* Is @mem as it was, but for 0, 1, 2, ... in [at, at + n)? */
static bool filled(const uint8_t *mem, size_t at, size_t n)
{
	for (size_t i = 0; i < LEN; i++)
		if (mem[i] != (uint8_t)(i - at < n ? i - at : 0x80 + i))
			return false;
	return true;
}

TEST_F(io, own_source_fills_as_far_as_one_call_brings_it)
{
	EXPECT_EQ(7, gm_slice_read_from(self->s, 5, &self->own.source, 20));
	EXPECT_EQ(1, self->own.calls);
	EXPECT_TRUE(filled(self->mem, 5, 7));
}

TEST_F(io, own_source_is_called_until_all_is_there)
{
	EXPECT_EQ(0, gm_slice_read_exact_from(self->s, 5, &self->own.source, 20));
	EXPECT_EQ(3, self->own.calls);
	EXPECT_TRUE(filled(self->mem, 5, 20));
}

TEST_F(io, own_sink_drains_as_far_as_one_call_takes_it)
{
	EXPECT_EQ(7, gm_slice_write_to(self->s, 5, &self->own.sink, 20));
	EXPECT_EQ(1, self->own.calls);
	EXPECT_EQ(7, self->own.ngot);
	EXPECT_EQ(0, memcmp(self->own.got, self->mem + 5, 7));
}

TEST_F(io, own_sink_is_called_until_all_is_gone)
{
	EXPECT_EQ(0, gm_slice_write_all_to(self->s, 5, &self->own.sink, 20));
	EXPECT_EQ(3, self->own.calls);
	EXPECT_EQ(20, self->own.ngot);
	EXPECT_EQ(0, memcmp(self->own.got, self->mem + 5, 20));
}

TEST_F(io, request_is_cut_at_end_of_slice)
{
	self->own.step = TOP;
	EXPECT_EQ(4, gm_slice_read_from(self->s, LEN - 4, &self->own.source, TOP));
	EXPECT_TRUE(filled(self->mem, LEN - 4, 4));
	EXPECT_EQ(LEN, gm_slice_write_to(self->s, 0, &self->own.sink, LEN + 1));
	EXPECT_EQ(2, self->own.calls);
}

TEST_F(io, zero_bytes_succeed_anywhere_without_a_call)
{
	static const uint64_t offs[] = { 0, LEN, LEN + 1, TOP };

	for (size_t i = 0; i < ARRAY_SIZE(offs); i++) {
		EXPECT_EQ(0, gm_slice_read_from(self->s, offs[i], &self->own.source, 0));
		EXPECT_EQ(0, gm_slice_read_exact_from(self->s, offs[i],
						      &self->own.source, 0));
		EXPECT_EQ(0, gm_slice_write_to(self->s, offs[i], &self->own.sink, 0));
		EXPECT_EQ(0, gm_slice_write_all_to(self->s, offs[i], &self->own.sink, 0));
	}
	EXPECT_EQ(0, self->own.calls);
}

TEST_F(io, transfer_that_may_be_cut_starts_inside)
{
	EXPECT_FAIL(gm_slice_read_from(self->s, LEN, &self->own.source, 1), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN, 1, LEN, 0);
	EXPECT_FAIL(gm_slice_write_to(self->s, LEN, &self->own.sink, 1), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, LEN, 1, LEN, 0);
	EXPECT_FAIL_KIND(gm_slice_read_from(self->s, TOP, &self->own.source, 8),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_FAIL_KIND(gm_slice_write_to(self->s, TOP, &self->own.sink, 8),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_EQ(0, self->own.calls);
}

TEST_F(io, exact_transfer_out_of_bounds_moves_nothing)
{
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 60, &self->own.source, 5),
		    ERANGE, GM_ERR_OUT_OF_BOUNDS, 60, 5, LEN, 0);
	EXPECT_FAIL(gm_slice_write_all_to(self->s, 60, &self->own.sink, 5),
		    ERANGE, GM_ERR_OUT_OF_BOUNDS, 60, 5, LEN, 0);
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 8, &self->own.source, TOP - 3),
		    EOVERFLOW, GM_ERR_OVERFLOW, 8, TOP - 3, 0, 0);
	EXPECT_FAIL(gm_slice_write_all_to(self->s, 8, &self->own.sink, TOP - 3),
		    EOVERFLOW, GM_ERR_OVERFLOW, 8, TOP - 3, 0, 0);
	EXPECT_EQ(0, self->own.calls);
	EXPECT_TRUE(filled(self->mem, 0, 0));
}

TEST_F(io, end_of_source_is_an_error_of_exact_form_only)
{
	self->own.left = 10;
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 3, &self->own.source, 20),
		    ENODATA, GM_ERR_UNEXPECTED_END, 13, 0, 20, 10);
	EXPECT_TRUE(filled(self->mem, 3, 10));
	EXPECT_EQ(0, gm_slice_read_from(self->s, 3, &self->own.source, 20));
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 3, &self->own.source, 20),
		    ENODATA, GM_ERR_UNEXPECTED_END, 3, 0, 20, 0);
}

TEST_F(io, sink_that_takes_no_more_is_another_error)
{
	self->own.left = 10;
	EXPECT_FAIL(gm_slice_write_all_to(self->s, 3, &self->own.sink, 20),
		    ENOSPC, GM_ERR_WRITE_ZERO, 13, 0, 20, 10);
	EXPECT_EQ(10, self->own.ngot);
	EXPECT_EQ(0, gm_slice_write_to(self->s, 3, &self->own.sink, 20));
	EXPECT_FAIL(gm_slice_write_all_to(self->s, 3, &self->own.sink, 20),
		    ENOSPC, GM_ERR_WRITE_ZERO, 3, 0, 20, 0);
}

TEST_F(io, error_of_own_source_or_sink_is_passed_on)
{
	self->own.left = 0;
	self->own.last = -EHOSTDOWN;
	EXPECT_EQ(-EHOSTDOWN, gm_slice_read_from(self->s, 0, &self->own.source, 9));
	EXPECT_EQ(-EHOSTDOWN, gm_slice_write_to(self->s, 0, &self->own.sink, 9));
	self->own.left = 8;
	EXPECT_EQ(-EHOSTDOWN, gm_slice_read_exact_from(self->s, 0, &self->own.source, 9));
	EXPECT_TRUE(filled(self->mem, 0, 8));
	self->own.left = 8;
	EXPECT_EQ(-EHOSTDOWN, gm_slice_write_all_to(self->s, 0, &self->own.sink, 9));
}

TEST_F(io, count_that_cannot_be_true_is_refused)
{
	self->own.left = 0;
	self->own.last = 10;
	EXPECT_FAIL(gm_slice_read_from(self->s, 0, &self->own.source, 9), ERANGE,
		    GM_ERR_CALLBACK_RANGE, 0, 0, 9, 10);
	EXPECT_FAIL(gm_slice_write_to(self->s, 0, &self->own.sink, 9), ERANGE,
		    GM_ERR_CALLBACK_RANGE, 0, 0, 9, 10);
	self->own.last = INT64_MAX;
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 0, &self->own.source, 9), ERANGE,
		    GM_ERR_CALLBACK_RANGE, 0, 0, 9, INT64_MAX);
	EXPECT_FAIL(gm_slice_write_all_to(self->s, 0, &self->own.sink, 9), ERANGE,
		    GM_ERR_CALLBACK_RANGE, 0, 0, 9, INT64_MAX);
	/* No errno: the low 32 bits are 0, or positive. */
	self->own.last = -(INT64_C(1) << 32);
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 0, &self->own.source, 9), ERANGE,
		    GM_ERR_CALLBACK_RANGE, 0, 0, 9, self->own.last);
	EXPECT_FAIL(gm_slice_write_all_to(self->s, 0, &self->own.sink, 9), ERANGE,
		    GM_ERR_CALLBACK_RANGE, 0, 0, 9, self->own.last);
	self->own.last = INT64_MIN + 9;
	EXPECT_FAIL(gm_slice_read_from(self->s, 0, &self->own.source, 9), ERANGE,
		    GM_ERR_CALLBACK_RANGE, 0, 0, 9, self->own.last);
}

TEST_F(io, buffer_source_advances_as_it_is_consumed)
{
	static const uint8_t bytes[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct gm_buf_source b;

	gm_buf_source_init(&b, bytes, sizeof(bytes));
	EXPECT_EQ(0, b.pos);
	EXPECT_EQ(4, gm_slice_read_from(self->s, 0, &b.source, 4));
	EXPECT_EQ(4, b.pos);
	EXPECT_EQ(0, gm_slice_read_exact_from(self->s, 4, &b.source, 3));
	EXPECT_EQ(7, b.pos);
	EXPECT_EQ(3, gm_slice_read_from(self->s, 7, &b.source, 50));
	EXPECT_EQ(10, b.pos);
	EXPECT_TRUE(filled(self->mem, 0, 10));
	EXPECT_EQ(0, gm_slice_read_from(self->s, 7, &b.source, 50));
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 7, &b.source, 1), ENODATA,
		    GM_ERR_UNEXPECTED_END, 7, 0, 1, 0);
	gm_buf_source_init(&b, NULL, 0);
	EXPECT_EQ(0, gm_slice_read_from(self->s, 0, &b.source, 1));
}

TEST_F(io, buffer_sink_advances_as_it_is_filled)
{
	struct gm_buf_sink b;
	uint8_t buf[12];

	memset(buf, FILL, sizeof(buf));
	gm_buf_sink_init(&b, buf, 10);
	EXPECT_EQ(4, gm_slice_write_to(self->s, 1, &b.sink, 4));
	EXPECT_EQ(4, b.pos);
	EXPECT_EQ(0, gm_slice_write_all_to(self->s, 5, &b.sink, 3));
	EXPECT_EQ(7, b.pos);
	EXPECT_FAIL(gm_slice_write_all_to(self->s, 8, &b.sink, 9), ENOSPC,
		    GM_ERR_WRITE_ZERO, 11, 0, 9, 3);
	EXPECT_EQ(10, b.pos);
	EXPECT_EQ(0, memcmp(buf, self->mem + 1, 10));
	EXPECT_EQ(FILL, buf[10]);
	EXPECT_EQ(0, gm_slice_write_to(self->s, 0, &b.sink, 1));
}

TEST_F(io, growing_sink_appends)
{
	struct gm_grow_sink g;
	uint8_t *buf;
	size_t len = 77;

	gm_grow_sink_init(&g);
	EXPECT_EQ(NULL, gm_grow_sink_take(&g, &len));
	EXPECT_EQ(0, len);
	/* Many appends, so that it grows several times. */
	for (uint64_t i = 0; i < 500; i++)
		EXPECT_EQ(0, gm_slice_write_all_to(self->s, i % 8, &g.sink, i % 50));
	EXPECT_LE(g.len, g.room);
	buf = gm_grow_sink_take(&g, &len);
	EXPECT_EQ(500 * 49 / 2, len);
	ASSERT_NE(NULL, buf);
	for (size_t i = 0, at = 0; i < 500; at += i % 50, i++)
		EXPECT_EQ(0, memcmp(buf + at, self->mem + i % 8, i % 50));
	free(buf);
	/* Empty afterwards, and good for more. */
	EXPECT_EQ(0, g.len);
	EXPECT_EQ(NULL, g.buf);
	EXPECT_EQ(5, gm_slice_write_to(self->s, 0, &g.sink, 5));
	EXPECT_EQ(5, g.len);
	gm_grow_sink_exit(&g);
	EXPECT_EQ(NULL, g.buf);
	EXPECT_EQ(0, g.len);
	gm_grow_sink_exit(&g);
}

/* The memory that the slices claim is not there, and is not looked at. */
TEST_F(io, growing_sink_without_memory_keeps_what_it_has)
{
	static const uint64_t sizes[] = { UINT64_C(1) << 62, UINT64_C(1) << 63, INT64_MAX };
	struct gm_grow_sink g;

	gm_grow_sink_init(&g);
	EXPECT_EQ(0, gm_slice_write_all_to(self->s, 0, &g.sink, 10));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct gm_slice huge = gm_slice_new(self->mem, sizes[i]);

		EXPECT_FAIL_KIND(gm_slice_write_to(huge, 0, &g.sink, sizes[i]), ENOMEM,
				 GM_ERR_MEMORY);
		EXPECT_LE(sizes[i], gm_error_last()->len);
	}
	EXPECT_EQ(10, g.len);
	EXPECT_EQ(0, memcmp(g.buf, self->mem, 10));
	gm_grow_sink_exit(&g);
}

/* Several slices in one call, as views give them. */
TEST_F(io, memory_sources_and_sinks_take_slices_in_order)
{
	static const uint8_t bytes[6] = { 0, 1, 2, 3, 4, 5 };
	struct gm_buf_source src;
	struct gm_grow_sink grow;
	struct gm_slice s[3];
	struct gm_buf_sink buf;
	uint8_t out[8];

	ASSERT_OK(gm_slice_sub(self->s, 0, 2, &s[0]));
	ASSERT_OK(gm_slice_sub(self->s, 2, 0, &s[1]));
	ASSERT_OK(gm_slice_sub(self->s, 2, 6, &s[2]));
	gm_buf_source_init(&src, bytes, sizeof(bytes));
	EXPECT_EQ(6, src.source.read(&src.source, s, 3));
	EXPECT_TRUE(filled(self->mem, 0, 6));
	gm_buf_sink_init(&buf, out, 7);
	EXPECT_EQ(7, buf.sink.write(&buf.sink, s, 3));
	EXPECT_EQ(0, memcmp(out, self->mem, 7));
	gm_grow_sink_init(&grow);
	EXPECT_EQ(8, grow.sink.write(&grow.sink, s, 3));
	EXPECT_EQ(0, memcmp(grow.buf, self->mem, 8));
	gm_grow_sink_exit(&grow);
}

TEST_F(io, source_into_read_only_memory_is_refused_before_it_is_asked)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_READ_ONLY };
	struct gm_region *r;
	struct gm_slice s;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &opts, &r));
	s = gm_region_as_slice(r);
	EXPECT_FAIL(gm_slice_read_from(s, 8, &self->own.source, 4), EACCES,
		    GM_ERR_PERMISSION, 8, 4, 0, 0);
	EXPECT_FAIL(gm_slice_read_exact_from(s, 8, &self->own.source, 4), EACCES,
		    GM_ERR_PERMISSION, 8, 4, 0, 0);
	EXPECT_EQ(0, self->own.calls);
	EXPECT_EQ(0, gm_slice_write_all_to(s, 8, &self->own.sink, 7));
	EXPECT_EQ(1, self->own.calls);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
