/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk_run.c - the disk's queue: set up, served, given up.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "../virtio/reason.h"
#include "blk_request.h"

/* Requests taken in one blk_run(), so that who wants to reset gets a turn. */
#define RUN_MAX 256u

int blk_init(struct blk *b, struct backend *backend, const struct gm_map *map)
{
	unsigned int i;

	memset(b, 0, sizeof(*b));
	b->reqs = calloc(BLK_QUEUE_MAX, sizeof(*b->reqs));
	if (!b->reqs)
		return -ENOMEM;
	for (i = 0; i < BLK_QUEUE_MAX; i++) {
		b->reqs[i].next = b->free;
		b->free = &b->reqs[i];
	}
	b->backend = backend;
	b->waiting_end = &b->waiting;
	gm_view_init(&b->view, map);
	virtq_unmap(&b->vq);
	return 0;
}

void blk_exit(struct blk *b)
{
	free(b->reqs);
}

uint64_t blk_features(void)
{
	return 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX |
	       1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_BLK_F_SEG_MAX |
	       1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_FLUSH;
}

/* The types of the kernel's header are little-endian by another name. */
#define CONFIG32(x) ((GM_FORCE __virtio32)gm_cpu_to_le32(x))
#define CONFIG64(x) ((GM_FORCE __virtio64)gm_cpu_to_le64(x))

void blk_config(const struct blk *b, struct virtio_blk_config *config)
{
	memset(config, 0, sizeof(*config));
	config->capacity = CONFIG64(b->backend->sectors);
	config->seg_max = CONFIG32(BLK_SEG_MAX);
	config->blk_size = CONFIG32(b->backend->block_size);
}

/* Parts that share bytes make no sense, and each would be corrupt after a while. */
static int check_apart(uint32_t num, const struct virtq_addr *addr)
{
	const uint64_t start[] = { gm_gpa_raw(addr->desc), gm_gpa_raw(addr->avail),
				   gm_gpa_raw(addr->used) };
	const uint64_t size[] = { VIRTQ_DESC_SIZE(num), VIRTQ_AVAIL_SIZE(num),
				  VIRTQ_USED_SIZE(num) };
	int i, j;

	/* No sum here can wrap: virtq_map() has found each part in memory. */
	for (i = 0; i < 3; i++)
		for (j = 0; j < i; j++)
			if (start[i] < start[j] + size[j] && start[j] < start[i] + size[i])
				return because(-EINVAL, "parts of a queue overlap");
	return 0;
}

int blk_set_queue(struct blk *b, uint32_t num, const struct virtq_addr *addr,
		  uint64_t features)
{
	int err;

	if (num > BLK_QUEUE_MAX)
		return because(-EINVAL, "a queue of %u entries", num);
	err = virtq_map(&b->vq, &b->view, num, addr);
	if (!err)
		err = check_apart(num, addr);
	if (!err)
		err = virtq_start(&b->vq, 0, NULL, 0);
	if (err) {
		virtq_unmap(&b->vq);
		return err;
	}
	b->queue = *addr;
	b->vq.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	b->vq.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	b->write_through = !(features >> VIRTIO_BLK_F_FLUSH & 1);
	b->cancelled = false;
	b->pushed = false;
	return 0;
}

int blk_set_map(struct blk *b, const struct gm_map *map, bool runs)
{
	gm_view_init(&b->view, map);
	/* Its slices are of the old map. */
	return runs ? virtq_map(&b->vq, &b->view, b->vq.num, &b->queue) : 0;
}

void blk_unset_queue(struct blk *b)
{
	b->live = false;
	virtq_stop(&b->vq);
	virtq_unmap(&b->vq);
}

void blk_submit(struct blk *b, struct blk_req *r)
{
	/* Those that wait are first. */
	if (!b->waiting && !b->backend->ops->submit(b->backend, &r->io))
		return;
	r->io.next = NULL;
	*b->waiting_end = &r->io;
	b->waiting_end = &r->io.next;
}

static void submit_waiting(struct blk *b)
{
	struct backend_io *io;

	while ((io = b->waiting)) {
		/* The link is the backend's once it has the request. */
		struct backend_io *next = io->next;

		if (b->backend->ops->submit(b->backend, io))
			return;
		b->waiting = next;
		if (!next)
			b->waiting_end = &b->waiting;
	}
}

void blk_cancel(struct blk *b)
{
	struct backend_io *io, *next;

	b->cancelled = true;
	b->live = false;
	for (io = b->waiting; io; io = next) {
		next = io->next;
		blk_release(b, (struct blk_req *)io);
	}
	b->waiting = NULL;
	b->waiting_end = &b->waiting;
}

/* Take requests while there are some, and room. Return: how many; an error. */
static int take(struct blk *b)
{
	int taken = 0, ret;

	while (b->live && b->free && taken < (int)RUN_MAX) {
		struct blk_req *r = b->free;

		ret = virtq_peek(&b->vq, &b->view, &r->chain);
		if (!ret) {
			ret = virtq_enable_kicks(&b->vq);
			if (!ret)
				break;
		} else if (ret > 0) {
			ret = virtq_take(&b->vq, r->chain.head);
			if (!ret)
				ret = virtq_disable_kicks(&b->vq);
			if (!ret)
				ret = blk_begin(b, r);
			taken++;
		}
		if (ret < 0)
			return ret;
	}
	return taken;
}

/* Go on with what the backend has done. Return: how many; the first error. */
static int reap(struct blk *b)
{
	struct backend_io *io;
	int done = 0, first = 0;

	while ((io = b->backend->ops->reap(b->backend))) {
		int err = blk_moved(b, (struct blk_req *)io);

		done++;
		if (!first)
			first = err;
	}
	if (done)
		submit_waiting(b);
	return first ? first : done;
}

int blk_run(struct blk *b)
{
	int ret = take(b), done;

	/* Also of a queue that is broken: what is in flight comes back. */
	do {
		done = reap(b);
		if (done < 0 && ret >= 0)
			ret = done;
	} while (done);
	if (ret >= 0 && b->live && b->pushed) {
		b->pushed = false;
		ret = virtq_wants_notify(&b->vq);
	} else if (ret > 0) {
		ret = 0;
	}
	if (ret < 0)
		blk_cancel(b);
	/* Nobody was asked to kick: then it is our turn to look. */
	b->again = b->live && b->free && !b->vq.kicks;
	return ret;
}
