/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_request.c - requests, from submission to the end.
 *
 * Whatever is wrong with a request is found before the first of its commands is sent. A
 * request is done when none of its commands is in flight any more: its memory is the
 * guest's again. Completions come in any order.
 */
#include <errno.h>

#include "backend_nvme.h"

#define SEGS 64

void nvme_disk_init_requests(struct nvme_disk *d)
{
	size_t i;

	for (i = 0; i < DISK_REQUESTS; i++) {
		d->requests[i].next = d->idle;
		d->idle = &d->requests[i];
	}
}

static void finish(struct nvme_disk *d, struct nvme_request *r)
{
	struct backend_io *io = r->io;

	io->result = r->result;
	io->next = NULL;
	if (d->done)
		d->done_last->next = io;
	else
		d->done = io;
	d->done_last = io;
	d->base.stats.requests++;
	if (!r->result)
		d->base.stats.bytes += r->bytes;
	r->io = NULL;
	r->next = d->idle;
	d->idle = r;
}

/* Of the library's errors, what the interface has: an address is none, or not for this. */
static int address_error(int err)
{
	return err == -EACCES || err == -ENOMEM ? err : -EFAULT;
}

/* Is all of it memory that may be accessed so? By copies: for the CPU. */
static int check_copied(struct nvme_request *r)
{
	const struct gm_iov_cursor *c = &r->io->data;
	size_t i;
	int ret;

	for (i = c->index; i < c->count; i++) {
		ret = gm_view_check_range(r->io->view, c->ranges[i].gpa, c->ranges[i].len,
					  r->perm);
		if (ret)
			return address_error(ret);
	}
	return 0;
}

/* For the controller. */
static int check_direct(struct nvme_disk *d, struct nvme_request *r)
{
	struct gm_iov_cursor c = r->io->data;
	struct gm_dma_seg segs[SEGS];
	uint64_t bytes;
	int n;

	while (gm_iov_left(&c)) {
		n = gm_dma_extract(d->dma, &c, r->perm, UINT64_MAX, segs, SEGS, &bytes);
		if (n < 0)
			return address_error(n);
	}
	return 0;
}

static int check(struct nvme_disk *d, struct nvme_request *r)
{
	uint64_t block = d->nvme.block_size, len = r->bytes, first = r->sector;

	if (d->dead)
		return d->dead;
	if (r->io->op == BACKEND_FLUSH)
		return 0;
	if (r->io->op != BACKEND_READ && r->io->op != BACKEND_WRITE)
		return -EINVAL;
	if (len > d->base.max_bytes || len % block || first % (block / SECTOR_SIZE) ||
	    first > d->base.sectors || len / SECTOR_SIZE > d->base.sectors - first)
		return -EINVAL;
	/* The guest's memory is addressed as it is mapped: there is no IOMMU in between. */
	if (!gm_view_map(r->io->view))
		return -EOPNOTSUPP;
	return d->bounce ? check_copied(r) : check_direct(d, r);
}

/* Send what can be sent, oldest request first. */
static void advance(struct nvme_disk *d)
{
	struct nvme_queue *q = &d->nvme.io;
	struct nvme_request *r;

	while (!d->dead && !d->trouble && d->pending && nvme_queue_in_flight(q) < d->commands) {
		r = d->pending;
		if (!r->result)
			r->result = nvme_command_send(d, r);
		if (!r->result && r->io->op != BACKEND_FLUSH && gm_iov_left(&r->io->data))
			continue;
		d->pending = r->next;
		r->sent = true;
		if (!r->commands)
			finish(d, r);
	}
	nvme_queue_ring(q);
}

int nvme_disk_submit(struct backend *b, struct backend_io *io)
{
	struct nvme_disk *d = (struct nvme_disk *)b;
	struct nvme_request *r = d->idle;

	if (!r)
		return -EBUSY;
	d->idle = r->next;
	*r = (struct nvme_request) {
		.io = io,
		.perm = io->op == BACKEND_READ ? GM_PERM_WRITE : GM_PERM_READ,
		.data = io->data,
		.sector = io->sector,
		.bytes = io->op == BACKEND_FLUSH ? 0 : gm_iov_left(&io->data),
	};
	r->result = check(d, r);
	if (r->result || (!r->bytes && io->op != BACKEND_FLUSH)) {
		finish(d, r);
		return 0;
	}
	if (d->pending)
		d->last->next = r;
	else
		d->pending = r;
	d->last = r;
	advance(d);
	return 0;
}

static void command_done(struct nvme_disk *d, struct nvme_slot *slot, int err)
{
	struct nvme_request *r = slot->request;

	err = nvme_command_finish(d, slot, err);
	slot->request = NULL;
	if (!r->result)
		r->result = err;
	r->commands--;
	if (r->sent && !r->commands)
		finish(d, r);
}

void nvme_disk_fail(struct nvme_disk *d, int err)
{
	struct nvme_request *r;
	size_t i;

	d->dead = err;
	for (r = d->pending; r; r = r->next)
		r->sent = true;
	for (i = 0; i < NVME_QUEUE_MAX; i++)
		if (d->slots[i].request)
			command_done(d, &d->slots[i], err);
	/* Those of which no command was sent. */
	for (i = 0; i < DISK_REQUESTS; i++) {
		r = &d->requests[i];
		if (!r->io)
			continue;
		r->result = err;
		finish(d, r);
	}
	d->pending = NULL;
}

static void rewind_request(struct nvme_request *r)
{
	r->io->data = r->data;
	r->sector = r->io->sector;
	r->sent = false;
}

/* It was sent as a whole, and goes before those that were not. */
static void send_again(struct nvme_disk *d, struct nvme_request *r)
{
	rewind_request(r);
	r->next = d->pending;
	if (!d->pending)
		d->last = r;
	d->pending = r;
}

void nvme_disk_again(struct nvme_disk *d)
{
	struct nvme_request *r;
	size_t i;

	for (i = 0; i < NVME_QUEUE_MAX; i++) {
		struct nvme_slot *slot = &d->slots[i];

		r = slot->request;
		if (!r)
			continue;
		slot->request = NULL;
		r->commands--;
		if (slot->late && !r->result)
			r->result = -ETIMEDOUT;
	}
	for (r = d->pending; r; r = r->next)
		rewind_request(r);
	/* A block that is written or read twice is the same: the guest was told of none. */
	for (i = 0; i < DISK_REQUESTS; i++) {
		r = &d->requests[i];
		if (!r->io || !r->sent)
			continue;
		if (r->result)
			finish(d, r);
		else
			send_again(d, r);
	}
	advance(d);
}

static void poll_queue(struct nvme_disk *d)
{
	struct nvme_done done;
	unsigned int taken = 0;
	int ret;

	while ((ret = nvme_queue_take(&d->nvme.io, &done)) > 0) {
		taken++;
		command_done(d, &d->slots[done.id], nvme_status_error(done.status));
	}
	if (ret < 0) {
		/* Whoever writes such a thing may be writing anywhere. */
		nvme_disk_trouble(d, -EIO);
		return;
	}
	if (!taken) {
		nvme_disk_look(d);
		return;
	}
	nvme_queue_taken(&d->nvme.io);
	advance(d);
}

struct backend_io *nvme_disk_reap(struct backend *b)
{
	struct nvme_disk *d = (struct nvme_disk *)b;
	struct backend_io *io;

	if (!d->done && !d->dead && !d->trouble)
		poll_queue(d);
	/* What came between that look and this one has no other interrupt. */
	if (!d->done && !d->dead && !d->trouble && nvme_bar_interrupted(&d->nvme.bar))
		poll_queue(d);
	io = d->done;
	if (io)
		d->done = io->next;
	return io;
}
