/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module: its parameters, begin and end.
 */
#include <linux/module.h>

#include "compat.h"
#include "guestmem_private.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

bool guestmem_allow_unsafe_noiommu;
module_param_named(allow_unsafe_noiommu, guestmem_allow_unsafe_noiommu, bool,
		   0644);
MODULE_PARM_DESC(allow_unsafe_noiommu,
		 "Let CAP_SYS_RAWIO map memory for devices without an IOMMU: whoever controls such a device controls the machine (default: N)");

bool guestmem_allow_lazy_iommu;
module_param_named(allow_lazy_iommu, guestmem_allow_lazy_iommu, bool, 0644);
MODULE_PARM_DESC(allow_lazy_iommu,
		 "Map memory for devices whose IOMMU is flushed lazily (default: N)");

bool guestmem_allow_unsafe_interrupts;
module_param_named(allow_unsafe_interrupts, guestmem_allow_unsafe_interrupts,
		   bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Map memory for devices whose interrupts are not remapped (default: N)");

unsigned int guestmem_max_maps = 65535;
module_param_named(max_maps, guestmem_max_maps, uint, 0644);
MODULE_PARM_DESC(max_maps, "Maps that a device can have at a time (default: 65535)");

static int __init guestmem_init(void)
{
	int err;

	guestmem_debugfs_init();
	err = guestmem_pci_register();
	if (err)
		goto err_debugfs;
	err = misc_register(&guestmem_control_misc);
	if (err)
		goto err_pci;
	return 0;

err_pci:
	guestmem_pci_unregister();
err_debugfs:
	guestmem_debugfs_exit();
	return err;
}

static void __exit guestmem_exit(void)
{
	misc_deregister(&guestmem_control_misc);
	guestmem_pci_unregister();
	guestmem_debugfs_exit();
}

module_init(guestmem_init);
module_exit(guestmem_exit);

MODULE_AUTHOR("guestmem maintainers");
MODULE_DESCRIPTION("Guest memory that is pinned and mapped for DMA");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
GUESTMEM_IMPORT_NS(DMA_BUF);
