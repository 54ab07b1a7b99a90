/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hostile.c - requests as no driver should make them. Each must fail, and nothing
 * else: after a reset, the device does a request of a well-meaning driver.
 */
#include "guest.h"

#define HOLE	0xc0000000ull	/* no memory, no device */

/* What the request is answered with; a device that needs a reset is S_NONE. */
static int answer(struct dev *d)
{
	uint32_t id, len;

	*status_of(0) = S_NONE;
	queue_offer(d, 0);
	queue_kick_always(d);
	return queue_wait(d, &id, &len) ? *status_of(0) : S_NONE;
}

/* The status alone, or all of it, is not to be had: only a reset helps. */
static bool breaks(struct dev *d)
{
	return answer(d) == S_NONE && dev_needs_reset(d);
}

static bool fails(struct dev *d)
{
	return answer(d) == S_IOERR && !dev_needs_reset(d);
}

/* A request of one piece in descriptors 0 to 2, for cases to spoil. */
static struct desc *usual(struct dev *d, uint32_t type)
{
	struct piece p = { DATA, d->block };

	*header_of(0) = (struct header){ type, 0, 0 };
	blk_fill(descs(), 0, 0, type, &p, 1);
	return descs();
}

static bool outside_ram(struct dev *d)
{
	usual(d, REQ_IN)[1].addr = HOLE;
	if (!fails(d))
		return false;
	usual(d, REQ_OUT)[1].addr = HOLE;
	if (!fails(d))
		return false;
	/* Half of it is there. */
	usual(d, REQ_IN)[1].addr = d->info->regions[1].base + d->info->regions[1].len - 256;
	if (!fails(d))
		return false;
	usual(d, REQ_IN)[1].addr = d->base;
	return fails(d);
}

static bool wrap(struct dev *d)
{
	usual(d, REQ_IN)[1].addr = UINT64_MAX - 255;
	if (!fails(d))
		return false;
	usual(d, REQ_OUT)[1].addr = UINT64_MAX - d->block + 1;
	return fails(d);
}

static bool huge(struct dev *d)
{
	usual(d, REQ_IN)[1].len = UINT32_MAX;
	if (!fails(d))
		return false;
	usual(d, REQ_IN)[1].len = UINT32_MAX & ~511u;
	return fails(d);
}

static bool header_outside(struct dev *d)
{
	usual(d, REQ_IN)[0].addr = HOLE;
	return fails(d);
}

static bool status_outside(struct dev *d)
{
	usual(d, REQ_IN)[2].addr = HOLE;
	return breaks(d);
}

static bool status_wraps(struct dev *d)
{
	struct desc *c = usual(d, REQ_IN);

	c[2].addr = UINT64_MAX;
	c[2].len = 2;
	return breaks(d);
}

static bool no_status(struct dev *d)
{
	struct desc *c = usual(d, REQ_OUT);

	c[1].flags = 0;
	return breaks(d);
}

static bool loop(struct dev *d)
{
	struct desc *c = usual(d, REQ_OUT);

	c[1].next = 0;
	return breaks(d);
}

static bool self_loop(struct dev *d)
{
	struct desc *c = usual(d, REQ_IN);

	c[1].next = 1;
	return breaks(d);
}

static bool next_outside(struct dev *d)
{
	usual(d, REQ_IN)[1].next = QUEUE_MAX;
	return breaks(d);
}

static bool head_outside(struct dev *d)
{
	usual(d, REQ_IN);
	queue_offer(d, 0xffff);
	queue_kick_always(d);
	return breaks(d);
}

static bool order(struct dev *d)
{
	struct desc *c = usual(d, REQ_IN);

	/* The device writes, and reads then. */
	c[2].flags = DESC_NEXT | DESC_WRITE;
	c[2].next = 3;
	c[3] = (struct desc){ DATA, 16, 0, 0 };
	return breaks(d);
}

static bool avail_jumps(struct dev *d)
{
	usual(d, REQ_IN);
	d->next_avail += QUEUE_MAX + 1;
	return breaks(d);
}

/* One request in the indirect table of head 0, and the descriptor that names it. */
static struct desc *indirect(struct dev *d, uint32_t len)
{
	struct piece p = { DATA, d->block };

	*header_of(0) = (struct header){ REQ_IN, 0, 0 };
	blk_fill(ptr(table_of(0)), 0, 0, REQ_IN, &p, 1);
	descs()[0] = (struct desc){ table_of(0), len, DESC_INDIRECT, 0 };
	return ptr(table_of(0));
}

static bool indirect_loop(struct dev *d)
{
	indirect(d, 48)[1].next = 1;
	return breaks(d);
}

static bool indirect_long(struct dev *d)
{
	struct desc *t = indirect(d, 2048 * sizeof(*t));
	unsigned int i;

	/* More than any device takes, each of them in order. */
	for (i = 0; i < 2048; i++)
		t[i] = (struct desc){ DATA, 1, DESC_NEXT | DESC_WRITE, (uint16_t)(i + 1) };
	t[2047].flags = DESC_WRITE;
	return breaks(d);
}

static bool indirect_nested(struct dev *d)
{
	indirect(d, 48)[1] = (struct desc){ table_of(1), 16, DESC_INDIRECT, 0 };
	return breaks(d);
}

static bool indirect_length(struct dev *d)
{
	indirect(d, 47);
	return breaks(d);
}

static bool indirect_outside(struct dev *d)
{
	indirect(d, 48);
	descs()[0].addr = HOLE;
	return breaks(d);
}

/* Descriptors change while the device reads them; whatever it does with them is right. */
static bool race(struct dev *d)
{
	const uint64_t addrs[] = { DATA, HOLE, UINT64_MAX - 100, d->base, DATA + 7, DESCS };
	unsigned int i, j;

	for (i = 0; i < 300; i++) {
		volatile struct desc *c = usual(d, i & 1 ? REQ_IN : REQ_OUT);
		uint32_t id, len;

		queue_offer(d, 0);
		queue_kick_always(d);
		for (j = 0; j < 2000 && !queue_poll(d, &id, &len); j++) {
			c[1].addr = addrs[j % 6];
			c[1].len = j % 3 ? d->block : j * 4096;
			c[1].next = (uint16_t)(j % 5 ? 2 : j);
			c[1].flags = (uint16_t)j;
			header_of(0)->type = j % 9;
			header_of(0)->sector = j % 7 ? 0 : UINT64_MAX - j;
		}
		/* Also the entry of the ring, and the index, are ours to spoil. */
		avail()->ring[(d->next_avail - 1) % QUEUE_MAX] = (uint16_t)(j % 300);
		if (dev_needs_reset(d) && !dev_start(d, &usual_queue))
			return false;
	}
	return true;
}

/* The disk's data comes to where the queue is. */
static bool overlap(struct dev *d)
{
	static const uint64_t at[] = { DESCS, AVAIL, USED, HEADERS, STATUSES };
	unsigned int i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct desc *c;
		uint32_t id, len;

		memset(ptr(DATA), 0xff, 4096);
		if (blk_rw(d, REQ_OUT, 0, DATA, 4096) != S_OK)
			return false;
		c = usual(d, REQ_IN);
		c[1].addr = at[i];
		c[1].len = 4096;
		queue_offer(d, 0);
		queue_kick_always(d);
		/* It ends somehow; the ring that would tell may be gone. */
		queue_wait(d, &id, &len);
		if (!dev_start(d, &usual_queue))
			return false;
	}
	return true;
}

static const struct hostile requests[] = {
	{ "outside-ram", outside_ram },
	{ "wrap", wrap },
	{ "huge", huge },
	{ "header-outside", header_outside },
	{ "status-outside", status_outside },
	{ "status-wraps", status_wraps },
	{ "no-status", no_status },
	{ "loop", loop },
	{ "self-loop", self_loop },
	{ "next-outside", next_outside },
	{ "head-outside", head_outside },
	{ "order", order },
	{ "avail-jumps", avail_jumps },
	{ "indirect-loop", indirect_loop },
	{ "indirect-long", indirect_long },
	{ "indirect-nested", indirect_nested },
	{ "indirect-length", indirect_length },
	{ "indirect-outside", indirect_outside },
	{ "race", race },
	{ "overlap", overlap },
	{ NULL, NULL },
};

static bool works(struct dev *d)
{
	uint32_t len = 3 * d->block;

	fill(DATA, len, 4711);
	if (!dev_start(d, &usual_queue) || blk_rw(d, REQ_OUT, 0, DATA, len) != S_OK)
		return false;
	memset(ptr(DATA), 0, len);
	return blk_rw(d, REQ_IN, 0, DATA, len) == S_OK && differs(DATA, len, 4711) == len;
}

static void run_case(struct dev *d, const struct hostile *h)
{
	bool good = dev_start(d, &usual_queue) && h->run(d);

	result(good, h->name);
	result(works(d), "and the disk works after a reset");
}

bool run_hostile(struct dev *d, const char *name)
{
	const struct hostile *tables[] = { requests, hostile_queue };
	bool found = false;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct hostile *h;

		for (h = tables[i]; h->name; h++) {
			if (!name) {
				print(h->name);
				print("\n");
			} else if (text_equal(name, "hostile") || text_equal(name, h->name)) {
				run_case(d, h);
				found = true;
			}
		}
	}
	return found;
}
