/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk.c - virtio-blk requests (virtio 1.x, 5.2).
 *
 * A request is a chain of descriptors: what the device reads (a header of 16
 * bytes, then data), and what it writes (data, then one status byte). Where one
 * descriptor ends and the next begins means nothing: a cursor walks over each
 * of the two as over one string of bytes.
 *
 * Data is never copied here. gm_iov_extract() turns guest ranges into an iovec,
 * the disk reads or writes through that, and gm_iov_mark() tells the dirty
 * bitmap, if the memory has one, which bytes the kernel has written.
 *
 * Errors: what can be told by a status byte is (IOERR, UNSUPP). A request
 * without a place for that byte can't be answered, and its driver is beyond
 * help: blk_run() fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blk.h"
#include "event.h"
#include "log.h"

/*
 * How long one blk_run() keeps others waiting: requests begun and pieces of them
 * done. No driver is so fast that the loop in server.c does not come round.
 */
#define RUN_MAX			256
#define TAKE_MAX		64	/* of one queue before it is another's turn */
#define PIECE_MAX		(4u << 20)	/* bytes of a request in one go */
#define DRAIN_MAX		1024	/* pieces to finish what is in flight */

/* Enough for BLK_SEG_MAX pieces; whoever sends more is served in several goes. */
#define REQ_IOVS		128

/**
 * struct blk_req - a request
 * @io: its work for the disk; the first member
 * @queue: where it came from
 * @map: the memory it uses, with a reference: until the last byte is moved, the
 *	disk has bare host addresses
 * @view: on @map
 * @chain: its descriptors
 * @out: what is left of the bytes that the device reads
 * @in: what is left of the bytes that the device writes, but for the status
 * @status: where that goes
 * @written: bytes of @in that were written
 * @iov: host addresses for @io
 * @next: in the list of free ones
 */
struct blk_req {
	struct disk_io io;
	struct blk_queue *queue;
	struct gm_map *map;
	struct gm_view view;
	struct chain chain;
	struct gm_iov_cursor out;
	struct gm_iov_cursor in;
	gm_gpa_t status;
	uint32_t written;
	struct iovec iov[REQ_IOVS];
	struct blk_req *next;
};

/* struct virtio_blk_outhdr and virtio_blk_discard_write_zeroes, in types that
 * sparse can check together with the rest.
 */
struct header {
	gm_le32_t type;
	gm_le32_t ioprio;
	gm_le64_t sector;
};

struct segment {
	gm_le64_t sector;
	gm_le32_t sectors;
	gm_le32_t flags;
};

int blk_init(struct blk *b, struct disk *disk, struct stats *stats, unsigned int queues,
	     const char *id)
{
	unsigned int i;

	memset(b, 0, sizeof(*b));
	b->reqs = calloc(disk->depth, sizeof(*b->reqs));
	if (!b->reqs)
		return because(-ENOMEM, "no memory for requests");
	for (i = 0; i < disk->depth; i++) {
		b->reqs[i].next = b->free;
		b->free = &b->reqs[i];
	}
	b->disk = disk;
	b->stats = stats;
	b->queue_count = queues;
	for (i = 0; i < queues; i++)
		b->queues[i].call = -1;
	memcpy(b->id, id, strnlen(id, sizeof(b->id)));
	blk_set_features(b, 0);
	return 0;
}

void blk_exit(struct blk *b)
{
	free(b->reqs);
}

void blk_set_map(struct blk *b, struct gm_map *map)
{
	b->map = map;
	/* Without memory there is nothing to view, and no ring runs. */
	if (map)
		gm_view_init(&b->view, map);
}

static void release(struct blk *b, struct blk_req *r)
{
	gm_map_put(r->map);
	r->next = b->free;
	b->free = r;
}

/* Answer a request. The driver has its buffers back with this. */
static int finish(struct blk *b, struct blk_req *r, uint8_t status)
{
	int err;

	if (status != VIRTIO_BLK_S_OK)
		b->stats->errors++;
	err = gm_view_write(&r->view, r->status, &status, sizeof(status));
	if (err)
		because_gm(err, "status byte");
	else
		err = virtq_push(&r->queue->vq, r->chain.head, r->written + 1);
	r->queue->pushed = true;
	release(b, r);
	return err;
}

static int begin_flush(struct blk *b, struct blk_req *r)
{
	r->io.op = DISK_FLUSH;
	disk_submit(b->disk, &r->io);
	return 0;
}

/* The image has what the driver wanted written. */
static int finish_write(struct blk *b, struct blk_req *r)
{
	return b->write_through ? begin_flush(b, r) : finish(b, r, VIRTIO_BLK_S_OK);
}

/* Move the next bytes of a read or write: all that are left, as a rule. */
static int move(struct blk *b, struct blk_req *r)
{
	bool read = r->io.op == DISK_READ;
	/* A copy: how far the transfer comes is not known yet. */
	struct gm_iov_cursor c = read ? r->in : r->out;
	uint64_t bytes;
	int n;

	n = gm_iov_extract(&r->view, &c, read ? GM_PERM_WRITE : GM_PERM_READ, PIECE_MAX, r->iov,
			   REQ_IOVS, &bytes);
	if (n < 0)
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	if (!n)
		return read ? finish(b, r, VIRTIO_BLK_S_OK) : finish_write(b, r);
	if (b->cancelled) {
		release(b, r);
		return 0;
	}
	if (b->draining) {
		if (!b->drain_left)
			return finish(b, r, VIRTIO_BLK_S_IOERR);
		b->drain_left--;
	}
	r->io.iov = r->iov;
	r->io.iovcnt = n;
	disk_submit(b->disk, &r->io);
	return 0;
}

/* The disk has done what it could. */
static int moved(struct blk *b, struct blk_req *r)
{
	int64_t n = r->io.result;

	b->work++;
	if (n == -EINTR || n == -EAGAIN) {
		disk_submit(b->disk, &r->io);
		return 0;
	}
	if (r->io.op == DISK_FLUSH)
		return finish(b, r, n ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	/* 0: somebody has made the image shorter. */
	if (n <= 0)
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	if (r->io.op == DISK_READ) {
		gm_iov_mark(&r->view, &r->in, (uint64_t)n);
		r->written += (uint32_t)n;
		b->stats->bytes_read += (uint64_t)n;
	} else {
		gm_iov_skip(&r->out, (uint64_t)n);
		b->stats->bytes_written += (uint64_t)n;
	}
	r->io.off += (uint64_t)n;
	return move(b, r);
}

static bool on_disk(const struct blk *b, uint64_t sector, uint64_t sectors)
{
	return sector <= b->disk->sectors && sectors <= b->disk->sectors - sector;
}

static int begin_move(struct blk *b, struct blk_req *r, enum disk_op op, uint64_t sector)
{
	uint64_t len = gm_iov_left(op == DISK_READ ? &r->in : &r->out);

	/* The used ring has 32 bits for a length, with the status byte in it. */
	if (len % SECTOR_SIZE || len > UINT32_MAX - 1 || !on_disk(b, sector, len >> SECTOR_SHIFT))
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	if (op == DISK_WRITE && b->disk->read_only)
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	r->io.op = op;
	r->io.off = sector << SECTOR_SHIFT;
	return move(b, r);
}

static int get_id(struct blk *b, struct blk_req *r)
{
	uint64_t len = gm_iov_left(&r->in);

	if (len > sizeof(b->id))
		len = sizeof(b->id);
	if (!len || gm_iov_write(&r->view, &r->in, b->id, len))
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	r->written = (uint32_t)len;
	return finish(b, r, VIRTIO_BLK_S_OK);
}

/* May this segment be discarded or zeroed? VIRTIO_BLK_S_*. */
static uint8_t check_segment(const struct blk *b, const struct segment *s, bool zero)
{
	uint32_t flags = gm_le32_to_cpu(s->flags);
	uint32_t sectors = gm_le32_to_cpu(s->sectors);

	if (flags & ~(zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
		return VIRTIO_BLK_S_UNSUPP;
	if (sectors > (zero ? BLK_ZERO_MAX : BLK_DISCARD_MAX) ||
	    !on_disk(b, gm_le64_to_cpu(s->sector), sectors))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static uint8_t do_segment(const struct blk *b, const struct segment *s, bool zero)
{
	uint64_t off = gm_le64_to_cpu(s->sector) << SECTOR_SHIFT;
	uint64_t len = (uint64_t)gm_le32_to_cpu(s->sectors) << SECTOR_SHIFT;
	int err;

	if (zero)
		err = disk_write_zeroes(b->disk, off, len, gm_le32_to_cpu(s->flags) &
					VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	else
		err = disk_discard(b->disk, off, len);
	if (err == -EOPNOTSUPP)
		return VIRTIO_BLK_S_UNSUPP;
	return err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* Discard, or write zeroes: its data is a list of segments. */
static int do_segments(struct blk *b, struct blk_req *r, bool zero)
{
	struct segment segments[BLK_SEGMENTS_MAX];
	uint64_t len = gm_iov_left(&r->out);
	uint8_t status = VIRTIO_BLK_S_OK;
	size_t i, count = len / sizeof(segments[0]);

	if (!len || len > sizeof(segments) || len % sizeof(segments[0]) || b->disk->read_only)
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	/* One copy is checked and used: the guest can change its own meanwhile. */
	if (gm_iov_read(&r->view, &r->out, segments, len))
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	/* Half a gigabyte to zero can be a lot of work: enough for one run. */
	b->work += RUN_MAX;
	for (i = 0; i < count && status == VIRTIO_BLK_S_OK; i++)
		status = check_segment(b, &segments[i], zero);
	for (i = 0; i < count && status == VIRTIO_BLK_S_OK; i++)
		status = do_segment(b, &segments[i], zero);
	return status == VIRTIO_BLK_S_OK ? finish_write(b, r) : finish(b, r, status);
}

static int dispatch(struct blk *b, struct blk_req *r, uint32_t type, uint64_t sector)
{
	switch (type) {
	case VIRTIO_BLK_T_IN:
		b->stats->reads++;
		return begin_move(b, r, DISK_READ, sector);
	case VIRTIO_BLK_T_OUT:
		b->stats->writes++;
		return begin_move(b, r, DISK_WRITE, sector);
	case VIRTIO_BLK_T_FLUSH:
		b->stats->flushes++;
		return begin_flush(b, r);
	case VIRTIO_BLK_T_DISCARD:
		b->stats->discards++;
		return do_segments(b, r, false);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		b->stats->write_zeroes++;
		return do_segments(b, r, true);
	case VIRTIO_BLK_T_GET_ID:
		return get_id(b, r);
	}
	return finish(b, r, VIRTIO_BLK_S_UNSUPP);
}

/* Find the status byte, the last one that the device may write. */
static int split_status(struct blk_req *r)
{
	struct chain *c = &r->chain;
	struct gm_range *last;
	int err;

	if (c->count == c->readable)
		return because(-EPROTO, "a request without room for its status");
	last = &c->ranges[c->count - 1];
	last->len--;
	if (gm_gpa_add(last->gpa, last->len, &r->status))
		return because(-EPROTO, "a status byte past the end of memory");
	err = gm_view_check_range(&r->view, r->status, 1, GM_PERM_WRITE);
	return err ? because_gm(err, "status byte") : 0;
}

/* A request has come into @r->chain, the first of the free ones. */
static int begin(struct blk *b, struct blk_req *r, unsigned int index)
{
	struct chain *c = &r->chain;
	struct header h;
	int err;

	b->work++;
	b->stats->requests++;
	b->stats->queue_requests[index]++;
	stats_ranges(b->stats, c->ranges, c->count);
	b->free = r->next;
	r->queue = &b->queues[index];
	r->map = gm_map_get(b->map);
	gm_view_init(&r->view, r->map);
	r->written = 0;
	err = split_status(r);
	if (!err)
		err = gm_iov_init(&r->out, c->ranges, c->readable);
	if (!err)
		err = gm_iov_init(&r->in, c->ranges + c->readable, c->count - c->readable);
	if (err) {
		release(b, r);
		return err;
	}
	if (gm_iov_read(&r->view, &r->out, &h, sizeof(h)))
		return finish(b, r, VIRTIO_BLK_S_IOERR);
	return dispatch(b, r, gm_le32_to_cpu(h.type), gm_le64_to_cpu(h.sector));
}

/* Take requests while there are some, and room. Return: how many; an error. */
static int take(struct blk *b, unsigned int index)
{
	struct blk_queue *q = &b->queues[index];
	int taken = 0, ret;

	while (q->live && b->free && taken < TAKE_MAX && b->work < RUN_MAX) {
		struct blk_req *r = b->free;

		ret = virtq_pop(&q->vq, &b->view, &r->chain);
		if (!ret) {
			ret = virtq_enable_kicks(&q->vq);
			if (!ret)
				break;
		} else if (ret > 0) {
			ret = virtq_disable_kicks(&q->vq);
			if (!ret)
				ret = begin(b, r, index);
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
		int err = moved(b, (struct blk_req *)io);

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
			ret = take(b, (b->turn + i) % b->queue_count);
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

int blk_finish_left(struct blk *b, struct blk_queue *q)
{
	int ret = 0;

	/* Each turn begins one at least, since all that it may have to wait for
	 * is room.
	 */
	while (ret >= 0 && q->live && inflight_has_left(&q->vq.inflight)) {
		ret = blk_run(b);
		blk_drain(b);
	}
	return ret < 0 ? ret : 0;
}

void blk_cancel(struct blk *b)
{
	b->cancelled = true;
	blk_drain(b);
	b->cancelled = false;
}
