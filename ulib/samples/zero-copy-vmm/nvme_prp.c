/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_prp.c - memory of a command as physical region pages (PRPs).
 */
#include <errno.h>

#include "nvme_prp.h"

static uint64_t in_page(uint64_t address)
{
	return address % NVME_PAGE_SIZE;
}

uint64_t nvme_prp_fit(const struct gm_dma_seg *segs, int count, uint64_t max, uint32_t block)
{
	uint64_t bytes = 0, pages;
	int i;

	if (!count || segs[0].address % NVME_PRP_ALIGN)
		return 0;
	for (i = 0; i < count && bytes < max; i++) {
		if (i && (in_page(segs[i].address) ||
			  in_page(segs[i - 1].address + segs[i - 1].len)))
			break;
		bytes += segs[i].len;
	}
	/* Between the first byte and the last there are whole pages only. */
	pages = (uint64_t)NVME_PRP_MAX * NVME_PAGE_SIZE - in_page(segs[0].address);
	if (bytes > pages)
		bytes = pages;
	if (bytes > max)
		bytes = max;
	return bytes / block * block;
}

/**
 * struct walk - goes through the pages of a command
 * @guard: which sees each of them
 * @data: the memory
 * @seg: where it is: segment,
 * @off: byte of it,
 * @left: and bytes to go
 */
struct walk {
	struct nvme_guard *guard;
	const struct nvme_data *data;
	const struct gm_dma_seg *seg;
	uint64_t off;
	uint64_t left;
};

/* The next page, or the part of it that is used. */
static int walk_page(struct walk *w, struct nvme_address *out)
{
	uint64_t address = w->seg->address + w->off;
	uint64_t len = NVME_PAGE_SIZE - in_page(address);
	int ret;

	if (len > w->left)
		len = w->left;
	ret = nvme_guard_address(w->guard, address, len, w->data->perm, w->data->cls, out);
	w->off += len;
	w->left -= len;
	if (w->left && w->off >= w->seg->len) {
		w->seg++;
		w->off = 0;
	}
	return ret;
}

/* The controller reads lists. */
static int list_address(struct nvme_guard *g, uint64_t address, struct nvme_address *out)
{
	return nvme_guard_address(g, address, NVME_PAGE_SIZE, GM_PERM_READ, NVME_RINGS, out);
}

/* @pages: how many PRPs are to come; the last entry of a full page says where the next is. */
static int fill_list(struct walk *w, const struct nvme_piece *list, uint64_t pages)
{
	struct nvme_address *entry = list->host;
	uint64_t page = 0, i = 0;
	int ret = 0;

	for (; !ret && pages; i++) {
		if (i == NVME_LIST_ENTRIES - 1 && pages > 1) {
			page++;
			ret = list_address(w->guard, list->address + page * NVME_PAGE_SIZE,
					   &entry[i]);
			entry += NVME_LIST_ENTRIES;
			i = UINT64_MAX;
			continue;
		}
		ret = walk_page(w, &entry[i]);
		pages--;
	}
	return ret;
}

int nvme_prp_build(struct nvme_guard *g, const struct nvme_data *data,
		   const struct nvme_piece *list, struct nvme_command *command)
{
	struct walk w = { .guard = g, .data = data, .seg = data->segs, .left = data->bytes };
	uint64_t pages;
	int ret;

	if (!data->bytes)
		return -EINVAL;
	pages = (in_page(data->segs->address) + data->bytes + NVME_PAGE_SIZE - 1) / NVME_PAGE_SIZE;
	if (pages > NVME_PRP_MAX)
		return -EINVAL;
	ret = walk_page(&w, &command->prp1);
	if (ret || pages == 1)
		return ret;
	if (pages == 2)
		return walk_page(&w, &command->prp2);
	ret = list_address(g, list->address, &command->prp2);
	return ret ? ret : fill_list(&w, list, pages - 1);
}
