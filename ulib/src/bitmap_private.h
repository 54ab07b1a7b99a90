/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bitmap_private.h - what the files that know a bitmap's words share.
 *
 * Bit n of words[m] is page m * 64 + n. Bit n of sum[m] says that
 * words[m * 64 + n] may have bits; bit n of top[m] says it of sum[m * 64 + n].
 */
#ifndef GM_BITMAP_PRIVATE_H
#define GM_BITMAP_PRIVATE_H

#include "internal.h"

static inline uint64_t gm_bitmap_words(uint64_t pages)
{
	return pages / 64 + (pages % 64 != 0);
}

static inline uint64_t gm_bitmap_load(const uint64_t *w)
{
	return __atomic_load_n((const volatile uint64_t *)w, __ATOMIC_RELAXED);
}

/* Bits of word @word that bits [first, last] have. */
static inline uint64_t gm_bitmap_mask(uint64_t word, uint64_t first,
				      uint64_t last)
{
	uint64_t mask = UINT64_MAX;

	if (word == first >> 6)
		mask &= UINT64_MAX << (first & 63);
	if (word == last >> 6)
		mask &= UINT64_MAX >> (63 - (last & 63));
	return mask;
}

/* Pages that bytes [off, off + len) touch, cut to the bitmap. False: none. */
bool gm_bitmap_page_range(const struct gm_bitmap *bm, uint64_t off,
			  uint64_t len, uint64_t *first, uint64_t *last);

/* What only the library's own bitmaps can do. */
int gm_bitmap_refuse_foreign(const struct gm_bitmap *bm);

/* Those words that @bits of sum[@s] stand for may have bits: after their marks. */
void gm_bitmap_summarize(struct gm_bitmap *bm, uint64_t s, uint64_t bits);

/* Mark pages of one word, which are all in the bitmap. */
void gm_bitmap_mark_bits(struct gm_bitmap *bm, uint64_t word, uint64_t bits);

/*
 * What becomes of pages that were taken: @bits, not 0, of @word. What it returns
 * of them is put back, and the taking ends.
 */
typedef uint64_t gm_bitmap_sink(void *ctx, uint64_t word, uint64_t bits);

/*
 * Take the marked pages of @span, in order. @span becomes what is left of it;
 * true: there were some. The caller sees to the barrier (gm_bitmap_settle()).
 */
bool gm_bitmap_drain(struct gm_bitmap *bm, struct gm_page_run *span,
		     gm_bitmap_sink *sink, void *ctx);

/* After a drain that had pages: what their markers wrote is visible. */
static inline void gm_bitmap_settle(const struct gm_bitmap *bm)
{
	if (bm->hot)
		gm_os_barrier_all_threads();
}

/* --- dirty.c: consumers of a bitmap; NULL is a group of none --- */

bool gm_dirty_group_in_use(const struct gm_dirty_group *g);
int gm_dirty_group_enlarge(struct gm_dirty_group *g, uint64_t bytes);
void gm_dirty_group_free(struct gm_dirty_group *g);

/* Runs that are being collected: the sink is gm_runs_add(). */
struct gm_runs {
	struct gm_page_run *runs;
	size_t max;
	size_t n;
};

uint64_t gm_runs_add(void *ctx, uint64_t word, uint64_t bits);

#endif /* GM_BITMAP_PRIVATE_H */
