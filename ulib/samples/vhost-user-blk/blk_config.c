/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk_config.c - what the device says of itself: features and configuration
 * space (virtio 1.x, 5.2.3 and 5.2.4).
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "blk.h"

uint64_t blk_features(const struct blk *b)
{
	uint64_t features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM |
			    1ull << VIRTIO_RING_F_EVENT_IDX |
			    1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_BLK_F_SEG_MAX |
			    1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_FLUSH |
			    1ull << VIRTIO_BLK_F_MQ;

	if (b->disk->read_only)
		return features | 1ull << VIRTIO_BLK_F_RO;
	return features | 1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES;
}

void blk_set_features(struct blk *b, uint64_t features)
{
	unsigned int i;

	b->write_through = !(features >> VIRTIO_BLK_F_FLUSH & 1);
	for (i = 0; i < b->queue_count; i++) {
		b->queues[i].vq.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
		b->queues[i].vq.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	}
}

/* The types of the kernel's header are little-endian by another name. */
#define CONFIG16(x) ((GM_FORCE __virtio16)gm_cpu_to_le16(x))
#define CONFIG32(x) ((GM_FORCE __virtio32)gm_cpu_to_le32(x))
#define CONFIG64(x) ((GM_FORCE __virtio64)gm_cpu_to_le64(x))

void blk_config(const struct blk *b, struct virtio_blk_config *config)
{
	memset(config, 0, sizeof(*config));
	config->capacity = CONFIG64(b->disk->sectors);
	config->seg_max = CONFIG32(BLK_SEG_MAX);
	config->blk_size = CONFIG32(SECTOR_SIZE);
	config->num_queues = CONFIG16((uint16_t)b->queue_count);
	if (b->disk->read_only)
		return;
	config->max_discard_sectors = CONFIG32(BLK_DISCARD_MAX);
	config->max_discard_seg = CONFIG32(BLK_SEGMENTS_MAX);
	config->discard_sector_alignment = CONFIG32(1);
	config->max_write_zeroes_sectors = CONFIG32(BLK_ZERO_MAX);
	config->max_write_zeroes_seg = CONFIG32(BLK_SEGMENTS_MAX);
	config->write_zeroes_may_unmap = 1;
}
