/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk.h - the disk: requests out of its virtqueue, to the backend, and back.
 *
 * It knows guest memory and nothing of registers, threads or KVM. One thread at a
 * time calls it.
 */
#ifndef BLK_H
#define BLK_H

#include <linux/virtio_blk.h>

#include "../virtio/virtqueue.h"
#include "backend.h"

#define BLK_QUEUE_MAX	256u	/* entries of the queue */
#define BLK_SEG_MAX	(BLK_QUEUE_MAX - 2)	/* with header and status, all of it */

struct blk_req;

/**
 * struct blk - the disk
 * @backend: what does the work
 * @view: on the guest's memory
 * @vq: the queue
 * @queue: where the driver has it
 * @live: it is set up and may be used
 * @cancelled: nobody waits for the requests in flight
 * @pushed: there are used entries that the driver was not told of
 * @again: blk_run() has left work for the next call
 * @write_through: the driver does not know how to flush, so each write does
 * @in_flight: requests that were taken and not given back
 * @reqs: room for all
 * @free: those that are not in flight
 * @waiting: those that the backend has no room for, in order
 * @waiting_end: where the next one goes
 * @requests: requests taken
 * @errors: of them, answered with anything but OK
 */
struct blk {
	struct backend *backend;
	struct gm_view view;
	struct virtq vq;
	struct virtq_addr queue;
	bool live;
	bool cancelled;
	bool pushed;
	bool again;
	bool write_through;
	unsigned int in_flight;
	struct blk_req *reqs;
	struct blk_req *free;
	struct backend_io *waiting;
	struct backend_io **waiting_end;
	uint64_t requests;
	uint64_t errors;
};

/* Return: 0; -ENOMEM. */
int blk_init(struct blk *b, struct backend *backend, const struct gm_map *map);
void blk_exit(struct blk *b);

/* VIRTIO_BLK_F_* and VIRTIO_RING_F_*, as a set of bits, and configuration space. */
uint64_t blk_features(void);
void blk_config(const struct blk *b, struct virtio_blk_config *config);

/*
 * The driver has set up the queue. It runs with @b->live. Return: 0; a negative errno
 * with because(): what it says of it can't be.
 */
int blk_set_queue(struct blk *b, uint32_t num, const struct virtq_addr *addr,
		  uint64_t features);

/*
 * The guest's memory is @map from now on. Nothing is in flight, and the queue goes on if it
 * @runs. Return: 0; a negative errno with because(): its queue is not in there, and is not
 * mapped any more.
 */
int blk_set_map(struct blk *b, const struct gm_map *map, bool runs);

/* No queue any more; nothing may be in flight. */
void blk_unset_queue(struct blk *b);

/*
 * Do what can be done now: take requests, finish those that are done.
 *
 * Return: 1 the driver wants an interrupt; 0; a negative errno with because(): it has
 * lost its mind, and the queue is not live any more.
 */
int blk_run(struct blk *b);

/* Drop what is in flight when it is done: blk_run() until @b->in_flight is 0. */
void blk_cancel(struct blk *b);

#endif /* BLK_H */
