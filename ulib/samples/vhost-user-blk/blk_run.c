/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk_run.c - which request is next: out of the queues, to the disk, and back.
 */
#include <errno.h>

#include "blk_request.h"
#include "event.h"
#include "log.h"

#define TAKE_MAX	64	/* of one queue before it is another's turn */
#define DRAIN_MAX	1024	/* pieces to finish what is in flight */

/* Take the next request. Return: 1; 0 there is none; -EAGAIN not yet; an error. */
static int take_one(struct blk *b, struct blk_queue *q, struct blk_req *r)
{
	int ret;

	/* Each answer wakes us, but it takes all that were asked for here; and no
	 * more: another queue may have questions without end.
	 */
	if (viommu_is_asking(b->viommu, q->question))
		return -EAGAIN;
	ret = virtq_peek(&q->vq, &b->view, &r->chain);
	if (ret > 0) {
		int err = blk_resolve(b, &r->chain);

		r->denied = err && err != -EAGAIN;
		if (err == -EAGAIN)
			ret = err;
	}
	q->question = ret == -EAGAIN ? b->viommu->sent : 0;
	if (ret <= 0)
		return ret;
	ret = virtq_take(&q->vq, r->chain.head);
	if (!ret)
		ret = virtq_disable_kicks(&q->vq);
	return ret ? ret : 1;
}

/*
 * Take requests while there are some, and room; or, with @left, those that a killed
 * process has left, of any queue. Return: how many; an error.
 */
static int take(struct blk *b, unsigned int index, bool left)
{
	struct blk_queue *q = &b->queues[index];
	int taken = 0, ret;

	while ((left ? inflight_has_left(&q->vq.inflight) : q->live) && b->free &&
	       taken < TAKE_MAX && b->work < RUN_MAX) {
		struct blk_req *r = b->free;

		ret = take_one(b, q, r);
		if (ret == -EAGAIN)
			break;
		if (!ret) {
			ret = virtq_enable_kicks(&q->vq);
			if (!ret)
				break;
		} else if (ret > 0) {
			ret = blk_begin(b, r, index);
			taken++;
		}
		if (ret < 0)
			return ret;
	}
	return taken;
}

/* Go on with what the disk has done. Return: how many; the first error. */
static int reap(struct blk *b)
{
	struct disk_io *io;
	int done = 0, first = 0;

	while ((io = disk_reap(b->disk))) {
		int err = blk_moved(b, (struct blk_req *)io);

		done++;
		if (!first)
			first = err;
	}
	return first ? first : done;
}

static int notify(struct blk *b)
{
	unsigned int i;

	for (i = 0; i < b->queue_count; i++) {
		struct blk_queue *q = &b->queues[i];
		int ret;

		if (!q->pushed)
			continue;
		q->pushed = false;
		ret = virtq_wants_notify(&q->vq);
		if (ret < 0)
			return ret;
		if (ret)
			ret = event_signal(q->call);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int blk_run(struct blk *b)
{
	b->work = 0;
	while (b->work < RUN_MAX) {
		int taken = 0, done, ret;
		unsigned int i;

		/* Another one is first each time, since slots can be few. */
		b->turn = (b->turn + 1) % b->queue_count;
		for (i = 0; i < b->queue_count; i++) {
			ret = take(b, (b->turn + i) % b->queue_count, false);
			if (ret < 0)
				return ret;
			taken += ret;
		}
		disk_start(b->disk);
		done = reap(b);
		if (done < 0)
			return done;
		ret = notify(b);
		if (ret < 0)
			return ret;
		if (!taken && !done)
			return 0;
	}
	return 1;
}

bool blk_has_answers(const struct blk *b)
{
	unsigned int i;

	for (i = 0; i < b->queue_count; i++) {
		const struct blk_queue *q = &b->queues[i];

		if (q->live && q->question && !viommu_is_asking(b->viommu, q->question))
			return true;
	}
	return false;
}

void blk_drain(struct blk *b)
{
	b->draining = true;
	b->drain_left = DRAIN_MAX;
	while (b->disk->in_flight) {
		disk_wait(b->disk);
		reap(b);
	}
	b->draining = false;
	notify(b);
}

int blk_finish_left(struct blk *b, unsigned int index)
{
	int ret;

	do {
		/* All that one may have to wait for is room; or the IOMMU, whose answer
		 * comes by the connection that waits for ours.
		 */
		blk_drain(b);
		b->work = 0;
		ret = take(b, index, true);
	} while (ret > 0);
	return ret;
}

void blk_cancel(struct blk *b)
{
	b->cancelled = true;
	blk_drain(b);
	b->cancelled = false;
}

bool blk_uses(const struct blk *b, uint64_t iova, uint64_t len)
{
	unsigned int i, j;

	for (i = 0; i < b->disk->depth; i++) {
		const struct blk_req *r = &b->reqs[i];

		for (j = 0; r->map && j < r->chain.count; j++) {
			const struct gm_range *range = &r->chain.ranges[j];
			uint64_t first = gm_gpa_raw(range->gpa), own = range->len;

			/* The status byte was taken off the last one. */
			if (j == r->chain.count - 1u)
				own++;
			if (!len || (first < iova ? iova - first < own : first - iova < len))
				return true;
		}
	}
	return false;
}
