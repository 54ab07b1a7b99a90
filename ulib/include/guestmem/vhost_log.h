/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_log.h - the log that vhost and vhost-user share with a front-end.
 *
 * While a guest is migrated, a front-end gives its back-ends a piece of shared
 * memory with a bit for each 4 KiB of guest address space: page n is bit n % 8 of
 * byte n / 8, whatever the byte order of the host. Back-ends set bits with atomic
 * operations after they wrote; the front-end takes them.
 *
 * The front-end is another process, and our barriers don't reach it. So each mark
 * is a locked operation (batch.h makes them fewer).
 */
#ifndef GUESTMEM_VHOST_LOG_H
#define GUESTMEM_VHOST_LOG_H

#include <guestmem/map.h>

GM_BEGIN_DECLS

struct gm_vhost_log;

/* Bytes of guest address space a bit. */
#define GM_VHOST_LOG_PAGE 4096

/**
 * gm_vhost_log_new() - map a log
 * @file: what the front-end sent; the log takes a reference
 * @off: where the log begins in it, a multiple of the page size
 * @size: bytes
 * @out: the log, with one reference
 *
 * All three are the front-end's word: that the file is there to the end of the
 * log is checked now. A front-end can shorten it later: watch
 * gm_vhost_log_region() (fault.h).
 *
 * To enlarge a log, as when memory was added, a front-end sends a new one: make
 * that, and the maps that mark it, and put the old ones.
 *
 * Return: 0; -EINVAL (GM_ERR_ZERO_LENGTH), (GM_ERR_MISALIGNED) @off; -ERANGE
 * (GM_ERR_FILE_RANGE) the file ends before; -EOVERFLOW (GM_ERR_OVERFLOW);
 * -ENOMEM (GM_ERR_MEMORY); the system call's own (GM_ERR_MMAP, GM_ERR_IO).
 */
GM_API int gm_vhost_log_new(struct gm_file *file, uint64_t off, uint64_t size,
			    struct gm_vhost_log **out);

/**
 * gm_vhost_log_get() - take one more reference
 * @log: the log
 *
 * Return: @log.
 */
GM_API struct gm_vhost_log *gm_vhost_log_get(struct gm_vhost_log *log);

/**
 * gm_vhost_log_put() - drop a reference; the last one unmaps it
 * @log: the log; NULL is allowed
 */
GM_API void gm_vhost_log_put(struct gm_vhost_log *log);

/**
 * gm_vhost_log_region() - the log's own memory
 * @log: the log
 *
 * Return: a region at guest address 0, which is in no map, borrowed: for
 * gm_region_watch() and gm_region_fault().
 */
GM_API struct gm_region *gm_vhost_log_region(const struct gm_vhost_log *log);

/**
 * gm_vhost_log_mark() - guest memory was written
 * @log: the log
 * @gpa: first byte
 * @len: bytes; 0 marks nothing
 *
 * Call it after the write; it is a full barrier if it marks. What the log has no
 * bit for is ignored; a range that overflows ends at 2^64 - 1. Any number of
 * threads and processes may. For rings, whose log address is a guest address of
 * its own.
 */
GM_API void gm_vhost_log_mark(struct gm_vhost_log *log, gm_gpa_t gpa,
			      uint64_t len);

/**
 * gm_vhost_log_test() - is a page marked, and not taken yet?
 * @log: the log
 * @gpa: a byte of it; one that the log has no bit for: false
 */
GM_API bool gm_vhost_log_test(const struct gm_vhost_log *log, gm_gpa_t gpa);

/**
 * gm_vhost_log_bitmap() - the log as the bitmap of a region
 * @log: the log; the bitmap takes a reference
 * @gpa: guest address of the region
 * @len: bytes of it
 * @out: a tracker that marks @log, with one reference
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS, in bytes of the log) the log has no
 * bits for the region's end; -EOVERFLOW (GM_ERR_GUEST_OVERFLOW); -EINVAL
 * (GM_ERR_ZERO_LENGTH); -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_vhost_log_bitmap(struct gm_vhost_log *log, gm_gpa_t gpa,
			       gm_size_t len, struct gm_bitmap **out);

/**
 * gm_vhost_log_map() - a map whose writes are marked in a log
 * @log: the log
 * @m: the map, which stays as it is
 * @out: a map of the same memory (see alias.h), with one reference
 *
 * A running device starts to log when it changes to it, and stops when it
 * changes back. The bitmaps of @m, if it has any, are not marked meanwhile.
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS, in bytes of the log) the log has no
 * bits for all of the memory; -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_vhost_log_map(struct gm_vhost_log *log, const struct gm_map *m,
			    struct gm_map **out);

GM_END_DECLS

#endif /* GUESTMEM_VHOST_LOG_H */
