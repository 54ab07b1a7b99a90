/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * sys/mman.h - for unit tests on Windows: memory that they map themselves, which has no
 * file.
 */
#ifndef SELFTESTS_WINDOWS_SYS_MMAN_H
#define SELFTESTS_WINDOWS_SYS_MMAN_H

#include <guestmem/mmap.h>

#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_FAILED ((void *)-1)

void *mmap(void *addr, size_t len, int prot, int flags, int fd, int64_t off);
int munmap(void *addr, size_t len);

#endif /* SELFTESTS_WINDOWS_SYS_MMAN_H */
