/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions: how one comes to be, what it tells, how its memory is taken back.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "guestmem_private.h"
#include "trace.h"

LIST_HEAD(guestmem_regions);
/* Protects the lists of regions and of devices. */
DEFINE_MUTEX(guestmem_list_lock);

/**
 * guestmem_region_max() - how long a region can be
 *
 * Return: bytes, a multiple of every page size.
 */
u64 guestmem_region_max(void)
{
	/* What the array of its pages can be allocated for. */
	u64 npages = INT_MAX / sizeof(struct page *);

	return ALIGN_DOWN(npages << PAGE_SHIFT, PMD_SIZE);
}

/**
 * guestmem_region_new() - a region without memory yet
 * @owner: the open file that makes it
 * @kind: enum guestmem_region_kind
 * @length: a multiple of the page size, at most guestmem_region_max()
 *
 * Its memory is charged to the caller. Nobody is killed to make room: not for
 * the array of its pages, either.
 *
 * Return: the region, for guestmem_region_publish() or guestmem_region_free();
 * or -ENOMEM.
 */
struct guestmem_region *guestmem_region_new(struct guestmem_control *owner,
					    u32 kind, u64 length)
{
	struct guestmem_region *region;
	int err;

	if (length >> PAGE_SHIFT > totalram_pages())
		return ERR_PTR(-ENOMEM);
	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return ERR_PTR(-ENOMEM);
	mutex_init(&region->lock);
	INIT_LIST_HEAD(&region->dmas);
	region->kind = kind;
	region->npages = length >> PAGE_SHIFT;
	region->nid = NUMA_NO_NODE;
	region->pid = task_tgid_nr(current);
	get_task_comm(region->comm, current);

	err = guestmem_charge(&region->charge, region->npages);
	if (err)
		goto err_free;
	region->pages = kvcalloc(region->npages, sizeof(*region->pages),
				 GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
				 __GFP_NOWARN);
	if (!region->pages) {
		err = -ENOMEM;
		goto err_uncharge;
	}
	kref_get(&owner->ref);
	region->owner = owner;
	return region;

err_uncharge:
	guestmem_uncharge(&region->charge);
err_free:
	kfree(region);
	return ERR_PTR(err);
}

/* Pages that are looked at before somebody else may run. */
#define GUESTMEM_MEASURE_BATCH	65536

/* Looks at all pages once, so that nobody has to again. */
static void guestmem_region_measure(struct guestmem_region *region)
{
	unsigned long bits = 0, i, n, pfn;

	region->nid = page_to_nid(region->pages[0]);
	for (i = 0; i < region->npages; i += n) {
		pfn = page_to_pfn(region->pages[i]);
		for (n = 0; i + n < region->npages &&
		     page_to_pfn(region->pages[i + n]) == pfn + n; n++) {
			if (page_to_nid(region->pages[i + n]) != region->nid)
				region->nid = NUMA_NO_NODE;
			if (n % GUESTMEM_MEASURE_BATCH == 0)
				cond_resched();
		}
		bits |= pfn | n;
	}
	region->granule = (u64)(bits & -bits) << PAGE_SHIFT;
}

/**
 * guestmem_region_publish() - make a region with its memory a dma-buf
 * @region: the region; the dma-buf owns it from then on
 * @fd_flags: O_RDWR or O_RDONLY, and O_CLOEXEC
 * @dmabuf: the dma-buf goes here, with one reference
 *
 * Return: 0; or a negative errno, and the region is as before.
 */
int guestmem_region_publish(struct guestmem_region *region, u32 fd_flags,
			    struct dma_buf **dmabuf)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *exported;

	guestmem_region_measure(region);
	info.ops = &guestmem_dmabuf_ops;
	info.size = (size_t)region->npages << PAGE_SHIFT;
	info.flags = fd_flags;
	info.priv = region;
	exported = dma_buf_export(&info);
	if (IS_ERR(exported))
		return PTR_ERR(exported);

	mutex_lock(&guestmem_list_lock);
	list_add_tail(&region->node, &guestmem_regions);
	mutex_unlock(&guestmem_list_lock);
	region->published = true;
	atomic_long_inc(&region->owner->regions);
	atomic64_add(info.size, &region->owner->bytes);
	trace_guestmem_region_new(region);
	*dmabuf = exported;
	return 0;
}

/* Nobody uses the memory any more, or the region is not known to anyone. */
static void guestmem_region_drop_pages(struct guestmem_region *region)
{
	if (!region->pages)
		return;
	if (region->kind == GUESTMEM_REGION_ALLOC)
		guestmem_pages_free(region);
	else
		guestmem_pages_unpin(region);
	kvfree(region->pages);
	region->pages = NULL;
	guestmem_uncharge(&region->charge);
	if (region->published)
		atomic64_sub((u64)region->npages << PAGE_SHIFT,
			     &region->owner->bytes);
}

/**
 * guestmem_region_free() - the end of a region, and of its memory
 * @region: a region that is not published, or whose dma-buf is released
 */
void guestmem_region_free(struct guestmem_region *region)
{
	guestmem_region_drop_pages(region);
	if (region->published) {
		trace_guestmem_region_free(region);
		mutex_lock(&guestmem_list_lock);
		list_del(&region->node);
		mutex_unlock(&guestmem_list_lock);
		atomic_long_dec(&region->owner->regions);
	}
	guestmem_control_put(region->owner);
	mutex_destroy(&region->lock);
	kfree(region);
}

/**
 * guestmem_region_get() - the region that a file descriptor stands for
 * @fd: the file descriptor
 *
 * Return: its dma-buf, for dma_buf_put(); -EBADF if it is no open file; -EINVAL
 * if it is no region of this module.
 */
struct dma_buf *guestmem_region_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf))
		return dmabuf;
	if (dmabuf->ops == &guestmem_dmabuf_ops)
		return dmabuf;
	dma_buf_put(dmabuf);
	return ERR_PTR(-EINVAL);
}

/**
 * guestmem_region_writable() - may a device write to a region?
 * @dmabuf: the region's
 *
 * Return: no, if it was pinned for reading or is known by a read-only file.
 */
bool guestmem_region_writable(const struct dma_buf *dmabuf)
{
	const struct guestmem_region *region = dmabuf->priv;

	return region->writable && (dmabuf->file->f_mode & FMODE_WRITE);
}

/**
 * guestmem_region_revoke() - take a region's memory back
 * @dmabuf: the region's
 * @owner: who asks
 *
 * Return: 0, also if it was done before; -EPERM if @owner has not made it;
 * -EBUSY if it is mapped for a device, or in the kernel.
 */
int guestmem_region_revoke(struct dma_buf *dmabuf,
			   const struct guestmem_control *owner)
{
	struct guestmem_region *region = dmabuf->priv;
	int err = 0;

	mutex_lock(&region->lock);
	if (region->owner != owner) {
		err = -EPERM;
	} else if (region->maps) {
		err = -EBUSY;
	} else if (!region->revoked) {
		region->revoked = true;
		guestmem_mmap_revoke(dmabuf);
		guestmem_region_drop_pages(region);
		trace_guestmem_region_revoke(region);
	}
	mutex_unlock(&region->lock);
	return err;
}

/**
 * guestmem_region_describe() - fill in what GUESTMEM_REGION_INFO tells
 * @dmabuf: the region's
 * @info: the output fields are filled in
 *
 * Return: 0; -EINTR if the caller is being killed.
 */
int guestmem_region_describe(struct dma_buf *dmabuf,
			     struct guestmem_region_info *info)
{
	struct guestmem_region *region = dmabuf->priv;

	if (mutex_lock_killable(&region->lock))
		return -EINTR;
	info->kind = region->kind;
	info->length = (u64)region->npages << PAGE_SHIFT;
	info->granule = region->revoked ? 0 : region->granule;
	info->node = region->revoked || region->nid == NUMA_NO_NODE ?
		GUESTMEM_NODE_ANY : region->nid;
	info->properties = 0;
	if (!guestmem_region_writable(dmabuf))
		info->properties |= GUESTMEM_REGION_READ_ONLY;
	if (region->revoked)
		info->properties |= GUESTMEM_REGION_REVOKED;
	info->maps = region->maps;
	mutex_unlock(&region->lock);
	return 0;
}
