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
 */
struct gm_hint {
	uint64_t base;
	uint64_t span;
	uint8_t *host;
	struct gm_bitmap *dirty;
};

/**
 * struct gm_view - one thread's window on a guest's memory
 * @hint: what was hit last; never a region that is mapped on demand
 * @map: the map, borrowed
 * @direct: the map's
 * @granules: the map's
 * @shift: the map's
 * @reserved: zero
 *
 * Inline functions know this layout: it is ABI. All fields are the library's.
 */
struct gm_view {
	struct gm_hint hint;
	const struct gm_map *map;
	const uint64_t *direct;
	uint64_t granules;
	uint32_t shift;
	uint32_t reserved;
};

GM_STATIC_ASSERT(sizeof(struct gm_view) == 64, "ABI");

/**
 * gm_view_init() - look at a map
 * @v: caller's storage; nothing needs to be undone
 * @m: the map, not NULL, which must outlive the view's use
 */
GM_INLINE void gm_view_init(struct gm_view *v, const struct gm_map *m)
{
	struct gm_view init = { { 0, 0, NULL, NULL }, m, m->direct,
				m->granules, m->shift, 0 };

	*v = init;
}

/**
 * gm_view_map() - the physical memory behind a view
 * @v: the view
 *
 * Return: its map, borrowed; NULL if addresses go through an IOMMU first.
 */
GM_INLINE const struct gm_map *gm_view_map(const struct gm_view *v)
{
	return v->map;
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
 * lookup at all.
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR); -EOVERFLOW (GM_ERR_GUEST_OVERFLOW);
 * -EMSGSIZE (GM_ERR_FRAGMENTED) all there, but in more than one piece; -EACCES
 * (GM_ERR_PERMISSION).
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
 * is no more.
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
