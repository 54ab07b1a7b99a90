/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vma.h - what the kernel knows of a mapping in this process.
 */
#ifndef SELFTESTS_UNIT_VMA_H
#define SELFTESTS_UNIT_VMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is each page of [addr, addr + len) in some mapping? */
bool vma_is_mapped(const void *addr, size_t len);

/* Is no page of [addr, addr + len) in a mapping? */
bool vma_is_unmapped(const void *addr, size_t len);

/* Pages of [addr, addr + len) that are in memory; negative: not all mapped. */
long vma_resident_pages(const void *addr, size_t len);

/*
 * What /proc/self/smaps says of the mapping that has @addr: the line that
 * starts with @field, or the first line if @field is NULL.
 */
bool vma_smaps(const void *addr, const char *field, char *line, size_t size);

/* Has the mapping this two-letter flag in VmFlags (see proc(5))? */
bool vma_has_flag(const void *addr, const char *flag);

/* Mappings whose line in /proc/self/maps contains @text. */
int vma_count(const char *text);

/* Open file descriptors of the process. */
int open_fds(void);

#endif /* SELFTESTS_UNIT_VMA_H */
