/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_bar.c - the controller's registers, by way of sysfs: root's alone, and without
 * interrupts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nvme_bar.h"

int nvme_bar_open(struct nvme_bar *bar, struct gm_kmod_device *device)
{
	struct stat st;
	char path[128];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0",
		 gm_kmod_device_name(device));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		close(fd);
		return -errno;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -errno;
	bar->regs = p;
	bar->len = (size_t)st.st_size;
	bar->interrupt = -1;
	return 0;
}

void nvme_bar_close(struct nvme_bar *bar)
{
	if (bar->regs)
		munmap((void *)bar->regs, bar->len);
	bar->regs = NULL;
}
