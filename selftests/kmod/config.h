/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * config.h - a PCI device's configuration space, read through sysfs.
 */
#ifndef SELFTESTS_KMOD_CONFIG_H
#define SELFTESTS_KMOD_CONFIG_H

#include <linux/pci_regs.h>
#include "util.h"

/* Its command register, or a negative errno. */
static inline int config_command(const char *address)
{
	char path[ADDRESS_MAX + 64];
	uint8_t byte[2];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, byte, sizeof(byte), PCI_COMMAND);
	close(fd);
	return n == sizeof(byte) ? byte[0] | byte[1] << 8 : -EIO;
}

#endif /* SELFTESTS_KMOD_CONFIG_H */
