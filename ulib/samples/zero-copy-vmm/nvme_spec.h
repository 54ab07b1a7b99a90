/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_spec.h - registers, commands and data structures of the NVM Express base
 * specification, revision 1.4, as far as the driver uses them.
 */
#ifndef NVME_SPEC_H
#define NVME_SPEC_H

#include <guestmem.h>

/* Registers, as offsets in the first BAR; 64-bit ones are read and written by halves. */
#define NVME_CAP 0x00
#define NVME_CC 0x14
#define NVME_CSTS 0x1c
#define NVME_AQA 0x24
#define NVME_ASQ 0x28
#define NVME_ACQ 0x30
#define NVME_DOORBELLS 0x1000u

/* CAP: entries of a queue less one, timeout in units of 500 ms, ... */
#define NVME_CAP_MQES(cap) ((uint32_t)(cap) & 0xffff)
#define NVME_CAP_TO(cap) ((uint32_t)((cap) >> 24) & 0xff)
#define NVME_CAP_DSTRD(cap) ((uint32_t)((cap) >> 32) & 0xf)
#define NVME_CAP_NVM(cap) ((uint32_t)((cap) >> 37) & 1)
#define NVME_CAP_MPSMIN(cap) ((uint32_t)((cap) >> 48) & 0xf)

/* CC; memory page size (MPS) and command set (CSS) are 0: 4096 bytes, NVM. */
#define NVME_CC_EN 1u
#define NVME_CC_SHN_NORMAL (1u << 14)
#define NVME_CC_IOSQES (6u << 16)	/* log2 of the size of an entry */
#define NVME_CC_IOCQES (4u << 20)

#define NVME_CSTS_RDY 1u
#define NVME_CSTS_CFS 2u
#define NVME_CSTS_SHST 0xcu
#define NVME_CSTS_SHST_COMPLETE 0x8u
/* Mass storage, NVMe, for I/O: class, subclass, programming interface. */
#define NVME_CLASS 0x010802u

/* What a device gives that is not there. */
#define NVME_GONE UINT32_MAX

#define NVME_PAGE_SIZE 4096u
#define NVME_PRP_ALIGN 4u
#define NVME_LIST_ENTRIES (NVME_PAGE_SIZE / 8)

enum nvme_admin_opcode {
	NVME_DELETE_SQ = 0x00,
	NVME_CREATE_SQ = 0x01,
	NVME_CREATE_CQ = 0x05,
	NVME_IDENTIFY = 0x06,
	NVME_ABORT = 0x08,
	NVME_SET_FEATURES = 0x09,
};

enum nvme_opcode {
	NVME_FLUSH = 0x00,
	NVME_WRITE = 0x01,
	NVME_READ = 0x02,
};

#define NVME_FEATURE_QUEUES 0x07
#define NVME_QUEUE_CONTIGUOUS 1u
#define NVME_QUEUE_INTERRUPT 2u

/**
 * struct nvme_address - a device address in a command
 * @raw: as the controller reads it
 *
 * A type of its own: only nvme_guard.c makes one.
 */
struct nvme_address {
	gm_le64_t raw;
};

/* Submission queue entry. */
struct nvme_command {
	uint8_t opcode;
	uint8_t flags;		/* 0: PRPs, not fused */
	gm_le16_t id;
	gm_le32_t nsid;
	gm_le64_t reserved;
	gm_le64_t metadata;
	struct nvme_address prp1;
	struct nvme_address prp2;
	gm_le32_t cdw10;
	gm_le32_t cdw11;
	gm_le32_t cdw12;
	gm_le32_t cdw13;
	gm_le32_t cdw14;
	gm_le32_t cdw15;
};

/* Completion queue entry. */
struct nvme_completion {
	gm_le32_t result;
	gm_le32_t reserved;
	gm_le16_t sq_head;
	gm_le16_t sq_id;
	gm_le32_t tail;		/* of which the phase bit says that the rest is there */
};

GM_STATIC_ASSERT(sizeof(struct nvme_command) == 64, "an entry is 64 bytes");
GM_STATIC_ASSERT(sizeof(struct nvme_completion) == 16, "an entry is 16 bytes");

#define NVME_TAIL_ID(tail) ((tail) & 0xffff)
#define NVME_TAIL_PHASE(tail) ((tail) >> 16 & 1)
/* Status code and its type; 0 is success. */
#define NVME_TAIL_STATUS(tail) ((tail) >> 17 & 0x7ff)

#define NVME_STATUS_ABORTED 0x007
#define NVME_STATUS_WRITE_PROTECTED 0x020
#define NVME_STATUS_LBA_RANGE 0x080
#define NVME_STATUS_CAPACITY 0x081
#define NVME_STATUS_ACCESS_DENIED 0x286

/* Identify: what is asked for, and where it is in the 4096 bytes of the answer. */
#define NVME_CNS_NAMESPACE 0
#define NVME_CNS_CONTROLLER 1
#define NVME_IDENTIFY_SIZE 4096u

#define NVME_ID_CTRL_MDTS 77
#define NVME_ID_NS_NSZE 0
#define NVME_ID_NS_FLBAS 26
#define NVME_ID_NS_DPS 29
#define NVME_ID_NS_LBAF 128

#endif /* NVME_SPEC_H */
