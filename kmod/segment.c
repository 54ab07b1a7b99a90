/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges and segments: arithmetic alone, so that it can be tested anywhere.
 */
#include <linux/errno.h>
#include <linux/overflow.h>

#include "segment.h"

/**
 * guestmem_range_check() - is a range inside another?
 * @offset: where the range starts
 * @length: how long it is
 * @start: where the other starts
 * @end: where it ends
 *
 * Return: 0; -EINVAL for an empty range; -EOVERFLOW if it wraps; -ERANGE if it
 * is not inside.
 */
int guestmem_range_check(u64 offset, u64 length, u64 start, u64 end)
{
	u64 last;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(offset, length - 1, &last))
		return -EOVERFLOW;
	if (offset < start || last >= end)
		return -ERANGE;
	return 0;
}

/**
 * guestmem_range_check_pages() - is a range made of whole pages?
 * @offset: where the range starts
 * @length: how long it is
 * @page_size: a power of two
 *
 * Return: 0; -EINVAL if it is empty or not aligned; -EOVERFLOW if it wraps.
 */
int guestmem_range_check_pages(u64 offset, u64 length, u64 page_size)
{
	u64 end;

	if (!length || ((offset | length) & (page_size - 1)))
		return -EINVAL;
	if (check_add_overflow(offset, length, &end))
		return -EOVERFLOW;
	return 0;
}

/**
 * guestmem_segs_init() - no segments yet
 * @segs: them
 * @seg: array for them
 * @max: room in @seg
 * @start: offset in the region where the first one will start
 */
void guestmem_segs_init(struct guestmem_segs *segs,
			struct guestmem_segment *seg, u32 max, u64 start)
{
	segs->seg = seg;
	segs->max = max;
	segs->count = 0;
	segs->start = start;
	segs->end = start;
}

/**
 * guestmem_segs_add() - what comes next in the region is at this address
 * @segs: the segments so far
 * @address: where the device finds it
 * @length: how long it is
 *
 * It becomes part of the last segment if it is adjacent there, too.
 *
 * Return: 0; -EINVAL if empty; -EOVERFLOW if it wraps; -ENOSPC if there is no
 * room.
 */
int guestmem_segs_add(struct guestmem_segs *segs, u64 address, u64 length)
{
	struct guestmem_segment *last;
	u64 offset = segs->end;
	u64 end, last_byte;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(offset, length, &end) ||
	    check_add_overflow(address, length - 1, &last_byte))
		return -EOVERFLOW;

	last = segs->count ? &segs->seg[segs->count - 1] : NULL;
	/* The end of a segment may be the end of the address space: compare
	 * from the other side, where nothing wraps.
	 */
	if (last && address && address - 1 == last->address + (last->length - 1)) {
		last->length += length;
	} else {
		if (segs->count == segs->max)
			return -ENOSPC;
		segs->seg[segs->count++] = (struct guestmem_segment) {
			.offset = offset,
			.address = address,
			.length = length,
		};
	}
	segs->end = end;
	return 0;
}

/**
 * guestmem_segs_find() - the segment that holds an offset
 * @segs: the segments, at least one
 * @offset: offset in the region, within them
 *
 * Return: its index.
 */
u32 guestmem_segs_find(const struct guestmem_segs *segs, u64 offset)
{
	u32 low = 0, high = segs->count;

	/* seg[low] starts at or below it, seg[high] above. */
	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (segs->seg[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/**
 * guestmem_segs_tail() - a segment from an offset on
 * @segs: the segments
 * @i: index of the segment
 * @offset: what is below is cut off; before the end of the segment
 *
 * Return: the rest of the segment.
 */
struct guestmem_segment guestmem_segs_tail(const struct guestmem_segs *segs,
					   u32 i, u64 offset)
{
	struct guestmem_segment seg = segs->seg[i];
	u64 skip = offset > seg.offset ? offset - seg.offset : 0;

	seg.offset += skip;
	seg.address += skip;
	seg.length -= skip;
	return seg;
}
