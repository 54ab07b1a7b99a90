/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * batch.c - marks that are put together before they go to a bitmap.
 */
#include <errno.h>

#include "bitmap_private.h"

/* A mark of more pages is no small thing, and goes to the target at once. */
#define MAX_PAGES 128

/* Groups to look at for one more mark; a group that comes twice is no harm. */
#define LOOK_AT 4

static struct gm_batch *batch_of(const struct gm_bitmap *bm)
{
	return bm->ctx;
}

static unsigned int lowest(uint64_t pages)
{
	return (unsigned int)__builtin_ctzll(pages);
}

static void mark_run(const struct gm_batch *b, uint64_t first, uint64_t n)
{
	/* It is 0 only where it is all of 2^64 bytes. */
	n <<= b->shift;
	gm_bitmap_mark(b->target, first << b->shift, n ? n : UINT64_MAX);
}

/* Each run of pages of a group. */
static void hand_on(const struct gm_batch *b, uint64_t group, uint64_t pages)
{
	uint64_t first, mask;

	for (; pages; pages &= ~mask) {
		first = lowest(pages);
		mask = pages ^ (pages & (pages + (UINT64_C(1) << first)));
		mark_run(b, group * 64 + first,
			 (unsigned int)__builtin_popcountll(mask));
	}
}

void gm_batch_flush(struct gm_batch *b)
{
	uint32_t i;

	for (i = 0; i < b->count; i++) {
		uint64_t pages = b->pages[i];

		/* One page, as often, needs no search for runs. */
		if (pages & (pages - 1))
			hand_on(b, b->group[i], pages);
		else
			mark_run(b, b->group[i] * 64 + lowest(pages), 1);
	}
	b->count = 0;
}

static void add(struct gm_batch *b, uint64_t group, uint64_t pages)
{
	uint32_t i, least = b->count > LOOK_AT ? b->count - LOOK_AT : 0;

	/* What a queue writes is what it has just written, or is new. */
	for (i = b->count; i-- > least;) {
		if (b->group[i] == group) {
			b->pages[i] |= pages;
			return;
		}
	}
	if (b->count == GM_BATCH_GROUPS)
		gm_batch_flush(b);
	b->group[b->count] = group;
	b->pages[b->count] = pages;
	b->count++;
}

static void batch_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	struct gm_batch *b = batch_of(bm);
	uint64_t first = off >> b->shift;
	uint64_t last = (off + (len - 1)) >> b->shift, g;

	if (last - first >= MAX_PAGES) {
		gm_bitmap_mark(b->target, off, len);
		return;
	}
	for (g = first >> 6; g <= last >> 6; g++)
		add(b, g, gm_bitmap_mask(g, first, last));
}

static bool batch_test(const struct gm_bitmap *bm, uint64_t off)
{
	const struct gm_batch *b = batch_of(bm);
	uint64_t page = off >> b->shift;
	uint32_t i;

	if (off >= bm->bytes)
		return false;
	for (i = 0; i < b->count; i++)
		if (b->group[i] == page >> 6 && (b->pages[i] >> (page & 63) & 1))
			return true;
	return gm_bitmap_test(b->target, off);
}

static const struct gm_bitmap_ops batch_ops = {
	.mark = batch_mark,
	.test = batch_test,
};

int gm_batch_init(struct gm_batch *b, struct gm_bitmap *target,
		  uint64_t page_size)
{
	uint64_t least = gm_bitmap_page_size(target);

	if (!page_size)
		page_size = least;
	if (!gm_is_power_of_two(page_size) || page_size < least)
		return gm_error_set(-EINVAL, GM_ERR_SIZE, page_size, 0);
	gm_bitmap_init_ops(&b->bitmap, &batch_ops, gm_bitmap_bytes(target), b);
	b->target = target;
	b->shift = (uint32_t)__builtin_ctzll(page_size);
	b->count = 0;
	return 0;
}
