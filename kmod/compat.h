/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that this is built for. Kbuild looks for it
 * in the kernel's headers, and defines GUESTMEM_HAVE_*; this is the only place
 * that asks.
 */
#ifndef GUESTMEM_COMPAT_H
#define GUESTMEM_COMPAT_H

#include <linux/dma-map-ops.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/mm.h>
#include <linux/module.h>

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
 * it would pin the page that the next write replaces.
 */
#ifdef GUESTMEM_HAVE_GUP_WITHOUT_VMA
#define GUESTMEM_FOLL_READ	(FOLL_WRITE | FOLL_FORCE)
#else
#define GUESTMEM_FOLL_READ	0
#endif

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
