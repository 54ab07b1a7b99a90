/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * boot.h - what is in memory and in registers when the guest program begins.
 */
#ifndef BOOT_H
#define BOOT_H

#include <linux/kvm.h>

#include <guestmem.h>

#include "guest/boot_info.h"

/*
 * Write page tables, descriptor table and @info to guest memory; the regions of @map
 * are added to @info. Return: 0; an error of guest memory.
 */
int boot_write(const struct gm_map *map, struct boot_info *info);

/* Page tables, and segments of that ring. Return: 0; an error of guest memory. */
int boot_write_tables(struct gm_view *v, unsigned int ring);

/* Long mode, segments of that ring; @sregs comes with what KVM has in there. */
void boot_set_long_mode(struct kvm_sregs *sregs, uint8_t ring);

/* The same for the program; @sregs comes with what KVM has in there. */
void boot_set_registers(uint64_t entry, struct kvm_regs *regs, struct kvm_sregs *sregs);

#endif /* BOOT_H */
