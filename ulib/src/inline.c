/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * inline.c - each inline function of the public headers once more, as a symbol
 * of the library: for other languages' bindings, and for function pointers.
 *
 * GNU inline without "extern" means: inline where it is called, and emit it.
 */
#define GM_INLINE \
	__attribute__((__visibility__("default"))) \
	inline __attribute__((__gnu_inline__, __always_inline__))

#include <guestmem.h>
