/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io.c - slices filled from a source and drained to a sink; sources and sinks
 * that are memory. Those that are file descriptors: io_fd.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "internal.h"

int64_t gm_slice_read_from(struct gm_slice s, uint64_t off,
			   struct gm_source *src, uint64_t n)
{
	struct gm_slice part;
	int ret;

	if (!n)
		return 0;
	ret = gm_slice_cut(s, off, n, &part);
	if (ret)
		return ret;
	if (!gm_perm_has_write(gm_slice_perm(part)))
		return gm_error_set(-EACCES, GM_ERR_PERMISSION, part.off,
				    part.len);
	return gm_io_check(src->read(src, &part, 1), part.len);
}

int64_t gm_slice_write_to(struct gm_slice s, uint64_t off,
			  struct gm_sink *sink, uint64_t n)
{
	struct gm_slice part;
	int ret;

	if (!n)
		return 0;
	ret = gm_slice_cut(s, off, n, &part);
	if (ret)
		return ret;
	return gm_io_check(sink->write(sink, &part, 1), part.len);
}

/*
 * A source or sink may be somebody else's: its count is checked. An errno fits
 * in an int; what does not would be cut to anything, 0 included.
 */
int64_t gm_io_check(int64_t done, uint64_t max)
{
	if (done < -INT_MAX || (done > 0 && (uint64_t)done > max))
		return gm_error_set_counts(-ERANGE, GM_ERR_CALLBACK_RANGE, 0,
					   0, max, (uint64_t)done);
	return done;
}

int gm_slice_read_exact_from(struct gm_slice s, uint64_t off,
			     struct gm_source *src, uint64_t n)
{
	uint64_t done = 0;
	int64_t ret;

	if (!gm_slice_has(s, off, n) && n)
		return gm_bounds_error(off, n, s.len);
	while (done < n) {
		ret = gm_slice_read_from(s, off + done, src, n - done);
		if (ret < 0)
			return (int)ret;
		if (!ret)
			return gm_error_set_counts(-ENODATA,
						   GM_ERR_UNEXPECTED_END,
						   off + done, 0, n, done);
		done += (uint64_t)ret;
	}
	return 0;
}

int gm_slice_write_all_to(struct gm_slice s, uint64_t off,
			  struct gm_sink *sink, uint64_t n)
{
	uint64_t done = 0;
	int64_t ret;

	if (!gm_slice_has(s, off, n) && n)
		return gm_bounds_error(off, n, s.len);
	while (done < n) {
		ret = gm_slice_write_to(s, off + done, sink, n - done);
		if (ret < 0)
			return (int)ret;
		if (!ret)
			return gm_error_set_counts(-ENOSPC, GM_ERR_WRITE_ZERO,
						   off + done, 0, n, done);
		done += (uint64_t)ret;
	}
	return 0;
}

static int64_t buf_read(struct gm_source *src, const struct gm_slice *slices,
			int count)
{
	struct gm_buf_source *s = (struct gm_buf_source *)src;
	int64_t n, total = 0;
	int i;

	for (i = 0; i < count && s->pos < s->len; i++) {
		n = gm_slice_write_some(slices[i], 0, s->buf + s->pos,
					gm_min(slices[i].len,
					       s->len - s->pos));
		if (n < 0)
			return total ? total : n;
		s->pos += (size_t)n;
		total += n;
	}
	return total;
}

void gm_buf_source_init(struct gm_buf_source *s, const void *buf, size_t len)
{
	s->source.read = buf_read;
	s->buf = buf;
	s->len = len;
	s->pos = 0;
}

static int64_t buf_write(struct gm_sink *sink, const struct gm_slice *slices,
			 int count)
{
	struct gm_buf_sink *s = (struct gm_buf_sink *)sink;
	int64_t n, total = 0;
	int i;

	for (i = 0; i < count && s->pos < s->len; i++) {
		n = gm_slice_read_some(slices[i], 0, s->buf + s->pos,
				       gm_min(slices[i].len, s->len - s->pos));
		if (n < 0)
			return total ? total : n;
		s->pos += (size_t)n;
		total += n;
	}
	return total;
}

void gm_buf_sink_init(struct gm_buf_sink *s, void *buf, size_t len)
{
	s->sink.write = buf_write;
	s->buf = buf;
	s->len = len;
	s->pos = 0;
}

/* Room for @more bytes after len: twice as much at least, so that appending
 * many small pieces does not copy each time.
 */
static int grow(struct gm_grow_sink *s, uint64_t more)
{
	uint64_t room;
	uint8_t *buf;

	if (more <= s->room - s->len)
		return 0;
	if (more > SIZE_MAX / 2 - s->len)
		return gm_error_memory(more);
	room = s->len + more;
	if (room < s->room * 2)
		room = s->room * 2;
	buf = realloc(s->buf, room);
	if (!buf)
		return gm_error_memory(room);
	s->buf = buf;
	s->room = room;
	return 0;
}

static int64_t grow_write(struct gm_sink *sink, const struct gm_slice *slices,
			  int count)
{
	struct gm_grow_sink *s = (struct gm_grow_sink *)sink;
	int64_t n, total = 0;
	int i;

	for (i = 0; i < count; i++) {
		n = grow(s, slices[i].len);
		if (!n)
			n = gm_slice_read_some(slices[i], 0, s->buf + s->len,
					       slices[i].len);
		if (n < 0)
			return total ? total : n;
		s->len += (size_t)n;
		total += n;
	}
	return total;
}

void gm_grow_sink_init(struct gm_grow_sink *s)
{
	s->sink.write = grow_write;
	s->buf = NULL;
	s->len = 0;
	s->room = 0;
}

uint8_t *gm_grow_sink_take(struct gm_grow_sink *s, size_t *len)
{
	uint8_t *buf = s->buf;

	/* Room without bytes is what a write that failed leaves. */
	if (!s->len) {
		free(buf);
		buf = NULL;
	}
	*len = s->len;
	gm_grow_sink_init(s);
	return buf;
}

void gm_grow_sink_exit(struct gm_grow_sink *s)
{
	free(s->buf);
	gm_grow_sink_init(s);
}

int gm_object_write_to(const void *obj, size_t size, struct gm_sink *sink)
{
	/* A sink only reads; a slice has no const form. */
	struct gm_slice s = gm_slice_new((void *)(uintptr_t)obj, size);

	return gm_slice_write_all_to(s, 0, sink, size);
}

int gm_object_read_from(void *obj, size_t size, struct gm_source *src)
{
	return gm_slice_read_exact_from(gm_slice_new(obj, size), 0, src, size);
}
