/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * virtio.c - the driver's side of virtio-mmio and of a split virtqueue.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "guest.h"

#define MAGIC		0x74726976u
#define BLK_SIZE_OFF	20u
#define F_BLK_SIZE	6
#define F_FLUSH		9
/* Some tens of seconds on any machine. */
#define FOR_EVER	(1ull << 36)

const struct queue_setup usual_queue = { QUEUE_MAX, DESCS, AVAIL, USED };

uint32_t reg_read(const struct dev *d, uint32_t off)
{
	return *(volatile uint32_t *)ptr(d->base + off);
}

void reg_write(const struct dev *d, uint32_t off, uint32_t value)
{
	*(volatile uint32_t *)ptr(d->base + off) = value;
}

struct desc *descs(void)
{
	return ptr(DESCS);
}

struct avail *avail(void)
{
	return ptr(AVAIL);
}

struct used *used(void)
{
	return ptr(USED);
}

bool dev_identify(struct dev *d)
{
	if (reg_read(d, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC ||
	    reg_read(d, VIRTIO_MMIO_VERSION) != 2 || reg_read(d, VIRTIO_MMIO_DEVICE_ID) != 2)
		return false;
	d->sectors = reg_read(d, VIRTIO_MMIO_CONFIG) |
		     (uint64_t)reg_read(d, VIRTIO_MMIO_CONFIG + 4) << 32;
	d->block = reg_read(d, VIRTIO_MMIO_CONFIG + BLK_SIZE_OFF);
	return d->sectors && d->block >= 512 && !(d->block % 512);
}

static bool negotiate(struct dev *d)
{
	uint64_t want = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX |
			1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << F_BLK_SIZE |
			1ull << F_FLUSH;
	uint64_t have;

	reg_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	have = reg_read(d, VIRTIO_MMIO_DEVICE_FEATURES);
	reg_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	have |= (uint64_t)reg_read(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	d->features = want;
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(want & UINT32_MAX));
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(want >> 32));
	return (have & want) == want;
}

static void set_queue(const struct dev *d, const struct queue_setup *q)
{
	reg_write(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	reg_write(d, VIRTIO_MMIO_QUEUE_NUM, q->num);
	reg_write(d, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)q->desc);
	reg_write(d, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(q->desc >> 32));
	reg_write(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)q->avail);
	reg_write(d, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(q->avail >> 32));
	reg_write(d, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)q->used);
	reg_write(d, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(q->used >> 32));
	reg_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void init_rings(struct dev *d, uint16_t num)
{
	uint16_t i;

	memset(ptr(DESCS), 0, HEADERS - DESCS);
	d->num = num;
	d->next_avail = 0;
	d->last_used = 0;
	d->free = num;
	d->free_head = 0;
	for (i = 0; i < num; i++)
		descs()[i].next = (uint16_t)(i + 1);
}

bool dev_start(struct dev *d, const struct queue_setup *q)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	reg_write(d, VIRTIO_MMIO_STATUS, 0);
	while (reg_read(d, VIRTIO_MMIO_STATUS))
		;
	reg_write(d, VIRTIO_MMIO_STATUS, status);
	if (!negotiate(d))
		return false;
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	reg_write(d, VIRTIO_MMIO_STATUS, status);
	if (!(reg_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK))
		return false;
	init_rings(d, QUEUE_MAX);
	set_queue(d, q);
	status |= VIRTIO_CONFIG_S_DRIVER_OK;
	reg_write(d, VIRTIO_MMIO_STATUS, status);
	return reg_read(d, VIRTIO_MMIO_STATUS) == status;
}

bool dev_needs_reset(const struct dev *d)
{
	return reg_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

void queue_offer(struct dev *d, uint16_t head)
{
	avail()->ring[d->next_avail % d->num] = head;
	d->next_avail++;
	/* The entry is there before the index says so. */
	__atomic_store_n(&avail()->idx, d->next_avail, __ATOMIC_RELEASE);
}

void queue_kick_always(const struct dev *d)
{
	reg_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

void queue_kick(struct dev *d, uint16_t since)
{
	uint16_t event;

	/* The index is out before the device's wish is read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = *(volatile uint16_t *)ptr(USED + 4 + d->num * 8u);
	if (vring_need_event(event, d->next_avail, since))
		queue_kick_always(d);
}

bool queue_poll(struct dev *d, uint32_t *id, uint32_t *len)
{
	uint16_t idx = __atomic_load_n(&used()->idx, __ATOMIC_ACQUIRE);

	if (idx == d->last_used)
		return false;
	*id = used()->ring[d->last_used % d->num].id;
	*len = used()->ring[d->last_used % d->num].len;
	d->last_used++;
	return true;
}

bool queue_wait(struct dev *d, uint32_t *id, uint32_t *len)
{
	uint64_t start = cycles();
	uint32_t i;

	for (i = 1; !queue_poll(d, id, len); i++) {
		__asm__ volatile("pause");
		/* A register costs an exit: now and then. */
		if (!(i % 65536) && (dev_needs_reset(d) || cycles() - start > FOR_EVER))
			return false;
	}
	return true;
}
