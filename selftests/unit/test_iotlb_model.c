/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_iotlb_model.c - random operations on an IOTLB, each compared with a
 * simple model: with room for all mappings, what it answers is what the model
 * answers; when it is full, it knows less, and never anything else.
 */
/* gm-test: windows */
#include <inttypes.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "iotlb_model.h"
#include "scale.h"

#define STEPS 150000

struct run {
	struct rnd rnd;
	struct gm_iotlb *t;
	struct model m;
	bool exact;
	struct model_pieces pieces;
	struct gm_range out[MODEL_CELLS];
	struct gm_iova_range miss[MODEL_CELLS];
	struct gm_iova_range denied[MODEL_CELLS];
};

static struct run run;

static size_t any_cell(struct run *r, bool may_be_large)
{
	size_t i;

	do {
		i = rnd_below(&r->rnd, MODEL_CELLS);
	} while (!may_be_large && model_len(&r->m.cell[i]) > 1u << 24);
	return i;
}

/* Mostly a few cells, sometimes many; never all of them, which has no length. */
static void any_range(struct run *r, size_t *from, size_t *to)
{
	*from = any_cell(r, true);
	*to = *from + rnd_below(&r->rnd, rnd_below(&r->rnd, 8) ? 6 : 600);
	if (*to >= MODEL_CELLS)
		*to = MODEL_CELLS - 1;
	if (!*from)
		*to = *to > MODEL_CELLS - 2 ? MODEL_CELLS - 2 : *to;
}

static uint64_t span(const struct run *r, size_t from, size_t to)
{
	return r->m.cell[to].last - r->m.cell[from].start + 1;
}

static bool op_set(struct run *r)
{
	static const uint64_t deltas[] = {
		0, 0, 0x10000, 0x200000, 0 - UINT64_C(0x10000), UINT64_C(1) << 63, 3,
	};
	enum gm_perm perm = (enum gm_perm)(rnd_below(&r->rnd, 3) ?
			    3 : rnd_below(&r->rnd, 4));
	uint64_t target, len;
	size_t from, to;
	int ret;

	any_range(r, &from, &to);
	len = span(r, from, to);
	target = r->m.cell[from].start + deltas[rnd_below(&r->rnd, 7)];
	ret = gm_iotlb_set_mapping(r->t, gm_iova(r->m.cell[from].start), len,
				   gm_gpa(target), perm);
	if (len - 1 > UINT64_MAX - target)
		return ret == -EOVERFLOW;
	model_set(&r->m, from, to, target, perm);
	return !ret;
}

static bool op_invalidate(struct run *r)
{
	size_t from, to;

	if (!rnd_below(&r->rnd, 200)) {
		gm_iotlb_invalidate_all(r->t);
		model_clear(&r->m, 0, MODEL_CELLS - 1);
		return true;
	}
	any_range(r, &from, &to);
	model_clear(&r->m, from, to);
	return !gm_iotlb_invalidate(r->t, gm_iova(r->m.cell[from].start),
				    span(r, from, to));
}

/* The first piece, from a byte somewhere in a cell. */
static bool op_lookup(struct run *r)
{
	enum gm_perm perm = (enum gm_perm)rnd_below(&r->rnd, 4);
	size_t from, to;
	const struct model_cell *c;
	uint64_t off, len, n;
	struct gm_range out;
	int ret;

	any_range(r, &from, &to);
	c = &r->m.cell[from];
	off = rnd_below(&r->rnd, model_len(c));
	len = rnd_below(&r->rnd, 2) ? 1 + rnd_below(&r->rnd, 8) :
				      span(r, from, to) - off;
	if (len > span(r, from, to) - off)
		len = span(r, from, to) - off;
	ret = gm_iotlb_lookup(r->t, gm_iova(c->start + off), len, perm, &out);
	if (!r->exact && ret == -ENOENT)
		return true;
	if (!c->mapped)
		return ret == -ENOENT;
	if (!gm_perm_allows(c->perm, perm))
		return ret == -EACCES;
	if (ret || gm_gpa_raw(out.gpa) != c->start + off + c->delta)
		return false;
	model_walk(&r->m, from, to, &r->pieces);
	n = model_len(&r->pieces.piece[0]) - off;
	n = len < n ? len : n;
	return r->exact ? out.len == n : out.len && out.len <= n;
}

static bool piece_is(struct gm_iova_range r, const struct model_cell *p)
{
	return gm_iova_raw(r.iova) == p->start && r.len == model_len(p);
}

/* All pieces of a range, and all that is in the way. */
static bool op_whole(struct run *r)
{
	enum gm_perm perm = (enum gm_perm)rnd_below(&r->rnd, 4);
	struct gm_iotlb_fails f = {
		.misses = r->miss, .miss_room = MODEL_CELLS,
		.denied = r->denied, .denied_room = MODEL_CELLS,
	};
	size_t from, to, i, misses = 0, denied = 0;
	const struct model_cell *p;
	int want = 0;
	int64_t n;
	int ret;

	any_range(r, &from, &to);
	model_walk(&r->m, from, to, &r->pieces);
	n = gm_iotlb_translate(r->t, gm_iova(r->m.cell[from].start),
			       span(r, from, to), perm, r->out, MODEL_CELLS);
	ret = gm_iotlb_fails(r->t, gm_iova(r->m.cell[from].start),
			     span(r, from, to), perm, &f);
	for (i = 0; i < r->pieces.count; i++) {
		p = &r->pieces.piece[i];
		if (!p->mapped) {
			want = want ? want : -ENOENT;
			if (misses >= f.miss_count ||
			    !piece_is(r->miss[misses++], p))
				return false;
		} else if (!gm_perm_allows(p->perm, perm)) {
			want = want ? want : -EACCES;
			if (denied >= f.denied_count ||
			    !piece_is(r->denied[denied++], p))
				return false;
		} else if (n > 0 && (r->out[i].len != model_len(p) ||
				     gm_gpa_raw(r->out[i].gpa) !=
				     p->start + p->delta)) {
			return false;
		}
	}
	return n == (want ? want : (int64_t)r->pieces.count) &&
	       ret == (want ? 1 : 0) && misses == f.miss_count &&
	       denied == f.denied_count &&
	       !want == !gm_iotlb_check_range(r->t,
					      gm_iova(r->m.cell[from].start),
					      span(r, from, to), perm);
}

static bool step(struct run *r)
{
	switch (rnd_below(&r->rnd, r->exact ? 12 : 10)) {
	case 0:
	case 1:
	case 2:
		return op_set(r);
	case 3:
		return op_invalidate(r);
	case 10:
	case 11:
		return op_whole(r);
	default:
		return op_lookup(r);
	}
}

static bool agrees(uint64_t cell_size, uint64_t capacity, bool exact,
		   uint64_t seed)
{
	uint64_t i, steps = test_iterations(STEPS);
	struct gm_iotlb_stats s;
	struct run *r = &run;
	bool ok = true;

	r->rnd.state = seed;
	r->exact = exact;
	model_init(&r->m, cell_size);
	if (gm_iotlb_new(capacity, &r->t))
		return false;
	for (i = 0; ok && i < steps; i++)
		ok = step(r);
	if (!ok)
		printf("# cell size %" PRIu64 " capacity %" PRIu64 " seed %"
		       PRIu64 " step %" PRIu64 "\n", cell_size, capacity, seed,
		       i - 1);
	gm_iotlb_stats(r->t, &s);
	ok = ok && s.mappings <= capacity && (!exact || !s.evictions);
	gm_iotlb_free(r->t);
	return ok;
}

TEST(with_room_for_all_it_answers_as_the_model)
{
	static const uint64_t sizes[] = { 1, 512, 4096, 65536 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_TRUE(agrees(sizes[i], 2 * MODEL_CELLS, true, i));
}

TEST(when_full_it_never_answers_anything_else)
{
	static const uint64_t capacities[] = { 1, 2, 3, 63, 200 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		EXPECT_TRUE(agrees(1, capacities[i], false, i));
		EXPECT_TRUE(agrees(4096, capacities[i], false, i));
	}
}

TEST_HARNESS_MAIN
