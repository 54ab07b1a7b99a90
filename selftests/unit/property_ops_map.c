/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* property_ops_map.c - maps that change, lists of ranges; see property_ops.h. */

#include <errno.h>
#include <string.h>
#include <guestmem/iov.h>
#include "property_ops.h"

#define RANGES 4
#define IOVS 8

static bool wrong(struct op *op, const char *what)
{
	return world_wrong(op->w, what, op->gpa);
}

/* The map of what is plugged has taken the place of the one before. */
static bool replace(struct op *op, struct gm_map *m)
{
	struct world *w = op->w;
	struct gm_map *old = w->map;
	size_t i, n = 0;

	w->map = m;
	gm_view_init(&w->view, m);
	gm_map_put(old);
	for (i = 0; i < w->count; i++)
		if (w->regions[i].plugged &&
		    gm_map_region(m, n++) != w->regions[i].r)
			return wrong(op, "order of regions");
	return (n == gm_map_count(m) && n == w->plugged) ||
	       wrong(op, "number of regions");
}

bool op_plug(struct op *op, bool unused)
{
	struct world *w = op->w;
	struct world_region *r = &w->regions[rnd_below(&w->rnd, w->count)];
	struct gm_map *m = NULL;
	int ret = gm_map_insert(w->map, r->r, &m);

	(void)unused;
	if (r->plugged)
		return (ret == -EEXIST && !m) || wrong(op, "plugged twice");
	if (ret)
		return wrong(op, "plug");
	/* The old map is what it was. */
	if (gm_map_count(w->map) != w->plugged ||
	    gm_map_contains(w->map, gm_gpa(r->base)))
		return wrong(op, "map before the plug");
	r->plugged = true;
	w->plugged++;
	return replace(op, m);
}

bool op_unplug(struct op *op, bool unused)
{
	struct world *w = op->w;
	struct world_region *r = &w->regions[rnd_below(&w->rnd, w->count)];
	uint64_t longer = rnd_below(&w->rnd, 4) == 0;
	struct gm_region *removed = NULL;
	struct gm_map *m = NULL;
	int ret = gm_map_remove(w->map, gm_gpa(r->base), r->len + longer, &m,
				&removed);

	(void)unused;
	if (!r->plugged || longer)
		return (ret == -ENOENT && !m && !removed) ||
		       wrong(op, "unplug of what is not there");
	if (ret || removed != r->r)
		return wrong(op, "unplug");
	if (gm_map_find(w->map, gm_gpa(r->base)) != r->r)
		return wrong(op, "map before the unplug");
	gm_region_put(removed);
	r->plugged = false;
	w->plugged--;
	return replace(op, m);
}

/* A list of ranges, and a cursor somewhere in it. */
static void make_list(struct op *op, struct gm_range *list,
		      struct gm_iov_cursor *c)
{
	struct rnd *rnd = &op->w->rnd;
	uint64_t skip;
	int i;

	for (i = 0; i < RANGES; i++) {
		list[i].gpa = gm_gpa(i ? world_address(op->w) : op->gpa);
		list[i].len = rnd_below(rnd, 4) ? rnd_below(rnd, 100) : 0;
	}
	gm_iov_init(c, list, RANGES);
	skip = rnd_below(rnd, 3) ? 0 : rnd_below(rnd, gm_iov_left(c) + 1);
	gm_iov_skip(c, skip);
}

/* The model's cursor: the next part of a list, @max bytes at most. */
struct part {
	int range;
	uint64_t off;
};

static uint64_t next_part(const struct gm_range *list, struct part *at,
			  uint64_t max, uint64_t *gpa, bool *wraps)
{
	uint64_t n;

	while (at->range < RANGES && at->off == list[at->range].len) {
		at->range++;
		at->off = 0;
	}
	if (at->range == RANGES || !max)
		return 0;
	n = list[at->range].len - at->off;
	*gpa = gm_gpa_raw(list[at->range].gpa) + at->off;
	*wraps = *gpa < at->off;
	return n < max ? n : max;
}

static struct part start_of(const struct gm_range *list, uint64_t skip)
{
	struct part at = { 0, 0 };

	while (at.range < RANGES && skip >= list[at.range].len)
		skip -= list[at.range++].len;
	at.off = skip;
	return at;
}

static bool on_demand(const struct world_region *r)
{
	return r->kind == ON_DEMAND || r->kind == ON_DEMAND_TRACKED;
}

/* What an extraction must give: iovecs, or a negative errno. */
static int expect_iovs(struct op *op, const struct gm_range *list,
		       struct part at, uint64_t max, bool write,
		       struct iovec *iov, int room, uint64_t *bytes)
{
	uint64_t gpa, n;
	bool wraps;
	size_t i;
	int cnt = 0;

	*bytes = 0;
	while (cnt < room &&
	       (n = next_part(list, &at, max - *bytes, &gpa, &wraps))) {
		if (wraps)
			return -EOVERFLOW;
		world_walk(op->w, gpa, n, write, &op->walk);
		for (i = 0; i < op->walk.count && cnt < room; i++) {
			struct piece *p = &op->walk.pieces[i];

			if (on_demand(p->r))
				return -EOPNOTSUPP;
			iov[cnt].iov_base = p->r->mem + p->off;
			iov[cnt++].iov_len = p->n;
			*bytes += p->n;
		}
		if (cnt < room && op->walk.stop != ALL_THERE)
			return walk_errno(&op->walk);
		at.off += n;
	}
	return cnt;
}

bool op_iov_extract(struct op *op, bool write)
{
	struct rnd *rnd = &op->w->rnd;
	int room = (int)rnd_between(rnd, 1, IOVS);
	uint64_t max = rnd_below(rnd, 2) ? UINT64_MAX : rnd_below(rnd, 200);
	struct iovec got[IOVS], want[IOVS];
	uint64_t bytes, want_bytes, all = 0;
	struct gm_range list[RANGES];
	struct gm_iov_cursor c, before;
	int ret, cnt, i;

	make_list(op, list, &c);
	before = c;
	for (i = 0; i < RANGES; i++)
		all += list[i].len;
	ret = gm_iov_extract(&op->w->view, &c,
			     write ? GM_PERM_WRITE : GM_PERM_READ, max, got,
			     room, &bytes);
	cnt = expect_iovs(op, list, start_of(list, all - gm_iov_left(&before)),
			  max, write, want, room, &want_bytes);
	if (ret != cnt)
		return wrong(op, "iovecs extracted");
	if (ret < 0)
		return gm_iov_left(&c) == gm_iov_left(&before) ||
		       wrong(op, "cursor moved");
	if (bytes != want_bytes ||
	    gm_iov_left(&c) != gm_iov_left(&before) - bytes)
		return wrong(op, "bytes extracted");
	for (i = 0; i < cnt; i++)
		if (got[i].iov_base != want[i].iov_base ||
		    got[i].iov_len != want[i].iov_len)
			return wrong(op, "iovec");
	return true;
}

bool op_iov_copy(struct op *op, bool write)
{
	struct gm_range list[RANGES];
	struct gm_iov_cursor c;
	uint64_t left, max, n, gpa, all = 0, done = 0;
	struct walk walks[RANGES];
	struct part at;
	int i, ret, parts = 0, want = 0;
	bool wraps;

	make_list(op, list, &c);
	for (i = 0; i < RANGES; i++)
		all += list[i].len;
	left = gm_iov_left(&c);
	max = rnd_below(&op->w->rnd, left + 1);
	op_fill(op, op->buf, max);
	memcpy(op->want, op->buf, max);
	ret = write ? gm_iov_write(&op->w->view, &c, op->buf, max) :
		      gm_iov_read(&op->w->view, &c, op->buf, max);
	at = start_of(list, all - left);
	while (!want && (n = next_part(list, &at, max - done, &gpa, &wraps))) {
		if (wraps) {
			want = -EOVERFLOW;
			break;
		}
		world_walk(op->w, gpa, n, write, &walks[parts]);
		if (write)
			walk_put(&walks[parts], op->buf + done,
				 walks[parts].done);
		else
			walk_get(&walks[parts], op->want + done);
		want = walk_errno(&walks[parts++]);
		at.off += n;
		done += n;
	}
	if (ret != want)
		return wrong(op, "return value");
	if (gm_iov_left(&c) != (ret ? left : left - max))
		return wrong(op, "cursor");
	/* Only now: ranges may overlap. */
	for (i = 0; write && i < parts; i++)
		if (!walk_check(op->w, &walks[i]))
			return false;
	return !memcmp(op->buf, op->want, max) || wrong(op, "bytes");
}
