/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb_query.c - questions to an IOTLB.
 */
#include <errno.h>

#include "iotlb_private.h"

/* The mapping that has @addr, as it is at one moment. */
static bool find(struct gm_iotlb *t, uint64_t addr, struct gm_tlb_item *out)
{
	uint64_t seq;
	bool found;

	do {
		seq = gm_tlb_read_begin(&t->tree);
		found = gm_tlb_get(&t->tree, gm_tlb_find(&t->tree, addr),
				   out) && out->start <= addr;
	} while (gm_tlb_read_retry(&t->tree, seq));
	return found;
}

/*
 * The next lookup near @addr is quicker; unless somebody changes mappings now,
 * which is not worth to wait for.
 */
static void add_to_front(struct gm_iotlb *t, uint64_t addr)
{
	struct gm_tlb_item item;

	if (pthread_mutex_trylock(&t->lock))
		return;
	if (gm_tlb_get(&t->tree, gm_tlb_find(&t->tree, addr), &item) &&
	    item.start <= addr)
		gm_tlb_front_add(&t->front, &item, addr);
	pthread_mutex_unlock(&t->lock);
}

static int lookup_tree(struct gm_iotlb *t, uint64_t addr, enum gm_perm perm,
		       bool add, struct gm_tlb_item *out)
{
	uint64_t slot = gm_thread_slot();
	int ret = 0;

	if (!find(t, addr, out))
		ret = -ENOENT;
	else if (!gm_perm_allows(out->perm, perm))
		ret = -EACCES;
	if (ret) {
		gm_tlb_count(&gm_tlb_counters_of(t, slot)->misses, slot);
		return ret;
	}
	gm_tlb_count_hit(t, slot);
	/* What is only in the tree must not have readers meet at the lock. */
	if (add && gm_tlb_front_takes(out, addr))
		add_to_front(t, addr);
	return 0;
}

int gm_tlb_lookup(struct gm_iotlb *t, uint64_t addr, uint64_t len,
		  enum gm_perm perm, struct gm_tlb_item *out)
{
	struct gm_tlb_block b;
	uint64_t mask;

	if (!gm_tlb_front_find(&t->front, addr, &b))
		return lookup_tree(t, addr, perm, true, out);
	mask = (UINT64_C(1) << gm_tlb_class_shift(b.class)) - 1;
	if (len - 1 > (~addr & mask) || !gm_perm_allows(b.perm, perm))
		return lookup_tree(t, addr, perm, false, out);
	out->start = addr & ~mask;
	out->last = addr | mask;
	out->delta = b.delta;
	out->perm = b.perm;
	gm_tlb_count_hit(t, gm_thread_slot());
	return 0;
}

bool gm_tlb_has(struct gm_iotlb *t, uint64_t addr, enum gm_perm perm)
{
	struct gm_tlb_item item;

	return find(t, addr, &item) && gm_perm_allows(item.perm, perm);
}

uint64_t gm_tlb_fail_len(struct gm_iotlb *t, uint64_t addr, uint64_t len)
{
	struct gm_tlb_item item;
	uint64_t seq, last;

	do {
		seq = gm_tlb_read_begin(&t->tree);
		last = addr + (len - 1);
		if (gm_tlb_get(&t->tree, gm_tlb_find(&t->tree, addr), &item))
			last = gm_min(last, item.start > addr ?
				      item.start - 1 : item.last);
	} while (gm_tlb_read_retry(&t->tree, seq));
	return last - addr + 1;
}

static int fail(int err, uint64_t iova, uint64_t len)
{
	return gm_error_set(err, err == -EACCES ? GM_ERR_PERMISSION :
						  GM_ERR_IOTLB_MISS,
			    iova, len);
}

int gm_iotlb_lookup(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len,
		    enum gm_perm perm, struct gm_range *out)
{
	uint64_t addr = gm_iova_raw(iova);
	struct gm_tlb_item item;
	int ret;

	if (gm_unlikely(!len || len - 1 > UINT64_MAX - addr))
		return gm_tlb_range_error(addr, len);
	ret = gm_tlb_lookup(t, addr, len, perm, &item);
	if (gm_unlikely(ret))
		return fail(ret, addr, len);
	out->gpa = gm_gpa(addr + item.delta);
	out->len = gm_min(len - 1, item.last - addr) + 1;
	return 0;
}

/* A walk over a range: mappings and the gaps between, cut to it. */
struct walk {
	const struct gm_tlb_tree *tree;
	struct gm_tlb_pos pos;
	uint64_t at;
	uint64_t last;
	bool end;
};

static void walk_init(struct walk *w, const struct gm_tlb_tree *tree,
		      uint64_t start, uint64_t last)
{
	w->tree = tree;
	w->pos = gm_tlb_find(tree, start);
	w->at = start;
	w->last = last;
	w->end = false;
}

/*
 * The next piece; @gap: it is none of a mapping. While somebody changes things
 * the pieces may be nonsense, but there is an end: each begins after the last.
 */
static bool walk_next(struct walk *w, struct gm_tlb_item *out, bool *gap)
{
	struct gm_tlb_item item;
	uint64_t last = w->last;

	if (w->end)
		return false;
	*gap = !gm_tlb_get(w->tree, w->pos, &item) || item.start > w->last ||
	       item.last < w->at;
	if (!*gap && item.start > w->at) {
		*gap = true;
		last = item.start - 1;
	} else if (!*gap) {
		last = gm_min(last, item.last);
		w->pos = gm_tlb_next(w->tree, w->pos);
		out->delta = item.delta;
		out->perm = item.perm;
	}
	out->start = w->at;
	out->last = last;
	w->end = last == w->last;
	w->at = last + 1;
	return true;
}

/* What a look at a whole range has found. */
struct found {
	int err;		/* of the first piece that fails */
	uint64_t iova;
	uint64_t len;
	uint64_t pieces;
	struct gm_range *out;
	size_t room;
	struct gm_iotlb_fails *fails;
};

static void add_fail(struct gm_iova_range *to, size_t room, size_t *count,
		     const struct gm_tlb_item *piece, uint64_t len)
{
	if (*count < room) {
		to[*count].iova = gm_iova(piece->start);
		to[*count].len = len;
	}
	++*count;
}

static void add_piece(struct found *f, const struct gm_tlb_item *piece,
		      int err)
{
	struct gm_iotlb_fails *fails = f->fails;
	uint64_t len = piece->last - piece->start + 1;

	if (!err && f->pieces < f->room) {
		f->out[f->pieces].gpa = gm_gpa(piece->start + piece->delta);
		f->out[f->pieces].len = len;
	}
	f->pieces++;
	if (!err)
		return;
	if (!f->err) {
		f->err = err;
		f->iova = piece->start;
		f->len = len;
	}
	if (fails && err == -ENOENT)
		add_fail(fails->misses, fails->miss_room, &fails->miss_count,
			 piece, len);
	else if (fails)
		add_fail(fails->denied, fails->denied_room,
			 &fails->denied_count, piece, len);
}

/* Looks at a range until what it saw is of one moment. */
static void look(struct gm_iotlb *t, uint64_t start, uint64_t len,
		 enum gm_perm perm, struct found *f)
{
	uint64_t seq;

	do {
		struct gm_tlb_item piece;
		struct walk w;
		bool gap;

		seq = gm_tlb_read_begin(&t->tree);
		f->err = 0;
		f->pieces = 0;
		if (f->fails) {
			f->fails->miss_count = 0;
			f->fails->denied_count = 0;
		}
		walk_init(&w, &t->tree, start, start + (len - 1));
		while (walk_next(&w, &piece, &gap))
			add_piece(f, &piece,
				  gap ? -ENOENT :
				  gm_perm_allows(piece.perm, perm) ? 0 :
								     -EACCES);
	} while (gm_tlb_read_retry(&t->tree, seq));
}

int64_t gm_iotlb_translate(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len,
			   enum gm_perm perm, struct gm_range *out,
			   size_t count)
{
	struct found f = { .out = out, .room = count };
	uint64_t start = gm_iova_raw(iova);

	if (!len)
		return 0;
	if (len - 1 > UINT64_MAX - start)
		return gm_tlb_range_error(start, len);
	look(t, start, len, perm, &f);
	if (f.err)
		return fail(f.err, f.iova, f.len);
	if (f.pieces > count)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_ARRAY_SMALL,
					   start, len, f.pieces, count);
	return (int64_t)f.pieces;
}

int gm_iotlb_check_range(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len,
			 enum gm_perm perm)
{
	struct found f = { .err = 0 };
	uint64_t start = gm_iova_raw(iova);

	if (!len)
		return 0;
	if (len - 1 > UINT64_MAX - start)
		return gm_tlb_range_error(start, len);
	look(t, start, len, perm, &f);
	return f.err ? fail(f.err, f.iova, f.len) : 0;
}

int gm_iotlb_fails(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len,
		   enum gm_perm perm, struct gm_iotlb_fails *fails)
{
	struct found f = { .fails = fails };
	uint64_t start = gm_iova_raw(iova);

	if (len && len - 1 > UINT64_MAX - start)
		return gm_tlb_range_error(start, len);
	fails->miss_count = 0;
	fails->denied_count = 0;
	if (!len)
		return 0;
	look(t, start, len, perm, &f);
	if (fails->miss_count > fails->miss_room ||
	    fails->denied_count > fails->denied_room)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_ARRAY_SMALL,
					   start, len,
					   fails->miss_count +
					   fails->denied_count,
					   gm_min(fails->miss_count,
						  fails->miss_room) +
					   gm_min(fails->denied_count,
						  fails->denied_room));
	return f.err ? 1 : 0;
}
