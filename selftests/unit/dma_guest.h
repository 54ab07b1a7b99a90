/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dma_guest.h - a small guest whose memory a pretended device addresses.
 *
 * The device's addresses are host addresses, in pieces of the test's choice: so
 * what the device would move can be read there. (Nothing of the library is
 * replaced: segments come from the caller, as VFIO's do.)
 *
 * Guest memory, one byte of dirty bitmap page size 8:
 *
 *   LOW   BASE          64 bytes   in pieces of 16, in reverse order
 *   HIGH  BASE + 64     64 bytes   one piece, where LOW's last one ends
 *   ROM   BASE + 0x1000 64 bytes   read-only, one piece
 *   BARE  BASE + 0x1040 64 bytes   guest memory that is not mapped
 *   TOP   2^64 - 64     64 bytes   one piece
 */
#ifndef SELFTESTS_UNIT_DMA_GUEST_H
#define SELFTESTS_UNIT_DMA_GUEST_H

#include <guestmem/dma.h>
#include "own_region.h"

#define BASE UINT64_C(0x10000)
#define ROM_GPA (BASE + 0x1000)
#define BARE_GPA (BASE + 0x1040)
#define TOP_GPA (UINT64_MAX - 63)
#define SIZE 64
#define DEVICE "0000:00:04.0"

enum { LOW, HIGH, ROM, BARE, TOP, N };

struct dma_guest {
	uint8_t mem[4 * SIZE];
	uint8_t *rom;		/* a page */
	struct gm_bitmap *bm[N];
	struct own_region own[N];
	struct gm_region *r[N];
	struct gm_dma_map *dm[N];	/* NULL for BARE */
	struct gm_map *m;
	struct gm_dma *d;
	int released[N];
	int synced;
	uint64_t sync_off;
	uint64_t sync_len;
	enum gm_dma_owner sync_owner;
	int sync_result;
};

/* 0, or a negative errno with gm_error. With @sync, maps want gm_dma_sync(). */
int dma_guest_init(struct dma_guest *g, bool sync);

/* Drops what is left; the fields that are NULL were dropped before. */
void dma_guest_exit(struct dma_guest *g);

/* The bits of a region's bitmap, one for 8 bytes; they are cleared. */
uint64_t dma_guest_take(struct dma_guest *g, int i);

#endif /* SELFTESTS_UNIT_DMA_GUEST_H */
