/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PCI driver: binds to what driver_override names it for, and gives each
 * such device a node.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/pm.h>
#include <linux/slab.h>

#include "guestmem_private.h"
#include "trace.h"

/* Times that a bridge is asked for, and the time between, in ms. */
#define GUESTMEM_BRIDGE_TRIES	100
#define GUESTMEM_BRIDGE_DELAY	10

LIST_HEAD(guestmem_devices);

static void guestmem_device_free(struct kref *ref)
{
	struct guestmem_device *gdev =
		container_of(ref, struct guestmem_device, ref);

	WARN_ON(!xa_empty(&gdev->maps));
	xa_destroy(&gdev->maps);
	/* Its mappings have kept the open file, which has kept this. */
	if (gdev->ones)
		__free_page(gdev->ones);
	pci_dev_put(gdev->pdev);
	mutex_destroy(&gdev->registers_lock);
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
 * It answers to its registers, but is no master of its bus yet. Nor can it
 * interrupt: nobody would answer, and the line may be another device's, too.
 *
 * Return: 0 or a negative errno.
 */
int guestmem_device_start(struct guestmem_device *gdev)
{
	int err = pci_enable_device(gdev->pdev);

	/* Enabling has switched it on. */
	if (!err)
		pci_intx(gdev->pdev, 0);
	return err;
}

/*
 * A device may be reset by the bridge above it, whose configuration is nobody
 * else's meanwhile. It is only asked for: who resets a device by sysfs has the
 * bridge and waits for the device_lock() that is held here.
 */
static struct pci_dev *guestmem_bridge_lock(struct pci_dev *pdev)
{
	struct pci_dev *bridge = pci_upstream_bridge(pdev);
	unsigned int i;

	for (i = 0; bridge && i < GUESTMEM_BRIDGE_TRIES; i++) {
		if (pci_cfg_access_trylock(bridge))
			return bridge;
		msleep(GUESTMEM_BRIDGE_DELAY);
	}
	return NULL;
}

/*
 * The device does nothing by itself any more. What cannot be reset is stopped by
 * being no master of its bus alone. Its device_lock() is held.
 */
static void guestmem_device_quiesce(struct pci_dev *pdev)
{
	struct pci_dev *bridge;

	pci_clear_master(pdev);
	/* One that was pulled out would be waited for. */
	if (!pci_device_is_present(pdev))
		return;
	pci_intx(pdev, 0);
	/* Without the bridge as well: a device that goes on is worse. */
	bridge = guestmem_bridge_lock(pdev);
	/* User space must not see, or disturb, its configuration meanwhile. */
	pci_cfg_access_lock(pdev);
	if (pci_reset_function_locked(pdev))
		pci_dbg(pdev, "guestmem: no reset\n");
	pci_cfg_access_unlock(pdev);
	if (bridge)
		pci_cfg_access_unlock(bridge);
}

/**
 * guestmem_device_stop() - undo all that was done to a device for an open file
 * @gdev: the device, locked, and its device_lock() held
 *
 * In this order: the device must have stopped before its maps go, and they
 * must have gone before the memory does. A reset puts back what was set for its
 * messages: they go before.
 */
void guestmem_device_stop(struct guestmem_device *gdev)
{
	pci_clear_master(gdev->pdev);
	guestmem_interrupts_free(gdev);
	guestmem_device_quiesce(gdev->pdev);
	guestmem_mapping_remove_all(gdev);
	pci_disable_device(gdev->pdev);
}

static struct guestmem_device *guestmem_device_new(struct pci_dev *pdev)
{
	struct guestmem_device *gdev = kzalloc(sizeof(*gdev), GFP_KERNEL);

	if (!gdev)
		return NULL;
	kref_init(&gdev->ref);
	mutex_init(&gdev->lock);
	mutex_init(&gdev->registers_lock);
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

/*
 * What a device can do by DMA is not known here: nothing is split that is
 * contiguous, and each map says how far the device reaches.
 */
static int guestmem_limits_set(struct guestmem_device *gdev)
{
	struct device *dev = &gdev->pdev->dev;

	gdev->dma_mask = dma_get_mask(dev);
	gdev->max_seg_size = dma_get_max_seg_size(dev);
	gdev->seg_boundary = dma_get_seg_boundary(dev);
	dma_set_max_seg_size(dev, UINT_MAX);
	dma_set_seg_boundary(dev, ULONG_MAX);
	return dma_set_mask(dev, DMA_BIT_MASK(64));
}

/* They are the device's, not the driver's: the next one relies on them. */
static void guestmem_limits_restore(struct guestmem_device *gdev)
{
	struct device *dev = &gdev->pdev->dev;

	dma_set_max_seg_size(dev, gdev->max_seg_size);
	dma_set_seg_boundary(dev, gdev->seg_boundary);
	dma_set_mask(dev, gdev->dma_mask);
}

static int guestmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct guestmem_device *gdev;
	int err;

	/* What is behind a bridge would be reached with it. */
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return -EINVAL;
	gdev = guestmem_device_new(pdev);
	if (!gdev)
		return -ENOMEM;
	err = guestmem_limits_set(gdev);
	if (err)
		goto err_limits;
	/* Firmware or an earlier driver may have left it running. */
	guestmem_device_quiesce(pdev);
	err = misc_register(&gdev->misc);
	if (err)
		goto err_limits;
	pci_set_drvdata(pdev, gdev);
	mutex_lock(&guestmem_list_lock);
	list_add_tail(&gdev->node, &guestmem_devices);
	mutex_unlock(&guestmem_list_lock);
	trace_guestmem_bind(pdev);
	return 0;

err_limits:
	guestmem_limits_restore(gdev);
	guestmem_device_put(gdev);
	return err;
}

static void guestmem_remove(struct pci_dev *pdev)
{
	struct guestmem_device *gdev = pci_get_drvdata(pdev);

	misc_deregister(&gdev->misc);
	mutex_lock(&guestmem_list_lock);
	list_del_init(&gdev->node);
	mutex_unlock(&guestmem_list_lock);

	mutex_lock(&gdev->lock);
	if (gdev->open) {
		guestmem_registers_revoke(gdev);
		guestmem_device_stop(gdev);
	}
	gdev->gone = true;
	mutex_unlock(&gdev->lock);
	guestmem_limits_restore(gdev);
	trace_guestmem_unbind(pdev);
	guestmem_device_put(gdev);
}

/* All processes are frozen, so that nobody else has the device. */
static int guestmem_suspend(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct guestmem_device *gdev = pci_get_drvdata(pdev);

	gdev->was_master = pdev->is_busmaster;
	pci_clear_master(pdev);
	return 0;
}

/* Without this the kernel would enable the device anew, INTx with it. */
static int guestmem_resume(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct guestmem_device *gdev = pci_get_drvdata(pdev);

	if (gdev->was_master)
		pci_set_master(pdev);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(guestmem_pm_ops, guestmem_suspend,
				guestmem_resume);

/*
 * Who uses the device sees for himself. A driver that does not say
 * so makes the kernel give up all devices at that port.
 */
static pci_ers_result_t guestmem_error_detected(struct pci_dev *pdev,
						pci_channel_state_t state)
{
	return PCI_ERS_RESULT_CAN_RECOVER;
}

/*
 * A reset leaves nothing for the driver to do. A driver without these would be
 * warned of at each close, in the log.
 */
static void guestmem_reset_prepare(struct pci_dev *pdev)
{
}

static void guestmem_reset_done(struct pci_dev *pdev)
{
}

static const struct pci_error_handlers guestmem_err_handler = {
	.error_detected = guestmem_error_detected,
	.reset_prepare = guestmem_reset_prepare,
	.reset_done = guestmem_reset_done,
};

/* No table: no device is taken that the administrator has not named. */
static struct pci_driver guestmem_pci_driver = {
	.name = "guestmem",
	.probe = guestmem_probe,
	.remove = guestmem_remove,
	.err_handler = &guestmem_err_handler,
	.driver.pm = pm_sleep_ptr(&guestmem_pm_ops),
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
