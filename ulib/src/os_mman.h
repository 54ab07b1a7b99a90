/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_mman.h - MAP_*, of which a system has some. Nobody can set one that it lacks.
 */
#ifndef GM_OS_MMAN_H
#define GM_OS_MMAN_H

#ifndef _WIN32
#include <sys/mman.h>
#endif

#ifndef MAP_TYPE
#define MAP_TYPE (MAP_SHARED | MAP_PRIVATE)
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS 0
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifndef MAP_HUGETLB
#define MAP_HUGETLB 0
#endif
#ifndef MAP_GROWSDOWN
#define MAP_GROWSDOWN 0
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0
#endif

#endif /* GM_OS_MMAN_H */
