/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice.h - a bounds-checked window of guest memory.
 *
 * A slice is a small value: where the memory is, how long, and who wants to
 * know what was written. Every access through it is checked against its length
 * and marks exactly the bytes that it wrote. A slice borrows: the memory, its
 * bitmap and its region must outlive it.
 *
 * Most slices know the host address (direct). Slices of a region that maps on
 * demand (Xen grants, a caller's own ops) have none: each access asks the
 * region for a pointer and gives it back at once. The functions below hide the
 * difference; code that needs a pointer takes one with gm_slice_begin().
 *
 * All functions may run at once on the same memory, in any thread.
 */
#ifndef GUESTMEM_SLICE_H
#define GUESTMEM_SLICE_H

#include <guestmem/bitmap.h>
#include <guestmem/copy.h>
#include <guestmem/error.h>
#include <guestmem/perm.h>

GM_BEGIN_DECLS

struct gm_region;

/**
 * struct gm_slice - a window of guest memory
 * @host: host address of its first byte, or NULL: mapped on demand
 * @len: bytes
 * @dirty: its bitmap, or NULL (with @host)
 * @region: its region (without @host)
 * @off: where the slice starts in @dirty or in @region, in bytes
 */
struct gm_slice {
	uint8_t *host;
	uint64_t len;
	union {
		struct gm_bitmap *dirty;
		struct gm_region *region;
	};
	uint64_t off;
};

GM_STATIC_ASSERT(sizeof(struct gm_slice) == 32, "ABI");

/**
 * struct gm_guard - a host pointer into guest memory, for a while
 * @ptr: the bytes
 * @len: how many
 * @region: who is told of the end, or NULL
 * @off: offset in @region
 * @cookie: the region's own
 */
struct gm_guard {
	uint8_t *ptr;
	uint64_t len;
	struct gm_region *region;
	uint64_t off;
	uint64_t cookie[2];
};

/**
 * gm_slice_new() - a slice of raw memory, without a bitmap
 * @host: first byte
 * @len: bytes
 */
GM_INLINE struct gm_slice gm_slice_new(void *host, uint64_t len)
{
	/* No initializer: sparse gets anonymous unions in them wrong. */
	struct gm_slice s;

	s.host = (uint8_t *)host;
	s.len = len;
	s.dirty = NULL;
	s.off = 0;
	return s;
}

/**
 * gm_slice_new_dirty() - a slice of raw memory, with a bitmap
 * @host: first byte
 * @len: bytes
 * @dirty: bitmap, may be NULL
 * @off: the byte of @dirty that stands for @host; if @off + @len overflows, the
 *	slice has no bitmap
 */
GM_INLINE struct gm_slice gm_slice_new_dirty(void *host, uint64_t len,
					     struct gm_bitmap *dirty,
					     uint64_t off)
{
	struct gm_slice s = gm_slice_new(host, len);

	s.off = off;
	if (off <= UINT64_MAX - len)
		s.dirty = dirty;
	return s;
}

/**
 * gm_slice_len() - length in bytes
 * @s: the slice
 */
GM_INLINE uint64_t gm_slice_len(struct gm_slice s)
{
	return s.len;
}

/**
 * gm_slice_is_empty() - has it no bytes?
 * @s: the slice
 */
GM_INLINE bool gm_slice_is_empty(struct gm_slice s)
{
	return s.len == 0;
}

/* Bounds by subtraction: off + n might wrap. */
GM_CORE bool gm_slice_has(struct gm_slice s, uint64_t off, uint64_t n)
{
	return off <= s.len && n <= s.len - off;
}

/* @x or 0, without a branch. */
GM_CORE uint64_t gm_if(bool cond, uint64_t x)
{
	return -(uint64_t)cond & x;
}

/*
 * At how many offsets an access of @n bytes to direct memory can start. It
 * depends on the slice alone and has no branch: a loop over a slice that it
 * holds computes it once, and compares once an access.
 */
GM_CORE uint64_t gm_slice_room(struct gm_slice s, uint64_t n)
{
	return gm_if((s.host != NULL) & (n <= s.len), s.len - n + 1);
}

/* The same for writes that need not be marked. */
GM_CORE uint64_t gm_slice_room_untracked(struct gm_slice s, uint64_t n)
{
	return gm_if((s.host != NULL) & (s.dirty == NULL) & (n <= s.len),
		     s.len - n + 1);
}

/*
 * The same for aligned objects, counted in objects: gm_slice_index() is the
 * offset in objects, and beyond all bounds if it is no whole number of them.
 * @n is 1, 2, 4 or 8.
 */
GM_CORE uint64_t gm_slice_objects(struct gm_slice s, uint64_t n)
{
	return gm_if((s.host != NULL) & gm_mem_is_aligned(s.host, n),
		     s.len >> __builtin_ctzll(n));
}

GM_CORE uint64_t gm_slice_index(uint64_t off, uint64_t n)
{
	unsigned int k = (unsigned int)__builtin_ctzll(n);

	return off >> k | off << (-k & 63);
}

/*
 * For calls off the fast path: a slice that is put together there keeps the
 * one at hand out of memory.
 */
GM_CORE struct gm_slice gm_slice_again(struct gm_slice s)
{
	struct gm_slice t;

	t.host = s.host;
	t.len = s.len;
	t.dirty = s.dirty;
	t.off = s.off;
	return t;
}

/**
 * gm_slice_bitmap() - the bitmap that writes are marked in
 * @s: the slice
 *
 * Return: the bitmap and the offset in it; bitmap NULL if there is none.
 */
GM_API struct gm_bitmap_slice gm_slice_bitmap(struct gm_slice s);

/**
 * gm_slice_perm() - what access the memory allows
 * @s: the slice
 *
 * Memory that is mapped on demand answers GM_PERM_RW; whether it is so, the
 * access tells.
 */
GM_API enum gm_perm gm_slice_perm(struct gm_slice s);

/**
 * gm_compute_offset() - base plus offset
 * @base: bytes
 * @off: bytes
 * @out: the sum
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW).
 */
GM_API int gm_compute_offset(uint64_t base, uint64_t off, uint64_t *out);

/**
 * gm_slice_compute_end() - end of a range, which must be inside the slice
 * @s: the slice
 * @off: first byte
 * @n: bytes
 * @out: @off + @n
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_slice_compute_end(struct gm_slice s, uint64_t off, uint64_t n,
				uint64_t *out);

/**
 * gm_slice_sub() - narrow a slice
 * @s: the slice
 * @off: first byte
 * @n: bytes
 * @out: bytes [off, off + n), marking in the same bitmap
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_slice_sub(struct gm_slice s, uint64_t off, uint64_t n,
			struct gm_slice *out);

/**
 * gm_slice_offset() - what comes after the first bytes
 * @s: the slice
 * @off: bytes to leave out; the slice's length leaves an empty one
 * @out: the rest
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_slice_offset(struct gm_slice s, uint64_t off,
			   struct gm_slice *out);

/**
 * gm_slice_split() - cut a slice in two
 * @s: the slice
 * @mid: bytes in the first half
 * @head: the first @mid bytes
 * @tail: the others
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_slice_split(struct gm_slice s, uint64_t mid,
			  struct gm_slice *head, struct gm_slice *tail);

/**
 * gm_slice_begin() - take a pointer to the whole slice
 * @s: the slice
 * @perm: what will be done through it
 * @g: the pointer and what is needed to give it back
 *
 * It must be given back with gm_guard_end(), by the same thread. Whoever writes
 * through it tells with gm_slice_mark(). The guest changes the bytes at any
 * time: use copy.h on them.
 *
 * Return: 0; -EACCES (GM_ERR_PERMISSION) writing to read-only memory; an error
 * of the region's own; -EIO (GM_ERR_BACKEND_RANGE) it gave fewer bytes.
 */
GM_API int gm_slice_begin(struct gm_slice s, enum gm_perm perm,
			  struct gm_guard *g);

/**
 * gm_guard_end() - give a pointer back
 * @g: as gm_slice_begin() filled it; the pointer is void now
 */
GM_API void gm_guard_end(struct gm_guard *g);

/**
 * gm_slice_mark() - bytes were written through a pointer
 * @s: the slice
 * @off: first byte
 * @n: bytes; what is outside of the slice is ignored
 */
GM_API void gm_slice_mark(struct gm_slice s, uint64_t off, uint64_t n);

/* What the inline functions below leave to a call. */
GM_API GM_COLD int gm_slice_read_slow(struct gm_slice s, uint64_t off,
				      void *buf, uint64_t n);
GM_API GM_COLD int gm_slice_write_slow(struct gm_slice s, uint64_t off,
				       const void *buf, uint64_t n);
GM_API GM_COLD int gm_slice_load_slow(struct gm_slice s, uint64_t off,
				      void *dst, uint64_t n,
				      enum gm_order order);
GM_API GM_COLD int gm_slice_store_slow(struct gm_slice s, uint64_t off,
				       const void *src, uint64_t n,
				       enum gm_order order);

/**
 * gm_slice_read_some() - read as many bytes as there are
 * @s: the slice
 * @off: first byte
 * @buf: where to
 * @n: bytes wanted
 *
 * Return: bytes read, less than @n at the slice's end, 0 if @n is 0; -ERANGE
 * (GM_ERR_OUT_OF_BOUNDS) @off is at or past the end; an error of the region's
 * own.
 */
GM_API int64_t gm_slice_read_some(struct gm_slice s, uint64_t off, void *buf,
				  uint64_t n);

/**
 * gm_slice_write_some() - write as many bytes as fit
 * @s: the slice
 * @off: first byte
 * @buf: what
 * @n: bytes
 *
 * Return: bytes written, less than @n at the slice's end, 0 if @n is 0; -ERANGE
 * (GM_ERR_OUT_OF_BOUNDS) @off is at or past the end; -EACCES
 * (GM_ERR_PERMISSION); an error of the region's own.
 */
GM_API int64_t gm_slice_write_some(struct gm_slice s, uint64_t off,
				   const void *buf, uint64_t n);

/**
 * gm_slice_read() - read all of @n bytes
 * @s: the slice
 * @off: first byte
 * @buf: where to
 * @n: bytes; 0 succeeds anywhere
 *
 * 1, 2, 4 and 8 bytes that are aligned in guest memory are read in one access.
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS, or GM_ERR_PARTIAL with the counts
 * when the slice ended on the way: those bytes are in @buf); an error of the
 * region's own.
 */
GM_INLINE int gm_slice_read(struct gm_slice s, uint64_t off, void *buf,
			    uint64_t n)
{
	if (gm_unlikely(off >= gm_slice_room(s, n)))
		return gm_slice_read_slow(gm_slice_again(s), off, buf, n);
	gm_copy_from_host(buf, s.host + off, n);
	return 0;
}

/**
 * gm_slice_write() - write all of @n bytes
 * @s: the slice
 * @off: first byte
 * @buf: what
 * @n: bytes; 0 succeeds anywhere
 *
 * 1, 2, 4 and 8 bytes that are aligned in guest memory are written in one
 * access.
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS, or GM_ERR_PARTIAL with the counts
 * when the slice ended on the way: those bytes are written); -EACCES
 * (GM_ERR_PERMISSION); an error of the region's own.
 */
GM_INLINE int gm_slice_write(struct gm_slice s, uint64_t off, const void *buf,
			     uint64_t n)
{
	if (gm_likely(off < gm_slice_room_untracked(s, n))) {
		gm_copy_to_host(s.host + off, buf, n);
		return 0;
	}
	if (gm_unlikely(off >= gm_slice_room(s, n) || !s.dirty ||
			!s.dirty->hot))
		return gm_slice_write_slow(gm_slice_again(s), off, buf, n);
	gm_copy_to_host(s.host + off, buf, n);
	gm_bitmap_mark(s.dirty, s.off + off, n);
	return 0;
}

/**
 * gm_slice_load() - atomic load
 * @s: the slice
 * @off: first byte; the host address must be a multiple of @n
 * @dst: where to, any alignment
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_ACQUIRE or GM_SEQ_CST
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -ERANGE (GM_ERR_OUT_OF_BOUNDS);
 * -EINVAL (GM_ERR_MISALIGNED with the host address, GM_ERR_SIZE,
 * GM_ERR_ORDER); an error of the region's own.
 */
GM_INLINE int gm_slice_load(struct gm_slice s, uint64_t off, void *dst,
			    uint64_t n, enum gm_order order)
{
	if (__builtin_constant_p(n) && gm_mem_size_is_atomic(n) &&
	    gm_order_for_load(order) &&
	    gm_likely(gm_slice_index(off, n) < gm_slice_objects(s, n))) {
		gm_mem_load(dst, s.host + off, n, order);
		return 0;
	}
	if (gm_unlikely(!gm_slice_has(s, off, n) || !s.host ||
			!gm_mem_size_is_atomic(n) ||
			!gm_mem_is_aligned(s.host + off, n) ||
			!gm_order_for_load(order)))
		return gm_slice_load_slow(gm_slice_again(s), off, dst, n, order);
	gm_mem_load(dst, s.host + off, n, order);
	return 0;
}

/**
 * gm_slice_store() - atomic store
 * @s: the slice
 * @off: first byte; the host address must be a multiple of @n
 * @src: what, any alignment
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_RELEASE or GM_SEQ_CST
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -ERANGE (GM_ERR_OUT_OF_BOUNDS);
 * -EINVAL (GM_ERR_MISALIGNED with the host address, GM_ERR_SIZE,
 * GM_ERR_ORDER); -EACCES (GM_ERR_PERMISSION); an error of the region's own.
 */
GM_INLINE int gm_slice_store(struct gm_slice s, uint64_t off, const void *src,
			     uint64_t n, enum gm_order order)
{
	if (gm_unlikely(!gm_slice_has(s, off, n) || !s.host ||
			!gm_mem_size_is_atomic(n) ||
			!gm_mem_is_aligned(s.host + off, n) ||
			!gm_order_for_store(order) ||
			gm_bitmap_refuses_write(s.dirty)))
		return gm_slice_store_slow(gm_slice_again(s), off, src, n,
					   order);
	gm_mem_store(s.host + off, src, n, order);
	gm_bitmap_mark(s.dirty, s.off + off, n);
	return 0;
}

/*
 * The same for integers: u8, u16, u32 and u64. Other types (signed,
 * pointer-sized) go through the functions above with their sizeof.
 */

/**
 * gm_slice_read_u32() - read an integer
 * @s: the slice
 * @off: first byte
 * @out: the integer
 *
 * Return: as gm_slice_read().
 */
GM_INLINE int gm_slice_read_u32(struct gm_slice s, uint64_t off, uint32_t *out);

/**
 * gm_slice_write_u32() - write an integer
 * @s: the slice
 * @off: first byte
 * @v: the integer
 *
 * Return: as gm_slice_write().
 */
GM_INLINE int gm_slice_write_u32(struct gm_slice s, uint64_t off, uint32_t v);

/**
 * gm_slice_load_u32() - atomic load of an integer
 * @s: the slice
 * @off: first byte
 * @order: as in gm_slice_load()
 * @out: the integer
 *
 * Return: as gm_slice_load().
 */
GM_INLINE int gm_slice_load_u32(struct gm_slice s, uint64_t off,
				enum gm_order order, uint32_t *out);

/**
 * gm_slice_store_u32() - atomic store of an integer
 * @s: the slice
 * @off: first byte
 * @v: the integer
 * @order: as in gm_slice_store()
 *
 * Return: as gm_slice_store().
 */
GM_INLINE int gm_slice_store_u32(struct gm_slice s, uint64_t off, uint32_t v,
				 enum gm_order order);

/* A value goes to memory (copy) where a call needs it there, not before. */
#define GM_DEFINE_SLICE_INT(n, type) \
GM_INLINE int gm_slice_read_##n(struct gm_slice s, uint64_t off, type *out) \
{ \
	type x; \
	int ret = gm_slice_read(s, off, &x, sizeof(x)); \
	if (gm_likely(!ret)) \
		*out = x; \
	return ret; \
} \
GM_INLINE int gm_slice_write_##n(struct gm_slice s, uint64_t off, type v) \
{ \
	type copy; \
	if (gm_likely(off < gm_slice_room_untracked(s, sizeof(v)))) { \
		gm_copy_to_host(s.host + off, &v, sizeof(v)); \
		return 0; \
	} \
	copy = v; \
	return gm_slice_write(s, off, &copy, sizeof(copy)); \
} \
GM_INLINE int gm_slice_load_##n(struct gm_slice s, uint64_t off, \
				enum gm_order order, type *out) \
{ \
	return gm_slice_load(s, off, out, sizeof(*out), order); \
} \
GM_INLINE int gm_slice_store_##n(struct gm_slice s, uint64_t off, type v, \
				 enum gm_order order) \
{ \
	type copy; \
	if (gm_order_for_store(order) && \
	    gm_likely(gm_slice_index(off, sizeof(v)) < \
		      gm_if(s.dirty == NULL, \
			    gm_slice_objects(s, sizeof(v))))) { \
		gm_mem_store(s.host + off, &v, sizeof(v), order); \
		return 0; \
	} \
	copy = v; \
	return gm_slice_store(s, off, &copy, sizeof(copy), order); \
}

GM_DEFINE_SLICE_INT(u8, uint8_t)
GM_DEFINE_SLICE_INT(u16, uint16_t)
GM_DEFINE_SLICE_INT(u32, uint32_t)
GM_DEFINE_SLICE_INT(u64, uint64_t)

/**
 * gm_slice_copy_to() - copy elements out
 * @s: the slice
 * @buf: where to
 * @elem: bytes an element, not 0
 * @count: room for so many
 *
 * Elements of 2, 4 and 8 bytes that are aligned in guest memory are each read
 * in one access.
 *
 * Return: elements copied, the smaller of @count and what the slice has whole;
 * -EINVAL (GM_ERR_SIZE) @elem is 0; an error of the region's own.
 */
GM_API int64_t gm_slice_copy_to(struct gm_slice s, void *buf, size_t elem,
				size_t count);

/**
 * gm_slice_copy_from() - copy elements in
 * @s: the slice
 * @buf: the elements
 * @elem: bytes an element, not 0
 * @count: how many there are
 *
 * Return: elements copied, the smaller of @count and what the slice has room
 * for; -EINVAL (GM_ERR_SIZE) @elem is 0; -EACCES (GM_ERR_PERMISSION); an error
 * of the region's own.
 */
GM_API int64_t gm_slice_copy_from(struct gm_slice s, const void *buf,
				  size_t elem, size_t count);

/**
 * gm_slice_copy_to_slice() - copy from one slice to another
 * @s: from
 * @to: to; may overlap @s
 *
 * Return: bytes copied, the smaller of the lengths; -EACCES
 * (GM_ERR_PERMISSION); an error of a region's own.
 */
GM_API int64_t gm_slice_copy_to_slice(struct gm_slice s, struct gm_slice to);

GM_END_DECLS

#endif /* GUESTMEM_SLICE_H */
