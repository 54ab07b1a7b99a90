/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bind.h - bind a PCI device to the module's driver and unbind it, and change
 * how the IOMMU serves it. Functions give 0 or a negative errno.
 */
#ifndef SELFTESTS_KMOD_BIND_H
#define SELFTESTS_KMOD_BIND_H

#include <time.h>
#include "util.h"

#define DRIVER_DIR "/sys/bus/pci/drivers/guestmem/"

static inline void sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static inline int device_unbind(const char *address)
{
	return file_write(DRIVER_DIR "unbind", address);
}

/* Also waits for the node, which the kernel makes after the driver. */
static inline int device_bind(const char *address)
{
	char path[ADDRESS_MAX + 64];
	int err;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 address);
	err = file_write(path, "guestmem");
	if (err)
		return err;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
	if (access(path, F_OK)) {
		err = file_write("/sys/bus/pci/drivers_probe", address);
		if (err)
			return err;
	}
	snprintf(path, sizeof(path), DEVICE_DIR "/%s", address);
	for (int i = 0; i < 100; i++) {
		if (!access(path, F_OK))
			return 0;
		sleep_ms(20);
	}
	return -ETIMEDOUT;
}

static inline void group_file(char path[ADDRESS_MAX + 64], const char *address)
{
	snprintf(path, ADDRESS_MAX + 64,
		 "/sys/bus/pci/devices/%s/iommu_group/type", address);
}

/* How the IOMMU serves it: DMA, DMA-FQ, identity; "" if it does not. */
static inline void group_type(const char *address, char type[32])
{
	char path[ADDRESS_MAX + 64];

	group_file(path, address);
	if (file_read(path, type, 32))
		type[0] = '\0';
}

/* The kernel wants the device to have no driver meanwhile. */
static inline int group_set_type(const char *address, const char *type)
{
	char path[ADDRESS_MAX + 64];
	int err, bound;

	group_file(path, address);
	err = device_unbind(address);
	if (err)
		return err;
	err = file_write(path, type);
	bound = device_bind(address);
	return err ? err : bound;
}

#endif /* SELFTESTS_KMOD_BIND_H */
