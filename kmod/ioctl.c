/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structs that grow: in from user space, and out again.
 */
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "ioctl.h"

/**
 * guestmem_ioctl() - take one ioctl call
 * @ops: what this kind of file knows, by the low bits of the number
 * @nops: entries in @ops
 * @file: the file
 * @cmd: number
 * @arg: the caller's struct
 *
 * Return: what the ioctl gives, or an error of the general format.
 */
long guestmem_ioctl(const struct guestmem_ioctl_op *ops, unsigned int nops,
		    struct file *file, unsigned int cmd, unsigned long arg)
{
	u64 buffer[GUESTMEM_IOCTL_SIZE_MAX / sizeof(u64)];
	struct guestmem_ucmd ucmd = {
		.file = file,
		.ubuffer = (void __user *)arg,
		.cmd = buffer,
	};
	const struct guestmem_ioctl_op *op;
	unsigned int nr = _IOC_NR(cmd) & 0x3f;
	int err;

	if (nr >= nops)
		return -ENOTTY;
	op = &ops[array_index_nospec(nr, nops)];
	if (!op->execute || op->cmd != cmd)
		return -ENOTTY;

	if (get_user(ucmd.user_size, (u32 __user *)ucmd.ubuffer))
		return -EFAULT;
	if (ucmd.user_size < op->min_size)
		return -EINVAL;
	if (ucmd.user_size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(buffer, op->size, ucmd.ubuffer,
				    ucmd.user_size);
	if (err)
		return err;
	/* It was read twice; the one that was checked counts. */
	*(u32 *)buffer = ucmd.user_size;
	ucmd.size = op->size;
	return op->execute(&ucmd);
}

/**
 * guestmem_respond() - give the struct back to the caller
 * @ucmd: the call
 *
 * As much of it as the caller knows.
 *
 * Return: 0, or -EFAULT.
 */
int guestmem_respond(struct guestmem_ucmd *ucmd)
{
	if (copy_to_user(ucmd->ubuffer, ucmd->cmd,
			 min(ucmd->user_size, ucmd->size)))
		return -EFAULT;
	return 0;
}
