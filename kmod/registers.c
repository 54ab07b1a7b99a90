/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's registers: which it has, and CPU mappings of them.
 */
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "guestmem_private.h"
#include "ioctl.h"

/* A BAR's place in the file: longer than any is. */
#define GUESTMEM_BAR_SHIFT	40
#define GUESTMEM_BAR_PGSHIFT	(GUESTMEM_BAR_SHIFT - PAGE_SHIFT)
#define GUESTMEM_BAR_PGMASK	(BIT(GUESTMEM_BAR_PGSHIFT) - 1)
/* Pages that one fault maps. */
#define GUESTMEM_BAR_BATCH	512UL

/*
 * Pages of a BAR, 0 if there is none to map: what is smaller than a page may share
 * it with the registers of another device.
 */
static unsigned long guestmem_bar_pages(struct pci_dev *pdev, unsigned int bar)
{
	u64 length = pci_resource_len(pdev, bar);
	unsigned long flags = pci_resource_flags(pdev, bar);

	if (!(flags & IORESOURCE_MEM) || flags & IORESOURCE_UNSET)
		return 0;
	if (!PAGE_ALIGNED(pci_resource_start(pdev, bar)) ||
	    !PAGE_ALIGNED(length) || length >> GUESTMEM_BAR_SHIFT)
		return 0;
	return length >> PAGE_SHIFT;
}

static u32 guestmem_bars(struct pci_dev *pdev)
{
	unsigned int bar;
	u32 bars = 0;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (guestmem_bar_pages(pdev, bar))
			bars |= BIT(bar);
	return bars;
}

/**
 * guestmem_ioctl_device_info() - GUESTMEM_DEVICE_INFO
 * @ucmd: the call
 *
 * Return: 0 or a negative errno.
 */
int guestmem_ioctl_device_info(struct guestmem_ucmd *ucmd)
{
	struct guestmem_device *gdev = ucmd->file->private_data;
	struct guestmem_device_info *cmd = ucmd->cmd;
	struct pci_dev *pdev = gdev->pdev;

	if (cmd->flags)
		return -EOPNOTSUPP;
	mutex_lock(&gdev->lock);
	if (gdev->gone) {
		mutex_unlock(&gdev->lock);
		return -ENODEV;
	}
	cmd->vendor = pdev->vendor;
	cmd->device = pdev->device;
	cmd->subsystem_vendor = pdev->subsystem_vendor;
	cmd->subsystem_device = pdev->subsystem_device;
	cmd->class_revision = pdev->class << 8 | pdev->revision;
	cmd->bars = guestmem_bars(pdev);
	cmd->interrupts = guestmem_interrupts_max(pdev);
	mutex_unlock(&gdev->lock);
	return guestmem_respond(ucmd);
}

static int guestmem_bar_check(const struct guestmem_bar *cmd)
{
	if (cmd->flags || cmd->reserved)
		return -EOPNOTSUPP;
	return cmd->bar < PCI_STD_NUM_BARS ? 0 : -EINVAL;
}

/**
 * guestmem_ioctl_bar() - GUESTMEM_BAR
 * @ucmd: the call
 *
 * Who has the registers has all of the device, its DMA as well: so policy is asked,
 * and here, since mmap(2) comes with a lock that the IOMMU's are taken before.
 *
 * Return: 0 or a negative errno.
 */
int guestmem_ioctl_bar(struct guestmem_ucmd *ucmd)
{
	struct guestmem_device *gdev = ucmd->file->private_data;
	struct guestmem_bar *cmd = ucmd->cmd;
	unsigned long npages;
	u32 properties;
	int err;

	err = guestmem_bar_check(cmd);
	if (err)
		return err;
	mutex_lock(&gdev->lock);
	npages = guestmem_bar_pages(gdev->pdev, cmd->bar);
	if (gdev->gone)
		err = -ENODEV;
	else if (!npages)
		err = -ENOENT;
	err = err ?: guestmem_policy_check(gdev->pdev, &properties);
	if (!err) {
		mutex_lock(&gdev->registers_lock);
		gdev->bars |= BIT(cmd->bar);
		mutex_unlock(&gdev->registers_lock);
	}
	mutex_unlock(&gdev->lock);
	if (err)
		return err;
	cmd->length = (u64)npages << PAGE_SHIFT;
	cmd->offset = (u64)cmd->bar << GUESTMEM_BAR_SHIFT;
	return guestmem_respond(ucmd);
}

/*
 * In the place of registers that are gone: all ones, which is what a device that was
 * pulled out reads as. Drivers know that; few of them live through SIGBUS.
 */
static vm_fault_t guestmem_ones_insert(struct guestmem_device *gdev,
				       struct vm_area_struct *vma,
				       unsigned long address)
{
	if (!gdev->ones) {
		gdev->ones = alloc_page(GFP_KERNEL_ACCOUNT);
		if (!gdev->ones)
			return VM_FAULT_OOM;
		memset(page_address(gdev->ones), 0xff, PAGE_SIZE);
	}
	return vmf_insert_pfn_prot(vma, address, page_to_pfn(gdev->ones),
				   vm_get_page_prot(vma->vm_flags));
}

static vm_fault_t guestmem_registers_insert(struct guestmem_device *gdev,
					    struct vm_area_struct *vma,
					    unsigned long address,
					    unsigned long pgoff)
{
	unsigned int bar = pgoff >> GUESTMEM_BAR_PGSHIFT;
	unsigned long i, n, pfn;
	vm_fault_t ret;

	n = min((vma->vm_end - address) >> PAGE_SHIFT, GUESTMEM_BAR_BATCH);
	pfn = (pci_resource_start(gdev->pdev, bar) >> PAGE_SHIFT) +
	      (pgoff & GUESTMEM_BAR_PGMASK);
	ret = vmf_insert_pfn(vma, address, pfn);
	/* What is there already stays; what fails now has a fault of its own. */
	for (i = 1; i < n && ret == VM_FAULT_NOPAGE; i++)
		if (vmf_insert_pfn(vma, address + i * PAGE_SIZE, pfn + i) !=
		    VM_FAULT_NOPAGE)
			break;
	return ret;
}

/*
 * By faults, so that a mapping which mmap(2) is about to finish is never missed when
 * the device goes: it has nothing yet.
 */
static vm_fault_t guestmem_registers_fault(struct vm_fault *vmf)
{
	struct guestmem_device *gdev = vmf->vma->vm_private_data;
	unsigned long address = vmf->address & PAGE_MASK;
	vm_fault_t ret;

	mutex_lock(&gdev->registers_lock);
	if (gdev->registers_gone)
		ret = guestmem_ones_insert(gdev, vmf->vma, address);
	else
		ret = guestmem_registers_insert(gdev, vmf->vma, address,
						vmf->pgoff);
	mutex_unlock(&gdev->registers_lock);
	return ret;
}

static const struct vm_operations_struct guestmem_registers_vm_ops = {
	.fault = guestmem_registers_fault,
};

/**
 * guestmem_registers_mmap() - map registers for the CPU
 * @file: the device's
 * @vma: where; its offset is one of GUESTMEM_BAR's
 *
 * The mapping keeps the file, and so the device stays open. A child must not go on
 * to drive a device that is no more its own.
 *
 * Return: 0; -EINVAL if not shared, out of bounds, or not asked for by GUESTMEM_BAR;
 * -ENODEV if the device has been unbound.
 */
int guestmem_registers_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct guestmem_device *gdev = file->private_data;
	unsigned long first = vma->vm_pgoff & GUESTMEM_BAR_PGMASK;
	unsigned long npages, bar = vma->vm_pgoff >> GUESTMEM_BAR_PGSHIFT;
	int err = 0;

	if (!(vma->vm_flags & VM_MAYSHARE) || bar >= PCI_STD_NUM_BARS)
		return -EINVAL;
	npages = guestmem_bar_pages(gdev->pdev, bar);
	if (first > npages || vma_pages(vma) > npages - first)
		return -EINVAL;
	mutex_lock(&gdev->registers_lock);
	if (gdev->registers_gone)
		err = -ENODEV;
	else if (!(gdev->bars & BIT(bar)))
		err = -EINVAL;
	mutex_unlock(&gdev->registers_lock);
	if (err)
		return err;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP |
			  VM_DONTCOPY);
	vma->vm_page_prot =
		pgprot_decrypted(pgprot_noncached(vma->vm_page_prot));
	vma->vm_ops = &guestmem_registers_vm_ops;
	vma->vm_private_data = gdev;
	return 0;
}

/**
 * guestmem_registers_open() - nothing was asked for yet
 * @gdev: the device, locked
 * @file: its open file
 */
void guestmem_registers_open(struct guestmem_device *gdev, struct file *file)
{
	mutex_lock(&gdev->registers_lock);
	gdev->bars = 0;
	gdev->registers_mapping = file->f_mapping;
	mutex_unlock(&gdev->registers_lock);
}

/**
 * guestmem_registers_revoke() - tear all mappings of the registers down
 * @gdev: the device, locked and open; it goes
 *
 * When it returns, no access reaches the device any more.
 */
void guestmem_registers_revoke(struct guestmem_device *gdev)
{
	mutex_lock(&gdev->registers_lock);
	gdev->bars = 0;
	gdev->registers_gone = true;
	mutex_unlock(&gdev->registers_lock);
	unmap_mapping_range(gdev->registers_mapping, 0, 0, 1);
}
