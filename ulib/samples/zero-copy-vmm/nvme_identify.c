/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_identify.c - what a controller and its namespace are, and the I/O queues.
 */
#include <errno.h>
#include <string.h>

#include "nvme.h"
#include "nvme_prp.h"

#define NAMESPACE 1
#define IO_QUEUE 1

/* A block goes through a page, if it has to. */
#define BLOCK_SHIFT_MIN 9
#define BLOCK_SHIFT_MAX 12

static int identify(struct nvme *c, uint32_t cns, uint32_t nsid, uint8_t *out)
{
	struct nvme_command command = {
		.opcode = NVME_IDENTIFY,
		.nsid = gm_cpu_to_le32(nsid),
		.cdw10 = gm_cpu_to_le32(cns),
	};
	int ret;

	ret = nvme_guard_address(&c->guard, c->answer.address, NVME_IDENTIFY_SIZE, GM_PERM_WRITE,
				 NVME_RINGS, &command.prp1);
	if (!ret)
		ret = nvme_admin(c, &command);
	/* A copy: what is checked is what is used. */
	if (!ret)
		memcpy(out, c->answer.host, NVME_IDENTIFY_SIZE);
	return ret;
}

static uint64_t get_le(const uint8_t *p, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | p[bytes];
	return value;
}

static int identify_namespace(struct nvme *c, uint8_t *id)
{
	unsigned int shift, metadata;
	uint32_t format;
	int ret;

	ret = identify(c, NVME_CNS_NAMESPACE, NAMESPACE, id);
	if (ret)
		return ret;
	format = (uint32_t)get_le(id + NVME_ID_NS_LBAF + 4 * (id[NVME_ID_NS_FLBAS] & 15), 4);
	shift = format >> 16 & 0xff;
	metadata = format & 0xffff;
	c->blocks = get_le(id + NVME_ID_NS_NSZE, 8);
	/* One that is not there is all zero. */
	if (!c->blocks)
		return -ENODEV;
	if (metadata || (id[NVME_ID_NS_DPS] & 7) || shift < BLOCK_SHIFT_MIN ||
	    shift > BLOCK_SHIFT_MAX || c->blocks > UINT64_MAX >> shift)
		return -EOPNOTSUPP;
	c->nsid = NAMESPACE;
	c->block_size = 1u << shift;
	return 0;
}

int nvme_identify(struct nvme *c)
{
	uint8_t id[NVME_IDENTIFY_SIZE], mdts;
	int ret;

	ret = identify(c, NVME_CNS_CONTROLLER, 0, id);
	if (ret)
		return ret;
	/* 0 is no limit; each controller takes a page. A list of ours has its own limit. */
	mdts = id[NVME_ID_CTRL_MDTS];
	c->max_bytes = (uint64_t)NVME_PRP_MAX * NVME_PAGE_SIZE;
	if (mdts && mdts < 20 && c->max_bytes > (uint64_t)NVME_PAGE_SIZE << mdts)
		c->max_bytes = (uint64_t)NVME_PAGE_SIZE << mdts;
	ret = identify_namespace(c, id);
	/* The number of blocks is 16 bits. */
	if (!ret && c->max_bytes > UINT64_C(65536) * c->block_size)
		c->max_bytes = UINT64_C(65536) * c->block_size;
	return ret;
}

/* The completion queue first: the other one names it. */
static int queue_new(struct nvme *c, uint8_t opcode, const struct nvme_piece *queue,
		     enum gm_perm perm, uint32_t flags)
{
	struct nvme_command command = {
		.opcode = opcode,
		.cdw10 = gm_cpu_to_le32(c->io.id | (c->io.entries - 1u) << 16),
		.cdw11 = gm_cpu_to_le32(flags),
	};
	int ret;

	ret = nvme_guard_address(&c->guard, queue->address, queue->len, perm, NVME_RINGS,
				 &command.prp1);
	return ret ? ret : nvme_admin(c, &command);
}

int nvme_queues_new(struct nvme *c)
{
	struct nvme_command want = {
		.opcode = NVME_SET_FEATURES,
		.cdw10 = gm_cpu_to_le32(NVME_FEATURE_QUEUES),
		/* One of each kind, less one. */
	};
	uint32_t entries = NVME_CAP_MQES(c->cap) + 1;
	uint32_t flags = NVME_QUEUE_CONTIGUOUS;
	int ret;

	if (entries > NVME_QUEUE_MAX)
		entries = NVME_QUEUE_MAX;
	if (entries < 2)
		return -EOPNOTSUPP;
	ret = nvme_admin(c, &want);
	if (!ret)
		ret = nvme_queue_init(&c->io, &c->bar, &c->rings, IO_QUEUE, (uint16_t)entries,
				      4u << NVME_CAP_DSTRD(c->cap));
	if (c->bar.interrupt >= 0)
		flags |= NVME_QUEUE_INTERRUPT;
	if (!ret)
		ret = queue_new(c, NVME_CREATE_CQ, &c->io.cq, GM_PERM_WRITE, flags);
	if (!ret)
		ret = queue_new(c, NVME_CREATE_SQ, &c->io.sq, GM_PERM_READ,
				NVME_QUEUE_CONTIGUOUS | IO_QUEUE << 16);
	return ret;
}
