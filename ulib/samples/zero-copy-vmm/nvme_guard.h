/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_guard.h - what the controller may be told to reach.
 *
 * Each address that gets into a command is made here, from a number that lies, with all
 * of its length, in a segment that is mapped for the controller, of a class that the
 * caller names. That is what the emulated device has checked already, checked once more
 * where it counts: behind no IOMMU nothing else would stop the controller.
 */
#ifndef NVME_GUARD_H
#define NVME_GUARD_H

#include "nvme_spec.h"

/**
 * enum nvme_class - whose memory it is
 * @NVME_GUEST: the guest's
 * @NVME_BUFFER: the driver's own, for data
 * @NVME_RINGS: the driver's own: queues, PRP lists, answers
 */
enum nvme_class {
	NVME_GUEST,
	NVME_BUFFER,
	NVME_RINGS,
};

/**
 * struct nvme_guard_seg - a range that the controller reaches
 * @first: first device address
 * @last: last one
 * @perm: what it may do
 * @cls: whose it is
 */
struct nvme_guard_seg {
	uint64_t first;
	uint64_t last;
	enum gm_perm perm;
	enum nvme_class cls;
};

/**
 * struct nvme_guard - all of them
 * @segs: in order of address; no two overlap
 * @count: how many
 * @refused: addresses refused so far
 */
struct nvme_guard {
	struct nvme_guard_seg *segs;
	size_t count;
	uint64_t refused;
};

/*
 * Let what is mapped be reached. 0; -EEXIST a part of it is there already, such as the
 * same memory at two guest addresses where no IOMMU is; -ENOMEM.
 */
int nvme_guard_add(struct nvme_guard *g, const struct gm_dma_map *map, enum nvme_class cls);

/* Nothing of a class is reached any more. */
void nvme_guard_forget(struct nvme_guard *g, enum nvme_class cls);
void nvme_guard_exit(struct nvme_guard *g);

/*
 * An address for a command: @perm is what the controller is going to do there. 0, or
 * -EFAULT, and @out is as it was.
 */
int nvme_guard_address(struct nvme_guard *g, uint64_t address, uint64_t len,
		       enum gm_perm perm, enum nvme_class cls, struct nvme_address *out);

#endif /* NVME_GUARD_H */
