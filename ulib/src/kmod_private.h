/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod_private.h - what the parts of the module's backend share.
 */
#ifndef GM_KMOD_PRIVATE_H
#define GM_KMOD_PRIVATE_H

#include <linux/guestmem.h>

#include "internal.h"

#define GM_KMOD_CONTROL "/dev/guestmem"
#define GM_KMOD_DEVICES "/dev/guestmem-dev/"

/* A number of kmod.h is the one of the ioctl header. */
#define GM_KMOD_SAME(ours, theirs) \
	GM_STATIC_ASSERT((ours) == (uint64_t)(theirs), "one ABI")

/* 0 or a negative errno, without gm_error. Interrupted calls are made again. */
int gm_kmod_ioctl(int fd, unsigned long cmd, void *arg);

/*
 * Opens a node. The error says that there is none (@missing, about @name), that
 * it may not be opened, or what else.
 */
int gm_kmod_open_node(const char *path, enum gm_error_kind missing,
		      const char *name, int *fd);

/*
 * The failure of an ioctl that a file of the module's answers: @fd is something
 * else (@other, @kind), may not be used so, or what it is.
 */
int gm_kmod_probe_error(int ret, int other, enum gm_error_kind kind,
			const char *name);

int gm_kmod_fd(const struct gm_kmod *k);
int gm_kmod_device_fd(const struct gm_kmod_device *d);

/* The descriptor that the module knows a region by, and where it is in it. */
int gm_kmod_region_fd(const struct gm_region *r, int *fd, uint64_t *off);

/* @len rounded up to the system's pages. */
int gm_kmod_round_up(uint64_t len, uint64_t page, uint64_t *out);

#endif /* GM_KMOD_PRIVATE_H */
