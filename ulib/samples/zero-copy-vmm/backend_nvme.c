/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend_nvme.c - a real controller, by DMA into the guest's memory or by copies.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "backend_nvme.h"

static void drop_maps(struct gm_dma_map **maps, size_t count)
{
	while (count--)
		gm_dma_map_put(maps[count]);
	free(maps);
}

/* The controller reaches no guest memory any more when this returns. */
static void forget_guest(struct nvme_disk *d)
{
	nvme_guard_forget(&d->nvme.guard, NVME_GUEST);
	gm_dma_put(d->dma);
	d->dma = NULL;
	drop_maps(d->maps, d->nmaps);
	d->maps = NULL;
	d->nmaps = 0;
}

static struct gm_dma_map *find_map(const struct nvme_disk *d, const struct gm_region *r)
{
	size_t i;

	for (i = 0; i < d->nmaps; i++)
		if (gm_dma_map_region(d->maps[i]) == r)
			return d->maps[i];
	return NULL;
}

/* What is mapped stays mapped: regions that come and go are few, and large. */
static int map_region(struct nvme_disk *d, struct gm_region *r, struct gm_dma_map **out)
{
	bool writable = gm_region_prot(r) & PROT_WRITE;

	*out = find_map(d, r);
	if (*out) {
		gm_dma_map_get(*out);
		return 0;
	}
	return gm_kmod_map_new(d->nvme.device, r, gm_roff(0), gm_region_len(r),
			       writable ? GM_PERM_RW : GM_PERM_READ, out);
}

static int guard_guest(struct nvme_disk *d)
{
	size_t i;
	int ret = 0;

	nvme_guard_forget(&d->nvme.guard, NVME_GUEST);
	for (i = 0; i < d->nmaps && !ret; i++)
		ret = nvme_guard_add(&d->nvme.guard, d->maps[i], NVME_GUEST);
	if (ret)
		nvme_guard_forget(&d->nvme.guard, NVME_GUEST);
	return ret;
}

static int map_guest(struct nvme_disk *d, struct gm_map *m)
{
	size_t count = gm_map_count(m), n = 0;
	struct gm_dma_map **maps;
	struct gm_dma *dma;
	int ret = 0;

	maps = calloc(count + 1, sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	while (n < count && !ret) {
		ret = map_region(d, gm_map_region(m, n), &maps[n]);
		n += !ret;
	}
	if (!ret)
		ret = gm_dma_new(m, maps, count, &dma);
	if (ret) {
		drop_maps(maps, n);
		return ret;
	}
	gm_dma_put(d->dma);
	drop_maps(d->maps, d->nmaps);
	d->dma = dma;
	d->maps = maps;
	d->nmaps = count;
	return guard_guest(d);
}

/* Nothing is in flight. With an error, the memory is the old one, or none. */
static int memory_changed(struct backend *b, struct gm_map *m)
{
	struct nvme_disk *d = (struct nvme_disk *)b;

	/* These reach none of it. */
	if (d->dead || d->bounce)
		return 0;
	return map_guest(d, m);
}

/* Each map keeps the device's file open: with the last one it is reset, if need be. */
static void close_controller(struct nvme_disk *d)
{
	nvme_guard_forget(&d->nvme.guard, NVME_BUFFER);
	nvme_memory_unmap(&d->buffers);
	nvme_close(&d->nvme);
}

/* The same disk as before, with nothing in flight. */
static int restart(struct nvme_disk *d)
{
	const uint32_t block_size = d->nvme.block_size;
	const uint64_t blocks = d->nvme.blocks;
	int ret = nvme_start(&d->nvme);

	if (ret)
		return ret;
	return d->nvme.block_size == block_size && d->nvme.blocks == blocks ? 0 : -EMEDIUMTYPE;
}

void nvme_disk_mend(struct backend *b)
{
	struct nvme_disk *d = (struct nvme_disk *)b;
	/*
	 * What it was told it may still do. Stopped, it does not; if it does not obey, it is
	 * reset. Before requests fail, since their memory is in use again then.
	 */
	int err = d->trouble, ret = nvme_abandon(&d->nvme);

	d->trouble = 0;
	b->stuck = false;
	/* It has only lost something; who has failed, or lies, is given up. */
	if (err == -ETIMEDOUT && !ret) {
		if (!restart(d)) {
			nvme_disk_again(d);
			return;
		}
		ret = nvme_stop(&d->nvme);
	}
	forget_guest(d);
	if (ret == -ETIMEDOUT)
		close_controller(d);
	nvme_disk_fail(d, err);
}

static int poll_fd(const struct backend *b)
{
	return ((const struct nvme_disk *)b)->nvme.bar.interrupt;
}

static void disk_close(struct backend *b)
{
	struct nvme_disk *d = (struct nvme_disk *)b;

	/* Stopped first: a device whose DMA is blocked may be upset. */
	if (d->nvme.device && nvme_queue_in_flight(&d->nvme.io))
		nvme_abandon(&d->nvme);
	forget_guest(d);
	close_controller(d);
	nvme_memory_exit(&d->buffers);
	free(d);
}

static const struct backend_ops nvme_ops = {
	.submit = nvme_disk_submit,
	.reap = nvme_disk_reap,
	.mend = nvme_disk_mend,
	.poll_fd = poll_fd,
	.memory_changed = memory_changed,
	.close = disk_close,
};

/* A list and a buffer for each command. */
static int slots_init(struct nvme_disk *d, struct gm_kmod *module)
{
	uint64_t each = d->bounce ? DISK_BOUNCE_BUFFER : DISK_BLOCK_BUFFER;
	unsigned int i;
	int ret;

	d->commands = d->nvme.io.entries - 1u;
	if (d->bounce && d->commands > DISK_BOUNCE_COMMANDS)
		d->commands = DISK_BOUNCE_COMMANDS;
	ret = nvme_memory_init(&d->buffers, module, d->nvme.device, d->commands * each);
	if (!ret)
		ret = nvme_guard_add(&d->nvme.guard, d->buffers.map, NVME_BUFFER);
	/* Ids are taken lowest first, and what was freed last before the others. */
	for (i = 0; !ret && i < d->commands; i++) {
		ret = nvme_memory_take(&d->nvme.rings, NVME_LIST_PAGES * NVME_PAGE_SIZE,
				       &d->slots[i].list);
		if (!ret)
			ret = nvme_memory_take(&d->buffers, each, &d->slots[i].buffer);
	}
	return ret;
}

static void describe(struct nvme_disk *d)
{
	d->base.ops = &nvme_ops;
	d->base.name = d->bounce ? "bounce" : "nvme";
	d->base.block_size = d->nvme.block_size;
	d->base.sectors = d->nvme.blocks * (d->nvme.block_size / SECTOR_SIZE);
	d->base.max_bytes = DISK_MAX_BYTES;
	d->timeout_ms = DISK_TIMEOUT_MS;
	d->abort_ms = DISK_ABORT_MS;
}

int backend_nvme_open(struct gm_kmod *module, const char *address, struct gm_map *m,
		      uint32_t flags, struct backend **out)
{
	struct nvme_disk *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->bounce = flags & BACKEND_NVME_BOUNCE;
	nvme_disk_init_requests(d);
	ret = nvme_open(&d->nvme, module, address,
			NVME_QUEUE_MAX * NVME_LIST_PAGES * NVME_PAGE_SIZE,
			flags & BACKEND_NVME_INTERRUPT);
	if (ret) {
		free(d);
		return ret;
	}
	ret = slots_init(d, module);
	if (!ret)
		ret = memory_changed(&d->base, m);
	if (ret) {
		disk_close(&d->base);
		return ret;
	}
	describe(d);
	*out = &d->base;
	return 0;
}
