/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod_driver.c - a device's identity, registers and interrupts.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <guestmem/kmod_driver.h>

#include "kmod_private.h"

/* What may go wrong with any of these ioctls; @bad: what is particular to one. */
static int driver_error(const struct gm_kmod_device *d, int ret, bool bad,
			uint64_t value)
{
	const char *name = gm_kmod_device_name(d);

	if (bad)
		return gm_error_set_name(ret, GM_ERR_OPTION, 0, value, name);
	switch (ret) {
	case -ENODEV:
		return gm_error_set_name(ret, GM_ERR_NO_DEVICE, 0, 0, name);
	case -EPERM:
	case -EOPNOTSUPP:
		return gm_error_set_name(ret, GM_ERR_POLICY, 0, 0, name);
	case -ENOMEM:
		return gm_error_set_name(ret, GM_ERR_MEMORY, 0, 0, name);
	default:
		return gm_error_set_name(ret, GM_ERR_IO, 0, 0, name);
	}
}

int gm_kmod_device_query(const struct gm_kmod_device *d,
			 struct gm_kmod_device_info *out)
{
	struct guestmem_device_info arg = { .size = sizeof(arg) };
	int ret = gm_kmod_ioctl(gm_kmod_device_fd(d), GUESTMEM_DEVICE_INFO,
				&arg);

	if (ret)
		return driver_error(d, ret, false, 0);
	memset(out, 0, sizeof(*out));
	out->vendor = arg.vendor;
	out->device = arg.device;
	out->subsystem_vendor = arg.subsystem_vendor;
	out->subsystem_device = arg.subsystem_device;
	out->class_revision = arg.class_revision;
	out->bars = arg.bars;
	out->interrupts = arg.interrupts;
	return 0;
}

int gm_kmod_bar_map(struct gm_kmod_device *d, unsigned int bar,
		    struct gm_kmod_bar *out)
{
	struct guestmem_bar arg = { .size = sizeof(arg), .bar = bar };
	void *p;
	int ret;

	ret = gm_kmod_ioctl(gm_kmod_device_fd(d), GUESTMEM_BAR, &arg);
	if (ret)
		return driver_error(d, ret, ret == -EINVAL || ret == -ENOENT,
				    bar);
	p = mmap(NULL, arg.length, PROT_READ | PROT_WRITE, MAP_SHARED,
		 gm_kmod_device_fd(d), (off_t)arg.offset);
	if (p == MAP_FAILED) {
		ret = -errno;
		if (ret == -ENODEV)
			return driver_error(d, ret, false, 0);
		return gm_error_set(ret, GM_ERR_MMAP, 0, arg.length);
	}
	*out = (struct gm_kmod_bar){
		.regs = p, .len = arg.length, .process = gm_os_process(),
	};
	return 0;
}

void gm_kmod_bar_unmap(struct gm_kmod_bar *b)
{
	/* A child has something else there by now. */
	if (b->regs && b->process == gm_os_process())
		munmap((void *)(uintptr_t)b->regs, b->len);
	*b = (struct gm_kmod_bar){ .regs = NULL };
}

int gm_kmod_device_interrupts(struct gm_kmod_device *d, const int *eventfds,
			      uint32_t count)
{
	struct guestmem_interrupts arg = {
		.size = sizeof(arg),
		.count = count,
		.fds = (uintptr_t)eventfds,
	};
	int ret = gm_kmod_ioctl(gm_kmod_device_fd(d), GUESTMEM_INTERRUPTS,
				&arg);

	if (ret == -ERANGE)
		return gm_error_set_name(ret, GM_ERR_OUT_OF_BOUNDS, 0, count,
					 gm_kmod_device_name(d));
	if (ret)
		return driver_error(d, ret, ret == -EBADF || ret == -EINVAL ||
				    ret == -EBUSY, count);
	return 0;
}
