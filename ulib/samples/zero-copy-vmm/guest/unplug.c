/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * unplug.c - memory that goes while the disk moves data to and from it.
 */
#include "guest.h"

#define FLIGHT	64u
#define SLOT	0x10000u
#define LEN	(4u << 20)	/* it takes a while to move that so often */

/* Memory of the region that goes, in both directions. */
static bool begin_all(struct dev *d, uint64_t base)
{
	uint16_t since = d->next_avail;
	unsigned int i;

	for (i = 0; i < FLIGHT; i++) {
		struct piece p = { base + i * SLOT, LEN };

		/* What is written is not what is read. */
		if (blk_begin(d, i % 2 ? REQ_OUT : REQ_IN, i % 2 * 16384 + i * (SLOT / 1024),
			      &p, 1, true) < 0)
			return false;
	}
	queue_kick(d, since);
	return true;
}

/* Each comes back once: done while its memory was there, or an error. */
static bool end_some(struct dev *d, unsigned int count, unsigned int *done)
{
	unsigned int i;
	uint32_t id, len;

	for (i = 0; i < count; i++) {
		if (!queue_wait(d, &id, &len) || id >= QUEUE_MAX ||
		    *status_of((uint16_t)id) > S_IOERR)
			return false;
		*done += *status_of((uint16_t)id) == S_OK;
		blk_end(d, (uint16_t)id);
	}
	return true;
}

void run_unplug(struct dev *d)
{
	const uint64_t base = d->info->regions[d->info->region_count - 1].base;
	const struct piece half[] = { { DATA, 4096 }, { base, 4096 } };
	unsigned int done = 0;
	uint32_t b = d->block;
	bool begun;

	fill(base, SLOT, 1);
	result(differs(base, SLOT, 1) == SLOT, "the memory is there");
	/*
	 * With the first one that is back, the others are the disk's. To print takes longer
	 * than it needs for them.
	 */
	begun = begin_all(d, base) && end_some(d, 1, &done);
	__asm__ volatile("outb %0, %1" : : "a"((uint8_t)0), "Nd"((uint16_t)PORT_UNPLUG)
			 : "memory");
	result(begun, "requests are under way");
	result(*(volatile uint64_t *)ptr(base) == UINT64_MAX, "the memory is gone");
	result(end_some(d, FLIGHT - 1, &done), "each request has come back");
	print("done before ");
	print_number(done);
	print("\n");
	fill(DATA, 4096, 2);
	result(blk_rw(d, REQ_IN, 0, base, b) == S_IOERR &&
	       blk_rw(d, REQ_OUT, 0, base, b) == S_IOERR &&
	       blk_do(d, REQ_IN, 0, half, 2, false) == S_IOERR &&
	       differs(DATA, 4096, 2) == 4096, "the disk does not reach it any more");
	result(blk_rw(d, REQ_OUT, 8, DATA, 4096) == S_OK &&
	       blk_rw(d, REQ_IN, 8, DATA + 0x10000, 4096) == S_OK &&
	       differs(DATA + 0x10000, 4096, 2) == 4096, "and has all the rest");
	/* It was not set up anew. */
	result(!dev_needs_reset(d) && dev_start(d, &usual_queue) &&
	       blk_rw(d, REQ_IN, 8, DATA, b) == S_OK, "it is as ever after a reset");
}
