/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* xen_fake.c - see xen_fake.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/privcmd.h>
#include <xen/gntdev.h>
#include "xen_fake.h"

#define PAGE 4096u
#define REQUESTS 256

struct xen_fake xen_fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t ino;

/* Pages of each request that is there, by index. */
static struct {
	uint64_t index;
	uint32_t count;
} live[REQUESTS];

int xen_fake_open(uint8_t **memory)
{
	int fd = memfd_create("xen_fake", MFD_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || ftruncate(fd, XEN_FAKE_PAGES * PAGE) || fstat(fd, &st))
		return -1;
	p = mmap(NULL, XEN_FAKE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	ino = st.st_ino;
	*memory = p;
	return fd;
}

/* As the driver does: it says 0, and each page has its own error. */
static int map_foreign(int fd, const struct privcmd_mmapbatch_v2 *b)
{
	uint8_t *at = (uint8_t *)(uintptr_t)b->addr;
	unsigned int i;

	xen_fake.batches++;
	for (i = 0; i < b->num; i++, at += PAGE) {
		b->err[i] = 0;
		if (b->dom != XEN_FAKE_DOMAIN)
			b->err[i] = -ESRCH;
		else if (b->arr[i] >= XEN_FAKE_PAGES ||
			 (xen_fake.hole && b->arr[i] == xen_fake.hole))
			b->err[i] = -EINVAL;
		else if (mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			      (off_t)(b->arr[i] * PAGE)) == MAP_FAILED)
			return errno;
	}
	return 0;
}

/* A request for what is none is known by that its mmap() fails: its index is odd. */
static int map_grants(struct ioctl_gntdev_map_grant_ref *m)
{
	uint64_t first = m->refs[0].ref;
	unsigned int i;

	xen_fake.map_requests++;
	m->index = first * PAGE;
	for (i = 0; i < m->count; i++)
		if (m->refs[i].domid != XEN_FAKE_DOMAIN || m->refs[i].ref != first + i ||
		    first + i >= XEN_FAKE_PAGES ||
		    (xen_fake.hole && first + i == xen_fake.hole))
			m->index |= 1;
	for (i = 0; i < REQUESTS && live[i].count; i++)
		;
	if (i == REQUESTS)
		return ENOMEM;
	live[i].index = m->index;
	live[i].count = m->count;
	xen_fake.requests++;
	xen_fake.granted += m->count;
	return 0;
}

static int unmap_grants(const struct ioctl_gntdev_unmap_grant_ref *u)
{
	unsigned int i;

	for (i = 0; i < REQUESTS; i++)
		if (live[i].count && live[i].index == u->index && live[i].count == u->count)
			break;
	if (i == REQUESTS) {
		xen_fake.wrong = true;
		return ENOENT;
	}
	live[i].count = 0;
	xen_fake.requests--;
	xen_fake.granted -= u->count;
	return 0;
}

static bool answer(int fd, unsigned long cmd, void *arg, int *err)
{
	switch (cmd) {
	case IOCTL_PRIVCMD_MMAPBATCH_V2:
		*err = xen_fake.fail ? xen_fake.fail : map_foreign(fd, arg);
		return true;
	case IOCTL_GNTDEV_MAP_GRANT_REF:
		*err = xen_fake.fail ? xen_fake.fail : map_grants(arg);
		return true;
	case IOCTL_GNTDEV_UNMAP_GRANT_REF:
		*err = unmap_grants(arg);
		return true;
	}
	return false;
}

bool xen_fake_ioctl(int fd, unsigned long cmd, void *arg, int *err)
{
	struct stat st;
	bool mine;

	if (!ino || fstat(fd, &st) || st.st_ino != ino)
		return false;
	pthread_mutex_lock(&lock);
	mine = answer(fd, cmd, arg, err);
	pthread_mutex_unlock(&lock);
	return mine;
}
