/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hostile_queue.c - queues that can't be, and registers written in a wrong order.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "guest.h"

#define HOLE	0xc0000000ull

/* The device refuses such a queue: it needs a reset, and reads none of it. */
static bool refused(struct dev *d, const struct queue_setup *q)
{
	dev_start(d, q);
	return dev_needs_reset(d) && !reg_read(d, VIRTIO_MMIO_QUEUE_READY);
}

static bool with_num(struct dev *d, uint32_t num)
{
	struct queue_setup q = usual_queue;

	q.num = num;
	return refused(d, &q);
}

static bool num_0(struct dev *d)
{
	return with_num(d, 0);
}

static bool num_3(struct dev *d)
{
	return with_num(d, 3);
}

static bool num_large(struct dev *d)
{
	return with_num(d, 512) && with_num(d, 32768) && with_num(d, 65535) &&
	       with_num(d, 65536) && with_num(d, 0x80000000u) && with_num(d, UINT32_MAX);
}

static bool each_part(struct dev *d, uint64_t at, uint64_t add)
{
	struct queue_setup desc = usual_queue, avail_part = usual_queue, used_part = usual_queue;

	desc.desc = at ? at : desc.desc + add;
	avail_part.avail = at ? at : avail_part.avail + add;
	used_part.used = at ? at : used_part.used + add;
	return refused(d, &desc) && refused(d, &avail_part) && refused(d, &used_part);
}

static bool unaligned(struct dev *d)
{
	return each_part(d, 0, 1);
}

static bool outside(struct dev *d)
{
	const struct boot_region *high = &d->info->regions[d->info->region_count - 1];

	return each_part(d, HOLE, 0) && each_part(d, UINT64_MAX & ~15ull, 0) &&
	       each_part(d, d->base, 0) && each_part(d, high->base + high->len - 32, 0) &&
	       each_part(d, 1ull << 63, 0);
}

static bool used_in_hole(struct dev *d)
{
	struct queue_setup q = usual_queue;

	q.used = HOLE;
	return refused(d, &q);
}

/* A part must be one piece in the host, and this one is in two regions. */
static bool across(struct dev *d)
{
	return each_part(d, d->info->regions[1].base - 64, 0);
}

static bool parts_overlap(struct dev *d)
{
	struct queue_setup q = usual_queue;

	q.avail = q.desc + 16;
	if (!refused(d, &q))
		return false;
	q = usual_queue;
	q.used = q.avail;
	if (!refused(d, &q))
		return false;
	q = usual_queue;
	q.used = q.avail + 4;
	return refused(d, &q);
}

/* Nothing of this has a meaning; a reset makes it good. */
static bool wrong_order(struct dev *d)
{
	unsigned int i;

	reg_write(d, VIRTIO_MMIO_STATUS, 0);
	reg_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
	queue_kick_always(d);
	if (reg_read(d, VIRTIO_MMIO_QUEUE_READY))
		return false;
	reg_write(d, VIRTIO_MMIO_STATUS, 0xff);
	if (reg_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK)
		return false;
	for (i = 0; i < 0x200; i += 4)
		reg_write(d, i, 0xffffffffu);
	for (i = 0; i < 0x200; i++)
		*(volatile uint8_t *)ptr(d->base + i);
	for (i = 0; i < 0x200; i += 2)
		*(volatile uint64_t *)ptr(d->base + i) = i;
	return true;
}

/* A reset while requests are on their way, again and again. */
static bool reset_busy(struct dev *d)
{
	unsigned int i, j;

	for (i = 0; i < 50; i++) {
		struct piece p = { DATA, 1u << 20 };

		for (j = 0; j < 16; j++)
			if (blk_begin(d, j & 1 ? REQ_IN : REQ_OUT, 0, &p, 1, true) < 0)
				return false;
		queue_kick_always(d);
		if (i & 1)
			reg_write(d, VIRTIO_MMIO_QUEUE_READY, 0);
		if (!dev_start(d, &usual_queue))
			return false;
		/* What comes after a reset is not of before. */
		if (used()->idx)
			return false;
	}
	return true;
}

const struct hostile hostile_queue[] = {
	{ "num-0", num_0 },
	{ "num-3", num_3 },
	{ "num-large", num_large },
	{ "queue-unaligned", unaligned },
	{ "queue-outside", outside },
	{ "queue-across", across },
	{ "used-in-hole", used_in_hole },
	{ "parts-overlap", parts_overlap },
	{ "wrong-order", wrong_order },
	{ "reset-busy", reset_busy },
	{ NULL, NULL },
};
