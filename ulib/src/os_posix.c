/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_posix.c - POSIX.1-2008 and nothing else: pages, memory, transfers.
 *
 * There is no barrier on other threads: readers have their own, see epoch.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os_posix.h"

void *gm_os_alloc(uint64_t bytes)
{
	void *p;

	return gm_posix_map_zeros(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, &p) ?
		       NULL : p;
}

int gm_os_random(void *p, size_t n)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	uint64_t changed;
	int64_t got;

	/* Not promised by POSIX; a system without it has no other way, either. */
	if (fd < 0)
		return -errno;
	got = gm_os_readv(fd, &(struct iovec){ p, n }, 1, -1, &changed);
	close(fd);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EIO;
}

unsigned int gm_os_cpu_count(void)
{
	return 1;
}

const char *gm_os_strerror(int err)
{
	static __thread char text[64];

	return strerror_r(err, text, sizeof(text)) ? "unknown error" : text;
}

bool gm_os_barrier_register(void)
{
	return false;
}

int gm_os_barrier_all_threads(void)
{
	return -EOPNOTSUPP;
}

/*
 * preadv() and pwritev() are not in POSIX: piece by piece, until one is short. What
 * was done before an error counts, as with one call; how much of its piece was changed,
 * nobody knows.
 */
static int64_t each(int fd, const struct iovec *iov, int cnt, int64_t off, bool write,
		    uint64_t *changed)
{
	int64_t done = 0;
	ssize_t n = 0;
	int i;

	for (i = 0; i < cnt; i++) {
		void *p = iov[i].iov_base;
		size_t len = iov[i].iov_len;

		do {
			n = write ? pwrite(fd, p, len, (off_t)(off + done)) :
				    pread(fd, p, len, (off_t)(off + done));
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			break;
		done += n;
		if ((size_t)n < len)
			break;
	}
	*changed = n < 0 ? UINT64_MAX : (uint64_t)done;
	return n < 0 && !done ? -errno : done;
}

/* Pieces that one call takes, which may be as few as 16; the rest is a short transfer's. */
static int at_most(int cnt)
{
	long most = sysconf(_SC_IOV_MAX);

	return most > 0 && most < cnt ? (int)most : cnt;
}

int64_t gm_os_readv(gm_os_file file, const struct iovec *iov, int cnt, int64_t off,
		    uint64_t *changed)
{
	int fd = (int)file;
	ssize_t n;

	if (off >= 0)
		return each(fd, iov, cnt, off, false, changed);
	do {
		n = readv(fd, iov, at_most(cnt));
	} while (n < 0 && errno == EINTR);
	*changed = n < 0 ? UINT64_MAX : (uint64_t)n;
	return n < 0 ? -errno : n;
}

int64_t gm_os_writev(gm_os_file file, const struct iovec *iov, int cnt, int64_t off)
{
	int fd = (int)file;
	uint64_t changed;
	ssize_t n;

	if (off >= 0)
		return each(fd, iov, cnt, off, true, &changed);
	do {
		n = writev(fd, iov, at_most(cnt));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Holes are not in POSIX.1-2008: all may be data. */
int64_t gm_os_next_data(gm_os_file file, int64_t off)
{
	(void)file;
	return off;
}
