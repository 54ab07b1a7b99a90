/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk_request.h - a request under way; what blk.c and blk_run.c share.
 */
#ifndef BLK_REQUEST_H
#define BLK_REQUEST_H

#include "blk.h"

/**
 * struct blk_req - a request
 * @io: a piece of it, for the backend; the first member
 * @chain: its descriptors; ranges of it are cut as data is moved
 * @status: where the status byte goes
 * @first: range of @chain with the next data
 * @end: behind the last one
 * @rest: what the piece has left of its last range; length 0: nothing
 * @piece: what @io began with, to mark it
 * @left: bytes of data to go
 * @written: bytes that the driver is told were written
 * @next: in the list of free ones
 */
struct blk_req {
	struct backend_io io;
	struct chain chain;
	struct gm_slice status;
	unsigned int first;
	unsigned int end;
	struct gm_range rest;
	struct gm_iov_cursor piece;
	uint64_t left;
	uint32_t written;
	struct blk_req *next;
};

/* A request has come into @r->chain. Return: 0; an error: the queue is broken. */
int blk_begin(struct blk *b, struct blk_req *r);

/* The backend has done a piece. Return: as blk_begin(). */
int blk_moved(struct blk *b, struct blk_req *r);

/* Give @r->io to the backend, now or as soon as it has room. */
void blk_submit(struct blk *b, struct blk_req *r);

/* Nobody waits for an answer any more. */
void blk_release(struct blk *b, struct blk_req *r);

#endif /* BLK_REQUEST_H */
