/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * handle.h - Windows: files by their HANDLE. Elsewhere there is nothing in it.
 */
#ifndef GUESTMEM_HANDLE_H
#define GUESTMEM_HANDLE_H

#include <guestmem/file.h>
#include <guestmem/io.h>

#ifdef _WIN32

GM_BEGIN_DECLS

/**
 * struct gm_handle_source - a handle as a source
 * @source: pass this on
 * @handle: file or pipe, not opened with FILE_FLAG_OVERLAPPED; borrowed
 * @off: position in the file, which advances; negative: the handle's own
 *
 * Of a pipe it takes what is there, and waits if that is nothing; -EAGAIN if the pipe is
 * one that does not wait. Of a message that is longer than the memory, the rest comes with
 * the next call.
 */
struct gm_handle_source {
	struct gm_source source;
	void *handle;
	int64_t off;
};

GM_STATIC_ASSERT(sizeof(struct gm_handle_source) == 24, "ABI");

/**
 * struct gm_handle_sink - a handle as a sink
 * @sink: pass this on
 * @handle: file or pipe, not opened with FILE_FLAG_OVERLAPPED; borrowed
 * @off: position in the file, which advances; negative: the handle's own
 */
struct gm_handle_sink {
	struct gm_sink sink;
	void *handle;
	int64_t off;
};

GM_STATIC_ASSERT(sizeof(struct gm_handle_sink) == 24, "ABI");

/**
 * gm_file_new_handle() - count the users of a handle
 * @handle: of a file, which becomes the library's: closed with the last reference. On
 *	failure it stays the caller's.
 * @out: the file, with one reference; gm_file_fd() of it is -1
 *
 * Return: 0; -EBADF (GM_ERR_IO) no handle of a file; -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_file_new_handle(void *handle, struct gm_file **out);

/**
 * gm_file_handle() - the handle
 * @f: the file, made from a handle or from a descriptor of the C library
 *
 * Return: the handle, borrowed.
 */
GM_API void *gm_file_handle(const struct gm_file *f);

/**
 * gm_handle_source_init() - read from a handle's own position
 * @s: caller's storage
 * @handle: open for reading
 */
GM_API void gm_handle_source_init(struct gm_handle_source *s, void *handle);

/**
 * gm_handle_source_init_at() - read from a place in a file
 * @s: caller's storage
 * @handle: open for reading, of a file
 * @off: the place, not negative
 *
 * Unlike elsewhere, the handle's own position moves, too.
 */
GM_API void gm_handle_source_init_at(struct gm_handle_source *s, void *handle, int64_t off);

/**
 * gm_handle_sink_init() - write to a handle's own position
 * @s: caller's storage
 * @handle: open for writing
 */
GM_API void gm_handle_sink_init(struct gm_handle_sink *s, void *handle);

/**
 * gm_handle_sink_init_at() - write to a place in a file
 * @s: caller's storage
 * @handle: open for writing, of a file
 * @off: the place, not negative
 *
 * Unlike elsewhere, the handle's own position moves, too.
 */
GM_API void gm_handle_sink_init_at(struct gm_handle_sink *s, void *handle, int64_t off);

GM_END_DECLS

#endif /* _WIN32 */

#endif /* GUESTMEM_HANDLE_H */
