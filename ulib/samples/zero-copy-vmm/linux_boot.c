/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * linux_boot.c - the 64-bit boot protocol (the kernel's Documentation/x86/boot.rst): a
 * kernel that is not compressed, as an ELF file, is entered in long mode with a page
 * of parameters.
 */
#define _GNU_SOURCE
#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../virtio/reason.h"
#include "acpi.h"
#include "boot.h"
#include "linux_boot.h"

#define PARAMS		0x10000u
#define CMDLINE		0x20000u
#define CMDLINE_MAX	2048u
#define PAGE		0x1000u

/* RAM below the holes of a PC; ACPI's tables are in one. */
#define LOW_END		0x9fc00u
#define HIGH_START	LINUX_MIN

#define E820_RAM	1u
#define MAGIC_FLAG	0xaa55u
#define MAGIC_HDRS	0x53726448u
#define LOADER_OTHER	0xffu

static void add_ram(struct boot_params *p, uint64_t start, uint64_t end)
{
	struct boot_e820_entry *e = &p->e820_table[p->e820_entries];

	if (end <= start || p->e820_entries == E820_MAX_ENTRIES_ZEROPAGE)
		return;
	*e = (struct boot_e820_entry){ .addr = start, .size = end - start, .type = E820_RAM };
	p->e820_entries++;
}

static void describe_ram(struct boot_params *p, const struct gm_map *map)
{
	size_t i;

	for (i = 0; i < gm_map_count(map); i++) {
		struct gm_region *r = gm_map_region(map, i);
		uint64_t start = gm_gpa_raw(gm_region_start(r));
		uint64_t end = start + gm_region_len(r);

		if (start < LOW_END)
			add_ram(p, start, end < LOW_END ? end : LOW_END);
		add_ram(p, start < HIGH_START ? HIGH_START : start, end);
	}
}

/* At the end of the last region below 4 GiB; the kernel comes before it. */
static int load_initrd(struct boot_params *p, struct gm_view *v, const struct gm_map *map,
		       uint64_t kernel_end, int fd)
{
	struct gm_fd_source file;
	uint64_t end = 0, start;
	struct stat st;
	size_t i;
	int err;

	for (i = 0; i < gm_map_count(map); i++) {
		struct gm_region *r = gm_map_region(map, i);

		if (gm_gpa_raw(gm_region_start(r)) < UINT32_MAX)
			end = gm_gpa_raw(gm_region_start(r)) + gm_region_len(r);
	}
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0 || (uint64_t)st.st_size > end)
		return -EFBIG;
	start = (end - (uint64_t)st.st_size) & ~(uint64_t)(PAGE - 1);
	if (start < kernel_end)
		return -EFBIG;
	gm_fd_source_init_at(&file, fd, 0);
	err = gm_view_read_exact_from(v, gm_gpa(start), &file.source, (uint64_t)st.st_size);
	p->hdr.ramdisk_image = (uint32_t)start;
	p->hdr.ramdisk_size = (uint32_t)st.st_size;
	return err;
}

static int add_initrd(struct boot_params *p, struct gm_view *v, const struct gm_map *map,
		      uint64_t kernel_end, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return because(-errno, "%s: %s", path, strerror(errno));
	err = load_initrd(p, v, map, kernel_end, fd);
	close(fd);
	return err ? because(err, "%s: %s", path, strerror(-err)) : 0;
}

int linux_write(const struct gm_map *map, uint64_t kernel_end, const char *initrd,
		const char *cmdline)
{
	struct boot_params p = {
		.acpi_rsdp_addr = ACPI_BASE,
		.hdr = {
			.boot_flag = MAGIC_FLAG, .header = MAGIC_HDRS, .version = 0x20f,
			.type_of_loader = LOADER_OTHER, .loadflags = LOADED_HIGH,
			.cmd_line_ptr = CMDLINE, .cmdline_size = CMDLINE_MAX,
			.kernel_alignment = 0x1000000,
		},
	};
	struct gm_view view;
	int err;

	if (strlen(cmdline) >= CMDLINE_MAX)
		return because(-E2BIG, "a command line that is too long");
	gm_view_init(&view, map);
	describe_ram(&p, map);
	err = initrd ? add_initrd(&p, &view, map, kernel_end, initrd) : 0;
	if (err)
		return err;
	err = boot_write_tables(&view, 0);
	if (!err)
		err = acpi_write(map);
	if (!err)
		err = gm_view_write(&view, gm_gpa(CMDLINE), cmdline, strlen(cmdline) + 1);
	if (!err)
		err = gm_view_write(&view, gm_gpa(PARAMS), &p, sizeof(p));
	return err ? because_gm(err, "boot parameters") : 0;
}

void linux_set_registers(uint64_t entry, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	boot_set_long_mode(sregs, 0);
	memset(regs, 0, sizeof(*regs));
	regs->rip = entry;
	regs->rsi = PARAMS;
	regs->rflags = 2;
}
