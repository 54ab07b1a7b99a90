/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * mmap.h - regions of memory that mmap() gives: anonymous, memfd, file,
 * hugetlb, or a mapping of the caller's own.
 */
#ifndef GUESTMEM_MMAP_H
#define GUESTMEM_MMAP_H

#include <guestmem/file.h>
#include <guestmem/region.h>

GM_BEGIN_DECLS

#if defined(_WIN32) && !defined(PROT_READ)
/* Windows has other words for these. */
#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#endif

/* gm_mmap_opts.flags */
#define GM_MMAP_READ_ONLY (1u << 0)	/* the device may not write (ROM) */
#define GM_MMAP_MEMFD (1u << 1)		/* back it with a new sealed memfd */
#define GM_MMAP_THP (1u << 2)		/* advise transparent huge pages */
#define GM_MMAP_NO_THP (1u << 3)	/* advise against them */
#define GM_MMAP_LOCK (1u << 4)		/* mlock() */
#define GM_MMAP_NO_DUMP (1u << 5)	/* leave it out of core dumps */
#define GM_MMAP_NO_FORK (1u << 6)	/* a forked child does not have it */
#define GM_MMAP_DIRTY (1u << 7)		/* make a bitmap; see dirty_page_size */
#define GM_MMAP_PREFAULT (1u << 8)	/* have all pages there at once */
#define GM_MMAP_PRIVATE (1u << 9)	/* map a file privately (copy on write) */
#define GM_MMAP_MERGEABLE (1u << 10)	/* let KSM merge equal pages */

/**
 * struct gm_mmap_opts - how a region's memory is to be
 * @sz: sizeof(struct gm_mmap_opts); in an array, where the next one starts: the same in
 *	all
 * @flags: GM_MMAP_*
 * @prot: PROT_READ, or PROT_READ and PROT_WRITE; 0: both, or PROT_READ with
 *	GM_MMAP_READ_ONLY. Without PROT_WRITE the region is read-only.
 * @map_flags: MAP_* to add; MAP_FIXED and MAP_FIXED_NOREPLACE are refused, and
 *	MAP_HUGETLB (see huge_size)
 * @file: map this file (the region takes a reference); NULL: none
 * @file_off: offset in @file, a multiple of its page size
 * @addr: the caller's own mapping, aligned to a page, of at least the region's
 *	length: nothing is mapped, and nothing unmapped in the end. prot,
 *	map_flags, file and file_off then only describe it; of the flags,
 *	GM_MMAP_READ_ONLY and GM_MMAP_DIRTY can be used.
 * @huge_size: use hugetlb pages of this many bytes (2 MiB, 1 GiB, ...), with a
 *	memfd or anonymous. The pages are reserved now: too few is an error now,
 *	not SIGBUS later. 0: ordinary pages.
 * @numa_node: node + 1 that all pages must come from; 0: any
 * @guard_size: bytes without access before and after, a multiple of the page
 *	size; 0: none
 * @dirty: the bitmap (the region takes a reference); NULL: none, or see
 *	GM_MMAP_DIRTY
 * @dirty_page_size: bytes a bit for GM_MMAP_DIRTY; 0: the system's page size
 * @name: name of the mapping in /proc/PID/maps, and of the memfd; NULL: none
 * @prefault_threads: threads for GM_MMAP_PREFAULT; 0: one a CPU, at most 16
 * @progress: called from one of them now and then, with what is done, and at
 *	the end; may be NULL. Not 0 stops: the region is not made, -ECANCELED.
 * @progress_ctx: for @progress
 * @reserved: zero
 *
 * What is 0 is the default: anonymous private memory, ordinary pages. A later
 * version may add fields at the end; @sz tells which ones the caller knows.
 */
struct gm_mmap_opts {
	size_t sz;
	uint32_t flags;
	int prot;
	int map_flags;
	uint32_t numa_node;
	struct gm_file *file;
	uint64_t file_off;
	void *addr;
	uint64_t huge_size;
	uint64_t guard_size;
	struct gm_bitmap *dirty;
	uint64_t dirty_page_size;
	const char *name;
	uint32_t prefault_threads;
	uint32_t reserved;
	int (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

GM_STATIC_ASSERT(sizeof(struct gm_mmap_opts) == 112, "ABI");

/**
 * gm_region_new_mmap() - a region of mapped memory
 * @gpa: guest address of its first byte
 * @len: bytes, not 0; the mapping is rounded up to pages, the region is not
 * @opts: how; NULL: the default
 * @out: the region, with one reference
 *
 * A file is mapped shared, unless GM_MMAP_PRIVATE. It must be long enough now;
 * what happens if it gets shorter later is told in fault.h. A memfd is made
 * with exactly the length it needs and sealed against any change of it.
 *
 * Return: 0;
 * -EINVAL (GM_ERR_ZERO_LENGTH), (GM_ERR_MAP_FIXED), (GM_ERR_POINTER) @addr,
 * (GM_ERR_OPTION) an option that is unknown, or does not go with another,
 * (GM_ERR_MISALIGNED) file_off or guard_size;
 * -E2BIG (GM_ERR_OPTION) @opts is newer than the library and asks for what it
 * does not know;
 * -EOVERFLOW (GM_ERR_GUEST_OVERFLOW) the range passes 2^64, (GM_ERR_OVERFLOW);
 * -ERANGE (GM_ERR_FILE_RANGE) the file ends before;
 * -ENODEV (GM_ERR_NUMA) no such node;
 * -ENOMEM (GM_ERR_HUGE) too few free huge pages, (GM_ERR_MEMORY);
 * -EOPNOTSUPP (GM_ERR_OPTION) not to be had from this kernel or build;
 * -ECANCELED (GM_ERR_OPTION) the progress function said stop;
 * -EEXIST (GM_ERR_MMAP) other threads have mapped something between the guard pages,
 * each time that it was tried;
 * the system call's own (GM_ERR_MMAP; GM_ERR_IO for others than mmap).
 */
GM_API int gm_region_new_mmap(gm_gpa_t gpa, gm_size_t len,
			      const struct gm_mmap_opts *opts,
			      struct gm_region **out);

/**
 * gm_region_prot() - PROT_* of the mapping
 * @r: the region
 */
GM_API int gm_region_prot(const struct gm_region *r);

/**
 * gm_region_map_flags() - MAP_* of the mapping
 * @r: the region
 */
GM_API int gm_region_map_flags(const struct gm_region *r);

/**
 * gm_region_is_owned() - will the library unmap it?
 * @r: the region
 */
GM_API bool gm_region_is_owned(const struct gm_region *r);

/**
 * gm_region_set_hugetlbfs() - say whether the caller's own mapping is hugetlb
 * @r: the region, which no other thread uses yet
 * @yes: is it?
 */
GM_API void gm_region_set_hugetlbfs(struct gm_region *r, bool yes);

GM_END_DECLS

#endif /* GUESTMEM_MMAP_H */
