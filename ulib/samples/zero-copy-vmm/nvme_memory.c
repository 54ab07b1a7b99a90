/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_memory.c - memory of the driver's own that the controller reaches.
 */
#include <errno.h>
#include <string.h>

#include "nvme_memory.h"

#define HUGE_SIZE (UINT64_C(2) << 20)

/*
 * Behind an IOMMU any memory is one piece. Without one huge pages make pieces that are
 * long enough for a queue; if there are none, it may still happen to be so.
 */
static int region_new(struct gm_kmod *module, uint64_t len, struct gm_region **out)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .huge_size = HUGE_SIZE };

	len = (len + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
	if (!gm_region_new_kmod(module, gm_gpa(0), len, &opts, out))
		return 0;
	return gm_region_new_kmod(module, gm_gpa(0), len, NULL, out);
}

int nvme_memory_init(struct nvme_memory *m, struct gm_kmod *module,
		     struct gm_kmod_device *device, uint64_t len)
{
	void *host;
	int ret;

	memset(m, 0, sizeof(*m));
	ret = region_new(module, len, &m->region);
	if (!ret)
		ret = gm_region_host(m->region, gm_roff(0), &host);
	if (!ret)
		ret = gm_kmod_map_new(device, m->region, gm_roff(0), gm_region_len(m->region),
				      GM_PERM_RW, &m->map);
	if (ret)
		return ret;
	/* Else each look at a queue would need a system call. */
	if (!(gm_kmod_map_properties(m->map) & GM_KMOD_MAP_COHERENT))
		return -EOPNOTSUPP;
	m->host = host;
	m->segs = gm_dma_map_segs(m->map, &m->count);
	return 0;
}

void nvme_memory_unmap(struct nvme_memory *m)
{
	gm_dma_map_put(m->map);
	m->map = NULL;
}

void nvme_memory_exit(struct nvme_memory *m)
{
	nvme_memory_unmap(m);
	gm_region_put(m->region);
	memset(m, 0, sizeof(*m));
}

int nvme_memory_take(struct nvme_memory *m, uint64_t len, struct nvme_piece *out)
{
	uint64_t start = 0, off;
	size_t i;

	len = (len + NVME_PAGE_SIZE - 1) / NVME_PAGE_SIZE * NVME_PAGE_SIZE;
	for (i = 0; i < m->count; start += m->segs[i].len, i++) {
		if (m->used >= start + m->segs[i].len)
			continue;
		/* Segments are in order: this is 0 from the second one on. */
		off = m->used > start ? m->used - start : 0;
		if (m->segs[i].len - off < len)
			continue;
		out->host = m->host + start + off;
		out->address = m->segs[i].address + off;
		out->len = len;
		m->used = start + off + len;
		return 0;
	}
	return -ENOMEM;
}
