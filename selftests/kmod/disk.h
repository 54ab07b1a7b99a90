/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * disk.h - the scratch disk: a virtio block device whose serial is "scratch".
 */
#ifndef SELFTESTS_KMOD_DISK_H
#define SELFTESTS_KMOD_DISK_H

#include "util.h"

/* Opens it past the page cache; a file descriptor or a negative errno. */
static inline int disk_open(void)
{
	DIR *dir = opendir("/sys/block");
	char path[ADDRESS_MAX + 32], serial[32];
	struct dirent *entry;
	int fd = -ENODEV;

	if (!dir)
		return -errno;
	while (fd < 0 && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/block/%s/serial",
			 entry->d_name);
		if (file_read(path, serial, sizeof(serial)) ||
		    strcmp(serial, "scratch"))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

#endif /* SELFTESTS_KMOD_DISK_H */
