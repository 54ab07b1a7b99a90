/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * addr.h - address types and arithmetic that can't wrap unseen.
 *
 * Three kinds of address, which sparse keeps apart and which are plain 64-bit
 * numbers to the compiler:
 *
 *   gm_gpa_t   guest physical address
 *   gm_iova_t  I/O virtual address, what a device uses behind an IOMMU
 *   gm_roff_t  byte offset inside one region
 *
 * Each kind has the same functions; they are shown here for gm_gpa_t. A
 * function that can fail returns true on failure and leaves its out-parameter
 * alone, so that "if (gm_gpa_add(a, n, &end)) return -EOVERFLOW;" reads well.
 * All of them may run at once, in any thread.
 */
#ifndef GUESTMEM_ADDR_H
#define GUESTMEM_ADDR_H

#include <guestmem/compiler.h>

GM_BEGIN_DECLS

typedef uint64_t GM_BITWISE gm_gpa_t;
typedef uint64_t GM_BITWISE gm_iova_t;
typedef uint64_t GM_BITWISE gm_roff_t;

/* The size of a piece of guest memory: 64 bits whatever the host. */
typedef uint64_t gm_size_t;

/**
 * gm_gpa() - make an address of a number
 * @raw: the number
 *
 * gm_gpa(0) is the default address.
 */
GM_INLINE gm_gpa_t gm_gpa(uint64_t raw);

/**
 * gm_gpa_raw() - the number behind an address
 * @a: the address
 */
GM_INLINE uint64_t gm_gpa_raw(gm_gpa_t a);

/**
 * gm_gpa_mask() - the bits of an address that a mask selects
 * @a: the address
 * @mask: bits to keep
 *
 * Return: a number, such as the offset in a page.
 */
GM_INLINE uint64_t gm_gpa_mask(gm_gpa_t a, uint64_t mask);

/**
 * gm_gpa_and() - address with all bits outside @mask cleared
 * @a: the address
 * @mask: bits to keep
 */
GM_INLINE gm_gpa_t gm_gpa_and(gm_gpa_t a, uint64_t mask);

/**
 * gm_gpa_or() - address with the bits of @mask set
 * @a: the address
 * @mask: bits to set
 */
GM_INLINE gm_gpa_t gm_gpa_or(gm_gpa_t a, uint64_t mask);

/**
 * gm_gpa_cmp() - order two addresses
 * @a: one address
 * @b: the other
 *
 * Return: negative, 0 or positive as @a is below, equal to or above @b.
 */
GM_INLINE int gm_gpa_cmp(gm_gpa_t a, gm_gpa_t b);

/**
 * gm_gpa_eq() - are two addresses the same?
 * @a: one address
 * @b: the other
 */
GM_INLINE bool gm_gpa_eq(gm_gpa_t a, gm_gpa_t b);

/**
 * gm_gpa_add() - address plus a number of bytes
 * @a: the address
 * @n: bytes
 * @out: the sum, untouched on overflow
 *
 * Return: true on overflow.
 */
GM_INLINE bool gm_gpa_add(gm_gpa_t a, uint64_t n, gm_gpa_t *out);

/**
 * gm_gpa_sub() - address minus a number of bytes
 * @a: the address
 * @n: bytes
 * @out: the difference, untouched on underflow
 *
 * Return: true on underflow.
 */
GM_INLINE bool gm_gpa_sub(gm_gpa_t a, uint64_t n, gm_gpa_t *out);

/**
 * gm_gpa_offset_from() - distance to a lower address
 * @a: the address
 * @base: where to count from
 * @out: the distance in bytes, untouched on underflow
 *
 * Return: true if @a is below @base.
 */
GM_INLINE bool gm_gpa_offset_from(gm_gpa_t a, gm_gpa_t base, uint64_t *out);

/**
 * gm_gpa_align_up() - next multiple of an alignment
 * @a: the address
 * @align: a power of two
 * @out: @a rounded up, untouched on failure
 *
 * Return: true if @align is 0 or no power of two, or on overflow.
 */
GM_INLINE bool gm_gpa_align_up(gm_gpa_t a, uint64_t align, gm_gpa_t *out);

/**
 * gm_gpa_wrapping_add() - address plus bytes, modulo 2^64
 * @a: the address
 * @n: bytes
 * @out: the wrapped sum, always written
 *
 * Return: true if the sum wrapped.
 */
GM_INLINE bool gm_gpa_wrapping_add(gm_gpa_t a, uint64_t n, gm_gpa_t *out);

/**
 * gm_gpa_wrapping_sub() - address minus bytes, modulo 2^64
 * @a: the address
 * @n: bytes
 * @out: the wrapped difference, always written
 *
 * Return: true if the difference wrapped.
 */
GM_INLINE bool gm_gpa_wrapping_sub(gm_gpa_t a, uint64_t n, gm_gpa_t *out);

/**
 * gm_gpa_add_unchecked() - address plus bytes, where the caller knows it fits
 * @a: the address
 * @n: bytes
 */
GM_INLINE gm_gpa_t gm_gpa_add_unchecked(gm_gpa_t a, uint64_t n);

/**
 * gm_gpa_sub_unchecked() - address minus bytes, where the caller knows it fits
 * @a: the address
 * @n: bytes
 */
GM_INLINE gm_gpa_t gm_gpa_sub_unchecked(gm_gpa_t a, uint64_t n);

/**
 * gm_gpa_offset_from_unchecked() - distance, where the caller knows @base <= @a
 * @a: the address
 * @base: where to count from
 */
GM_INLINE uint64_t gm_gpa_offset_from_unchecked(gm_gpa_t a, gm_gpa_t base);

/**
 * gm_gpa_align_up_unchecked() - round up, where the caller knows it fits
 * @a: the address
 * @align: a power of two
 */
GM_INLINE gm_gpa_t gm_gpa_align_up_unchecked(gm_gpa_t a, uint64_t align);

/* One definition for the three kinds: what differs is the type alone. */
#define GM_DEFINE_ADDR(name) \
GM_INLINE gm_##name##_t gm_##name(uint64_t raw) \
{ \
	return (GM_FORCE gm_##name##_t)raw; \
} \
GM_INLINE uint64_t gm_##name##_raw(gm_##name##_t a) \
{ \
	return (GM_FORCE uint64_t)a; \
} \
GM_INLINE uint64_t gm_##name##_mask(gm_##name##_t a, uint64_t mask) \
{ \
	return gm_##name##_raw(a) & mask; \
} \
GM_INLINE gm_##name##_t gm_##name##_and(gm_##name##_t a, uint64_t mask) \
{ \
	return gm_##name(gm_##name##_raw(a) & mask); \
} \
GM_INLINE gm_##name##_t gm_##name##_or(gm_##name##_t a, uint64_t mask) \
{ \
	return gm_##name(gm_##name##_raw(a) | mask); \
} \
GM_INLINE int gm_##name##_cmp(gm_##name##_t a, gm_##name##_t b) \
{ \
	uint64_t x = gm_##name##_raw(a), y = gm_##name##_raw(b); \
	return (x > y) - (x < y); \
} \
GM_INLINE bool gm_##name##_eq(gm_##name##_t a, gm_##name##_t b) \
{ \
	return gm_##name##_raw(a) == gm_##name##_raw(b); \
} \
GM_INLINE bool gm_##name##_wrapping_add(gm_##name##_t a, uint64_t n, \
					gm_##name##_t *out) \
{ \
	uint64_t r; \
	bool wrapped = __builtin_add_overflow(gm_##name##_raw(a), n, &r); \
	*out = gm_##name(r); \
	return wrapped; \
} \
GM_INLINE bool gm_##name##_wrapping_sub(gm_##name##_t a, uint64_t n, \
					gm_##name##_t *out) \
{ \
	uint64_t r; \
	bool wrapped = __builtin_sub_overflow(gm_##name##_raw(a), n, &r); \
	*out = gm_##name(r); \
	return wrapped; \
} \
GM_INLINE bool gm_##name##_add(gm_##name##_t a, uint64_t n, \
			       gm_##name##_t *out) \
{ \
	gm_##name##_t r; \
	if (gm_##name##_wrapping_add(a, n, &r)) \
		return true; \
	*out = r; \
	return false; \
} \
GM_INLINE bool gm_##name##_sub(gm_##name##_t a, uint64_t n, \
			       gm_##name##_t *out) \
{ \
	gm_##name##_t r; \
	if (gm_##name##_wrapping_sub(a, n, &r)) \
		return true; \
	*out = r; \
	return false; \
} \
GM_INLINE bool gm_##name##_offset_from(gm_##name##_t a, gm_##name##_t base, \
				       uint64_t *out) \
{ \
	gm_##name##_t r; \
	if (gm_##name##_wrapping_sub(a, gm_##name##_raw(base), &r)) \
		return true; \
	*out = gm_##name##_raw(r); \
	return false; \
} \
GM_INLINE gm_##name##_t gm_##name##_add_unchecked(gm_##name##_t a, \
						  uint64_t n) \
{ \
	return gm_##name(gm_##name##_raw(a) + n); \
} \
GM_INLINE gm_##name##_t gm_##name##_sub_unchecked(gm_##name##_t a, \
						  uint64_t n) \
{ \
	return gm_##name(gm_##name##_raw(a) - n); \
} \
GM_INLINE uint64_t gm_##name##_offset_from_unchecked(gm_##name##_t a, \
						     gm_##name##_t base) \
{ \
	return gm_##name##_raw(a) - gm_##name##_raw(base); \
} \
GM_INLINE gm_##name##_t gm_##name##_align_up_unchecked(gm_##name##_t a, \
						       uint64_t align) \
{ \
	return gm_##name((gm_##name##_raw(a) + (align - 1)) & ~(align - 1)); \
} \
GM_INLINE bool gm_##name##_align_up(gm_##name##_t a, uint64_t align, \
				    gm_##name##_t *out) \
{ \
	gm_##name##_t r; \
	if (!align || (align & (align - 1)) || \
	    gm_##name##_wrapping_add(a, align - 1, &r)) \
		return true; \
	*out = gm_##name##_and(r, ~(align - 1)); \
	return false; \
}

GM_DEFINE_ADDR(gpa)
GM_DEFINE_ADDR(iova)
GM_DEFINE_ADDR(roff)

GM_END_DECLS

#endif /* GUESTMEM_ADDR_H */
