/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * rings.c - when a ring runs, and where it is.
 *
 * Rings and memory are said in any order, and can change while the guest runs.
 * So nothing is worked out from one message alone: each one stores what it
 * says, and ring_update() looks what that makes of the ring.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "log.h"
#include "rings.h"

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

static bool has_kick(const struct ring *r)
{
	return r->kick >= 0 || r->polled;
}

/* Something has changed: does the ring run now? */
static int ring_update(struct backend *b, unsigned int i)
{
	struct blk_queue *q = &b->blk->queues[i];
	struct ring *r = &b->rings[i];
	bool ready = r->mapped && has_kick(r);

	q->live = false;
	if (ready && !r->started) {
		int err, again = virtq_start(&q->vq, r->base, &b->inflight, i);

		if (again < 0)
			return again;
		if (again)
			log_verbose("ring %u: %d requests to be done again", i, again);
		b->blk->stats->resubmitted += (uint64_t)again;
		r->started = true;
		q->question = 0;
		/* Whoever was killed may not have told the driver of what it gave back. */
		err = event_signal(q->call);
		if (err)
			return err;
	}
	if (ready)
		virtq_mark(&q->vq);
	q->live = ready && is_enabled(b, r);
	return 0;
}

/* Rings come with addresses of the front-end's, or with IOVAs. */
static int ring_addr(const struct backend *b, uint64_t addr, gm_gpa_t *out)
{
	if (!b->blk->viommu->on)
		return memory_user_to_gpa(&b->memory, addr, out);
	*out = gm_gpa(addr);
	return 0;
}

/* Find the ring in the memory there is now. Too early is no error. */
static int ring_map(struct backend *b, unsigned int i)
{
	struct blk_queue *q = &b->blk->queues[i];
	struct ring *r = &b->rings[i];
	struct virtq_addr addr;
	int err = 0;

	/* A request that is given back needs its ring, which the IOTLB may have lost. */
	if (r->mapped && b->blk->viommu->on)
		blk_drain(b->blk);
	r->mapped = false;
	r->later = false;
	q->live = false;
	virtq_unmap(&q->vq);
	if (!r->num || !r->has_addr || !b->map)
		return 0;
	/* Nobody is asked in vain: other addresses may come before the kick. */
	r->later = b->blk->viommu->on && !has_kick(r);
	if (r->later)
		return 0;
	if (ring_addr(b, r->addr.desc, &addr.desc) || ring_addr(b, r->addr.avail, &addr.avail) ||
	    ring_addr(b, r->addr.used, &addr.used))
		return -EFAULT;
	err = virtq_map(&q->vq, &b->blk->view, r->num, &addr);
	/* rings_translated() comes, then. */
	r->later = err == -EAGAIN;
	r->question = b->blk->viommu->sent;
	if (r->later)
		return 0;
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
		r->base = virtq_stop(&q->vq);
	r->started = false;
	r->polled = false;
	close_fd(&r->kick);
}

/* Do what one who was killed had begun, as far as no IOMMU must be asked. */
static void ring_finish_left(struct backend *b, unsigned int i)
{
	if (b->rings[i].mapped && blk_finish_left(b->blk, i))
		log_verbose("ring %u: %s", i, log_reason());
}

/* A ring that never ran has not begun what is left, and nobody has looked where it is. */
static int check_never_ran(const struct backend *b, unsigned int i)
{
	int ret = inflight_notes(&b->inflight, i);

	return ret > 0 ? because(-EBUSY, "what is left is of a ring that does not run") : ret;
}

/*
 * Stop, and all is done that one who was killed had begun; or it is behind the base,
 * if an IOMMU must be asked first: the answer would not come before ours, see
 * blk_finish_left(). Return: 0; -EBUSY there is no such base; an error of the area.
 */
static int ring_finish(struct backend *b, unsigned int i)
{
	int err;

	ring_finish_left(b, i);
	if (b->rings[i].started)
		err = virtq_put_back(&b->blk->queues[i].vq);
	else
		err = check_never_ran(b, i);
	ring_stop(b, i);
	return err;
}

void rings_map(struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++) {
		bool was_mapped = b->rings[i].mapped;
		int err = ring_map(b, i);

		if (!err && (b->rings[i].mapped || b->rings[i].later || !was_mapped))
			continue;
		log_verbose("ring %u has lost its memory: %s", i,
			    err ? log_reason() : "there is none");
		if (event_signal(b->rings[i].err))
			log_verbose("ring %u: %s", i, log_reason());
	}
}

void rings_translated(struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++)
		if (b->rings[i].later && has_kick(&b->rings[i]) &&
		    !viommu_is_asking(b->blk->viommu, b->rings[i].question) &&
		    ring_map(b, i) && event_signal(b->rings[i].err))
			log_verbose("ring %u: %s", i, log_reason());
}

static bool meets(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b ? b - a < a_len : a - b < b_len;
}

bool rings_use(const struct backend *b, uint64_t iova, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++) {
		const struct ring *r = &b->rings[i];

		if (r->mapped && (!len || meets(r->addr.desc, VIRTQ_DESC_SIZE(r->num), iova, len) ||
				  meets(r->addr.avail, VIRTQ_AVAIL_SIZE(r->num), iova, len) ||
				  meets(r->addr.used, VIRTQ_USED_SIZE(r->num), iova, len)))
			return true;
	}
	return false;
}

void rings_forget_addr(struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++) {
		if (b->rings[i].started)
			continue;
		b->rings[i].has_addr = false;
		/* So it has not lost anything. */
		b->rings[i].mapped = false;
	}
}

bool rings_run(const struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++)
		if (b->rings[i].started)
			return true;
	return false;
}

static void ring_init(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->kick = -1;
	r->err = -1;
}

void rings_init(struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++)
		ring_init(&b->rings[i]);
}

void rings_stop(struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++) {
		ring_finish_left(b, i);
		ring_stop(b, i);
		/* Nobody asks where to go on: what waited for an IOMMU is not done, and is
		 * not the next driver's.
		 */
		if (inflight_forget(&b->inflight, i))
			log_verbose("ring %u: %s", i, log_reason());
		b->rings[i].enabled = false;
	}
}

void rings_reset(struct backend *b)
{
	unsigned int i;

	for (i = 0; i < b->blk->queue_count; i++) {
		/* What is left to do, who comes next may do. */
		ring_stop(b, i);
		virtq_unmap(&b->blk->queues[i].vq);
		close_fd(&b->blk->queues[i].call);
		close_fd(&b->rings[i].err);
	}
	rings_init(b);
}

int rings_update(struct backend *b)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->blk->queue_count && !err; i++)
		err = ring_update(b, i);
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

	if (addr->flags & ~VU_VRING_F_LOG)
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
	int err = ring_finish(b, s->index);

	/* The front-end has the area, and what is left is noted there. */
	if (err)
		return err;
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
	/* Whatever happened before went to the old one, where QEMU does not look
	 * after a reconnect.
	 */
	if (request == VU_SET_VRING_CALL && r->started)
		return event_signal(*slot);
	if (request != VU_SET_VRING_KICK)
		return 0;
	r->polled = value & VU_VRING_NOFD;
	return r->later ? ring_map(b, i) : ring_update(b, i);
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

int rings_handle(struct backend *b, const struct vu_msg *m, int *fds, struct vu_msg *reply)
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
