/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend.c - what each vhost-user message does.
 *
 * Rings and memory are said in any order, and can change while the guest runs.
 * So nothing is worked out from one message alone: each one stores what it
 * says, and ring_update() looks what that makes of the ring.
 *
 * The rule for memory: once REM_MEM_REG, SET_MEM_TABLE or GET_VRING_BASE is
 * answered, the front-end takes it that we do not touch what was given back. A
 * reference that keeps our mapping alive is not enough then: the pages may
 * serve something else at once. These messages wait until nothing is in flight.
 * ADD_MEM_REG takes nothing away, so requests go on with the map they have.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "event.h"
#include "log.h"

#define PROTOCOL_FEATURES (VU_PROTOCOL_F_MQ | VU_PROTOCOL_F_REPLY_ACK | \
			   VU_PROTOCOL_F_CONFIG | VU_PROTOCOL_F_RESET_DEVICE | \
			   VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS)

static uint64_t offered(const struct backend *b)
{
	return blk_features(b->blk) | VU_F_PROTOCOL_FEATURES;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Without SET_VRING_ENABLE, a ring is enabled. */
static bool is_enabled(const struct backend *b, const struct ring *r)
{
	return r->enabled || !(b->features & VU_F_PROTOCOL_FEATURES);
}

/* Something has changed: does the ring run now? */
static int ring_update(struct backend *b, unsigned int i)
{
	struct blk_queue *q = &b->blk->queues[i];
	struct ring *r = &b->rings[i];
	bool ready = r->mapped && (r->kick >= 0 || r->polled);
	int err;

	q->live = false;
	if (ready && !r->started) {
		err = virtq_start(&q->vq, r->base);
		if (err)
			return because_gm(err, "ring");
		r->started = true;
	}
	q->live = ready && is_enabled(b, r);
	return 0;
}

/* Find the ring in the memory there is now. Too early is no error. */
static int ring_map(struct backend *b, unsigned int i)
{
	struct blk_queue *q = &b->blk->queues[i];
	struct ring *r = &b->rings[i];
	struct virtq_addr addr;
	int err = 0;

	r->mapped = false;
	q->live = false;
	virtq_unmap(&q->vq);
	if (!r->num || !r->has_addr || !b->memory.map)
		return 0;
	if (memory_user_to_gpa(&b->memory, r->addr.desc, &addr.desc) ||
	    memory_user_to_gpa(&b->memory, r->addr.avail, &addr.avail) ||
	    memory_user_to_gpa(&b->memory, r->addr.used, &addr.used))
		return -EFAULT;
	err = virtq_map(&q->vq, &b->blk->view, r->num, &addr);
	if (err)
		return err;
	r->mapped = true;
	return ring_update(b, i);
}

/* Nothing of it is in flight any more, and nothing begins before a new kick. */
static void ring_stop(struct backend *b, unsigned int i)
{
	struct blk_queue *q = &b->blk->queues[i];
	struct ring *r = &b->rings[i];

	q->live = false;
	blk_drain(b->blk);
	if (r->started)
		r->base = q->vq.last_avail;
	r->started = false;
	r->polled = false;
	close_fd(&r->kick);
}

/* A slice of a ring borrows from the map: all are found anew. */
static void memory_changed(struct backend *b)
{
	unsigned int i;

	blk_set_map(b->blk, b->memory.map);
	stats_memory(b->blk->stats, &b->memory);
	for (i = 0; i < b->blk->queue_count; i++) {
		bool was_mapped = b->rings[i].mapped;
		int err = ring_map(b, i);

		if (!err && (b->rings[i].mapped || !was_mapped))
			continue;
		log_verbose("ring %u has lost its memory: %s", i,
			    err ? log_reason() : "there is none");
		if (event_signal(b->rings[i].err))
			log_verbose("ring %u: %s", i, log_reason());
	}
}

static void ring_init(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->kick = -1;
	r->err = -1;
}

int backend_init(struct backend *b, struct blk *blk)
{
	unsigned int i;
	int err;

	memset(b, 0, sizeof(*b));
	b->blk = blk;
	memory_init(&b->memory);
	for (i = 0; i < blk->queue_count; i++)
		ring_init(&b->rings[i]);
	/* Memory that a front-end takes away must not take us along. */
	err = gm_fault_enable();
	return err ? because_gm(err, "fault recovery") : 0;
}

static void stop_all(struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++) {
		ring_stop(b, i);
		b->rings[i].enabled = false;
	}
}

void backend_reset(struct backend *b)
{
	unsigned int i;

	blk_cancel(b->blk);
	stop_all(b);
	for (i = 0; i < b->blk->queue_count; i++) {
		virtq_unmap(&b->blk->queues[i].vq);
		close_fd(&b->blk->queues[i].call);
		close_fd(&b->rings[i].err);
		ring_init(&b->rings[i]);
	}
	b->features = 0;
	b->protocol_features = 0;
	blk_set_features(b->blk, 0);
	blk_set_map(b->blk, NULL);
	memory_exit(&b->memory);
}

static int set_features(struct backend *b, uint64_t features)
{
	unsigned int i;
	int err = 0;

	if (features & ~offered(b))
		return because(-EINVAL, "features that were not offered: %#llx",
			       (unsigned long long)features);
	b->features = features;
	blk_set_features(b->blk, features);
	for (i = 0; i < b->blk->queue_count && !err; i++)
		err = ring_update(b, i);
	return err;
}

static int set_protocol_features(struct backend *b, uint64_t features)
{
	if (features & ~PROTOCOL_FEATURES)
		return because(-EINVAL, "protocol features that were not offered: %#llx",
			       (unsigned long long)features);
	b->protocol_features = features;
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
	if (!err)
		memory_changed(b);
	return err;
}

static int add_mem_reg(struct backend *b, const struct vu_region *wire, int *fds)
{
	int err = memory_add(&b->memory, wire, &fds[0]);

	if (!err)
		memory_changed(b);
	return err;
}

static int rem_mem_reg(struct backend *b, const struct vu_region *wire)
{
	int err;

	blk_drain(b->blk);
	err = memory_remove(&b->memory, wire);
	if (!err)
		memory_changed(b);
	return err;
}

static int set_vring_num(struct backend *b, const struct vu_vring_state *s)
{
	struct ring *r = &b->rings[s->index];

	if (r->started)
		return because(-EBUSY, "SET_VRING_NUM of a ring that runs");
	if (!s->num || s->num > VIRTQ_MAX || (s->num & (s->num - 1)))
		return because(-EINVAL, "a ring of %u entries", s->num);
	r->num = s->num;
	return ring_map(b, s->index);
}

static int set_vring_addr(struct backend *b, const struct vu_vring_addr *addr)
{
	struct ring *r = &b->rings[addr->index];

	if (addr->flags)
		return because(-EINVAL, "SET_VRING_ADDR with flags %#x", addr->flags);
	r->addr = *addr;
	r->has_addr = true;
	return ring_map(b, addr->index);
}

static int set_vring_base(struct backend *b, const struct vu_vring_state *s)
{
	struct ring *r = &b->rings[s->index];

	if (r->started)
		return because(-EBUSY, "SET_VRING_BASE of a ring that runs");
	if (s->num > UINT16_MAX)
		return because(-EINVAL, "SET_VRING_BASE of %u", s->num);
	r->base = (uint16_t)s->num;
	return 0;
}

static int get_vring_base(struct backend *b, const struct vu_vring_state *s,
			  struct vu_msg *reply)
{
	ring_stop(b, s->index);
	reply->payload.state.index = s->index;
	reply->payload.state.num = b->rings[s->index].base;
	reply->header.size = sizeof(reply->payload.state);
	return 0;
}

static int set_vring_enable(struct backend *b, const struct vu_vring_state *s)
{
	if (s->num > 1)
		return because(-EINVAL, "SET_VRING_ENABLE of %u", s->num);
	b->rings[s->index].enabled = s->num;
	return ring_update(b, s->index);
}

/* SET_VRING_KICK, _CALL, _ERR: with the descriptor, or with word that none comes. */
static int set_vring_fd(struct backend *b, uint32_t request, uint64_t value, int *fds)
{
	unsigned int i = value & VU_VRING_INDEX_MASK;
	struct ring *r = &b->rings[i];
	int *slot = &r->err;
	int err = value & VU_VRING_NOFD ? 0 : event_check(fds[0]);

	if (err)
		return err;
	if (request == VU_SET_VRING_KICK)
		slot = &r->kick;
	else if (request == VU_SET_VRING_CALL)
		slot = &b->blk->queues[i].call;
	close_fd(slot);
	if (!(value & VU_VRING_NOFD)) {
		*slot = fds[0];
		fds[0] = -1;
	}
	if (request != VU_SET_VRING_KICK)
		return 0;
	r->polled = value & VU_VRING_NOFD;
	return ring_update(b, i);
}

static int reply_u64(struct vu_msg *reply, uint64_t value)
{
	reply->payload.u64 = value;
	reply->header.size = sizeof(value);
	return 0;
}

/* Requests that concern one ring begin with its number. True: there is none. */
static bool bad_index(const struct backend *b, const struct vu_msg *m)
{
	uint64_t index = 0;

	switch (m->header.request) {
	case VU_SET_VRING_NUM:
	case VU_SET_VRING_ADDR:
	case VU_SET_VRING_BASE:
	case VU_GET_VRING_BASE:
	case VU_SET_VRING_ENABLE:
		index = m->payload.state.index;
		break;
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
		index = m->payload.u64 & ~VU_VRING_NOFD;
		break;
	}
	return index >= b->blk->queue_count;
}

static int handle_ring(struct backend *b, const struct vu_msg *m, int *fds, struct vu_msg *reply)
{
	const union vu_payload *p = &m->payload;

	if (bad_index(b, m))
		return because(-EINVAL, "%s for a ring that there isn't",
			       vu_name(m->header.request));
	switch (m->header.request) {
	case VU_SET_VRING_NUM:
		return set_vring_num(b, &p->state);
	case VU_SET_VRING_ADDR:
		return set_vring_addr(b, &p->addr);
	case VU_SET_VRING_BASE:
		return set_vring_base(b, &p->state);
	case VU_GET_VRING_BASE:
		return get_vring_base(b, &p->state, reply);
	case VU_SET_VRING_ENABLE:
		return set_vring_enable(b, &p->state);
	default:
		return set_vring_fd(b, m->header.request, p->u64, fds);
	}
}

static int handle(struct backend *b, const struct vu_msg *m, int *fds, struct vu_msg *reply)
{
	const union vu_payload *p = &m->payload;

	switch (m->header.request) {
	case VU_GET_FEATURES:
		return reply_u64(reply, offered(b));
	case VU_SET_FEATURES:
		return set_features(b, p->u64);
	case VU_GET_PROTOCOL_FEATURES:
		return reply_u64(reply, PROTOCOL_FEATURES);
	case VU_SET_PROTOCOL_FEATURES:
		return set_protocol_features(b, p->u64);
	case VU_SET_OWNER:
		return 0;
	case VU_RESET_OWNER:
	case VU_RESET_DEVICE:
		stop_all(b);
		return 0;
	case VU_GET_QUEUE_NUM:
		return reply_u64(reply, b->blk->queue_count);
	case VU_GET_MAX_MEM_SLOTS:
		return reply_u64(reply, MEMORY_MAX_SLOTS);
	case VU_SET_MEM_TABLE:
		return set_mem_table(b, &p->table, fds);
	case VU_ADD_MEM_REG:
		return add_mem_reg(b, &p->mem_reg.region, fds);
	case VU_REM_MEM_REG:
		return rem_mem_reg(b, &p->mem_reg.region);
	case VU_GET_CONFIG:
		return get_config(b, &p->config, reply);
	case VU_SET_CONFIG:
		return set_config(m);
	default:
		return handle_ring(b, m, fds, reply);
	}
}

int backend_handle(struct backend *b, const struct vu_msg *m, int *fds, int nfds,
		   struct vu_msg *reply)
{
	int err;

	reply->header.request = m->header.request;
	reply->header.flags = VU_VERSION | VU_REPLY;
	reply->header.size = 0;
	err = vu_check(&m->header, &m->payload, nfds);
	if (!err)
		err = handle(b, m, fds, reply);
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
	int ret = blk_run(b->blk);

	/* Whatever came of it: if memory went away, that is the reason. */
	return memory_fault(&b->memory) ? -EIO : ret;
}
