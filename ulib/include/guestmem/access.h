/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * access.h - read and write guest memory by guest address.
 *
 * A range may span regions that are adjacent in the guest, wherever they are in
 * the host. What is written is marked dirty, byte for byte. The errors of the
 * exact functions:
 *
 *   -EFAULT     GM_ERR_GUEST_ADDR: nothing at the first address;
 *               GM_ERR_PARTIAL: a hole on the way, with the address of the
 *               hole and the counts; what is before it was moved
 *   -EOVERFLOW  GM_ERR_GUEST_OVERFLOW or GM_ERR_PARTIAL: the range passes 2^64
 *   -EACCES     GM_ERR_PERMISSION or GM_ERR_PARTIAL: read-only memory
 *   others      a region's own, from its ops
 *
 * Through an IOMMU (iommu.h), addresses are IOVAs, and moreover:
 *
 *   -EFAULT     GM_ERR_IOVA: no translation; also an errno of translate()'s own
 *   -EAGAIN     GM_ERR_IOTLB_MISS: it would have to ask, inside a section
 *   -EOPNOTSUPP GM_ERR_NO_HOST_ADDR: a write that can't be marked by IOVA
 *
 * A view is one thread's own; other views of the same memory may be used at
 * the same time.
 */
#ifndef GUESTMEM_ACCESS_H
#define GUESTMEM_ACCESS_H

#include <guestmem/endian.h>
#include <guestmem/view.h>

GM_BEGIN_DECLS

/* What the inline functions below leave to a call. */
GM_API int gm_view_read_slow(struct gm_view *v, gm_gpa_t gpa, void *buf,
			     uint64_t n);
GM_API int gm_view_write_slow(struct gm_view *v, gm_gpa_t gpa,
			      const void *buf, uint64_t n);
GM_API int gm_view_load_slow(struct gm_view *v, gm_gpa_t gpa, void *dst,
			     uint64_t n, enum gm_order order);
GM_API int gm_view_store_slow(struct gm_view *v, gm_gpa_t gpa, const void *src,
			      uint64_t n, enum gm_order order);

/*
 * Reads of integers. @x is written whatever comes of it, and no call sees it: it
 * can stay in a register. What is not aligned, and granules that regions share,
 * are left to the call, which takes the hint.
 */
#define GM_DEFINE_VIEW_GET(bits) \
GM_CORE int gm_view_get_u##bits(struct gm_view *v, gm_gpa_t gpa, \
				uint##bits##_t *x) \
{ \
	uint##bits##_t copy; \
	uint8_t *host = NULL; \
	int ret; \
	if (gm_likely(gm_view_direct(v, gm_gpa_raw(gpa), sizeof(*x), \
				     &host))) { \
		*x = gm_mem_load_u##bits(host, GM_RELAXED); \
		return 0; \
	} \
	copy = 0; \
	ret = gm_view_read_slow(v, gpa, &copy, sizeof(copy)); \
	*x = copy; \
	return ret; \
}

GM_DEFINE_VIEW_GET(8)
GM_DEFINE_VIEW_GET(16)
GM_DEFINE_VIEW_GET(32)
GM_DEFINE_VIEW_GET(64)

/* Has a read that failed brought some bytes? */
GM_CORE bool gm_view_read_something(int ret)
{
	return !ret || gm_error_last()->kind == GM_ERR_PARTIAL;
}

/**
 * gm_view_read() - read all of @n bytes, or an object
 * @v: the view
 * @gpa: first byte
 * @buf: where to
 * @n: bytes; 0 succeeds anywhere
 *
 * 1, 2, 4 and 8 bytes that are aligned in guest memory are read in one access.
 *
 * Return: 0, or an error as the head of access.h lists them. After
 * GM_ERR_PARTIAL, what comes behind the bytes that were moved is undefined.
 */
GM_INLINE int gm_view_read(struct gm_view *v, gm_gpa_t gpa, void *buf,
			   uint64_t n)
{
	uint64_t off;
	int ret;

	if (__builtin_constant_p(n) && n == 1) {
		uint8_t x;

		ret = gm_view_get_u8(v, gpa, &x);
		if (gm_view_read_something(ret))
			memcpy(buf, &x, 1);
		return ret;
	}
	if (__builtin_constant_p(n) && n == 2) {
		uint16_t x;

		ret = gm_view_get_u16(v, gpa, &x);
		if (gm_view_read_something(ret))
			memcpy(buf, &x, 2);
		return ret;
	}
	if (__builtin_constant_p(n) && n == 4) {
		uint32_t x;

		ret = gm_view_get_u32(v, gpa, &x);
		if (gm_view_read_something(ret))
			memcpy(buf, &x, 4);
		return ret;
	}
	if (__builtin_constant_p(n) && n == 8) {
		uint64_t x;

		ret = gm_view_get_u64(v, gpa, &x);
		if (gm_view_read_something(ret))
			memcpy(buf, &x, 8);
		return ret;
	}
	if (gm_unlikely(!gm_view_hit(v, gm_gpa_raw(gpa), n, &off)))
		return gm_view_read_slow(v, gpa, buf, n);
	gm_copy_from_host(buf, v->hint.host + off, n);
	return 0;
}

/*
 * Writes and stores of integers. @x goes to memory where a call needs it there,
 * and nowhere else: an object that the caller has put together in a register is
 * not stored in parts and loaded whole, which is slow.
 */
#define GM_DEFINE_VIEW_PUT(bits) \
GM_CORE int gm_view_put_u##bits(struct gm_view *v, gm_gpa_t gpa, \
				uint##bits##_t x, bool atomic, \
				enum gm_order order) \
{ \
	struct gm_bitmap *dirty = v->hint.dirty; \
	const uint64_t *hot = NULL; \
	uint##bits##_t copy; \
	uint64_t off; \
	if (gm_likely(gm_view_hit(v, gm_gpa_raw(gpa), sizeof(x), &off) && \
		      (!atomic || \
		       (gm_order_for_store(order) && \
			gm_mem_is_aligned(v->hint.host + off, sizeof(x)))))) { \
		/* Read-only memory has no hot words: left to the call. */ \
		if (gm_unlikely(dirty)) \
			hot = dirty->hot; \
		if (gm_likely(!dirty) || gm_likely(hot)) { \
			if (atomic) \
				gm_mem_store_u##bits(v->hint.host + off, x, \
						     order); \
			else \
				gm_mem_write_u##bits(v->hint.host + off, x); \
			if (dirty && \
			    gm_unlikely(!gm_bitmap_is_marked(dirty, hot, off, \
							     sizeof(x)))) \
				gm_bitmap_mark_slow(dirty, off, sizeof(x)); \
			return 0; \
		} \
	} \
	copy = x; \
	if (atomic) \
		return gm_view_store_slow(v, gpa, &copy, sizeof(copy), order); \
	return gm_view_write_slow(v, gpa, &copy, sizeof(copy)); \
} \
GM_INLINE int gm_view_write_u##bits(struct gm_view *v, gm_gpa_t gpa, \
				    uint##bits##_t x) \
{ \
	return gm_view_put_u##bits(v, gpa, x, false, GM_RELAXED); \
} \
GM_INLINE int gm_view_store_u##bits(struct gm_view *v, gm_gpa_t gpa, \
				    uint##bits##_t x, enum gm_order order) \
{ \
	return gm_view_put_u##bits(v, gpa, x, true, order); \
}

GM_DEFINE_VIEW_PUT(8)
GM_DEFINE_VIEW_PUT(16)
GM_DEFINE_VIEW_PUT(32)
GM_DEFINE_VIEW_PUT(64)

/**
 * gm_view_write() - write all of @n bytes, or an object
 * @v: the view
 * @gpa: first byte
 * @buf: what
 * @n: bytes; 0 succeeds anywhere
 *
 * 1, 2, 4 and 8 bytes that are aligned in guest memory are written in one
 * access.
 *
 * Return: 0, or an error as the head of access.h lists them.
 */
GM_INLINE int gm_view_write(struct gm_view *v, gm_gpa_t gpa, const void *buf,
			    uint64_t n)
{
	struct gm_bitmap *dirty = v->hint.dirty;
	uint64_t off;

	if (__builtin_constant_p(n) && n == 1) {
		uint8_t x;

		memcpy(&x, buf, 1);
		return gm_view_write_u8(v, gpa, x);
	}
	if (__builtin_constant_p(n) && n == 2) {
		uint16_t x;

		memcpy(&x, buf, 2);
		return gm_view_write_u16(v, gpa, x);
	}
	if (__builtin_constant_p(n) && n == 4) {
		uint32_t x;

		memcpy(&x, buf, 4);
		return gm_view_write_u32(v, gpa, x);
	}
	if (__builtin_constant_p(n) && n == 8) {
		uint64_t x;

		memcpy(&x, buf, 8);
		return gm_view_write_u64(v, gpa, x);
	}
	if (gm_unlikely(!gm_view_hit(v, gm_gpa_raw(gpa), n, &off) ||
			gm_bitmap_refuses_write(dirty)))
		return gm_view_write_slow(v, gpa, buf, n);
	gm_copy_to_host(v->hint.host + off, buf, n);
	gm_bitmap_mark(dirty, off, n);
	return 0;
}

/**
 * gm_view_read_some() - read as many bytes as there are
 * @v: the view
 * @gpa: first byte
 * @buf: where to
 * @n: bytes wanted
 *
 * Return: bytes read, up to the first hole; 0 if @n is 0; -EFAULT
 * (GM_ERR_GUEST_ADDR) nothing at @gpa; a region's own error if it comes first.
 */
GM_API int64_t gm_view_read_some(struct gm_view *v, gm_gpa_t gpa, void *buf,
				 uint64_t n);

/**
 * gm_view_write_some() - write as many bytes as fit
 * @v: the view
 * @gpa: first byte
 * @buf: what
 * @n: bytes
 *
 * Return: bytes written, up to the first hole or read-only memory; 0 if @n is
 * 0; -EFAULT (GM_ERR_GUEST_ADDR) nothing at @gpa; -EACCES (GM_ERR_PERMISSION)
 * it is read-only; a region's own error if it comes first.
 */
GM_API int64_t gm_view_write_some(struct gm_view *v, gm_gpa_t gpa,
				  const void *buf, uint64_t n);

/**
 * gm_view_load() - atomic load
 * @v: the view
 * @gpa: first byte; its host address must be a multiple of @n
 * @dst: where to, any alignment
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_ACQUIRE or GM_SEQ_CST
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR); -EOVERFLOW (GM_ERR_GUEST_OVERFLOW);
 * -EMSGSIZE (GM_ERR_FRAGMENTED) it straddles regions; -EINVAL
 * (GM_ERR_MISALIGNED, GM_ERR_SIZE, GM_ERR_ORDER); a region's own.
 */
GM_INLINE int gm_view_load(struct gm_view *v, gm_gpa_t gpa, void *dst,
			   uint64_t n, enum gm_order order)
{
	uint8_t *host = NULL;

	if (gm_unlikely(!gm_mem_size_is_atomic(n) ||
			!gm_order_for_load(order) ||
			!gm_view_direct(v, gm_gpa_raw(gpa), n, &host)))
		return gm_view_load_slow(v, gpa, dst, n, order);
	gm_mem_load(dst, host, n, order);
	return 0;
}

/**
 * gm_view_store() - atomic store
 * @v: the view
 * @gpa: first byte; its host address must be a multiple of @n
 * @src: what, any alignment
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_RELEASE or GM_SEQ_CST
 *
 * Return: as gm_view_load(); -EACCES (GM_ERR_PERMISSION).
 */
GM_INLINE int gm_view_store(struct gm_view *v, gm_gpa_t gpa, const void *src,
			    uint64_t n, enum gm_order order)
{
	uint64_t off;

	if (gm_unlikely(!gm_mem_size_is_atomic(n) ||
			!gm_order_for_store(order) ||
			!gm_view_hit(v, gm_gpa_raw(gpa), n, &off) ||
			!gm_mem_is_aligned(v->hint.host + off, n) ||
			gm_bitmap_refuses_write(v->hint.dirty)))
		return gm_view_store_slow(v, gpa, src, n, order);
	gm_mem_store(v->hint.host + off, src, n, order);
	gm_bitmap_mark(v->hint.dirty, off, n);
	return 0;
}

/* The same for integers: u8, u16, u32 and u64. */

/**
 * gm_view_read_u32() - read an integer
 * @v: the view
 * @gpa: first byte; it may straddle regions
 * @out: the integer, in the host's byte order
 *
 * Return: as gm_view_read().
 */
GM_INLINE int gm_view_read_u32(struct gm_view *v, gm_gpa_t gpa, uint32_t *out);

/**
 * gm_view_write_u32() - write an integer
 * @v: the view
 * @gpa: first byte; it may straddle regions
 * @x: the integer, in the host's byte order
 *
 * Return: as gm_view_write().
 */
GM_INLINE int gm_view_write_u32(struct gm_view *v, gm_gpa_t gpa, uint32_t x);

/**
 * gm_view_load_u32() - atomic load of an integer
 * @v: the view
 * @gpa: first byte; its host address must be a multiple of the size
 * @order: as in gm_view_load()
 * @out: the integer
 *
 * Return: as gm_view_load().
 */
GM_INLINE int gm_view_load_u32(struct gm_view *v, gm_gpa_t gpa,
			       enum gm_order order, uint32_t *out);

/**
 * gm_view_store_u32() - atomic store of an integer
 * @v: the view
 * @gpa: first byte; its host address must be a multiple of the size
 * @x: the integer
 * @order: as in gm_view_store()
 *
 * Return: as gm_view_store().
 */
GM_INLINE int gm_view_store_u32(struct gm_view *v, gm_gpa_t gpa, uint32_t x,
				enum gm_order order);

/* In a fixed byte order: le16, le32, le64, be16, be32 and be64. */

/**
 * gm_view_read_le32() - read an integer of fixed byte order
 * @v: the view
 * @gpa: first byte; it may straddle regions
 * @out: the integer, converted to the host's byte order
 *
 * Return: as gm_view_read().
 */
GM_INLINE int gm_view_read_le32(struct gm_view *v, gm_gpa_t gpa,
				uint32_t *out);

/**
 * gm_view_write_le32() - write an integer in fixed byte order
 * @v: the view
 * @gpa: first byte; it may straddle regions
 * @x: the integer, in the host's byte order
 *
 * Return: as gm_view_write().
 */
GM_INLINE int gm_view_write_le32(struct gm_view *v, gm_gpa_t gpa, uint32_t x);

#define GM_DEFINE_VIEW_INT(bits) \
GM_INLINE int gm_view_read_u##bits(struct gm_view *v, gm_gpa_t gpa, \
				   uint##bits##_t *out) \
{ \
	uint##bits##_t x; \
	int ret = gm_view_get_u##bits(v, gpa, &x); \
	if (gm_likely(!ret)) \
		*out = x; \
	return ret; \
} \
GM_INLINE int gm_view_load_u##bits(struct gm_view *v, gm_gpa_t gpa, \
				   enum gm_order order, uint##bits##_t *out) \
{ \
	return gm_view_load(v, gpa, out, sizeof(*out), order); \
}

#define GM_DEFINE_VIEW_ENDIAN(name, native) \
GM_INLINE int gm_view_read_##name(struct gm_view *v, gm_gpa_t gpa, \
				  native *out) \
{ \
	gm_##name##_t x = 0; \
	int ret = gm_view_read(v, gpa, &x, sizeof(x)); \
	if (gm_likely(!ret)) \
		*out = gm_##name##_to_cpu(x); \
	return ret; \
} \
GM_INLINE int gm_view_write_##name(struct gm_view *v, gm_gpa_t gpa, native x) \
{ \
	gm_##name##_t fixed = gm_cpu_to_##name(x); \
	return gm_view_write(v, gpa, &fixed, sizeof(fixed)); \
}

GM_DEFINE_VIEW_INT(8)
GM_DEFINE_VIEW_INT(16)
GM_DEFINE_VIEW_INT(32)
GM_DEFINE_VIEW_INT(64)
GM_DEFINE_VIEW_ENDIAN(le16, uint16_t)
GM_DEFINE_VIEW_ENDIAN(le32, uint32_t)
GM_DEFINE_VIEW_ENDIAN(le64, uint64_t)
GM_DEFINE_VIEW_ENDIAN(be16, uint16_t)
GM_DEFINE_VIEW_ENDIAN(be32, uint32_t)
GM_DEFINE_VIEW_ENDIAN(be64, uint64_t)

/**
 * gm_view_read_from() - fill from a source, as far as one call brings it
 * @v: the view
 * @gpa: first byte to fill
 * @src: the source
 * @n: bytes wanted; cut at the first hole, and after GM_IO_BATCH regions
 *
 * Return: bytes read; 0 if @n is 0 or the source is at its end; -EFAULT
 * (GM_ERR_GUEST_ADDR), -EACCES (GM_ERR_PERMISSION) at the first byte; the
 * source's own error (fd: GM_ERR_IO).
 */
GM_API int64_t gm_view_read_from(struct gm_view *v, gm_gpa_t gpa,
				 struct gm_source *src, uint64_t n);

/**
 * gm_view_read_exact_from() - fill from a source, all of it
 * @v: the view
 * @gpa: first byte to fill
 * @src: the source
 * @n: bytes
 *
 * The whole range is checked before the source is touched.
 *
 * Return: 0; -ENODATA (GM_ERR_UNEXPECTED_END with the counts) the source ended;
 * -EFAULT, -EOVERFLOW, -EACCES with nothing read; the source's own error.
 */
GM_API int gm_view_read_exact_from(struct gm_view *v, gm_gpa_t gpa,
				   struct gm_source *src, uint64_t n);

/**
 * gm_view_write_to() - drain to a sink, as far as one call brings it
 * @v: the view
 * @gpa: first byte
 * @sink: the sink
 * @n: bytes wanted; cut at the first hole, and after GM_IO_BATCH regions
 *
 * Return: bytes written; 0 if @n is 0 or the sink takes no more; -EFAULT
 * (GM_ERR_GUEST_ADDR) at the first byte; the sink's own error (fd: GM_ERR_IO).
 */
GM_API int64_t gm_view_write_to(struct gm_view *v, gm_gpa_t gpa,
				struct gm_sink *sink, uint64_t n);

/**
 * gm_view_write_all_to() - drain to a sink, all of it
 * @v: the view
 * @gpa: first byte
 * @sink: the sink
 * @n: bytes
 *
 * The whole range is checked before the sink is touched.
 *
 * Return: 0; -ENOSPC (GM_ERR_WRITE_ZERO with the counts) the sink took no more;
 * -EFAULT, -EOVERFLOW with nothing written; the sink's own error.
 */
GM_API int gm_view_write_all_to(struct gm_view *v, gm_gpa_t gpa,
				struct gm_sink *sink, uint64_t n);

/**
 * gm_view_mark() - bytes were written through a pointer or by a system call
 * @v: the view
 * @gpa: first byte
 * @n: bytes; those in no region are ignored
 *
 * Through an IOMMU that marks by region, tell it in the section that the pointer
 * is from. Afterwards, and when the IOTLB has lost the translation, the bytes
 * could be anywhere: all memory is marked.
 */
GM_API void gm_view_mark(struct gm_view *v, gm_gpa_t gpa, uint64_t n);

GM_END_DECLS

#endif /* GUESTMEM_ACCESS_H */
