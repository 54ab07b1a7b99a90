/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod_fake.h - answers in the place of the kernel module, for what a real one
 * can't be made to answer at will. What the real one does is tested in
 * selftests/kmod.
 *
 * ioctl() of the unit tests comes here first (--wrap), and to xen_fake.h and kvm_fake.h.
 * Files that are none of the pretended ones go on to the kernel.
 */
#ifndef SELFTESTS_UNIT_KMOD_FAKE_H
#define SELFTESTS_UNIT_KMOD_FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/guestmem.h>

#define KMOD_FAKE_COMMANDS (GUESTMEM_CMD_BAR + 1)
#define KMOD_FAKE_ADDRESS UINT64_C(0x10000000)
#define KMOD_FAKE_BAR UINT64_C(0x100000)	/* length */

/**
 * struct kmod_fake - what it is to answer, and what it was asked
 * @fail: by GUESTMEM_CMD_*: the errno to fail with; 0: none
 * @calls: by GUESTMEM_CMD_*: how often it was called
 * @gone: the device was unbound
 * @map_properties: of maps
 * @region_properties: of regions
 * @piece: longest segment; 0: a map is one
 * @segments: how many MAP says there are; 0: as many as QUERY tells
 * @edit: changes the answer of QUERY; NULL: it is right
 * @map: what MAP was asked last
 * @sync: what SYNC was asked last
 * @others: told of each ioctl() that is the kernel's, before it is done; may be NULL
 */
struct kmod_fake {
	int fail[KMOD_FAKE_COMMANDS];
	unsigned int calls[KMOD_FAKE_COMMANDS];
	bool gone;
	uint32_t map_properties;
	uint32_t region_properties;
	uint64_t piece;
	uint32_t segments;
	void (*edit)(struct guestmem_segment *segs, uint32_t count);
	struct guestmem_map map;
	struct guestmem_sync sync;
	void (*others)(unsigned long cmd);
};

/* One a process; each test of the harness has a process of its own. */
extern struct kmod_fake kmod_fake;

/* A descriptor of the control device, or of a device; negative: no memory. */
int kmod_fake_control(void);
int kmod_fake_device(void);

/* Maps that are there. */
int kmod_fake_maps(void);

#endif /* SELFTESTS_UNIT_KMOD_FAKE_H */
