/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * compiler.h - what the other headers need of the compiler and the target.
 */
#ifndef GUESTMEM_COMPILER_H
#define GUESTMEM_COMPILER_H

/* Before any system header: those may not even exist for a 32-bit target. */
#include <guestmem/target.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define GM_BEGIN_DECLS extern "C" {
#define GM_END_DECLS }
#define GM_STATIC_ASSERT(cond, msg) static_assert(cond, msg)
#define GM_ALIGNOF(type) alignof(type)
#else
#define GM_BEGIN_DECLS
#define GM_END_DECLS
#define GM_STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)
#define GM_ALIGNOF(type) _Alignof(type)
#endif

/* Exported from the shared library; all else there is hidden. Windows: only static. */
#ifdef _WIN32
#define GM_API
#else
#define GM_API __attribute__((__visibility__("default")))
#endif

/*
 * GM_INLINE: inlined into its caller, and a symbol of the library too, so that
 * a binding of another language can call it. GNU inline semantics say that a
 * user's object file never carries a copy; ulib/src/inline.c redefines
 * GM_INLINE and so emits each one once.
 *
 * GM_CORE: a helper of the former, never a symbol.
 */
#ifdef __CHECKER__
#define GM_CORE static inline
#else
#define GM_CORE \
	extern inline __attribute__((__gnu_inline__, __always_inline__, \
				     __unused__))
#endif
#ifndef GM_INLINE
#define GM_INLINE GM_CORE
#endif

#define GM_COLD __attribute__((__cold__, __noinline__))

#define gm_likely(x) __builtin_expect(!!(x), 1)
#define gm_unlikely(x) __builtin_expect(!!(x), 0)

/* Types that sparse keeps apart, and the cast that says: I mean it. */
#ifdef __CHECKER__
#define GM_BITWISE __attribute__((bitwise))
#define GM_FORCE __attribute__((force))
#else
#define GM_BITWISE
#define GM_FORCE
#endif

/* A cast that reads the same in C and C++ and is quiet in both. */
#define gm_cast(type, x) ((type)(x))

#if defined(__SANITIZE_THREAD__)
#define GM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GM_TSAN 1
#endif
#endif
#ifndef GM_TSAN
#define GM_TSAN 0
#endif

#endif /* GUESTMEM_COMPILER_H */
