/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_command.c - requests as commands.
 *
 * A request is as many bytes of guest memory as blocks of the medium; how the memory is
 * scattered is the guest's affair, what one command can express the controller's. So a
 * command takes as many blocks as it can, from where the last one has ended. If it can't
 * take one, that block is copied through a buffer of the driver's.
 */
#include <errno.h>

#include "backend_nvme.h"

/* Pieces of guest memory that one command looks at. */
#define SEGS 64

static struct nvme_slot *next_slot(struct nvme_disk *d)
{
	return &d->slots[nvme_queue_next_id(&d->nvme.io)];
}

/* From here on it is in flight. */
static void send(struct nvme_disk *d, struct nvme_request *r, struct nvme_command *command)
{
	static const uint8_t opcodes[] = {
		[BACKEND_READ] = NVME_READ,
		[BACKEND_WRITE] = NVME_WRITE,
		[BACKEND_FLUSH] = NVME_FLUSH,
	};
	struct nvme_slot *slot = next_slot(d);
	uint64_t blocks = slot->bytes / d->nvme.block_size;
	uint64_t first = r->sector / (d->nvme.block_size / SECTOR_SIZE);

	command->opcode = opcodes[r->io->op];
	command->nsid = gm_cpu_to_le32(d->nvme.nsid);
	if (blocks) {
		command->cdw10 = gm_cpu_to_le32((uint32_t)first);
		command->cdw11 = gm_cpu_to_le32((uint32_t)(first >> 32));
		command->cdw12 = gm_cpu_to_le32((uint32_t)(blocks - 1));
	}
	r->sector += slot->bytes / SECTOR_SIZE;
	r->commands++;
	slot->request = r;
	slot->since = DISK_JUST_NOW;
	slot->late = false;
	slot->aborted = false;
	nvme_queue_put(&d->nvme.io, command);
}

/* How much must be copied: up to the first block that a command can take as it is. */
static uint64_t copy_bytes(struct nvme_disk *d, struct nvme_request *r, uint64_t most)
{
	uint32_t block = d->nvme.block_size;
	struct gm_iov_cursor at = r->io->data;
	struct gm_dma_seg segs[SEGS];
	uint64_t n = block, got;
	int count;

	if (d->bounce)
		return most;
	for (; n < most; n += block) {
		if (gm_iov_skip(&at, block))
			break;
		struct gm_iov_cursor look = at;

		count = gm_dma_extract(d->dma, &look, r->perm, block, segs, SEGS, &got);
		if (count < 0 || (got == block && nvme_prp_fit(segs, count, block, block)))
			break;
	}
	return n;
}

/* Through the slot's buffer. */
static int send_copied(struct nvme_disk *d, struct nvme_request *r)
{
	struct nvme_slot *slot = next_slot(d);
	uint64_t left = gm_iov_left(&r->io->data);
	struct nvme_command command = { 0 };
	struct gm_dma_seg seg = { .address = slot->buffer.address };
	struct nvme_data data = { .segs = &seg, .perm = r->perm, .cls = NVME_BUFFER };
	int ret;

	seg.len = left < slot->buffer.len ? left : slot->buffer.len;
	seg.len = nvme_prp_fit(&seg, 1, d->nvme.max_bytes, d->nvme.block_size);
	seg.len = copy_bytes(d, r, seg.len);
	data.bytes = seg.len;
	ret = nvme_prp_build(&d->nvme.guard, &data, &slot->list, &command);
	if (ret)
		return ret;
	slot->at = r->io->data;
	if (r->perm == GM_PERM_READ) {
		ret = gm_iov_read(r->io->view, &r->io->data, slot->buffer.host, seg.len);
		d->base.stats.copied += ret ? 0 : seg.len;
	} else {
		ret = gm_iov_skip(&r->io->data, seg.len);
	}
	if (ret)
		return ret;
	slot->bytes = seg.len;
	slot->copied = true;
	send(d, r, &command);
	return 0;
}

/* By the guest's own memory. */
static int send_direct(struct nvme_disk *d, struct nvme_request *r,
		       const struct gm_dma_seg *segs, uint64_t bytes)
{
	struct nvme_slot *slot = next_slot(d);
	struct nvme_command command = { 0 };
	const struct nvme_data data = {
		.segs = segs,
		.bytes = bytes,
		.perm = r->perm,
		.cls = NVME_GUEST,
	};
	int ret;

	ret = nvme_prp_build(&d->nvme.guard, &data, &slot->list, &command);
	if (ret)
		return ret;
	slot->at = r->io->data;
	ret = gm_iov_skip(&r->io->data, bytes);
	if (ret)
		return ret;
	slot->bytes = bytes;
	slot->copied = false;
	send(d, r, &command);
	return 0;
}

int nvme_command_send(struct nvme_disk *d, struct nvme_request *r)
{
	struct gm_iov_cursor look = r->io->data;
	struct nvme_command flush = { 0 };
	struct gm_dma_seg segs[SEGS];
	uint64_t bytes;
	int n;

	if (r->io->op == BACKEND_FLUSH) {
		next_slot(d)->bytes = 0;
		next_slot(d)->copied = false;
		send(d, r, &flush);
		return 0;
	}
	if (d->bounce)
		return send_copied(d, r);
	n = gm_dma_extract(d->dma, &look, r->perm, d->nvme.max_bytes, segs, SEGS, &bytes);
	if (n < 0)
		return n;
	bytes = nvme_prp_fit(segs, n, bytes, d->nvme.block_size);
	return bytes ? send_direct(d, r, segs, bytes) : send_copied(d, r);
}

int nvme_command_finish(struct nvme_disk *d, struct nvme_slot *slot, int err)
{
	struct backend_io *io = slot->request->io;

	/* What the controller has written itself is marked by who gave the request. */
	if (err || io->op != BACKEND_READ || !slot->copied)
		return err;
	err = gm_iov_write(io->view, &slot->at, slot->buffer.host, slot->bytes);
	d->base.stats.copied += err ? 0 : slot->bytes;
	return err;
}
