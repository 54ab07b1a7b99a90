/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of a region, mapped for the DMA of a device: of one that is bound to
 * the driver, or of another driver's that has imported the dma-buf.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "guestmem_private.h"

/*
 * Memory may be mapped more than once: for several devices, or for one with
 * other rights. So caches are not looked after by mapping, but where it is said.
 */
#define GUESTMEM_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

static bool guestmem_dma_writes(const struct guestmem_dma *dma)
{
	return dma->dir != DMA_TO_DEVICE;
}

/**
 * guestmem_dma_map() - map pages of a region for a device
 * @region: the region
 * @dma: its device and direction are set; the rest is filled in
 * @first: index of the first page
 * @npages: how many; the range is inside the region
 *
 * All of it is handed over to the device. As long as there is one such map, the
 * region cannot be revoked.
 *
 * Return: 0; -ENODEV if the region is revoked; -ENOMEM if there is no memory or
 * no room in the IOMMU's address space; -EIO for all else.
 */
int guestmem_dma_map(struct guestmem_region *region, struct guestmem_dma *dma,
		     unsigned long first, unsigned long npages)
{
	int err;

	mutex_lock(&region->lock);
	if (region->revoked) {
		err = -ENODEV;
		goto out;
	}
	err = sg_alloc_table_from_pages_segment(&dma->sgt,
						region->pages + first, npages,
						0, npages << PAGE_SHIFT,
						dma_get_max_seg_size(dma->dev),
						GFP_KERNEL_ACCOUNT);
	if (err)
		goto out;
	err = dma_map_sgtable(dma->dev, &dma->sgt, dma->dir,
			      GUESTMEM_DMA_ATTRS);
	if (err) {
		sg_free_table(&dma->sgt);
		err = err == -ENOMEM ? err : -EIO;
		goto out;
	}
	dma_sync_sgtable_for_device(dma->dev, &dma->sgt, dma->dir);
	if (guestmem_dma_writes(dma))
		region->written = true;
	region->maps++;
out:
	mutex_unlock(&region->lock);
	return err;
}

/**
 * guestmem_dma_unmap() - undo guestmem_dma_map()
 * @region: the region
 * @dma: the map
 *
 * When it returns, all of it is handed over to the CPU, and an IOMMU lets the
 * device reach the pages no more: before that the region cannot be revoked.
 */
void guestmem_dma_unmap(struct guestmem_region *region,
			struct guestmem_dma *dma)
{
	mutex_lock(&region->lock);
	region->maps--;
	dma_sync_sgtable_for_cpu(dma->dev, &dma->sgt, dma->dir);
	dma_unmap_sgtable(dma->dev, &dma->sgt, dma->dir, GUESTMEM_DMA_ATTRS);
	guestmem_policy_flush(dma->dev);
	sg_free_table(&dma->sgt);
	mutex_unlock(&region->lock);
}
