/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen_private.h - what the files of Xen's memory share.
 */
#ifndef GM_XEN_PRIVATE_H
#define GM_XEN_PRIVATE_H

#include "internal.h"

/**
 * struct gm_xen_grants - grants that are mapped in one piece
 * @host: first page
 * @count: pages
 * @index: the driver's name for the request
 */
struct gm_xen_grants {
	uint8_t *host;
	uint64_t count;
	uint64_t index;
};

struct gm_xen_cache;

/**
 * struct gm_xen_region - a region of foreign pages or of grants
 * @region: the region
 * @fd: of the device
 * @domid: whose memory it is
 * @process: that has the mappings
 * @rdonly: the mark of read-only memory
 * @grants: what was mapped in advance
 * @cache: pages that are kept, or NULL
 * @mapped: see struct gm_xen_stats
 * @requests: see there
 * @hits: see there
 */
struct gm_xen_region {
	struct gm_region region;
	int fd;
	uint16_t domid;
	uint32_t process;
	struct gm_bitmap rdonly;
	struct gm_xen_grants grants;
	struct gm_xen_cache *cache;
	uint64_t mapped;
	uint64_t requests;
	uint64_t hits;
};

static inline struct gm_xen_region *gm_xen_region(struct gm_region *r)
{
	return (struct gm_xen_region *)r;
}

/* Pages of this system that @len bytes need, in those of the guest. */
uint64_t gm_xen_pages(uint64_t len);

/* --- xen_foreign.c --- */

/* All pages of the region. Return: 0; an error, with nothing mapped. */
int gm_xen_foreign_map(struct gm_xen_region *x, int prot, uint8_t **host);

/* --- xen_grant.c --- */

/* Have all grants of the region a number? Return: 0; -ERANGE. */
int gm_xen_grants_check(const struct gm_xen_region *x);

/* The grants of pages @first and so on. Return: 0; an error, with nothing mapped. */
int gm_xen_grants_map(struct gm_xen_region *x, uint64_t first, uint64_t count,
		      int prot, struct gm_xen_grants *out);
void gm_xen_grants_unmap(struct gm_xen_region *x, const struct gm_xen_grants *g);

/* The two of struct gm_region_ops. */
int gm_xen_grant_begin(struct gm_region *r, uint64_t off, uint64_t len,
		       enum gm_perm perm, struct gm_guard *g);
void gm_xen_grant_end(struct gm_region *r, struct gm_guard *g);

/* --- xen_cache.c --- */

int gm_xen_cache_new(uint32_t pages, struct gm_xen_cache **out);

/* NULL is allowed. It unmaps nothing: gm_xen_cache_trim() does. */
void gm_xen_cache_free(struct gm_xen_cache *c);

/*
 * A page, mapped, that stays so until gm_xen_cache_end(). Return: its place; -EBUSY there
 * is no room, or this is a forked child; an error of gm_xen_grants_map().
 */
int gm_xen_cache_begin(struct gm_xen_region *x, uint64_t page, int prot,
		       uint8_t **host);
void gm_xen_cache_end(struct gm_xen_region *x, int place);
void gm_xen_cache_trim(struct gm_xen_region *x);

/* --- what differs between systems; all return 0 or a negative errno --- */

bool gm_os_has_xen(void);

/*
 * Map pages @gfns of a domain. @errs has a negative errno for each that could not be, also
 * when the call itself is 0: then it is mapped, and to be unmapped.
 */
int gm_os_xen_map_foreign(const struct gm_xen_region *x, int prot, const uint64_t *gfns,
			  int *errs, uint32_t count, uint8_t **host);

int gm_os_xen_map_grants(const struct gm_xen_region *x, int prot, uint32_t ref,
			 struct gm_xen_grants *g);
void gm_os_xen_unmap_grants(const struct gm_xen_region *x, const struct gm_xen_grants *g);

void gm_os_xen_unmap(uint8_t *host, uint64_t count);

#endif /* GM_XEN_PRIVATE_H */
