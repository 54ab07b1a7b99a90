/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * copy.h - the one place that touches guest memory.
 *
 * The guest writes while we read and reads while we write. So:
 *
 * - An object of 1, 2, 4 or 8 bytes that is naturally aligned *in guest memory*
 *   moves in a single access, whatever the alignment of the local buffer: a
 *   concurrent reader or writer never sees half of it.
 * - An access is made once: not elided, not repeated, not merged with another.
 *   What was copied out is the caller's own, and can be validated and used.
 * - Larger objects move at memcpy speed, without a promise on their parts.
 *
 * Nothing here checks a bound: slices and views do that. "host" pointers are
 * guest memory as the host maps it, others are the caller's own memory.
 * Everything here may run at once, in any thread.
 */
#ifndef GUESTMEM_COPY_H
#define GUESTMEM_COPY_H

#include <guestmem/compiler.h>

#include <string.h>

GM_BEGIN_DECLS

/*
 * Targets on which one plain instruction moves an unaligned word. Not so with
 * -mstrict-align: then a packed object moves byte by byte.
 */
#if defined(__x86_64__) || defined(__s390x__) || \
	(defined(__aarch64__) && defined(__ARM_FEATURE_UNALIGNED))
#define GM_UNALIGNED_ACCESS 1
#else
#define GM_UNALIGNED_ACCESS 0
#endif

/**
 * gm_mem_is_aligned() - is a host address a multiple of a size?
 * @p: the address
 * @n: a power of two
 */
GM_INLINE bool gm_mem_is_aligned(const void *p, size_t n)
{
	return ((uintptr_t)p & (n - 1)) == 0;
}

/* One access: u8, u16, u32 and u64. */

/**
 * gm_mem_read_u32() - read an integer
 * @host: guest memory, any alignment; single-copy atomic if aligned
 */
GM_INLINE uint32_t gm_mem_read_u32(const void *host);

/**
 * gm_mem_write_u32() - write an integer
 * @host: guest memory, any alignment; single-copy atomic if aligned
 * @v: the integer
 */
GM_INLINE void gm_mem_write_u32(void *host, uint32_t v);

/*
 * Under TSan, an aligned access is made with a relaxed atomic operation, so
 * that it isn't reported as a race: racing with the guest is its purpose.
 */
#define GM_DEFINE_MEM(bits) \
struct gm_una##bits { \
	uint##bits##_t v; \
} __attribute__((__packed__, __may_alias__)); \
typedef uint##bits##_t __attribute__((__may_alias__)) gm_alias##bits##_t; \
GM_INLINE uint##bits##_t gm_mem_read_u##bits(const void *host) \
{ \
	if (GM_UNALIGNED_ACCESS && !GM_TSAN) \
		return ((const volatile struct gm_una##bits *)host)->v; \
	if (gm_mem_is_aligned(host, sizeof(uint##bits##_t))) \
		return __atomic_load_n((const volatile gm_alias##bits##_t *) \
				       host, __ATOMIC_RELAXED); \
	return ((const volatile struct gm_una##bits *)host)->v; \
} \
GM_INLINE void gm_mem_write_u##bits(void *host, uint##bits##_t v) \
{ \
	if (GM_UNALIGNED_ACCESS && !GM_TSAN) \
		((volatile struct gm_una##bits *)host)->v = v; \
	else if (gm_mem_is_aligned(host, sizeof(uint##bits##_t))) \
		__atomic_store_n((volatile gm_alias##bits##_t *)host, v, \
				 __ATOMIC_RELAXED); \
	else \
		((volatile struct gm_una##bits *)host)->v = v; \
}

GM_DEFINE_MEM(8)
GM_DEFINE_MEM(16)
GM_DEFINE_MEM(32)
GM_DEFINE_MEM(64)

/**
 * gm_copy_from_host_small() - at most 8 bytes out of guest memory
 * @dst: the caller's buffer
 * @host: guest memory
 * @n: bytes, 0 to 8
 *
 * 1, 2, 4 and 8 bytes that are aligned in guest memory move in one access; all
 * else in as few as its alignment there lets be single.
 */
GM_API void gm_copy_from_host_small(void *dst, const void *host, size_t n);

/**
 * gm_copy_to_host_small() - at most 8 bytes into guest memory
 * @host: guest memory
 * @src: the caller's buffer
 * @n: bytes, 0 to 8
 */
GM_API void gm_copy_to_host_small(void *host, const void *src, size_t n);

/*
 * memcpy() behind the compiler's back: it must not see that one side is dead
 * or known, or it would elide the copy or read guest memory again later.
 */
GM_CORE void gm_copy_bulk(void *dst, const void *src, size_t n)
{
	__asm__ volatile("" : "+r"(dst), "+r"(src), "+r"(n) : : "memory");
	memcpy(dst, src, n);
	__asm__ volatile("" : : : "memory");
}

/* The same for a size that is known and small: moved in line. */
#define GM_COPY_FIXED_MAX 64

GM_CORE void gm_copy_fixed(void *dst, const void *src, size_t n)
{
	__asm__ volatile("" : "+r"(dst), "+r"(src) : : "memory");
	memcpy(dst, src, n);
	__asm__ volatile("" : : : "memory");
}

/**
 * gm_copy_from_host() - copy out of guest memory
 * @dst: the caller's buffer
 * @host: guest memory
 * @n: bytes
 */
GM_INLINE void gm_copy_from_host(void *dst, const void *host, size_t n)
{
	if (__builtin_constant_p(n) && n == 1) {
		uint8_t v = gm_mem_read_u8(host);

		memcpy(dst, &v, 1);
	} else if (__builtin_constant_p(n) && n == 2) {
		uint16_t v = gm_mem_read_u16(host);

		memcpy(dst, &v, 2);
	} else if (__builtin_constant_p(n) && n == 4) {
		uint32_t v = gm_mem_read_u32(host);

		memcpy(dst, &v, 4);
	} else if (__builtin_constant_p(n) && n == 8) {
		uint64_t v = gm_mem_read_u64(host);

		memcpy(dst, &v, 8);
	} else if (__builtin_constant_p(n) && n > 8 &&
		   n <= GM_COPY_FIXED_MAX) {
		gm_copy_fixed(dst, host, n);
	} else if (n <= 8) {
		gm_copy_from_host_small(dst, host, n);
	} else {
		gm_copy_bulk(dst, host, n);
	}
}

/**
 * gm_copy_to_host() - copy into guest memory
 * @host: guest memory
 * @src: the caller's buffer
 * @n: bytes
 */
GM_INLINE void gm_copy_to_host(void *host, const void *src, size_t n)
{
	if (__builtin_constant_p(n) && n == 1) {
		uint8_t v;

		memcpy(&v, src, 1);
		gm_mem_write_u8(host, v);
	} else if (__builtin_constant_p(n) && n == 2) {
		uint16_t v;

		memcpy(&v, src, 2);
		gm_mem_write_u16(host, v);
	} else if (__builtin_constant_p(n) && n == 4) {
		uint32_t v;

		memcpy(&v, src, 4);
		gm_mem_write_u32(host, v);
	} else if (__builtin_constant_p(n) && n == 8) {
		uint64_t v;

		memcpy(&v, src, 8);
		gm_mem_write_u64(host, v);
	} else if (__builtin_constant_p(n) && n > 8 &&
		   n <= GM_COPY_FIXED_MAX) {
		gm_copy_fixed(host, src, n);
	} else if (n <= 8) {
		gm_copy_to_host_small(host, src, n);
	} else {
		gm_copy_bulk(host, src, n);
	}
}

/**
 * gm_copy_within() - copy between two places in guest memory
 * @dst: guest memory
 * @src: guest memory; may overlap @dst
 * @n: bytes
 *
 * 1, 2, 4 and 8 bytes are a single access on each side that is aligned.
 */
GM_API void gm_copy_within(void *dst, const void *src, size_t n);

/**
 * enum gm_order - memory order of an atomic access
 * @GM_RELAXED: atomic, without order
 * @GM_ACQUIRE: later accesses stay after this load
 * @GM_RELEASE: earlier accesses stay before this store
 * @GM_SEQ_CST: one total order with the others of this kind
 */
enum gm_order {
	GM_RELAXED = __ATOMIC_RELAXED,
	GM_ACQUIRE = __ATOMIC_ACQUIRE,
	GM_RELEASE = __ATOMIC_RELEASE,
	GM_SEQ_CST = __ATOMIC_SEQ_CST,
};

/**
 * gm_order_for_load() - can a load have this order?
 * @order: the order
 */
GM_INLINE bool gm_order_for_load(enum gm_order order)
{
	return order == GM_RELAXED || order == GM_ACQUIRE ||
	       order == GM_SEQ_CST;
}

/**
 * gm_order_for_store() - can a store have this order?
 * @order: the order
 */
GM_INLINE bool gm_order_for_store(enum gm_order order)
{
	return order == GM_RELAXED || order == GM_RELEASE ||
	       order == GM_SEQ_CST;
}

/*
 * Atomic access with an order that need not be a constant. Alignment, size and
 * order were checked; the default case is the strongest.
 */
#define GM_DEFINE_MEM_ATOMIC(bits) \
GM_CORE uint##bits##_t gm_mem_load_u##bits(const void *host, \
					   enum gm_order order) \
{ \
	const volatile gm_alias##bits##_t *p = \
		(const volatile gm_alias##bits##_t *)host; \
	if (order == GM_RELAXED) \
		return __atomic_load_n(p, __ATOMIC_RELAXED); \
	if (order == GM_ACQUIRE) \
		return __atomic_load_n(p, __ATOMIC_ACQUIRE); \
	return __atomic_load_n(p, __ATOMIC_SEQ_CST); \
} \
GM_CORE void gm_mem_store_u##bits(void *host, uint##bits##_t v, \
				  enum gm_order order) \
{ \
	volatile gm_alias##bits##_t *p = (volatile gm_alias##bits##_t *)host; \
	if (order == GM_RELAXED) \
		__atomic_store_n(p, v, __ATOMIC_RELAXED); \
	else if (order == GM_RELEASE) \
		__atomic_store_n(p, v, __ATOMIC_RELEASE); \
	else \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST); \
}

GM_DEFINE_MEM_ATOMIC(8)
GM_DEFINE_MEM_ATOMIC(16)
GM_DEFINE_MEM_ATOMIC(32)
GM_DEFINE_MEM_ATOMIC(64)

/* Sizes that an atomic access can have. */
GM_CORE bool gm_mem_size_is_atomic(size_t n)
{
	return n == 1 || n == 2 || n == 4 || n == 8;
}

/**
 * gm_mem_load() - atomic load into the caller's memory
 * @dst: @n bytes, any alignment
 * @host: guest memory, aligned to @n
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_ACQUIRE or GM_SEQ_CST
 *
 * The caller has checked all of that.
 */
GM_INLINE void gm_mem_load(void *dst, const void *host, size_t n,
			   enum gm_order order)
{
	if (n == 1) {
		uint8_t v = gm_mem_load_u8(host, order);

		memcpy(dst, &v, 1);
	} else if (n == 2) {
		uint16_t v = gm_mem_load_u16(host, order);

		memcpy(dst, &v, 2);
	} else if (n == 4) {
		uint32_t v = gm_mem_load_u32(host, order);

		memcpy(dst, &v, 4);
	} else {
		uint64_t v = gm_mem_load_u64(host, order);

		memcpy(dst, &v, 8);
	}
}

/**
 * gm_mem_store() - atomic store from the caller's memory
 * @host: guest memory, aligned to @n
 * @src: @n bytes, any alignment
 * @n: 1, 2, 4 or 8
 * @order: GM_RELAXED, GM_RELEASE or GM_SEQ_CST
 *
 * The caller has checked all of that.
 */
GM_INLINE void gm_mem_store(void *host, const void *src, size_t n,
			    enum gm_order order)
{
	if (n == 1) {
		uint8_t v;

		memcpy(&v, src, 1);
		gm_mem_store_u8(host, v, order);
	} else if (n == 2) {
		uint16_t v;

		memcpy(&v, src, 2);
		gm_mem_store_u16(host, v, order);
	} else if (n == 4) {
		uint32_t v;

		memcpy(&v, src, 4);
		gm_mem_store_u32(host, v, order);
	} else {
		uint64_t v;

		memcpy(&v, src, 8);
		gm_mem_store_u64(host, v, order);
	}
}

GM_END_DECLS

#endif /* GUESTMEM_COPY_H */
