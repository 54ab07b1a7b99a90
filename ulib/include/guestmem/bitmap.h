/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bitmap.h - which pages were written: the dirty bitmap.
 *
 * One bit a page, in 64-bit words. A page already marked costs a test and no
 * locked operation. That is safe against a concurrent gm_bitmap_take(): it
 * clears first, then runs a barrier on every thread of the process (Linux's
 * membarrier), and only then returns, so a writer that saw the old bit has its
 * data in place before the taker looks. Where that barrier does not exist, the
 * bitmap marks with a locked operation each time. A program that puts itself
 * behind a seccomp filter must leave it membarrier(), or set the filter up
 * before its first bitmap is made.
 *
 * Two levels of summary bits say which words have bits at all, so that taking
 * costs what was marked, and not what the guest has. Only a mark that finds its
 * bit clear looks at them.
 *
 * No bitmap at all (a NULL pointer) costs one test.
 */
#ifndef GUESTMEM_BITMAP_H
#define GUESTMEM_BITMAP_H

#include <guestmem/compiler.h>

GM_BEGIN_DECLS

struct gm_bitmap;
struct gm_dirty_group;

/**
 * struct gm_bitmap_ops - a caller's own dirty tracker
 * @mark: bytes [off, off + len) were written; len is not 0 and the sum does not
 *	overflow: byte 2^64 - 1 is told as the one before it. Any number of threads
 *	call it at once. It must ignore what is out of its range.
 * @test: was the page with byte @off marked? False when out of range.
 * @release: the last reference is gone; may be NULL
 */
struct gm_bitmap_ops {
	void (*mark)(struct gm_bitmap *bm, uint64_t off, uint64_t len);
	bool (*test)(const struct gm_bitmap *bm, uint64_t off);
	void (*release)(struct gm_bitmap *bm);
};

GM_STATIC_ASSERT(sizeof(struct gm_bitmap_ops) == 24, "ABI");

/* flags of struct gm_bitmap */
#define GM_BITMAP_RDONLY 1u	/* not a tracker: says that writes are refused */
#define GM_BITMAP_HEAP 2u	/* the library's own, from gm_bitmap_new() */

/**
 * struct gm_bitmap - dirty tracker of one range of bytes
 * @hot: the words, where inline code may mark them; NULL sends it to a call
 * @pages: bits
 * @shift: log2 of the page size
 * @flags: GM_BITMAP_*
 * @words: the words, NULL with a caller's own @ops
 * @bytes: bytes tracked
 * @ops: how to mark and test
 * @ctx: for a caller's own @ops
 * @refs: references; see gm_bitmap_get()
 * @reserved32: zero
 * @sum: a bit for each of @words that may have bits
 * @top: a bit for each word of @sum that may have bits
 * @group: the consumers that share what is marked; see dirty.h
 * @reserved: zero
 *
 * Inline functions know this layout: it is ABI. All fields are the library's.
 */
struct gm_bitmap {
	uint64_t *hot;
	uint64_t pages;
	uint32_t shift;
	uint32_t flags;
	uint64_t *words;
	uint64_t bytes;
	const struct gm_bitmap_ops *ops;
	void *ctx;
	uint32_t refs;
	uint32_t reserved32;
	uint64_t *sum;
	uint64_t *top;
	struct gm_dirty_group *group;
	uint64_t reserved[4];
};

GM_STATIC_ASSERT(sizeof(struct gm_bitmap) == 120, "ABI");

/* Read-only memory carries a bitmap that says so, so that a write to memory
 * without a bitmap pays for one test only.
 */
GM_CORE bool gm_bitmap_refuses_write(const struct gm_bitmap *bm)
{
	return bm && (bm->flags & GM_BITMAP_RDONLY);
}

/**
 * gm_bitmap_new() - a clear bitmap
 * @bytes: bytes to track; 0 makes an empty one
 * @page_size: bytes a bit; a power of two, or 0 for the system's page size
 * @out: the bitmap, with one reference
 *
 * @bytes is rounded up to whole pages.
 *
 * Return: 0; -EINVAL (GM_ERR_SIZE) @page_size is no power of two; -ENOMEM
 * (GM_ERR_MEMORY).
 */
GM_API int gm_bitmap_new(uint64_t bytes, uint64_t page_size,
			 struct gm_bitmap **out);

/**
 * gm_bitmap_init_ops() - make a caller's own tracker usable as a bitmap
 * @bm: caller's storage, which lives until @ops->release, or for ever
 * @ops: its functions; mark and test are filled
 * @bytes: bytes tracked
 * @ctx: for the caller, in @bm->ctx
 *
 * It starts with one reference.
 */
GM_API void gm_bitmap_init_ops(struct gm_bitmap *bm,
			       const struct gm_bitmap_ops *ops, uint64_t bytes,
			       void *ctx);

/**
 * gm_bitmap_get() - take one more reference
 * @bm: the bitmap; NULL is allowed
 *
 * Return: @bm.
 */
GM_API struct gm_bitmap *gm_bitmap_get(struct gm_bitmap *bm);

/**
 * gm_bitmap_put() - drop a reference; the last one frees
 * @bm: the bitmap; NULL is allowed
 */
GM_API void gm_bitmap_put(struct gm_bitmap *bm);

/**
 * gm_bitmap_clone() - a copy with the bits of this moment
 * @bm: a bitmap of gm_bitmap_new()
 * @out: the copy, with one reference
 *
 * Marks that come at the same time are in the copy or not.
 *
 * Return: 0; -EOPNOTSUPP (GM_ERR_OPTION) a caller's own tracker; -ENOMEM
 * (GM_ERR_MEMORY).
 */
GM_API int gm_bitmap_clone(const struct gm_bitmap *bm, struct gm_bitmap **out);

/**
 * gm_bitmap_enlarge() - track more bytes at the end
 * @bm: a bitmap of gm_bitmap_new(), which no other thread uses meanwhile
 * @additional: bytes
 *
 * Old bits stay, new ones are clear. Its consumers (dirty.h) get the same length.
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -EOPNOTSUPP (GM_ERR_OPTION) a
 * caller's own tracker; -ENOMEM (GM_ERR_MEMORY). After an error all is as before.
 */
GM_API int gm_bitmap_enlarge(struct gm_bitmap *bm, uint64_t additional);

/**
 * gm_bitmap_mark_slow() - what gm_bitmap_mark() does not do inline
 * @bm: the bitmap
 * @off: first byte
 * @len: bytes
 */
GM_API void gm_bitmap_mark_slow(struct gm_bitmap *bm, uint64_t off,
				uint64_t len);

/*
 * Are all of these bytes, @len not 0, in one page that is marked? What is less
 * simple may be marked too: the answer is no. @hot is bm->hot, for callers that
 * had to look at it before.
 */
GM_CORE bool gm_bitmap_is_marked(const struct gm_bitmap *bm,
				 const uint64_t *hot, uint64_t off,
				 uint64_t len)
{
	uint64_t page = off >> bm->shift;
	uint64_t word;

	/*
	 * Where the sum wraps, the top bits differ, as shift is less than 64;
	 * but for a length near 2^64, which may end in the same page again.
	 */
	if (gm_unlikely(!hot || page >= bm->pages ||
			((off ^ (off + (len - 1))) | (len - 1)) >> bm->shift))
		return false;
	word = __atomic_load_n((const volatile uint64_t *)&hot[page >> 6],
			       __ATOMIC_RELAXED);
	return word >> (page & 63) & 1;
}

/**
 * gm_bitmap_mark() - bytes were written
 * @bm: the bitmap; NULL: nothing to do
 * @off: first byte
 * @len: bytes; 0 marks nothing
 *
 * What is out of range is ignored; a range that overflows ends at 2^64 - 1.
 * Call it after the write. Any number of threads may, also during
 * gm_bitmap_take().
 */
GM_INLINE void gm_bitmap_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	if (!bm || !len)
		return;
	/* The caller's writes, which may be plain ones, come before the test. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (gm_unlikely(!gm_bitmap_is_marked(bm, bm->hot, off, len)))
		gm_bitmap_mark_slow(bm, off, len);
}

/**
 * gm_bitmap_test() - is the page with byte @off marked?
 * @bm: the bitmap; NULL: false
 * @off: the byte; out of range: false
 */
GM_API bool gm_bitmap_test(const struct gm_bitmap *bm, uint64_t off);

/**
 * gm_bitmap_test_page() - is page number @page marked?
 * @bm: a bitmap of gm_bitmap_new(); NULL or a caller's own tracker: false
 * @page: number of the page; out of range: false
 */
GM_API bool gm_bitmap_test_page(const struct gm_bitmap *bm, uint64_t page);

/**
 * gm_bitmap_set_page() - mark page number @page
 * @bm: a bitmap of gm_bitmap_new()
 * @page: number of the page; out of range: ignored
 */
GM_API void gm_bitmap_set_page(struct gm_bitmap *bm, uint64_t page);

/**
 * gm_bitmap_clear_page() - clear page number @page
 * @bm: a bitmap of gm_bitmap_new()
 * @page: number of the page; out of range: ignored
 */
GM_API void gm_bitmap_clear_page(struct gm_bitmap *bm, uint64_t page);

/**
 * gm_bitmap_clear() - clear the pages that bytes [off, off + len) touch
 * @bm: a bitmap of gm_bitmap_new()
 * @off: first byte
 * @len: bytes; 0 clears nothing; a range that overflows ends at 2^64 - 1
 */
GM_API void gm_bitmap_clear(struct gm_bitmap *bm, uint64_t off, uint64_t len);

/**
 * gm_bitmap_reset() - clear all pages
 * @bm: a bitmap of gm_bitmap_new()
 *
 * Like gm_bitmap_take() with the result thrown away. Consumers (dirty.h) keep what
 * they have got so far.
 */
GM_API void gm_bitmap_reset(struct gm_bitmap *bm);

/**
 * gm_bitmap_take() - get all bits and clear them
 * @bm: a bitmap of gm_bitmap_new()
 * @words: bit n of word m is page m * 64 + n
 * @nwords: room at @words
 *
 * Marks may come at the same time: each is in this result or stays set for the
 * next, and the data that it stands for is visible to the caller when the call
 * returns. A page that several threads mark at once may stay for the next until
 * all of them have returned: who wants the last take to be the whole, as at the
 * end of a migration, stops all of them first. Several takers may run at once;
 * each mark goes to one of them, or stays.
 *
 * Return: words written, which is the number of pages / 64 rounded up;
 * -EMSGSIZE (GM_ERR_ARRAY_SMALL, expected says how many) with nothing cleared;
 * -EBUSY (GM_ERR_HELD) it has consumers (dirty.h); -EOPNOTSUPP (GM_ERR_OPTION)
 * a caller's own tracker.
 */
GM_API int64_t gm_bitmap_take(struct gm_bitmap *bm, uint64_t *words,
			      uint64_t nwords);

/**
 * struct gm_page_run - pages in a row
 * @first: number of the first page
 * @count: how many
 */
struct gm_page_run {
	uint64_t first;
	uint64_t count;
};

GM_STATIC_ASSERT(sizeof(struct gm_page_run) == 16, "ABI");

/**
 * gm_bitmap_take_runs() - get marked pages as runs, and clear them
 * @bm: a bitmap of gm_bitmap_new()
 * @span: pages to look at; comes back as what is left of it. What is past the
 *	bitmap's end is ignored.
 * @runs: what was taken, in order, none touching the next
 * @max: room at @runs, not 0
 *
 * Takes what fits, and nothing else is cleared. To get all::
 *
 *	struct gm_page_run span = { 0, gm_bitmap_pages(bm) };
 *
 *	while ((n = gm_bitmap_take_runs(bm, &span, runs, 64)) > 0)
 *		...
 *
 * A run may go on in the next call's first. The cost is that of the pages that
 * were marked; a clean bitmap costs a load for each 262,144 pages. What
 * gm_bitmap_take() says of marks and takers at the same time holds here.
 *
 * Return: runs; 0 when the rest of @span has none; -EMSGSIZE
 * (GM_ERR_ARRAY_SMALL) @max is 0; -EBUSY (GM_ERR_HELD) it has consumers
 * (dirty.h); -EOPNOTSUPP (GM_ERR_OPTION) a caller's own tracker.
 */
GM_API int64_t gm_bitmap_take_runs(struct gm_bitmap *bm,
				   struct gm_page_run *span,
				   struct gm_page_run *runs, size_t max);

/**
 * gm_bitmap_count() - how many pages are marked
 * @bm: the bitmap; NULL or a caller's own tracker: 0
 *
 * Takes nothing. Marks that come at the same time count or do not.
 */
GM_API uint64_t gm_bitmap_count(const struct gm_bitmap *bm);

/**
 * gm_bitmap_pages() - length in pages (bits)
 * @bm: the bitmap; NULL: 0
 */
GM_API uint64_t gm_bitmap_pages(const struct gm_bitmap *bm);

/**
 * gm_bitmap_bytes() - bytes tracked
 * @bm: the bitmap; NULL: 0
 */
GM_API uint64_t gm_bitmap_bytes(const struct gm_bitmap *bm);

/**
 * gm_bitmap_page_size() - bytes a bit
 * @bm: the bitmap; NULL: 0
 */
GM_API uint64_t gm_bitmap_page_size(const struct gm_bitmap *bm);

/**
 * struct gm_bitmap_slice - a bitmap seen from an offset
 * @bm: the bitmap, NULL for none
 * @off: byte of @bm that is byte 0 here
 *
 * A value. It borrows @bm; whoever wants it to live longer uses gm_bitmap_get()
 * and, in the end, gm_bitmap_put() on @bm.
 */
struct gm_bitmap_slice {
	struct gm_bitmap *bm;
	uint64_t off;
};

/**
 * gm_bitmap_slice_at() - a bitmap from an offset on
 * @bm: the bitmap, may be NULL
 * @off: byte that becomes byte 0
 */
GM_INLINE struct gm_bitmap_slice gm_bitmap_slice_at(struct gm_bitmap *bm,
						    uint64_t off)
{
	struct gm_bitmap_slice s = { bm, off };

	return s;
}

/**
 * gm_bitmap_slice_sub() - a slice of a slice
 * @s: the slice
 * @off: byte of @s that becomes byte 0
 *
 * An offset that overflows gives a slice that marks nothing.
 */
GM_INLINE struct gm_bitmap_slice gm_bitmap_slice_sub(struct gm_bitmap_slice s,
						     uint64_t off)
{
	if (__builtin_add_overflow(s.off, off, &s.off))
		s.bm = NULL;
	return s;
}

/**
 * gm_bitmap_slice_mark() - bytes of the slice were written
 * @s: the slice
 * @off: first byte, from the slice's start
 * @len: bytes
 */
GM_INLINE void gm_bitmap_slice_mark(struct gm_bitmap_slice s, uint64_t off,
				    uint64_t len)
{
	s = gm_bitmap_slice_sub(s, off);
	gm_bitmap_mark(s.bm, s.off, len);
}

/**
 * gm_bitmap_slice_test() - is the page with a byte of the slice marked?
 * @s: the slice
 * @off: the byte, from the slice's start
 */
GM_INLINE bool gm_bitmap_slice_test(struct gm_bitmap_slice s, uint64_t off)
{
	s = gm_bitmap_slice_sub(s, off);
	return gm_bitmap_test(s.bm, s.off);
}

GM_END_DECLS

#endif /* GUESTMEM_BITMAP_H */
