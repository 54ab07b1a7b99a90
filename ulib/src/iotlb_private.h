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

/* In a range that is free. There is room for one more, or it joins another. */
void gm_tlb_insert(struct gm_tlb_tree *t, const struct gm_tlb_item *item);

bool gm_tlb_joins(const struct gm_tlb_tree *t, const struct gm_tlb_item *item);

/* Cuts out [start, last]. There is room for one more, if that makes two. */
void gm_tlb_cut(struct gm_tlb_tree *t, uint64_t start, uint64_t last);
void gm_tlb_clear(struct gm_tlb_tree *t);

/* --- front --- */

#define GM_TLB_WAYS 3

/*
 * One cache line. A tag is a block's start, and in its low 12 bits the era and
 * the size class, from 1 on; 0: none. A delta is a multiple of 4 KiB, and has
 * the rights in its low bits.
 */
struct gm_tlb_bucket {
	uint32_t seq;			/* of changes */
	uint32_t victim;		/* way that is replaced next */
	uint64_t tag[GM_TLB_WAYS];
	uint64_t delta[GM_TLB_WAYS];
	uint64_t unused;
} __attribute__((__aligned__(GM_CACHE_LINE)));

GM_STATIC_ASSERT(sizeof(struct gm_tlb_bucket) == GM_CACHE_LINE, "one line");

struct gm_tlb_front {
	uint8_t *buckets;
	uint32_t shift;			/* from a hash to their offsets */
	uint32_t classes;		/* bit n: class n may be there */
	uint64_t era;			/* as in tags */
	uint64_t quick_era;		/* the same, or GM_TLB_NO_ERA */
	uint64_t bytes;
};

/* Blocks have 4 KiB << 2 * class bytes. */
#define GM_TLB_CLASSES 26
#define gm_tlb_class_shift(c) (12 + 2 * (c))

#define GM_TLB_LOW UINT64_C(0xfff)
#define GM_TLB_ERA_ONE UINT64_C(0x20)
#define GM_TLB_ERA_LAST UINT64_C(0xfe0)

/*
 * Without quick answers: no tag of a block is like that, nor is the 0 of none (which
 * a way has for a moment with the delta of another block), whatever class is asked
 * for, or none.
 */
#define GM_TLB_NO_ERA (GM_TLB_ERA_ONE - 1)
GM_STATIC_ASSERT(GM_TLB_CLASSES < GM_TLB_NO_ERA, "no class has all of these bits");

/* Of a class: the bits of an address that its tags have, and those of its own. */
#define gm_tlb_class_bits(c) \
	(UINT64_MAX << gm_tlb_class_shift(c) | ((c) + UINT64_C(1)))

static gm_always_inline uint64_t gm_tlb_tag(uint64_t addr, uint64_t class_bits,
					    uint64_t era)
{
	return ((addr | GM_TLB_LOW) & class_bits) | era;
}

/* In the low bits of a delta. */
#define GM_TLB_PERM UINT64_C(3)

bool gm_tlb_front_init(struct gm_tlb_front *f, uint64_t capacity);
void gm_tlb_front_exit(struct gm_tlb_front *f);

/* Is @addr in a block that the front can have? */
bool gm_tlb_front_takes(const struct gm_tlb_item *item, uint64_t addr);

/* For the one writer. */
void gm_tlb_front_add(struct gm_tlb_front *f, const struct gm_tlb_item *item,
		      uint64_t addr);
void gm_tlb_front_remove(struct gm_tlb_front *f, uint64_t start,
			 uint64_t last);
void gm_tlb_front_clear(struct gm_tlb_front *f);
void gm_tlb_front_set_quick(struct gm_tlb_front *f, bool on);

static gm_always_inline struct gm_tlb_bucket *
gm_tlb_bucket_of(const struct gm_tlb_front *f, uint64_t tag)
{
	/* 2^52 / golden ratio: pages in a row are spread evenly. */
	uint64_t hash = tag * UINT64_C(0x9e3779b97f4a7);

	return (struct gm_tlb_bucket *)(f->buckets +
					(hash >> f->shift &
					 ~(uint64_t)(GM_CACHE_LINE - 1)));
}

/* Which way it is can't be predicted: conditional moves. */
static gm_always_inline uint64_t
gm_tlb_way_find(const struct gm_tlb_bucket *b, uint32_t i, uint64_t tag,
		uint64_t other)
{
	uint64_t have = gm_shared_load(&b->tag[i]);
	uint64_t delta = gm_shared_load(&b->delta[i]);

	return have == tag ? delta : other;
}

/*
 * Delta and rights of the block with a tag; 0: it is not there. Who finds the
 * bucket changing goes without: iotlb_front.c has the order of things.
 */
static gm_always_inline uint64_t
gm_tlb_bucket_find(const struct gm_tlb_bucket *b, uint64_t tag)
{
	uint32_t seq = gm_shared_load(&b->seq);
	uint64_t found = 0;

	/* GM_TLB_WAYS of them. */
	found = gm_tlb_way_find(b, 0, tag, found);
	found = gm_tlb_way_find(b, 1, tag, found);
	found = gm_tlb_way_find(b, 2, tag, found);
	if (gm_unlikely(__atomic_load_n(&b->seq, __ATOMIC_RELAXED) != seq))
		return 0;
	return found;
}

/*
 * Delta and rights for @addr, if it is in a block of a class, by its bits, where
 * that belongs; 0: look elsewhere. Blocks are 4 KiB at least.
 */
static gm_always_inline uint64_t
gm_tlb_front_quick(const struct gm_tlb_front *f, uint64_t addr,
		   uint64_t class_bits)
{
	uint64_t tag = gm_tlb_tag(addr, class_bits,
				  gm_shared_load(&f->quick_era));

	return gm_tlb_bucket_find(gm_tlb_bucket_of(f, tag), tag);
}

/* A block that has an address. */
struct gm_tlb_block {
	uint64_t delta;
	uint32_t class;
	enum gm_perm perm;
};

/* All classes, and next door. */
bool gm_tlb_front_find(const struct gm_tlb_front *f, uint64_t addr,
		       struct gm_tlb_block *out);

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
	/* Apart from what changes more often. */
	struct gm_tlb_front front __attribute__((__aligned__(GM_CACHE_LINE)));
	struct gm_tlb_tree tree __attribute__((__aligned__(GM_CACHE_LINE)));
	pthread_mutex_t lock;
	uint64_t random;
	uint64_t capacity;
	uint64_t evictions;
	uint64_t invalidations;
	struct gm_tlb_counters counters[GM_THREAD_SLOTS];
};

/* Are there quick answers of its front? At first there are. */
void gm_iotlb_set_quick(struct gm_iotlb *t, bool on);

/* Has a range no bytes, or too many? Then the error. */
int gm_tlb_range_error(uint64_t iova, uint64_t len);

GM_STATIC_ASSERT(sizeof(struct gm_tlb_counters) == GM_THREAD_SLOT_BYTES,
		 "a thread's counters are found by its slot");

/* The counters of a thread, by gm_thread_slot(). */
static gm_always_inline struct gm_tlb_counters *
gm_tlb_counters_of(struct gm_iotlb *t, uint64_t slot)
{
	return (struct gm_tlb_counters *)((uint8_t *)t->counters + slot);
}

static gm_always_inline void gm_tlb_count(uint64_t *counter, uint64_t slot)
{
	/* Nobody else writes it. */
	if (gm_likely(slot))
		__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static gm_always_inline void gm_tlb_count_hit(struct gm_iotlb *t, uint64_t slot)
{
	gm_tlb_count(&gm_tlb_counters_of(t, slot)->hits, slot);
}

/* A mapping as gm_iotlb_set_mapping() is given it, or its error; sets it. */
int gm_tlb_item_init(struct gm_tlb_item *item, gm_iova_t iova, gm_size_t len,
		     gm_gpa_t target, enum gm_perm perm);
void gm_tlb_set(struct gm_iotlb *t, const struct gm_tlb_item *item);

/* Of [addr, addr + len), which does not wrap, how many bytes fail as the first. */
uint64_t gm_tlb_fail_len(struct gm_iotlb *t, uint64_t addr, uint64_t len);

/*
 * The mapping that has @addr, or a block of it that has @len bytes from there
 * on. Counts. Returns 0, -ENOENT or -EACCES, without gm_error.
 */
int gm_tlb_lookup(struct gm_iotlb *t, uint64_t addr, uint64_t len,
		  enum gm_perm perm, struct gm_tlb_item *out);

/* Would gm_tlb_lookup() of one byte return 0? Does not count. */
bool gm_tlb_has(struct gm_iotlb *t, uint64_t addr, enum gm_perm perm);

#endif /* GM_IOTLB_PRIVATE_H */
