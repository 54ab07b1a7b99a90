/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tests_queue.c - many requests at once, chains cut in strange places, interrupts.
 */
#include <linux/virtio_mmio.h>

#include "guest.h"

#define FLIGHT	128u	/* requests in flight */
#define SLOT	0x4000u	/* bytes of guest memory for each */

static uint64_t slot_of(const struct dev *d, unsigned int i)
{
	const struct boot_region *high = &d->info->regions[d->info->region_count - 1];

	return high->base + i * SLOT;
}

/* Request i is i % 16 + 1 blocks, at a place of its own. */
static uint32_t len_of(const struct dev *d, unsigned int i)
{
	return (i % (SLOT / d->block > 16 ? 16 : SLOT / d->block) + 1) * d->block;
}

static uint64_t sector_of(unsigned int i)
{
	return 256 + i * (SLOT / 512);
}

/* Begin all, then wait for all. @reordered counts who came before an older one. */
static bool fly(struct dev *d, uint32_t type, bool indirect, unsigned int count,
		unsigned int *reordered)
{
	static int request_of[QUEUE_MAX];
	uint16_t since = d->next_avail;
	unsigned int i, newest = 0;
	uint32_t id, len;

	for (i = 0; i < count; i++) {
		struct piece p = { slot_of(d, i), len_of(d, i) };
		int head = blk_begin(d, type, sector_of(i), &p, 1, indirect);

		if (head < 0)
			return false;
		request_of[head] = (int)i;
	}
	queue_kick(d, since);
	for (i = 0; i < count; i++) {
		unsigned int request;

		if (!queue_wait(d, &id, &len) || id >= QUEUE_MAX || request_of[id] < 0 ||
		    *status_of((uint16_t)id) != S_OK)
			return false;
		request = (unsigned int)request_of[id];
		/* Each comes back once. */
		request_of[id] = -1;
		if (request < newest)
			(*reordered)++;
		else
			newest = request;
		blk_end(d, (uint16_t)id);
	}
	return true;
}

static bool check_flight(struct dev *d, bool indirect, unsigned int count, uint64_t seed,
			 unsigned int *reordered)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < count; i++)
		fill(slot_of(d, i), len_of(d, i), seed + i);
	if (!fly(d, REQ_OUT, indirect, count, reordered))
		return false;
	for (i = 0; i < count; i++)
		memset(ptr(slot_of(d, i)), (int)i, SLOT);
	if (!fly(d, REQ_IN, indirect, count, reordered))
		return false;
	for (i = 0; i < count; i++) {
		uint32_t len = len_of(d, i);

		ok &= differs(slot_of(d, i), len, seed + i) == len;
		/* What is behind stays. */
		ok &= len == SLOT || *((uint8_t *)ptr(slot_of(d, i)) + len) == (uint8_t)i;
	}
	return ok;
}

static void test_flight(struct dev *d)
{
	unsigned int reordered = 0;

	result(check_flight(d, true, FLIGHT, 5000, &reordered), "128 requests in flight");
	result(check_flight(d, false, QUEUE_MAX / 3, 6000, &reordered),
	       "a queue that is full of chains");
	print("reordered ");
	print_number(reordered);
	print("\n");
}

/* The index wraps: more requests than it has values are too many; than entries, not. */
static void test_wrap(struct dev *d)
{
	unsigned int reordered = 0, i;
	bool ok = true;

	for (i = 0; i < 20 && ok; i++)
		ok = check_flight(d, true, 37, 7000 + i * 100, &reordered);
	result(ok, "rings that go round");
}

/* Header, data and status in descriptors that know nothing of them. */
static void test_cuts(struct dev *d)
{
	uint32_t b = d->block, id, len;
	uint64_t at = DATA + 0x3000;
	struct desc *c = descs();
	bool ok;

	/* out: 5 bytes of header; the rest of it with the data. in: status alone. */
	fill(at, b, 8000);
	memcpy(ptr(DATA), &(struct header){ REQ_OUT, 0, 32 }, 16);
	memcpy(ptr(DATA + 0x1000), ptr(DATA + 5), 11);
	memcpy(ptr(DATA + 0x1000 + 11), ptr(at), b);
	if (!dev_start(d, &usual_queue)) {
		result(false, "a restart");
		return;
	}
	c[0] = (struct desc){ DATA, 5, DESC_NEXT, 1 };
	c[1] = (struct desc){ DATA + 0x1000, b + 11, DESC_NEXT, 2 };
	c[2] = (struct desc){ STATUSES, 1, DESC_WRITE, 0 };
	*status_of(0) = S_NONE;
	queue_offer(d, 0);
	queue_kick_always(d);
	ok = queue_wait(d, &id, &len) && !id && len == 1 && *status_of(0) == S_OK;
	/* in: data and the status byte in one, behind it a guard. */
	*header_of(0) = (struct header){ REQ_IN, 0, 32 };
	memset(ptr(at), 0x5a, b + 2);
	c[0] = (struct desc){ HEADERS, 16, DESC_NEXT, 1 };
	c[1] = (struct desc){ at, b + 1, DESC_WRITE, 0 };
	queue_offer(d, 0);
	queue_kick_always(d);
	ok &= queue_wait(d, &id, &len) && len == b + 1 && differs(at, b, 8000) == b &&
	      !*(uint8_t *)ptr(at + b) && *(uint8_t *)ptr(at + b + 1) == 0x5a;
	result(ok, "chains cut anywhere");
	result(dev_start(d, &usual_queue), "a restart");
}

static void test_interrupt(struct dev *d)
{
	uint16_t *used_event = &avail()->ring[d->num];
	bool ok;

	reg_write(d, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	*used_event = d->last_used;
	ok = !reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS);
	ok &= blk_rw(d, REQ_IN, 0, DATA, d->block) == S_OK;
	/* The thread raises it right after the entry. */
	while (ok && !reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS))
		;
	ok &= reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS) == VIRTIO_MMIO_INT_VRING;
	reg_write(d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	ok &= !reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS);
	/* Not asked for: none comes. */
	*used_event = (uint16_t)(d->last_used - 100);
	ok &= blk_rw(d, REQ_IN, 0, DATA, d->block) == S_OK;
	ok &= blk_rw(d, REQ_IN, 0, DATA, d->block) == S_OK;
	ok &= !reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS);
	result(ok, "interrupts when they are asked for");
}

void run_queue_tests(struct dev *d)
{
	test_flight(d);
	test_wrap(d);
	test_cuts(d);
	test_interrupt(d);
}
