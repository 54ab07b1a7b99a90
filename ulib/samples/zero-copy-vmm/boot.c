/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * boot.c - a CPU that begins in long mode: page tables that map the first gigabytes as
 * they are, segments, and a page of facts for the program.
 *
 * All of it is written by guest address, through a view: which region an address is
 * in, and where that is in the host, is nothing to know here.
 */
#include <string.h>

#include "boot.h"

#define PAGE		0x1000u
#define ENTRIES		512u
#define PTE_PRESENT	(1u << 0)
#define PTE_WRITE	(1u << 1)
#define PTE_USER	(1u << 2)
#define PTE_LARGE	(1u << 7)
#define LARGE_SHIFT	21

/*
 * The program is in ring 3, with I/O allowed: it needs no more, and where KVM has to
 * emulate a guest's ring 0 (PVM), it runs a thousand times faster so.
 */
#define RING		3u

/* The selectors that Linux wants; of ring 0, and with the other ring's bits. */
#define SELECTOR_CODE	0x10u
#define SELECTOR_DATA	0x18u
#define GDT_CODE	0x00af9b000000ffffull
#define GDT_DATA	0x00cf93000000ffffull
#define GDT_DPL_SHIFT	45

#define CR0_PE		(1u << 0)
#define CR0_NE		(1u << 5)
#define CR0_WP		(1u << 16)
#define CR0_PG		(1u << 31)
#define CR4_PAE		(1u << 5)
#define RFLAGS_IOPL	(3u << 12)
#define EFER_LME	(1u << 8)
#define EFER_LMA	(1u << 10)

static int write_tables(struct gm_view *v)
{
	uint64_t table = PTE_PRESENT | PTE_WRITE | PTE_USER, i;
	int err = gm_view_write_le64(v, gm_gpa(BOOT_PML4), BOOT_PDPT | table);

	for (i = 0; i < BOOT_PDS && !err; i++)
		err = gm_view_write_le64(v, gm_gpa(BOOT_PDPT + i * 8),
					 (BOOT_PD + i * PAGE) | table);
	for (i = 0; i < BOOT_PDS * ENTRIES && !err; i++)
		err = gm_view_write_le64(v, gm_gpa(BOOT_PD + i * 8),
					 i << LARGE_SHIFT | table | PTE_LARGE);
	return err;
}

static int write_gdt(struct gm_view *v, uint64_t ring)
{
	uint64_t dpl = ring << GDT_DPL_SHIFT;
	int err = gm_view_write_le64(v, gm_gpa(BOOT_GDT + SELECTOR_CODE), GDT_CODE | dpl);

	return err ? err : gm_view_write_le64(v, gm_gpa(BOOT_GDT + SELECTOR_DATA),
					      GDT_DATA | dpl);
}

int boot_write_tables(struct gm_view *v, unsigned int ring)
{
	int err = write_tables(v);

	return err ? err : write_gdt(v, ring);
}

int boot_write(const struct gm_map *map, struct boot_info *info)
{
	struct gm_view view;
	size_t i;
	int err;

	gm_view_init(&view, map);
	info->magic = BOOT_MAGIC;
	for (i = 0; i < gm_map_count(map) && i < BOOT_REGIONS; i++) {
		struct gm_region *region = gm_map_region(map, i);

		info->regions[i].base = gm_gpa_raw(gm_region_start(region));
		info->regions[i].len = gm_region_len(region);
	}
	info->region_count = i;
	err = boot_write_tables(&view, RING);
	if (!err)
		err = gm_view_write(&view, gm_gpa(BOOT_INFO), info, sizeof(*info));
	return err;
}

void boot_set_long_mode(struct kvm_sregs *sregs, uint8_t ring)
{
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = (uint16_t)(SELECTOR_CODE | ring), .type = 11,
		.present = 1, .dpl = ring, .s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = (uint16_t)(SELECTOR_DATA | ring), .type = 3,
		.present = 1, .dpl = ring, .s = 1, .db = 1, .g = 1,
	};

	sregs->cs = code;
	sregs->ds = data;
	sregs->es = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->ss = data;
	sregs->gdt.base = BOOT_GDT;
	sregs->gdt.limit = SELECTOR_DATA + 8 - 1;
	/* No handler for anything: a fault shuts the machine down. */
	sregs->idt.limit = 0;
	sregs->cr0 = CR0_PE | CR0_NE | CR0_WP | CR0_PG;
	sregs->cr3 = BOOT_PML4;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
}

void boot_set_registers(uint64_t entry, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	boot_set_long_mode(sregs, RING);
	memset(regs, 0, sizeof(*regs));
	regs->rip = entry;
	regs->rdi = BOOT_INFO;
	regs->rflags = RFLAGS_IOPL | 2;
}
