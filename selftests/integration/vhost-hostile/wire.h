/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - the vhost-user protocol, as its specification has it.
 *
 * Written apart from the device's own header: a number that is wrong there must
 * not be wrong here too.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdint.h>

enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_LOG_FD = 7,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	SET_BACKEND_REQ_FD = 21,
	IOTLB_MSG = 22,
	GET_CONFIG = 24,
	SET_CONFIG = 25,
	GET_INFLIGHT_FD = 31,
	SET_INFLIGHT_FD = 32,
	RESET_DEVICE = 34,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37,
	REM_MEM_REG = 38,
};

/* What the device asks on its own channel */
#define BACKEND_IOTLB_MSG	1u

#define FLAG_VERSION	0x1u
#define FLAG_REPLY	0x4u
#define FLAG_NEED_REPLY	0x8u

#define F_LOG_ALL		(1ull << 26)
#define F_RING_INDIRECT		(1ull << 28)
#define F_RING_EVENT_IDX	(1ull << 29)
#define F_PROTOCOL		(1ull << 30)
#define F_VERSION_1		(1ull << 32)
#define F_ACCESS_PLATFORM	(1ull << 33)

#define PF_MQ			(1ull << 0)
#define PF_LOG			(1ull << 1)
#define PF_REPLY_ACK		(1ull << 3)
#define PF_BACKEND_REQ		(1ull << 5)
#define PF_CONFIG		(1ull << 9)
#define PF_INFLIGHT		(1ull << 12)
#define PF_MEM_SLOTS		(1ull << 15)

#define VRING_NOFD		0x100ull
#define CONFIG_MAX		256
#define TABLE_REGIONS		8

struct wire_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct wire_state {
	uint32_t index;
	uint32_t num;
};

struct wire_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct wire_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user;
	uint64_t offset;
};

/* Room for more than the protocol allows. */
struct wire_table {
	uint32_t count;
	uint32_t padding;
	struct wire_region regions[512];
};
#define TABLE_SIZE(n) (8u + (uint32_t)(n) * (uint32_t)sizeof(struct wire_region))

struct wire_slot {
	uint64_t padding;
	struct wire_region region;
};

struct wire_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[CONFIG_MAX + 64];
};
#define CONFIG_SIZE(n) (12u + (uint32_t)(n))

struct wire_log {
	uint64_t size;
	uint64_t offset;
};

enum { IOTLB_MISS = 1, IOTLB_UPDATE = 2, IOTLB_INVALIDATE = 3 };
enum { IOTLB_RO = 1, IOTLB_WO = 2, IOTLB_RW = 3 };

struct wire_iotlb {
	uint64_t iova;
	uint64_t size;
	uint64_t user;
	uint8_t perm;
	uint8_t type;
	uint8_t padding[6];
};

/* As front-ends send it: the last four bytes are in no specification. */
struct wire_inflight {
	uint64_t size;
	uint64_t offset;
	uint16_t queues;
	uint16_t num;
	uint32_t padding;
};

/* A queue's part of the inflight area, for split rings. */
struct inflight_desc {
	uint8_t inflight;
	uint8_t padding[5];
	uint16_t next;
	uint64_t counter;
};

struct inflight_part {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct inflight_desc desc[];
};

#endif /* WIRE_H */
