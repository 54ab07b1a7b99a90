/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io.h - fill guest memory from a source, drain it to a sink.
 *
 * A source or sink is a struct with one function. There are some for file
 * descriptors, for buffers and for a buffer that grows; a caller's own embeds
 * the struct and fills in its function. Each call is given a whole request as
 * an array of slices, so that a file descriptor moves a request that spans
 * regions with one system call.
 *
 * A source or sink is one thread's at a time; guest memory is anyone's.
 */
#ifndef GUESTMEM_IO_H
#define GUESTMEM_IO_H

#include <guestmem/slice_access.h>

GM_BEGIN_DECLS

/* The most slices that one call of a source or sink is given. */
#define GM_IO_BATCH 64

/**
 * struct gm_source - where bytes for guest memory come from
 * @read: put bytes into the slices, in order; returns how many, 0 at the end,
 *	or a negative errno. It writes through slice functions, which mark what
 *	they write; one that writes through pointers marks with
 *	gm_slice_mark(). It retries EINTR itself. @count is 1 to GM_IO_BATCH.
 */
struct gm_source {
	int64_t (*read)(struct gm_source *src, const struct gm_slice *slices,
			int count);
};

GM_STATIC_ASSERT(sizeof(struct gm_source) == 8, "ABI");

/**
 * struct gm_sink - where bytes from guest memory go
 * @write: take bytes from the slices, in order; returns how many, 0 when it
 *	takes no more, or a negative errno. It retries EINTR itself. @count is 1
 *	to GM_IO_BATCH.
 */
struct gm_sink {
	int64_t (*write)(struct gm_sink *sink, const struct gm_slice *slices,
			 int count);
};

GM_STATIC_ASSERT(sizeof(struct gm_sink) == 8, "ABI");

/**
 * struct gm_fd_source - a file descriptor as a source
 * @source: pass this on
 * @fd: file, pipe, socket, terminal; borrowed
 * @off: position in the file, which advances; negative: the descriptor's own
 *
 * A read that fails marks all slices that it was given, since nobody knows how
 * far the kernel came; so does one that is short since the rest of it has failed.
 */
struct gm_fd_source {
	struct gm_source source;
	int fd;
	int64_t off;
};

GM_STATIC_ASSERT(sizeof(struct gm_fd_source) == 24, "ABI");

/**
 * struct gm_fd_sink - a file descriptor as a sink
 * @sink: pass this on
 * @fd: file, pipe, socket, terminal; borrowed
 * @off: position in the file, which advances; negative: the descriptor's own
 *
 * Where nobody reads a pipe or socket any more, the kernel sends SIGPIPE before
 * the error EPIPE: a program that may meet that ignores the signal.
 */
struct gm_fd_sink {
	struct gm_sink sink;
	int fd;
	int64_t off;
};

GM_STATIC_ASSERT(sizeof(struct gm_fd_sink) == 24, "ABI");

/**
 * struct gm_buf_source - a buffer as a source
 * @source: pass this on
 * @buf: the bytes, borrowed
 * @len: how many
 * @pos: how many were consumed
 */
struct gm_buf_source {
	struct gm_source source;
	const uint8_t *buf;
	size_t len;
	size_t pos;
};

GM_STATIC_ASSERT(sizeof(struct gm_buf_source) == 32, "ABI");

/**
 * struct gm_buf_sink - a buffer as a sink
 * @sink: pass this on
 * @buf: room, borrowed
 * @len: bytes of room
 * @pos: how many were filled
 */
struct gm_buf_sink {
	struct gm_sink sink;
	uint8_t *buf;
	size_t len;
	size_t pos;
};

GM_STATIC_ASSERT(sizeof(struct gm_buf_sink) == 32, "ABI");

/**
 * struct gm_grow_sink - a buffer that grows as a sink
 * @sink: pass this on
 * @buf: the bytes so far; NULL while there are none
 * @len: how many
 * @room: bytes allocated
 *
 * Appends. gm_grow_sink_exit() frees @buf; whoever wants to keep it takes it
 * with gm_grow_sink_take().
 */
struct gm_grow_sink {
	struct gm_sink sink;
	uint8_t *buf;
	size_t len;
	size_t room;
};

GM_STATIC_ASSERT(sizeof(struct gm_grow_sink) == 32, "ABI");

/**
 * gm_fd_source_init() - read from a descriptor's own position
 * @s: caller's storage
 * @fd: open for reading
 */
GM_API void gm_fd_source_init(struct gm_fd_source *s, int fd);

/**
 * gm_fd_source_init_at() - read from a place in a file (preadv)
 * @s: caller's storage
 * @fd: open for reading, seekable
 * @off: the place, not negative
 */
GM_API void gm_fd_source_init_at(struct gm_fd_source *s, int fd, int64_t off);

/**
 * gm_fd_sink_init() - write to a descriptor's own position
 * @s: caller's storage
 * @fd: open for writing
 */
GM_API void gm_fd_sink_init(struct gm_fd_sink *s, int fd);

/**
 * gm_fd_sink_init_at() - write to a place in a file (pwritev)
 * @s: caller's storage
 * @fd: open for writing, seekable
 * @off: the place, not negative
 */
GM_API void gm_fd_sink_init_at(struct gm_fd_sink *s, int fd, int64_t off);

/**
 * gm_buf_source_init() - read from a buffer
 * @s: caller's storage
 * @buf: the bytes
 * @len: how many
 */
GM_API void gm_buf_source_init(struct gm_buf_source *s, const void *buf,
			       size_t len);

/**
 * gm_buf_sink_init() - write to a buffer
 * @s: caller's storage
 * @buf: room
 * @len: bytes of room
 */
GM_API void gm_buf_sink_init(struct gm_buf_sink *s, void *buf, size_t len);

/**
 * gm_grow_sink_init() - write to a buffer that grows
 * @s: caller's storage
 */
GM_API void gm_grow_sink_init(struct gm_grow_sink *s);

/**
 * gm_grow_sink_take() - keep the buffer
 * @s: the sink, empty afterwards
 * @len: how many bytes there are
 *
 * Return: the buffer, for free(); NULL if nothing was written.
 */
GM_API uint8_t *gm_grow_sink_take(struct gm_grow_sink *s, size_t *len);

/**
 * gm_grow_sink_exit() - free the buffer
 * @s: the sink, empty afterwards
 */
GM_API void gm_grow_sink_exit(struct gm_grow_sink *s);

/**
 * gm_slice_read_from() - fill from a source, as far as one call brings it
 * @s: the slice
 * @off: first byte to fill
 * @src: the source
 * @n: bytes wanted; cut at the slice's end
 *
 * Return: bytes read, 0 if @n is 0 or the source is at its end; -ERANGE
 * (GM_ERR_OUT_OF_BOUNDS) @off is at or past the end; -EACCES
 * (GM_ERR_PERMISSION); -ERANGE (GM_ERR_CALLBACK_RANGE) the source claims more
 * than was wanted; the source's own error (fd: GM_ERR_IO).
 */
GM_API int64_t gm_slice_read_from(struct gm_slice s, uint64_t off,
				  struct gm_source *src, uint64_t n);

/**
 * gm_slice_read_exact_from() - fill from a source, all of it
 * @s: the slice
 * @off: first byte to fill
 * @src: the source
 * @n: bytes
 *
 * Return: 0; -ENODATA (GM_ERR_UNEXPECTED_END with the counts) the source ended;
 * -ERANGE (GM_ERR_OUT_OF_BOUNDS) the range is not inside the slice, nothing was
 * read; -EOVERFLOW (GM_ERR_OVERFLOW); -EACCES (GM_ERR_PERMISSION); as for
 * gm_slice_read_from() the source's own error, or a count that can't be true.
 */
GM_API int gm_slice_read_exact_from(struct gm_slice s, uint64_t off,
				    struct gm_source *src, uint64_t n);

/**
 * gm_slice_write_to() - drain to a sink, as far as one call brings it
 * @s: the slice
 * @off: first byte
 * @sink: the sink
 * @n: bytes wanted; cut at the slice's end
 *
 * Return: bytes written, 0 if @n is 0 or the sink takes no more; -ERANGE
 * (GM_ERR_OUT_OF_BOUNDS) @off is at or past the end, (GM_ERR_CALLBACK_RANGE)
 * the sink claims more than it was given; the sink's own error (fd: GM_ERR_IO).
 */
GM_API int64_t gm_slice_write_to(struct gm_slice s, uint64_t off,
				 struct gm_sink *sink, uint64_t n);

/**
 * gm_slice_write_all_to() - drain to a sink, all of it
 * @s: the slice
 * @off: first byte
 * @sink: the sink
 * @n: bytes
 *
 * Return: 0; -ENOSPC (GM_ERR_WRITE_ZERO with the counts) the sink took no more;
 * -ERANGE (GM_ERR_OUT_OF_BOUNDS) the range is not inside the slice, nothing was
 * written; -EOVERFLOW (GM_ERR_OVERFLOW); as for gm_slice_write_to() the sink's
 * own error, or a count that can't be true.
 */
GM_API int gm_slice_write_all_to(struct gm_slice s, uint64_t off,
				 struct gm_sink *sink, uint64_t n);

GM_END_DECLS

#endif /* GUESTMEM_IO_H */
