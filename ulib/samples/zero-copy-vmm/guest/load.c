/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * load.c - many requests of one kind, to measure the device.
 */
#include "guest.h"

static uint64_t buffer_of(const struct dev *d, uint64_t i)
{
	/* In the last region; there is room for some. */
	const struct boot_region *r = &d->info->regions[d->info->region_count - 1];
	uint64_t room = r->len / d->info->size;

	return r->base + i % room * d->info->size;
}

static bool begin_next(struct dev *d, uint32_t type, uint64_t i)
{
	struct piece piece = { buffer_of(d, i), (uint32_t)d->info->size };
	uint64_t places = d->sectors * 512 / d->info->size;
	uint64_t sector = i * 7919 % places * (d->info->size / 512);

	return blk_begin(d, type, sector, &piece, 1, true) >= 0;
}

void run_load(struct dev *d, uint32_t type)
{
	uint64_t begun = 0, done = 0, repeat = d->info->repeat;
	bool good = true;
	uint32_t id, len;

	while (good && done < repeat) {
		uint16_t since = d->next_avail;

		while (good && begun < repeat && begun - done < d->info->depth)
			good = begin_next(d, type, begun++);
		if (d->next_avail != since)
			queue_kick(d, since);
		if (!good || !queue_wait(d, &id, &len))
			break;
		/* For who waits until the disk is at work. */
		if (!done)
			result(*status_of((uint16_t)id) == S_OK, "the first request is done");
		do {
			good &= *status_of((uint16_t)id) == S_OK;
			blk_end(d, (uint16_t)id);
			done++;
		} while (queue_poll(d, &id, &len));
	}
	result(good && done == repeat, "all requests are done");
}
