/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bitmap_take.c - what was marked: taken, cleared, counted, copied.
 *
 * All goes down the summaries, from the top: see bitmap.c for why nothing is
 * missed. A taker that can't use what it took puts it back like a marker.
 */
#include <errno.h>
#include <string.h>

#include "bitmap_private.h"

/* Words that a word of the summary stands for, and their pages. */
#define SUM_PAGES UINT64_C(4096)

/* The lowest run of ones in @bits, which are not 0. */
static uint64_t lowest_run(uint64_t bits, unsigned int *start)
{
	unsigned int n;

	*start = (unsigned int)__builtin_ctzll(bits);
	bits >>= *start;
	n = bits == UINT64_MAX ? 64 : (unsigned int)__builtin_ctzll(~bits);
	return n;
}

static uint64_t run_mask(unsigned int start, uint64_t n)
{
	return (UINT64_MAX >> (64 - n)) << start;
}

uint64_t gm_runs_add(void *ctx, uint64_t word, uint64_t bits)
{
	struct gm_runs *r = ctx;
	unsigned int start;

	while (bits) {
		struct gm_page_run *prev = r->n ? &r->runs[r->n - 1] : NULL;
		uint64_t n = lowest_run(bits, &start);
		uint64_t first = word * 64 + start;

		if (prev && prev->first + prev->count == first) {
			prev->count += n;
		} else {
			if (r->n == r->max)
				break;
			r->runs[r->n++] = (struct gm_page_run){ first, n };
		}
		bits &= ~run_mask(start, n);
	}
	return bits;
}

/* One sink's way through one bitmap. */
struct walk {
	struct gm_bitmap *bm;
	uint64_t first;		/* pages to look at; the last is one */
	uint64_t last;
	gm_bitmap_sink *sink;
	void *ctx;
	bool peek;		/* look, take nothing */
	bool any;
	uint64_t stopped;	/* page that the sink had no room for */
};

static uint64_t lowest_bit(uint64_t bits)
{
	return (unsigned int)__builtin_ctzll(bits);
}

/* The pages of one word. False: the sink is full. */
static bool walk_word(struct walk *k, uint64_t word)
{
	uint64_t mask = gm_bitmap_mask(word, k->first, k->last);
	uint64_t *w = &k->bm->words[word];
	uint64_t bits, rest;

	/* A clean word costs a look, not a locked operation. */
	bits = __atomic_load_n(w, __ATOMIC_SEQ_CST) & mask;
	if (bits && !k->peek)
		bits = mask & (mask == UINT64_MAX ?
			__atomic_exchange_n(w, 0, __ATOMIC_SEQ_CST) :
			__atomic_fetch_and(w, ~mask, __ATOMIC_SEQ_CST));
	if (!bits)
		return true;
	rest = k->sink(k->ctx, word, bits);
	k->any |= rest != bits;
	if (!rest)
		return true;
	gm_bitmap_mark_bits(k->bm, word, rest);
	k->stopped = word * 64 + lowest_bit(rest);
	return false;
}

/*
 * Which words of a summary word may have bits. It is cleared if all of them will
 * be taken; else it stays, and costs others a look.
 */
static uint64_t open_sum(const struct walk *k, uint64_t s)
{
	uint64_t *sum = &k->bm->sum[s];

	if (k->peek || k->first > s * SUM_PAGES ||
	    k->last - s * SUM_PAGES < SUM_PAGES - 1)
		return __atomic_load_n(sum, __ATOMIC_SEQ_CST) &
		       gm_bitmap_mask(s, k->first >> 6, k->last >> 6);
	__atomic_fetch_and(&k->bm->top[s >> 6], ~(UINT64_C(1) << (s & 63)),
			   __ATOMIC_SEQ_CST);
	return __atomic_exchange_n(sum, 0, __ATOMIC_SEQ_CST);
}

/* The pages of one word of the summary. False: the sink is full. */
static bool walk_sum(struct walk *k, uint64_t s)
{
	uint64_t sum;

	for (sum = open_sum(k, s); sum; sum &= sum - 1) {
		if (!walk_word(k, s * 64 + lowest_bit(sum))) {
			/* The words behind it are still to be looked at. */
			gm_bitmap_summarize(k->bm, s, sum);
			return false;
		}
	}
	return true;
}

/* Return: the page to go on at; one past the last at the end. */
static uint64_t walk(struct walk *k)
{
	uint64_t end = k->last + 1;
	uint64_t t, top;

	/* What is behind the bitmap's end is clear: its last word is whole. */
	if (k->last == k->bm->pages - 1)
		k->last |= SUM_PAGES - 1;
	for (t = k->first >> 18; t <= k->last >> 18; t++) {
		top = __atomic_load_n(&k->bm->top[t], __ATOMIC_SEQ_CST) &
		      gm_bitmap_mask(t, k->first >> 12, k->last >> 12);
		for (; top; top &= top - 1)
			if (!walk_sum(k, t * 64 + lowest_bit(top)))
				return k->stopped;
	}
	return end;
}

bool gm_bitmap_drain(struct gm_bitmap *bm, struct gm_page_run *span,
		     gm_bitmap_sink *sink, void *ctx)
{
	struct walk k = { .bm = bm, .first = span->first, .sink = sink,
			  .ctx = ctx };
	uint64_t next;

	if (span->first >= bm->pages || !span->count) {
		span->count = 0;
		return false;
	}
	span->count = gm_min(span->count, bm->pages - span->first);
	k.last = span->first + (span->count - 1);
	next = walk(&k);
	span->count -= next - span->first;
	span->first = next;
	return k.any;
}

/* Look at all marked pages; the sink takes all. */
static void look(const struct gm_bitmap *bm, gm_bitmap_sink *sink, void *ctx)
{
	struct walk k = {
		.bm = (struct gm_bitmap *)(uintptr_t)bm,
		.last = bm->pages - 1,
		.sink = sink,
		.ctx = ctx,
		.peek = true,
	};

	if (bm->pages)
		walk(&k);
}

static int refuse_take(const struct gm_bitmap *bm)
{
	if (gm_dirty_group_in_use(__atomic_load_n(&bm->group,
						  __ATOMIC_ACQUIRE)))
		return gm_error_set_name(-EBUSY, GM_ERR_HELD, 0, bm->bytes,
					 "dirty consumers");
	return gm_bitmap_refuse_foreign(bm);
}

static uint64_t put_word(void *ctx, uint64_t word, uint64_t bits)
{
	((uint64_t *)ctx)[word] = bits;
	return 0;
}

int64_t gm_bitmap_take(struct gm_bitmap *bm, uint64_t *words, uint64_t nwords)
{
	struct gm_page_run span = { 0, bm->pages };
	uint64_t n = gm_bitmap_words(bm->pages);
	int ret;

	ret = refuse_take(bm);
	if (ret)
		return ret;
	if (nwords < n)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_ARRAY_SMALL, 0, 0,
					   n, nwords);
	if (n)
		memset(words, 0, n * sizeof(words[0]));
	if (gm_bitmap_drain(bm, &span, put_word, words))
		gm_bitmap_settle(bm);
	return (int64_t)n;
}

int64_t gm_bitmap_take_runs(struct gm_bitmap *bm, struct gm_page_run *span,
			    struct gm_page_run *runs, size_t max)
{
	struct gm_runs r = { .runs = runs, .max = max };
	int ret;

	ret = refuse_take(bm);
	if (ret)
		return ret;
	if (!max)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_ARRAY_SMALL, 0, 0,
					   1, 0);
	if (gm_bitmap_drain(bm, span, gm_runs_add, &r))
		gm_bitmap_settle(bm);
	return (int64_t)r.n;
}

static uint64_t drop_word(void *ctx, uint64_t word, uint64_t bits)
{
	(void)ctx;
	(void)word;
	(void)bits;
	return 0;
}

static void clear_pages(struct gm_bitmap *bm, uint64_t first, uint64_t count)
{
	struct gm_page_run span = { first, count };

	if (gm_bitmap_drain(bm, &span, drop_word, NULL))
		gm_bitmap_settle(bm);
}

void gm_bitmap_clear_page(struct gm_bitmap *bm, uint64_t page)
{
	if (bm && bm->words)
		clear_pages(bm, page, 1);
}

void gm_bitmap_clear(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	uint64_t first, last;

	if (bm && bm->words &&
	    gm_bitmap_page_range(bm, off, len, &first, &last))
		clear_pages(bm, first, last - first + 1);
}

void gm_bitmap_reset(struct gm_bitmap *bm)
{
	if (bm && bm->words)
		clear_pages(bm, 0, bm->pages);
}

static uint64_t count_word(void *ctx, uint64_t word, uint64_t bits)
{
	(void)word;
	*(uint64_t *)ctx += (unsigned int)__builtin_popcountll(bits);
	return 0;
}

uint64_t gm_bitmap_count(const struct gm_bitmap *bm)
{
	uint64_t n = 0;

	if (bm && bm->words)
		look(bm, count_word, &n);
	return n;
}

static uint64_t copy_word(void *ctx, uint64_t word, uint64_t bits)
{
	gm_bitmap_mark_bits(ctx, word, bits);
	return 0;
}

int gm_bitmap_clone(const struct gm_bitmap *bm, struct gm_bitmap **out)
{
	struct gm_bitmap *copy;
	int ret;

	ret = gm_bitmap_refuse_foreign(bm);
	if (ret)
		return ret;
	ret = gm_bitmap_new(bm->bytes, gm_bitmap_page_size(bm), &copy);
	if (ret)
		return ret;
	look(bm, copy_word, copy);
	*out = copy;
	return 0;
}
