/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A region as a dma-buf: what other drivers, and the file descriptor, do.
 */
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "guestmem_private.h"

static struct sg_table *
guestmem_dmabuf_map(struct dma_buf_attachment *attachment,
		    enum dma_data_direction dir)
{
	struct guestmem_region *region = attachment->dmabuf->priv;
	struct guestmem_dma *dma;
	int err;

	if (dir != DMA_TO_DEVICE && !guestmem_region_writable(attachment->dmabuf))
		return ERR_PTR(-EACCES);
	dma = kzalloc(sizeof(*dma), GFP_KERNEL_ACCOUNT);
	if (!dma)
		return ERR_PTR(-ENOMEM);
	dma->dev = attachment->dev;
	dma->dir = dir;
	err = guestmem_dma_map(region, dma, 0, region->npages);
	if (err) {
		kfree(dma);
		return ERR_PTR(err);
	}
	mutex_lock(&region->lock);
	list_add_tail(&dma->node, &region->dmas);
	mutex_unlock(&region->lock);
	return &dma->sgt;
}

static void guestmem_dmabuf_unmap(struct dma_buf_attachment *attachment,
				  struct sg_table *sgt,
				  enum dma_data_direction dir)
{
	struct guestmem_dma *dma = container_of(sgt, struct guestmem_dma, sgt);
	struct guestmem_region *region = attachment->dmabuf->priv;

	mutex_lock(&region->lock);
	list_del(&dma->node);
	mutex_unlock(&region->lock);
	guestmem_dma_unmap(region, dma);
	kfree(dma);
}

/*
 * For what importers have mapped. Our own maps have GUESTMEM_SYNC: who may only
 * read the region must not throw away what was written for them.
 */
static int guestmem_dmabuf_begin_cpu(struct dma_buf *dmabuf,
				     enum dma_data_direction dir)
{
	struct guestmem_region *region = dmabuf->priv;
	struct guestmem_dma *dma;

	mutex_lock(&region->lock);
	list_for_each_entry(dma, &region->dmas, node)
		dma_sync_sgtable_for_cpu(dma->dev, &dma->sgt, dma->dir);
	mutex_unlock(&region->lock);
	return 0;
}

static int guestmem_dmabuf_end_cpu(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	struct guestmem_region *region = dmabuf->priv;
	struct guestmem_dma *dma;

	mutex_lock(&region->lock);
	list_for_each_entry(dma, &region->dmas, node)
		dma_sync_sgtable_for_device(dma->dev, &dma->sgt, dma->dir);
	mutex_unlock(&region->lock);
	return 0;
}

static int guestmem_dmabuf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct guestmem_region *region = dmabuf->priv;
	void *address = NULL;
	int err = 0;

	if (!guestmem_region_writable(dmabuf))
		return -EACCES;
	mutex_lock(&region->lock);
	if (region->revoked) {
		err = -ENODEV;
	} else {
		address = vmap(region->pages, region->npages, VM_MAP,
			       PAGE_KERNEL);
		if (!address)
			err = -ENOMEM;
	}
	if (!err) {
		region->written = true;
		region->maps++;
		iosys_map_set_vaddr(map, address);
	}
	mutex_unlock(&region->lock);
	return err;
}

static void guestmem_dmabuf_vunmap(struct dma_buf *dmabuf,
				   struct iosys_map *map)
{
	struct guestmem_region *region = dmabuf->priv;

	mutex_lock(&region->lock);
	vunmap(map->vaddr);
	region->maps--;
	mutex_unlock(&region->lock);
}

static void guestmem_dmabuf_release(struct dma_buf *dmabuf)
{
	guestmem_region_free(dmabuf->priv);
}

const struct dma_buf_ops guestmem_dmabuf_ops = {
	.map_dma_buf = guestmem_dmabuf_map,
	.unmap_dma_buf = guestmem_dmabuf_unmap,
	.begin_cpu_access = guestmem_dmabuf_begin_cpu,
	.end_cpu_access = guestmem_dmabuf_end_cpu,
	.mmap = guestmem_mmap,
	.vmap = guestmem_dmabuf_vmap,
	.vunmap = guestmem_dmabuf_vunmap,
	.release = guestmem_dmabuf_release,
};
