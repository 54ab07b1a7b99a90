/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vfio.h - a second edu device, served by VFIO with the type1 IOMMU: what maps
 * of the module are compared with. Functions give 0 or a negative errno.
 */
#ifndef SELFTESTS_KMOD_VFIO_H
#define SELFTESTS_KMOD_VFIO_H

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include "edu.h"

#define EDU_ID "0x11e8"
#define VFIO_DRIVER_DIR "/sys/bus/pci/drivers/vfio-pci/"

/**
 * struct vfio - an edu device opened through VFIO
 * @container: its container, which has the maps
 * @group: its IOMMU group
 * @device: the device itself
 * @edu: its registers
 * @address: its PCI address
 */
struct vfio {
	int container;
	int group;
	int device;
	volatile uint8_t *edu;
	char address[ADDRESS_MAX];
};

static inline bool edu_is_free(const char *address)
{
	char path[ADDRESS_MAX + 64], text[16], bound[ADDRESS_MAX + 64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", address);
	snprintf(bound, sizeof(bound), DRIVER_DIR "%s", address);
	return !file_read(path, text, sizeof(text)) && !strcmp(text, EDU_ID) &&
	       access(bound, F_OK);
}

/* Address of an edu device that the module does not have. */
static inline int edu_second(char address[ADDRESS_MAX])
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	int err = -ENODEV;

	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (!edu_is_free(entry->d_name))
			continue;
		snprintf(address, ADDRESS_MAX, "%s", entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

static inline int vfio_bind(const char *address)
{
	char path[ADDRESS_MAX + 64];
	int err;

	snprintf(path, sizeof(path), VFIO_DRIVER_DIR "%s", address);
	if (!access(path, F_OK))
		return 0;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 address);
	err = file_write(path, "vfio-pci");
	return err ? err : file_write("/sys/bus/pci/drivers_probe", address);
}

static inline int vfio_unbind(const char *address)
{
	char path[ADDRESS_MAX + 64];
	int err = file_write(VFIO_DRIVER_DIR "unbind", address);

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 address);
	return err ? err : file_write(path, "\n");
}

static inline int vfio_open_group(struct vfio *v)
{
	char path[ADDRESS_MAX + 64], target[ADDRESS_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 v->address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(target, '/'));
	v->group = open(path, O_RDWR | O_CLOEXEC);
	if (v->group < 0 ||
	    ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container) ||
	    ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	v->device = ioctl(v->group, VFIO_GROUP_GET_DEVICE_FD, v->address);
	return v->device < 0 ? -errno : 0;
}

/* The registers, and leave to be master of the bus. */
static inline int vfio_start(struct vfio *v)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	void *p;

	if (ioctl(v->device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(v->device, VFIO_DEVICE_GET_REGION_INFO, &config))
		return -errno;
	if (pwrite(v->device, &command, sizeof(command),
		   config.offset + PCI_COMMAND) != sizeof(command))
		return -EIO;
	p = mmap64(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->device,
		   bar.offset);
	if (p == MAP_FAILED)
		return -errno;
	v->edu = p;
	return 0;
}

/* Binds the second edu device to VFIO and opens all there is. */
static inline int vfio_open(struct vfio *v)
{
	int err = edu_second(v->address);

	if (!err)
		err = vfio_bind(v->address);
	if (err)
		return err;
	v->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (v->container < 0)
		return -errno;
	err = vfio_open_group(v);
	return err ? err : vfio_start(v);
}

/* Undoes it, all maps included. */
static inline int vfio_close(struct vfio *v)
{
	munmap((void *)v->edu, PAGE);
	close(v->device);
	close(v->group);
	close(v->container);
	return vfio_unbind(v->address);
}

static inline int vfio_map(const struct vfio *v, const void *p, uint64_t length,
			   uint64_t iova)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = to_user(p),
		.iova = iova,
		.size = length,
	};

	return do_ioctl(v->container, VFIO_IOMMU_MAP_DMA, &arg);
}

static inline int vfio_unmap(const struct vfio *v, uint64_t length,
			     uint64_t iova)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.iova = iova,
		.size = length,
	};
	int err = do_ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &arg);

	return err ? err : arg.size == length ? 0 : -EIO;
}

#endif /* SELFTESTS_KMOD_VFIO_H */
