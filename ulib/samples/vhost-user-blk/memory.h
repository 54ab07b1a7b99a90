/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * memory.h - the guest's memory, as the front-end gives it out.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <guestmem.h>

#include "vhost_user.h"

/* Slots that GET_MAX_MEM_SLOTS promises. Each takes one of the library's 1,024
 * fault watches, and during SET_MEM_TABLE old and new are there at once.
 */
#define MEMORY_MAX_SLOTS 256

/**
 * struct memory_slot - one region that the front-end has shared
 * @wire: what it said of it
 * @region: the region in the map, borrowed from there
 * @backing: the library's mapping that it lies in; the same, as a rule
 */
struct memory_slot {
	struct vu_region wire;
	struct gm_region *region;
	struct gm_region *backing;
};

/**
 * struct memory - all of them
 * @map: the map of the guest's memory; NULL before there is any
 * @slots: what is in it, in no order
 * @count: how many
 *
 * A map never changes. Each change of the table makes a new one, which shares
 * the regions that stay, so whoever holds a reference to the old one can finish
 * what it does.
 */
struct memory {
	struct gm_map *map;
	struct memory_slot slots[MEMORY_MAX_SLOTS];
	size_t count;
};

void memory_init(struct memory *m);
void memory_exit(struct memory *m);

/*
 * Add one region; replace all of them. Descriptors that are kept are taken out
 * of @fds (set to -1); the others stay the caller's. On failure the memory is as
 * it was, and a descriptor that was taken is closed.
 *
 * Return: 0; a negative errno with because().
 */
int memory_add(struct memory *m, const struct vu_region *wire, int *fd);
int memory_replace(struct memory *m, const struct vu_mem_table *table, int *fds);

/* Remove the region that was added as @wire. Return: 0; -ENOENT, -ENOMEM. */
int memory_remove(struct memory *m, const struct vu_region *wire);

/* The guest address behind an address of the front-end's. Return: 0; -EFAULT. */
int memory_user_to_gpa(const struct memory *m, uint64_t user, gm_gpa_t *gpa);

/* The same for a range, which must be in one region. */
int memory_user_range(const struct memory *m, uint64_t user, uint64_t len, gm_gpa_t *gpa);

/* Has memory been taken away under us? Return: 0; -EIO. */
int memory_fault(const struct memory *m);

#endif /* MEMORY_H */
