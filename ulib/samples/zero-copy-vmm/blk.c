/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk.c - virtio-blk requests (virtio 1.x, 5.2).
 *
 * A request is a chain of descriptors: what the device reads (a header of 16 bytes,
 * then data), and what it writes (data, then one status byte). Where one descriptor
 * ends and the next begins means nothing.
 *
 * The chain is a copy that the guest can't change. That its ranges are memory is not
 * known and not asked: whoever moves the data finds out, once, and says -EFAULT.
 *
 * Errors: what can be told by a status byte is. A request without a place for that
 * byte can't be answered: its driver has lost its mind, and the device needs a reset.
 */
#include <errno.h>
#include <string.h>

#include "../virtio/reason.h"
#include "../virtio/status.h"
#include "blk_request.h"

static const char blk_id[VIRTIO_BLK_ID_BYTES] = "guestmem-zero-copy";

/* struct virtio_blk_outhdr in types that sparse can check. */
struct header {
	gm_le32_t type;
	gm_le32_t ioprio;
	gm_le64_t sector;
};

void blk_release(struct blk *b, struct blk_req *r)
{
	b->in_flight--;
	r->next = b->free;
	b->free = r;
}

static int finish(struct blk *b, struct blk_req *r, uint8_t status)
{
	int err = 0;

	if (status != VIRTIO_BLK_S_OK)
		b->errors++;
	if (!b->cancelled) {
		err = gm_slice_write(r->status, 0, &status, sizeof(status));
		if (err)
			because_gm(err, "status byte");
		else
			err = virtq_push(&b->vq, r->chain.head, r->written + 1);
		b->pushed = true;
	}
	blk_release(b, r);
	return err;
}

/*
 * The ranges of the next piece: as many as the backend takes at once. The last one is
 * cut where that ends; what is left of it comes back after the piece.
 */
static void cut_piece(struct blk_req *r, uint64_t max)
{
	struct gm_range *range = &r->chain.ranges[r->first];
	uint64_t bytes = 0;
	size_t n = 0;

	r->rest.len = 0;
	while (r->first + n < r->end && bytes < max) {
		if (range[n].len > max - bytes) {
			r->rest.len = range[n].len - (max - bytes);
			range[n].len = max - bytes;
			/* Past 2^64 it won't come: the piece before it fails. */
			r->rest.gpa = gm_gpa_add_unchecked(range[n].gpa, range[n].len);
		}
		bytes += range[n++].len;
	}
	/* It can't overflow: it is part of a sum that did not. */
	gm_iov_init(&r->piece, range, n);
	r->first += (unsigned int)n;
	if (r->rest.len)
		r->first--;
}

static int begin_flush(struct blk *b, struct blk_req *r)
{
	r->io.op = BACKEND_FLUSH;
	blk_submit(b, r);
	return 0;
}

static int move_next(struct blk *b, struct blk_req *r)
{
	if (b->cancelled) {
		blk_release(b, r);
		return 0;
	}
	if (!r->left) {
		if (r->io.op == BACKEND_WRITE && b->write_through)
			return begin_flush(b, r);
		return finish(b, r, VIRTIO_BLK_S_OK);
	}
	cut_piece(r, b->backend->max_bytes);
	r->io.data = r->piece;
	blk_submit(b, r);
	return 0;
}

int blk_moved(struct blk *b, struct blk_req *r)
{
	uint64_t bytes = gm_iov_left(&r->piece);

	if (r->io.op == BACKEND_FLUSH)
		return finish(b, r, r->io.result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	/* Here for each backend, and only now: a log that was taken meanwhile would have
	 * told of the page before its bytes were there. After an error nobody knows how far
	 * it came, and a driver that has reset the disk finds them, too.
	 */
	if (r->io.op == BACKEND_READ)
		gm_iov_mark(&b->view, &r->piece, bytes);
	if (r->io.result)
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	if (r->io.op == BACKEND_READ)
		r->written += (uint32_t)bytes;
	r->left -= bytes;
	r->io.sector += bytes >> SECTOR_SHIFT;
	if (r->rest.len)
		r->chain.ranges[r->first] = r->rest;
	return move_next(b, r);
}

static bool on_disk(const struct blk *b, uint64_t sector, uint64_t sectors)
{
	return sector <= b->backend->sectors && sectors <= b->backend->sectors - sector;
}

static int begin_move(struct blk *b, struct blk_req *r, enum backend_op op, uint64_t sector)
{
	uint32_t block = b->backend->block_size;

	/*
	 * Of a request that comes in pieces the first ones would be moved before the backend
	 * sees that the last is no whole block. The used ring has 32 bits for a length, with
	 * the status byte in it.
	 */
	if (r->left % block || sector % (block >> SECTOR_SHIFT) ||
	    r->left > UINT32_MAX - 1 || !on_disk(b, sector, r->left >> SECTOR_SHIFT))
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	r->io.op = op;
	r->io.sector = sector;
	return move_next(b, r);
}

static int get_id(struct blk *b, struct blk_req *r, struct gm_iov_cursor *in)
{
	uint64_t len = gm_iov_left(in);

	if (len > sizeof(blk_id))
		len = sizeof(blk_id);
	if (!len || gm_iov_write(&b->view, in, blk_id, len))
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	r->written = (uint32_t)len;
	return finish(b, r, VIRTIO_BLK_S_OK);
}

/* Data is what is behind the cursor, up to range @end. */
static void set_data(struct blk_req *r, const struct gm_iov_cursor *c, size_t begin, size_t end)
{
	struct gm_range *range;

	r->first = (unsigned int)(begin + c->index);
	r->end = (unsigned int)end;
	r->left = gm_iov_left(c);
	if (!r->left)
		return;
	range = &r->chain.ranges[r->first];
	range->gpa = gm_gpa_add_unchecked(range->gpa, c->off);
	range->len -= c->off;
}

static int dispatch(struct blk *b, struct blk_req *r, const struct header *h,
		    struct gm_iov_cursor *out, struct gm_iov_cursor *in)
{
	const struct chain *c = &r->chain;

	switch (gm_le32_to_cpu(h->type)) {
	case VIRTIO_BLK_T_IN:
		set_data(r, in, c->readable, c->count);
		return begin_move(b, r, BACKEND_READ, gm_le64_to_cpu(h->sector));
	case VIRTIO_BLK_T_OUT:
		set_data(r, out, 0, c->readable);
		return begin_move(b, r, BACKEND_WRITE, gm_le64_to_cpu(h->sector));
	case VIRTIO_BLK_T_FLUSH:
		return begin_flush(b, r);
	case VIRTIO_BLK_T_GET_ID:
		return get_id(b, r, in);
	}
	return finish(b, r, VIRTIO_BLK_S_UNSUPP);
}

int blk_begin(struct blk *b, struct blk_req *r)
{
	const struct chain *c = &r->chain;
	struct gm_iov_cursor out, in;
	struct header h;
	int err;

	b->requests++;
	b->in_flight++;
	b->free = r->next;
	r->io.view = &b->view;
	r->written = 0;
	err = chain_split_status(&r->chain, &b->view, &r->status);
	if (!err)
		err = gm_iov_init(&out, c->ranges, c->readable);
	if (!err)
		err = gm_iov_init(&in, c->ranges + c->readable, c->count - c->readable);
	if (err) {
		blk_release(b, r);
		return err;
	}
	/* Once: what the guest writes there from now on changes nothing. */
	if (gm_iov_read(&b->view, &out, &h, sizeof(h)))
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	return dispatch(b, r, &h, &out, &in);
}
