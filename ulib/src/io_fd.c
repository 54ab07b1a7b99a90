/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io_fd.c - file descriptors as sources and sinks.
 *
 * All slices of a call go into one system call, so that a request that spans
 * regions is one request to the file too.
 */
#include <errno.h>

#include "internal.h"

/* Pointers to all slices; on failure, none is held. */
static int begin_all(const struct gm_slice *slices, int count,
		     enum gm_perm perm, struct gm_guard *guards,
		     struct iovec *iov)
{
	int i, ret;

	for (i = 0; i < count; i++) {
		ret = gm_slice_begin(slices[i], perm, &guards[i]);
		if (ret) {
			while (i--)
				gm_guard_end(&guards[i]);
			return ret;
		}
		iov[i].iov_base = guards[i].ptr;
		iov[i].iov_len = slices[i].len;
	}
	return 0;
}

static void end_all(struct gm_guard *guards, int count)
{
	while (count--)
		gm_guard_end(&guards[count]);
}

/* @n bytes may have been written, from the first slice on. */
static void mark_all(const struct gm_slice *slices, int count, uint64_t n)
{
	int i;

	for (i = 0; i < count && n; i++) {
		uint64_t part = gm_min(n, slices[i].len);

		gm_slice_mark(slices[i], 0, part);
		n -= part;
	}
}

int64_t gm_file_read_slices(gm_os_file file, int64_t *off, const struct gm_slice *slices,
			    int count)
{
	struct gm_guard guards[GM_IO_BATCH];
	struct iovec iov[GM_IO_BATCH];
	uint64_t changed;
	int64_t ret;

	count = gm_min(count, GM_IO_BATCH);
	ret = begin_all(slices, count, GM_PERM_WRITE, guards, iov);
	if (ret)
		return ret;
	ret = gm_os_readv(file, iov, count, *off, &changed);
	/* A failed read may have come any distance. */
	mark_all(slices, count, changed);
	end_all(guards, count);
	if (ret < 0)
		return gm_error_set((int)ret, GM_ERR_IO,
				    *off < 0 ? 0 : (uint64_t)*off, 0);
	if (*off >= 0)
		*off += ret;
	return ret;
}

int64_t gm_file_write_slices(gm_os_file file, int64_t *off, const struct gm_slice *slices,
			     int count)
{
	struct gm_guard guards[GM_IO_BATCH];
	struct iovec iov[GM_IO_BATCH];
	int64_t ret;

	count = gm_min(count, GM_IO_BATCH);
	ret = begin_all(slices, count, GM_PERM_READ, guards, iov);
	if (ret)
		return ret;
	ret = gm_os_writev(file, iov, count, *off);
	end_all(guards, count);
	if (ret < 0)
		return gm_error_set((int)ret, GM_ERR_IO,
				    *off < 0 ? 0 : (uint64_t)*off, 0);
	if (*off >= 0)
		*off += ret;
	return ret;
}

static int64_t fd_read(struct gm_source *src, const struct gm_slice *slices,
		       int count)
{
	struct gm_fd_source *s = (struct gm_fd_source *)src;

	return gm_file_read_slices(gm_os_file_of(s->fd), &s->off, slices, count);
}

static int64_t fd_write(struct gm_sink *sink, const struct gm_slice *slices,
			int count)
{
	struct gm_fd_sink *s = (struct gm_fd_sink *)sink;

	return gm_file_write_slices(gm_os_file_of(s->fd), &s->off, slices, count);
}

void gm_fd_source_init_at(struct gm_fd_source *s, int fd, int64_t off)
{
	s->source.read = fd_read;
	s->fd = fd;
	s->off = off;
}

void gm_fd_source_init(struct gm_fd_source *s, int fd)
{
	gm_fd_source_init_at(s, fd, -1);
}

void gm_fd_sink_init_at(struct gm_fd_sink *s, int fd, int64_t off)
{
	s->sink.write = fd_write;
	s->fd = fd;
	s->off = off;
}

void gm_fd_sink_init(struct gm_fd_sink *s, int fd)
{
	gm_fd_sink_init_at(s, fd, -1);
}
