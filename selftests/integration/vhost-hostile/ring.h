/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ring.h - the driver's side of a split virtqueue, with every freedom that a
 * driver should not have, and block requests on it.
 */
#ifndef RING_H
#define RING_H

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include "guest.h"

#define SECTOR 512u
#define RING_NUM 128u
/* What a status byte is before the device has written it. */
#define STATUS_NONE 0xee

/**
 * struct ring - a virtqueue
 * @g: the guest
 * @c: the connection that knows it
 * @index: its number
 * @num: entries
 * @base: where the device is told to begin
 * @desc: guest address of the descriptors
 * @avail: of the available ring
 * @used: of the used ring
 * @kick: eventfd; or whatever a case takes for one
 * @call: eventfd; -1: none
 * @err: eventfd; -1: none
 * @avail_idx: what was offered
 * @used_idx: what came back
 * @next_desc: descriptors that are in use
 * @bias: what is added to each address in a descriptor
 */
struct ring {
	struct guest *g;
	struct conn *c;
	uint32_t index;
	uint32_t num;
	uint32_t base;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	int kick;
	int call;
	int err;
	uint16_t avail_idx;
	uint16_t used_idx;
	uint16_t next_desc;
	uint64_t bias;
};

/**
 * enum outcome - what becomes of a kick
 * @OUTCOME_DONE: something came back on the used ring
 * @OUTCOME_CLOSED: the device hung up
 * @OUTCOME_BROKEN: the device told that it gave up the ring
 * @OUTCOME_SILENCE: nothing, and patience is over
 */
enum outcome {
	OUTCOME_DONE,
	OUTCOME_CLOSED,
	OUTCOME_BROKEN,
	OUTCOME_SILENCE,
};

/* Rings in memory; nobody is told of them yet. */
void ring_init(struct ring *r, struct guest *g, struct conn *c, uint32_t index, uint32_t num);

/* Its descriptors are closed; the device may still run it. */
void ring_exit(struct ring *r);

/* The addresses as SET_VRING_ADDR has them. */
void ring_wire_addr(const struct ring *r, struct wire_addr *a);

/* Tell the device of all. Return: the first answer that is not ANSWER_OK. */
enum answer ring_try_start_at(struct ring *r, const struct wire_addr *a);
enum answer ring_try_start(struct ring *r);
void ring_start(struct ring *r);
/* The same, but it is not enabled. */
void ring_start_disabled(struct ring *r);

void ring_set_desc(struct ring *r, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		   uint16_t next);

void ring_offer(struct ring *r, uint16_t head);
void ring_kick(struct ring *r);
enum outcome ring_wait(struct ring *r);

/* Take what came back. Return: false: nothing is there. */
bool ring_take(struct ring *r, struct vring_used_elem *e);

/**
 * struct request - a block request in guest memory
 * @head: its first descriptor
 * @header: struct virtio_blk_outhdr
 * @data: the data, in one piece
 * @len: bytes of data
 * @status: the status byte
 */
struct request {
	uint16_t head;
	uint64_t header;
	uint64_t data;
	uint32_t len;
	uint64_t status;
};

/* A header, data and a status byte in memory; no descriptors. */
void request_init(struct request *q, struct guest *g, uint32_t type, uint64_t sector,
		  uint32_t len);

/* The same with the descriptors that they should have. */
void request_add(struct request *q, struct ring *r, uint32_t type, uint64_t sector,
		 uint32_t len);

uint8_t request_status(const struct request *q, const struct guest *g);

/* The request was offered: it must succeed, with so many bytes written. */
void request_must(struct request *q, struct ring *r, uint32_t written);

/* The request was offered: it must fail, one way or another. */
void request_must_not(struct request *q, struct ring *r);

/* Write to the image's beginning, so that the next flush takes a while. */
#define MUCH (512 * 1024u)
void write_much(struct ring *r);

/* Offer a request, and have it under way. */
void request_begin(const struct request *q, struct ring *r);

/* The request was offered: it must fail with this status. */
void request_must_be(struct request *q, struct ring *r, uint8_t status);

/**
 * struct session - a connection with memory and one ring at work
 */
struct session {
	struct conn c;
	struct ring r;
};

void session_open(struct session *s, struct world *w);
void session_close(struct session *s);

/* Write sectors, read them back, look into the image. */
void session_use(struct session *s, struct world *w, uint64_t sector, uint32_t sectors);

/* Content for sectors, different each time. */
void fill(void *bytes, size_t n, uint64_t seed);

/* What the image has there. */
void image_read(struct world *w, void *bytes, size_t n, uint64_t sector);

/* Have the image's first megabyte come from the disk itself, if it has one. */
void image_evict(struct world *w);

/* Kick something that should not work; silence and success are failures. */
void ring_must_fail(struct ring *r);

#endif /* RING_H */
