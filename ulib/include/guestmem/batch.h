/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * batch.h - marks of one queue, put together before they go to a bitmap.
 *
 * A device that writes many small things (used rings, descriptors, headers) marks
 * the same few pages again and again. Where each mark is a locked operation, as
 * in a log that another process reads (vhost_log.h), that costs more than the
 * write. A batch keeps them for its queue and hands them on at once: when it is
 * full, and when the device says so, which is before it tells the guest that a
 * request is done.
 */
#ifndef GUESTMEM_BATCH_H
#define GUESTMEM_BATCH_H

#include <guestmem/bitmap.h>

GM_BEGIN_DECLS

/* Groups of 64 pages that a batch has room for. */
#define GM_BATCH_GROUPS 32

/**
 * struct gm_batch - marks that are not in their bitmap yet
 * @bitmap: where to mark, with gm_bitmap_mark() and all that takes a bitmap, such
 *	as a slice
 * @target: where marks go
 * @shift: log2 of the page size
 * @count: groups in use
 * @group: their numbers: page number / 64
 * @pages: a bit for each marked page of the group
 *
 * One thread's own, in the caller's storage. All fields but @bitmap are the
 * library's.
 */
struct gm_batch {
	struct gm_bitmap bitmap;
	struct gm_bitmap *target;
	uint32_t shift;
	uint32_t count;
	uint64_t group[GM_BATCH_GROUPS];
	uint64_t pages[GM_BATCH_GROUPS];
};

GM_STATIC_ASSERT(sizeof(struct gm_batch) == 120 + 16 + 2 * 8 * GM_BATCH_GROUPS,
		 "ABI");

/**
 * gm_batch_init() - an empty batch
 * @b: caller's storage
 * @target: where marks go; borrowed, so it outlives @b
 * @page_size: bytes that a mark stands for: a power of two, no smaller than the
 *	page of @target; 0: the page of @target, which is of gm_bitmap_new() then
 *
 * There is no exit: the last gm_batch_flush() is all that @b needs.
 *
 * Return: 0; -EINVAL (GM_ERR_SIZE) @page_size.
 */
GM_API int gm_batch_init(struct gm_batch *b, struct gm_bitmap *target,
			 uint64_t page_size);

/**
 * gm_batch_flush() - hand all marks on
 * @b: the batch
 *
 * Afterwards it is empty. To be called after the writes and before anybody is
 * told of them; and before the device counts as stopped.
 */
GM_API void gm_batch_flush(struct gm_batch *b);

GM_END_DECLS

#endif /* GUESTMEM_BATCH_H */
