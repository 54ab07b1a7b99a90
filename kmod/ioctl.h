/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUESTMEM_IOCTL_H
#define GUESTMEM_IOCTL_H

#include <linux/fs.h>
#include <linux/types.h>
#include <linux/guestmem.h>

/**
 * struct guestmem_ucmd - one ioctl call
 * @file: the file it was made on
 * @ubuffer: the caller's struct
 * @user_size: the size of it
 * @size: the size of ours
 * @cmd: the copy of it that is worked on; longer if the caller's is shorter
 */
struct guestmem_ucmd {
	struct file *file;
	void __user *ubuffer;
	u32 user_size;
	u32 size;
	void *cmd;
};

/**
 * struct guestmem_ioctl_op - one kind of ioctl
 * @cmd: its number
 * @size: size of its struct
 * @min_size: size that the struct had in its first version
 * @execute: does the work; gives out what it has to by guestmem_respond()
 */
struct guestmem_ioctl_op {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	int (*execute)(struct guestmem_ucmd *ucmd);
};

/* @last is the last field of the struct's first version. */
#define GUESTMEM_IOCTL_OP(_cmd, _fn, _struct, last)			\
	[_IOC_NR(_cmd) & 0x3f] = {					\
		.cmd = _cmd,						\
		.size = sizeof(_struct) + BUILD_BUG_ON_ZERO(		\
			sizeof(_struct) > GUESTMEM_IOCTL_SIZE_MAX),	\
		.min_size = offsetofend(_struct, last),			\
		.execute = _fn,						\
	}

/* No struct of ours is longer; so that one fits the stack. */
#define GUESTMEM_IOCTL_SIZE_MAX	128

long guestmem_ioctl(const struct guestmem_ioctl_op *ops, unsigned int nops,
		    struct file *file, unsigned int cmd, unsigned long arg);
int guestmem_respond(struct guestmem_ucmd *ucmd);

#endif /* GUESTMEM_IOCTL_H */
