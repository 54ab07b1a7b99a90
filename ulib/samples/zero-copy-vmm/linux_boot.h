/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * linux_boot.h - what a Linux kernel finds in memory and in registers when it begins.
 */
#ifndef LINUX_BOOT_H
#define LINUX_BOOT_H

#include <linux/kvm.h>

#include <guestmem.h>

/* A kernel may not lie below: what it is told is there. */
#define LINUX_MIN	0x100000u

/*
 * Write what the 64-bit boot protocol wants: a page of parameters, the command line, page
 * tables; and load the file @initrd, unless it is NULL. The kernel is loaded already, and
 * ends at @kernel_end.
 *
 * Return: 0; a negative errno with because(), of which -EFBIG: an initrd that does not fit
 * between the kernel and the end of memory below 4 GiB.
 */
int linux_write(const struct gm_map *map, uint64_t kernel_end, const char *initrd,
		const char *cmdline);

/* As boot_set_registers(), in ring 0. */
void linux_set_registers(uint64_t entry, struct kvm_regs *regs, struct kvm_sregs *sregs);

#endif /* LINUX_BOOT_H */
