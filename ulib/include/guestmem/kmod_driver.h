/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod_driver.h - what a driver in user space needs of its device beside DMA: which
 * device it is, its registers, its interrupts.
 *
 * All of it comes from the device that kmod.h opens: a process that has that file
 * needs no other, in sysfs or elsewhere.
 */
#ifndef GUESTMEM_KMOD_DRIVER_H
#define GUESTMEM_KMOD_DRIVER_H

#include <guestmem/kmod.h>

GM_BEGIN_DECLS

/**
 * struct gm_kmod_device_info - which device it is, and what it has
 * @vendor: as in its configuration space
 * @device: the same
 * @subsystem_vendor: the same
 * @subsystem_device: the same
 * @class_revision: class, subclass, programming interface, revision: a byte each, the
 *	class in the highest
 * @bars: bit n: gm_kmod_bar_map() maps BAR n
 * @interrupts: how many gm_kmod_device_interrupts() can set up
 * @reserved: zero
 */
struct gm_kmod_device_info {
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem_device;
	uint32_t class_revision;
	uint32_t bars;
	uint32_t interrupts;
	uint32_t reserved[3];
};

GM_STATIC_ASSERT(sizeof(struct gm_kmod_device_info) == 32, "ABI");

/**
 * gm_kmod_device_query() - which device it is, and what it has
 * @d: the device
 * @out: answer
 *
 * Return: 0; -ENODEV (GM_ERR_NO_DEVICE) it has been unbound; -ENOTTY, -EINVAL
 * (GM_ERR_IO) the module is older than this.
 */
GM_API int gm_kmod_device_query(const struct gm_kmod_device *d,
				struct gm_kmod_device_info *out);

/**
 * struct gm_kmod_bar - registers of a device, mapped
 * @regs: the first one; each access to a register is one of its own size, uncached
 * @len: bytes
 * @process: that has them mapped; the library's
 * @reserved: zero
 */
struct gm_kmod_bar {
	volatile void *regs;
	uint64_t len;
	uint32_t process;
	uint32_t reserved;
};

GM_STATIC_ASSERT(sizeof(struct gm_kmod_bar) == 24, "ABI");

/**
 * gm_kmod_bar_map() - map a device's registers
 * @d: the device
 * @bar: which, 0 to 5
 * @out: where they are, for gm_kmod_bar_unmap()
 *
 * While they are mapped the device stays open: it is reset after both the mapping and
 * the last reference to @d are gone. When the device is unbound meanwhile, they read as
 * all ones, as if it had been pulled out, until something is written there. A forked
 * child does not have them. Any number of threads at once.
 *
 * Return: 0; -ENOENT (GM_ERR_OPTION) no such BAR of memory, or one that is not whole
 * pages; -EINVAL (GM_ERR_OPTION) @bar is above 5; -EPERM, -EOPNOTSUPP (GM_ERR_POLICY)
 * as gm_kmod_map_new(); -ENODEV (GM_ERR_NO_DEVICE) it has been unbound; -ENOTTY
 * (GM_ERR_IO) the module is older than this; -ENOMEM (GM_ERR_MMAP) of mmap().
 */
GM_API int gm_kmod_bar_map(struct gm_kmod_device *d, unsigned int bar,
			   struct gm_kmod_bar *out);

/**
 * gm_kmod_bar_unmap() - undo gm_kmod_bar_map()
 * @b: what that gave; zeroes, or unmapped before, does nothing
 *
 * A forked child that undoes its parent's leaves all that it has itself at that address.
 */
GM_API void gm_kmod_bar_unmap(struct gm_kmod_bar *b);

/**
 * gm_kmod_device_interrupts() - have a device's interrupts signal eventfds
 * @d: the device
 * @eventfds: interrupt n signals the n-th one; -1: it is not wanted. They stay the
 *	caller's, who may close them
 * @count: how many; 0 ends all that there are, and @eventfds may be NULL
 *
 * Interrupts are messages (MSI-X, MSI), which the device can send from its first map
 * on (gm_kmod_map_new()). When it returns for 0, no eventfd is signalled any more.
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS) the device has not so many; -EBADF,
 * -EINVAL (GM_ERR_OPTION) one is no eventfd; -EBUSY (GM_ERR_OPTION) there are some:
 * end them first; -EPERM, -EOPNOTSUPP (GM_ERR_POLICY) as gm_kmod_map_new(); -ENOSPC
 * (GM_ERR_IO) the machine has not so many left; -ENOMEM (GM_ERR_MEMORY); -ENODEV
 * (GM_ERR_NO_DEVICE) it has been unbound; -ENOTTY (GM_ERR_IO) the module is older
 * than this. Nothing has changed then.
 */
GM_API int gm_kmod_device_interrupts(struct gm_kmod_device *d,
				     const int *eventfds, uint32_t count);

GM_END_DECLS

#endif /* GUESTMEM_KMOD_DRIVER_H */
