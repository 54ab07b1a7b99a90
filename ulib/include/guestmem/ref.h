/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ref.h - one object, and an array of objects, in a slice.
 *
 * Both are small values that borrow, like the slice they come from. Loads and
 * stores move whole objects, at any alignment; objects of 1, 2, 4 or 8 bytes
 * that are aligned in guest memory move in one access.
 */
#ifndef GUESTMEM_REF_H
#define GUESTMEM_REF_H

#include <guestmem/slice_access.h>

GM_BEGIN_DECLS

/**
 * struct gm_ref - an object in guest memory
 * @slice: its bytes
 */
struct gm_ref {
	struct gm_slice slice;
};

GM_STATIC_ASSERT(sizeof(struct gm_ref) == 32, "ABI");

/**
 * struct gm_array - objects of one size in guest memory
 * @slice: their bytes
 * @elem: bytes an object
 * @count: how many
 */
struct gm_array {
	struct gm_slice slice;
	uint64_t elem;
	uint64_t count;
};

GM_STATIC_ASSERT(sizeof(struct gm_array) == 48, "ABI");

/**
 * gm_slice_ref() - a reference to an object in a slice
 * @s: the slice
 * @off: its first byte
 * @size: its bytes
 * @out: the reference
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW); -ERANGE (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_slice_ref(struct gm_slice s, uint64_t off, uint64_t size,
			struct gm_ref *out);

/**
 * gm_slice_array() - a reference to an array in a slice
 * @s: the slice
 * @off: its first byte
 * @elem: bytes an object, not 0
 * @count: how many
 * @out: the array
 *
 * Return: 0; -EINVAL (GM_ERR_SIZE) @elem is 0; -EOVERFLOW (GM_ERR_TOO_BIG)
 * @elem times @count, (GM_ERR_OVERFLOW) that plus @off; -ERANGE
 * (GM_ERR_OUT_OF_BOUNDS).
 */
GM_API int gm_slice_array(struct gm_slice s, uint64_t off, uint64_t elem,
			  uint64_t count, struct gm_array *out);

/**
 * gm_slice_aligned_ptr() - a pointer to an object in direct guest memory
 * @s: the slice
 * @off: first byte
 * @size: bytes
 * @align: alignment that the pointer must have, a power of two
 * @out: the pointer, good as long as the slice's memory
 *
 * Only with the promise that nobody changes the object meanwhile may it be used
 * as plain memory. Writes through it are told with gm_slice_mark().
 *
 * Return: 0; -EOVERFLOW, -ERANGE as gm_slice_sub(); -EINVAL
 * (GM_ERR_MISALIGNED); -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR) mapped on demand.
 */
GM_API int gm_slice_aligned_ptr(struct gm_slice s, uint64_t off, uint64_t size,
				uint64_t align, void **out);

/**
 * gm_slice_atomic_ptr() - a pointer for atomic operations of the caller's own
 * @s: the slice
 * @off: first byte
 * @size: 1, 2, 4 or 8, which is the alignment too
 * @out: the pointer, for the compiler's __atomic functions
 *
 * Return: as gm_slice_aligned_ptr(); -EINVAL (GM_ERR_SIZE); -EACCES
 * (GM_ERR_PERMISSION) read-only memory.
 */
GM_API int gm_slice_atomic_ptr(struct gm_slice s, uint64_t off, uint64_t size,
			       void **out);

/**
 * gm_ref_len() - size of the object in bytes
 * @r: the reference
 */
GM_INLINE uint64_t gm_ref_len(struct gm_ref r)
{
	return r.slice.len;
}

/**
 * gm_ref_to_slice() - the object's bytes
 * @r: the reference
 */
GM_INLINE struct gm_slice gm_ref_to_slice(struct gm_ref r)
{
	return r.slice;
}

/**
 * gm_ref_bitmap() - the bitmap that stores are marked in
 * @r: the reference
 */
GM_INLINE struct gm_bitmap_slice gm_ref_bitmap(struct gm_ref r)
{
	return gm_slice_bitmap(r.slice);
}

/**
 * gm_ref_load() - read the object
 * @r: the reference
 * @dst: where to, gm_ref_len() bytes
 *
 * Return: 0; an error of the region's own.
 */
GM_INLINE int gm_ref_load(struct gm_ref r, void *dst)
{
	return gm_slice_read(r.slice, 0, dst, r.slice.len);
}

/**
 * gm_ref_store() - write the object
 * @r: the reference
 * @src: what, gm_ref_len() bytes
 *
 * Return: 0; -EACCES (GM_ERR_PERMISSION); an error of the region's own.
 */
GM_INLINE int gm_ref_store(struct gm_ref r, const void *src)
{
	return gm_slice_write(r.slice, 0, src, r.slice.len);
}

/**
 * gm_ref_begin() - take a pointer to the object
 * @r: the reference
 * @perm: what will be done through it
 * @g: see gm_slice_begin()
 *
 * Return: as gm_slice_begin().
 */
GM_INLINE int gm_ref_begin(struct gm_ref r, enum gm_perm perm,
			   struct gm_guard *g)
{
	return gm_slice_begin(r.slice, perm, g);
}

/**
 * gm_array_len() - number of objects
 * @a: the array
 */
GM_INLINE uint64_t gm_array_len(struct gm_array a)
{
	return a.count;
}

/**
 * gm_array_is_empty() - has it no objects?
 * @a: the array
 */
GM_INLINE bool gm_array_is_empty(struct gm_array a)
{
	return a.count == 0;
}

/**
 * gm_array_element_size() - bytes an object
 * @a: the array
 */
GM_INLINE uint64_t gm_array_element_size(struct gm_array a)
{
	return a.elem;
}

/**
 * gm_array_to_slice() - all bytes of the array
 * @a: the array
 */
GM_INLINE struct gm_slice gm_array_to_slice(struct gm_array a)
{
	return a.slice;
}

/**
 * gm_array_bitmap() - the bitmap that stores are marked in
 * @a: the array
 */
GM_INLINE struct gm_bitmap_slice gm_array_bitmap(struct gm_array a)
{
	return gm_slice_bitmap(a.slice);
}

/**
 * gm_array_begin() - take a pointer to the whole array
 * @a: the array
 * @perm: what will be done through it
 * @g: see gm_slice_begin(); it covers count times size bytes
 *
 * Return: as gm_slice_begin().
 */
GM_INLINE int gm_array_begin(struct gm_array a, enum gm_perm perm,
			     struct gm_guard *g)
{
	return gm_slice_begin(a.slice, perm, g);
}

/* Cold: an index past the end. */
GM_API GM_COLD int gm_array_index_error(struct gm_array a, uint64_t index);

/**
 * gm_array_ref_at() - a reference to one object
 * @a: the array
 * @index: which
 * @out: the reference
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS, in elements).
 */
GM_API int gm_array_ref_at(struct gm_array a, uint64_t index,
			   struct gm_ref *out);

/**
 * gm_array_load() - read one object
 * @a: the array
 * @index: which
 * @dst: where to, gm_array_element_size() bytes
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS, in elements); an error of the
 * region's own.
 */
GM_INLINE int gm_array_load(struct gm_array a, uint64_t index, void *dst)
{
	if (gm_unlikely(index >= a.count))
		return gm_array_index_error(a, index);
	return gm_slice_read(a.slice, index * a.elem, dst, a.elem);
}

/**
 * gm_array_store() - write one object
 * @a: the array
 * @index: which
 * @src: what, gm_array_element_size() bytes
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS, in elements); -EACCES
 * (GM_ERR_PERMISSION); an error of the region's own.
 */
GM_INLINE int gm_array_store(struct gm_array a, uint64_t index,
			     const void *src)
{
	if (gm_unlikely(index >= a.count))
		return gm_array_index_error(a, index);
	return gm_slice_write(a.slice, index * a.elem, src, a.elem);
}

/**
 * gm_array_copy_to() - copy objects out
 * @a: the array
 * @buf: where to
 * @count: room for so many
 *
 * Return: as gm_slice_copy_to().
 */
GM_INLINE int64_t gm_array_copy_to(struct gm_array a, void *buf, size_t count)
{
	return gm_slice_copy_to(a.slice, buf, (size_t)a.elem, count);
}

/**
 * gm_array_copy_from() - copy objects in
 * @a: the array
 * @buf: the objects
 * @count: how many
 *
 * Return: as gm_slice_copy_from().
 */
GM_INLINE int64_t gm_array_copy_from(struct gm_array a, const void *buf,
				     size_t count)
{
	return gm_slice_copy_from(a.slice, buf, (size_t)a.elem, count);
}

/**
 * gm_array_copy_to_slice() - copy the array's bytes into a slice
 * @a: the array
 * @to: to; may overlap
 *
 * Return: as gm_slice_copy_to_slice().
 */
GM_INLINE int64_t gm_array_copy_to_slice(struct gm_array a, struct gm_slice to)
{
	return gm_slice_copy_to_slice(a.slice, to);
}

GM_END_DECLS

#endif /* GUESTMEM_REF_H */
