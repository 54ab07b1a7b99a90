/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * disk.c - the image, the engine "sync", and what needs no engine.
 *
 * preadv() and pwritev() are given the guest's own memory, so the kernel moves
 * the data between page cache and guest: there is no buffer of ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/falloc.h>

#include "disk.h"
#include "log.h"

static int open_image(struct disk *d, const char *path)
{
	struct stat st;
	off_t end;

	d->fd = open(path, (d->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ENOTBLK;
	/* Not st_size, which a block device has not. */
	end = lseek(d->fd, 0, SEEK_END);
	if (end < 0)
		return -errno;
	d->sectors = (uint64_t)end >> SECTOR_SHIFT;
	return 0;
}

int disk_open(struct disk *d, const char *path, bool read_only, enum disk_engine engine)
{
	int err;

	memset(d, 0, sizeof(*d));
	d->read_only = read_only;
	err = open_image(d, path);
	if (err) {
		if (d->fd >= 0)
			close(d->fd);
		return because(err, "%s: %s", path, strerror(-err));
	}
	d->depth = 1;
	if (engine == DISK_SYNC)
		return 0;
	err = uring_open(d);
	if (!err)
		return 0;
	if (engine == DISK_AUTO) {
		log_verbose("no io_uring: %s", strerror(-err));
		return 0;
	}
	close(d->fd);
	return because(err, "io_uring: %s", strerror(-err));
}

void disk_close(struct disk *d)
{
	if (d->ring)
		uring_close(d);
	close(d->fd);
}

const char *disk_engine_name(const struct disk *d)
{
	return d->ring ? "uring" : "sync";
}

static int64_t do_io(struct disk *d, const struct disk_io *io)
{
	ssize_t n;

	do {
		if (io->op == DISK_READ)
			n = preadv(d->fd, io->iov, io->iovcnt, (off_t)io->off);
		else if (io->op == DISK_WRITE)
			n = pwritev(d->fd, io->iov, io->iovcnt, (off_t)io->off);
		else
			n = fdatasync(d->fd);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void disk_submit(struct disk *d, struct disk_io *io)
{
	d->in_flight++;
	if (d->ring && uring_submit(d, io))
		return;
	io->result = do_io(d, io);
	io->next = d->done;
	d->done = io;
}

void disk_start(struct disk *d)
{
	if (d->ring)
		uring_start(d);
}

struct disk_io *disk_reap(struct disk *d)
{
	struct disk_io *io = d->done;

	if (io)
		d->done = io->next;
	else if (d->ring)
		io = uring_reap(d);
	if (io)
		d->in_flight--;
	return io;
}

void disk_wait(struct disk *d)
{
	if (d->in_flight && !d->done && d->ring)
		uring_wait(d);
}

int disk_poll_fd(const struct disk *d)
{
	return d->ring ? uring_poll_fd(d) : -1;
}

static int allocate(struct disk *d, int mode, uint64_t off, uint64_t len)
{
	int ret;

	do {
		ret = fallocate(d->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

int disk_discard(struct disk *d, uint64_t off, uint64_t len)
{
	return len ? allocate(d, FALLOC_FL_PUNCH_HOLE, off, len) : 0;
}

/* For file systems that know no better way. None of this is the guest's data. */
static int write_zero_buffer(struct disk *d, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[4096];
	struct iovec iov[64];
	ssize_t n;
	int i;

	while (len) {
		uint64_t left = len;

		for (i = 0; i < 64 && left; i++) {
			/* pwritev() doesn't write to what a const void * was. */
			iov[i].iov_base = (void *)(uintptr_t)zeroes;
			iov[i].iov_len = left < sizeof(zeroes) ? left : sizeof(zeroes);
			left -= iov[i].iov_len;
		}
		n = pwritev(d->fd, iov, i, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int disk_write_zeroes(struct disk *d, uint64_t off, uint64_t len, bool may_unmap)
{
	int err = -EOPNOTSUPP;

	if (!len)
		return 0;
	if (may_unmap)
		err = allocate(d, FALLOC_FL_PUNCH_HOLE, off, len);
	if (err == -EOPNOTSUPP)
		err = allocate(d, FALLOC_FL_ZERO_RANGE, off, len);
	if (err == -EOPNOTSUPP)
		err = write_zero_buffer(d, off, len);
	return err;
}
