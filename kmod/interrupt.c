/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's interrupts: each one signals an eventfd. Messages only (MSI, MSI-X): a
 * line is shared, and would have to be masked until somebody has looked.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "guestmem_private.h"
#include "ioctl.h"

/* No device has more. */
#define GUESTMEM_INTERRUPTS_MAX	2048U

/**
 * guestmem_interrupts_max() - how many different interrupts a device can send
 * @pdev: the device; one that was pulled out sends none
 *
 * Its configuration reads as all ones then: by that the kernel would look for a table
 * of messages where it is not, and write to it.
 */
u32 guestmem_interrupts_max(struct pci_dev *pdev)
{
	int n;

	if (!pci_device_is_present(pdev))
		return 0;
	n = pci_msix_vec_count(pdev);
	if (n <= 0)
		n = pci_msi_vec_count(pdev);
	return max(n, 0);
}

/* @trigger: NULL if nobody wants it. */
static irqreturn_t guestmem_interrupt(int irq, void *trigger)
{
	if (trigger)
		guestmem_eventfd_signal(trigger);
	return IRQ_HANDLED;
}

static void guestmem_triggers_put(struct eventfd_ctx **triggers, u32 count)
{
	while (triggers && count--)
		if (triggers[count])
			eventfd_ctx_put(triggers[count]);
	kvfree(triggers);
}

/* The eventfds behind an array of descriptors; NULL for each that is -1. */
static struct eventfd_ctx **
guestmem_triggers_get(const s32 __user *ufds, u32 count)
{
	struct eventfd_ctx **triggers, *ctx = NULL;
	s32 *fds;
	u32 i;

	fds = memdup_user(ufds, array_size(count, sizeof(*fds)));
	if (IS_ERR(fds))
		return ERR_CAST(fds);
	triggers = kvcalloc(count, sizeof(*triggers), GFP_KERNEL_ACCOUNT);
	if (!triggers)
		ctx = ERR_PTR(-ENOMEM);
	for (i = 0; !IS_ERR(ctx) && i < count; i++) {
		ctx = fds[i] == -1 ? NULL : eventfd_ctx_fdget(fds[i]);
		if (!IS_ERR(ctx))
			triggers[i] = ctx;
	}
	kfree(fds);
	if (IS_ERR(ctx)) {
		guestmem_triggers_put(triggers, count);
		return ERR_CAST(ctx);
	}
	return triggers;
}

/*
 * The first @n of them. The kernel goes back to the interrupt line, which stays off as
 * it was since guestmem_device_start().
 */
static void guestmem_irqs_free(struct guestmem_device *gdev, u32 n)
{
	while (n--)
		free_irq(pci_irq_vector(gdev->pdev, n), gdev->triggers[n]);
	pci_free_irq_vectors(gdev->pdev);
	pci_intx(gdev->pdev, 0);
}

/*
 * Also those that are not wanted: who has the registers can unmask them in the device's
 * own table, and for what comes without a handler the kernel writes to its log. Nothing
 * is left behind on error.
 */
static int guestmem_irqs_request(struct guestmem_device *gdev, u32 count)
{
	struct pci_dev *pdev = gdev->pdev;
	int ret;
	u32 i;

	ret = pci_alloc_irq_vectors(pdev, count, count,
				    PCI_IRQ_MSIX | PCI_IRQ_MSI);
	if (ret < 0)
		return ret == -ENOMEM ? ret : -ENOSPC;
	for (i = 0; i < count; i++) {
		ret = request_irq(pci_irq_vector(pdev, i), guestmem_interrupt,
				  0, gdev->name, gdev->triggers[i]);
		if (ret) {
			guestmem_irqs_free(gdev, i);
			return ret == -ENOMEM ? ret : -ENOSPC;
		}
	}
	return 0;
}

/**
 * guestmem_interrupts_free() - let all interrupts of a device go
 * @gdev: the device, locked
 *
 * No eventfd is signalled any more when it returns.
 */
void guestmem_interrupts_free(struct guestmem_device *gdev)
{
	if (!gdev->ntriggers)
		return;
	guestmem_irqs_free(gdev, gdev->ntriggers);
	guestmem_triggers_put(gdev->triggers, gdev->ntriggers);
	gdev->triggers = NULL;
	gdev->ntriggers = 0;
}

/* @triggers are the device's from here on, if it succeeds. */
static int guestmem_interrupts_set(struct guestmem_device *gdev,
				   struct eventfd_ctx **triggers, u32 count)
{
	u32 properties;
	int err;

	if (gdev->gone)
		return -ENODEV;
	if (!count) {
		guestmem_interrupts_free(gdev);
		return 0;
	}
	if (count > guestmem_interrupts_max(gdev->pdev))
		return -ERANGE;
	if (gdev->ntriggers)
		return -EBUSY;
	err = guestmem_policy_check(gdev->pdev, &properties);
	if (err)
		return err;
	gdev->triggers = triggers;
	err = guestmem_irqs_request(gdev, count);
	if (err)
		gdev->triggers = NULL;
	else
		gdev->ntriggers = count;
	return err;
}

/**
 * guestmem_ioctl_interrupts() - GUESTMEM_INTERRUPTS
 * @ucmd: the call
 *
 * Return: 0 or a negative errno.
 */
int guestmem_ioctl_interrupts(struct guestmem_ucmd *ucmd)
{
	struct guestmem_device *gdev = ucmd->file->private_data;
	const struct guestmem_interrupts *cmd = ucmd->cmd;
	struct eventfd_ctx **triggers = NULL;
	int err;

	if (cmd->flags || cmd->reserved)
		return -EOPNOTSUPP;
	if (cmd->count > GUESTMEM_INTERRUPTS_MAX)
		return -ERANGE;
	if (cmd->count) {
		triggers = guestmem_triggers_get(u64_to_user_ptr(cmd->fds),
						 cmd->count);
		if (IS_ERR(triggers))
			return PTR_ERR(triggers);
	}
	mutex_lock(&gdev->lock);
	err = guestmem_interrupts_set(gdev, triggers, cmd->count);
	mutex_unlock(&gdev->lock);
	if (err)
		guestmem_triggers_put(triggers, cmd->count);
	return err;
}
