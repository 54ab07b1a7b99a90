/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * object.h: objects as bytes, bytes as objects.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/object.h>
#include "expect.h"

struct object {
	uint8_t a;	/* padding after it */
	uint64_t b;
};

TEST(bytes_are_an_object_if_size_and_alignment_fit)
{
	_Alignas(8) uint8_t mem[64];

	for (size_t align = 1; align <= 16; align *= 2)
		for (size_t off = 0; off < 16; off++)
			for (size_t len = 0; len <= 9; len++) {
				bool fits = len == 8 &&
					    ((uintptr_t)(mem + off) & (align - 1)) == 0;

				EXPECT_EQ(fits ? mem + off : NULL,
					  gm_bytes_to_object(mem + off, len, 8, align));
				EXPECT_EQ(fits ? mem + off : NULL,
					  gm_bytes_to_const_object(mem + off, len, 8,
								   align));
			}
}

TEST(bytes_as_type_share_memory)
{
	_Alignas(8) uint8_t mem[24] = { 0 };
	const struct object *c;
	struct object *o;

	o = GM_BYTES_AS(struct object, mem, sizeof(struct object));
	ASSERT_EQ((void *)mem, o);
	o->b = UINT64_C(0x1122334455667788);
	EXPECT_EQ(o->b, gm_mem_read_u64(mem + offsetof(struct object, b)));
	c = GM_BYTES_AS_CONST(struct object, mem, sizeof(struct object));
	EXPECT_EQ(o, c);
	EXPECT_EQ(NULL, GM_BYTES_AS(struct object, mem, sizeof(struct object) - 1));
	EXPECT_EQ(NULL, GM_BYTES_AS(struct object, mem, sizeof(struct object) + 1));
	EXPECT_EQ(NULL, GM_BYTES_AS(struct object, mem + 4, sizeof(struct object)));
	EXPECT_EQ(NULL, GM_BYTES_AS_CONST(struct object, mem + 1, sizeof(struct object)));
	EXPECT_EQ(NULL, GM_BYTES_AS_CONST(struct object, mem, 8));
}

TEST(object_as_slice_shares_memory)
{
	struct object o = { 1, 2 };
	struct gm_slice s = gm_object_to_slice(&o, sizeof(o));

	EXPECT_EQ((uint8_t *)&o, s.host);
	EXPECT_EQ(sizeof(o), gm_slice_len(s));
	EXPECT_EQ(NULL, gm_slice_bitmap(s).bm);
	EXPECT_EQ(0, gm_slice_write_u64(s, offsetof(struct object, b), 99));
	EXPECT_EQ(99, o.b);
}

TEST(zeroed_object_has_no_byte_left)
{
	union {
		struct object o;
		uint8_t bytes[sizeof(struct object)];
	} u;

	memset(&u, 0xee, sizeof(u));
	gm_object_zero(&u.o, sizeof(u.o));
	for (size_t i = 0; i < sizeof(u.bytes); i++)
		EXPECT_EQ(0, u.bytes[i]);
}

TEST(object_goes_to_sink_and_comes_from_source)
{
	struct object o, copy;
	struct gm_buf_source src;
	struct gm_grow_sink sink;

	gm_object_zero(&o, sizeof(o));
	gm_object_zero(&copy, sizeof(copy));
	o.a = 5;
	o.b = UINT64_C(0x1122334455667788);
	gm_grow_sink_init(&sink);
	EXPECT_EQ(0, gm_object_write_to(&o, sizeof(o), &sink.sink));
	EXPECT_EQ(0, gm_object_write_to(&o.a, sizeof(o.a), &sink.sink));
	ASSERT_EQ(sizeof(o) + 1, sink.len);
	EXPECT_EQ(0, memcmp(sink.buf, &o, sizeof(o)));
	gm_buf_source_init(&src, sink.buf, sink.len);
	EXPECT_EQ(0, gm_object_read_from(&copy, sizeof(copy), &src.source));
	EXPECT_EQ(0, memcmp(&copy, &o, sizeof(o)));
	EXPECT_EQ(sizeof(o), src.pos);
	EXPECT_FAIL(gm_object_read_from(&copy, sizeof(copy), &src.source), ENODATA,
		    GM_ERR_UNEXPECTED_END, 1, 0, sizeof(o), 1);
	EXPECT_EQ(0, gm_object_read_from(&copy, 0, &src.source));
	gm_grow_sink_exit(&sink);
}

TEST(object_into_short_sink_is_an_error)
{
	struct object o = { 1, 2 };
	struct gm_buf_sink sink;
	uint8_t buf[sizeof(o)];

	gm_buf_sink_init(&sink, buf, sizeof(o) - 3);
	EXPECT_FAIL(gm_object_write_to(&o, sizeof(o), &sink.sink), ENOSPC,
		    GM_ERR_WRITE_ZERO, sizeof(o) - 3, 0, sizeof(o), sizeof(o) - 3);
}

TEST_HARNESS_MAIN
