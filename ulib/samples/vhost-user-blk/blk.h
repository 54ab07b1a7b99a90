/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk.h - the block device: requests out of virtqueues, data in and out of
 * guest memory.
 *
 * It knows nothing of sockets or messages. Who embeds it gives it a map and
 * mapped queues, and calls blk_run() when something may have happened.
 */
#ifndef BLK_H
#define BLK_H

#include <linux/virtio_blk.h>

#include "../virtio/virtqueue.h"
#include "disk.h"
#include "stats.h"
#include "viommu.h"

/* What configuration space tells the driver of its limits. */
#define BLK_SEG_MAX		126u	/* a queue of 128: with header and status */
#define BLK_SEGMENTS_MAX	16u	/* of a discard or write-zeroes request */
#define BLK_DISCARD_MAX		(1u << 21)	/* sectors of a segment */
#define BLK_ZERO_MAX		(1u << 16)

struct blk_req;

/**
 * struct blk_queue - a virtqueue and its interrupt
 * @vq: the queue
 * @live: it is set up and may be used
 * @pushed: there are used entries that the driver was not told of
 * @question: of the IOMMU, that the next request waits for; 0: none
 * @call: eventfd of the interrupt, or -1
 */
struct blk_queue {
	struct virtq vq;
	bool live;
	bool pushed;
	uint64_t question;
	int call;
};

/**
 * struct blk - a block device
 * @disk: what is behind it
 * @stats: counts
 * @viommu: what addresses go through, when it is on
 * @map: the guest's memory, borrowed; NULL: none
 * @view: for rings and descriptors
 * @queues: the queues
 * @queue_count: how many
 * @turn: the queue that is served first
 * @work: done in this run
 * @draining: in blk_drain()
 * @drain_left: pieces that may still begin there
 * @cancelled: in blk_cancel()
 * @write_through: the driver does not know how to flush, so each write does
 * @reqs: one for each request that the disk can have in flight
 * @free: those that are not
 * @id: the answer to VIRTIO_BLK_T_GET_ID
 */
struct blk {
	struct disk *disk;
	struct stats *stats;
	struct viommu *viommu;
	struct gm_map *map;
	struct gm_view view;
	struct blk_queue queues[MAX_QUEUES];
	unsigned int queue_count;
	unsigned int turn;
	unsigned int work;
	bool draining;
	unsigned int drain_left;
	bool cancelled;
	bool write_through;
	struct blk_req *reqs;
	struct blk_req *free;
	char id[VIRTIO_BLK_ID_BYTES];
};

/* Return: 0; -ENOMEM. */
int blk_init(struct blk *b, struct disk *disk, struct stats *stats, struct viommu *viommu,
	     unsigned int queues, const char *id);
/* Nothing may be in flight. */
void blk_exit(struct blk *b);

/* VIRTIO_BLK_F_* and VIRTIO_RING_F_*, as a set of bits. */
uint64_t blk_features(const struct blk *b);
void blk_set_features(struct blk *b, uint64_t features);
void blk_config(const struct blk *b, struct virtio_blk_config *config);

/*
 * Use another map from now on. Requests in flight keep the one they began with.
 * The queues must be mapped again.
 */
void blk_set_map(struct blk *b, struct gm_map *map);

/*
 * Do what can be done now: take requests, finish those that are done, notify.
 *
 * Return: 0 all done for now; 1 call again soon; a negative errno with
 * because() when a driver has lost its mind.
 */
int blk_run(struct blk *b);

/*
 * Has a queue all the answers of the IOMMU that its next request waits for, and has not
 * looked at them? There was no room for the request, or it was not its turn.
 */
bool blk_has_answers(const struct blk *b);

/*
 * Do what a killed process has left of a queue that is mapped, live or not, and
 * nothing else: up to the first request that an IOMMU must be asked for. Return: 0;
 * an error as blk_run().
 */
int blk_finish_left(struct blk *b, unsigned int index);

/*
 * Wait until nothing is in flight. The disk is bounded in time, the guest has
 * no part in it, and no request that was taken waits for anybody else. Of requests
 * that are far beyond what any driver sends, the rest is not done (IOERR).
 */
void blk_drain(struct blk *b);

/*
 * The same when nobody cares any more: a request of which a piece is left to do
 * is dropped without an answer.
 */
void blk_cancel(struct blk *b);

/* Does a request under way use a byte of this range? @len 0: of all there are. */
bool blk_uses(const struct blk *b, uint64_t iova, uint64_t len);

#endif /* BLK_H */
