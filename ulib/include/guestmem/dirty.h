/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dirty.h - several who want to know what was written: consumers of one bitmap.
 *
 * A live migration, a snapshot and a display each need all pages that were
 * written since they last asked, at times of their own. Writers mark one bitmap
 * and pay for one. Each consumer has a bitmap of what it has not asked for yet;
 * whoever asks first moves what was marked to all of them, which costs the pages
 * that were marked, and then takes its own.
 *
 * All functions may run at once, in any thread, while others mark. Who asks
 * waits for others that ask for the same bitmap; who marks waits for nobody.
 * A consumer is its process's: a forked child must not use it, nor free it.
 */
#ifndef GUESTMEM_DIRTY_H
#define GUESTMEM_DIRTY_H

#include <guestmem/bitmap.h>

GM_BEGIN_DECLS

struct gm_dirty_consumer;

/**
 * gm_dirty_consumer_new() - one more who wants to know
 * @bm: a bitmap of gm_bitmap_new(); the consumer takes a reference
 * @out: the consumer, for gm_dirty_consumer_free()
 *
 * It gets all that is marked from now on, and what was marked before and nobody
 * has taken yet. From now on gm_bitmap_take() and gm_bitmap_take_runs() of @bm
 * are -EBUSY, until the last consumer is freed; one that is under way in another
 * thread may still get marks of that moment, which the consumer does not have then:
 * let it end before. gm_bitmap_clear() and its like clear, for all, what no
 * consumer has got so far.
 *
 * Return: 0; -EOPNOTSUPP (GM_ERR_OPTION) a caller's own tracker; -ENOMEM
 * (GM_ERR_MEMORY).
 */
GM_API int gm_dirty_consumer_new(struct gm_bitmap *bm,
				 struct gm_dirty_consumer **out);

/**
 * gm_dirty_consumer_free() - who does not want to know any more
 * @c: the consumer, which no other thread uses; NULL is allowed
 *
 * What it had not asked for is forgotten; the others keep what is theirs.
 */
GM_API void gm_dirty_consumer_free(struct gm_dirty_consumer *c);

/**
 * gm_dirty_consumer_take_runs() - get this consumer's pages, and clear them
 * @c: the consumer
 * @span: as for gm_bitmap_take_runs()
 * @runs: as for gm_bitmap_take_runs()
 * @max: as for gm_bitmap_take_runs()
 *
 * As gm_bitmap_take_runs(), whatever the other consumers took.
 *
 * Return: runs; 0 when the rest of @span has none; -EMSGSIZE
 * (GM_ERR_ARRAY_SMALL) @max is 0.
 */
GM_API int64_t gm_dirty_consumer_take_runs(struct gm_dirty_consumer *c,
					   struct gm_page_run *span,
					   struct gm_page_run *runs,
					   size_t max);

/**
 * gm_dirty_consumer_mark() - mark bytes for this consumer alone
 * @c: the consumer
 * @off: first byte
 * @len: bytes; 0 marks nothing
 *
 * For all of memory, when a migration begins, and for what it took and could not
 * send. What is out of range is ignored; a range that overflows ends at 2^64 - 1.
 */
GM_API void gm_dirty_consumer_mark(struct gm_dirty_consumer *c, uint64_t off,
				   uint64_t len);

/**
 * gm_dirty_consumer_count() - how many pages are there for this consumer
 * @c: the consumer
 *
 * Takes nothing. Marks that come at the same time count or do not.
 */
GM_API uint64_t gm_dirty_consumer_count(struct gm_dirty_consumer *c);

/**
 * gm_dirty_consumer_page_size() - bytes that a page of its runs has
 * @c: the consumer
 */
GM_API uint64_t gm_dirty_consumer_page_size(const struct gm_dirty_consumer *c);

GM_END_DECLS

#endif /* GUESTMEM_DIRTY_H */
