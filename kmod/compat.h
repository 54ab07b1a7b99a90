/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that this is built for. Kbuild looks for it
 * in the kernel's headers, and defines GUESTMEM_HAVE_*; this is the only place
 * that asks.
 */
#ifndef GUESTMEM_COMPAT_H
#define GUESTMEM_COMPAT_H

#include <linux/dma-map-ops.h>
#include <linux/eventfd.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>

#ifndef GUESTMEM_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* Can no device of the group send interrupts that are not its own? */
static inline bool guestmem_isolated_msi(struct device *dev,
					 struct iommu_group *group)
{
#ifdef GUESTMEM_HAVE_GROUP_ISOLATED_MSI
	return iommu_group_has_isolated_msi(group);
#else
	return irq_domain_check_msi_remap() ||
	       device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
#endif
}

/*
 * Since 6.2 a long-term pin for reading breaks copy-on-write by itself. Before
 * it would pin the page that the next write replaces: so it is for writing, by
 * force. That also gets what the caller cannot read, which is looked at first.
 */
#ifdef GUESTMEM_HAVE_GUP_WITHOUT_VMA
#define GUESTMEM_FOLL_READ	(FOLL_WRITE | FOLL_FORCE)

static inline int guestmem_check_readable(unsigned long start,
					  unsigned long end)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int err = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = find_vma(mm, start);
	for (; vma && vma->vm_start < end; vma = find_vma(mm, vma->vm_end))
		if (!(vma->vm_flags & VM_READ))
			err = -EFAULT;
	mmap_read_unlock(mm);
	return err;
}
#else
#define GUESTMEM_FOLL_READ	0

static inline int guestmem_check_readable(unsigned long start,
					  unsigned long end)
{
	return 0;
}
#endif

/* It counts up by one; by any number until 6.8. */
static inline void guestmem_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef GUESTMEM_HAVE_EVENTFD_SIGNAL_N
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* Text of a trace event; the source is known from __string() since 6.10. */
#ifdef GUESTMEM_HAVE_ASSIGN_STR_SRC
#define guestmem_assign_str(dst, src)	__assign_str(dst, src)
#else
#define guestmem_assign_str(dst, src)	__assign_str(dst)
#endif

#ifdef GUESTMEM_HAVE_IMPORT_NS_STRING
#define GUESTMEM_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#else
#define GUESTMEM_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#endif

#endif /* GUESTMEM_COMPAT_H */
