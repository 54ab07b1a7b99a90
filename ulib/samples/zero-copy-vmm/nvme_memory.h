/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_memory.h - memory of the driver's own that the controller reaches.
 */
#ifndef NVME_MEMORY_H
#define NVME_MEMORY_H

#include "nvme_guard.h"

/**
 * struct nvme_memory - one region, handed out piece by piece and never taken back
 * @region: of the module's memory
 * @map: the whole of it, mapped for the controller
 * @segs: as the controller addresses it
 * @count: how many these are
 * @host: as the CPU does
 * @used: bytes handed out, or passed over
 */
struct nvme_memory {
	struct gm_region *region;
	struct gm_dma_map *map;
	const struct gm_dma_seg *segs;
	size_t count;
	uint8_t *host;
	uint64_t used;
};

/**
 * struct nvme_piece - zeroed memory that is one piece for both
 * @host: where the CPU finds it
 * @address: where the controller does, a multiple of a page
 * @len: bytes, whole pages
 */
struct nvme_piece {
	void *host;
	uint64_t address;
	uint64_t len;
};

/* 0, or a negative errno; nvme_memory_exit() is right in both cases. */
int nvme_memory_init(struct nvme_memory *m, struct gm_kmod *module,
		     struct gm_kmod_device *device, uint64_t len);
void nvme_memory_exit(struct nvme_memory *m);
/* The first half of nvme_memory_exit(): it is mapped no more, and still there. */
void nvme_memory_unmap(struct nvme_memory *m);
/* 0 or -ENOMEM. */
int nvme_memory_take(struct nvme_memory *m, uint64_t len, struct nvme_piece *out);

#endif /* NVME_MEMORY_H */
