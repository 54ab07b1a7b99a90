/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend_file.c - an image, or a block device: preadv() and pwritev() on the guest's
 * memory.
 *
 * Requests are done when they are submitted, one after the other. They are given back
 * last first: nobody may rely on an order, and who does finds out here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fs.h>

#include "backend.h"

#define IOVS 128

struct file {
	struct backend backend;
	struct backend_io *done;
	int fd;
};

/* One system call. The cursor comes back where that ended. */
static int move_some(const struct file *f, struct backend_io *io, off_t off)
{
	bool read = io->op == BACKEND_READ;
	struct gm_iov_cursor next = io->data;
	struct iovec iov[IOVS];
	uint64_t bytes;
	ssize_t got;
	int n;

	n = gm_iov_extract(io->view, &next, read ? GM_PERM_WRITE : GM_PERM_READ, UINT64_MAX,
			   iov, IOVS, &bytes);
	if (n < 0)
		return n;
	do {
		got = read ? preadv(f->fd, iov, n, off) : pwritev(f->fd, iov, n, off);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	/* 0: somebody has made the image shorter. */
	if (!got)
		return -EIO;
	return gm_iov_skip(&io->data, (uint64_t)got);
}

static int move(const struct file *f, struct backend_io *io)
{
	uint64_t start = io->sector << SECTOR_SHIFT, bytes = gm_iov_left(&io->data);
	int err = 0;

	while (!err && gm_iov_left(&io->data))
		err = move_some(f, io, (off_t)(start + bytes - gm_iov_left(&io->data)));
	return err;
}

static int file_submit(struct backend *b, struct backend_io *io)
{
	struct file *f = (struct file *)b;
	uint64_t bytes = gm_iov_left(&io->data);

	if (io->op == BACKEND_FLUSH) {
		io->result = fdatasync(f->fd) ? -errno : 0;
	} else {
		io->result = move(f, io);
		if (!io->result)
			b->stats.bytes += bytes;
	}
	b->stats.requests++;
	io->next = f->done;
	f->done = io;
	return 0;
}

static struct backend_io *file_reap(struct backend *b)
{
	struct file *f = (struct file *)b;
	struct backend_io *io = f->done;

	if (io)
		f->done = io->next;
	return io;
}

static int file_poll_fd(const struct backend *b)
{
	(void)b;
	/* Never asked for: all is done at once. */
	return -1;
}

static int file_memory_changed(struct backend *b, struct gm_map *m)
{
	(void)b;
	(void)m;
	/* Each request comes with its view; nothing is kept. */
	return 0;
}

static void file_close(struct backend *b)
{
	struct file *f = (struct file *)b;

	close(f->fd);
	free(f);
}

static const struct backend_ops file_ops = {
	.submit = file_submit,
	.reap = file_reap,
	.poll_fd = file_poll_fd,
	.memory_changed = file_memory_changed,
	.close = file_close,
};

/* How many bytes are there? */
static int get_size(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, size) ? -errno : 0;
	*size = (uint64_t)st.st_size;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

int backend_file_open(const char *path, struct gm_map *m, struct backend **out)
{
	struct file *f = calloc(1, sizeof(*f));
	uint64_t size = 0;
	int err;

	(void)m;
	if (!f)
		return -ENOMEM;
	f->fd = open(path, O_RDWR | O_CLOEXEC);
	err = f->fd < 0 ? -errno : get_size(f->fd, &size);
	if (err) {
		if (f->fd >= 0)
			close(f->fd);
		free(f);
		return err;
	}
	f->backend.ops = &file_ops;
	f->backend.name = "file";
	f->backend.sectors = size >> SECTOR_SHIFT;
	f->backend.block_size = SECTOR_SIZE;
	f->backend.max_bytes = UINT64_MAX;
	*out = &f->backend;
	return 0;
}
