/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest.h - the guest that is accessed: 1 GiB, in as many regions as asked.
 *
 * All guests of a program are cut out of one host mapping, and adjacent regions
 * are adjacent there too: guest address GUEST_GPA + x is host address + x,
 * whatever the number of regions. So the raw access touches the same memory.
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include <guestmem.h>

#define GUEST_BYTES (UINT64_C(1) << 30)
#define GUEST_GPA (UINT64_C(1) << 30)

/*
 * Random access goes through the offsets window by window, each window once
 * before any comes again: 64 MiB of cache lines lie between two visits. The
 * number of windows is odd, so that the two that take turns swap their windows
 * in the next pass.
 */
#define GUEST_WINDOW 8192
#define GUEST_WINDOWS 127

struct guest {
	uint8_t *host;
	uint32_t *offsets;
	uint32_t window;
	size_t count;
	struct gm_region **regions;
	struct gm_map *map;
};

extern const size_t guest_counts[];
#define GUEST_COUNTS 4

/* With @dirty, each region has a bitmap. Ends the program on failure. */
void guest_init(struct guest *g, size_t count, bool dirty);
void guest_exit(struct guest *g);

/* The next GUEST_WINDOW random offsets, multiples of 8. */
const uint32_t *guest_next_window(struct guest *g);

#endif /* BENCH_GUEST_H */
