/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For which devices memory may be mapped. Who controls a device and knows
 * addresses that reach more than what was mapped for it, controls the machine.
 */
#include <linux/capability.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "compat.h"
#include "guestmem_private.h"
#include "trace.h"

static int guestmem_refuse(struct pci_dev *pdev, const char *why)
{
	trace_guestmem_refuse(pdev, why);
	pci_notice_ratelimited(pdev, "guestmem: refused: %s\n", why);
	return -EPERM;
}

/* Without translation the device reaches all memory. */
static int guestmem_policy_noiommu(struct pci_dev *pdev)
{
	if (!READ_ONCE(guestmem_allow_unsafe_noiommu))
		return guestmem_refuse(pdev, "no IOMMU translates for it");
	if (!capable(CAP_SYS_RAWIO))
		return guestmem_refuse(pdev, "CAP_SYS_RAWIO is needed without an IOMMU");
	if (security_locked_down(LOCKDOWN_PCI_ACCESS))
		return guestmem_refuse(pdev, "the kernel is locked down");
	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	pci_notice_ratelimited(pdev, "guestmem: DMA map without an IOMMU for %s (%d)\n",
			       current->comm, task_tgid_nr(current));
	return 0;
}

static int guestmem_count_device(struct device *dev, void *count)
{
	return ++*(unsigned int *)count > 1;
}

static bool guestmem_group_shared(struct iommu_group *group)
{
	unsigned int count = 0;

	iommu_group_for_each_dev(group, &count, guestmem_count_device);
	return count > 1;
}

/*
 * Firmware may want a device to reach some memory at all times; the kernel has
 * mapped it where the device finds it by its physical address.
 */
static int guestmem_policy_firmware(struct pci_dev *pdev,
				    struct iommu_group *group)
{
	struct iommu_resv_region *resv, *next;
	LIST_HEAD(regions);
	bool found = false;
	int err;

	err = iommu_get_group_resv_regions(group, &regions);
	list_for_each_entry_safe(resv, next, &regions, list) {
		found |= resv->type == IOMMU_RESV_DIRECT ||
			 resv->type == IOMMU_RESV_DIRECT_RELAXABLE;
		kfree(resv);
	}
	if (found)
		err = guestmem_refuse(pdev, "firmware has mapped memory for it");
	return err;
}

static int guestmem_policy_group(struct pci_dev *pdev,
				 struct iommu_group *group, u32 *properties)
{
	struct device *dev = &pdev->dev;
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	int err;

	/* The other device could use the maps, whatever is allowed. */
	if (group && guestmem_group_shared(group))
		return guestmem_refuse(pdev, "it shares its IOMMU group");
	if (!group || !domain || !(domain->type & __IOMMU_DOMAIN_PAGING))
		return guestmem_policy_noiommu(pdev);

	err = guestmem_policy_firmware(pdev, group);
	if (err)
		return err;
	*properties |= GUESTMEM_MAP_TRANSLATED;
	if (!(domain->type & __IOMMU_DOMAIN_DMA_FQ))
		*properties |= GUESTMEM_MAP_STRICT;
	else if (!READ_ONCE(guestmem_allow_lazy_iommu))
		return guestmem_refuse(pdev, "its IOMMU is flushed lazily");
	if (!READ_ONCE(guestmem_allow_unsafe_interrupts) &&
	    !guestmem_isolated_msi(dev, group))
		return guestmem_refuse(pdev, "it could forge interrupts");
	return 0;
}

/**
 * guestmem_policy_check() - may a device be driven, and memory be mapped for it?
 * @pdev: the device, bound to the driver
 * @properties: enum guestmem_map_properties of maps for it goes here
 *
 * Return: 0; -EPERM if not; -EOPNOTSUPP if it would get copies.
 */
int guestmem_policy_check(struct pci_dev *pdev, u32 *properties)
{
	struct iommu_group *group = iommu_group_get(&pdev->dev);
	u32 found = 0;
	int err;

	err = guestmem_policy_group(pdev, group, &found);
	iommu_group_put(group);
	if (err)
		return err;
	if (!(found & GUESTMEM_MAP_TRANSLATED) &&
	    is_swiotlb_force_bounce(&pdev->dev))
		return -EOPNOTSUPP;
	if (dev_is_dma_coherent(&pdev->dev))
		found |= GUESTMEM_MAP_COHERENT;
	*properties = found;
	return 0;
}

/**
 * guestmem_policy_check_reach() - does a device reach memory as it is?
 * @dev: the device; no IOMMU translates for it
 * @region: the region
 * @first: index of the first page
 * @npages: how many
 *
 * Return: 0; -ERANGE if it has not enough address bits: the kernel would give
 * it a copy; -ENODEV if the region is revoked.
 */
int guestmem_policy_check_reach(struct device *dev,
				struct guestmem_region *region,
				unsigned long first, unsigned long npages)
{
	u64 mask = dma_get_mask(dev);
	unsigned long i;
	int err = 0;

	mutex_lock(&region->lock);
	if (region->revoked)
		err = -ENODEV;
	for (i = first; !err && i < first + npages; i++) {
		if (phys_to_dma(dev, page_to_phys(region->pages[i])) +
		    PAGE_SIZE - 1 > mask)
			err = -ERANGE;
		cond_resched();
	}
	mutex_unlock(&region->lock);
	return err;
}

/**
 * guestmem_policy_check_mapped() - does a map lead to the region's own pages?
 * @dma: the map
 * @properties: what guestmem_policy_check() has told
 *
 * Return: 0; -EOPNOTSUPP if it leads somewhere else: to a bounce buffer.
 */
int guestmem_policy_check_mapped(struct guestmem_dma *dma, u32 properties)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dma->dev);
	struct scatterlist *sg;
	u64 found;
	int i;

	if (properties & GUESTMEM_MAP_TRANSLATED) {
		/* All are mapped one way; pieces may have been merged. */
		sg = dma->sgt.sgl;
		found = iommu_iova_to_phys(domain, sg_dma_address(sg));
		return found == sg_phys(sg) ? 0 : -EOPNOTSUPP;
	}
	for_each_sgtable_dma_sg(&dma->sgt, sg, i) {
		found = sg_dma_address(sg);
		if (found != phys_to_dma(dma->dev, sg_phys(sg)))
			return -EOPNOTSUPP;
	}
	return 0;
}

/**
 * guestmem_policy_flush() - make the IOMMU forget what was unmapped
 * @dev: the device
 *
 * A lazily flushed one would let the device reach freed pages for some time. If
 * the administrator makes it lazy at this very moment, it may: no lock is offered
 * against that.
 */
void guestmem_policy_flush(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain && (domain->type & __IOMMU_DOMAIN_DMA_FQ))
		iommu_flush_iotlb_all(domain);
}
