/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb_front.c - an IOTLB's hash of blocks, the first thing that a lookup asks.
 *
 * A block is as large as its mapping and its alignment let it be, in steps of
 * 16 from 4 KiB; so few blocks do for large mappings, and one for each page of
 * small ones. They are added when the tree had to be asked.
 */
#include "iotlb_private.h"

/* log2 of the buckets at least: few mappings can be many blocks. */
#define MIN_BITS 9

/* Blocks to look for one by one, when some are removed; for more all go. */
#define REMOVE_MAX 1024

bool gm_tlb_front_init(struct gm_tlb_front *f, uint64_t capacity)
{
	uint32_t bits = MIN_BITS;

	while (UINT64_C(1) << bits < capacity - capacity / 4)
		bits++;
	f->shift = 64 - bits;
	f->bytes = sizeof(struct gm_tlb_bucket) << bits;
	f->bucket = gm_os_alloc(f->bytes);
	/* Buckets are of era 0, so there is nothing in them. */
	f->era = 1;
	return f->bucket;
}

void gm_tlb_front_exit(struct gm_tlb_front *f)
{
	gm_os_free(f->bucket, f->bytes);
}

static void bucket_begin(struct gm_tlb_bucket *b)
{
	/* Seen by who sees one of the stores that follow: all of them release. */
	__atomic_store_n(&b->seq, b->seq + 1, __ATOMIC_RELAXED);
}

static void bucket_end(struct gm_tlb_bucket *b)
{
	gm_shared_store(&b->seq, b->seq + 1);
}

/* The largest block with @addr in it that lies in the item; false: none. */
static bool class_of(const struct gm_tlb_item *item, uint64_t addr,
		     uint32_t *class)
{
	uint32_t c;

	for (c = GM_TLB_CLASSES; c--;) {
		uint64_t mask = (UINT64_C(1) << gm_tlb_class_shift(c)) - 1;

		if ((addr & ~mask) >= item->start &&
		    (addr | mask) <= item->last) {
			*class = c;
			return true;
		}
	}
	return false;
}

void gm_tlb_front_add(struct gm_tlb_front *f, const struct gm_tlb_item *item,
		      uint64_t addr)
{
	uint64_t block, tag;
	struct gm_tlb_bucket *b;
	uint32_t c, i, way;

	if (!class_of(item, addr, &c))
		return;
	block = addr >> gm_tlb_class_shift(c);
	tag = block << gm_tlb_class_shift(c) | gm_tlb_tag_class(c) |
	      GM_TLB_TAG_VALID | (uint64_t)item->perm;
	b = gm_tlb_bucket_of(f, block + c);
	bucket_begin(b);
	if (b->era != f->era) {
		for (i = 0; i < GM_TLB_WAYS; i++)
			gm_shared_store(&b->tag[i], 0);
		gm_shared_store(&b->era, f->era);
	}
	way = b->victim % GM_TLB_WAYS;
	for (i = GM_TLB_WAYS; i--;)
		if (!b->tag[i] || b->tag[i] == tag)
			way = i;
	b->victim++;
	gm_shared_store(&b->delta[way], item->delta);
	gm_shared_store(&b->tag[way], tag);
	bucket_end(b);
	gm_shared_store(&f->classes, f->classes | UINT32_C(1) << c);
}

static void remove_block(struct gm_tlb_front *f, uint64_t block, uint32_t c)
{
	struct gm_tlb_bucket *b = gm_tlb_bucket_of(f, block + c);
	uint64_t tag = block << gm_tlb_class_shift(c) | gm_tlb_tag_class(c) |
		       GM_TLB_TAG_VALID;
	uint32_t i;

	if (b->era != f->era)
		return;
	for (i = 0; i < GM_TLB_WAYS; i++) {
		if ((b->tag[i] & ~(uint64_t)GM_TLB_TAG_PERM) != tag)
			continue;
		bucket_begin(b);
		gm_shared_store(&b->tag[i], 0);
		bucket_end(b);
	}
}

void gm_tlb_front_remove(struct gm_tlb_front *f, uint64_t start, uint64_t last)
{
	uint32_t left, c;
	uint64_t n = 0;

	for (left = f->classes; left; left &= left - 1) {
		uint32_t shift;

		c = (uint32_t)__builtin_ctz(left);
		shift = gm_tlb_class_shift(c);
		n += (last >> shift) - (start >> shift) + 1;
	}
	if (n > REMOVE_MAX) {
		gm_tlb_front_clear(f);
		return;
	}
	for (left = f->classes; left; left &= left - 1) {
		uint64_t block;

		c = (uint32_t)__builtin_ctz(left);
		block = start >> gm_tlb_class_shift(c);
		for (; block <= last >> gm_tlb_class_shift(c); block++)
			remove_block(f, block, c);
	}
}

void gm_tlb_front_clear(struct gm_tlb_front *f)
{
	gm_shared_store(&f->era, f->era + 1);
	gm_shared_store(&f->classes, 0);
}
