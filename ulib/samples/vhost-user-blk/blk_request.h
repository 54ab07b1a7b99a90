/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk_request.h - a request under way; what blk.c and blk_run.c share.
 */
#ifndef BLK_REQUEST_H
#define BLK_REQUEST_H

#include "blk.h"

/* Requests begun and pieces of them done in one blk_run(), so that it does not keep
 * others waiting. No driver is so fast that the loop in server.c does not come round.
 */
#define RUN_MAX		256

/* Enough for BLK_SEG_MAX pieces; whoever sends more is served in several goes. */
#define REQ_IOVS	128

/**
 * struct blk_req - a request
 * @io: its work for the disk; the first member
 * @queue: where it came from
 * @map: the memory it uses, with a reference: until the last byte is moved, the
 *	disk has bare host addresses. NULL: the request is free
 * @view: on @map, without an IOMMU from the moment that @places are known
 * @chain: its descriptors
 * @places: of these, behind an IOMMU: where they are in guest memory; NULL: not known,
 *	or there is no IOMMU
 * @out: what is left of the bytes that the device reads
 * @in: what is left of the bytes that the device writes, but for the status
 * @status: where that goes; a slice, since there is no way to say that it is gone
 * @written: bytes of @in that were written
 * @denied: the IOMMU has no translation for a part of it, and has said so
 * @iov: host addresses for @io
 * @next: in the list of free ones
 */
struct blk_req {
	struct disk_io io;
	struct blk_queue *queue;
	struct gm_map *map;
	struct gm_view view;
	struct chain chain;
	struct gm_range *places;
	struct gm_iov_cursor out;
	struct gm_iov_cursor in;
	struct gm_slice status;
	uint32_t written;
	bool denied;
	struct iovec iov[REQ_IOVS];
	struct blk_req *next;
};

/*
 * Have all addresses of a request translated before it is begun, so that nothing is
 * half done when one is missing. Return: 0; -EAGAIN later; an error: never.
 */
int blk_resolve(struct blk *b, const struct chain *c);

/* A request has come into @r->chain, the first of the free ones. */
int blk_begin(struct blk *b, struct blk_req *r, unsigned int index);

/* The disk has done what it could. */
int blk_moved(struct blk *b, struct blk_req *r);

/* Move the next bytes of a read or write: all that are left, as a rule. */
int blk_move(struct blk *b, struct blk_req *r);

/* Answer a request. The driver has its buffers back with this. */
int blk_finish(struct blk *b, struct blk_req *r, uint8_t status);

/* Nobody waits for an answer any more. */
void blk_release(struct blk *b, struct blk_req *r);

#endif /* BLK_REQUEST_H */
