/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* posix.c - what tests use of POSIX, and of unit/vma.h, as far as they run on Windows. */

#define _CRT_RAND_S
#include <stdlib.h>
#include <fcntl.h>
#include <io.h>
#include <windows.h>
#include <psapi.h>
#include <guestmem/iov.h>
#include <sys/mman.h>
#include <sys/random.h>
#include "../unit/vma.h"

void *mmap(void *addr, size_t len, int prot, int flags, int fd, int64_t off)
{
	void *p;

	(void)prot;
	if (addr || !(flags & MAP_ANONYMOUS) || fd != -1 || off)
		return MAP_FAILED;
	p = VirtualAlloc(NULL, len, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	return p ? p : MAP_FAILED;
}

int munmap(void *addr, size_t len)
{
	(void)len;
	return VirtualFree(addr, 0, MEM_RELEASE) ? 0 : -1;
}

int pipe(int fd[2]);
int64_t readv(int fd, const struct iovec *iov, int count);

int pipe(int fd[2])
{
	return _pipe(fd, 65536, _O_BINARY);
}

int64_t readv(int fd, const struct iovec *iov, int count)
{
	int64_t done = 0;
	int i, n;

	for (i = 0; i < count; i++) {
		n = _read(fd, iov[i].iov_base, (unsigned int)iov[i].iov_len);
		if (n < 0)
			return done ? done : n;
		done += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	return done;
}

int64_t getrandom(void *p, size_t n, unsigned int flags)
{
	uint8_t *byte = p;
	unsigned int x;
	size_t i;

	for (i = 0; i < n; i++) {
		if (flags || rand_s(&x))
			return -1;
		byte[i] = (uint8_t)x;
	}
	return (int64_t)n;
}

/* Is all of it in state @state? */
static bool is_all(const void *addr, size_t len, DWORD state)
{
	const uint8_t *p = addr, *end = p + len;
	MEMORY_BASIC_INFORMATION info;

	for (; p < end; p = (const uint8_t *)info.BaseAddress + info.RegionSize)
		if (!VirtualQuery(p, &info, sizeof(info)) || info.State != state)
			return false;
	return true;
}

bool vma_is_mapped(const void *addr, size_t len)
{
	return is_all(addr, len, MEM_COMMIT);
}

bool vma_is_unmapped(const void *addr, size_t len)
{
	return is_all(addr, len, MEM_FREE);
}

long vma_resident_pages(const void *addr, size_t len)
{
	PSAPI_WORKING_SET_EX_INFORMATION page;
	long n = 0;
	size_t i;

	for (i = 0; i < len; i += 4096) {
		page.VirtualAddress = (uint8_t *)addr + i;
		if (!K32QueryWorkingSetEx(GetCurrentProcess(), &page, sizeof(page)))
			return -1;
		n += (long)page.VirtualAttributes.Valid;
	}
	return n;
}

/* Handles, which are what is open here. Wine's GetProcessHandleCount() says 0. */
int open_fds(void)
{
	uintptr_t h;
	DWORD flags;
	int n = 0;

	for (h = 4; h < 0x1000; h += 4)
		if (GetHandleInformation((HANDLE)h, &flags))
			n++;
	return n;
}
