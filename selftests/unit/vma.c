/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* vma.c - see vma.h. */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "vma.h"

bool vma_is_mapped(const void *addr, size_t len)
{
	return vma_resident_pages(addr, len) >= 0;
}

bool vma_is_unmapped(const void *addr, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t off;

	for (off = 0; off < len; off += page)
		if (vma_is_mapped((const char *)addr + off, 1))
			return false;
	return true;
}

long vma_resident_pages(const void *addr, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t i, pages = (len + page - 1) / page;
	unsigned char *vec = malloc(pages);
	long resident = -1;

	if (vec && !mincore((void *)(uintptr_t)addr, len, vec)) {
		resident = 0;
		for (i = 0; i < pages; i++)
			resident += vec[i] & 1;
	}
	free(vec);
	return resident;
}

bool vma_smaps(const void *addr, const char *field, char *line, size_t size)
{
	uint64_t start, end, at = (uintptr_t)addr;
	bool inside = false, found = false;
	FILE *f = fopen("/proc/self/smaps", "r");
	char buf[512];

	if (!f)
		return false;
	while (!found && fgets(buf, sizeof(buf), f)) {
		if (sscanf(buf, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			inside = at >= start && at < end;
			found = inside && !field;
		} else {
			found = inside && field &&
				!strncmp(buf, field, strlen(field));
		}
	}
	fclose(f);
	if (found)
		snprintf(line, size, "%s", buf);
	return found;
}

bool vma_has_flag(const void *addr, const char *flag)
{
	char line[256], want[8];

	if (!vma_smaps(addr, "VmFlags:", line, sizeof(line)))
		return false;
	snprintf(want, sizeof(want), " %s ", flag);
	return strstr(line, want);
}

int vma_count(const char *text)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char buf[512];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(buf, sizeof(buf), f))
		n += strstr(buf, text) != NULL;
	fclose(f);
	return n;
}

int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", "..", and the directory itself */
}
