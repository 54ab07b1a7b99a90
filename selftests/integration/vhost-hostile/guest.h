/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest.h - the guest's memory, of which every byte has an owner.
 *
 *	file    |gap|   region 0   |gap|   region 1   |gap|   region 2   |gap|
 *	guest       0             1M                 2M      256M
 *
 * Regions 0 and 1 meet in the guest's address space and nowhere else. What the
 * device may write has been given out by guest_alloc(). All else, in the gaps
 * and in the regions, has a known content and must keep it.
 */
#ifndef GUEST_H
#define GUEST_H

#include "client.h"

#define MIB (1024ull * 1024)
#define REGIONS 3
#define REGION_SIZE (1 * MIB)
#define GAP_SIZE (64 * 1024ull)
#define FILE_SIZE (REGIONS * REGION_SIZE + (REGIONS + 1) * GAP_SIZE)

#define HOLE_GPA (2 * MIB)
#define NOWHERE_GPA (1ull << 40)

/**
 * struct guest - memory, in which the case's process and main's meet
 * @fd: the file
 * @file: all of it, mapped at the same place in both
 * @regions: what the device is told
 * @next: where the free part of each region begins
 * @owned: what was given out, by offset in the file
 * @owned_count: how many
 */
struct guest {
	int fd;
	uint8_t *file;
	struct wire_region regions[REGIONS];
	uint64_t next[REGIONS];
	struct {
		uint64_t off;
		uint64_t len;
	} owned[4096];
	unsigned int owned_count;
};

struct guest *guest_new(void);

/* All memory is as nobody had touched it. */
void guest_reset(struct guest *g);

/* Is all that was not given out as it was? If not, says where. */
bool guest_is_intact(const struct guest *g);

/* The same in the middle of a case: nothing of what was may be lost unseen. */
void guest_renew(struct world *w);

/*
 * Memory that the device may touch, zeroed; never next to another piece of it.
 */
uint64_t guest_alloc(struct guest *g, unsigned int region, uint64_t len, uint64_t align);

/* Give out exactly this range, which may reach over regions that meet. */
void guest_own(struct guest *g, uint64_t gpa, uint64_t len);

/* Where a byte is; how the front-end calls it. */
void *guest_ptr(const struct guest *g, uint64_t gpa);
uint64_t guest_user(const struct guest *g, uint64_t gpa);

/* Tell the device of all regions. */
void guest_share(struct guest *g, struct conn *c);

#endif /* GUEST_H */
