/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * aligned.h - aligned memory: of C11; Windows has another, whose free() is another, too.
 */
#ifndef GM_ALIGNED_H
#define GM_ALIGNED_H

#include <stdlib.h>

static inline void *gm_aligned_alloc(size_t align, size_t size)
{
#ifdef _WIN32
	return _aligned_malloc(size, align);
#else
	return aligned_alloc(align, size);
#endif
}

static inline void gm_aligned_free(void *p)
{
#ifdef _WIN32
	_aligned_free(p);
#else
	free(p);
#endif
}

#endif /* GM_ALIGNED_H */
