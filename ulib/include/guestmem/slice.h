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
 * region for a pointer and gives it back at once. The functions of
 * slice_access.h hide the difference; code that needs a pointer takes one with
 * gm_slice_begin().
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

GM_STATIC_ASSERT(sizeof(struct gm_guard) == 48, "ABI");

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

GM_END_DECLS

#endif /* GUESTMEM_SLICE_H */
