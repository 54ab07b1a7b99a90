/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice_access.h - read and write through a slice, at byte offsets.
 *
 * Each access is checked against the slice's length and marks exactly the bytes
 * that it wrote. Loops over a slice that they hold pay one comparison an access
 * over a raw pointer.
 *
 * All functions may run at once on the same memory, in any thread.
 */
#ifndef GUESTMEM_SLICE_ACCESS_H
#define GUESTMEM_SLICE_ACCESS_H

#include <guestmem/slice.h>

GM_BEGIN_DECLS

/* Does it know the host address? 0 or 1, to reckon with. */
GM_CORE unsigned int gm_slice_is_direct(struct gm_slice s)
{
	return !!s.host;
}

/* Of a direct slice: is nobody to be told of writes? 0 or 1. */
GM_CORE unsigned int gm_slice_is_untracked(struct gm_slice s)
{
	return !s.dirty;
}

/* @x if @cond is 1, 0 if it is 0, without a branch. */
GM_CORE uint64_t gm_if(unsigned int cond, uint64_t x)
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
	return gm_if(gm_slice_is_direct(s) & (n <= s.len), s.len - n + 1);
}

/* The same for writes that need not be marked. */
GM_CORE uint64_t gm_slice_room_untracked(struct gm_slice s, uint64_t n)
{
	return gm_if(gm_slice_is_direct(s) & gm_slice_is_untracked(s) & (n <= s.len),
		     s.len - n + 1);
}

/*
 * The same for aligned objects, counted in objects: gm_slice_index() is the
 * offset in objects, and beyond all bounds if it is no whole number of them.
 * @n is 1, 2, 4 or 8.
 */
GM_CORE uint64_t gm_slice_objects(struct gm_slice s, uint64_t n)
{
	return gm_if(gm_slice_is_direct(s) & gm_mem_is_aligned(s.host, n),
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
		      gm_if(gm_slice_is_untracked(s), \
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

#endif /* GUESTMEM_SLICE_ACCESS_H */
