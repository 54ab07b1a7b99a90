/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU mappings of a region's memory: all of it is there at once.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "guestmem_private.h"
#include "trace.h"

/* Pages that are mapped at a time. */
#define GUESTMEM_MMAP_BATCH	16384UL
/* How long mmap(2) may take from its last page to where it is found. */
#define GUESTMEM_REVOKE_WAIT	HZ

/* Maps what is not there any more, after MADV_DONTNEED. */
static vm_fault_t guestmem_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct dma_buf *dmabuf = vma->vm_private_data;
	struct guestmem_region *region = dmabuf->priv;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mutex_lock(&region->lock);
	if (!region->revoked && vmf->pgoff < region->npages)
		ret = vmf_insert_page(vma, vmf->address,
				      region->pages[vmf->pgoff]);
	mutex_unlock(&region->lock);
	trace_guestmem_fault(region, vmf->pgoff, (__force u32)ret);
	return ret;
}

static const struct vm_operations_struct guestmem_vm_ops = {
	.fault = guestmem_vm_fault,
};

/* The lock is not held for as long as all of a large region takes. */
static int guestmem_mmap_batch(struct guestmem_region *region,
			       struct vm_area_struct *vma, unsigned long done,
			       unsigned long n)
{
	int err = -ENODEV;

	if (mutex_lock_killable(&region->lock))
		return -EINTR;
	if (!region->revoked)
		err = vm_insert_pages(vma, vma->vm_start + (done << PAGE_SHIFT),
				      region->pages + vma->vm_pgoff + done, &n);
	mutex_unlock(&region->lock);
	/* Of page tables; the address is the mapping's own. */
	return err == -EFAULT ? -ENOMEM : err;
}

static int guestmem_mmap_pages(struct guestmem_region *region,
			       struct vm_area_struct *vma)
{
	unsigned long total = vma_pages(vma), done, batch;
	int err;

	for (done = 0; done < total; done += batch) {
		if (fatal_signal_pending(current))
			return -EINTR;
		/* Not after the last: a revoke waits for what is left to do then. */
		cond_resched();
		batch = min(total - done, GUESTMEM_MMAP_BATCH);
		err = guestmem_mmap_batch(region, vma, done, batch);
		if (err)
			return err;
	}
	return 0;
}

/**
 * guestmem_mmap() - map a region's memory for the CPU
 * @dmabuf: the region's
 * @vma: where; what is mapped on error is for the caller to unmap
 *
 * Return: 0; -ENODEV for pinned memory, which has a mapping, and for a revoked
 * region; -EINVAL if not shared or out of bounds; -EACCES for writing to a region
 * that is read-only; -ENOMEM; -EINTR.
 */
int guestmem_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct guestmem_region *region = dmabuf->priv;

	if (region->kind != GUESTMEM_REGION_ALLOC)
		return -ENODEV;
	/* VM_SHARED is not set for a file that is not open for writing. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff > region->npages ||
	    vma_pages(vma) > region->npages - vma->vm_pgoff)
		return -EINVAL;

	/* The mapping may be of another file: of a driver that has imported it. */
	if (!guestmem_region_writable(dmabuf)) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}

	/*
	 * A child must not go on writing to the memory of a guest that is no
	 * more its own. VM_MIXEDMAP is for faults, which may not set it.
	 */
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTCOPY | VM_MIXEDMAP);
	vma->vm_ops = &guestmem_vm_ops;
	vma->vm_private_data = dmabuf;

	return guestmem_mmap_pages(region, vma);
}

static bool guestmem_is_mapped(const struct guestmem_region *region)
{
	unsigned long i;
	struct folio *folio;

	for (i = 0; i < region->npages; i += folio_nr_pages(folio)) {
		folio = page_folio(region->pages[i]);
		if (folio_mapped(folio))
			return true;
		cond_resched();
	}
	return false;
}

/**
 * guestmem_mmap_revoke() - tear all CPU mappings of a region down
 * @dmabuf: the region's; it is marked as revoked and locked, so that no new
 *	mapping of its memory begins
 *
 * A mapping that mmap(2) is about to finish has its pages already and is in no
 * list yet where it could be found: it is waited for. Not for ever: who was
 * sent a page over TCP may have it mapped, and keeps it; and a process can see to
 * it that its own mmap(2) gets no CPU. The pages are free when they have gone.
 */
void guestmem_mmap_revoke(struct dma_buf *dmabuf)
{
	const struct guestmem_region *region = dmabuf->priv;
	struct address_space *mapping = dmabuf->file->f_mapping;
	unsigned long stop = jiffies + GUESTMEM_REVOKE_WAIT;

	if (region->kind != GUESTMEM_REGION_ALLOC)
		return;
	unmap_mapping_range(mapping, 0, 0, 1);
	while (guestmem_is_mapped(region) && time_before(jiffies, stop)) {
		usleep_range(100, 1000);
		unmap_mapping_range(mapping, 0, 0, 1);
	}
}
