/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu.h - guest memory as a device behind an IOMMU sees it.
 *
 * An IOMMU is an IOTLB and a function of the caller's, which is asked for what
 * is not there. A view that looks through it takes IOVAs wherever another takes
 * guest addresses (in a gm_gpa_t: the functions are the same ones), and has no
 * other functions: device code does not see the difference, but for this:
 *
 * A slice, and an iovec, is good only until its translation is invalidated. So
 * who wants one opens a section first, and ends it when done:
 *
 *   gm_view_begin(v);
 *   ret = gm_view_slice(v, iova, len, perm, &s);
 *   ... use the slice ...
 *   gm_view_end(v);
 *
 * gm_iommu_invalidate() waits for the end of sections, so nothing is asked for
 * inside of one: the answer might come from the thread that waits. A miss there
 * is -EAGAIN; then end the section, call gm_iommu_resolve(), which asks, and begin
 * again. Reads, writes and atomics need none of that, but inside of a section of
 * any kind (epoch.h, space.h) a miss of theirs is -EAGAIN, too.
 */
#ifndef GUESTMEM_IOMMU_H
#define GUESTMEM_IOMMU_H

#include <guestmem/iotlb.h>
#include <guestmem/view.h>

GM_BEGIN_DECLS

struct gm_iommu;

/**
 * struct gm_iommu_ops - what the caller does for an IOMMU
 * @translate: an access misses [iova, iova + len), len not 0, or has not the
 *	rights @perm there. Look it up, and tell by gm_iommu_map() (for more, if
 *	that is at hand: whole pages), then return 0; or return a negative errno.
 *	Any number of threads are in here at once, but not two for the same page
 *	and rights; no lock is held and no section of the library's is open. It
 *	may take its time, and must not access guest memory through this IOMMU,
 *	nor invalidate. Its thread can't be canceled meanwhile: that comes later.
 * @release: the last reference is gone; may be NULL
 * @reserved: NULL
 */
struct gm_iommu_ops {
	int (*translate)(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			 gm_size_t len, enum gm_perm perm);
	void (*release)(void *ctx);
	void *reserved[2];
};

GM_STATIC_ASSERT(sizeof(struct gm_iommu_ops) == 32, "ABI");

/**
 * struct gm_iommu_stats - what an IOMMU has done
 * @iotlb: what its IOTLB has
 * @upcalls: calls of translate()
 * @joined: misses that waited for another thread's call instead
 * @failed: accesses that could not be resolved
 * @reserved: zero
 */
struct gm_iommu_stats {
	struct gm_iotlb_stats iotlb;
	uint64_t upcalls;
	uint64_t joined;
	uint64_t failed;
	uint64_t reserved[5];
};

GM_STATIC_ASSERT(sizeof(struct gm_iommu_stats) == 128, "ABI");

/**
 * gm_iommu_new() - an IOMMU, switched on, with nothing mapped
 * @ops: the caller's functions, which stay
 * @ctx: for them
 * @capacity: of its IOTLB
 * @dirty: bitmap of IOVAs, of which it takes a reference: what is written while
 *	it is on is marked there; NULL: in the bitmaps of the regions that are
 *	written, as while it is off. (The log of vhost-user is one of guest
 *	addresses: NULL.)
 * @out: the IOMMU, with one reference
 *
 * Return: 0; -EINVAL (GM_ERR_IOMMU_CONFIG) no translate(), (GM_ERR_SIZE);
 * -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_iommu_new(const struct gm_iommu_ops *ops, void *ctx,
			uint64_t capacity, struct gm_bitmap *dirty,
			struct gm_iommu **out);

/**
 * gm_iommu_get() - take one more reference
 * @i: the IOMMU
 *
 * Return: @i.
 */
GM_API struct gm_iommu *gm_iommu_get(struct gm_iommu *i);

/**
 * gm_iommu_put() - drop a reference; the last one frees
 * @i: the IOMMU; NULL is allowed
 */
GM_API void gm_iommu_put(struct gm_iommu *i);

/**
 * gm_iommu_map() - translate a range from now on
 * @i: the IOMMU
 * @iova: first byte
 * @len: bytes, not 0
 * @target: guest address of the first byte
 * @perm: rights
 *
 * Who takes rights away, or gives another target, calls gm_iommu_invalidate()
 * first. May be called by any thread at any time, in translate() or unasked. In
 * translate(), what was invalidated since that was called is not mapped: it may
 * have been looked up before, and the access asks again. Who answers unasked has
 * to keep the order of answers and invalidations himself.
 *
 * Return: as gm_iotlb_set_mapping().
 */
GM_API int gm_iommu_map(struct gm_iommu *i, gm_iova_t iova, gm_size_t len,
			gm_gpa_t target, enum gm_perm perm);

/**
 * gm_iommu_resolve() - have in the IOTLB what an access will want
 * @i: the IOMMU
 * @iova: first byte
 * @len: bytes; 0 is nothing
 * @perm: the access
 *
 * Asks for what is missing. It needs no view and no map: so it is what comes
 * after -EAGAIN where the map, too, is good in a section only. What is there when
 * it returns may be invalidated or evicted again.
 *
 * Return: 0, also while it is off; -EOVERFLOW (GM_ERR_OVERFLOW) the range passes
 * 2^64; -EFAULT (GM_ERR_IOVA); -EACCES (GM_ERR_PERMISSION); what translate() says;
 * -EAGAIN (GM_ERR_IOTLB_MISS) inside a section; -EDEADLK (GM_ERR_DEADLOCK) in
 * translate().
 */
GM_API int gm_iommu_resolve(struct gm_iommu *i, gm_iova_t iova, gm_size_t len,
			    enum gm_perm perm);

/**
 * gm_iommu_invalidate() - forget a range, and wait until nobody uses it
 * @i: the IOMMU
 * @iova: first byte
 * @len: bytes, not 0
 *
 * When it returns, no access with a translation from before is going on, and
 * none begins. It waits for sections that are open, of any view. May be called
 * by any thread, but not inside a section and not in this IOMMU's translate().
 *
 * Return: 0; -EINVAL (GM_ERR_ZERO_LENGTH), -EOVERFLOW (GM_ERR_OVERFLOW) with
 * nothing forgotten; -EDEADLK (GM_ERR_DEADLOCK) called inside a section or in
 * translate(), with nothing forgotten; or as gm_epoch_synchronize(): then it is forgotten, but
 * accesses from before may go on.
 */
GM_API int gm_iommu_invalidate(struct gm_iommu *i, gm_iova_t iova,
			       gm_size_t len);

/**
 * gm_iommu_invalidate_all() - forget all, and wait until nobody uses it
 * @i: the IOMMU
 *
 * Return: as gm_iommu_invalidate().
 */
GM_API int gm_iommu_invalidate_all(struct gm_iommu *i);

/**
 * gm_iommu_set_enabled() - switch it on or off
 * @i: the IOMMU
 * @on: off: IOVAs are guest addresses
 *
 * When it returns, no access goes on as it was before. What the IOTLB has stays.
 * May be called as gm_iommu_invalidate().
 *
 * Return: 0; -EDEADLK (GM_ERR_DEADLOCK), nothing switched; or as
 * gm_epoch_synchronize(): then it is switched, but accesses from before may go
 * on.
 */
GM_API int gm_iommu_set_enabled(struct gm_iommu *i, bool on);

/**
 * gm_iommu_is_enabled() - is it on?
 * @i: the IOMMU
 */
GM_API bool gm_iommu_is_enabled(const struct gm_iommu *i);

/**
 * gm_iommu_iotlb() - its IOTLB
 * @i: the IOMMU
 *
 * To look at. Change it by gm_iommu_map() and gm_iommu_invalidate().
 *
 * Return: the IOTLB, borrowed.
 */
GM_API struct gm_iotlb *gm_iommu_iotlb(const struct gm_iommu *i);

/**
 * gm_iommu_bitmap() - the bitmap of IOVAs
 * @i: the IOMMU
 *
 * Return: the bitmap, borrowed, or NULL.
 */
GM_API struct gm_bitmap *gm_iommu_bitmap(const struct gm_iommu *i);

/**
 * gm_iommu_stats() - what it has done so far
 * @i: the IOMMU
 * @out: the numbers; those of other threads' latest accesses may be missing
 */
GM_API void gm_iommu_stats(struct gm_iommu *i, struct gm_iommu_stats *out);

/**
 * gm_view_init_iommu() - look at a map through an IOMMU
 * @v: caller's storage; nothing needs to be undone
 * @i: the IOMMU, which must outlive the view's use
 * @m: the map behind it, which must, too. Views of one IOMMU may have other
 *	maps: to replace the map, make the view anew.
 */
GM_API void gm_view_init_iommu(struct gm_view *v, struct gm_iommu *i,
			       const struct gm_map *m);

/**
 * gm_view_iommu() - the IOMMU that a view looks through
 * @v: the view
 *
 * Return: the IOMMU, borrowed; NULL: none.
 */
GM_API struct gm_iommu *gm_view_iommu(const struct gm_view *v);

/**
 * gm_view_backend() - the map that is behind all
 * @v: the view
 *
 * Return: the map, borrowed, whether an IOMMU is before it or not.
 */
GM_API const struct gm_map *gm_view_backend(const struct gm_view *v);

GM_END_DECLS

#endif /* GUESTMEM_IOMMU_H */
