/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* property_ops.c - operations by guest address; see property_ops.h. */

#include <errno.h>
#include <string.h>
#include "property_ops.h"

static bool wrong(struct op *op, const char *what)
{
	return world_wrong(op->w, what, op->gpa);
}

void op_fill(struct op *op, uint8_t *buf, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf[i] = (uint8_t)rnd_u64(&op->w->rnd);
}

/* Do the values of the last failure say this? */
static bool error_is(int err, enum gm_error_kind kind, uint64_t addr)
{
	const struct gm_error *e = gm_error_last();

	return e->err == err && e->kind == kind && e->addr == addr;
}

/* The result of a function that does all or fails. */
static bool exact_result(struct op *op, int ret)
{
	const struct gm_error *e = gm_error_last();
	const struct walk *k = &op->walk;

	if (ret != walk_errno(k))
		return wrong(op, "return value");
	if (!ret)
		return true;
	if (!k->done)
		return error_is(ret, walk_kind(k), k->stop_at) ||
		       wrong(op, "error at the first byte");
	return (error_is(ret, GM_ERR_PARTIAL, k->stop_at) &&
		e->expected == op->n && e->completed == k->done) ||
	       wrong(op, "partial error");
}

static bool some_result(struct op *op, int64_t ret)
{
	const struct walk *k = &op->walk;

	if (k->done)
		return ret == (int64_t)k->done || wrong(op, "count");
	return ret == walk_errno(k) || wrong(op, "return value");
}

/* The bytes read, and those behind them, which are nobody's business. */
static bool read_bytes(struct op *op)
{
	walk_get(&op->walk, op->want);
	return !memcmp(op->buf, op->want, OP_BUF) || wrong(op, "bytes read");
}

static bool op_read(struct op *op, bool some)
{
	op_fill(op, op->buf, op->n + 8);
	memcpy(op->want, op->buf, OP_BUF);
	world_walk(op->w, op->gpa, op->n, false, &op->walk);
	if (some) {
		if (!some_result(op, gm_view_read_some(&op->w->view,
						       gm_gpa(op->gpa), op->buf,
						       op->n)))
			return false;
	} else if (!exact_result(op, gm_view_read(&op->w->view, gm_gpa(op->gpa),
						  op->buf, op->n))) {
		return false;
	}
	return read_bytes(op);
}

static bool op_write(struct op *op, bool some)
{
	op_fill(op, op->buf, op->n);
	world_walk(op->w, op->gpa, op->n, true, &op->walk);
	if (some) {
		if (!some_result(op, gm_view_write_some(&op->w->view,
							gm_gpa(op->gpa),
							op->buf, op->n)))
			return false;
	} else if (!exact_result(op, gm_view_write(&op->w->view,
						   gm_gpa(op->gpa), op->buf,
						   op->n))) {
		return false;
	}
	walk_put(&op->walk, op->buf, op->walk.done);
	return walk_check(op->w, &op->walk);
}

static int write_int(struct op *op, uint64_t v, bool big)
{
	struct gm_view *view = &op->w->view;
	gm_gpa_t at = gm_gpa(op->gpa);

	if (op->n == 1)
		return gm_view_write_u8(view, at, (uint8_t)v);
	if (op->n == 2)
		return big ? gm_view_write_be16(view, at, (uint16_t)v) :
			     gm_view_write_u16(view, at, (uint16_t)v);
	if (op->n == 4)
		return big ? gm_view_write_be32(view, at, (uint32_t)v) :
			     gm_view_write_u32(view, at, (uint32_t)v);
	return big ? gm_view_write_be64(view, at, v) :
		     gm_view_write_u64(view, at, v);
}

static int read_int(struct op *op, uint64_t *v, bool big)
{
	struct gm_view *view = &op->w->view;
	gm_gpa_t at = gm_gpa(op->gpa);
	uint32_t v32 = (uint32_t)*v;
	uint16_t v16 = (uint16_t)*v;
	uint8_t v8 = (uint8_t)*v;
	int ret;

	if (op->n == 8)
		return big ? gm_view_read_be64(view, at, v) :
			     gm_view_read_u64(view, at, v);
	if (op->n == 4) {
		ret = big ? gm_view_read_be32(view, at, &v32) :
			    gm_view_read_u32(view, at, &v32);
		*v = v32;
	} else if (op->n == 2) {
		ret = big ? gm_view_read_be16(view, at, &v16) :
			    gm_view_read_u16(view, at, &v16);
		*v = v16;
	} else {
		ret = gm_view_read_u8(view, at, &v8);
		*v = v8;
	}
	return ret;
}

/* An integer of op->n bytes as they lie in memory. */
static void put_int(uint8_t *buf, uint64_t n, uint64_t v, bool big)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		buf[big ? n - 1 - i : i] = (uint8_t)(v >> (8 * i));
}

static bool op_int(struct op *op, bool write)
{
	uint64_t mask, v = rnd_u64(&op->w->rnd), before;
	bool big = rnd_below(&op->w->rnd, 2) != GM_HOST_BIG_ENDIAN;
	int ret;

	op->n = UINT64_C(1) << (op->n % 4);
	mask = op->n == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * op->n)) - 1;
	before = v &= mask;
	world_walk(op->w, op->gpa, op->n, write, &op->walk);
	put_int(op->buf, op->n, v, big);
	if (write) {
		if (!exact_result(op, write_int(op, v, big)))
			return false;
		walk_put(&op->walk, op->buf, op->walk.done);
		return walk_check(op->w, &op->walk);
	}
	ret = read_int(op, &v, big);
	if (!exact_result(op, ret))
		return false;
	if (ret)
		return v == before || wrong(op, "value after failure");
	put_int(op->buf, op->n, v, big);
	walk_get(&op->walk, op->want);
	return !memcmp(op->buf, op->want, op->n) || wrong(op, "integer read");
}

/* The errno that an atomic access must give. */
static int atomic_errno(struct op *op, bool write)
{
	struct walk *k = &op->walk;
	const struct piece *p = &k->pieces[0];

	world_walk(op->w, op->gpa, op->n, write, k);
	if (!k->done)
		return walk_errno(k);
	if (p->n < op->n) {
		if (op->n - 1 > UINT64_MAX - op->gpa)
			return -EOVERFLOW;
		return k->stop == ALL_THERE ? -EMSGSIZE : walk_errno(k);
	}
	return (uintptr_t)(p->r->mem + p->off) & (op->n - 1) ? -EINVAL : 0;
}

static bool op_atomic(struct op *op, bool write)
{
	static const enum gm_order orders[2][3] = {
		{ GM_RELAXED, GM_ACQUIRE, GM_SEQ_CST },
		{ GM_RELAXED, GM_RELEASE, GM_SEQ_CST },
	};
	enum gm_order order = orders[write][rnd_below(&op->w->rnd, 3)];
	uint8_t *local = op->buf + rnd_below(&op->w->rnd, 8);
	int err, ret;

	op->n = UINT64_C(1) << (op->n % 4);
	if (rnd_below(&op->w->rnd, 4))
		op->gpa &= ~(op->n - 1);
	err = atomic_errno(op, write);
	op_fill(op, op->buf, 16);
	memcpy(op->want, local, 8);
	if (write)
		ret = gm_view_store(&op->w->view, gm_gpa(op->gpa), local, op->n,
				    order);
	else
		ret = gm_view_load(&op->w->view, gm_gpa(op->gpa), local, op->n,
				   order);
	if (ret != err)
		return wrong(op, "return value");
	if (ret)
		return !memcmp(local, op->want, 8) || wrong(op, "load failed");
	if (write) {
		walk_put(&op->walk, local, op->n);
		return walk_check(op->w, &op->walk);
	}
	walk_get(&op->walk, op->want);
	return !memcmp(local, op->want, 8) || wrong(op, "load");
}

static bool op_check_range(struct op *op, bool write)
{
	enum gm_perm perm = write ? GM_PERM_RW :
				    (enum gm_perm)rnd_below(&op->w->rnd, 2);
	int ret;

	if (!rnd_below(&op->w->rnd, 32))
		op->n = rnd_u64(&op->w->rnd);
	world_walk(op->w, op->gpa, op->n, write, &op->walk);
	ret = gm_view_check_range(&op->w->view, gm_gpa(op->gpa), op->n, perm);
	if (op->n && op->n - 1 > UINT64_MAX - op->gpa)
		return (ret == -EOVERFLOW &&
			error_is(ret, GM_ERR_GUEST_OVERFLOW, op->gpa)) ||
		       wrong(op, "range that wraps");
	if (ret != walk_errno(&op->walk))
		return wrong(op, "return value");
	return !ret || error_is(ret, walk_kind(&op->walk), op->walk.stop_at) ||
	       wrong(op, "error");
}

static bool same_slice(const struct piece *p, struct gm_slice s)
{
	if (s.len != p->n)
		return false;
	if (p->r->kind == ON_DEMAND || p->r->kind == ON_DEMAND_TRACKED)
		return !s.host && s.region == p->r->r && s.off == p->off;
	return s.host == p->r->mem + p->off;
}

static bool op_slices(struct op *op, bool write)
{
	bool stop = rnd_below(&op->w->rnd, 2);
	struct gm_slices it;
	struct gm_slice s;
	size_t i = 0;
	int ret;

	world_walk(op->w, op->gpa, op->n, write, &op->walk);
	(stop ? gm_slices_init_stop : gm_slices_init)
		(&it, &op->w->view, gm_gpa(op->gpa), op->n,
		 write ? GM_PERM_WRITE : GM_PERM_READ);
	while ((ret = gm_slices_next(&it, &s)) > 0) {
		if (i >= op->walk.count || !same_slice(&op->walk.pieces[i], s))
			return wrong(op, "slice");
		i++;
	}
	if (i != op->walk.count)
		return wrong(op, "number of slices");
	return ret == (stop && i ? 0 : walk_errno(&op->walk)) ||
	       wrong(op, "end of slices");
}

static bool op_find(struct op *op, bool unused)
{
	struct world_region *r = world_find(op->w, op->gpa);
	struct gm_region *got = NULL;
	gm_roff_t off = gm_roff(0);
	int ret;

	(void)unused;
	if (gm_map_find(op->w->map, gm_gpa(op->gpa)) != (r ? r->r : NULL))
		return wrong(op, "region found");
	ret = gm_map_to_offset(op->w->map, gm_gpa(op->gpa), &off, &got);
	if (!r)
		return (ret == -EFAULT && !got) || wrong(op, "offset in a hole");
	return (!ret && got == r->r && gm_roff_raw(off) == op->gpa - r->base) ||
	       wrong(op, "offset");
}

static bool op_mark(struct op *op, bool unused)
{
	(void)unused;
	if (!rnd_below(&op->w->rnd, 32))
		op->n = rnd_u64(&op->w->rnd);
	world_walk(op->w, op->gpa, op->n < OP_BUF ? op->n : OP_BUF, false, &op->walk);
	gm_view_mark(&op->w->view, gm_gpa(op->gpa), op->n);
	world_mark(op->w, op->gpa, op->n);
	return walk_check(op->w, &op->walk);
}

/* The model's part of an I/O call: no more than a batch of pieces. */
static uint64_t batch(struct walk *k)
{
	while (k->count > GM_IO_BATCH)
		k->done -= k->pieces[--k->count].n;
	return k->done;
}

static bool op_io(struct op *op, bool read_from)
{
	uint64_t room = rnd_below(&op->w->rnd, 4) ?
				OP_BUF : rnd_below(&op->w->rnd, op->n + 1);
	struct gm_buf_source src;
	struct gm_buf_sink sink;
	uint64_t want;
	int64_t ret;

	world_walk(op->w, op->gpa, op->n, read_from, &op->walk);
	want = batch(&op->walk);
	if (want > room)
		want = room;
	op_fill(op, op->buf, op->n);
	if (read_from) {
		gm_buf_source_init(&src, op->buf, room);
		ret = gm_view_read_from(&op->w->view, gm_gpa(op->gpa),
					&src.source, op->n);
	} else {
		memcpy(op->want, op->buf, OP_BUF);
		gm_buf_sink_init(&sink, op->buf, room);
		ret = gm_view_write_to(&op->w->view, gm_gpa(op->gpa), &sink.sink,
				       op->n);
	}
	if (!op->walk.done)
		return ret == walk_errno(&op->walk) || wrong(op, "return value");
	if (ret != (int64_t)want)
		return wrong(op, "count");
	if (read_from) {
		walk_put(&op->walk, op->buf, want);
		return walk_check(op->w, &op->walk);
	}
	walk_get(&op->walk, op->want);
	return !memcmp(op->buf, op->want, want) || wrong(op, "bytes in sink");
}

const struct op_kind access_ops[] = {
	{ "read", op_read, false },
	{ "read_some", op_read, true },
	{ "write", op_write, false },
	{ "write_some", op_write, true },
	{ "read integer", op_int, false },
	{ "write integer", op_int, true },
	{ "load", op_atomic, false },
	{ "store", op_atomic, true },
	{ "check_range", op_check_range, false },
	{ "check_range to write", op_check_range, true },
	{ "slices", op_slices, false },
	{ "slices to write", op_slices, true },
	{ "find", op_find, false },
	{ "mark", op_mark, false },
	{ "write_to", op_io, false },
	{ "read_from", op_io, true },
};

const size_t access_op_count = sizeof(access_ops) / sizeof(access_ops[0]);
