/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk.c - requests of virtio-blk, as the driver makes them.
 */
#include "guest.h"

struct header *header_of(uint16_t head)
{
	return (struct header *)ptr(HEADERS) + head;
}

volatile uint8_t *status_of(uint16_t head)
{
	return (volatile uint8_t *)ptr(STATUSES) + head;
}

uint64_t table_of(uint16_t head)
{
	return INDIRECT + (uint64_t)head * INDIRECT_SIZE;
}

unsigned int blk_fill(struct desc *desc, unsigned int base, uint16_t head, uint32_t type,
		      const struct piece *pieces, unsigned int count)
{
	uint16_t flags = type == REQ_IN || type == REQ_GET_ID ? DESC_WRITE : 0;
	unsigned int i, n = 0;

	desc[n++] = (struct desc){ (uint64_t)header_of(head), sizeof(struct header), 0, 0 };
	for (i = 0; i < count; i++)
		desc[n++] = (struct desc){ pieces[i].addr, pieces[i].len, flags, 0 };
	desc[n++] = (struct desc){ (uint64_t)status_of(head), 1, DESC_WRITE, 0 };
	for (i = 0; i + 1 < n; i++) {
		desc[i].flags |= DESC_NEXT;
		desc[i].next = (uint16_t)(base + i + 1);
	}
	return n;
}

/* Take one descriptor from the free ones. */
static uint16_t take_desc(struct dev *d)
{
	uint16_t i = d->free_head;

	d->free_head = descs()[i].next;
	d->free--;
	return i;
}

/* Copy a chain of @n into descriptors that are free, linked as these are. */
static uint16_t place(struct dev *d, const struct desc *chain, unsigned int n)
{
	uint16_t head = d->free_head;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint16_t at = take_desc(d);
		uint16_t next = descs()[at].next;

		descs()[at] = chain[i];
		descs()[at].next = next;
	}
	return head;
}

int blk_begin(struct dev *d, uint32_t type, uint64_t sector, const struct piece *pieces,
	      unsigned int count, bool indirect)
{
	static struct desc chain[QUEUE_MAX];
	uint16_t head = d->free_head;
	unsigned int n;

	if (count + 2 > (indirect ? INDIRECT_SIZE / sizeof(struct desc) : d->free) || !d->free)
		return -1;
	*header_of(head) = (struct header){ type, 0, sector };
	*status_of(head) = S_NONE;
	if (indirect) {
		n = blk_fill(ptr(table_of(head)), 0, head, type, pieces, count);
		chain[0] = (struct desc){ table_of(head), n * sizeof(struct desc),
					  DESC_INDIRECT, 0 };
		n = 1;
	} else {
		n = blk_fill(chain, 0, head, type, pieces, count);
	}
	place(d, chain, n);
	queue_offer(d, head);
	return head;
}

void blk_end(struct dev *d, uint16_t head)
{
	uint16_t last = head;

	d->free++;
	while (descs()[last].flags & DESC_NEXT) {
		last = descs()[last].next;
		d->free++;
	}
	descs()[last].next = d->free_head;
	d->free_head = head;
}

int blk_do(struct dev *d, uint32_t type, uint64_t sector, const struct piece *pieces,
	   unsigned int count, bool indirect)
{
	uint32_t id, len, data = 1;
	unsigned int i;
	int head = blk_begin(d, type, sector, pieces, count, indirect);

	if (head < 0)
		return S_NONE;
	queue_kick(d, (uint16_t)(d->next_avail - 1));
	if (!queue_wait(d, &id, &len) || id != (uint32_t)head)
		return S_NONE;
	blk_end(d, (uint16_t)id);
	/* What the device says it has written, when it has. */
	for (i = 0; type == REQ_IN && i < count; i++)
		data += pieces[i].len;
	if (*status_of((uint16_t)id) == S_OK && type != REQ_GET_ID && len != data)
		return S_NONE;
	return *status_of((uint16_t)id);
}

int blk_rw(struct dev *d, uint32_t type, uint64_t sector, uint64_t addr, uint32_t len)
{
	const struct piece piece = { addr, len };

	return blk_do(d, type, sector, &piece, 1, false);
}
