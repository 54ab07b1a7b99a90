/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * config.h - a PCI device's configuration space, read through sysfs.
 */
#ifndef SELFTESTS_KMOD_CONFIG_H
#define SELFTESTS_KMOD_CONFIG_H

#include <linux/pci_regs.h>
#include "util.h"

/* @len bytes of it, at most 4, as a number; or a negative errno. */
static inline int64_t config_read(const char *address, int at, size_t len)
{
	char path[ADDRESS_MAX + 64];
	uint8_t byte[4] = { 0 };
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, byte, len, at);
	close(fd);
	if (n != (ssize_t)len)
		return -EIO;
	return byte[0] | byte[1] << 8 | byte[2] << 16 | (int64_t)byte[3] << 24;
}

/* Its command register, or a negative errno. */
static inline int config_command(const char *address)
{
	return (int)config_read(address, PCI_COMMAND, 2);
}

/* Where a capability is, or a negative errno. */
static inline int config_capability(const char *address, int id)
{
	int64_t at = config_read(address, PCI_CAPABILITY_LIST, 1);

	for (int i = 0; i < 48 && at > 0; i++) {
		if (config_read(address, (int)at + PCI_CAP_LIST_ID, 1) == id)
			return (int)at;
		at = config_read(address, (int)at + PCI_CAP_LIST_NEXT, 1);
	}
	return at < 0 ? (int)at : -ENOENT;
}

#endif /* SELFTESTS_KMOD_CONFIG_H */
