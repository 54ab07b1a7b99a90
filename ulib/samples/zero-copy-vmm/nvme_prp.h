/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_prp.h - memory of a command as physical region pages (PRPs).
 *
 * A PRP is the address of a page. A command has two; of more than two pages, the second
 * is the address of a list of the rest. Only the first one may begin amid its page, at a
 * multiple of 4; so of memory that is scattered, each piece but the first begins with a
 * page and each but the last ends with one. What is scattered otherwise needs more than
 * one command.
 */
#ifndef NVME_PRP_H
#define NVME_PRP_H

#include "nvme_memory.h"

/* Pages of a command's list, and of its data: PRP1, and a list whose first page chains. */
#define NVME_LIST_PAGES 2
#define NVME_PRP_MAX (NVME_LIST_PAGES * NVME_LIST_ENTRIES)

/**
 * struct nvme_data - the memory of one command
 * @segs: as the controller addresses it; what nvme_prp_fit() said fits
 * @bytes: of these
 * @perm: what the controller does there
 * @cls: whose it is
 */
struct nvme_data {
	const struct gm_dma_seg *segs;
	uint64_t bytes;
	enum gm_perm perm;
	enum nvme_class cls;
};

/*
 * How many bytes from the start of @segs one command can move: whole blocks, @max at
 * most, and no more pages than NVME_PRP_MAX. 0: not even the first block.
 */
uint64_t nvme_prp_fit(const struct gm_dma_seg *segs, int count, uint64_t max, uint32_t block);

/*
 * Put memory into a command. @list: NVME_LIST_PAGES pages. 0; -EFAULT the guard refuses
 * an address; -EINVAL it is more than fits. The command must not be sent then.
 */
int nvme_prp_build(struct nvme_guard *g, const struct nvme_data *data,
		   const struct nvme_piece *list, struct nvme_command *command);

#endif /* NVME_PRP_H */
