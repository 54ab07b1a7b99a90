/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* map_hook.c - see map_hook.h. The linker brings these calls here. */

#include "map_hook.h"

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *addr, size_t len);

void *(*mmap_hook)(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int (*munmap_hook)(void *addr, size_t len);

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return (mmap_hook ? mmap_hook : __real_mmap)(addr, len, prot, flags, fd, off);
}

int __wrap_munmap(void *addr, size_t len)
{
	return (munmap_hook ? munmap_hook : __real_munmap)(addr, len);
}
