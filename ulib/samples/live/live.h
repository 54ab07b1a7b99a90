/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * live.h - the parts of the program that Documentation/live-tutorial.rst builds:
 * a guest with an IOMMU, a network card that fills its buffers, and a migration of
 * the one while the other works.
 *
 * Functions return 0 or a count, or a negative errno.
 */
#ifndef LIVE_H
#define LIVE_H

#include <guestmem.h>
#include <pthread.h>

#define PAGE UINT64_C(4096)
#define MIB (UINT64_C(1) << 20)

/* Guest memory, and what is plugged later. */
#define RAM_SIZE (16 * MIB)
#define DIMM_BASE (64 * MIB)
#define DIMM_SIZE (16 * MIB)

/*
 * The guest's page table for the card: le64 number n says where IOVA page n is, and
 * in its low bits what the card may do there (enum gm_perm; 0: nothing).
 */
#define TABLE 0x10000u
#define TABLE_PAGES 512u

/**
 * struct guest - the machine
 * @space: its memory
 * @iommu: its IOMMU
 */
struct guest {
	struct gm_space *space;
	struct gm_iommu *iommu;
};

/* guest.c; @map: its memory, which guest_new_memory() makes */
int guest_new_memory(struct gm_map **map);
int guest_init(struct guest *g, struct gm_map *map);
void guest_exit(struct guest *g);
int guest_plug(struct guest *g);

/*
 * The card. It puts packets into the buffers that the driver offers. All addresses
 * are IOVAs. Its ring:
 *
 *   byte 0   le16   the driver has offered so many buffers (wraps)
 *   byte 2   le16   the card has used so many
 *   byte 16  descriptors, number n at n % NIC_NUM
 */
struct nic_desc {
	gm_le64_t iova;
	gm_le32_t len;
	gm_le32_t status;
};

#define NIC_NUM 8u
#define NIC_AVAIL 0u
#define NIC_USED 2u
#define NIC_DESCS 16u
#define NIC_RING_SIZE (NIC_DESCS + NIC_NUM * sizeof(struct nic_desc))

/* Packet number n is so many le32, each of them n. */
#define PACKET_WORDS 1500u
#define PACKET_SIZE (PACKET_WORDS * 4u)

enum nic_status {
	NIC_OFFERED,
	NIC_FILLED,
	NIC_REFUSED,
};

/**
 * struct nic - a network card of one queue
 * @reader: its window on the guest's memory
 * @iommu: what is before that
 * @ring: IOVA of the ring
 * @used: buffers that it has used
 * @packets: packets that have come
 * @stop: it is to stop
 * @err: why it stopped by itself; 0: it did not
 * @thread: where it works
 */
struct nic {
	struct gm_reader reader;
	struct gm_iommu *iommu;
	gm_iova_t ring;
	uint16_t used;
	uint32_t packets;
	bool stop;
	int err;
	pthread_t thread;
};

/* nic.c */
int nic_start(struct nic *n, struct guest *g, gm_iova_t ring);
int nic_stop(struct nic *n);

/**
 * struct driver - what runs in the guest
 * @guest: where
 * @offered: buffers that it has offered
 * @packets: packets that it has looked at
 */
struct driver {
	struct guest *guest;
	uint16_t offered;
	uint32_t packets;
};

#define RING_IOVA UINT64_C(0)
/* Buffer n, of two pages. */
#define BUFFER_IOVA(n) ((1 + 2 * (uint64_t)(n)) * PAGE)

/* driver.c */
int driver_map(struct driver *d, uint64_t iova, uint64_t gpa);
int driver_unmap(struct driver *d, uint64_t iova);
int driver_init(struct driver *d, struct guest *g);
int driver_offer(struct driver *d, unsigned int buffers);
int driver_wait(struct driver *d, unsigned int buffers, enum nic_status want);

/* migration.c */
struct migration;
int migration_begin(struct gm_space *from, struct migration **out);
int64_t migration_round(struct migration *m);
int migration_check(const struct migration *m);
struct gm_map *migration_target(const struct migration *m);
void migration_end(struct migration *m);

#endif /* LIVE_H */
