/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * object.h - objects as bytes, and bytes as objects, in the caller's memory.
 *
 * An object here is one whose every byte pattern is valid: integers, and
 * structs and arrays of them without padding that matters.
 */
#ifndef GUESTMEM_OBJECT_H
#define GUESTMEM_OBJECT_H

#include <guestmem/io.h>

GM_BEGIN_DECLS

/**
 * gm_bytes_to_object() - view bytes as an object
 * @bytes: the bytes
 * @len: how many
 * @size: size of the object
 * @align: its alignment, a power of two
 *
 * Return: @bytes, if @len is @size and @bytes is aligned; else NULL.
 */
GM_INLINE void *gm_bytes_to_object(void *bytes, size_t len, size_t size,
				   size_t align)
{
	if (len != size || !gm_mem_is_aligned(bytes, align))
		return NULL;
	return bytes;
}

/**
 * gm_bytes_to_const_object() - view constant bytes as an object
 * @bytes: the bytes
 * @len: how many
 * @size: size of the object
 * @align: its alignment, a power of two
 *
 * Return: @bytes, if @len is @size and @bytes is aligned; else NULL.
 */
GM_INLINE const void *gm_bytes_to_const_object(const void *bytes, size_t len,
					       size_t size, size_t align)
{
	if (len != size || !gm_mem_is_aligned(bytes, align))
		return NULL;
	return bytes;
}

/* The same with the type named: pointer to type, or NULL. */
#define GM_BYTES_AS(type, bytes, len) \
	((type *)gm_bytes_to_object((bytes), (len), sizeof(type), \
				    GM_ALIGNOF(type)))
#define GM_BYTES_AS_CONST(type, bytes, len) \
	((const type *)gm_bytes_to_const_object((bytes), (len), sizeof(type), \
						GM_ALIGNOF(type)))

/**
 * gm_object_to_slice() - view an object of the caller's as a slice
 * @obj: the object
 * @size: its size
 *
 * (As plain bytes, it is itself: an object's address is its bytes' in C.)
 */
GM_INLINE struct gm_slice gm_object_to_slice(void *obj, size_t size)
{
	return gm_slice_new(obj, size);
}

/**
 * gm_object_zero() - make all bytes of an object zero
 * @obj: the object
 * @size: its size
 *
 * Padding too, which an initializer may leave as it was.
 */
GM_INLINE void gm_object_zero(void *obj, size_t size)
{
	memset(obj, 0, size);
}

/**
 * gm_object_write_to() - write all bytes of an object to a sink
 * @obj: the object
 * @size: its size
 * @sink: the sink
 *
 * Return: as gm_slice_write_all_to().
 */
GM_API int gm_object_write_to(const void *obj, size_t size,
			      struct gm_sink *sink);

/**
 * gm_object_read_from() - read all bytes of an object from a source
 * @obj: the object; its content is undefined on failure
 * @size: its size
 * @src: the source
 *
 * Return: as gm_slice_read_exact_from().
 */
GM_API int gm_object_read_from(void *obj, size_t size, struct gm_source *src);

GM_END_DECLS

#endif /* GUESTMEM_OBJECT_H */
