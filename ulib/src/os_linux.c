/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_linux.c - Linux: pages, memory, barriers, transfers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

void *gm_os_alloc(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Random access to many small pages costs more than what is in them. */
	madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

int gm_os_random(void *p, size_t n)
{
	ssize_t got = getrandom(p, n, 0);

	if (got < 0)
		return -errno;
	/* So few bytes as an identity has come at once or not at all. */
	return (size_t)got == n ? 0 : -EIO;
}

unsigned int gm_os_cpu_count(void)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return 1;
	return (unsigned int)CPU_COUNT(&cpus);
}

const char *gm_os_strerror(int err)
{
	const char *text = strerrordesc_np(err);

	return text ? text : "unknown error";
}

bool gm_os_barrier_register(void)
{
	/*
	 * 0: not asked yet, 1: yes, 2: no. Who asks first says it for all, also for
	 * threads that have given up the call.
	 */
	static int state;
	int s = __atomic_load_n(&state, __ATOMIC_ACQUIRE), mine;

	if (!s) {
		mine = syscall(__NR_membarrier,
			       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) ?
			       2 : 1;
		if (__atomic_compare_exchange_n(&state, &s, mine, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			s = mine;
	}
	return s == 1;
}

static int membarrier(int cmd)
{
	return (int)syscall(__NR_membarrier, cmd, 0, 0);
}

int gm_os_barrier_all_threads(void)
{
	int saved = errno, err = 0;

	/*
	 * A forked child has its parent's bitmaps but not its registration (it
	 * has on newer kernels): register again, then it can't fail.
	 */
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) &&
	    (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) ||
	     membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)))
		err = -errno;
	errno = saved;
	return err;
}

int64_t gm_os_readv(gm_os_file file, const struct iovec *iov, int cnt, int64_t off,
		    uint64_t *changed)
{
	int fd = (int)file;
	ssize_t n;

	do {
		n = off < 0 ? readv(fd, iov, cnt) : preadv(fd, iov, cnt, off);
	} while (n < 0 && errno == EINTR);
	*changed = n < 0 ? UINT64_MAX : (uint64_t)n;
	return n < 0 ? -errno : n;
}

int64_t gm_os_writev(gm_os_file file, const struct iovec *iov, int cnt, int64_t off)
{
	int fd = (int)file;
	ssize_t n;

	do {
		n = off < 0 ? writev(fd, iov, cnt) : pwritev(fd, iov, cnt, off);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int64_t gm_os_next_data(gm_os_file file, int64_t off)
{
	off_t at = lseek((int)file, (off_t)off, SEEK_DATA);

	if (at >= 0)
		return at;
	/* Else it is a file that can't tell. */
	return errno == ENXIO ? INT64_MAX : off;
}
