/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot_private.h - a snapshot's file, and what its files share.
 *
 *	header, ranges of regions
 *	an entry for each group of 64 pages of each region
 *	data of each region, from a multiple of ALIGN on
 *
 * Numbers are little-endian.
 */
#ifndef GM_SNAPSHOT_PRIVATE_H
#define GM_SNAPSHOT_PRIVATE_H

#include <string.h>

#include <guestmem/snapshot.h>

#include "bitmap_private.h"

#define SNAP_MAGIC "gm-snap\n"
#define SNAP_VERSION 1
#define SNAP_PAGE UINT64_C(4096)
#define SNAP_GROUP (64 * SNAP_PAGE)
#define SNAP_ALIGN UINT64_C(65536)	/* data can be mapped, whatever the page size */
#define SNAP_MAX_REGIONS 65536

struct snap_header {
	char magic[8];
	uint32_t version;
	uint32_t crc;		/* of header and ranges, with 0 here */
	uint64_t id;
	uint64_t base;
	uint64_t size;		/* of the file */
	uint64_t table;		/* where entries begin */
	uint32_t regions;
	uint32_t reserved32;
	uint64_t reserved[8];
};

GM_STATIC_ASSERT(sizeof(struct snap_header) == 120, "format");

struct snap_range {
	uint64_t gpa;
	uint64_t len;
	uint64_t data;		/* where the first byte is */
	uint64_t reserved;
};

GM_STATIC_ASSERT(sizeof(struct snap_range) == 32, "format");

/* Of 64 pages. */
struct snap_entry {
	uint64_t pages;		/* those that the file has */
	uint32_t data_crc;	/* of their bytes, in order */
	uint32_t crc;		/* of id, the entry's number, pages, data_crc */
};

GM_STATIC_ASSERT(sizeof(struct snap_entry) == 16, "format");

/* A region as it is used: numbers of this host. */
struct snap_region {
	uint64_t gpa;
	uint64_t len;
	uint64_t data;
	uint64_t first_group;
};

struct gm_snapshot {
	struct gm_file *file;
	uint64_t id;
	uint64_t base;
	uint64_t size;
	uint64_t table;
	uint64_t memory;	/* bytes of all regions */
	size_t count;
	struct snap_region *regions;
};

static inline uint64_t snap_groups(uint64_t len)
{
	return len / SNAP_GROUP + (len % SNAP_GROUP != 0);
}

/* Bytes that group @g of a region of @len has. */
static inline uint64_t snap_group_len(uint64_t len, uint64_t g)
{
	return gm_min(len - g * SNAP_GROUP, SNAP_GROUP);
}

/* The pages of a group of @n bytes. */
static inline uint64_t snap_group_mask(uint64_t n)
{
	return UINT64_MAX >> (63 - ((n - 1) / SNAP_PAGE));
}

/* The lowest run of pages in @pages, which are not 0: first byte and length. */
static inline uint64_t snap_run(uint64_t pages, uint64_t n, uint64_t *off,
				uint64_t *len)
{
	unsigned int first = (unsigned int)__builtin_ctzll(pages);
	uint64_t run = pages ^ (pages & (pages + (UINT64_C(1) << first)));

	*off = first * SNAP_PAGE;
	*len = (unsigned int)__builtin_popcountll(run) * SNAP_PAGE;
	*len = gm_min(*len, n - *off);
	return run;
}

static inline bool snap_is_zero(const uint8_t *p, uint64_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

uint32_t gm_crc32c(uint32_t crc, const void *data, uint64_t n);
/* The same on any CPU. */
uint32_t gm_crc32c_table(uint32_t crc, const void *data, uint64_t n);
uint32_t gm_snap_entry_crc(uint64_t id, uint64_t number,
			   const struct snap_entry *e);

/* All of @n bytes; -errno, with gm_error. */
int gm_snap_pread(int fd, void *buf, uint64_t n, uint64_t off);
int gm_snap_pwrite(int fd, const void *buf, uint64_t n, uint64_t off);

/* Calls @progress, if there is one; -ECANCELED. */
int gm_snap_tell(gm_snapshot_progress progress, void *ctx, uint64_t done,
		 uint64_t total);

/*
 * Read group @g of region @r into @buf, of SNAP_GROUP bytes, and compare checksums.
 * @pages are those that the file has; the others are zeros.
 */
int gm_snap_read_group(const struct gm_snapshot *s,
		       const struct snap_region *r, uint64_t g, uint8_t *buf,
		       uint64_t *pages);

int gm_snap_refuse_diff(const struct gm_snapshot *s);

#endif /* GM_SNAPSHOT_PRIVATE_H */
