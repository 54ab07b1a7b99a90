/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_user.h - the messages of the vhost-user protocol, as this device knows
 * them, and the check that each passes before anybody looks at its content.
 *
 * A message is a header of 12 bytes and a payload of header.size bytes, in the
 * byte order of the host; file descriptors come beside it. Nothing here does
 * I/O: connection.c moves messages, backend.c obeys them.
 */
#ifndef VHOST_USER_H
#define VHOST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_LOG_BASE = 6,
	VU_SET_LOG_FD = 7,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_IOTLB_MSG = 22,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_RESET_DEVICE = 34,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_REQUESTS,
};

/* What the device asks, over the backend channel */
#define VU_BACKEND_IOTLB_MSG	1u

/* Bits of header.flags */
#define VU_VERSION		0x1u
#define VU_VERSION_MASK		0x3u
#define VU_REPLY		0x4u
#define VU_NEED_REPLY		0x8u

/* Bits of the feature words */
#define VU_F_LOG_ALL		(1ull << 26)
#define VU_F_PROTOCOL_FEATURES	(1ull << 30)
#define VU_PROTOCOL_F_MQ		(1ull << 0)
#define VU_PROTOCOL_F_LOG_SHMFD		(1ull << 1)
#define VU_PROTOCOL_F_REPLY_ACK		(1ull << 3)
#define VU_PROTOCOL_F_BACKEND_REQ	(1ull << 5)
#define VU_PROTOCOL_F_CONFIG		(1ull << 9)
#define VU_PROTOCOL_F_INFLIGHT_SHMFD	(1ull << 12)
#define VU_PROTOCOL_F_RESET_DEVICE	(1ull << 13)
#define VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS (1ull << 15)

/* SET_VRING_KICK and its kin: ring number, and "no descriptor comes along" */
#define VU_VRING_INDEX_MASK	0xffull
#define VU_VRING_NOFD		0x100ull

/* Regions that one SET_MEM_TABLE can carry, which is also the most descriptors
 * that any message can.
 */
#define VU_MAX_FDS		8
#define VU_MAX_CONFIG		256

struct vu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct vu_vring_state {
	uint32_t index;
	uint32_t num;
};

/* A flag of struct vu_vring_addr */
#define VU_VRING_F_LOG		0x1u

/* The addresses are the front-end's own: places in its address space. */
struct vu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct vu_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct vu_mem_table {
	uint32_t count;
	uint32_t padding;
	struct vu_region regions[VU_MAX_FDS];
};

struct vu_mem_reg {
	uint64_t padding;
	struct vu_region region;
};

/* As the kernel's vhost_iotlb_msg. The address is the front-end's own. */
struct vu_iotlb {
	uint64_t iova;
	uint64_t size;
	uint64_t user_addr;
	uint8_t perm;
	uint8_t type;
	uint8_t padding[6];
};

enum { VU_IOTLB_RO = 1, VU_IOTLB_WO = 2, VU_IOTLB_RW = 3 };
enum { VU_IOTLB_MISS = 1, VU_IOTLB_UPDATE = 2, VU_IOTLB_INVALIDATE = 3 };

struct vu_log {
	uint64_t size;
	uint64_t offset;
};

struct vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[VU_MAX_CONFIG];
};

/* The specification has no padding, those who speak it do. */
struct vu_inflight {
	uint64_t size;
	uint64_t offset;
	uint16_t queues;
	uint16_t num;
	uint32_t padding;
};

#define VU_CONFIG_HEADER	offsetof(struct vu_config, data)

union vu_payload {
	uint64_t u64;
	struct vu_vring_state state;
	struct vu_vring_addr addr;
	struct vu_mem_table table;
	struct vu_mem_reg mem_reg;
	struct vu_config config;
	struct vu_inflight inflight;
	struct vu_log log;
	struct vu_iotlb iotlb;
};

/* On the wire from @header on. @fd goes beside a reply: a descriptor, or -1. */
struct vu_msg {
	int32_t fd;
	struct vu_header header;
	union vu_payload payload;
};

_Static_assert(offsetof(struct vu_msg, payload) ==
	       offsetof(struct vu_msg, header) + sizeof(struct vu_header), "no gap");

/*
 * Can what follows this header be read at all? If not, nobody knows where the
 * next message begins, and the connection is of no more use.
 *
 * Return: 0; -EPROTO.
 */
int vu_check_header(const struct vu_header *h);

/*
 * Is this a request that the device knows, with a payload of the right size and
 * the right number of descriptors? A pure function: content of the payload is
 * read only as far as it tells the payload's own size.
 *
 * Return: 0; -EPROTO as vu_check_header(); -EOPNOTSUPP unknown request;
 * -EMSGSIZE payload; -EBADF descriptors.
 */
int vu_check(const struct vu_header *h, const union vu_payload *p, int nfds);

/* Has this request a reply of its own, so that none is asked for by VU_NEED_REPLY? */
bool vu_has_reply(uint32_t request);

/* For people. Never NULL. */
const char *vu_name(uint32_t request);

#endif /* VHOST_USER_H */
