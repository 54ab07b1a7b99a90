/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb_private.h - the parts of an IOTLB.
 *
 * The tree has the mappings: sorted, apart, joined where they may be. The front
 * is a cache of it: blocks of a power of two that lie in one mapping each, found
 * by a hash, in one cache line. A lookup asks the front, and the tree only if
 * that does not know. All that the front has is in the tree, too.
 *
 * One thread at a time changes either, with the lock held. Readers copy what
 * they need and then look at a sequence count: if it has moved, they try again.
 * All memory is allocated once, so what they read while it changes is old, new
 * or mixed, but is there; and every index that was ever stored is a valid one.
 */
#ifndef GM_IOTLB_PRIVATE_H
#define GM_IOTLB_PRIVATE_H

#include <pthread.h>

#include "internal.h"
#include "thread_slot.h"

#define GM_CACHE_LINE 64

/*
 * Shared words. Acquire and release order each access against the sequence
 * count, without fences: what a reader has read is either older than the count
 * it looks at last, or makes it see that this has moved.
 */
#define gm_shared_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define gm_shared_store(p, x) __atomic_store_n((p), (x), __ATOMIC_RELEASE)

/* One mapping: bytes [start, last], target is start + delta, modulo 2^64. */
struct gm_tlb_item {
	uint64_t start;
	uint64_t last;
	uint64_t delta;
	enum gm_perm perm;
};

#define GM_TLB_LEAF 128

/* Mappings in order. The starts are together, for the search. */
struct gm_tlb_leaf {
	uint32_t count;
	uint32_t unused;
	uint64_t start[GM_TLB_LEAF];
	struct gm_tlb_rest {
		uint64_t last;
		uint64_t delta;
		uint64_t perm;
	} rest[GM_TLB_LEAF];
};

struct gm_tlb_tree {
	uint64_t seq;			/* odd: being changed */
	uint32_t leaves;		/* those in use, in order */
	uint32_t pool;			/* all */
	uint64_t count;			/* mappings */
	uint64_t *first;		/* lowest start of a leaf */
	uint32_t *order;		/* number of the leaf */
	uint32_t *spare;		/* numbers of those not in use */
	uint32_t nspare;
	struct gm_tlb_leaf *leaf;
	void *memory;
	uint64_t bytes;
};

/* A place between or at mappings: leaf in order, index in it. */
struct gm_tlb_pos {
	uint32_t leaf;
	uint32_t i;
};

bool gm_tlb_tree_init(struct gm_tlb_tree *t, uint64_t capacity);
void gm_tlb_tree_exit(struct gm_tlb_tree *t);

/*
 * For readers: between begin and a retry that says no, all that was read is of
 * one moment.
 */
uint64_t gm_tlb_read_begin(const struct gm_tlb_tree *t);

static inline bool gm_tlb_read_retry(const struct gm_tlb_tree *t, uint64_t seq)
{
	return __atomic_load_n(&t->seq, __ATOMIC_RELAXED) != seq;
}

/* The first mapping that ends at @addr or after it. */
struct gm_tlb_pos gm_tlb_find(const struct gm_tlb_tree *t, uint64_t addr);

/* The mapping at @pos; false: that is the end. */
bool gm_tlb_get(const struct gm_tlb_tree *t, struct gm_tlb_pos pos,
		struct gm_tlb_item *out);

/* The place after @pos. */
struct gm_tlb_pos gm_tlb_next(const struct gm_tlb_tree *t,
			      struct gm_tlb_pos pos);

/* For the one writer, who changes things between begin and end. */
void gm_tlb_write_begin(struct gm_tlb_tree *t);
void gm_tlb_write_end(struct gm_tlb_tree *t);

/* In a range that is free. There is room for one more. */
void gm_tlb_insert(struct gm_tlb_tree *t, const struct gm_tlb_item *item);

/* Cuts out [start, last]. There is room for one more, if that makes two. */
void gm_tlb_cut(struct gm_tlb_tree *t, uint64_t start, uint64_t last);
void gm_tlb_clear(struct gm_tlb_tree *t);

/* --- front --- */

#define GM_TLB_WAYS 3

struct gm_tlb_bucket {
	uint32_t seq;			/* odd: being changed */
	uint32_t victim;		/* way that is replaced next */
	uint64_t era;			/* of the blocks; others are none */
	uint64_t tag[GM_TLB_WAYS];	/* start, size class and rights; or 0 */
	uint64_t delta[GM_TLB_WAYS];
} __attribute__((__aligned__(GM_CACHE_LINE)));

struct gm_tlb_front {
	struct gm_tlb_bucket *bucket;
	uint64_t bytes;
	uint32_t shift;			/* of the hash */
	uint32_t classes;		/* bit n: class n may be there */
	uint64_t era;
};

/* Blocks have 4 KiB << 4 * class bytes. */
#define GM_TLB_CLASSES 13
#define gm_tlb_class_shift(c) (12 + 4 * (c))

bool gm_tlb_front_init(struct gm_tlb_front *f, uint64_t capacity);
void gm_tlb_front_exit(struct gm_tlb_front *f);

/* For the one writer. */
void gm_tlb_front_add(struct gm_tlb_front *f, const struct gm_tlb_item *item,
		      uint64_t addr);
void gm_tlb_front_remove(struct gm_tlb_front *f, uint64_t start,
			 uint64_t last);
void gm_tlb_front_clear(struct gm_tlb_front *f);

static inline struct gm_tlb_bucket *
gm_tlb_bucket_of(const struct gm_tlb_front *f, uint64_t block)
{
	/* The odd number nearest to 2^64 / golden ratio. */
	return &f->bucket[(block * UINT64_C(0x9e3779b97f4a7c15)) >> f->shift];
}

/* The low bits of a tag. A start is a multiple of 4 KiB. */
#define GM_TLB_TAG_PERM 3u
#define GM_TLB_TAG_VALID 4u
#define gm_tlb_tag_class(c) ((uint64_t)(c) << 4)

/* A block that has @addr: from @start, 1 << @shift bytes. */
struct gm_tlb_block {
	uint64_t start;
	uint64_t delta;
	uint32_t shift;
	enum gm_perm perm;
};

/* Is @addr in a block of class @c? Who finds a bucket changing goes without. */
static gm_always_inline bool
gm_tlb_front_probe(const struct gm_tlb_front *f, uint64_t addr, uint32_t c,
		   uint64_t era, struct gm_tlb_block *out)
{
	uint32_t shift = gm_tlb_class_shift(c);
	uint64_t block = addr >> shift;
	uint64_t want = (block << shift) | gm_tlb_tag_class(c) |
			GM_TLB_TAG_VALID;
	const struct gm_tlb_bucket *b = gm_tlb_bucket_of(f, block + c);
	uint32_t seq = gm_shared_load(&b->seq), way;
	uint64_t tag;

	/* Which way it is can't be predicted: no branch on it. */
	way = (uint32_t)((gm_shared_load(&b->tag[1]) ^ want) <=
			 GM_TLB_TAG_PERM);
	way |= (uint32_t)((gm_shared_load(&b->tag[2]) ^ want) <=
			  GM_TLB_TAG_PERM) << 1;
	/* Both only while they change; but there is no way 3. */
	way -= way >> 1 & way;
	tag = gm_shared_load(&b->tag[way]);
	out->start = block << shift;
	out->delta = gm_shared_load(&b->delta[way]);
	out->shift = shift;
	out->perm = (enum gm_perm)(tag & GM_TLB_TAG_PERM);
	/* A bucket that was changing has a sequence number that is odd. */
	return (tag ^ want) <= GM_TLB_TAG_PERM &&
	       gm_shared_load(&b->era) == era &&
	       __atomic_load_n(&b->seq, __ATOMIC_RELAXED) == (seq & ~1u);
}

static gm_always_inline bool
gm_tlb_front_find(const struct gm_tlb_front *f, uint64_t addr,
		  struct gm_tlb_block *out)
{
	uint64_t era = gm_shared_load(&f->era);
	uint32_t classes = gm_shared_load(&f->classes);

	for (; classes; classes &= classes - 1)
		if (gm_tlb_front_probe(f, addr,
				       (uint32_t)__builtin_ctz(classes), era,
				       out))
			return true;
	return false;
}

/* --- the whole --- */

/*
 * Counts of one thread's lookups. Threads without a number of their own
 * (thread_slot.h) share line 0, with locked operations.
 */
struct gm_tlb_counters {
	uint64_t hits;
	uint64_t misses;
} __attribute__((__aligned__(GM_CACHE_LINE)));

struct gm_iotlb {
	struct gm_tlb_front front;
	/* Moves when a translation that somebody may remember is no more. */
	uint64_t generation;
	struct gm_tlb_tree tree;
	pthread_mutex_t lock;
	uint64_t random;
	uint64_t capacity;
	uint64_t evictions;
	uint64_t invalidations;
	struct gm_tlb_counters counters[GM_THREAD_SLOTS];
};

/* Has a range no bytes, or too many? Then the error. */
int gm_tlb_range_error(uint64_t iova, uint64_t len);

static inline void gm_tlb_count(uint64_t *counter, uint32_t slot)
{
	/* Nobody else writes it. */
	if (gm_likely(slot))
		__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Of [addr, addr + len), which does not wrap, how many bytes fail as the first. */
uint64_t gm_tlb_fail_len(struct gm_iotlb *t, uint64_t addr, uint64_t len);

/* What views remember of lookups is void. */
void gm_iotlb_forget_views(struct gm_iotlb *t);

/* What gm_tlb_lookup() does where the front does not know. */
int gm_tlb_lookup_slow(struct gm_iotlb *t, uint64_t addr, enum gm_perm perm,
		       bool add, struct gm_tlb_item *out);

/*
 * The mapping that has @addr, or a block of it that has @len bytes from there
 * on. Counts. Returns 0, -ENOENT or -EACCES, without gm_error.
 */
static inline int gm_tlb_lookup(struct gm_iotlb *t, uint64_t addr,
				uint64_t len, enum gm_perm perm,
				struct gm_tlb_item *out)
{
	struct gm_tlb_block b;
	bool found = gm_tlb_front_find(&t->front, addr, &b);
	uint32_t slot;

	if (gm_unlikely(!found))
		return gm_tlb_lookup_slow(t, addr, perm, true, out);
	out->start = b.start;
	out->last = b.start + ((UINT64_C(1) << b.shift) - 1);
	out->delta = b.delta;
	out->perm = b.perm;
	if (gm_unlikely(len - 1 > out->last - addr ||
			!gm_perm_allows(b.perm, perm)))
		return gm_tlb_lookup_slow(t, addr, perm, false, out);
	slot = gm_thread_slot();
	gm_tlb_count(&t->counters[slot].hits, slot);
	return 0;
}

#endif /* GM_IOTLB_PRIVATE_H */
