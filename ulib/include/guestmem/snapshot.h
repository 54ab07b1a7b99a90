/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot.h - guest memory in a file, and back.
 *
 * A snapshot has all memory that can be written, or, as a difference to an
 * earlier one, what was written since. Pages of zeros and pages that did not
 * change are holes in the file. Each 64 pages have a checksum, and so have the
 * header and each entry of the table of pages. Numbers are little-endian on any
 * host. Documentation/snapshot.rst has the format.
 *
 * What a file says is checked before it is used: one that is cut short, damaged or
 * of another kind is an error, and nothing changes.
 */
#ifndef GUESTMEM_SNAPSHOT_H
#define GUESTMEM_SNAPSHOT_H

#include <guestmem/dirty.h>
#include <guestmem/map.h>

GM_BEGIN_DECLS

struct gm_snapshot;
struct gm_lazy;

/* gm_snapshot_opts.flags */
#define GM_SNAPSHOT_DIFF (1u << 0)	/* only what @consumers have */

/**
 * typedef gm_snapshot_progress - told now and then how far it is, and at the end
 * @ctx: the caller's
 * @done: bytes of guest memory looked at
 * @total: of so many
 *
 * Return: 0; anything else stops: -ECANCELED (GM_ERR_OPTION).
 */
typedef int (*gm_snapshot_progress)(void *ctx, uint64_t done, uint64_t total);

/**
 * struct gm_snapshot_opts - how to save
 * @sz: sizeof(struct gm_snapshot_opts)
 * @flags: GM_SNAPSHOT_*
 * @reserved: zero
 * @consumers: for each region of the map, in its order, who knows what was
 *	written; NULL for a region: all of it. Needed for GM_SNAPSHOT_DIFF. Without
 *	that flag they are emptied: the next difference begins here. May be NULL.
 * @base: with GM_SNAPSHOT_DIFF: id of the snapshot that it is a difference to
 * @progress: may be NULL
 * @progress_ctx: for @progress
 */
struct gm_snapshot_opts {
	size_t sz;
	uint32_t flags;
	uint32_t reserved;
	struct gm_dirty_consumer *const *consumers;
	uint64_t base;
	gm_snapshot_progress progress;
	void *progress_ctx;
};

GM_STATIC_ASSERT(sizeof(struct gm_snapshot_opts) == 48, "ABI");

/**
 * gm_snapshot_save() - write a snapshot
 * @m: the map; read-only memory is left out
 * @fd: a regular file, open for writing, not with O_APPEND; what it has is lost
 * @opts: how; NULL: all memory
 * @id: what a difference to this one names as its base
 *
 * Memory should not be written meanwhile, or the snapshot is of no one moment;
 * but what is written meanwhile is in the next difference at the latest. The
 * header comes last: a save that did not end is no snapshot. It is for the caller
 * to fsync().
 *
 * On failure consumers have again what they had; they may have more.
 *
 * Return: 0; -EINVAL (GM_ERR_OPTION) an option that is unknown, or missing;
 * -E2BIG (GM_ERR_OPTION) @opts is newer than the library and asks for what it
 * does not know; -EOVERFLOW (GM_ERR_OVERFLOW) no file can be that long, or more
 * than 65,536 regions; -ECANCELED (GM_ERR_OPTION) @progress said stop; -ENOMEM
 * (GM_ERR_MEMORY); -EIO (GM_ERR_FAULT) watched memory (fault.h) has gone; the
 * system call's own (GM_ERR_IO), EINVAL with O_APPEND; an error of
 * gm_region_read().
 */
GM_API int gm_snapshot_save(const struct gm_map *m, int fd,
			    const struct gm_snapshot_opts *opts, uint64_t *id);

/**
 * gm_snapshot_open() - look at a snapshot
 * @file: the file; the snapshot takes a reference
 * @out: the snapshot, for gm_snapshot_close()
 *
 * The header is checked, not the data: that is done when it is used, and by
 * gm_snapshot_verify().
 *
 * Return: 0; -EINVAL (GM_ERR_NOT_SNAPSHOT, with the place in the file) no
 * snapshot, or one of a version that is not known, or one that makes no sense;
 * -EBADMSG (GM_ERR_CHECKSUM) its header is damaged; -ERANGE (GM_ERR_FILE_RANGE)
 * it is cut short; -ENOMEM (GM_ERR_MEMORY); the system call's own (GM_ERR_IO).
 */
GM_API int gm_snapshot_open(struct gm_file *file, struct gm_snapshot **out);

/**
 * gm_snapshot_close() - done with a snapshot
 * @s: the snapshot, which nobody uses any more; NULL is allowed
 *
 * Maps of gm_snapshot_new_map() go on to have the file.
 */
GM_API void gm_snapshot_close(struct gm_snapshot *s);

/**
 * gm_snapshot_id() - the snapshot's own name, a random number, not 0
 * @s: the snapshot
 */
GM_API uint64_t gm_snapshot_id(const struct gm_snapshot *s);

/**
 * gm_snapshot_base() - id of the snapshot that it is a difference to
 * @s: the snapshot
 *
 * Return: the id; 0: it is whole.
 */
GM_API uint64_t gm_snapshot_base(const struct gm_snapshot *s);

/**
 * gm_snapshot_count() - number of regions
 * @s: the snapshot
 */
GM_API size_t gm_snapshot_count(const struct gm_snapshot *s);

/**
 * gm_snapshot_range() - a region's place in guest memory
 * @s: the snapshot
 * @index: 0 to gm_snapshot_count() - 1, in order of address
 * @out: the range
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_snapshot_range(const struct gm_snapshot *s, size_t index,
			     struct gm_range *out);

/**
 * gm_snapshot_verify() - read all data and compare checksums
 * @s: the snapshot
 * @progress: may be NULL
 * @ctx: for @progress
 *
 * What a whole snapshot does not have is zeros in the file, too: gm_snapshot_new_map()
 * maps it as it is. Holes are not read where the system can tell them (Linux); to
 * ask for them changes the position of the file's descriptor.
 *
 * Return: 0; -EBADMSG (GM_ERR_CHECKSUM, with the place in the file); -ERANGE
 * (GM_ERR_FILE_RANGE) the file has become shorter; -ECANCELED (GM_ERR_OPTION);
 * -ENOMEM (GM_ERR_MEMORY); the system call's own (GM_ERR_IO).
 */
GM_API int gm_snapshot_verify(struct gm_snapshot *s,
			      gm_snapshot_progress progress, void *ctx);

/**
 * gm_snapshot_load() - copy a snapshot into guest memory
 * @s: the snapshot
 * @m: the map, which has all of its memory, and may have more
 * @base: id of the snapshot that the memory has now; 0 for a whole one
 * @progress: may be NULL; called for the check, and then for the copy: @total is
 *	twice the memory
 * @ctx: for @progress
 *
 * A whole one: what it does not have is zero afterwards. A difference: what it
 * does not have stays. A chain is loaded from its whole one on. All is verified
 * before the first byte is written. What is written is marked dirty.
 *
 * Return: 0; with nothing changed: -EINVAL (GM_ERR_SNAPSHOT_BASE, expected is the
 * base it needs, completed @base), -EFAULT (GM_ERR_GUEST_ADDR), -EACCES
 * (GM_ERR_PERMISSION) the map lacks memory, or it is read-only; an error of
 * gm_snapshot_verify(). If somebody changes the file after it was verified, the
 * same errors, with a part of the memory loaded.
 */
GM_API int gm_snapshot_load(struct gm_snapshot *s, const struct gm_map *m,
			    uint64_t base, gm_snapshot_progress progress,
			    void *ctx);

/**
 * gm_snapshot_new_map() - a map whose memory is the snapshot's file
 * @s: a whole snapshot
 * @opts: as for gm_region_new_mmap(), for all regions, where file, file_off and
 *	GM_MMAP_PRIVATE are set here; NULL: the default
 * @out: the map, with one reference
 *
 * The file is mapped privately: pages come when they are touched, and what is
 * written stays in memory. Checksums are not looked at: gm_snapshot_verify() does
 * that before. The file must not be changed or shortened as long as the map lives.
 *
 * Return: 0; -EINVAL (GM_ERR_SNAPSHOT_BASE) it is a difference; an error of
 * gm_map_new_mmap().
 */
GM_API int gm_snapshot_new_map(struct gm_snapshot *s,
			       const struct gm_mmap_opts *opts,
			       struct gm_map **out);

/**
 * gm_lazy_new() - load a snapshot page by page, as it is touched
 * @s: a whole snapshot, which stays open until gm_lazy_free()
 * @m: a map of regions at the snapshot's ranges, of anonymous memory or memfd
 *	without huge pages, which nobody has touched yet and nobody touches until
 *	this returns; it lives until gm_lazy_free()
 * @out: the handler
 *
 * A thread of its own gets the faults (userfaultfd) of whoever touches the
 * memory through the regions' own mappings, the kernel and KVM too, and brings 64
 * pages each time, checksums compared. Until gm_lazy_free() the memory can't be
 * discarded (hold.h): it would come back as it was in the snapshot.
 *
 * Through any other mapping of shared memory (a vhost-user peer's, a forked
 * child's, a second one here) a page that was not loaded yet is zeros, and counts
 * as loaded from then on: what the snapshot has there is lost, and nobody is told.
 * So shared memory must not be touched through another mapping before
 * gm_lazy_fill() has returned 0.
 *
 * Thread and memory are this process's. A forked child does not have what was not
 * loaded yet, and calls nothing of the handler but gm_lazy_free(), which drops the
 * child's copy: the parent goes on to be served.
 *
 * Return: 0; -EINVAL (GM_ERR_SNAPSHOT_BASE) it is a difference; -ENOENT
 * (GM_ERR_NO_REGION) no region there, or longer than its memory; -EOPNOTSUPP
 * (GM_ERR_NO_HOST_ADDR) no host address, (GM_ERR_OPTION) no userfaultfd here, or
 * huge pages;
 * -EPERM (GM_ERR_NOT_PERMITTED) not for this process; -ENOMEM (GM_ERR_MEMORY); the
 * system call's own (GM_ERR_IO).
 */
GM_API int gm_lazy_new(struct gm_snapshot *s, const struct gm_map *m,
		       struct gm_lazy **out);

/**
 * gm_lazy_fill() - load all that is missing
 * @l: the handler
 * @progress: may be NULL
 * @ctx: for @progress
 *
 * The guest may run. Afterwards gm_lazy_free() takes nothing away.
 *
 * Return: 0; an error of gm_lazy_error(); -ECANCELED (GM_ERR_OPTION).
 */
GM_API int gm_lazy_fill(struct gm_lazy *l, gm_snapshot_progress progress,
			void *ctx);

/**
 * gm_lazy_error() - has something not come?
 * @l: the handler
 *
 * Pages whose checksum is wrong, or which could not be read or put there, are
 * zeros: whoever touched them can't be told. A program that does not verify before asks now and
 * then, and stops the guest.
 *
 * Return: 0; -EBADMSG (GM_ERR_CHECKSUM), (GM_ERR_IO) and its like: the first
 * failure.
 */
GM_API int gm_lazy_error(struct gm_lazy *l);

/**
 * gm_lazy_free() - stop loading
 * @l: the handler; NULL is allowed
 *
 * What was not loaded is zero from now on, and whoever waits for it goes on. In a
 * forked child that is the parent's to do, and nothing changes.
 */
GM_API void gm_lazy_free(struct gm_lazy *l);

GM_END_DECLS

#endif /* GUESTMEM_SNAPSHOT_H */
