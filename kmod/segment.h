/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges and segments: arithmetic alone, so that it can be tested anywhere.
 */
#ifndef GUESTMEM_SEGMENT_H
#define GUESTMEM_SEGMENT_H

#include <linux/types.h>
#include <linux/guestmem.h>

/**
 * struct guestmem_segs - the segments of a map, ascending by offset, no gaps
 * @seg: the segments; room for @max
 * @max: how many fit
 * @count: how many there are
 * @start: offset in the region where the first one starts
 * @end: offset in the region where the last one ends
 */
struct guestmem_segs {
	struct guestmem_segment *seg;
	u32 max;
	u32 count;
	u64 start;
	u64 end;
};

int guestmem_range_check(u64 offset, u64 length, u64 start, u64 end);
int guestmem_range_check_pages(u64 offset, u64 length, u64 page_size);

void guestmem_segs_init(struct guestmem_segs *segs,
			struct guestmem_segment *seg, u32 max, u64 start);
int guestmem_segs_add(struct guestmem_segs *segs, u64 address, u64 length);
u32 guestmem_segs_find(const struct guestmem_segs *segs, u64 offset);
struct guestmem_segment guestmem_segs_tail(const struct guestmem_segs *segs,
					   u32 i, u64 offset);

#endif /* GUESTMEM_SEGMENT_H */
