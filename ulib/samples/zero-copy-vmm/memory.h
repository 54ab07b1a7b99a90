/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * memory.h - the guest's RAM, and who has written to it.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <guestmem.h>

/* RAM in MiB that there may be. */
#define MEMORY_MIN	32u
#define MEMORY_MAX	2048u

/*
 * Make RAM: 16 MiB at 0, half of the rest behind it, and half at 4 GiB. The first
 * two are one piece to the guest and two to the host.
 *
 * @module: the kernel module; NULL: it is looked for
 * @choice: whose memory it became, and why not the module's
 *
 * Return: 0; an error of gm_map_new_auto().
 */
int memory_new(uint64_t mib, struct gm_kmod *module, struct gm_map **map,
	       struct gm_choice *choice);

/*
 * All of it but the last region, which the disk still reaches: gm_map_remove() would not
 * have that. Return: 0; an error of gm_map_new().
 */
int memory_less(const struct gm_map *map, struct gm_map **out);

/* Forget what was written so far. */
void memory_clean(const struct gm_map *map);

/**
 * struct memory_dirty - pages written, all regions together
 * @vcpu: by virtual CPUs
 * @device: by the device
 * @both: by one of them or both
 */
struct memory_dirty {
	uint64_t vcpu;
	uint64_t device;
	uint64_t both;
};

/*
 * Count what was written since memory_clean(), and what the log of KVM's slots has.
 * Slot n of @vm is region n. Return: 0; an error of gm_kvm_import_log().
 */
int memory_count_dirty(const struct gm_map *map, int vm, struct memory_dirty *out);

#endif /* MEMORY_H */
