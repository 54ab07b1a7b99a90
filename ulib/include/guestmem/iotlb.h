/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb.h - a cache of an IOMMU's translations: from IOVA to guest address.
 *
 * It holds so many mappings as it was made for. One that comes when it is full
 * takes the place of another, chosen at random, which is a miss when it is
 * wanted again. A mapping is any range of bytes of the 64-bit space, its last
 * byte included, with a target and rights. Two are joined only if the second
 * goes on where the first ends, in IOVA and in target, with the same rights.
 *
 * Lookups take no lock and write nothing that others read; those who change
 * mappings wait for each other. A lookup is about one moment: it never sees a
 * half of a change. But what it has returned may be invalidated before it is
 * used: iommu.h has what makes an access and an invalidation exclude each other.
 */
#ifndef GUESTMEM_IOTLB_H
#define GUESTMEM_IOTLB_H

#include <guestmem/addr.h>
#include <guestmem/error.h>
#include <guestmem/map.h>
#include <guestmem/perm.h>

GM_BEGIN_DECLS

struct gm_iotlb;

/**
 * struct gm_iova_range - a range as a device addresses it
 * @iova: first byte
 * @len: bytes
 */
struct gm_iova_range {
	gm_iova_t iova;
	gm_size_t len;
};

GM_STATIC_ASSERT(sizeof(struct gm_iova_range) == 16, "ABI");

/**
 * struct gm_iotlb_fails - why a range is not accessible, piece by piece
 * @misses: where to; in order of address
 * @miss_room: room at @misses
 * @miss_count: pieces that are in no mapping; more than @miss_room if there was
 *	no room for all
 * @denied: where to; in order of address
 * @denied_room: room at @denied
 * @denied_count: pieces whose mapping does not allow the access; more than
 *	@denied_room if there was no room for all
 *
 * The caller sets arrays and rooms. All pieces are cut to what was asked for.
 */
struct gm_iotlb_fails {
	struct gm_iova_range *misses;
	size_t miss_room;
	size_t miss_count;
	struct gm_iova_range *denied;
	size_t denied_room;
	size_t denied_count;
};

GM_STATIC_ASSERT(sizeof(struct gm_iotlb_fails) == 48, "ABI");

/**
 * struct gm_iotlb_stats - what an IOTLB has done
 * @hits: lookups of a first byte that were answered
 * @misses: lookups of a first byte that were not: no mapping, or not the rights
 * @evictions: mappings that made room for others
 * @invalidations: calls that took mappings away, whether there were any
 * @mappings: mappings at this moment, after joining
 * @capacity: mappings at most
 * @reserved: zero
 */
struct gm_iotlb_stats {
	uint64_t hits;
	uint64_t misses;
	uint64_t evictions;
	uint64_t invalidations;
	uint64_t mappings;
	uint64_t capacity;
	uint64_t reserved[2];
};

GM_STATIC_ASSERT(sizeof(struct gm_iotlb_stats) == 64, "ABI");

/* The largest capacity. */
#define GM_IOTLB_CAPACITY_MAX (UINT64_C(1) << 24)

/**
 * gm_iotlb_new() - an empty IOTLB
 * @capacity: mappings at most, 1 to GM_IOTLB_CAPACITY_MAX
 * @out: the IOTLB
 *
 * All that it will ever need is allocated here, some 200 bytes a mapping; the
 * system provides the pages as they are used.
 *
 * Return: 0; -EINVAL (GM_ERR_SIZE); -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_iotlb_new(uint64_t capacity, struct gm_iotlb **out);

/**
 * gm_iotlb_free() - free an IOTLB that nobody uses any more
 * @t: the IOTLB; NULL is allowed
 */
GM_API void gm_iotlb_free(struct gm_iotlb *t);

/**
 * gm_iotlb_set_mapping() - translate a range from now on
 * @t: the IOTLB
 * @iova: first byte
 * @len: bytes, not 0; for the whole 64-bit space call it twice
 * @target: guest address of the first byte; nobody looks whether there is memory
 * @perm: rights; GM_PERM_NONE remembers that nothing is allowed
 *
 * What was mapped in the range is replaced. May be called by any thread at any
 * time.
 *
 * Return: 0; -EINVAL (GM_ERR_ZERO_LENGTH); -EOVERFLOW (GM_ERR_OVERFLOW) the
 * range passes 2^64, (GM_ERR_GUEST_OVERFLOW) its target does.
 */
GM_API int gm_iotlb_set_mapping(struct gm_iotlb *t, gm_iova_t iova,
				gm_size_t len, gm_gpa_t target,
				enum gm_perm perm);

/**
 * gm_iotlb_invalidate() - forget all of a range
 * @t: the IOTLB
 * @iova: first byte
 * @len: bytes, not 0
 *
 * Mappings that reach over an end of the range are cut. May be called by any
 * thread at any time. Lookups that begin after it has returned miss.
 *
 * Return: 0; -EINVAL (GM_ERR_ZERO_LENGTH); -EOVERFLOW (GM_ERR_OVERFLOW) the
 * range passes 2^64, and nothing is forgotten.
 */
GM_API int gm_iotlb_invalidate(struct gm_iotlb *t, gm_iova_t iova,
			       gm_size_t len);

/**
 * gm_iotlb_invalidate_all() - forget all
 * @t: the IOTLB
 */
GM_API void gm_iotlb_invalidate_all(struct gm_iotlb *t);

/**
 * gm_iotlb_lookup() - where the first bytes of a range are
 * @t: the IOTLB
 * @iova: first byte
 * @len: bytes, not 0
 * @perm: the access
 * @out: guest address of the first byte, and how many follow it there: @len, or
 *	less where the mapping ends
 *
 * May be called by any thread at any time.
 *
 * Return: 0; -ENOENT (GM_ERR_IOTLB_MISS) no mapping has @iova; -EACCES
 * (GM_ERR_PERMISSION) its mapping does not allow the access; -EINVAL
 * (GM_ERR_ZERO_LENGTH); -EOVERFLOW (GM_ERR_OVERFLOW) the range passes 2^64.
 */
GM_API int gm_iotlb_lookup(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len,
			   enum gm_perm perm, struct gm_range *out);

/**
 * gm_iotlb_translate() - where all bytes of a range are
 * @t: the IOTLB
 * @iova: first byte
 * @len: bytes; 0 has no pieces
 * @perm: the access
 * @out: the pieces, in order of IOVA, as they are at one moment; after an error,
 *	some may be there
 * @count: room at @out
 *
 * Not for the hot path: gm_iotlb_lookup() is. May be called by any thread at any
 * time.
 *
 * Return: number of pieces; -ENOENT (GM_ERR_IOTLB_MISS) and -EACCES
 * (GM_ERR_PERMISSION) with the first piece that fails, cut to the range;
 * -EMSGSIZE (GM_ERR_ARRAY_SMALL, expected says how many); -EOVERFLOW
 * (GM_ERR_OVERFLOW) the range passes 2^64.
 */
GM_API int64_t gm_iotlb_translate(struct gm_iotlb *t, gm_iova_t iova,
				  gm_size_t len, enum gm_perm perm,
				  struct gm_range *out, size_t count);

/**
 * gm_iotlb_check_range() - is all of a range mapped, with these rights?
 * @t: the IOTLB
 * @iova: first byte
 * @len: bytes; 0 is fine anywhere
 * @perm: the access
 *
 * May be called by any thread at any time.
 *
 * Return: 0; otherwise as gm_iotlb_translate().
 */
GM_API int gm_iotlb_check_range(struct gm_iotlb *t, gm_iova_t iova,
				gm_size_t len, enum gm_perm perm);

/**
 * gm_iotlb_fails() - all that is in the way of an access
 * @t: the IOTLB
 * @iova: first byte
 * @len: bytes; 0 has no pieces
 * @perm: the access
 * @fails: arrays and room of the caller's; filled as things are at one moment
 *
 * May be called by any thread at any time.
 *
 * Return: 0 if it is accessible; 1 if not, with all pieces in @fails;
 * -EMSGSIZE (GM_ERR_ARRAY_SMALL) an array is too small: both counts are right,
 * and as much as fits is there; -EOVERFLOW (GM_ERR_OVERFLOW) the range passes
 * 2^64.
 */
GM_API int gm_iotlb_fails(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len,
			  enum gm_perm perm, struct gm_iotlb_fails *fails);

/**
 * gm_iotlb_stats() - what it has done so far
 * @t: the IOTLB
 * @out: the numbers; those of other threads' latest lookups may be missing
 *
 * May be called by any thread at any time.
 */
GM_API void gm_iotlb_stats(struct gm_iotlb *t, struct gm_iotlb_stats *out);

GM_END_DECLS

#endif /* GUESTMEM_IOTLB_H */
