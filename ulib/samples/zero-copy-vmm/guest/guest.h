/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest.h - the program in the virtual machine: a driver for one virtio disk, and
 * what it does with it. No operating system, one CPU, no interrupts; addresses are
 * guest physical ones.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot_info.h"

/* lib.c */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
bool text_equal(const char *a, const char *b);
void print(const char *text);
void print_number(uint64_t n);
void result(bool ok, const char *name);	/* a line of TAP */
bool all_ok(void);
uint64_t cycles(void);
void fill(uint64_t at, uint64_t len, uint64_t seed);
/* The first byte of [at, at + len) that is not what fill() leaves; @len: all are. */
uint64_t differs(uint64_t at, uint64_t len, uint64_t seed);

static inline void *ptr(uint64_t gpa)
{
	return (void *)gpa;
}

/* virtio.c: registers and the queue */

#define QUEUE_MAX	256u
#define DESC_NEXT	1u
#define DESC_WRITE	2u
#define DESC_INDIRECT	4u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct used {
	uint16_t flags;
	uint16_t idx;
	struct {
		uint32_t id;
		uint32_t len;
	} ring[];
};

/* Where things are in the low region; data is behind DATA. */
#define DESCS		0x400000u
#define AVAIL		0x402000u
#define USED		0x404000u
#define HEADERS		0x406000u	/* 16 bytes for each head */
#define STATUSES	0x408000u	/* a byte for each head */
#define INDIRECT	0x410000u	/* a table for each head */
#define INDIRECT_SIZE	0x800u
#define DATA		0x800000u

/**
 * struct dev - the disk
 * @base: its registers
 * @info: what the VMM has told
 * @sectors: its size
 * @block: bytes of a block
 * @features: what was negotiated
 * @num: entries of the queue
 * @next_avail: our index
 * @last_used: and how far we have seen the device's
 * @free: descriptors that are free, as a list by next
 * @free_head: its first
 */
struct dev {
	uint64_t base;
	const struct boot_info *info;
	uint64_t sectors;
	uint32_t block;
	uint64_t features;
	uint16_t num;
	uint16_t next_avail;
	uint16_t last_used;
	uint16_t free_head;
	uint16_t free;
};

uint32_t reg_read(const struct dev *d, uint32_t off);
void reg_write(const struct dev *d, uint32_t off, uint32_t value);

/* How a queue is set up; hostile cases change some. */
struct queue_setup {
	uint32_t num;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
};

extern const struct queue_setup usual_queue;

bool dev_identify(struct dev *d);
/* Reset, negotiate, set up, go. */
bool dev_start(struct dev *d, const struct queue_setup *q);
bool dev_needs_reset(const struct dev *d);

struct desc *descs(void);
struct avail *avail(void);
struct used *used(void);

/* Put @head into the available ring; then tell the device if it wants to know. */
void queue_offer(struct dev *d, uint16_t head);
void queue_kick(struct dev *d, uint16_t since);
void queue_kick_always(const struct dev *d);

/*
 * Wait for the next used entry. False: the device needs a reset, or it takes for ever.
 */
bool queue_wait(struct dev *d, uint32_t *id, uint32_t *len);
/* Is there one? */
bool queue_poll(struct dev *d, uint32_t *id, uint32_t *len);

/* blk.c: requests */

#define REQ_IN		0u
#define REQ_OUT		1u
#define REQ_FLUSH	4u
#define REQ_GET_ID	8u
#define S_OK		0
#define S_IOERR		1
#define S_UNSUPP	2
#define S_NONE		0xff

struct piece {
	uint64_t addr;
	uint32_t len;
};

/* A header, by which a request begins. */
struct header {
	uint32_t type;
	uint32_t ioprio;
	uint64_t sector;
};

struct header *header_of(uint16_t head);
volatile uint8_t *status_of(uint16_t head);
uint64_t table_of(uint16_t head);

/* Fill @desc by one request of these pieces; @base: number of the first entry. */
unsigned int blk_fill(struct desc *desc, unsigned int base, uint16_t head, uint32_t type,
		      const struct piece *pieces, unsigned int count);

/* Begin; with an indirect table, or descriptors of the queue. Return: head; -1: no room. */
int blk_begin(struct dev *d, uint32_t type, uint64_t sector, const struct piece *pieces,
	      unsigned int count, bool indirect);
/* The driver has a request back. */
void blk_end(struct dev *d, uint16_t head);

/* One request, from begin to end. Return: its status; S_NONE: there was none. */
int blk_do(struct dev *d, uint32_t type, uint64_t sector, const struct piece *pieces,
	   unsigned int count, bool indirect);
/* The same for one piece. */
int blk_rw(struct dev *d, uint32_t type, uint64_t sector, uint64_t addr, uint32_t len);

/* What there is to do */
void run_tests(struct dev *d);		/* tests.c, tests_queue.c */
void run_queue_tests(struct dev *d);
void run_load(struct dev *d, uint32_t type);	/* load.c */
void run_unplug(struct dev *d);		/* unplug.c */
/* hostile.c: one case by name, or all; false: there is none of that name. */
bool run_hostile(struct dev *d, const char *name);

/**
 * struct hostile - a case
 * @name: its name
 * @run: do it; true: the device did as it should
 */
struct hostile {
	const char *name;
	bool (*run)(struct dev *d);
};

/* hostile_queue.c: ends with a NULL name */
extern const struct hostile hostile_queue[];

#endif /* GUEST_H */
