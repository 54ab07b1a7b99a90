/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tutorial.h - the parts of the program that Documentation/tutorial.rst builds:
 * guest memory, a virtual CPU to run in it, and a device that fills it.
 *
 * Functions return 0 or a count, or a negative errno.
 */
#ifndef TUTORIAL_H
#define TUTORIAL_H

#include <guestmem.h>

#define LOW_SIZE 0x100000u
#define HIGH_SIZE 0x3f00000u
#define ROM_BASE 0xffff0000u
#define ROM_SIZE 0x10000u

/* Where the guest's program and the device's ring are. */
#define GUEST_CODE 0x1000u
#define RING 0x2000u
#define RING_NUM 8u
#define KICK_PORT 0x10u

/* memory.c */
int memory_new(struct gm_map **map);
int memory_load(const struct gm_map *map, gm_gpa_t gpa, int fd);
int memory_show_dirty(const struct gm_map *map);
void memory_clean(const struct gm_map *map);

/*
 * The tape, a device that does one thing: the next bytes of a file, please, to
 * these places. Its ring in guest memory:
 *
 *   byte 0   le16   the driver has filled so many descriptors (wraps)
 *   byte 2   le16   the device has used so many
 *   byte 16  descriptors, number n at n % num
 */
struct tape_desc {
	gm_le64_t gpa;
	gm_le32_t len;
	gm_le32_t flags;
};

#define TAPE_MORE 1u	/* the request goes on in the next descriptor */
#define TAPE_AVAIL 0u
#define TAPE_USED 2u
#define TAPE_DESCS 16u
#define TAPE_MAX 256u

/**
 * struct tape - a tape drive
 * @view: its window on the guest's memory; one thread's own
 * @ring: its ring
 * @num: descriptors in the ring, a power of two
 * @used: descriptors it has used
 * @fd: the file
 * @pos: next byte of the file
 */
struct tape {
	struct gm_view view;
	struct gm_slice ring;
	uint16_t num;
	uint16_t used;
	int fd;
	int64_t pos;
};

/* tape.c */
int tape_init(struct tape *t, const struct gm_map *map, gm_gpa_t ring, uint16_t num, int fd);
int tape_kick(struct tape *t);

/* kvm.c; -ENODEV: this machine has no KVM for us */
int kvm_run(const struct gm_map *map, struct tape *t);

#endif /* TUTORIAL_H */
