/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bitmap.c - the dirty bitmap.
 *
 * Why a marker may skip the locked operation when the bit is set already: it
 * did "write data; see bit set". A taker does "clear bit; barrier on all
 * threads; read data". Either the marker saw the bit after the clearing - then
 * it was clear, and the marker sets it again. Or before - then the barrier,
 * which comes later still, made the marker's data visible to the taker. Without
 * that barrier the data could sit in a store buffer while the bit is taken.
 *
 * Why no bit is left without a summary: a marker sets the word's bit, then looks
 * at the summary; a taker clears the summary, then looks at the word, all in one
 * order (seq_cst). If the marker saw the summary set although a taker was at
 * work, it looked before the clearing; then its bit was there already when the
 * taker looked. The same holds a level higher. Summaries without bits below cost
 * a look, and are fine. Several takers: who got the summary's bit looks at the word
 * after that, and so has the mark, or another taker has.
 */
#include <errno.h>
#include <stdlib.h>

#include "bitmap_private.h"

static void own_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len);
static bool own_test(const struct gm_bitmap *bm, uint64_t off);
static void own_release(struct gm_bitmap *bm);

static const struct gm_bitmap_ops own_ops = {
	.mark = own_mark,
	.test = own_test,
	.release = own_release,
};

static uint64_t pages_of(uint64_t bytes, uint32_t shift)
{
	return (bytes >> shift) +
	       ((bytes & ((UINT64_C(1) << shift) - 1)) != 0);
}

/*
 * Set the bits of @mask. Skips what is set, if that is safe. True: something may
 * be new, and a summary without it.
 */
static bool mark_word(struct gm_bitmap *bm, uint64_t word, uint64_t mask)
{
	uint64_t *w = &bm->words[word];

	if (bm->hot && (gm_bitmap_load(w) & mask) == mask)
		return false;
	__atomic_fetch_or(w, mask, __ATOMIC_SEQ_CST);
	return true;
}

/* The same for all bits of words [first, end); a fence follows. */
static bool mark_whole_words(struct gm_bitmap *bm, uint64_t first, uint64_t end)
{
	uint64_t *w = &bm->words[first], *stop = &bm->words[end];
	bool any = false;

	if (!bm->hot) {
		for (; w < stop; w++)
			__atomic_exchange_n(w, UINT64_MAX, __ATOMIC_SEQ_CST);
		return true;
	}
	for (; w < stop; w++) {
		if (gm_bitmap_load(w) == UINT64_MAX)
			continue;
		/* All ones can't undo another's mark: a store will do. */
		__atomic_store_n(w, UINT64_MAX, __ATOMIC_RELEASE);
		any = true;
	}
	return any;
}

/* The loads are ordered after the words' marks: see the top. */
static void set_bits(uint64_t *w, uint64_t mask)
{
	if (~__atomic_load_n(w, __ATOMIC_SEQ_CST) & mask)
		__atomic_fetch_or(w, mask, __ATOMIC_SEQ_CST);
}

void gm_bitmap_summarize(struct gm_bitmap *bm, uint64_t s, uint64_t bits)
{
	set_bits(&bm->sum[s], bits);
	set_bits(&bm->top[s >> 6], UINT64_C(1) << (s & 63));
}

void gm_bitmap_mark_bits(struct gm_bitmap *bm, uint64_t word, uint64_t bits)
{
	if (bits && mark_word(bm, word, bits))
		gm_bitmap_summarize(bm, word >> 6, UINT64_C(1) << (word & 63));
}

bool gm_bitmap_page_range(const struct gm_bitmap *bm, uint64_t off,
			  uint64_t len, uint64_t *first, uint64_t *last)
{
	uint64_t end;

	if (!len)
		return false;
	if (__builtin_add_overflow(off, len - 1, &end))
		end = UINT64_MAX;
	*first = off >> bm->shift;
	*last = end >> bm->shift;
	if (*first >= bm->pages)
		return false;
	if (*last >= bm->pages)
		*last = bm->pages - 1;
	return true;
}

static void own_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	uint64_t first, last, from, to, s;
	bool any;

	if (!gm_bitmap_page_range(bm, off, len, &first, &last))
		return;
	from = first >> 6;
	to = last >> 6;
	any = mark_word(bm, from, gm_bitmap_mask(from, first, last));
	if (to > from)
		any |= mark_word(bm, to, gm_bitmap_mask(to, first, last));
	if (to > from + 1 && mark_whole_words(bm, from + 1, to)) {
		/*
		 * Words of ones were plain stores, which may still be on their way
		 * when the summary is looked at. If it is set (from before: a take
		 * of a part leaves it so), a taker that clears it now would find
		 * the old words, and nobody would look there again. With the
		 * fence, the stores come before that look. No test here catches
		 * its absence: the gap is of some ns, on x86 too.
		 */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		any = true;
	}
	for (s = from >> 6; any && s <= to >> 6; s++)
		gm_bitmap_summarize(bm, s, gm_bitmap_mask(s, from, to));
}

static bool own_test(const struct gm_bitmap *bm, uint64_t off)
{
	return gm_bitmap_test_page(bm, off >> bm->shift);
}

static void own_release(struct gm_bitmap *bm)
{
	gm_dirty_group_free(bm->group);
	free(bm->words);
	free(bm);
}

/*
 * Words and both summaries, in one piece, all clear. One word more than needed
 * each: an empty bitmap is one like the others.
 */
static bool alloc_words(struct gm_bitmap *bm, uint64_t pages)
{
	uint64_t words = gm_bitmap_words(pages);
	uint64_t sums = gm_bitmap_words(words);

	bm->words = calloc(words + sums + gm_bitmap_words(sums) + 3,
			   sizeof(uint64_t));
	if (!bm->words)
		return false;
	bm->sum = bm->words + words + 1;
	bm->top = bm->sum + sums + 1;
	bm->pages = pages;
	return true;
}

int gm_bitmap_new(uint64_t bytes, uint64_t page_size, struct gm_bitmap **out)
{
	struct gm_bitmap *bm;

	if (!page_size)
		page_size = gm_os_page_size();
	if (!gm_is_power_of_two(page_size))
		return gm_error_set(-EINVAL, GM_ERR_SIZE, page_size, 0);
	bm = calloc(1, sizeof(*bm));
	if (!bm)
		return gm_error_memory(sizeof(*bm));
	bm->ops = &own_ops;
	bm->refs = 1;
	bm->flags = GM_BITMAP_HEAP;
	bm->shift = (uint32_t)__builtin_ctzll(page_size);
	bm->bytes = bytes;
	if (!alloc_words(bm, pages_of(bytes, bm->shift))) {
		free(bm);
		return gm_error_memory(bytes / page_size / 8);
	}
	if (gm_os_barrier_register())
		bm->hot = bm->words;
	*out = bm;
	return 0;
}

void gm_bitmap_init_ops(struct gm_bitmap *bm, const struct gm_bitmap_ops *ops,
			uint64_t bytes, void *ctx)
{
	struct gm_bitmap init = {
		.ops = ops,
		.bytes = bytes,
		.ctx = ctx,
		.refs = 1,
	};

	*bm = init;
}

struct gm_bitmap *gm_bitmap_get(struct gm_bitmap *bm)
{
	if (bm)
		gm_ref_inc(&bm->refs);
	return bm;
}

void gm_bitmap_put(struct gm_bitmap *bm)
{
	if (bm && gm_ref_dec_is_last(&bm->refs) && bm->ops &&
	    bm->ops->release)
		bm->ops->release(bm);
}

int gm_bitmap_refuse_foreign(const struct gm_bitmap *bm)
{
	if (bm->flags & GM_BITMAP_HEAP)
		return 0;
	return gm_option_error(-EOPNOTSUPP, struct gm_bitmap, ops);
}

int gm_bitmap_enlarge(struct gm_bitmap *bm, uint64_t additional)
{
	uint64_t bytes, old, *words = bm->words;
	int ret;

	ret = gm_bitmap_refuse_foreign(bm);
	if (ret)
		return ret;
	if (__builtin_add_overflow(bm->bytes, additional, &bytes))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, bm->bytes,
				    additional);
	ret = gm_dirty_group_enlarge(bm->group, bytes);
	if (ret)
		return ret;
	old = gm_bitmap_words(bm->pages);
	if (!alloc_words(bm, pages_of(bytes, bm->shift))) {
		bm->words = words;
		return gm_error_memory(bytes >> bm->shift >> 3);
	}
	while (old--)
		gm_bitmap_mark_bits(bm, old, words[old]);
	free(words);
	if (bm->hot)
		bm->hot = bm->words;
	bm->bytes = bytes;
	return 0;
}

void gm_bitmap_mark_slow(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	if (!bm || !len || (bm->flags & GM_BITMAP_RDONLY))
		return;
	/*
	 * A caller's own tracker is never shown a sum that overflows: instead of the
	 * last byte there is, the one before it, which is in the same page. Ours
	 * knows how to end there.
	 */
	if (len > UINT64_MAX - off && !(bm->flags & GM_BITMAP_HEAP)) {
		off = gm_min(off, UINT64_MAX - 1);
		len = UINT64_MAX - off;
	}
	bm->ops->mark(bm, off, len);
}

bool gm_bitmap_test(const struct gm_bitmap *bm, uint64_t off)
{
	if (!bm || (bm->flags & GM_BITMAP_RDONLY))
		return false;
	return bm->ops->test(bm, off);
}

bool gm_bitmap_test_page(const struct gm_bitmap *bm, uint64_t page)
{
	if (!bm || !bm->words || page >= bm->pages)
		return false;
	return __atomic_load_n(&bm->words[page >> 6], __ATOMIC_ACQUIRE) >>
	       (page & 63) & 1;
}

void gm_bitmap_set_page(struct gm_bitmap *bm, uint64_t page)
{
	if (bm && bm->words && page < bm->pages)
		gm_bitmap_mark_bits(bm, page >> 6, UINT64_C(1) << (page & 63));
}

uint64_t gm_bitmap_pages(const struct gm_bitmap *bm)
{
	return bm ? bm->pages : 0;
}

uint64_t gm_bitmap_bytes(const struct gm_bitmap *bm)
{
	return bm ? bm->bytes : 0;
}

uint64_t gm_bitmap_page_size(const struct gm_bitmap *bm)
{
	return bm && bm->words ? UINT64_C(1) << bm->shift : 0;
}
