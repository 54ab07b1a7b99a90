/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_posix.h - what the files for POSIX share.
 */
#ifndef GM_OS_POSIX_H
#define GM_OS_POSIX_H

#include "internal.h"

/*
 * Map @len bytes of zeros, which nobody else has: at @addr if that is free, as a rule, or
 * anywhere. Return: 0 or a negative errno, without gm_error.
 */
int gm_posix_map_zeros(void *addr, uint64_t len, int prot, int kind, void **out);

#endif /* GM_OS_POSIX_H */
