/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_guard.c - what the controller may be told to reach.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nvme_guard.h"

/* The first segment that does not end before @address; @g->count: none. */
static size_t find(const struct nvme_guard *g, uint64_t address)
{
	size_t low = 0, high = g->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->segs[middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* There is room. */
static int insert(struct nvme_guard *g, const struct nvme_guard_seg *seg)
{
	size_t at = find(g, seg->first);

	if (at < g->count && g->segs[at].first <= seg->last)
		return -EEXIST;
	memmove(&g->segs[at + 1], &g->segs[at], (g->count - at) * sizeof(*seg));
	g->segs[at] = *seg;
	g->count++;
	return 0;
}

static void take_back(struct nvme_guard *g, const struct gm_dma_seg *segs, size_t count)
{
	while (count--) {
		size_t at = find(g, segs[count].address);

		g->count--;
		memmove(&g->segs[at], &g->segs[at + 1], (g->count - at) * sizeof(*g->segs));
	}
}

int nvme_guard_add(struct nvme_guard *g, const struct gm_dma_map *map, enum nvme_class cls)
{
	const struct gm_dma_seg *segs;
	struct nvme_guard_seg *more;
	size_t count, i;
	int ret;

	segs = gm_dma_map_segs(map, &count);
	more = realloc(g->segs, (g->count + count) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	g->segs = more;
	for (i = 0; i < count; i++) {
		const struct nvme_guard_seg seg = {
			.first = segs[i].address,
			.last = segs[i].address + (segs[i].len - 1),
			.perm = gm_dma_map_perm(map),
			.cls = cls,
		};

		ret = insert(g, &seg);
		if (ret) {
			take_back(g, segs, i);
			return ret;
		}
	}
	return 0;
}

void nvme_guard_forget(struct nvme_guard *g, enum nvme_class cls)
{
	size_t i, kept = 0;

	for (i = 0; i < g->count; i++)
		if (g->segs[i].cls != cls)
			g->segs[kept++] = g->segs[i];
	g->count = kept;
}

void nvme_guard_exit(struct nvme_guard *g)
{
	free(g->segs);
	g->segs = NULL;
	g->count = 0;
}

static bool allowed(const struct nvme_guard *g, uint64_t address, uint64_t len,
		    enum gm_perm perm, enum nvme_class cls)
{
	const struct nvme_guard_seg *seg;
	size_t at = find(g, address);

	if (at == g->count || !len || perm == GM_PERM_NONE)
		return false;
	seg = &g->segs[at];
	return seg->first <= address && len - 1 <= seg->last - address &&
	       seg->cls == cls && gm_perm_allows(seg->perm, perm);
}

int nvme_guard_address(struct nvme_guard *g, uint64_t address, uint64_t len,
		       enum gm_perm perm, enum nvme_class cls, struct nvme_address *out)
{
	if (!allowed(g, address, len, perm, cls)) {
		g->refused++;
		return -EFAULT;
	}
	out->raw = gm_cpu_to_le64(address);
	return 0;
}
