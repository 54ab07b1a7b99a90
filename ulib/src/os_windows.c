/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_windows.c - Windows: pages, memory, files, transfers.
 *
 * FlushProcessWriteBuffers() would be the barrier on all threads. Wine has it as a stub,
 * so that no test would show what it does: readers have barriers of their own.
 */
#include <errno.h>
#include <io.h>
#include <string.h>

#include "os_windows.h"

int gm_windows_error(void)
{
	static const struct {
		DWORD code;
		int err;
	} errors[] = {
		{ ERROR_INVALID_HANDLE, EBADF },
		{ ERROR_INVALID_FUNCTION, EBADF },
		{ ERROR_ACCESS_DENIED, EACCES },
		{ ERROR_LOCK_VIOLATION, EACCES },
		{ ERROR_SHARING_VIOLATION, EACCES },
		{ ERROR_PRIVILEGE_NOT_HELD, EPERM },
		{ ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
		{ ERROR_OUTOFMEMORY, ENOMEM },
		{ ERROR_NOT_ENOUGH_QUOTA, ENOMEM },
		{ ERROR_NO_SYSTEM_RESOURCES, ENOMEM },
		{ ERROR_WORKING_SET_QUOTA, ENOMEM },
		{ ERROR_COMMITMENT_LIMIT, ENOMEM },
		{ ERROR_PAGEFILE_QUOTA, ENOMEM },
		/* No address space of that size, too. */
		{ ERROR_INVALID_ADDRESS, ENOMEM },
		{ ERROR_INVALID_PARAMETER, EINVAL },
		{ ERROR_MAPPED_ALIGNMENT, EINVAL },
		{ ERROR_FILE_INVALID, EINVAL },
		{ ERROR_DISK_FULL, ENOSPC },
		{ ERROR_HANDLE_DISK_FULL, ENOSPC },
		{ ERROR_FILE_TOO_LARGE, EFBIG },
		{ ERROR_WRITE_PROTECT, EROFS },
		{ ERROR_NEGATIVE_SEEK, EINVAL },
		{ ERROR_NOT_SUPPORTED, EOPNOTSUPP },
		{ ERROR_OPERATION_ABORTED, ECANCELED },
		{ ERROR_PIPE_LISTENING, EAGAIN },
		{ ERROR_PIPE_NOT_CONNECTED, EPIPE },
		{ ERROR_BROKEN_PIPE, EPIPE },
		{ ERROR_NO_DATA, EPIPE },
		{ ERROR_NOACCESS, EFAULT },
	};
	DWORD code = GetLastError();
	size_t i;

	for (i = 0; i < GM_ARRAY_SIZE(errors); i++)
		if (errors[i].code == code)
			return -errors[i].err;
	return -EIO;
}

uint64_t gm_os_page_size(void)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	return info.dwPageSize;
}

unsigned int gm_os_cpu_count(void)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	return info.dwNumberOfProcessors;
}

void *gm_os_alloc(uint64_t bytes)
{
	return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void gm_os_free(void *p, uint64_t bytes)
{
	(void)bytes;
	if (p)
		VirtualFree(p, 0, MEM_RELEASE);
}

/* There is no fork(). */
uint32_t gm_os_process(void)
{
	return GetCurrentProcessId();
}

int gm_os_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	(void)prepare;
	(void)parent;
	(void)child;
	return 0;
}

const char *gm_os_strerror(int err)
{
	static __thread char text[64];

	/* The C library has numbers for these, but no words. */
	switch (err) {
	case ECANCELED:
		return "Operation canceled";
	case EBADMSG:
		return "Bad message";
	case EMSGSIZE:
		return "Message too long";
	case ENODATA:
		return "No data available";
	case EOPNOTSUPP:
		return "Operation not supported";
	case EOVERFLOW:
		return "Value too large for defined data type";
	}
	return strerror_s(text, sizeof(text), err) ? "unknown error" : text;
}

bool gm_os_barrier_register(void)
{
	return false;
}

int gm_os_barrier_all_threads(void)
{
	return -EOPNOTSUPP;
}

gm_os_file gm_os_file_of(int fd)
{
	/* The C library ends the process for a descriptor that can't be one. */
	return fd < 0 ? (gm_os_file)INVALID_HANDLE_VALUE : _get_osfhandle(fd);
}

int gm_os_file_identify(gm_os_file file, struct gm_file_id *out)
{
	BY_HANDLE_FILE_INFORMATION info;

	if (!GetFileInformationByHandle((HANDLE)file, &info))
		return gm_windows_error();
	*out = (struct gm_file_id){
		.dev = info.dwVolumeSerialNumber,
		.ino = { info.nFileIndexLow, info.nFileIndexHigh },
	};
	return 0;
}

void gm_os_file_close(gm_os_file file, int fd)
{
	/* The descriptor has the handle. */
	if (fd < 0)
		CloseHandle((HANDLE)file);
	else
		_close(fd);
}

/* ReadFile() or WriteFile(), over when this returns; else the error is the last one. */
static bool do_piece(HANDLE file, void *p, DWORD len, DWORD *done, OVERLAPPED *where, bool write)
{
	BOOL ok = write ? WriteFile(file, p, len, done, where) :
			  ReadFile(file, p, len, done, where);

	if (ok || !where || GetLastError() != ERROR_IO_PENDING)
		return ok;
	/* It was opened for overlapped transfers: @p and @where are in use until the end. */
	do {
		ok = GetOverlappedResult(file, where, done, TRUE);
	} while (!ok && GetLastError() == ERROR_IO_INCOMPLETE);
	return ok;
}

/* One piece; 0: the end. */
static int64_t transfer(HANDLE file, const struct iovec *iov, int64_t off, bool write)
{
	OVERLAPPED at = { .Offset = (DWORD)off, .OffsetHigh = (DWORD)(off >> 32) };
	/* A multiple of any sector. */
	DWORD len = (DWORD)gm_min(iov->iov_len, (size_t)1 << 30), done = 0;

	if (do_piece(file, iov->iov_base, len, &done, off < 0 ? NULL : &at, write))
		return done;
	if (!write) {
		switch (GetLastError()) {
		case ERROR_HANDLE_EOF:
		case ERROR_BROKEN_PIPE:
			return 0;
		case ERROR_MORE_DATA:	/* of this message */
			return done;
		case ERROR_NO_DATA:	/* in a pipe that does not wait */
			return -EAGAIN;
		}
	}
	return gm_windows_error();
}

/* A pipe or a terminal that has nothing more would wait for it. */
static bool has_more(HANDLE file)
{
	DWORD there;

	return GetFileType(file) == FILE_TYPE_DISK ||
	       (PeekNamedPipe(file, NULL, 0, NULL, &there, NULL) && there);
}

/*
 * Piece by piece, until one is short. What was done before an error counts; how much of
 * its piece was changed, nobody knows.
 */
static int64_t each(gm_os_file os_file, const struct iovec *iov, int cnt, int64_t off,
		    bool write, uint64_t *changed)
{
	HANDLE file = (HANDLE)os_file;
	int64_t done = 0, n = 0;
	int i;

	for (i = 0; i < cnt; i++) {
		if (!iov[i].iov_len)
			continue;
		if (done && !write && !has_more(file))
			break;
		n = transfer(file, &iov[i], off < 0 ? off : off + done, write);
		if (n < 0)
			break;
		done += n;
		if ((uint64_t)n < iov[i].iov_len)
			break;
	}
	*changed = n < 0 ? UINT64_MAX : (uint64_t)done;
	return n < 0 && !done ? n : done;
}

int64_t gm_os_readv(gm_os_file file, const struct iovec *iov, int cnt, int64_t off,
		    uint64_t *changed)
{
	return each(file, iov, cnt, off, false, changed);
}

int64_t gm_os_writev(gm_os_file file, const struct iovec *iov, int cnt, int64_t off)
{
	uint64_t changed;

	return each(file, iov, cnt, off, true, &changed);
}
