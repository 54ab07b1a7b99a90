/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fuzz_iotlb.c - the input maps, invalidates and looks up ranges of an IOTLB,
 * whatever they are; arithmetic in 128 bits says what is an error, and a list of
 * all that was done what a lookup may find.
 */
#include <errno.h>
#include <guestmem/iotlb.h>
#include "input.h"

typedef unsigned __int128 wide;

#define LOG 64
#define PIECES (2 * LOG + 2)

/* What was done to a range. */
struct event {
	uint64_t iova;
	uint64_t len;
	uint64_t target;
	enum gm_perm perm;
	bool mapped;
};

struct state {
	struct input in;
	struct gm_iotlb *t;
	struct event log[LOG];
	uint64_t events;
};

/* The latest that was done to an address; NULL: nothing. */
static const struct event *latest(const struct state *st, uint64_t iova)
{
	uint64_t i;

	for (i = st->events; i--;)
		if (iova - st->log[i].iova < st->log[i].len)
			return &st->log[i];
	return NULL;
}

static bool wraps(uint64_t start, uint64_t len)
{
	return (wide)start + len > (wide)UINT64_MAX + 1;
}

static void op_map(struct state *st)
{
	struct event e = { .mapped = true };
	int want = 0, ret;

	e.iova = input_number(&st->in);
	e.len = input_number(&st->in);
	e.target = input_number(&st->in);
	e.perm = (enum gm_perm)(input_u8(&st->in) & 3);
	if (!e.len)
		want = -EINVAL;
	else if (wraps(e.iova, e.len) || wraps(e.target, e.len))
		want = -EOVERFLOW;
	ret = gm_iotlb_set_mapping(st->t, gm_iova(e.iova), e.len,
				   gm_gpa(e.target), e.perm);
	CHECK(ret == want);
	if (!ret)
		st->log[st->events++] = e;
}

static void op_invalidate(struct state *st)
{
	struct event e = { .mapped = false };
	int want = 0, ret;

	e.iova = input_number(&st->in);
	e.len = input_number(&st->in);
	if (!e.len)
		want = -EINVAL;
	else if (wraps(e.iova, e.len))
		want = -EOVERFLOW;
	ret = gm_iotlb_invalidate(st->t, gm_iova(e.iova), e.len);
	CHECK(ret == want);
	if (!ret)
		st->log[st->events++] = e;
}

/* Is byte @off of what was found where the latest mapping has it? */
static bool is_right(const struct state *st, uint64_t iova,
		     const struct gm_range *r, uint64_t off)
{
	const struct event *e = latest(st, iova + off);

	return e && e->mapped &&
	       gm_gpa_raw(r->gpa) + off == e->target + (iova + off - e->iova);
}

/* What is found is the latest; nothing is found that was invalidated. */
static void op_lookup(struct state *st)
{
	uint64_t iova = input_number(&st->in), len = input_number(&st->in);
	enum gm_perm perm = (enum gm_perm)(input_u8(&st->in) & 3);
	const struct event *e = latest(st, iova);
	struct gm_range out;
	int ret;

	ret = gm_iotlb_lookup(st->t, gm_iova(iova), len, perm, &out);
	if (!len) {
		CHECK(ret == -EINVAL);
	} else if (wraps(iova, len)) {
		CHECK(ret == -EOVERFLOW);
	} else if (!e || !e->mapped) {
		CHECK(ret == -ENOENT);
	} else if (ret) {
		/* Evicted, or not allowed. */
		CHECK(ret == -ENOENT || !gm_perm_allows(e->perm, perm));
	} else {
		CHECK(gm_perm_allows(e->perm, perm));
		CHECK(out.len && out.len <= len);
		CHECK(is_right(st, iova, &out, 0));
		CHECK(is_right(st, iova, &out, out.len - 1));
	}
}

/* Pieces are in the range and in order, none overlaps. Returns their bytes. */
static wide check_pieces(const struct gm_iova_range *r, size_t count,
			 uint64_t iova, uint64_t len)
{
	wide at = iova, sum = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		CHECK(r[i].len && gm_iova_raw(r[i].iova) >= at);
		at = (wide)gm_iova_raw(r[i].iova) + r[i].len;
		sum += r[i].len;
	}
	CHECK(at <= (wide)iova + len);
	return sum;
}

static void op_fails(struct state *st)
{
	uint64_t iova = input_number(&st->in), len = input_number(&st->in);
	enum gm_perm perm = (enum gm_perm)(input_u8(&st->in) & 3);
	struct gm_iova_range miss[PIECES], denied[PIECES];
	struct gm_iotlb_fails f = {
		.misses = miss, .miss_room = PIECES,
		.denied = denied, .denied_room = PIECES,
	};
	int ret = gm_iotlb_fails(st->t, gm_iova(iova), len, perm, &f);
	int all = gm_iotlb_check_range(st->t, gm_iova(iova), len, perm);
	wide failed;

	if (len && wraps(iova, len)) {
		CHECK(ret == -EOVERFLOW && all == -EOVERFLOW);
		return;
	}
	CHECK(ret == 0 || ret == 1);
	CHECK((ret == 0) == (all == 0));
	failed = check_pieces(miss, f.miss_count, iova, len) +
		 check_pieces(denied, f.denied_count, iova, len);
	CHECK(failed <= len && (failed == 0) == (ret == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ops[])(struct state *) = {
		op_map, op_map, op_invalidate, op_lookup, op_lookup, op_fails,
	};
	struct state st = { .in = { data, size } };
	uint64_t capacity = input_u8(&st.in) % 8 ? 100 : 3;
	struct gm_iotlb_stats s;

	CHECK(!gm_iotlb_new(capacity, &st.t));
	while (!input_is_empty(&st.in) && st.events < LOG) {
		ops[input_u8(&st.in) % (sizeof(ops) / sizeof(ops[0]))](&st);
		gm_iotlb_stats(st.t, &s);
		CHECK(s.mappings <= capacity);
	}
	gm_iotlb_free(st.t);
	return 0;
}
