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

#include "../virtio/status.h"
#include "blk_request.h"
#include "log.h"

/* Bytes of a request in one go */
#define PIECE_MAX		(4u << 20)

/* Pieces of memory that a request behind an IOMMU may be in: 64 MiB of single pages,
 * more than any driver sends. One that sends as much all the time costs us 32 MiB.
 */
#define PLACES_MAX		(1u << 14)

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

int blk_init(struct blk *b, struct disk *disk, struct stats *stats, struct viommu *viommu,
	     unsigned int queues, const char *id)
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
	b->viommu = viommu;
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
		viommu_view(b->viommu, &b->view, map);
}

void blk_release(struct blk *b, struct blk_req *r)
{
	gm_map_put(r->map);
	r->map = NULL;
	free(r->places);
	r->places = NULL;
	r->next = b->free;
	b->free = r;
}

int blk_finish(struct blk *b, struct blk_req *r, uint8_t status)
{
	int err;

	if (status != VIRTIO_BLK_S_OK)
		b->stats->errors++;
	err = gm_slice_write(r->status, 0, &status, sizeof(status));
	if (err)
		because_gm(err, "status byte");
	else
		err = virtq_push(&r->queue->vq, r->chain.head, r->written + 1);
	r->queue->pushed = true;
	blk_release(b, r);
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
	return b->write_through ? begin_flush(b, r) : blk_finish(b, r, VIRTIO_BLK_S_OK);
}

static int resolve_ranges(struct blk *b, const struct chain *c)
{
	int first = 0;
	uint16_t i;

	for (i = 0; i < c->count; i++) {
		int err = viommu_resolve(b->viommu, &c->ranges[i],
					 i < c->readable ? GM_PERM_READ : GM_PERM_WRITE);

		if (err && err != -EAGAIN)
			return err;
		if (err)
			first = err;
	}
	return first;
}

/* A request that is to fail needs the place for its status all the same. */
static int resolve_status(struct blk *b, const struct chain *c)
{
	struct gm_range byte;

	if (c->count == c->readable)
		return 0;
	byte = c->ranges[c->count - 1];
	/* What is past the end of memory, chain_split_status() refuses. */
	byte.gpa = gm_gpa_add_unchecked(byte.gpa, byte.len - 1);
	byte.len = 1;
	return viommu_resolve(b->viommu, &byte, GM_PERM_WRITE);
}

int blk_resolve(struct blk *b, const struct chain *c)
{
	int status = resolve_status(b, c);
	int ranges = resolve_ranges(b, c);

	return status ? status : ranges;
}

int blk_move(struct blk *b, struct blk_req *r)
{
	bool read = r->io.op == DISK_READ;
	/* A copy: how far the transfer comes is not known yet. */
	struct gm_iov_cursor c = read ? r->in : r->out;
	uint64_t bytes;
	int n;

	n = gm_iov_extract(&r->view, &c, read ? GM_PERM_WRITE : GM_PERM_READ, PIECE_MAX, r->iov,
			   REQ_IOVS, &bytes);
	if (n < 0)
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	if (!n)
		return read ? blk_finish(b, r, VIRTIO_BLK_S_OK) : finish_write(b, r);
	if (b->cancelled) {
		blk_release(b, r);
		return 0;
	}
	if (b->draining) {
		if (!b->drain_left)
			return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
		b->drain_left--;
	}
	r->io.iov = r->iov;
	r->io.iovcnt = n;
	disk_submit(b->disk, &r->io);
	return 0;
}

int blk_moved(struct blk *b, struct blk_req *r)
{
	int64_t n = r->io.result;

	b->work++;
	if (n == -EINTR || n == -EAGAIN) {
		disk_submit(b->disk, &r->io);
		return 0;
	}
	if (r->io.op == DISK_FLUSH)
		return blk_finish(b, r, n ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	/* 0: somebody has made the image shorter. */
	if (n <= 0)
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	if (r->io.op == DISK_READ) {
		gm_iov_mark(&r->view, &r->in, (uint64_t)n);
		r->written += (uint32_t)n;
		b->stats->bytes_read += (uint64_t)n;
	} else {
		gm_iov_skip(&r->out, (uint64_t)n);
		b->stats->bytes_written += (uint64_t)n;
	}
	r->io.off += (uint64_t)n;
	return blk_move(b, r);
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
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	if (op == DISK_WRITE && b->disk->read_only)
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	r->io.op = op;
	r->io.off = sector << SECTOR_SHIFT;
	return blk_move(b, r);
}

static int get_id(struct blk *b, struct blk_req *r)
{
	uint64_t len = gm_iov_left(&r->in);

	if (len > sizeof(b->id))
		len = sizeof(b->id);
	if (!len || gm_iov_write(&r->view, &r->in, b->id, len))
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	r->written = (uint32_t)len;
	return blk_finish(b, r, VIRTIO_BLK_S_OK);
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
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	/* One copy is checked and used: the guest can change its own meanwhile. */
	if (gm_iov_read(&r->view, &r->out, segments, len))
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	/* Half a gigabyte to zero can be a lot of work: enough for one run. */
	b->work += RUN_MAX;
	for (i = 0; i < count && status == VIRTIO_BLK_S_OK; i++)
		status = check_segment(b, &segments[i], zero);
	for (i = 0; i < count && status == VIRTIO_BLK_S_OK; i++)
		status = do_segment(b, &segments[i], zero);
	return status == VIRTIO_BLK_S_OK ? finish_write(b, r) : blk_finish(b, r, status);
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
	return blk_finish(b, r, VIRTIO_BLK_S_UNSUPP);
}

/* Room for more places, twice as many. */
static int grow(struct blk_req *r, uint32_t *room)
{
	uint32_t more = *room ? *room * 2 : r->chain.count + 64u;
	struct gm_range *p;

	if (*room == PLACES_MAX)
		return because(-E2BIG, "a request in more than %u pieces", PLACES_MAX);
	if (more > PLACES_MAX)
		more = PLACES_MAX;
	p = realloc(r->places, more * sizeof(*p));
	if (!p)
		return because(-ENOMEM, "no memory for a request's translations");
	r->places = p;
	*room = more;
	return 0;
}

/* @done places of @room are in use. Return: 0; an error. */
static int locate_range(struct blk *b, struct blk_req *r, unsigned int i, uint32_t *done,
			uint32_t *room)
{
	enum gm_perm perm = i < r->chain.readable ? GM_PERM_READ : GM_PERM_WRITE;
	struct gm_range left = r->chain.ranges[i];

	while (left.len) {
		struct gm_range *place;
		int err = *done == *room ? grow(r, room) : 0;

		if (err)
			return err;
		place = &r->places[(*done)++];
		err = viommu_lookup(b->viommu, &left, perm, place);
		if (err)
			return err;
		/* All of the range is below 2^64, or nothing of it would be found. */
		left.gpa = gm_gpa_add_unchecked(left.gpa, place->len);
		left.len -= place->len;
	}
	return 0;
}

/*
 * Where the request is in guest memory, once and for all. The IOTLB may lose any
 * translation to make room for others, while this request is under way; but a
 * translation is true until the front-end takes it back, and then forget() in
 * backend.c waits for who uses it. So a request that has begun needs nobody's answer
 * to come to its end, whatever waits for that.
 */
static int locate(struct blk *b, struct blk_req *r)
{
	const struct chain *c = &r->chain;
	uint32_t done = 0, readable = 0, room = 0;
	int err = grow(r, &room);
	unsigned int i;

	for (i = 0; i < c->count && !err; i++) {
		err = locate_range(b, r, i, &done, &room);
		if (i < c->readable)
			readable = done;
	}
	if (err)
		return err;
	gm_view_init(&r->view, r->map);
	err = gm_iov_init(&r->out, r->places, readable);
	return err ? err : gm_iov_init(&r->in, r->places + readable, done - readable);
}

/* Return: 0; 1 it is to fail, and that can be told; an error. */
static int find_memory(struct blk *b, struct blk_req *r)
{
	const struct chain *c = &r->chain;
	int err = chain_split_status(&r->chain, &r->view, &r->status);

	if (err)
		return err;
	/* To look for it would ask again, and with few slots be in the way of others. */
	if (r->denied)
		return 1;
	if (b->viommu->on)
		return locate(b, r) ? 1 : 0;
	err = gm_iov_init(&r->out, c->ranges, c->readable);
	return err ? err : gm_iov_init(&r->in, c->ranges + c->readable, c->count - c->readable);
}

int blk_begin(struct blk *b, struct blk_req *r, unsigned int index)
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
	viommu_view(b->viommu, &r->view, r->map);
	r->written = 0;
	err = find_memory(b, r);
	if (err < 0) {
		blk_release(b, r);
		return err;
	}
	if (err || gm_iov_read(&r->view, &r->out, &h, sizeof(h)))
		return blk_finish(b, r, VIRTIO_BLK_S_IOERR);
	return dispatch(b, r, gm_le32_to_cpu(h.type), gm_le64_to_cpu(h.sector));
}
