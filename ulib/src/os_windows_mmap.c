/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_windows_mmap.c - Windows: a mapping as struct gm_mmap_opts asks for it, as far as it
 * can be had: VirtualAlloc(), or a view of a file.
 */
#include <errno.h>

#include "os_windows.h"
#include "os_mman.h"

#define OPTS struct gm_mmap_opts

/* What was asked for and can't be had; else 0. */
static int check_opts(const struct gm_mmap_opts *o)
{
	int ret = gm_absent_opts(o);

	if (ret)
		return ret;
	/* A view can't be put into memory that is reserved, before Windows 10. */
	if (o->guard_size && o->file)
		return gm_option_error(-EOPNOTSUPP, OPTS, guard_size);
	return 0;
}

/* Is the file long enough now, and the offset one that it can be mapped at? */
static int check_file(const struct gm_mmap_opts *o, const struct gm_mapping *m)
{
	LARGE_INTEGER size;
	SYSTEM_INFO info;
	uint64_t end;

	GetSystemInfo(&info);
	if (o->file_off & (info.dwAllocationGranularity - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, o->file_off,
				    info.dwAllocationGranularity);
	if (__builtin_add_overflow(o->file_off, m->len, &end) || end > INT64_MAX)
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, o->file_off, m->len);
	if (!GetFileSizeEx((HANDLE)gm_file_os(o->file), &size))
		return gm_error_set(gm_windows_error(), GM_ERR_IO, 0, 0);
	if (end > (uint64_t)size.QuadPart)
		return gm_error_set_counts(-ERANGE, GM_ERR_FILE_RANGE, o->file_off, m->len,
					   (uint64_t)size.QuadPart, 0);
	return 0;
}

/* A view keeps what it is a view of. */
static int map_file(struct gm_mapping *m, uint64_t len)
{
	bool private = (m->flags & MAP_TYPE) == MAP_PRIVATE;
	DWORD access = FILE_MAP_READ, protect = PAGE_READONLY;
	HANDLE section;
	int ret;

	if (m->prot & PROT_WRITE) {
		access = private ? FILE_MAP_COPY : FILE_MAP_WRITE;
		protect = private ? PAGE_WRITECOPY : PAGE_READWRITE;
	}
	section = CreateFileMappingW((HANDLE)gm_file_os(m->file), NULL, protect, 0, 0, NULL);
	if (!section)
		return gm_windows_error();
	m->addr = MapViewOfFile(section, access, (DWORD)(m->file_off >> 32),
				(DWORD)m->file_off, len);
	ret = m->addr ? 0 : gm_windows_error();
	CloseHandle(section);
	m->reserve = m->addr;
	m->reserve_len = m->len;
	return ret;
}

static int map_zeros(struct gm_mapping *m, uint64_t guard)
{
	DWORD protect = m->prot & PROT_WRITE ? PAGE_READWRITE : PAGE_READONLY;
	int ret;

	/* Reserved is what nobody can access. */
	m->reserve = VirtualAlloc(NULL, m->reserve_len, MEM_RESERVE, PAGE_NOACCESS);
	if (!m->reserve) {
		ret = gm_windows_error();
		/* No address space is that large. */
		return ret == -EINVAL ? -ENOMEM : ret;
	}
	m->addr = VirtualAlloc((uint8_t *)m->reserve + guard, m->len, MEM_COMMIT, protect);
	if (m->addr)
		return 0;
	ret = gm_windows_error();
	VirtualFree(m->reserve, 0, MEM_RELEASE);
	return ret;
}

static int map_new(struct gm_mapping *m, const struct gm_mmap_opts *o, uint64_t len)
{
	int ret;

	m->flags = o->map_flags;
	if (!m->flags)
		m->flags = o->file && !(o->flags & GM_MMAP_PRIVATE) ? MAP_SHARED : MAP_PRIVATE;
	if (o->file) {
		m->file = gm_file_get(o->file);
		m->file_off = o->file_off;
		ret = map_file(m, len);
		if (ret)
			gm_file_put(m->file);
	} else {
		if (__builtin_mul_overflow(o->guard_size, 2, &m->reserve_len) ||
		    __builtin_add_overflow(m->reserve_len, m->len, &m->reserve_len))
			return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, m->len,
					    o->guard_size);
		ret = map_zeros(m, o->guard_size);
	}
	return ret ? gm_error_set(ret, GM_ERR_MMAP, 0, m->len) : 0;
}

int gm_os_map(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	uint64_t rounded, len = m->len;
	int ret = check_opts(o);

	m->page_size = gm_os_page_size();
	m->hugetlbfs = GM_NO;
	if (!ret && o->file)
		ret = check_file(o, m);
	if (ret)
		return ret;
	if (__builtin_add_overflow(m->len, m->page_size - 1, &rounded))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, m->len, m->page_size - 1);
	m->len = rounded & ~(m->page_size - 1);
	return map_new(m, o, len);
}

int gm_os_map_advise(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	(void)m;
	(void)o;
	return 0;
}

void gm_os_unmap(const struct gm_mapping *m)
{
	if (m->file)
		UnmapViewOfFile(m->reserve);
	else
		VirtualFree(m->reserve, 0, MEM_RELEASE);
}

/* To decommit and commit again is two steps: who touches it in between would fault. */
int gm_os_discard(const struct gm_mapping *m, uint64_t off, uint64_t len)
{
	(void)m;
	(void)off;
	(void)len;
	return gm_error_set(-EOPNOTSUPP, GM_ERR_SYSTEM, 0, 0);
}

int gm_os_lock(void *addr, uint64_t len)
{
	return VirtualLock(addr, len) ? 0 : gm_windows_error();
}

int gm_os_populate(void *addr, uint64_t len, bool write)
{
	(void)addr;
	(void)len;
	(void)write;
	return -EOPNOTSUPP;
}
