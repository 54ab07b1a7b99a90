/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* hypercall.c - see hypercall.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "hypercall.h"
#include <xen/privcmd.h>

int privcmd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	return fd;
}

static void *resident(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *hypercall_room(void)
{
	static void *room;

	if (!room)
		room = resident(HYPERCALL_ROOM);
	return room;
}

static int hypercall(uint64_t op, uint64_t a, uint64_t b)
{
	struct privcmd_hypercall call = { .op = op, .arg = { a, b } };
	int ret = ioctl(privcmd(), IOCTL_PRIVCMD_HYPERCALL, &call);

	return ret < 0 ? -errno : ret;
}

/* A copy where the hypervisor finds it. */
static void *argument(const void *arg, size_t size)
{
	static uint8_t *p;

	if (!p)
		p = resident(4096);
	if (p)
		__builtin_memcpy(p, arg, size);
	return p;
}

int hypercall_domctl(struct xen_domctl *op)
{
	struct xen_domctl *arg;
	int ret;

	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	arg = argument(op, sizeof(*op));
	if (!arg)
		return -ENOMEM;
	do {
		ret = hypercall(__HYPERVISOR_domctl, (uintptr_t)arg, 0);
	} while (ret == -EAGAIN || ret == -85 /* ERESTART */);
	*op = *arg;
	return ret;
}

int hypercall_memory(unsigned int op, void *arg)
{
	return hypercall(__HYPERVISOR_memory_op, op, (uintptr_t)arg);
}
