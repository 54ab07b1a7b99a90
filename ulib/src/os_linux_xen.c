/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_linux_xen.c - Linux's two drivers for memory of other domains: privcmd and gntdev.
 *
 * The headers are the kernel's. One of them includes a header that is not among those
 * for programs; what it needs of that is in compat/.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
/* In this order: the second relies on what the first includes. */
#include <xen/privcmd.h>
#include <xen/gntdev.h>

#include "xen_private.h"

/* Requests of so many grants need no memory of their own. */
#define FEW 16

bool gm_os_has_xen(void)
{
	return true;
}

static int map(const struct gm_xen_region *x, int prot, uint64_t count, uint64_t off,
	       uint8_t **host)
{
	void *p = mmap(NULL, count * GM_XEN_PAGE, prot, x->region.flags, x->fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	*host = p;
	return 0;
}

void gm_os_xen_unmap(uint8_t *host, uint64_t count)
{
	munmap(host, count * GM_XEN_PAGE);
}

int gm_os_xen_map_foreign(const struct gm_xen_region *x, int prot, const uint64_t *gfns,
			  int *errs, uint32_t count, uint8_t **host)
{
	struct privcmd_mmapbatch_v2 batch = {
		.num = count, .dom = x->domid, .arr = gfns, .err = errs,
	};
	uint8_t *at = NULL;
	int ret;

	ret = map(x, prot, count, 0, &at);
	if (ret)
		return ret;
	batch.addr = (uintptr_t)at;
	if (ioctl(x->fd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch)) {
		ret = -errno;
		gm_os_xen_unmap(at, count);
		return ret;
	}
	*host = at;
	return 0;
}

static void forget(const struct gm_xen_region *x, uint64_t index, uint64_t count)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = { .index = index, .count = (uint32_t)count };

	ioctl(x->fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
}

int gm_os_xen_map_grants(const struct gm_xen_region *x, int prot, uint32_t ref,
			 struct gm_xen_grants *g)
{
	union {
		struct ioctl_gntdev_map_grant_ref arg;
		uint8_t room[offsetof(struct ioctl_gntdev_map_grant_ref, refs[FEW])];
	} few;
	struct ioctl_gntdev_map_grant_ref *arg = &few.arg;
	uint64_t i;
	int ret = 0;

	if (g->count > FEW)
		arg = malloc(sizeof(*arg) + g->count * sizeof(arg->refs[0]));
	if (!arg)
		return -ENOMEM;
	arg->count = (uint32_t)g->count;
	arg->pad = 0;
	for (i = 0; i < g->count; i++) {
		arg->refs[i].domid = x->domid;
		arg->refs[i].ref = ref + (uint32_t)i;
	}
	if (ioctl(x->fd, IOCTL_GNTDEV_MAP_GRANT_REF, arg))
		ret = -errno;
	g->index = arg->index;
	if (arg != &few.arg)
		free(arg);
	if (ret)
		return ret;
	/* What the hypervisor says to each grant comes here. */
	ret = map(x, prot, g->count, g->index, &g->host);
	if (ret)
		forget(x, g->index, g->count);
	return ret;
}

void gm_os_xen_unmap_grants(const struct gm_xen_region *x, const struct gm_xen_grants *g)
{
	gm_os_xen_unmap(g->host, g->count);
	forget(x, g->index, g->count);
}
