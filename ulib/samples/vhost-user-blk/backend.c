/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend.c - what each vhost-user message does.
 *
 * The rule for memory: once REM_MEM_REG, SET_MEM_TABLE or GET_VRING_BASE is
 * answered, the front-end takes it that we do not touch what was given back. A
 * reference that keeps our mapping alive is not enough then: the pages may
 * serve something else at once. These messages wait until nothing is in flight.
 * ADD_MEM_REG takes nothing away, so requests go on with the map they have.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "backend.h"
#include "log.h"
#include "rings.h"

#define PROTOCOL_FEATURES (VU_PROTOCOL_F_MQ | VU_PROTOCOL_F_REPLY_ACK | \
			   VU_PROTOCOL_F_CONFIG | VU_PROTOCOL_F_RESET_DEVICE | \
			   VU_PROTOCOL_F_INFLIGHT_SHMFD | VU_PROTOCOL_F_LOG_SHMFD | \
			   VU_PROTOCOL_F_BACKEND_REQ)

static uint64_t offered(const struct backend *b)
{
	return blk_features(b->blk) | VU_F_PROTOCOL_FEATURES | VU_F_LOG_ALL;
}

static uint64_t protocol_offered(const struct backend *b)
{
	return PROTOCOL_FEATURES | (b->no_slots ? 0 : VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
}

int backend_init(struct backend *b, struct blk *blk)
{
	int err;

	memset(b, 0, sizeof(*b));
	b->blk = blk;
	memory_init(&b->memory);
	inflight_init(&b->inflight);
	dirty_init(&b->dirty);
	rings_init(b);
	/* Memory that a front-end takes away must not take us along. */
	err = gm_fault_enable();
	return err ? because_gm(err, "fault recovery") : 0;
}

void backend_reset(struct backend *b)
{
	blk_cancel(b->blk);
	rings_reset(b);
	b->features = 0;
	b->protocol_features = 0;
	b->has_protocol_features = false;
	blk_set_features(b->blk, 0);
	blk_set_map(b->blk, NULL);
	viommu_reset(b->blk->viommu);
	gm_map_put(b->map);
	b->map = NULL;
	memory_exit(&b->memory);
	dirty_exit(&b->dirty);
	inflight_exit(&b->inflight);
}

static bool is_logging(const struct backend *b)
{
	return b->dirty.log && b->features & VU_F_LOG_ALL;
}

/*
 * Memory, or what is to be marked, has changed: use the right map. Without one,
 * the rings have lost their memory, rather than that a write goes unmarked.
 */
static int use_memory(struct backend *b)
{
	struct gm_map *map = NULL;
	int err = 0;

	if (b->memory.map && is_logging(b))
		err = dirty_map(&b->dirty, b->memory.map, &map);
	else if (b->memory.map)
		map = gm_map_get(b->memory.map);
	blk_set_map(b->blk, map);
	gm_map_put(b->map);
	b->map = map;
	rings_map(b);
	return err;
}

static int memory_changed(struct backend *b)
{
	stats_memory(b->blk->stats, &b->memory);
	return use_memory(b);
}

/* Requests in flight have the map that they began with: none may be left. */
static int change_log(struct backend *b, uint64_t features)
{
	bool was = is_logging(b);

	b->features = features;
	/* Without a map, the log that there is was of no use the last time. */
	if (is_logging(b) == was && !b->map == !b->memory.map)
		return 0;
	b->blk->stats->logs += !was;
	blk_drain(b->blk);
	return use_memory(b);
}

static int set_log_base(struct backend *b, const struct vu_log *wire, int *fds)
{
	int err = dirty_set_log(&b->dirty, wire, &fds[0]);

	if (err || !(b->features & VU_F_LOG_ALL))
		return err;
	b->blk->stats->logs++;
	blk_drain(b->blk);
	return use_memory(b);
}

/* Addresses are IOVAs from now on, or no longer. */
static int change_iommu(struct backend *b, uint64_t features)
{
	const uint64_t needs = VU_PROTOCOL_F_REPLY_ACK | VU_PROTOCOL_F_BACKEND_REQ;
	bool on = features >> VIRTIO_F_ACCESS_PLATFORM & 1;
	struct viommu *v = b->blk->viommu;

	if (on && (b->protocol_features & needs) != needs)
		return because(-EINVAL, "an IOMMU that can't be asked");
	/* While no ring ran, nobody took back what is not true any more. */
	if (on == v->on && (!on || rings_run(b)))
		return 0;
	blk_drain(b->blk);
	viommu_forget(v);
	/* What they were is of another kind. */
	if (on != v->on)
		rings_forget_addr(b);
	v->on = on;
	return use_memory(b);
}

/* Nobody may use a translation any more when the front-end has the answer. */
static int forget(struct backend *b, uint64_t iova, uint64_t len)
{
	bool rings = rings_use(b, iova, len);
	int err;

	/* A request that is given back needs its ring. */
	if (rings || blk_uses(b->blk, iova, len))
		blk_drain(b->blk);
	err = viommu_invalidate(b->blk->viommu, iova, len);
	if (!err && rings)
		rings_map(b);
	return err;
}

/* Does a translation take the place of one that somebody uses? */
static bool takes_back(const struct backend *b, const struct vu_iotlb *m, gm_gpa_t target)
{
	/* What the IOTLB has lost, a request or a ring may have kept. As a rule nobody has:
	 * it was asked for because it is not there.
	 */
	if (viommu_is_missing(b->blk->viommu, m->iova, m->size))
		return rings_use(b, m->iova, m->size) || blk_uses(b->blk, m->iova, m->size);
	return viommu_differs(b->blk->viommu, m, target);
}

static int iotlb_update(struct backend *b, const struct vu_iotlb *m)
{
	gm_gpa_t target;
	int err;

	if (!m->size || m->perm < VU_IOTLB_RO || m->perm > VU_IOTLB_RW)
		return because(-EINVAL, "a translation of %llu bytes with rights %u",
			       (unsigned long long)m->size, m->perm);
	err = memory_user_range(&b->memory, m->user_addr, m->size, &target);
	if (!err && takes_back(b, m, target))
		err = forget(b, m->iova, m->size);
	return err ? err : viommu_update(b->blk->viommu, m, target);
}

static int iotlb_msg(struct backend *b, const struct vu_iotlb *m)
{
	switch (m->type) {
	case VU_IOTLB_UPDATE:
		return iotlb_update(b, m);
	case VU_IOTLB_INVALIDATE:
		/* The whole address space has a size that 64 bits can't hold. */
		if (!m->size && m->iova)
			return because(-EINVAL, "an empty invalidation");
		return forget(b, m->iova, m->size);
	}
	return because(-EINVAL, "an IOTLB message of type %u", m->type);
}

static int set_features(struct backend *b, uint64_t features)
{
	int err;

	if (features & ~offered(b))
		return because(-EINVAL, "features that were not offered: %#llx",
			       (unsigned long long)features);
	err = change_iommu(b, features);
	if (!err)
		err = change_log(b, features);
	if (err)
		return err;
	blk_set_features(b->blk, features);
	return rings_update(b);
}

/*
 * The first message decides, for as long as the connection lasts: with others, what is
 * under way would mean something else (is there an answer to come, can the IOMMU be
 * asked?). The same once more is no change: a front-end with several devices on one
 * connection (QEMU's for networks) says it for each.
 */
static int set_protocol_features(struct backend *b, uint64_t features)
{
	if (features & ~protocol_offered(b))
		return because(-EINVAL, "protocol features that were not offered: %#llx",
			       (unsigned long long)features);
	if (b->has_protocol_features && features != b->protocol_features)
		return because(-EBUSY, "protocol features %#llx after %#llx",
			       (unsigned long long)features,
			       (unsigned long long)b->protocol_features);
	b->protocol_features = features;
	b->has_protocol_features = true;
	return 0;
}

static int get_config(const struct backend *b, const struct vu_config *asked,
		      struct vu_msg *reply)
{
	struct virtio_blk_config config;
	struct vu_config *c = &reply->payload.config;

	/* An empty reply is the protocol's way to say no. */
	reply->header.size = 0;
	if (asked->offset > VU_MAX_CONFIG || asked->size > VU_MAX_CONFIG - asked->offset)
		return 0;
	blk_config(b->blk, &config);
	memset(c, 0, sizeof(*c));
	c->offset = asked->offset;
	c->size = asked->size;
	if (c->offset < sizeof(config)) {
		size_t n = sizeof(config) - c->offset;

		memcpy(c->data, (const uint8_t *)&config + c->offset, n < c->size ? n : c->size);
	}
	reply->header.size = (uint32_t)VU_CONFIG_HEADER + c->size;
	return 0;
}

/* Nothing in it can be written. A driver that tries has no effect. */
static int set_config(const struct vu_msg *m)
{
	return m->header.flags & VU_NEED_REPLY ? because(-EPERM, "SET_CONFIG") : 0;
}

static int set_mem_table(struct backend *b, const struct vu_mem_table *table, int *fds)
{
	int err;

	blk_drain(b->blk);
	err = memory_replace(&b->memory, table, fds);
	if (err)
		return err;
	viommu_forget(b->blk->viommu);
	return memory_changed(b);
}

static int add_mem_reg(struct backend *b, const struct vu_region *wire, int *fds)
{
	int err = memory_add(&b->memory, wire, &fds[0]);

	return err ? err : memory_changed(b);
}

static int rem_mem_reg(struct backend *b, const struct vu_region *wire)
{
	int err;

	blk_drain(b->blk);
	err = memory_remove(&b->memory, wire);
	if (err)
		return err;
	viommu_forget(b->blk->viommu);
	return memory_changed(b);
}

/* Rings that run have their part of the area that there is. */
static int check_inflight(const struct backend *b, uint32_t request,
			  const struct vu_inflight *wire)
{
	if (wire->queues > b->blk->queue_count)
		return because(-EINVAL, "%s for %u queues", vu_name(request), wire->queues);
	if (rings_run(b))
		return because(-EBUSY, "%s while a ring runs", vu_name(request));
	return 0;
}

static int get_inflight_fd(struct backend *b, const struct vu_inflight *asked,
			   struct vu_msg *reply)
{
	struct vu_inflight *wire = &reply->payload.inflight;
	int err = check_inflight(b, VU_GET_INFLIGHT_FD, asked);

	if (err)
		return err;
	memset(wire, 0, sizeof(*wire));
	wire->queues = asked->queues;
	wire->num = asked->num;
	reply->fd = inflight_new(&b->inflight, wire);
	reply->header.size = sizeof(*wire);
	return reply->fd < 0 ? reply->fd : 0;
}

static int set_inflight_fd(struct backend *b, const struct vu_inflight *wire, int *fds)
{
	int err = check_inflight(b, VU_SET_INFLIGHT_FD, wire);

	return err ? err : inflight_set(&b->inflight, wire, &fds[0]);
}

static int reply_u64(struct vu_msg *reply, uint64_t value)
{
	reply->payload.u64 = value;
	reply->header.size = sizeof(value);
	return 0;
}

static int handle(struct backend *b, const struct vu_msg *m, int *fds, struct vu_msg *reply)
{
	const union vu_payload *p = &m->payload;
	int err;

	switch (m->header.request) {
	case VU_GET_FEATURES:
		return reply_u64(reply, offered(b));
	case VU_SET_FEATURES:
		return set_features(b, p->u64);
	case VU_GET_PROTOCOL_FEATURES:
		return reply_u64(reply, protocol_offered(b));
	case VU_SET_PROTOCOL_FEATURES:
		return set_protocol_features(b, p->u64);
	case VU_SET_OWNER:
		return 0;
	case VU_RESET_OWNER:
	case VU_RESET_DEVICE:
		rings_stop(b);
		return 0;
	case VU_GET_QUEUE_NUM:
		return reply_u64(reply, b->blk->queue_count);
	case VU_GET_MAX_MEM_SLOTS:
		return reply_u64(reply, MEMORY_MAX_SLOTS);
	case VU_SET_MEM_TABLE:
		return set_mem_table(b, &p->table, fds);
	case VU_SET_LOG_BASE:
		err = set_log_base(b, &p->log, fds);
		return err ? err : reply_u64(reply, 0);
	case VU_SET_LOG_FD:
		return dirty_set_event(&b->dirty, &fds[0]);
	case VU_SET_BACKEND_REQ_FD:
		return viommu_set_channel(b->blk->viommu, &fds[0]);
	case VU_IOTLB_MSG:
		return iotlb_msg(b, &p->iotlb);
	case VU_ADD_MEM_REG:
		return add_mem_reg(b, &p->mem_reg.region, fds);
	case VU_REM_MEM_REG:
		return rem_mem_reg(b, &p->mem_reg.region);
	case VU_GET_INFLIGHT_FD:
		return get_inflight_fd(b, &p->inflight, reply);
	case VU_SET_INFLIGHT_FD:
		return set_inflight_fd(b, &p->inflight, fds);
	case VU_GET_CONFIG:
		return get_config(b, &p->config, reply);
	case VU_SET_CONFIG:
		return set_config(m);
	default:
		return rings_handle(b, m, fds, reply);
	}
}

int backend_handle(struct backend *b, const struct vu_msg *m, int *fds, int nfds,
		   struct vu_msg *reply)
{
	int err;

	reply->header.request = m->header.request;
	reply->header.flags = VU_VERSION | VU_REPLY;
	reply->header.size = 0;
	reply->fd = -1;
	err = vu_check(&m->header, &m->payload, nfds);
	if (!err)
		err = handle(b, m, fds, reply);
	/* There is one of these for each page of each request. */
	if (err || m->header.request != VU_IOTLB_MSG)
		log_verbose("%s: %s", vu_name(m->header.request), err ? log_reason() : "ok");
	if (vu_has_reply(m->header.request))
		return err ? err : 1;
	if ((m->header.flags & VU_NEED_REPLY) &&
	    (b->protocol_features & VU_PROTOCOL_F_REPLY_ACK)) {
		reply_u64(reply, err ? 1 : 0);
		return 1;
	}
	return err;
}

int backend_run(struct backend *b)
{
	int ret;

	rings_translated(b);
	ret = blk_run(b->blk);
	if (!blk_has_answers(b->blk))
		viommu_told(b->blk->viommu);
	/* Whatever came of it: if memory went away, that is the reason. */
	if (memory_fault(&b->memory) || inflight_fault(&b->inflight) || dirty_fault(&b->dirty))
		return -EIO;
	if (ret >= 0 && is_logging(b) && dirty_notify(&b->dirty))
		return -EPIPE;
	return ret;
}
