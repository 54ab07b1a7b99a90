/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb_front.c - an IOTLB's hash of blocks, the first thing that a lookup asks.
 *
 * A block is as large as its mapping and its alignment let it be, in steps of
 * 4 from 4 KiB; so few blocks do for large mappings, and one for each page of
 * small ones. They are added when the tree had to be asked.
 */
#include "iotlb_private.h"

/* log2 of the buckets at least: few mappings can be many blocks. */
#define MIN_BITS 9

/* Blocks to look for one by one, when some are removed; for more all go. */
#define REMOVE_MAX 1024

static uint64_t tag_of(const struct gm_tlb_front *f, uint64_t addr, uint32_t c)
{
	return gm_tlb_tag(addr, gm_tlb_class_bits(c), f->era);
}

static void set_era(struct gm_tlb_front *f, uint64_t era, bool quick)
{
	gm_shared_store(&f->era, era);
	gm_shared_store(&f->quick_era, quick ? era : GM_TLB_NO_ERA);
}

bool gm_tlb_front_init(struct gm_tlb_front *f, uint64_t capacity)
{
	uint32_t bits = MIN_BITS;

	while (UINT64_C(1) << bits < capacity - capacity / 4)
		bits++;
	f->bytes = sizeof(struct gm_tlb_bucket) << bits;
	/* The uppermost bits of a hash, as a multiple of a line. */
	f->shift = 64 - bits - (uint32_t)__builtin_ctz(GM_CACHE_LINE);
	f->buckets = gm_os_alloc(f->bytes);
	set_era(f, GM_TLB_ERA_ONE, true);
	return f->buckets;
}

void gm_tlb_front_exit(struct gm_tlb_front *f)
{
	gm_os_free(f->buckets, f->bytes);
}

static struct gm_tlb_bucket *bucket_at(const struct gm_tlb_front *f,
				       uint64_t off)
{
	return (struct gm_tlb_bucket *)(f->buckets + off);
}

/* What has no room goes next door: to the line that CPUs fetch with this one. */
static struct gm_tlb_bucket *next_door(const struct gm_tlb_front *f,
				       const struct gm_tlb_bucket *b)
{
	uint64_t off = (uint64_t)((const uint8_t *)b - f->buckets);

	return bucket_at(f, off ^ sizeof(*b));
}

/*
 * A reader that sees the count from before and one of the stores behind it sees
 * in the end that the count has moved: stores release, loads acquire. One that
 * sees the count from after sees that the tag is gone, or the new one; and who
 * sees that, its delta.
 */
static void put(struct gm_tlb_bucket *b, uint32_t way, uint64_t tag,
		uint64_t delta)
{
	gm_shared_store(&b->tag[way], 0);
	gm_shared_store(&b->seq, b->seq + 1);
	gm_shared_store(&b->delta[way], delta);
	gm_shared_store(&b->tag[way], tag);
}

/* The largest block with @addr in it that lies in the item; false: none. */
static bool class_of(const struct gm_tlb_item *item, uint64_t addr,
		     uint32_t *class)
{
	uint32_t c;

	if (item->delta & GM_TLB_LOW)
		return false;
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

bool gm_tlb_front_takes(const struct gm_tlb_item *item, uint64_t addr)
{
	uint32_t c;

	return class_of(item, addr, &c);
}

/* A way that is free, or has the tag already; GM_TLB_WAYS: none. */
static uint32_t find_way(const struct gm_tlb_front *f,
			 const struct gm_tlb_bucket *b, uint64_t tag)
{
	uint32_t i, way = GM_TLB_WAYS;

	for (i = 0; i < GM_TLB_WAYS; i++) {
		if (b->tag[i] == tag)
			return i;
		if (!b->tag[i] || (b->tag[i] & GM_TLB_ERA_LAST) != f->era)
			way = i;
	}
	return way;
}

void gm_tlb_front_add(struct gm_tlb_front *f, const struct gm_tlb_item *item,
		      uint64_t addr)
{
	struct gm_tlb_bucket *b, *door;
	uint32_t c, way;
	uint64_t tag;

	if (!class_of(item, addr, &c))
		return;
	tag = tag_of(f, addr, c);
	b = gm_tlb_bucket_of(f, tag);
	way = find_way(f, b, tag);
	if (way == GM_TLB_WAYS) {
		door = next_door(f, b);
		way = find_way(f, door, tag);
		if (way < GM_TLB_WAYS)
			b = door;
		else
			way = b->victim++ % GM_TLB_WAYS;
	}
	put(b, way, tag, item->delta | (uint64_t)item->perm);
	gm_shared_store(&f->classes, f->classes | UINT32_C(1) << c);
}

static void remove_tag(struct gm_tlb_bucket *b, uint64_t tag)
{
	uint32_t i;

	for (i = 0; i < GM_TLB_WAYS; i++)
		if (b->tag[i] == tag)
			put(b, i, 0, 0);
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
		struct gm_tlb_bucket *b;
		uint64_t block, tag;

		c = (uint32_t)__builtin_ctz(left);
		block = start >> gm_tlb_class_shift(c);
		for (; block <= last >> gm_tlb_class_shift(c); block++) {
			tag = tag_of(f, block << gm_tlb_class_shift(c), c);
			b = gm_tlb_bucket_of(f, tag);
			remove_tag(b, tag);
			remove_tag(next_door(f, b), tag);
		}
	}
}

/* An era comes again: nothing may be left of it. */
static void wipe(struct gm_tlb_front *f)
{
	uint64_t off;
	uint32_t i;

	for (off = 0; off < f->bytes; off += sizeof(struct gm_tlb_bucket)) {
		struct gm_tlb_bucket *b = bucket_at(f, off);

		for (i = 0; i < GM_TLB_WAYS; i++)
			if (b->tag[i])
				put(b, i, 0, 0);
	}
}

void gm_tlb_front_clear(struct gm_tlb_front *f)
{
	uint64_t era = f->era;

	if (era == GM_TLB_ERA_LAST) {
		wipe(f);
		era = 0;
	}
	set_era(f, era + GM_TLB_ERA_ONE, f->quick_era != GM_TLB_NO_ERA);
	gm_shared_store(&f->classes, 0);
}

void gm_tlb_front_set_quick(struct gm_tlb_front *f, bool on)
{
	set_era(f, f->era, on);
}

bool gm_tlb_front_find(const struct gm_tlb_front *f, uint64_t addr,
		       struct gm_tlb_block *out)
{
	uint64_t era = gm_shared_load(&f->era), found, tag;
	uint32_t left = gm_shared_load(&f->classes), c;
	const struct gm_tlb_bucket *b;

	/* Large ones first: they are few lines, which are at hand. */
	for (; left; left &= ~(UINT32_C(1) << c)) {
		c = 31 - (uint32_t)__builtin_clz(left);
		tag = gm_tlb_tag(addr, gm_tlb_class_bits(c), era);
		b = gm_tlb_bucket_of(f, tag);
		found = gm_tlb_bucket_find(b, tag);
		if (!found)
			found = gm_tlb_bucket_find(next_door(f, b), tag);
		if (!found)
			continue;
		out->delta = found & ~GM_TLB_PERM;
		out->perm = (enum gm_perm)(found & GM_TLB_PERM);
		out->class = c;
		return true;
	}
	return false;
}
