/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_queue.h - a submission queue and its completion queue.
 */
#ifndef NVME_QUEUE_H
#define NVME_QUEUE_H

#include "nvme_bar.h"
#include "nvme_memory.h"

/* Of a queue, and so less one is how many commands are in flight at most. A power of two. */
#define NVME_QUEUE_MAX 128u

/**
 * struct nvme_queue - a pair of queues
 * @bar: registers
 * @id: number of both
 * @entries: of each
 * @sq: memory of the submission queue
 * @cq: of the completion queue
 * @tail: where the next command goes
 * @rung: @tail as the controller was told last
 * @head: where the next completion comes
 * @told: @head as the controller was told last
 * @phase: the phase bit of a completion that is new
 * @sq_doorbell: register
 * @cq_doorbell: register
 * @free: ids of commands that are not in flight
 * @nfree: how many
 * @in_flight: by id
 * @cid: what the controller calls each id: it, and how often it was used, times
 *	NVME_QUEUE_MAX
 */
struct nvme_queue {
	const struct nvme_bar *bar;
	uint16_t id;
	uint16_t entries;
	struct nvme_piece sq;
	struct nvme_piece cq;
	uint16_t tail;
	uint16_t rung;
	uint16_t head;
	uint16_t told;
	uint16_t phase;
	uint32_t sq_doorbell;
	uint32_t cq_doorbell;
	uint16_t free[NVME_QUEUE_MAX];
	uint16_t nfree;
	bool in_flight[NVME_QUEUE_MAX];
	uint16_t cid[NVME_QUEUE_MAX];
};

/**
 * struct nvme_done - a command that is done
 * @id: its id, which is free again
 * @status: status code and type, 0: success
 * @result: its result, if it has one
 */
struct nvme_done {
	uint16_t id;
	uint16_t status;
	uint32_t result;
};

/*
 * Empty, with its memory of before if it has some: @entries is the same then. 0; -ENOMEM
 * no memory; -EOPNOTSUPP the doorbells are not in the BAR.
 */
int nvme_queue_init(struct nvme_queue *q, const struct nvme_bar *bar, struct nvme_memory *memory,
		    uint16_t id, uint16_t entries, uint32_t stride);

static inline unsigned int nvme_queue_in_flight(const struct nvme_queue *q)
{
	return q->entries - 1u - q->nfree;
}

/* All ids are in flight: nothing can be put. */
bool nvme_queue_is_full(const struct nvme_queue *q);

/* The id of the command that nvme_queue_put() is given next; the queue is not full. */
uint16_t nvme_queue_next_id(const struct nvme_queue *q);
/* Fill an entry; the controller sees it at nvme_queue_ring(). */
void nvme_queue_put(struct nvme_queue *q, struct nvme_command *command);
void nvme_queue_ring(struct nvme_queue *q);
/* 1; 0 nothing is done; -EBADMSG the completion is of no command that is in flight. */
int nvme_queue_take(struct nvme_queue *q, struct nvme_done *done);
/* Give the entries of all that was taken back to the controller. */
void nvme_queue_taken(struct nvme_queue *q);

#endif /* NVME_QUEUE_H */
