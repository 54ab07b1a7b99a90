/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * virtqueue.h - the device's side of a split virtqueue (virtio 1.x, 2.7).
 *
 * Of a queue's three parts a slice each is held, so an access to a ring has no
 * lookup at all. A slice borrows from the map: when that changes, virtq_map()
 * comes again.
 *
 * Everything that the driver writes is read once, into a local copy; the copy
 * is checked, and the copy is used. A queue that does not make sense is an
 * error, after which it is not to be used: its driver has lost track of it.
 */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include <guestmem.h>

#include "inflight.h"

/* More than one descriptor for each page of what a driver may send at once
 * (virtio_blk_config.seg_max); a longer chain is refused.
 */
#define CHAIN_MAX 1024
#define VIRTQ_MAX 32768

/**
 * struct chain - one request of the driver's
 * @head: first descriptor, which names the request in the used ring
 * @readable: ranges that the device may read; they come first
 * @count: ranges in all, the others are for the device to write
 * @ranges: guest memory, not checked yet: what is outside shows at access
 */
struct chain {
	uint16_t head;
	uint16_t readable;
	uint16_t count;
	struct gm_range ranges[CHAIN_MAX];
};

/**
 * struct virtq - a split virtqueue
 * @desc: the descriptor table
 * @avail: what the driver offers
 * @used: what the device gives back
 * @num: entries, a power of two
 * @last_avail: the next entry of @avail to take
 * @avail_idx: entries that the driver has offered, when last looked at
 * @used_idx: the next entry of @used to fill
 * @notified: @used_idx when the driver was last notified
 * @notified_valid: is @notified known?
 * @kicks: was the driver asked to kick?
 * @inflight: notes which requests are under way, if it was given an area
 * @left_in_ring: of the requests that another device has left, so many of the last
 *	are what @avail has before @last_avail
 * @event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated
 * @indirect: VIRTIO_RING_F_INDIRECT_DESC was negotiated
 */
struct virtq {
	struct gm_slice desc;
	struct gm_slice avail;
	struct gm_slice used;
	uint16_t num;
	uint16_t last_avail;
	uint16_t avail_idx;
	uint16_t used_idx;
	uint16_t notified;
	bool notified_valid;
	bool kicks;
	struct inflight_queue inflight;
	uint16_t left_in_ring;
	bool event_idx;
	bool indirect;
};

/* Bytes of the three parts; 2 more than the entries for an event field, in use or not. */
#define VIRTQ_DESC_SIZE(num)	((uint64_t)(num) * 16)
#define VIRTQ_AVAIL_SIZE(num)	(4 + (uint64_t)(num) * 2 + 2)
#define VIRTQ_USED_SIZE(num)	(4 + (uint64_t)(num) * 8 + 2)

/* Where the three parts are in the guest. */
struct virtq_addr {
	gm_gpa_t desc;
	gm_gpa_t avail;
	gm_gpa_t used;
};

/*
 * Find a queue of @num entries in guest memory. What the queue was doing stays.
 *
 * Return: 0; and with the queue unmapped: -EAGAIN an IOMMU was asked where it is;
 * -EINVAL @num, or an address that is not aligned as the specification asks; an
 * error of gm_view_slice().
 */
int virtq_map(struct virtq *vq, struct gm_view *v, uint32_t num, const struct virtq_addr *addr);

/* Forget where it is: each access fails from now on. */
void virtq_unmap(struct virtq *vq);

/*
 * Go on where another device has stopped; or, if the inflight area tells more of
 * what another has left, from there. Without an area (@f is NULL) nothing is noted.
 *
 * Return: requests to be done again, which virtq_peek() gives first; a slice's
 * error; an error of inflight_start().
 */
int virtq_start(struct virtq *vq, uint16_t last_avail, const struct inflight *f,
		unsigned int index);

/*
 * The used index may have been written by another device, which was killed before that
 * was marked as dirty: mark it, where it is now.
 */
void virtq_mark(const struct virtq *vq);

/*
 * What another device has left and was not begun again becomes the ring's own, as if it
 * had never been taken: whoever goes on where we stop does it, with the area or without.
 *
 * Return: 0; -EBUSY no entry of the ring has all of that behind it and nothing else: it
 * stays noted in the area; a slice's error.
 */
int virtq_put_back(struct virtq *vq);

/* It does not run any more. Return: the entry of @avail that is to be next. */
uint16_t virtq_stop(struct virtq *vq);

/*
 * Collect the chain of descriptors that begins at entry @head of a table of
 * @num. @c->head is not touched.
 *
 * Return: 0; -EPROTO it is no chain as the specification has it; an error of
 * guest memory, if an indirect table is not there (-EAGAIN: an IOMMU was asked).
 */
int virtq_walk(struct gm_view *v, struct gm_slice desc, uint16_t num, uint16_t head,
	       bool indirect, struct chain *c);

/*
 * Look at the next request. Return: 1; 0 there is none; a negative errno as
 * virtq_walk(), or -EPROTO the ring is corrupt.
 */
int virtq_peek(struct virtq *vq, struct gm_view *v, struct chain *c);

/* Take it, which is @head. Return: 0; a slice's error. */
int virtq_take(struct virtq *vq, uint16_t head);

/* Give a request back, with @len bytes written. Return: 0; a slice's error. */
int virtq_push(struct virtq *vq, uint16_t head, uint32_t len);

/*
 * Does the driver want an interrupt for what was pushed since the last call?
 * Return: 1 yes; 0 no; a slice's error.
 */
int virtq_wants_notify(struct virtq *vq);

/* Tell the driver that it need not kick: the queue is being looked at. */
int virtq_disable_kicks(struct virtq *vq);

/*
 * Ask the driver to kick for the next request, after virtq_peek() found none.
 * Return: 1 there is one now, look again; 0 no; an error as virtq_peek().
 */
int virtq_enable_kicks(struct virtq *vq);

#endif /* VIRTQUEUE_H */
