/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen.h - memory of another Xen domain.
 *
 * Four kinds, told apart by the flags that a vhost-user front-end's Xen messages
 * have:
 *
 * unix       none of Xen's: as mmap.h
 * foreign    pages of the domain, by guest address, all mapped when the region is
 *            made; for who may do all with the domain (/dev/xen/privcmd)
 * grant      pages that the domain has granted, all mapped when the region is made
 *            (/dev/xen/gntdev)
 * grant,     the same, but each access maps what it needs, and unmaps it: the
 * on demand  region has no host address, and a page can be granted later
 *
 * With grants a page's guest address is a grant reference: number n is at
 * n * GM_XEN_PAGE, and GM_XEN_GRANT_ADDR_OFF may be added.
 *
 * What is chosen is a matter of each region. A build without Xen is none.
 */
#ifndef GUESTMEM_XEN_H
#define GUESTMEM_XEN_H

#include <guestmem/mmap.h>

GM_BEGIN_DECLS

/* Of the guest, whatever this system's pages are. */
#define GM_XEN_PAGE 4096u

#define GM_XEN_UNIX 0u
#define GM_XEN_FOREIGN (1u << 0)
#define GM_XEN_GRANT (1u << 1)
#define GM_XEN_NO_ADVANCE_MAP (1u << 3)	/* on demand; with GM_XEN_GRANT only */

#define GM_XEN_GRANT_ADDR_OFF (UINT64_C(1) << 63)

/* Most pages that a cache of mappings can have. */
#define GM_XEN_CACHE_MAX 256u

/**
 * struct gm_xen_opts - which domain's memory, and how
 * @sz: sizeof(struct gm_xen_opts)
 * @flags: GM_XEN_*
 * @data: the domain's number; a region of GM_XEN_UNIX only keeps it
 * @cache_pages: on demand: keep so many pages mapped after an access, for the next
 *	one; GM_XEN_CACHE_MAX at most. 0: none. While a page is kept, the domain can't
 *	end its grant: see gm_region_xen_trim().
 * @reserved: zero
 */
struct gm_xen_opts {
	size_t sz;
	uint32_t flags;
	uint32_t data;
	uint32_t cache_pages;
	uint32_t reserved;
};

GM_STATIC_ASSERT(sizeof(struct gm_xen_opts) == 24, "ABI");

/**
 * struct gm_xen_stats - what a region of grants has mapped
 * @mapped: pages that are mapped now
 * @requests: requests to map so far
 * @hits: accesses that found their page mapped
 * @reserved: zero
 */
struct gm_xen_stats {
	uint64_t mapped;
	uint64_t requests;
	uint64_t hits;
	uint64_t reserved[5];
};

GM_STATIC_ASSERT(sizeof(struct gm_xen_stats) == 64, "ABI");

/**
 * gm_xen_flags_check() - do the flags go together?
 * @flags: GM_XEN_*
 *
 * One of unix, foreign and grant; GM_XEN_NO_ADVANCE_MAP with grant only; no others.
 *
 * Return: 0; -EINVAL (GM_ERR_XEN_FLAGS).
 */
GM_API int gm_xen_flags_check(uint32_t flags);

/**
 * gm_region_new_xen() - a region of another domain's memory
 * @gpa: guest address of its first byte, a multiple of GM_XEN_PAGE
 * @len: bytes, not 0; whole pages are mapped
 * @xen: which memory
 * @opts: how, as for gm_region_new_mmap(). GM_XEN_UNIX takes all of it. The others
 *	need a file, at offset 0 (the opened device: the region takes a reference),
 *	and take prot, GM_MMAP_READ_ONLY, GM_MMAP_DIRTY, dirty and dirty_page_size;
 *	of map_flags MAP_SHARED, which is the default, and MAP_NORESERVE.
 * @out: the region, with one reference
 *
 * Each page is asked after: one that the domain does not have or has not granted is
 * an error now, and not SIGBUS later. What is mapped stays, also when the domain is
 * destroyed: it is a zombie then until the region is gone. A forked child does not
 * have it: it may drop its references, which does nothing to its parent's mappings,
 * and nothing else.
 *
 * Return: 0;
 * -EINVAL (GM_ERR_XEN_FLAGS), (GM_ERR_OPTION) what the kind does not take, no file, an
 * offset in it, a domain number that is none, (GM_ERR_MISALIGNED) @gpa;
 * -ERANGE (GM_ERR_XEN_GRANT) not all grants have numbers of 32 bits;
 * -EOPNOTSUPP (GM_ERR_OPTION) grants on a system whose pages are not GM_XEN_PAGE, or a
 * system without Xen;
 * the hypervisor's or the driver's own (GM_ERR_XEN_PAGE, GM_ERR_XEN_GRANT): -EINVAL
 * there is no such page or grant, -ESRCH no such domain, -EPERM;
 * and the errors of gm_region_new_mmap().
 */
GM_API int gm_region_new_xen(gm_gpa_t gpa, gm_size_t len,
			     const struct gm_xen_opts *xen,
			     const struct gm_mmap_opts *opts,
			     struct gm_region **out);

/**
 * gm_region_xen_flags() - GM_XEN_* of a region
 * @r: the region
 *
 * Return: as it was made; 0 for other regions.
 */
GM_API uint32_t gm_region_xen_flags(const struct gm_region *r);

/**
 * gm_region_xen_data() - the data (domain) of a region
 * @r: the region
 *
 * Return: as it was made; 0 for other regions.
 */
GM_API uint32_t gm_region_xen_data(const struct gm_region *r);

/**
 * gm_region_xen_stats() - what a region of grants has mapped
 * @r: the region
 * @out: the numbers
 *
 * Return: 0; -EOPNOTSUPP (GM_ERR_OPTION) it is not one of grants.
 */
GM_API int gm_region_xen_stats(struct gm_region *r, struct gm_xen_stats *out);

/**
 * gm_region_xen_trim() - unmap what is only kept
 * @r: the region
 *
 * For when the domain wants its grants back (the device is reset, say). By any
 * thread, while others access the region.
 *
 * Return: pages that are mapped still, since an access goes on; 0 for other regions.
 */
GM_API uint64_t gm_region_xen_trim(struct gm_region *r);

GM_END_DECLS

#endif /* GUESTMEM_XEN_H */
