/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * boot_info.h - what the VMM tells the guest program, and how that answers. Both
 * are compiled with this file.
 */
#ifndef BOOT_INFO_H
#define BOOT_INFO_H

#include <stdint.h>

/* Below this the VMM puts what a virtual CPU begins with; the program is above. */
#define BOOT_INFO	0x1000u
#define BOOT_GDT	0x2000u
#define BOOT_PML4	0x3000u
#define BOOT_PDPT	0x4000u
#define BOOT_PD		0x5000u
#define BOOT_PDS	8u		/* GiB that are mapped, as they are */
#define BOOT_END	0x10000u

#define BOOT_MAGIC	0x6f666e69746f6f62ull
#define BOOT_REGIONS	4u
#define BOOT_MODE_MAX	32u

/*
 * I/O ports: a byte of text; the end of the run with a status, 0 is good; have the last
 * region of RAM unplugged, which is gone when the instruction is done
 */
#define PORT_CONSOLE	0xe9
#define PORT_EXIT	0xf4
#define PORT_UNPLUG	0xf6

struct boot_region {
	uint64_t base;
	uint64_t len;
};

/**
 * struct boot_info - at BOOT_INFO, and in rdi at the program's entry
 * @magic: BOOT_MAGIC
 * @device: registers of the virtio-mmio device
 * @repeat: how often
 * @size: bytes of a request, for the modes that measure
 * @depth: requests in flight, for the same
 * @region_count: regions of RAM
 * @regions: where they are, in order of address
 * @mode: what to do, a string
 */
struct boot_info {
	uint64_t magic;
	uint64_t device;
	uint64_t repeat;
	uint64_t size;
	uint64_t depth;
	uint64_t region_count;
	struct boot_region regions[BOOT_REGIONS];
	char mode[BOOT_MODE_MAX];
};

#endif /* BOOT_INFO_H */
