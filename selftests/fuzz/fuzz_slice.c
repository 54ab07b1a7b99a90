/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fuzz_slice.c - the input narrows a slice step by step and accesses it; plain
 * arithmetic in 128 bits says what must come of each step.
 *
 * The memory is an allocation of exactly its length: a sanitizer sees each byte
 * too many.
 */
#include <errno.h>
#include <string.h>
#include <guestmem/ref.h>
#include "input.h"

#define PAGE 8
#define LEN_MAX 200

typedef unsigned __int128 wide;

/* The slice, and where in the memory it must be. */
struct state {
	struct input in;
	uint8_t *mem;
	uint8_t want[LEN_MAX];
	uint64_t dirty[LEN_MAX / PAGE + 1];
	struct gm_bitmap *bm;
	uint64_t total;
	struct gm_slice s;
	uint64_t off;
	uint64_t len;
};

/* What a range in an object of @len bytes is: 0, -EOVERFLOW or -ERANGE. */
static int range_error(uint64_t off, uint64_t n, uint64_t len)
{
	wide end = (wide)off + n;

	if (end > UINT64_MAX)
		return -EOVERFLOW;
	return end > len ? -ERANGE : 0;
}

static void wrote(struct state *st, uint64_t off, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		st->dirty[(st->off + off + i) / PAGE] = 1;
}

static void op_narrow(struct state *st)
{
	uint64_t off = input_number(&st->in), n = input_number(&st->in);
	struct gm_slice out = st->s, head = st->s, tail = st->s;
	uint64_t end = 77;
	int ret;

	switch (input_u8(&st->in) % 4) {
	case 0:
		ret = gm_slice_sub(st->s, off, n, &out);
		CHECK(ret == range_error(off, n, st->len));
		break;
	case 1:
		ret = gm_slice_offset(st->s, off, &out);
		CHECK(ret == (off > st->len ? -ERANGE : 0));
		n = st->len - off;
		break;
	case 2:
		ret = gm_slice_split(st->s, off, &head, &tail);
		CHECK(ret == (off > st->len ? -ERANGE : 0));
		if (ret)
			break;
		CHECK(head.host == st->s.host && head.len == off);
		out = tail;
		n = st->len - off;
		break;
	default:
		ret = gm_slice_compute_end(st->s, off, n, &end);
		CHECK(ret == range_error(off, n, st->len));
		CHECK(end == (ret ? 77 : off + n));
		return;
	}
	if (ret)
		return;
	CHECK(out.len == n && out.host == st->mem + st->off + off);
	/* An empty slice is soon dull. */
	if (!n && input_u8(&st->in) % 8)
		return;
	st->s = out;
	st->off += off;
	st->len = n;
}

static void op_bytes(struct state *st)
{
	uint64_t off = input_number(&st->in), n = input_u8(&st->in);
	uint64_t fits = off < st->len ? st->len - off : 0;
	uint8_t buf[256], old[256];
	int64_t ret;

	fits = n < fits ? n : fits;
	memset(buf, (int)st->in.left, sizeof(buf));
	memcpy(old, buf, sizeof(buf));
	switch (input_u8(&st->in) % 4) {
	case 0:
		ret = gm_slice_read_some(st->s, off, buf, n);
		CHECK(ret == (fits || !n ? (int64_t)fits : -ERANGE));
		break;
	case 1:
		ret = gm_slice_read(st->s, off, buf, n);
		CHECK((ret == 0) == (fits == n));
		break;
	case 2:
		ret = gm_slice_write_some(st->s, off, buf, n);
		CHECK(ret == (fits || !n ? (int64_t)fits : -ERANGE));
		memcpy(st->want + st->off + (fits ? off : 0), buf, fits);
		wrote(st, off, fits);
		return;
	default:
		ret = gm_slice_write(st->s, off, buf, n);
		CHECK((ret == 0) == (fits == n));
		memcpy(st->want + st->off + (fits ? off : 0), buf, fits);
		wrote(st, off, fits);
		return;
	}
	memcpy(old, st->want + st->off + (fits ? off : 0), fits);
	CHECK(!memcmp(old, buf, sizeof(buf)));
}

static void op_atomic(struct state *st)
{
	uint64_t off = input_number(&st->in), n = input_u8(&st->in) % 10;
	uint64_t v = input_bytes(&st->in, 8), before = v;
	bool store = input_u8(&st->in) & 1;
	int want = range_error(off, n, st->len);
	int ret;

	if (n != 1 && n != 2 && n != 4 && n != 8)
		want = -EINVAL;
	else if (!want && ((uintptr_t)(st->mem + st->off + off) & (n - 1)))
		want = -EINVAL;
	ret = store ? gm_slice_store(st->s, off, &v, n, GM_RELEASE) :
		      gm_slice_load(st->s, off, &v, n, GM_ACQUIRE);
	CHECK(ret == want);
	if (ret) {
		CHECK(v == before);
	} else if (store) {
		memcpy(st->want + st->off + off, &v, n);
		wrote(st, off, n);
	} else {
		CHECK(!memcmp(&v, st->want + st->off + off, n));
	}
}

static void op_array(struct state *st)
{
	uint64_t off = input_number(&st->in), elem = input_number(&st->in);
	uint64_t count = input_number(&st->in), index = input_number(&st->in);
	wide bytes = (wide)elem * count;
	uint8_t obj[LEN_MAX], *at;
	struct gm_array a;
	struct gm_ref r;
	int ret = gm_slice_array(st->s, off, elem, count, &a);

	if (!elem) {
		CHECK(ret == -EINVAL);
		return;
	}
	if (bytes > UINT64_MAX) {
		CHECK(ret == -EOVERFLOW);
		return;
	}
	CHECK(ret == range_error(off, (uint64_t)bytes, st->len));
	if (ret)
		return;
	/* All of it: count times size, not count. */
	CHECK(gm_array_to_slice(a).len == bytes);
	ret = gm_array_ref_at(a, index, &r);
	CHECK(ret == (index < count ? 0 : -ERANGE));
	CHECK(index < count || gm_array_load(a, index, obj) == -ERANGE);
	CHECK(index < count || gm_array_store(a, index, obj) == -ERANGE);
	if (ret)
		return;
	CHECK(gm_ref_len(r) == elem);
	at = st->want + st->off + off + index * elem;
	CHECK(!gm_array_load(a, index, obj) && !memcmp(obj, at, elem));
	memset(obj, input_u8(&st->in), elem);
	CHECK(!gm_ref_store(r, obj));
	memcpy(at, obj, elem);
	wrote(st, off + index * elem, elem);
}

static void op_copy(struct state *st)
{
	uint64_t elem = input_u8(&st->in) % 17, count = input_u8(&st->in) % 24;
	uint64_t to_off = input_u8(&st->in), fits;
	uint8_t *want = st->want + st->off;
	uint8_t buf[16 * 24] = { 0 };
	struct gm_slice to;
	int64_t ret;

	fits = elem ? st->len / elem : 0;
	fits = fits < count ? fits : count;
	switch (input_u8(&st->in) % 3) {
	case 0:
		ret = gm_slice_copy_to(st->s, buf, elem, count);
		CHECK(ret == (elem ? (int64_t)fits : -EINVAL));
		CHECK(!memcmp(buf, want, fits * elem));
		break;
	case 1:
		memset(buf, (int)to_off, sizeof(buf));
		ret = gm_slice_copy_from(st->s, buf, elem, count);
		CHECK(ret == (elem ? (int64_t)fits : -EINVAL));
		memcpy(want, buf, fits * elem);
		wrote(st, 0, fits * elem);
		break;
	default:
		/* Onto itself, shifted. */
		if (gm_slice_offset(st->s, to_off, &to))
			return;
		CHECK(gm_slice_copy_to_slice(st->s, to) == (int64_t)to.len);
		memmove(want + to_off, want, to.len);
		wrote(st, to_off, to.len);
		break;
	}
}

static void op_pointer(struct state *st)
{
	uint64_t off = input_number(&st->in), n = input_number(&st->in);
	uint64_t align = UINT64_C(1) << (input_u8(&st->in) % 5);
	int ret, want = range_error(off, n, st->len);
	void *p = NULL;

	if (!want && ((uintptr_t)(st->mem + st->off + off) & (align - 1)))
		want = -EINVAL;
	ret = gm_slice_aligned_ptr(st->s, off, n, align, &p);
	CHECK(ret == want);
	CHECK(p == (ret ? NULL : (void *)(st->mem + st->off + off)));
	/* What is outside is ignored. */
	gm_slice_mark(st->s, off, n);
	if (off < st->len)
		wrote(st, off, n < st->len - off ? n : st->len - off);
}

static void check_all(const struct state *st)
{
	uint64_t i;

	CHECK(!memcmp(st->mem, st->want, st->total));
	for (i = 0; st->bm && i < st->total; i += PAGE)
		CHECK(gm_bitmap_test(st->bm, i) == st->dirty[i / PAGE]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ops[])(struct state *) = {
		op_narrow, op_bytes, op_atomic, op_array, op_copy, op_pointer,
	};
	struct state st = { .in = { data, size } };
	uint64_t i;

	st.total = input_u8(&st.in) % LEN_MAX + 1;
	st.mem = malloc(st.total);
	if (!st.mem)
		return 0;
	for (i = 0; i < st.total; i++)
		st.mem[i] = st.want[i] = (uint8_t)(i * 3);
	if (input_u8(&st.in) & 1)
		CHECK(!gm_bitmap_new(st.total, PAGE, &st.bm));
	st.s = gm_slice_new_dirty(st.mem, st.total, st.bm, 0);
	st.len = st.total;
	while (!input_is_empty(&st.in)) {
		ops[input_u8(&st.in) % (sizeof(ops) / sizeof(ops[0]))](&st);
		check_all(&st);
	}
	gm_bitmap_put(st.bm);
	free(st.mem);
	return 0;
}
