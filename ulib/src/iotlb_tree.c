/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb_tree.c - an IOTLB's mappings in order: leaves of up to 128, and a sorted
 * array of the leaves.
 *
 * Two leaves side by side always have more than half a leaf's mappings: that is
 * what bounds the number of leaves.
 */
#include "iotlb_private.h"

#include <sched.h>
#include <string.h>

#define LEAF GM_TLB_LEAF

/* Two neighbours that have no more than this become one. */
#define MERGE (LEAF / 2)

bool gm_tlb_tree_init(struct gm_tlb_tree *t, uint64_t capacity)
{
	uint64_t pool = 2 * (capacity / (MERGE + 1)) + 4;
	uint64_t leaves = pool * sizeof(struct gm_tlb_leaf);
	uint8_t *p;

	t->pool = (uint32_t)pool;
	t->bytes = leaves + pool * (sizeof(uint64_t) + 2 * sizeof(uint32_t));
	p = gm_os_alloc(t->bytes);
	if (!p)
		return false;
	t->memory = p;
	t->leaf = (struct gm_tlb_leaf *)p;
	t->first = (uint64_t *)(p + leaves);
	t->order = (uint32_t *)(t->first + pool);
	t->spare = t->order + pool;
	gm_tlb_clear(t);
	return true;
}

void gm_tlb_tree_exit(struct gm_tlb_tree *t)
{
	gm_os_free(t->memory, t->bytes);
}

uint64_t gm_tlb_read_begin(const struct gm_tlb_tree *t)
{
	uint64_t seq;
	int turns = 0;

	while ((seq = gm_shared_load(&t->seq)) & 1)
		/* The writer may wait for this CPU. */
		if (++turns % 64 == 0)
			sched_yield();
	return seq;
}

void gm_tlb_write_begin(struct gm_tlb_tree *t)
{
	/* Seen by who sees one of the stores that follow: all of them release. */
	__atomic_store_n(&t->seq, t->seq + 1, __ATOMIC_RELAXED);
}

void gm_tlb_write_end(struct gm_tlb_tree *t)
{
	gm_shared_store(&t->seq, t->seq + 1);
}

static struct gm_tlb_leaf *leaf_at(const struct gm_tlb_tree *t, uint32_t i)
{
	return &t->leaf[gm_shared_load(&t->order[i])];
}

/* How many of @n sorted words are @addr or below. */
static uint32_t rank(const uint64_t *word, uint32_t n, uint64_t addr)
{
	uint32_t base = 0;

	if (!n || gm_shared_load(&word[0]) > addr)
		return 0;
	while (n > 1) {
		uint32_t half = n / 2;

		/* A conditional move: it can't be predicted. */
		base += gm_shared_load(&word[base + half]) <= addr ? half : 0;
		n -= half;
	}
	return base + 1;
}

struct gm_tlb_pos gm_tlb_find(const struct gm_tlb_tree *t, uint64_t addr)
{
	struct gm_tlb_pos pos = { 0, 0 };
	const struct gm_tlb_leaf *l;
	uint32_t leaves = gm_shared_load(&t->leaves), n, i;

	pos.leaf = rank(t->first, leaves, addr);
	if (!pos.leaf)
		return pos;
	pos.leaf--;
	l = leaf_at(t, pos.leaf);
	n = gm_shared_load(&l->count);
	i = rank(l->start, n, addr);
	if (i && gm_shared_load(&l->rest[i - 1].last) >= addr)
		i--;
	pos.i = i;
	if (i >= n) {
		pos.leaf++;
		pos.i = 0;
	}
	return pos;
}

bool gm_tlb_get(const struct gm_tlb_tree *t, struct gm_tlb_pos pos,
		struct gm_tlb_item *out)
{
	const struct gm_tlb_leaf *l;

	if (pos.leaf >= gm_shared_load(&t->leaves) || pos.i >= LEAF)
		return false;
	l = leaf_at(t, pos.leaf);
	out->start = gm_shared_load(&l->start[pos.i]);
	out->last = gm_shared_load(&l->rest[pos.i].last);
	out->delta = gm_shared_load(&l->rest[pos.i].delta);
	out->perm = (enum gm_perm)gm_shared_load(&l->rest[pos.i].perm);
	return true;
}

struct gm_tlb_pos gm_tlb_next(const struct gm_tlb_tree *t,
			      struct gm_tlb_pos pos)
{
	if (pos.leaf >= gm_shared_load(&t->leaves))
		return pos;
	if (++pos.i >= gm_shared_load(&leaf_at(t, pos.leaf)->count)) {
		pos.leaf++;
		pos.i = 0;
	}
	return pos;
}

static void put(struct gm_tlb_leaf *l, uint32_t i,
		const struct gm_tlb_item *item)
{
	gm_shared_store(&l->start[i], item->start);
	gm_shared_store(&l->rest[i].last, item->last);
	gm_shared_store(&l->rest[i].delta, item->delta);
	gm_shared_store(&l->rest[i].perm, (uint64_t)item->perm);
}

static void copy_one(struct gm_tlb_leaf *to, uint32_t i,
		     const struct gm_tlb_leaf *from, uint32_t k)
{
	gm_shared_store(&to->start[i], from->start[k]);
	gm_shared_store(&to->rest[i].last, from->rest[k].last);
	gm_shared_store(&to->rest[i].delta, from->rest[k].delta);
	gm_shared_store(&to->rest[i].perm, from->rest[k].perm);
}

/* Moves [k, k + n) of a leaf to i of the same or another one. */
static void move(struct gm_tlb_leaf *to, uint32_t i,
		 const struct gm_tlb_leaf *from, uint32_t k, uint32_t n)
{
	uint32_t m;

	if (to != from || i < k) {
		for (m = 0; m < n; m++)
			copy_one(to, i + m, from, k + m);
	} else {
		for (m = n; m; m--)
			copy_one(to, i + m - 1, from, k + m - 1);
	}
}

static void set_first(struct gm_tlb_tree *t, uint32_t leaf)
{
	gm_shared_store(&t->first[leaf], leaf_at(t, leaf)->start[0]);
}

/* A new, empty leaf, which becomes number @at in order. */
static struct gm_tlb_leaf *leaf_add(struct gm_tlb_tree *t, uint32_t at)
{
	uint32_t number = t->spare[--t->nspare], i;

	gm_shared_store(&t->leaf[number].count, 0);
	for (i = t->leaves; i > at; i--) {
		gm_shared_store(&t->first[i], t->first[i - 1]);
		gm_shared_store(&t->order[i], t->order[i - 1]);
	}
	gm_shared_store(&t->order[at], number);
	gm_shared_store(&t->leaves, t->leaves + 1);
	return &t->leaf[number];
}

/* Drops leaves [at, at + n) of the order, whatever is in them. */
static void leaf_drop(struct gm_tlb_tree *t, uint32_t at, uint32_t n)
{
	uint32_t i;

	if (!n)
		return;
	for (i = 0; i < n; i++)
		t->spare[t->nspare++] = t->order[at + i];
	for (i = at; i + n < t->leaves; i++) {
		gm_shared_store(&t->first[i], t->first[i + n]);
		gm_shared_store(&t->order[i], t->order[i + n]);
	}
	gm_shared_store(&t->leaves, t->leaves - n);
}

/* Leaf @at and the next become one, if they are small enough. */
static void leaf_merge(struct gm_tlb_tree *t, uint32_t at)
{
	struct gm_tlb_leaf *a, *b;

	if (at + 1 >= t->leaves)
		return;
	a = leaf_at(t, at);
	b = leaf_at(t, at + 1);
	if (a->count + b->count > MERGE)
		return;
	move(a, a->count, b, 0, b->count);
	gm_shared_store(&a->count, a->count + b->count);
	leaf_drop(t, at + 1, 1);
}

/* A leaf has fewer mappings than before. */
static void leaf_shrunk(struct gm_tlb_tree *t, uint32_t at)
{
	if (at >= t->leaves)
		return;
	if (!leaf_at(t, at)->count) {
		leaf_drop(t, at, 1);
		if (at && at < t->leaves)
			leaf_merge(t, at - 1);
		return;
	}
	set_first(t, at);
	leaf_merge(t, at);
	if (at)
		leaf_merge(t, at - 1);
}

static void insert_at(struct gm_tlb_tree *t, struct gm_tlb_pos pos,
		      const struct gm_tlb_item *item)
{
	struct gm_tlb_leaf *l;

	if (!t->leaves)
		leaf_add(t, 0);
	if (pos.leaf >= t->leaves) {
		pos.leaf = t->leaves - 1;
		pos.i = leaf_at(t, pos.leaf)->count;
	}
	l = leaf_at(t, pos.leaf);
	if (l->count == LEAF) {
		struct gm_tlb_leaf *b = leaf_add(t, pos.leaf + 1);

		move(b, 0, l, LEAF / 2, LEAF / 2);
		gm_shared_store(&b->count, LEAF / 2);
		gm_shared_store(&l->count, LEAF / 2);
		set_first(t, pos.leaf + 1);
		if (pos.i > LEAF / 2) {
			pos.leaf++;
			pos.i -= LEAF / 2;
			l = b;
		}
	}
	move(l, pos.i + 1, l, pos.i, l->count - pos.i);
	put(l, pos.i, item);
	gm_shared_store(&l->count, l->count + 1);
	set_first(t, pos.leaf);
	t->count++;
}

static void remove_at(struct gm_tlb_tree *t, struct gm_tlb_pos pos)
{
	struct gm_tlb_leaf *l = leaf_at(t, pos.leaf);

	move(l, pos.i, l, pos.i + 1, l->count - pos.i - 1);
	gm_shared_store(&l->count, l->count - 1);
	t->count--;
	leaf_shrunk(t, pos.leaf);
}

/* Does @b go on where @a ends, in every respect? Neither wraps to 0. */
static bool joins(const struct gm_tlb_item *a, const struct gm_tlb_item *b)
{
	return a->last + 1 == b->start && b->start && b->start + b->delta &&
	       a->delta == b->delta && a->perm == b->perm;
}

static struct gm_tlb_leaf *leaf_of(const struct gm_tlb_tree *t,
				   struct gm_tlb_pos pos)
{
	return leaf_at(t, pos.leaf);
}

/* The mappings that an item goes on where they end, or they where it ends. */
struct neighbours {
	struct gm_tlb_pos before;
	struct gm_tlb_pos after;
	uint64_t last;		/* of the one after */
	bool left;
	bool right;
};

static void find_neighbours(const struct gm_tlb_tree *t,
			    const struct gm_tlb_item *item,
			    struct neighbours *n)
{
	struct gm_tlb_item other;

	n->left = false;
	if (item->start) {
		n->before = gm_tlb_find(t, item->start - 1);
		n->left = gm_tlb_get(t, n->before, &other) &&
			  joins(&other, item);
	}
	n->after = gm_tlb_find(t, item->start);
	n->right = gm_tlb_get(t, n->after, &other) && joins(item, &other);
	n->last = n->right ? other.last : item->last;
}

bool gm_tlb_joins(const struct gm_tlb_tree *t, const struct gm_tlb_item *item)
{
	struct neighbours n;

	find_neighbours(t, item, &n);
	return n.left || n.right;
}

void gm_tlb_insert(struct gm_tlb_tree *t, const struct gm_tlb_item *item)
{
	struct neighbours n;

	find_neighbours(t, item, &n);
	if (n.left) {
		gm_shared_store(&leaf_of(t, n.before)->rest[n.before.i].last,
				n.last);
		if (n.right)
			remove_at(t, n.after);
	} else if (n.right) {
		gm_shared_store(&leaf_of(t, n.after)->start[n.after.i],
				item->start);
		set_first(t, n.after.leaf);
	} else {
		insert_at(t, n.after, item);
	}
}

/*
 * Takes out all mappings from @pos on that end at @last or below. Whole leaves
 * are dropped together.
 */
static void remove_from(struct gm_tlb_tree *t, struct gm_tlb_pos pos,
			uint64_t last)
{
	uint32_t drop = pos.leaf, i = pos.i, leaf = pos.leaf, ndrop = 0;

	for (; leaf < t->leaves; leaf++, i = 0) {
		struct gm_tlb_leaf *l = leaf_at(t, leaf);
		uint32_t end = i;

		while (end < l->count && l->rest[end].last <= last)
			end++;
		if (end == i)
			break;
		t->count -= end - i;
		if (end - i == l->count) {
			if (!ndrop)
				drop = leaf;
			ndrop++;
			continue;
		}
		move(l, i, l, end, l->count - end);
		gm_shared_store(&l->count, l->count - (end - i));
		set_first(t, leaf);
		/* Something is left behind the range: that is its end. */
		if (l->count > i)
			break;
	}
	leaf_drop(t, drop, ndrop);
	leaf_shrunk(t, pos.leaf + 1);
	leaf_shrunk(t, pos.leaf);
}

void gm_tlb_cut(struct gm_tlb_tree *t, uint64_t start, uint64_t last)
{
	struct gm_tlb_pos pos = gm_tlb_find(t, start);
	struct gm_tlb_item item, tail;

	if (gm_tlb_get(t, pos, &item) && item.start < start) {
		gm_shared_store(&leaf_of(t, pos)->rest[pos.i].last, start - 1);
		if (item.last > last) {
			tail = item;
			tail.start = last + 1;
			insert_at(t, gm_tlb_next(t, pos), &tail);
			return;
		}
		pos = gm_tlb_next(t, pos);
	}
	remove_from(t, pos, last);
	pos = gm_tlb_find(t, start);
	if (gm_tlb_get(t, pos, &item) && item.start <= last) {
		gm_shared_store(&leaf_of(t, pos)->start[pos.i], last + 1);
		set_first(t, pos.leaf);
	}
}

void gm_tlb_clear(struct gm_tlb_tree *t)
{
	uint32_t i;

	gm_shared_store(&t->leaves, 0);
	for (i = 0; i < t->pool; i++)
		t->spare[i] = t->pool - 1 - i;
	t->nspare = t->pool;
	t->count = 0;
}
