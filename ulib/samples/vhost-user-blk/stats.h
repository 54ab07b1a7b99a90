/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * stats.h - what the device has done, for whoever runs it.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

#include "memory.h"

#define MAX_QUEUES 64

/**
 * struct stats_region - a region of guest memory
 * @range: where it is
 * @bytes: of requests that were in it
 */
struct stats_region {
	struct gm_range range;
	uint64_t bytes;
};

/**
 * struct stats - counts since the start
 * @connections: front-ends that were served
 * @bad_peers: those that were dropped for what they sent
 * @requests: requests taken out of the queues
 * @reads: of them, VIRTIO_BLK_T_IN, and so on
 * @writes: VIRTIO_BLK_T_OUT
 * @flushes: VIRTIO_BLK_T_FLUSH
 * @discards: VIRTIO_BLK_T_DISCARD
 * @write_zeroes: VIRTIO_BLK_T_WRITE_ZEROES
 * @bytes_read: image to guest
 * @bytes_written: guest to image
 * @bytes_copied: of both, what went through a buffer of the device's own. Data
 *	goes straight between image and guest memory, so that nothing adds to
 *	this; whoever adds such a path counts here.
 * @logs: times that the dirty log was switched on, or another one came
 * @iotlb_asked: pages that the front-end was asked for
 * @iotlb_updates: translations that it told
 * @iotlb_invalidations: messages by which it took some back
 * @iotlb_denied: pages that it has no translation for
 * @iotlb_hits: lookups that the IOTLB answered
 * @iotlb_misses: those that it did not
 * @iotlb_evictions: translations that made room for others
 * @resubmitted: requests that a killed process had left, and that were done again
 * @errors: requests that were answered with anything but OK
 * @queue_requests: requests of each queue
 * @queues: how many queues there are
 * @regions: each region that the last connection had at some time
 * @region_count: how many
 * @engine: the disk's engine
 */
struct stats {
	uint64_t connections;
	uint64_t bad_peers;
	uint64_t requests;
	uint64_t reads;
	uint64_t writes;
	uint64_t flushes;
	uint64_t discards;
	uint64_t write_zeroes;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t bytes_copied;
	uint64_t logs;
	uint64_t iotlb_asked;
	uint64_t iotlb_updates;
	uint64_t iotlb_invalidations;
	uint64_t iotlb_denied;
	uint64_t iotlb_hits;
	uint64_t iotlb_misses;
	uint64_t iotlb_evictions;
	uint64_t resubmitted;
	uint64_t errors;
	uint64_t queue_requests[MAX_QUEUES];
	unsigned int queues;
	struct stats_region regions[MEMORY_MAX_SLOTS];
	size_t region_count;
	const char *engine;
};

/* The memory has changed: learn of regions that are new. */
void stats_memory(struct stats *s, const struct memory *m);

/* A request came with these ranges. */
void stats_ranges(struct stats *s, const struct gm_range *ranges, size_t count);

/* Write all as lines of key=value. Readers see the old file or the new one. */
void stats_write(const struct stats *s, const char *path);

#endif /* STATS_H */
