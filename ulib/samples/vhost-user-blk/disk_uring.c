/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * disk_uring.c - the engine "uring": many requests in flight through io_uring.
 *
 * While a request is in flight the kernel holds addresses of guest memory that
 * no bounds check of ours will see again. What makes that safe is above this
 * file: the request holds a reference to the map (blk.c), and nothing is in
 * flight any more when the front-end is told that memory or a ring is its own
 * again (backend.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "log.h"

#ifdef GM_HAVE_URING

#include <liburing.h>

#define DEPTH 128

int uring_open(struct disk *d)
{
	struct io_uring *ring = calloc(1, sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	/* Built in is not enough: the kernel may lack it, or forbid it to us. */
	err = io_uring_queue_init(DEPTH, ring, 0);
	if (err) {
		free(ring);
		return err;
	}
	d->ring = ring;
	d->depth = DEPTH;
	return 0;
}

void uring_close(struct disk *d)
{
	io_uring_queue_exit(d->ring);
	free(d->ring);
	d->ring = NULL;
}

/* False: no room in the ring, which an unlucky uring_start() can leave full. */
bool uring_submit(struct disk *d, struct disk_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(d->ring);

	if (!sqe)
		return false;
	if (io->op == DISK_READ)
		io_uring_prep_readv(sqe, d->fd, io->iov, (unsigned int)io->iovcnt, io->off);
	else if (io->op == DISK_WRITE)
		io_uring_prep_writev(sqe, d->fd, io->iov, (unsigned int)io->iovcnt, io->off);
	else
		io_uring_prep_fsync(sqe, d->fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data(sqe, io);
	return true;
}

/* What can't be submitted now, stays in the ring for the next time. */
static bool is_transient(int err)
{
	return err == -EINTR || err == -EAGAIN || err == -EBUSY || err == -ENOMEM;
}

/* The ring has requests that will never be answered: the process is of no use. */
static void broken(int err)
{
	log_line("io_uring fails: %s", strerror(-err));
	exit(1);
}

void uring_start(struct disk *d)
{
	int ret = io_uring_sq_ready(d->ring) ? io_uring_submit(d->ring) : 0;

	if (ret < 0 && !is_transient(ret))
		broken(ret);
}

struct disk_io *uring_reap(struct disk *d)
{
	struct io_uring_cqe *cqe;
	struct disk_io *io;

	if (io_uring_peek_cqe(d->ring, &cqe))
		return NULL;
	io = io_uring_cqe_get_data(cqe);
	io->result = cqe->res;
	io_uring_cqe_seen(d->ring, cqe);
	return io;
}

void uring_wait(struct disk *d)
{
	int ret = io_uring_submit_and_wait(d->ring, 1);

	if (ret < 0 && !is_transient(ret))
		broken(ret);
}

int uring_poll_fd(const struct disk *d)
{
	return d->ring->ring_fd;
}

#else /* GM_HAVE_URING */

int uring_open(struct disk *d)
{
	(void)d;
	return -ENOSYS;
}

void uring_close(struct disk *d)
{
	(void)d;
}

bool uring_submit(struct disk *d, struct disk_io *io)
{
	(void)d;
	(void)io;
	return false;
}

void uring_start(struct disk *d)
{
	(void)d;
}

struct disk_io *uring_reap(struct disk *d)
{
	(void)d;
	return NULL;
}

void uring_wait(struct disk *d)
{
	(void)d;
}

int uring_poll_fd(const struct disk *d)
{
	(void)d;
	return -1;
}

#endif /* GM_HAVE_URING */
