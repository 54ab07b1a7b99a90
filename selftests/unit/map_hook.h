/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * map_hook.h - mmap() and munmap() of the library, and of the test, as a test wants
 * them: for what another thread does at the wrong moment.
 */
#ifndef SELFTESTS_UNIT_MAP_HOOK_H
#define SELFTESTS_UNIT_MAP_HOOK_H

#include <sys/mman.h>
#include <sys/types.h>

/* Called in their place, if not NULL. */
extern void *(*mmap_hook)(void *addr, size_t len, int prot, int flags, int fd, off_t off);
extern int (*munmap_hook)(void *addr, size_t len);

/* The real ones. */
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *addr, size_t len);

#endif /* SELFTESTS_UNIT_MAP_HOOK_H */
