/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps: a range of a region, for the DMA of a bound device.
 */
#include <linux/dma-mapping.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "guestmem_private.h"
#include "trace.h"

/* Limits of a device's address that the caller and the kernel agree on. */
static int guestmem_mapping_set_mask(struct guestmem_device *gdev,
				     const struct guestmem_map *cmd,
				     u32 properties)
{
	u64 mask = DMA_BIT_MASK(cmd->address_bits ?: 64);

	/*
	 * An IOMMU's addresses are aligned to the power of two that holds the
	 * length, and 0 is none of them: half of all is the most. The kernel is
	 * not asked for what cannot be: after that it takes all requests of that
	 * length for hopeless, whatever they are for.
	 */
	if ((properties & GUESTMEM_MAP_TRANSLATED) &&
	    roundup_pow_of_two(cmd->length) - 1 > mask >> 1)
		return -ERANGE;
	return dma_set_mask(&gdev->pdev->dev, mask) ? -ERANGE : 0;
}

/*
 * A region may be mapped more than once, and is charged once: what maps cost the
 * kernel (page tables of the IOMMU) is bounded here. No device needs to see more
 * than all memory.
 */
static int guestmem_mapping_check_quota(const struct guestmem_device *gdev,
					u64 length)
{
	u64 most = (u64)totalram_pages() << PAGE_SHIFT;

	if (length > most || gdev->bytes > most - length)
		return -ENOSPC;
	return gdev->nmaps >= READ_ONCE(guestmem_max_maps) ? -ENOSPC : 0;
}

/* From the kernel's pieces to those that are adjacent for the device. */
static int guestmem_mapping_segment(struct guestmem_mapping *mapping)
{
	struct guestmem_segment *seg;
	struct scatterlist *sg;
	unsigned int i;
	int err;

	seg = kvmalloc_array(mapping->dma.sgt.nents, sizeof(*seg),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!seg)
		return -ENOMEM;
	guestmem_segs_init(&mapping->segs, seg, mapping->dma.sgt.nents,
			   mapping->offset);
	for_each_sgtable_dma_sg(&mapping->dma.sgt, sg, i) {
		err = guestmem_segs_add(&mapping->segs, sg_dma_address(sg),
					sg_dma_len(sg));
		if (WARN_ON_ONCE(err))
			return -EIO;
	}
	/* The device must not be told of a byte that is not the range's. */
	if (WARN_ON_ONCE(mapping->segs.end - mapping->offset != mapping->length))
		return -EIO;
	return 0;
}

static enum dma_data_direction guestmem_direction(u32 flags)
{
	switch (flags & (GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE)) {
	case GUESTMEM_MAP_READ:
		return DMA_TO_DEVICE;
	case GUESTMEM_MAP_WRITE:
		return DMA_FROM_DEVICE;
	default:
		return DMA_BIDIRECTIONAL;
	}
}

/* Pages, addresses and segments; what was done stays on error. */
static int guestmem_mapping_fill(struct guestmem_mapping *mapping)
{
	struct guestmem_region *region = mapping->dmabuf->priv;
	struct guestmem_dma *dma = &mapping->dma;
	unsigned long first = mapping->offset >> PAGE_SHIFT;
	unsigned long npages = mapping->length >> PAGE_SHIFT;
	int err;

	if (!(mapping->properties & GUESTMEM_MAP_TRANSLATED)) {
		err = guestmem_policy_check_reach(dma->dev, region, first,
						  npages);
		if (err)
			return err;
	}
	err = guestmem_dma_map(region, dma, first, npages);
	if (err)
		return err;
	mapping->mapped = true;
	err = guestmem_policy_check_mapped(dma, mapping->properties);
	return err ?: guestmem_mapping_segment(mapping);
}

static void guestmem_mapping_release(struct kref *ref)
{
	struct guestmem_mapping *mapping =
		container_of(ref, struct guestmem_mapping, ref);

	kvfree(mapping->segs.seg);
	kfree(mapping);
}

/**
 * guestmem_mapping_put() - give up a reference to a map
 * @mapping: the map
 */
void guestmem_mapping_put(struct guestmem_mapping *mapping)
{
	kref_put(&mapping->ref, guestmem_mapping_release);
}

/* The device reaches the memory no more, then the memory goes. */
static void guestmem_mapping_undo(struct guestmem_mapping *mapping)
{
	if (mapping->mapped)
		guestmem_dma_unmap(mapping->dmabuf->priv, &mapping->dma);
	dma_buf_put(mapping->dmabuf);
	guestmem_mapping_put(mapping);
}

/**
 * guestmem_mapping_new() - map a range of a region for a device
 * @gdev: the device, locked and started
 * @dmabuf: the region's; the map takes a reference of its own
 * @cmd: what was asked for; its range is in the region
 * @out: the map goes here. It is not live yet
 *
 * Return: 0 or what GUESTMEM_MAP tells.
 */
int guestmem_mapping_new(struct guestmem_device *gdev, struct dma_buf *dmabuf,
			 const struct guestmem_map *cmd,
			 struct guestmem_mapping **out)
{
	struct guestmem_mapping *mapping;
	u32 properties;
	int err;

	err = guestmem_policy_check(gdev->pdev, &properties);
	err = err ?: guestmem_mapping_check_quota(gdev, cmd->length);
	err = err ?: guestmem_mapping_set_mask(gdev, cmd, properties);
	if (err)
		return err;
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return -ENOMEM;
	kref_init(&mapping->ref);
	get_dma_buf(dmabuf);
	mapping->dmabuf = dmabuf;
	mapping->offset = cmd->offset;
	mapping->length = cmd->length;
	mapping->properties = properties;
	mapping->dma.dev = &gdev->pdev->dev;
	mapping->dma.dir = guestmem_direction(cmd->flags);

	err = guestmem_mapping_fill(mapping);
	err = err ?: xa_alloc_cyclic(&gdev->maps, &mapping->id, mapping,
				     XA_LIMIT(1, INT_MAX), &gdev->next_id,
				     GFP_KERNEL_ACCOUNT);
	if (err < 0) {
		guestmem_mapping_undo(mapping);
		return err == -EBUSY ? -ENOSPC : err;
	}
	gdev->nmaps++;
	gdev->bytes += mapping->length;
	gdev->nsegments += mapping->segs.count;
	trace_guestmem_map(gdev->pdev, mapping);
	*out = mapping;
	return 0;
}

/**
 * guestmem_mapping_remove() - undo guestmem_mapping_new()
 * @gdev: the device, locked
 * @mapping: one of its maps
 */
void guestmem_mapping_remove(struct guestmem_device *gdev,
			     struct guestmem_mapping *mapping)
{
	trace_guestmem_unmap(gdev->pdev, mapping);
	xa_erase(&gdev->maps, mapping->id);
	gdev->nmaps--;
	gdev->bytes -= mapping->length;
	gdev->nsegments -= mapping->segs.count;
	guestmem_mapping_undo(mapping);
}

/**
 * guestmem_mapping_remove_all() - remove all maps of a device
 * @gdev: the device, locked
 */
void guestmem_mapping_remove_all(struct guestmem_device *gdev)
{
	struct guestmem_mapping *mapping;
	unsigned long id;

	xa_for_each(&gdev->maps, id, mapping) {
		guestmem_mapping_remove(gdev, mapping);
		cond_resched();
	}
}

/**
 * guestmem_mapping_sync() - hand a range over to the CPU or to the device
 * @mapping: the map; its device is locked
 * @offset: offset in the region where the range starts
 * @length: length of the range, which is in the map
 * @for_cpu: to the CPU, or to the device
 *
 * By pages: what is one segment for the device may be many in memory.
 *
 * Return: 0; -EINTR if the caller is being killed.
 */
int guestmem_mapping_sync(struct guestmem_mapping *mapping,
			  u64 offset, u64 length, bool for_cpu)
{
	struct device *dev = mapping->dma.dev;
	const struct guestmem_segs *segs = &mapping->segs;
	u64 end = offset + length, at = offset & PAGE_MASK;
	u32 i = guestmem_segs_find(segs, at);
	struct guestmem_segment seg;

	if (mapping->properties & GUESTMEM_MAP_COHERENT)
		return 0;
	for (; at < end; at += PAGE_SIZE) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (at - segs->seg[i].offset >= segs->seg[i].length)
			i++;
		seg = guestmem_segs_tail(segs, i, at);
		if (for_cpu)
			dma_sync_single_for_cpu(dev, seg.address, PAGE_SIZE,
						mapping->dma.dir);
		else
			dma_sync_single_for_device(dev, seg.address, PAGE_SIZE,
						   mapping->dma.dir);
		cond_resched();
	}
	return 0;
}
