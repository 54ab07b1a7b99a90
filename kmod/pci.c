/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PCI driver: binds to what driver_override names it for, and gives each
 * such device a node.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/slab.h>

#include "guestmem_private.h"
#include "trace.h"

LIST_HEAD(guestmem_devices);

static void guestmem_device_free(struct kref *ref)
{
	struct guestmem_device *gdev =
		container_of(ref, struct guestmem_device, ref);

	WARN_ON(!xa_empty(&gdev->maps));
	xa_destroy(&gdev->maps);
	pci_dev_put(gdev->pdev);
	mutex_destroy(&gdev->lock);
	kfree(gdev);
}

/**
 * guestmem_device_put() - give up a reference to a device
 * @gdev: the device
 */
void guestmem_device_put(struct guestmem_device *gdev)
{
	kref_put(&gdev->ref, guestmem_device_free);
}

/**
 * guestmem_device_start() - make a device ready for who opens its file
 * @gdev: the device, locked
 *
 * It answers to its registers, but is no master of its bus yet.
 *
 * Return: 0 or a negative errno.
 */
int guestmem_device_start(struct guestmem_device *gdev)
{
	return pci_enable_device(gdev->pdev);
}

/**
 * guestmem_device_stop() - undo all that was done to a device for an open file
 * @gdev: the device, locked, and its device_lock() held
 *
 * In this order: the device must have stopped before its maps go, and they
 * must have gone before the memory does.
 */
void guestmem_device_stop(struct guestmem_device *gdev)
{
	struct pci_dev *pdev = gdev->pdev;

	pci_clear_master(pdev);
	/* What cannot be reset is stopped by the line above alone. */
	if (pci_reset_function_locked(pdev))
		pci_dbg(pdev, "guestmem: no reset\n");
	guestmem_mapping_remove_all(gdev);
	pci_disable_device(pdev);
}

static struct guestmem_device *guestmem_device_new(struct pci_dev *pdev)
{
	struct guestmem_device *gdev = kzalloc(sizeof(*gdev), GFP_KERNEL);

	if (!gdev)
		return NULL;
	kref_init(&gdev->ref);
	mutex_init(&gdev->lock);
	xa_init_flags(&gdev->maps, XA_FLAGS_ALLOC1);
	INIT_LIST_HEAD(&gdev->node);
	gdev->pdev = pci_dev_get(pdev);
	snprintf(gdev->name, sizeof(gdev->name), "guestmem-%s", pci_name(pdev));
	snprintf(gdev->nodename, sizeof(gdev->nodename), "guestmem-dev/%s",
		 pci_name(pdev));
	gdev->misc.minor = MISC_DYNAMIC_MINOR;
	gdev->misc.name = gdev->name;
	gdev->misc.nodename = gdev->nodename;
	gdev->misc.fops = &guestmem_device_fops;
	gdev->misc.parent = &pdev->dev;
	gdev->misc.mode = 0600;
	return gdev;
}

static int guestmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct guestmem_device *gdev;
	int err;

	/* What is behind a bridge would be reached with it. */
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return -EINVAL;
	/* Neither splits what is contiguous: no hardware is known by them. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	dma_set_seg_boundary(&pdev->dev, ULONG_MAX);
	err = dma_set_mask(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	/* Firmware or an earlier driver may have left it on. */
	pci_clear_master(pdev);

	gdev = guestmem_device_new(pdev);
	if (!gdev)
		return -ENOMEM;
	err = misc_register(&gdev->misc);
	if (err) {
		guestmem_device_put(gdev);
		return err;
	}
	pci_set_drvdata(pdev, gdev);
	mutex_lock(&guestmem_list_lock);
	list_add_tail(&gdev->node, &guestmem_devices);
	mutex_unlock(&guestmem_list_lock);
	trace_guestmem_bind(pdev);
	return 0;
}

static void guestmem_remove(struct pci_dev *pdev)
{
	struct guestmem_device *gdev = pci_get_drvdata(pdev);

	misc_deregister(&gdev->misc);
	mutex_lock(&guestmem_list_lock);
	list_del_init(&gdev->node);
	mutex_unlock(&guestmem_list_lock);

	mutex_lock(&gdev->lock);
	if (gdev->open)
		guestmem_device_stop(gdev);
	gdev->gone = true;
	mutex_unlock(&gdev->lock);
	trace_guestmem_unbind(pdev);
	guestmem_device_put(gdev);
}

/* No table: only a device that driver_override gives to it. */
static struct pci_driver guestmem_pci_driver = {
	.name = "guestmem",
	.probe = guestmem_probe,
	.remove = guestmem_remove,
};

/**
 * guestmem_pci_register() - begin to take devices
 *
 * Return: 0 or a negative errno.
 */
int guestmem_pci_register(void)
{
	return pci_register_driver(&guestmem_pci_driver);
}

/**
 * guestmem_pci_unregister() - let all devices go
 */
void guestmem_pci_unregister(void)
{
	pci_unregister_driver(&guestmem_pci_driver);
}
