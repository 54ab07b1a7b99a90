/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * registers.c - virtio-mmio, version 2 (virtio 1.x, 4.2).
 *
 * The driver may write anything at any time. Nothing is acted on before it says that
 * it is complete: the queue is looked at when it becomes ready, and what it says of
 * itself then is checked against guest memory.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "../virtio/reason.h"
#include "device.h"

#define MAGIC		0x74726976u	/* "virt" */
#define VERSION		2u
#define VENDOR		0x4d47u

static void reset(struct device *d)
{
	if (d->regs.status)
		d->stats.resets++;
	device_drain(d);
	memset(&d->regs, 0, sizeof(d->regs));
	__atomic_store_n(&d->interrupt_status, 0, __ATOMIC_SEQ_CST);
}

/* Both halves of an address. */
static gm_gpa_t part(const struct device_regs *r, int i)
{
	return gm_gpa((uint64_t)r->queue[i].high << 32 | r->queue[i].low);
}

static void set_ready(struct device *d, uint32_t ready)
{
	struct device_regs *r = &d->regs;
	struct virtq_addr addr = { part(r, 0), part(r, 1), part(r, 2) };

	if (r->queue_sel || !!ready == r->queue_ready)
		return;
	if (!ready) {
		device_drain(d);
		r->queue_ready = false;
		return;
	}
	if (!(r->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    (r->status & VIRTIO_CONFIG_S_NEEDS_RESET))
		return;
	if (blk_set_queue(&d->blk, r->queue_num, &addr, r->driver_features)) {
		device_break(d);
		return;
	}
	r->queue_ready = true;
	d->blk.live = r->status & VIRTIO_CONFIG_S_DRIVER_OK;
	device_kick(d);
}

static void set_status(struct device *d, uint32_t status)
{
	struct device_regs *r = &d->regs;
	uint64_t version_1 = 1ull << VIRTIO_F_VERSION_1;

	if (!status) {
		reset(d);
		return;
	}
	if ((status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    ((r->driver_features & ~blk_features()) || !(r->driver_features & version_1)))
		status &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	/* No bit goes away but by a reset; this one is the device's. */
	r->status |= status & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET;
	if (device_runs(d)) {
		d->blk.live = true;
		device_kick(d);
	}
}

/* What is accepted stays so. */
static void set_features(struct device_regs *r, uint32_t value)
{
	unsigned int shift = r->driver_features_sel ? 32 : 0;

	if ((r->status & VIRTIO_CONFIG_S_FEATURES_OK) || r->driver_features_sel > 1)
		return;
	r->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	r->driver_features |= (uint64_t)value << shift;
}

/* Of a queue that runs nothing is changed. */
static void set_queue(struct device_regs *r, uint64_t off, uint32_t value)
{
	if (r->queue_sel || r->queue_ready)
		return;
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		r->queue_num = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		r->queue[0].low = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		r->queue[0].high = value;
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		r->queue[1].low = value;
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		r->queue[1].high = value;
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		r->queue[2].low = value;
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		r->queue[2].high = value;
		break;
	}
}

static void write_register(struct device *d, uint64_t off, uint32_t value)
{
	struct device_regs *r = &d->regs;

	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		r->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		r->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		set_features(r, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		r->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		set_ready(d, value);
		break;
	case VIRTIO_MMIO_STATUS:
		set_status(d, value);
		break;
	default:
		set_queue(r, off, value);
	}
}

static uint32_t read_register(const struct device *d, uint64_t off)
{
	const struct device_regs *r = &d->regs;

	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return VIRTIO_ID_BLOCK;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		if (r->device_features_sel > 1)
			return 0;
		return (uint32_t)(blk_features() >> (r->device_features_sel ? 32 : 0));
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return r->queue_sel ? 0 : BLK_QUEUE_MAX;
	case VIRTIO_MMIO_QUEUE_READY:
		return !r->queue_sel && r->queue_ready;
	case VIRTIO_MMIO_STATUS:
		return r->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		/* There is no shared memory, whichever region is selected. */
		return UINT32_MAX;
	}
	return 0;
}

static void read_config(const struct device *d, uint64_t off, void *data, uint32_t len)
{
	struct virtio_blk_config config;

	blk_config(&d->blk, &config);
	memset(data, 0, len);
	if (off < sizeof(config) && len <= sizeof(config) - off)
		memcpy(data, (const uint8_t *)&config + off, len);
}

void device_read(struct device *d, uint64_t off, void *data, uint32_t len)
{
	uint32_t value;

	if (off == VIRTIO_MMIO_INTERRUPT_STATUS && len == sizeof(value)) {
		value = __atomic_load_n(&d->interrupt_status, __ATOMIC_SEQ_CST);
		memcpy(data, &value, sizeof(value));
		return;
	}
	device_enter(d);
	if (off >= VIRTIO_MMIO_CONFIG) {
		read_config(d, off - VIRTIO_MMIO_CONFIG, data, len);
	} else {
		/* Of another size than 4: nothing is there. */
		value = len == sizeof(value) ? read_register(d, off) : 0;
		memset(data, 0, len);
		memcpy(data, &value, len < sizeof(value) ? len : sizeof(value));
	}
	pthread_mutex_unlock(&d->lock);
}

void device_write(struct device *d, uint64_t off, const void *data, uint32_t len)
{
	uint32_t value;

	if (len != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	if (off == VIRTIO_MMIO_INTERRUPT_ACK) {
		__atomic_and_fetch(&d->interrupt_status, ~value, __ATOMIC_SEQ_CST);
		return;
	}
	device_enter(d);
	write_register(d, off, value);
	pthread_mutex_unlock(&d->lock);
}
