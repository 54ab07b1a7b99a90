/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * view.h - what a device holds while it touches guest memory.
 *
 * A view is a map, a copy of what leads through its table of direct granules,
 * and a hint: a copy of what the region hit last looks like. Aligned reads of
 * integers take the table, all else takes the hint; either way the memory is a
 * few instructions away. A view lives on the stack or in a queue's struct,
 * costs nothing to make, and is one thread's own; any number of views look at
 * one map. All access to guest memory by address takes a view (access.h,
 * iov.h).
 */
#ifndef GUESTMEM_VIEW_H
#define GUESTMEM_VIEW_H

#include <guestmem/map.h>

GM_BEGIN_DECLS

/**
 * struct gm_hint - what a view knows of the region it hit last
 * @base: guest address of its first byte
 * @span: at how many of its bytes an access of 8 bytes can start: its length
 *	less 7; 0: no region
 * @host: host address of its first byte
 * @dirty: bitmap of what was written; NULL: not tracked
 *
 * With @span, one comparison tells that an access of up to 8 bytes is inside.
 * One that starts in the last 7 bytes of a region takes the longer way.
 *
 * Through an IOMMU, @span is 0 and @base says of what size the block of the IOTLB
 * was that was hit last: where to look first.
 */
struct gm_hint {
	uint64_t base;
	uint64_t span;
	uint8_t *host;
	struct gm_bitmap *dirty;
};

/* gm_view.flags: addresses go through an IOMMU; sections are open. */
#define GM_VIEW_IOMMU 1u
#define GM_VIEW_SECTION 2u	/* as often as this is in it */

struct gm_iommu;

/**
 * struct gm_view - one thread's window on a guest's memory
 * @hint: what was hit last; never a region that is mapped on demand
 * @map: the map, borrowed
 * @direct: the map's
 * @iommu: what addresses go through, borrowed (with GM_VIEW_IOMMU)
 * @granules: the map's; 0 with an IOMMU
 * @shift: the map's; 0 with an IOMMU
 * @flags: GM_VIEW_*
 *
 * Inline functions know this layout: it is ABI. All fields are the library's.
 */
struct gm_view {
	struct gm_hint hint;
	const struct gm_map *map;
	union {
		const uint64_t *direct;
		struct gm_iommu *iommu;
	};
	uint64_t granules;
	uint32_t shift;
	uint32_t flags;
};

GM_STATIC_ASSERT(sizeof(struct gm_view) == 64, "ABI");

/**
 * gm_view_init() - look at a map
 * @v: caller's storage; nothing needs to be undone
 * @m: the map, not NULL, which must outlive the view's use
 */
GM_INLINE void gm_view_init(struct gm_view *v, const struct gm_map *m)
{
	/* No initializer: sparse gets anonymous unions in them wrong. */
	v->hint.base = 0;
	v->hint.span = 0;
	v->hint.host = NULL;
	v->hint.dirty = NULL;
	v->map = m;
	v->direct = m->direct;
	v->granules = m->granules;
	v->shift = m->shift;
	v->flags = 0;
}

/* What the inline functions below leave to a call: a view with an IOMMU. */
GM_API const struct gm_map *gm_view_map_slow(const struct gm_view *v);
GM_API void gm_view_begin_slow(struct gm_view *v);
GM_API void gm_view_end_slow(struct gm_view *v);

/**
 * gm_view_map() - the physical memory behind a view
 * @v: the view
 *
 * Return: its map, borrowed; NULL if addresses go through an IOMMU first.
 */
GM_INLINE const struct gm_map *gm_view_map(const struct gm_view *v)
{
	return gm_likely(!v->flags) ? v->map : gm_view_map_slow(v);
}

/**
 * gm_view_begin() - what is found from here on stays until gm_view_end()
 * @v: the view
 *
 * Slices and iovecs of memory behind an IOMMU are given inside such a section
 * only; see iommu.h. For other views it is nothing. Sections nest, and belong to
 * a thread: it must not exit in one. Keep them short: who invalidates waits.
 */
GM_INLINE void gm_view_begin(struct gm_view *v)
{
	if (gm_unlikely(v->flags))
		gm_view_begin_slow(v);
}

/**
 * gm_view_end() - what was found since gm_view_begin() is used no more
 * @v: the view
 */
GM_INLINE void gm_view_end(struct gm_view *v)
{
	if (gm_unlikely(v->flags))
		gm_view_end_slow(v);
}

/*
 * Host address of an aligned object of @n = 1, 2, 4 or 8 bytes in a direct
 * granule. It can't cross into the next one; and since the difference of the
 * addresses is a multiple of 8, it is aligned in the host too.
 */
GM_CORE bool gm_view_direct(const struct gm_view *v, uint64_t gpa, uint64_t n,
			    uint8_t **host)
{
	uint64_t granule = gpa >> v->shift;
	uint64_t delta;

	if (gm_unlikely(granule >= v->granules))
		return false;
	delta = v->direct[granule];
	/* GM_NOT_DIRECT is odd. */
	if (gm_unlikely(n > 1 ? (delta | gpa) & (n - 1) : delta & 1))
		return false;
	*host = gm_cast(uint8_t *, (uintptr_t)(gpa + delta));
	return true;
}

/* Is [gpa, gpa + n) inside the hint? Then @off is where. Never gpa + n. */
GM_CORE bool gm_view_hit(const struct gm_view *v, uint64_t gpa, uint64_t n,
			 uint64_t *off)
{
	*off = gpa - v->hint.base;
	if (gm_unlikely(*off >= v->hint.span))
		return false;
	return n <= 8 || n - 8 < v->hint.span - *off;
}

/**
 * gm_view_check_range() - can a device access all bytes of a range?
 * @v: the view
 * @gpa: first byte
 * @len: bytes; 0 is fine anywhere
 * @perm: how; GM_PERM_NONE asks for presence alone
 *
 * Through an IOMMU, what the IOTLB misses is asked for (unless a section is
 * open), and is there afterwards if it has room.
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR) with the first address that isn't
 * there; -EOVERFLOW (GM_ERR_GUEST_OVERFLOW); -EACCES (GM_ERR_PERMISSION).
 */
GM_API int gm_view_check_range(struct gm_view *v, gm_gpa_t gpa, gm_size_t len,
			       enum gm_perm perm);

/**
 * gm_view_slice() - a range in one piece
 * @v: the view
 * @gpa: first byte
 * @len: bytes; 0 gives an empty slice if @gpa is in some region
 * @perm: what will be done with it
 * @out: the slice, good while the map is
 *
 * Hold it for what is accessed often, such as a ring: access through it has no
 * lookup at all. Through an IOMMU it is good to the end of the section only.
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR); -EOVERFLOW (GM_ERR_GUEST_OVERFLOW);
 * -EMSGSIZE (GM_ERR_FRAGMENTED) all there, but in more than one piece; -EACCES
 * (GM_ERR_PERMISSION); through an IOMMU: -EAGAIN (GM_ERR_IOTLB_MISS), -EINVAL
 * (GM_ERR_SECTION) outside of gm_view_begin() and gm_view_end().
 */
GM_API int gm_view_slice(struct gm_view *v, gm_gpa_t gpa, gm_size_t len,
			 enum gm_perm perm, struct gm_slice *out);

/**
 * struct gm_slices - walks a range, slice by slice
 * @view: the view
 * @gpa: next byte
 * @left: bytes to go
 * @perm: what the slices are for
 * @stop_on_error: after a first slice, an error is the end
 * @started: there was a first slice
 * @own: the walk is the library's, in a section of its own
 *
 * for (gm_slices_init(&it, v, gpa, n, perm); gm_slices_next(&it, &s) > 0; )
 */
struct gm_slices {
	struct gm_view *view;
	uint64_t gpa;
	uint64_t left;
	enum gm_perm perm;
	bool stop_on_error;
	bool started;
	bool own;
};

GM_STATIC_ASSERT(sizeof(struct gm_slices) == 32, "ABI");

/**
 * gm_slices_init() - begin to walk a range
 * @it: caller's storage
 * @v: the view
 * @gpa: first byte
 * @len: bytes
 * @perm: what the slices are for
 */
GM_API void gm_slices_init(struct gm_slices *it, struct gm_view *v,
			   gm_gpa_t gpa, gm_size_t len, enum gm_perm perm);

/**
 * gm_slices_init_stop() - begin to walk a range as far as it goes
 * @it: caller's storage
 * @v: the view
 * @gpa: first byte
 * @len: bytes
 * @perm: what the slices are for
 *
 * Like gm_slices_init(), but an error after the first slice ends the walk
 * without telling.
 */
GM_API void gm_slices_init_stop(struct gm_slices *it, struct gm_view *v,
				gm_gpa_t gpa, gm_size_t len,
				enum gm_perm perm);

/**
 * gm_slices_next() - next slice of the range
 * @it: the walk
 * @out: the slice, never empty; adjacent regions are separate slices
 *
 * Without an error, the slices' lengths add up to the range's.
 *
 * Return: 1; 0 at the end; -EFAULT (GM_ERR_GUEST_ADDR), -EOVERFLOW
 * (GM_ERR_GUEST_OVERFLOW) and -EACCES (GM_ERR_PERMISSION), after which there
 * is no more; through an IOMMU as gm_view_slice().
 */
GM_API int gm_slices_next(struct gm_slices *it, struct gm_slice *out);

/**
 * gm_view_try_access() - call a function for each piece of a range
 * @v: the view
 * @gpa: first byte
 * @count: bytes; no more than INT64_MAX are done
 * @fn: is given the bytes done so far, the piece's length, its offset in its
 *	region, the region and @ctx. It returns how many bytes it did, 0 to
 *	stop, or a negative errno. Less than the piece is fine: the walk goes
 *	on from there.
 * @ctx: for @fn
 *
 * Rights are @fn's matter: see gm_view_check_range(). Through an IOMMU, each call
 * of @fn is in a section of its own.
 *
 * Return: bytes done, up to the first hole; what @fn returned if negative;
 * -EFAULT (GM_ERR_GUEST_ADDR) nothing at @gpa; -ERANGE (GM_ERR_CALLBACK_RANGE)
 * @fn claims more than its piece; -EOVERFLOW (GM_ERR_GUEST_OVERFLOW) the range
 * passes 2^64, all before it done.
 */
GM_API int64_t gm_view_try_access(struct gm_view *v, gm_gpa_t gpa,
				  gm_size_t count,
				  int64_t (*fn)(void *ctx, uint64_t done,
						uint64_t len, gm_roff_t off,
						struct gm_region *r),
				  void *ctx);

GM_END_DECLS

#endif /* GUESTMEM_VIEW_H */
