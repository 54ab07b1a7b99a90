/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_bar.c - the controller's registers, and its interrupt if one is wanted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nvme_bar.h"

/* Interrupt 0 is for all queues, the driver's commands too: an idle look is cheap. */
static int interrupt_open(struct nvme_bar *bar, struct gm_kmod_device *device)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int ret;

	if (fd < 0)
		return -errno;
	ret = gm_kmod_device_interrupts(device, &fd, 1);
	if (ret) {
		close(fd);
		return ret;
	}
	bar->interrupt = fd;
	return 0;
}

int nvme_bar_open(struct nvme_bar *bar, struct gm_kmod_device *device, bool interrupt)
{
	int ret = gm_kmod_bar_map(device, 0, &bar->mapped);

	if (ret)
		return ret;
	bar->regs = bar->mapped.regs;
	bar->len = bar->mapped.len;
	bar->interrupt = -1;
	if (interrupt)
		ret = interrupt_open(bar, device);
	if (ret)
		nvme_bar_close(bar);
	return ret;
}

bool nvme_bar_interrupted(struct nvme_bar *bar)
{
	uint64_t count;

	return bar->interrupt >= 0 && read(bar->interrupt, &count, sizeof(count)) > 0;
}

void nvme_bar_close(struct nvme_bar *bar)
{
	if (!bar->regs)
		return;
	gm_kmod_bar_unmap(&bar->mapped);
	bar->regs = NULL;
	if (bar->interrupt >= 0)
		close(bar->interrupt);
	bar->interrupt = -1;
}
