/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * file.h - a counted file descriptor, shared by the regions that map it.
 */
#ifndef GUESTMEM_FILE_H
#define GUESTMEM_FILE_H

#include <guestmem/error.h>

GM_BEGIN_DECLS

struct gm_file;
struct gm_region;

/**
 * gm_file_new() - count the users of a file descriptor
 * @fd: the descriptor, which becomes the library's: closed with the last
 *	reference. On failure it stays the caller's.
 * @out: the file, with one reference
 *
 * Return: 0; -EBADF (GM_ERR_IO) no open descriptor; -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_file_new(int fd, struct gm_file **out);

/**
 * gm_file_get() - take one more reference
 * @f: the file; NULL is allowed
 *
 * Return: @f.
 */
GM_API struct gm_file *gm_file_get(struct gm_file *f);

/**
 * gm_file_put() - drop a reference; the last one closes the descriptor
 * @f: the file; NULL is allowed
 */
GM_API void gm_file_put(struct gm_file *f);

/**
 * gm_file_fd() - the descriptor
 * @f: the file
 *
 * Return: the descriptor, borrowed.
 */
GM_API int gm_file_fd(const struct gm_file *f);

/**
 * gm_regions_share_file() - do two regions map bytes of one file?
 * @a: one region
 * @b: the other
 *
 * Return: true if both map the same file (also through different descriptors)
 * and the ranges in it intersect.
 */
GM_API bool gm_regions_share_file(const struct gm_region *a,
				  const struct gm_region *b);

GM_END_DECLS

#endif /* GUESTMEM_FILE_H */
