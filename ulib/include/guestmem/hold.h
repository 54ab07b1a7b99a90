/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hold.h - memory that must stay where it is, and memory that is given back.
 *
 * A real device that reaches guest memory by DMA goes on doing so whatever the
 * guest's memory map is by then. Whoever lets a device do that holds the range:
 * then nobody can discard it or remove its region from a map by mistake, and
 * the error names the holder. Maps of dma.h hold by themselves.
 *
 * What is held is memory, by whatever region it is discarded: also by another one
 * that shares the file, or that lies over the same host addresses. Removal from
 * a map is of one region: others of the same memory may go.
 *
 * All functions may run at once, in any thread.
 */
#ifndef GUESTMEM_HOLD_H
#define GUESTMEM_HOLD_H

#include <guestmem/region.h>

GM_BEGIN_DECLS

struct gm_hold;

/* What a hold forbids */
#define GM_HOLD_DISCARD (1u << 0)	/* gm_region_discard() of its memory */
#define GM_HOLD_REMOVE (1u << 1)	/* gm_map_remove() of its region */

/**
 * gm_region_hold() - see that a range's memory stays
 * @r: the region; the hold takes a reference
 * @off: first byte
 * @len: bytes, not 0
 * @what: GM_HOLD_*, not 0
 * @holder: who holds it, for people to read; the hold has a copy, cut to
 *	GM_NAME_SIZE
 * @out: the hold, for gm_hold_end()
 *
 * Any number of holds may be on the same bytes. It waits for discards that are
 * under way, and those that come later wait for it.
 *
 * Return: 0; -EINVAL (GM_ERR_ZERO_LENGTH), (GM_ERR_SIZE) @what; -EOVERFLOW
 * (GM_ERR_OVERFLOW), -ERANGE (GM_ERR_OUT_OF_BOUNDS) the range; -ENOMEM
 * (GM_ERR_MEMORY).
 */
GM_API int gm_region_hold(struct gm_region *r, gm_roff_t off, gm_size_t len,
			  uint32_t what, const char *holder,
			  struct gm_hold **out);

/**
 * gm_hold_end() - the holder needs the range no more
 * @h: the hold; NULL is allowed
 */
GM_API void gm_hold_end(struct gm_hold *h);

/**
 * gm_region_check_held() - is anybody in the way?
 * @r: the region
 * @off: first byte
 * @len: bytes
 * @what: GM_HOLD_*: what is going to be done; GM_HOLD_REMOVE concerns the
 *	whole region whatever the range is
 *
 * For programs that discard memory of their own, or take it from the guest,
 * with means of their own.
 *
 * Return: 0; -EBUSY (GM_ERR_HELD) with the range, as offsets in @r, and name of a
 * holder.
 */
GM_API int gm_region_check_held(const struct gm_region *r, gm_roff_t off,
				gm_size_t len, uint32_t what);

/**
 * gm_region_discard() - give the memory of a range back to the system
 * @r: a region that the library mapped
 * @off: first byte, a multiple of the page size of the mapping (huge pages too)
 * @len: bytes, a multiple of it as well, or all to the end of the region
 *
 * What is read there afterwards is zero, or what a privately mapped file has
 * there; the range is marked dirty. Shared memory is given back for all who
 * have it mapped. Guest and devices must not use it meanwhile. A hugetlb page
 * that is given back is not reserved any more: SIGBUS may be next (fault.h).
 *
 * Return: 0; -EBUSY (GM_ERR_HELD) somebody holds a part of it, who is named;
 * -EINVAL (GM_ERR_MISALIGNED); -EOVERFLOW (GM_ERR_OVERFLOW), -ERANGE
 * (GM_ERR_OUT_OF_BOUNDS) the range; -EACCES (GM_ERR_PERMISSION) read-only;
 * -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR) no mapping of the library's, (GM_ERR_IO)
 * memory that can't be given back: locked, or the module's own; the system
 * call's own (GM_ERR_IO).
 */
GM_API int gm_region_discard(struct gm_region *r, gm_roff_t off,
			     gm_size_t len);

GM_END_DECLS

#endif /* GUESTMEM_HOLD_H */
