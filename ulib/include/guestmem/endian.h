/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * endian.h - integers whose byte order is fixed, as guests and devices lay
 * them out: gm_le16_t ... gm_be64_t, and gm_lesize_t, gm_besize_t.
 *
 * They have the size and alignment of the native type. sparse refuses their
 * use without a conversion; the compiler sees plain integers. Each type has the
 * functions that are shown here for gm_le32_t. All may run at once, in any
 * thread.
 */
#ifndef GUESTMEM_ENDIAN_H
#define GUESTMEM_ENDIAN_H

#include <guestmem/compiler.h>

GM_BEGIN_DECLS

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define GM_HOST_BIG_ENDIAN 1
#else
#define GM_HOST_BIG_ENDIAN 0
#endif

#define GM_SWAP_16(x) __builtin_bswap16(x)
#define GM_SWAP_32(x) __builtin_bswap32(x)
#define GM_SWAP_64(x) __builtin_bswap64(x)

#define GM_DEFINE_ENDIAN(name, native, bits, swap) \
typedef native GM_BITWISE gm_##name##_t; \
GM_STATIC_ASSERT(sizeof(gm_##name##_t) == sizeof(native), "size differs"); \
GM_STATIC_ASSERT(GM_ALIGNOF(gm_##name##_t) == GM_ALIGNOF(native), \
		 "alignment differs"); \
GM_INLINE gm_##name##_t gm_cpu_to_##name(native x) \
{ \
	return (GM_FORCE gm_##name##_t)((swap) ? GM_SWAP_##bits(x) : (x)); \
} \
GM_INLINE native gm_##name##_to_cpu(gm_##name##_t x) \
{ \
	native n = (GM_FORCE native)x; \
	return (swap) ? GM_SWAP_##bits(n) : n; \
} \
GM_INLINE bool gm_##name##_eq(gm_##name##_t x, native n) \
{ \
	return gm_##name##_to_cpu(x) == n; \
}

GM_DEFINE_ENDIAN(le16, uint16_t, 16, GM_HOST_BIG_ENDIAN)
GM_DEFINE_ENDIAN(le32, uint32_t, 32, GM_HOST_BIG_ENDIAN)
GM_DEFINE_ENDIAN(le64, uint64_t, 64, GM_HOST_BIG_ENDIAN)
GM_DEFINE_ENDIAN(lesize, size_t, 64, GM_HOST_BIG_ENDIAN)
GM_DEFINE_ENDIAN(be16, uint16_t, 16, !GM_HOST_BIG_ENDIAN)
GM_DEFINE_ENDIAN(be32, uint32_t, 32, !GM_HOST_BIG_ENDIAN)
GM_DEFINE_ENDIAN(be64, uint64_t, 64, !GM_HOST_BIG_ENDIAN)
GM_DEFINE_ENDIAN(besize, size_t, 64, !GM_HOST_BIG_ENDIAN)

/**
 * gm_cpu_to_le32() - make an integer of fixed byte order
 * @x: the integer in the host's byte order
 */
GM_INLINE gm_le32_t gm_cpu_to_le32(uint32_t x);

/**
 * gm_le32_to_cpu() - read an integer of fixed byte order
 * @x: the integer
 *
 * Return: the integer in the host's byte order.
 */
GM_INLINE uint32_t gm_le32_to_cpu(gm_le32_t x);

/**
 * gm_le32_eq() - compare with an integer in the host's byte order
 * @x: the integer of fixed byte order
 * @n: the integer in the host's byte order
 */
GM_INLINE bool gm_le32_eq(gm_le32_t x, uint32_t n);

GM_END_DECLS

#endif /* GUESTMEM_ENDIAN_H */
