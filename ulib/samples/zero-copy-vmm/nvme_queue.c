/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_queue.c - a submission queue and its completion queue.
 *
 * A queue of n entries has n - 1 ids, so the submission queue is never full: whatever the
 * controller says of its head is not needed.
 */
#include <errno.h>
#include <string.h>

#include "../dma/barrier.h"
#include "nvme_queue.h"

int nvme_queue_init(struct nvme_queue *q, const struct nvme_bar *bar, struct nvme_memory *memory,
		    uint16_t id, uint16_t entries, uint32_t stride)
{
	const struct nvme_piece sq = q->sq, cq = q->cq;
	uint16_t i;
	int ret;

	memset(q, 0, sizeof(*q));
	q->bar = bar;
	q->id = id;
	q->entries = entries;
	q->phase = 1;
	q->sq_doorbell = NVME_DOORBELLS + 2u * id * stride;
	q->cq_doorbell = q->sq_doorbell + stride;
	if (q->cq_doorbell + sizeof(uint32_t) > bar->len)
		return -EOPNOTSUPP;
	for (i = 0; i < entries - 1; i++) {
		q->cid[i] = i;
		q->free[q->nfree++] = (uint16_t)(entries - 2 - i);
	}
	/* A controller that is started again has its memory; no old completion is new. */
	if (cq.host) {
		q->sq = sq;
		q->cq = cq;
		memset(cq.host, 0, cq.len);
		return 0;
	}
	ret = nvme_memory_take(memory, entries * sizeof(struct nvme_command), &q->sq);
	if (!ret)
		ret = nvme_memory_take(memory, entries * sizeof(struct nvme_completion), &q->cq);
	return ret;
}

bool nvme_queue_is_full(const struct nvme_queue *q)
{
	return !q->nfree;
}

uint16_t nvme_queue_next_id(const struct nvme_queue *q)
{
	return q->free[q->nfree - 1];
}

void nvme_queue_put(struct nvme_queue *q, struct nvme_command *command)
{
	struct nvme_command *sq = q->sq.host;
	uint16_t id = q->free[--q->nfree];

	q->in_flight[id] = true;
	/* An abort that comes late must find no other command of the same id. */
	q->cid[id] = (uint16_t)(q->cid[id] + NVME_QUEUE_MAX);
	command->id = gm_cpu_to_le16(q->cid[id]);
	sq[q->tail] = *command;
	q->tail = (uint16_t)((q->tail + 1) % q->entries);
}

void nvme_queue_ring(struct nvme_queue *q)
{
	if (q->rung == q->tail)
		return;
	/* Entries, lists and data are in memory before the controller looks. */
	dma_write_barrier();
	nvme_write32(q->bar, q->sq_doorbell, q->tail);
	q->rung = q->tail;
}

int nvme_queue_take(struct nvme_queue *q, struct nvme_done *done)
{
	const volatile struct nvme_completion *cq = q->cq.host;
	const volatile struct nvme_completion *entry = &cq[q->head];
	/* Once: all that is checked is of this one copy. */
	uint32_t tail = gm_le32_to_cpu(entry->tail);
	uint16_t sq_head, sq_id, cid = NVME_TAIL_ID(tail), id = cid % NVME_QUEUE_MAX;

	if (NVME_TAIL_PHASE(tail) != q->phase)
		return 0;
	/* The phase first, then what it is about, and the data. */
	dma_read_barrier();
	sq_head = gm_le16_to_cpu(entry->sq_head);
	sq_id = gm_le16_to_cpu(entry->sq_id);
	if (id >= q->entries - 1 || !q->in_flight[id] || cid != q->cid[id] ||
	    sq_id != q->id || sq_head >= q->entries)
		return -EBADMSG;
	done->id = id;
	done->status = NVME_TAIL_STATUS(tail);
	done->result = gm_le32_to_cpu(entry->result);
	q->in_flight[id] = false;
	q->free[q->nfree++] = id;
	q->head = (uint16_t)(q->head + 1);
	if (q->head == q->entries) {
		q->head = 0;
		q->phase ^= 1;
	}
	return 1;
}

void nvme_queue_taken(struct nvme_queue *q)
{
	if (q->told == q->head)
		return;
	nvme_write32(q->bar, q->cq_doorbell, q->head);
	q->told = q->head;
}
