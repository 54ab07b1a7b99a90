/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * region.h - one contiguous range of guest memory.
 *
 * A region never changes after it is made, and is counted: maps share it, and
 * its memory goes with its last reference (in a forked child only if the child has
 * inherited it). Whoever needs that memory to stay as it is until then says so with
 * a hold (hold.h). Regions come from mmap.h, or are a caller's own
 * (gm_region_init()).
 *
 * Bytes in a region are named by their offset (gm_roff_t). A range may end at
 * the last byte of the 64-bit space. All functions may run at once.
 */
#ifndef GUESTMEM_REGION_H
#define GUESTMEM_REGION_H

#include <guestmem/addr.h>
#include <guestmem/io.h>

GM_BEGIN_DECLS

struct gm_file;

/**
 * struct gm_extent - what an access needs to know of a region
 * @base: guest address of its first byte
 * @len: bytes
 * @host: host address of its first byte; NULL: mapped on demand
 * @dirty: bitmap of what was written; NULL: not tracked
 *
 * Views hold a copy: it is ABI.
 */
struct gm_extent {
	uint64_t base;
	uint64_t len;
	uint8_t *host;
	struct gm_bitmap *dirty;
};

GM_STATIC_ASSERT(sizeof(struct gm_extent) == 32, "ABI");

/**
 * struct gm_region_ops - what is particular to a kind of region
 * @begin: make [off, off + len) of a region without a host address accessible:
 *	fill @g's ptr and len (and cookie) and return 0; or return a negative
 *	errno and leave nothing behind: GM_ERR_IO, unless it says more with
 *	gm_error_set(). The range is inside the region. Any number of threads
 *	call it at once. It may access guest memory, which can lead back here: the
 *	library holds nothing meanwhile, so where that ends is its own to say.
 * @end: undo @begin
 * @release: the last reference is gone: free what the region has, and the
 *	region
 *
 * Every slot is filled: gm_region_no_begin() and gm_region_no_end() are there
 * for kinds that have nothing to do.
 */
struct gm_region_ops {
	int (*begin)(struct gm_region *r, uint64_t off, uint64_t len,
		     enum gm_perm perm, struct gm_guard *g);
	void (*end)(struct gm_region *r, struct gm_guard *g);
	void (*release)(struct gm_region *r);
};

GM_STATIC_ASSERT(sizeof(struct gm_region_ops) == 24, "ABI");

/**
 * enum gm_tristate - yes, no, or not known
 * @GM_UNKNOWN: nobody said
 * @GM_NO: no
 * @GM_YES: yes
 */
enum gm_tristate {
	GM_UNKNOWN = 0,
	GM_NO = 1,
	GM_YES = 2,
};

/**
 * struct gm_region - one contiguous range of guest memory
 * @ext: base, length, host address, bitmap
 * @ops: its kind
 * @refs: references
 * @faulted: how often memory behind it was found to be gone (see fault.h)
 * @hugetlbfs: is it made of hugetlb pages?
 * @prot: PROT_*, as mapped
 * @flags: MAP_*, as mapped
 * @owned: the library mapped it and will unmap it
 * @file: file behind it, or NULL
 * @file_off: offset in @file of its first byte
 * @priv: for @ops
 * @base: the region whose memory it is; NULL: its own
 * @xen_flags: GM_XEN_* (see xen.h)
 * @xen_data: domain
 * @reserved: zero
 *
 * Its layout is ABI. A caller's own kind embeds it and uses gm_region_init();
 * all fields but @priv are the library's.
 */
struct gm_region {
	struct gm_extent ext;
	const struct gm_region_ops *ops;
	uint32_t refs;
	uint32_t faulted;
	enum gm_tristate hugetlbfs;
	int prot;
	int flags;
	int owned;
	struct gm_file *file;
	uint64_t file_off;
	void *priv;
	struct gm_region *base;
	uint32_t xen_flags;
	uint32_t xen_data;
	uint64_t reserved[2];
};

GM_STATIC_ASSERT(offsetof(struct gm_region, ops) == 32, "ABI");
GM_STATIC_ASSERT(sizeof(struct gm_region) == 120, "ABI");

/**
 * gm_region_init() - make a region of the caller's own kind
 * @r: caller's storage, until @ops->release
 * @gpa: guest address of its first byte
 * @len: bytes, not 0
 * @host: host address, or NULL: each access goes through @ops->begin
 * @dirty: bitmap, or NULL; the region takes a reference, which
 *	gm_region_exit() drops
 * @ops: its kind, which lives as long as the region
 *
 * It starts with one reference. @ops->release calls gm_region_exit().
 *
 * Return: 0; -EINVAL (GM_ERR_ZERO_LENGTH), (GM_ERR_OPTION) a slot of @ops is
 * empty; -EOVERFLOW (GM_ERR_GUEST_OVERFLOW) the range passes 2^64,
 * (GM_ERR_OVERFLOW) host addresses do.
 */
GM_API int gm_region_init(struct gm_region *r, gm_gpa_t gpa, gm_size_t len,
			  void *host, struct gm_bitmap *dirty,
			  const struct gm_region_ops *ops);

/**
 * gm_region_exit() - drop what gm_region_init() took
 * @r: the region, which nobody uses any more
 */
GM_API void gm_region_exit(struct gm_region *r);

/**
 * gm_region_no_begin() - a begin for kinds that have a host address
 * @r: the region
 * @off: first byte
 * @len: bytes
 * @perm: ignored
 * @g: untouched
 *
 * Return: -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR) always.
 */
GM_API int gm_region_no_begin(struct gm_region *r, uint64_t off, uint64_t len,
			      enum gm_perm perm, struct gm_guard *g);

/**
 * gm_region_no_end() - an end that has nothing to do
 * @r: the region
 * @g: the guard
 */
GM_API void gm_region_no_end(struct gm_region *r, struct gm_guard *g);

/**
 * gm_region_get() - take one more reference
 * @r: the region
 *
 * Return: @r.
 */
GM_API struct gm_region *gm_region_get(struct gm_region *r);

/**
 * gm_region_put() - drop a reference; the last one releases the region
 * @r: the region; NULL is allowed
 */
GM_API void gm_region_put(struct gm_region *r);

/**
 * gm_region_start() - guest address of the first byte
 * @r: the region
 */
GM_INLINE gm_gpa_t gm_region_start(const struct gm_region *r)
{
	return gm_gpa(r->ext.base);
}

/**
 * gm_region_len() - length in bytes
 * @r: the region
 */
GM_INLINE gm_size_t gm_region_len(const struct gm_region *r)
{
	return r->ext.len;
}

/**
 * gm_region_last() - guest address of the last byte
 * @r: the region
 */
GM_INLINE gm_gpa_t gm_region_last(const struct gm_region *r)
{
	return gm_gpa(r->ext.base + (r->ext.len - 1));
}

/**
 * gm_region_contains() - is a guest address in the region?
 * @r: the region
 * @gpa: the address
 */
GM_INLINE bool gm_region_contains(const struct gm_region *r, gm_gpa_t gpa)
{
	return gm_gpa_raw(gpa) - r->ext.base < r->ext.len;
}

/**
 * gm_region_to_offset() - offset of a guest address
 * @r: the region
 * @gpa: the address
 * @out: its offset
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR) it is not in the region.
 */
GM_API int gm_region_to_offset(const struct gm_region *r, gm_gpa_t gpa,
			       gm_roff_t *out);

/**
 * gm_region_has_offset() - is an offset in the region?
 * @r: the region
 * @off: the offset
 */
GM_INLINE bool gm_region_has_offset(const struct gm_region *r, gm_roff_t off)
{
	return gm_roff_raw(off) < r->ext.len;
}

/**
 * gm_region_check_offset() - an offset, if it is in the region
 * @r: the region
 * @off: the offset
 * @out: @off
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_region_check_offset(const struct gm_region *r, gm_roff_t off,
				  gm_roff_t *out);

/**
 * gm_region_offset_add() - offset plus bytes, if that is in the region
 * @r: the region
 * @off: the offset
 * @n: bytes
 * @out: the sum
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_region_offset_add(const struct gm_region *r, gm_roff_t off,
				uint64_t n, gm_roff_t *out);

/**
 * gm_region_bitmap() - the bitmap of what was written
 * @r: the region
 *
 * Return: the bitmap, borrowed, or NULL.
 */
GM_API struct gm_bitmap *gm_region_bitmap(const struct gm_region *r);

/**
 * gm_region_perm() - what access the region allows
 * @r: the region
 */
GM_API enum gm_perm gm_region_perm(const struct gm_region *r);

/**
 * gm_region_host() - host address of a byte
 * @r: the region
 * @off: the byte
 * @out: its address, good while the region is
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS); -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR)
 * mapped on demand.
 */
GM_API int gm_region_host(const struct gm_region *r, gm_roff_t off,
			  void **out);

/**
 * gm_region_file() - the file behind the region
 * @r: the region
 * @off: offset in the file of the region's first byte; may be NULL
 *
 * Return: the file, borrowed, or NULL (then @off is untouched).
 */
GM_API struct gm_file *gm_region_file(const struct gm_region *r,
				      uint64_t *off);

/**
 * gm_region_is_hugetlbfs() - is it made of hugetlb pages?
 * @r: the region
 */
GM_API enum gm_tristate gm_region_is_hugetlbfs(const struct gm_region *r);

/**
 * gm_region_slice() - a slice of the region
 * @r: the region, borrowed
 * @off: first byte
 * @n: bytes
 * @out: the slice
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_region_slice(struct gm_region *r, gm_roff_t off, gm_size_t n,
			   struct gm_slice *out);

/**
 * gm_region_as_slice() - the whole region as a slice
 * @r: the region, borrowed
 */
GM_INLINE struct gm_slice gm_region_as_slice(struct gm_region *r)
{
	struct gm_slice s = gm_slice_new_dirty(r->ext.host, r->ext.len,
					       r->ext.dirty, 0);

	if (gm_unlikely(!s.host))
		s.region = r;
	return s;
}

/*
 * Byte access at an offset of the region: the functions of slice_access.h and io.h on
 * the whole region as a slice, with the same errors.
 */

/**
 * gm_region_read_some() - read as many bytes as there are
 * @r: the region
 * @off: first byte
 * @buf: where to
 * @n: bytes wanted
 *
 * Return: as gm_slice_read_some().
 */
GM_INLINE int64_t gm_region_read_some(struct gm_region *r, gm_roff_t off,
				      void *buf, uint64_t n)
{
	return gm_slice_read_some(gm_region_as_slice(r), gm_roff_raw(off), buf,
				  n);
}

/**
 * gm_region_write_some() - write as many bytes as fit
 * @r: the region
 * @off: first byte
 * @buf: what
 * @n: bytes
 *
 * Return: as gm_slice_write_some().
 */
GM_INLINE int64_t gm_region_write_some(struct gm_region *r, gm_roff_t off,
				       const void *buf, uint64_t n)
{
	return gm_slice_write_some(gm_region_as_slice(r), gm_roff_raw(off),
				   buf, n);
}

/**
 * gm_region_read() - read all of @n bytes
 * @r: the region
 * @off: first byte
 * @buf: where to
 * @n: bytes; 0 succeeds anywhere
 *
 * Return: as gm_slice_read().
 */
GM_INLINE int gm_region_read(struct gm_region *r, gm_roff_t off, void *buf,
			     uint64_t n)
{
	return gm_slice_read(gm_region_as_slice(r), gm_roff_raw(off), buf, n);
}

/**
 * gm_region_write() - write all of @n bytes
 * @r: the region
 * @off: first byte
 * @buf: what
 * @n: bytes; 0 succeeds anywhere
 *
 * Return: as gm_slice_write().
 */
GM_INLINE int gm_region_write(struct gm_region *r, gm_roff_t off,
			      const void *buf, uint64_t n)
{
	return gm_slice_write(gm_region_as_slice(r), gm_roff_raw(off), buf, n);
}

/**
 * gm_region_load() - atomic load
 * @r: the region
 * @off: first byte; its host address must be a multiple of @n
 * @dst: where to, any alignment
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_ACQUIRE or GM_SEQ_CST
 *
 * Return: as gm_slice_load().
 */
GM_INLINE int gm_region_load(struct gm_region *r, gm_roff_t off, void *dst,
			     uint64_t n, enum gm_order order)
{
	return gm_slice_load(gm_region_as_slice(r), gm_roff_raw(off), dst, n,
			     order);
}

/**
 * gm_region_store() - atomic store
 * @r: the region
 * @off: first byte; its host address must be a multiple of @n
 * @src: what, any alignment
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_RELEASE or GM_SEQ_CST
 *
 * Return: as gm_slice_store().
 */
GM_INLINE int gm_region_store(struct gm_region *r, gm_roff_t off,
			      const void *src, uint64_t n, enum gm_order order)
{
	return gm_slice_store(gm_region_as_slice(r), gm_roff_raw(off), src, n,
			      order);
}

/**
 * gm_region_read_from() - fill from a source, as far as one call brings it
 * @r: the region
 * @off: first byte to fill
 * @src: the source
 * @n: bytes wanted; cut at the region's end
 *
 * Return: as gm_slice_read_from().
 */
GM_INLINE int64_t gm_region_read_from(struct gm_region *r, gm_roff_t off,
				      struct gm_source *src, uint64_t n)
{
	return gm_slice_read_from(gm_region_as_slice(r), gm_roff_raw(off), src,
				  n);
}

/**
 * gm_region_read_exact_from() - fill from a source, all of it
 * @r: the region
 * @off: first byte to fill
 * @src: the source
 * @n: bytes
 *
 * Return: as gm_slice_read_exact_from().
 */
GM_INLINE int gm_region_read_exact_from(struct gm_region *r, gm_roff_t off,
					struct gm_source *src, uint64_t n)
{
	return gm_slice_read_exact_from(gm_region_as_slice(r),
					gm_roff_raw(off), src, n);
}

/**
 * gm_region_write_to() - drain to a sink, as far as one call brings it
 * @r: the region
 * @off: first byte
 * @sink: the sink
 * @n: bytes wanted; cut at the region's end
 *
 * Return: as gm_slice_write_to().
 */
GM_INLINE int64_t gm_region_write_to(struct gm_region *r, gm_roff_t off,
				     struct gm_sink *sink, uint64_t n)
{
	return gm_slice_write_to(gm_region_as_slice(r), gm_roff_raw(off), sink,
				 n);
}

/**
 * gm_region_write_all_to() - drain to a sink, all of it
 * @r: the region
 * @off: first byte
 * @sink: the sink
 * @n: bytes
 *
 * Return: as gm_slice_write_all_to().
 */
GM_INLINE int gm_region_write_all_to(struct gm_region *r, gm_roff_t off,
				     struct gm_sink *sink, uint64_t n)
{
	return gm_slice_write_all_to(gm_region_as_slice(r), gm_roff_raw(off),
				     sink, n);
}

GM_END_DECLS

#endif /* GUESTMEM_REGION_H */
