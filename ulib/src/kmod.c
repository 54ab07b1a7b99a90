/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod.c - the module's control device: opened, and asked what it can do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kmod_private.h"

GM_KMOD_SAME(GM_KMOD_CAP_ALLOC, GUESTMEM_CAP_ALLOC);
GM_KMOD_SAME(GM_KMOD_CAP_PIN, GUESTMEM_CAP_PIN);
GM_KMOD_SAME(GM_KMOD_CAP_HUGE, GUESTMEM_CAP_HUGE);
GM_KMOD_SAME(GM_KMOD_CAP_REVOKE, GUESTMEM_CAP_REVOKE);
GM_KMOD_SAME(GM_KMOD_CAP_DEVICE, GUESTMEM_CAP_DEVICE);
GM_KMOD_SAME(GM_KMOD_CAP_UNSAFE_NOIOMMU, GUESTMEM_CAP_UNSAFE_NOIOMMU);
GM_KMOD_SAME(GM_KMOD_CAP_LAZY_IOMMU, GUESTMEM_CAP_LAZY_IOMMU);
GM_KMOD_SAME(GM_KMOD_CAP_UNSAFE_INTERRUPTS, GUESTMEM_CAP_UNSAFE_INTERRUPTS);
GM_KMOD_SAME(GM_KMOD_CAP_REGISTERS, GUESTMEM_CAP_REGISTERS);
GM_KMOD_SAME(GM_KMOD_CAP_INTERRUPTS, GUESTMEM_CAP_INTERRUPTS);

struct gm_kmod {
	struct gm_file *file;
	uint32_t refs;
};

int gm_kmod_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, cmd, arg);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

static bool is_missing(int err)
{
	return err == ENOENT || err == ENOTDIR || err == ENXIO ||
	       err == ENODEV;
}

int gm_kmod_open_node(const char *path, enum gm_error_kind missing,
		      const char *name, int *fd)
{
	int n;

	do {
		n = open(path, O_RDWR | O_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n >= 0) {
		*fd = n;
		return 0;
	}
	if (is_missing(errno))
		return gm_error_set_name(-errno, missing, 0, 0, name);
	if (errno == EACCES || errno == EPERM)
		return gm_error_set_name(-errno, GM_ERR_NOT_PERMITTED, 0, 0,
					 name);
	return gm_error_set_name(-errno, GM_ERR_IO, 0, 0, name);
}

int gm_kmod_probe_error(int ret, int other, enum gm_error_kind kind,
			const char *name)
{
	switch (ret) {
	case -ENOTTY:
	case -EINVAL:
		return gm_error_set_name(other, kind, 0, 0, name);
	case -EACCES:
	case -EPERM:
		return gm_error_set_name(ret, GM_ERR_NOT_PERMITTED, 0, 0,
					 name);
	default:
		return gm_error_set_name(ret, GM_ERR_IO, 0, 0, name);
	}
}

static int query(int fd, struct gm_kmod_info *out)
{
	struct guestmem_info arg = { .size = sizeof(arg) };
	int ret = gm_kmod_ioctl(fd, GUESTMEM_INFO, &arg);

	if (ret)
		return ret;
	memset(out, 0, sizeof(*out));
	out->caps = arg.capabilities;
	out->page_sizes = arg.page_sizes;
	out->max_length = arg.max_length;
	out->locked = arg.locked;
	out->locked_limit = arg.locked_limit;
	return 0;
}

static int kmod_new(int fd, const char *name, struct gm_kmod **out)
{
	struct gm_kmod_info info;
	struct gm_kmod *k;
	int ret;

	ret = query(fd, &info);
	if (ret)
		return gm_kmod_probe_error(ret, -ENODEV, GM_ERR_NO_MODULE,
					   name);
	k = malloc(sizeof(*k));
	if (!k)
		return gm_error_memory(sizeof(*k));
	ret = gm_file_new(fd, &k->file);
	if (ret) {
		free(k);
		return ret;
	}
	k->refs = 1;
	*out = k;
	return 0;
}

int gm_kmod_open(const char *path, struct gm_kmod **out)
{
	int fd, ret;

	if (!path)
		path = GM_KMOD_CONTROL;
	ret = gm_kmod_open_node(path, GM_ERR_NO_MODULE, path, &fd);
	if (ret)
		return ret;
	ret = kmod_new(fd, path, out);
	if (ret)
		close(fd);
	return ret;
}

int gm_kmod_new(int fd, struct gm_kmod **out)
{
	return kmod_new(fd, NULL, out);
}

struct gm_kmod *gm_kmod_get(struct gm_kmod *k)
{
	gm_ref_inc(&k->refs);
	return k;
}

void gm_kmod_put(struct gm_kmod *k)
{
	if (!k || !gm_ref_dec_is_last(&k->refs))
		return;
	gm_file_put(k->file);
	free(k);
}

int gm_kmod_fd(const struct gm_kmod *k)
{
	return gm_file_fd(k->file);
}

int gm_kmod_query(const struct gm_kmod *k, struct gm_kmod_info *out)
{
	int ret = query(gm_kmod_fd(k), out);

	return ret ? gm_error_set(ret, GM_ERR_IO, 0, 0) : 0;
}
