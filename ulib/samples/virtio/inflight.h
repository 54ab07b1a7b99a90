/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * inflight.h - which requests are under way, in memory that outlives us.
 *
 * The front-end keeps a piece of shared memory, the area. We note in there which
 * requests were taken out of a ring and not given back. When this process is
 * killed, the front-end hands the area to the next one, which does those requests
 * once more, in the order in which they were taken.
 *
 * To do a request of a disk twice does no harm as long as the driver was not
 * told of the first time: it has not touched the buffers, nor sent anything that
 * depends on it. To tell the driver twice would.
 *
 * The area's content is the front-end's word as any message is: each field is
 * read once, and checked.
 */
#ifndef INFLIGHT_H
#define INFLIGHT_H

#include <guestmem.h>

/**
 * struct inflight - the area
 * @region: where it is mapped; NULL: there is none
 * @start: where it begins in @region
 * @queues: queues that it has room for
 * @num: entries of each
 */
struct inflight {
	struct gm_region *region;
	uint64_t start;
	uint16_t queues;
	uint16_t num;
};

/* A request that the process before us has left. */
struct inflight_entry {
	uint64_t counter;
	uint16_t head;
};

/**
 * struct inflight_queue - one queue's part of it
 * @part: the memory; empty: there is none, and nothing is noted
 * @counter: of the next request, so that they have an order
 * @last: the request that was given back last
 * @left: requests to be done again, in order
 * @left_count: how many
 * @left_next: the first that is not begun yet
 */
struct inflight_queue {
	struct gm_slice part;
	uint64_t counter;
	uint16_t last;
	struct inflight_entry *left;
	uint16_t left_count;
	uint16_t left_next;
};

/* Bytes from one queue's part to the next, if each has @num entries. */
uint64_t inflight_stride(uint16_t num);

/*
 * Begin to note a queue's requests.
 *
 * @f: the area; NULL: there is none
 * @num: its entries
 * @used_idx: what its used ring says
 *
 * Return: 1 the area has its history, and @q->left_count requests to be done
 * again; 0 it has none (or there is no area); a negative errno with because().
 */
int inflight_start(struct inflight_queue *q, const struct inflight *f, unsigned int index,
		   uint16_t num, uint16_t used_idx);
void inflight_stop(struct inflight_queue *q);

/*
 * Does the area note a request of a queue that does not run? Its driver may have it
 * back: only the used ring says that.
 *
 * Return: 1; 0 no, or there is no area; a negative errno with because().
 */
int inflight_notes(const struct inflight *f, unsigned int index);

/* Nothing of such a queue is noted any more. Return: 0; a negative errno with because(). */
int inflight_forget(const struct inflight *f, unsigned int index);

/* Requests to be done again that are not begun. */
uint16_t inflight_left(const struct inflight_queue *q);
bool inflight_has_left(const struct inflight_queue *q);

/* They were never taken. Return: 0; a slice's error. */
int inflight_put_back(struct inflight_queue *q);

/* The next request to be done again; go on to the one after. False: there is none. */
bool inflight_peek(const struct inflight_queue *q, uint16_t *head);
bool inflight_next(struct inflight_queue *q);

/* A request was taken. Return: 0; a slice's error. */
int inflight_take(struct inflight_queue *q, uint16_t head);

/*
 * A request is given back: the first before the used ring's index says so, the
 * second after. Return: 0; a slice's error.
 */
int inflight_give(struct inflight_queue *q, uint16_t head);
int inflight_given(struct inflight_queue *q, uint16_t head, uint16_t used_idx);

#endif /* INFLIGHT_H */
