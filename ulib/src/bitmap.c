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
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

static void own_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len);
static bool own_test(const struct gm_bitmap *bm, uint64_t off);
static void own_release(struct gm_bitmap *bm);

static const struct gm_bitmap_ops own_ops = {
	.mark = own_mark,
	.test = own_test,
	.release = own_release,
};

static uint64_t words_of(uint64_t pages)
{
	return pages / 64 + (pages % 64 != 0);
}

static uint64_t pages_of(uint64_t bytes, uint32_t shift)
{
	return (bytes >> shift) +
	       ((bytes & ((UINT64_C(1) << shift) - 1)) != 0);
}

static uint64_t load_word(const uint64_t *w)
{
	return __atomic_load_n((const volatile uint64_t *)w, __ATOMIC_RELAXED);
}

/* Set the bits of @mask. Skips what is set, if that is safe. */
static void mark_word(struct gm_bitmap *bm, uint64_t word, uint64_t mask)
{
	uint64_t *w = &bm->words[word];

	if (bm->hot && (load_word(w) & mask) == mask)
		return;
	if (mask == UINT64_MAX && !bm->hot)
		__atomic_exchange_n(w, mask, __ATOMIC_SEQ_CST);
	else if (mask == UINT64_MAX)
		/* All ones can't undo another's mark: a store will do. */
		__atomic_store_n(w, mask, __ATOMIC_RELEASE);
	else
		__atomic_fetch_or(w, mask, __ATOMIC_SEQ_CST);
}

/* Pages that bytes [off, off + len) touch, cut to the bitmap. False: none. */
static bool page_range(const struct gm_bitmap *bm, uint64_t off, uint64_t len,
		       uint64_t *first, uint64_t *last)
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

/* Bits of word @word that pages [first, last] have. */
static uint64_t word_mask(uint64_t word, uint64_t first, uint64_t last)
{
	uint64_t mask = UINT64_MAX;

	if (word == first >> 6)
		mask &= UINT64_MAX << (first & 63);
	if (word == last >> 6)
		mask &= UINT64_MAX >> (63 - (last & 63));
	return mask;
}

static void own_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	uint64_t first, last, word;

	if (!page_range(bm, off, len, &first, &last))
		return;
	for (word = first >> 6; word <= last >> 6; word++)
		mark_word(bm, word, word_mask(word, first, last));
}

static bool own_test(const struct gm_bitmap *bm, uint64_t off)
{
	return gm_bitmap_test_page(bm, off >> bm->shift);
}

static void own_release(struct gm_bitmap *bm)
{
	free(bm->words);
	free(bm);
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
	bm->pages = pages_of(bytes, bm->shift);
	/* One word at least: an empty bitmap is one like the others. */
	bm->words = calloc(words_of(bm->pages) + 1, sizeof(uint64_t));
	if (!bm->words) {
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

/* What only the library's own bitmaps can do. */
static int refuse_foreign(const struct gm_bitmap *bm)
{
	if (bm->flags & GM_BITMAP_HEAP)
		return 0;
	return gm_option_error(-EOPNOTSUPP, struct gm_bitmap, ops);
}

int gm_bitmap_clone(const struct gm_bitmap *bm, struct gm_bitmap **out)
{
	struct gm_bitmap *copy;
	uint64_t i;
	int ret;

	ret = refuse_foreign(bm);
	if (ret)
		return ret;
	ret = gm_bitmap_new(bm->bytes, gm_bitmap_page_size(bm), &copy);
	if (ret)
		return ret;
	for (i = 0; i < words_of(bm->pages); i++)
		copy->words[i] = __atomic_load_n(&bm->words[i],
						 __ATOMIC_ACQUIRE);
	*out = copy;
	return 0;
}

int gm_bitmap_enlarge(struct gm_bitmap *bm, uint64_t additional)
{
	uint64_t bytes, pages, i, old, *words;
	int ret;

	ret = refuse_foreign(bm);
	if (ret)
		return ret;
	if (__builtin_add_overflow(bm->bytes, additional, &bytes))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, bm->bytes,
				    additional);
	pages = pages_of(bytes, bm->shift);
	old = words_of(bm->pages);
	words = calloc(words_of(pages) + 1, sizeof(uint64_t));
	if (!words)
		return gm_error_memory(words_of(pages) * 8);
	for (i = 0; i < old; i++)
		words[i] = bm->words[i];
	free(bm->words);
	bm->words = words;
	if (bm->hot)
		bm->hot = words;
	bm->bytes = bytes;
	bm->pages = pages;
	return 0;
}

void gm_bitmap_mark_slow(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	if (!bm || !len || (bm->flags & GM_BITMAP_RDONLY))
		return;
	/* A caller's own tracker is never shown a sum that overflows. Ours knows
	 * how to end at the last byte there is.
	 */
	if (len > UINT64_MAX - off && !(bm->flags & GM_BITMAP_HEAP))
		len = UINT64_MAX - off;
	if (len)
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
		mark_word(bm, page >> 6, UINT64_C(1) << (page & 63));
}

static void clear_word(struct gm_bitmap *bm, uint64_t word, uint64_t mask)
{
	uint64_t *w = &bm->words[word];

	if (load_word(w) & mask)
		__atomic_fetch_and(w, ~mask, __ATOMIC_SEQ_CST);
}

void gm_bitmap_clear_page(struct gm_bitmap *bm, uint64_t page)
{
	if (!bm || !bm->words || page >= bm->pages)
		return;
	clear_word(bm, page >> 6, UINT64_C(1) << (page & 63));
	if (bm->hot)
		gm_os_barrier_all_threads();
}

void gm_bitmap_clear(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	uint64_t first, last, word;

	if (!bm || !bm->words || !page_range(bm, off, len, &first, &last))
		return;
	for (word = first >> 6; word <= last >> 6; word++)
		clear_word(bm, word, word_mask(word, first, last));
	if (bm->hot)
		gm_os_barrier_all_threads();
}

void gm_bitmap_reset(struct gm_bitmap *bm)
{
	if (bm && bm->pages)
		gm_bitmap_clear(bm, 0, UINT64_MAX);
}

int64_t gm_bitmap_take(struct gm_bitmap *bm, uint64_t *words, uint64_t nwords)
{
	uint64_t i, n = words_of(bm->pages);
	uint64_t any = 0;
	int ret;

	ret = refuse_foreign(bm);
	if (ret)
		return ret;
	if (nwords < n)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_ARRAY_SMALL, 0, 0,
					   n, nwords);
	for (i = 0; i < n; i++) {
		/* A clean word costs a look, not a locked operation. */
		words[i] = load_word(&bm->words[i]);
		if (words[i])
			words[i] = __atomic_exchange_n(&bm->words[i], 0,
						       __ATOMIC_SEQ_CST);
		any |= words[i];
	}
	if (any && bm->hot)
		gm_os_barrier_all_threads();
	return (int64_t)n;
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
