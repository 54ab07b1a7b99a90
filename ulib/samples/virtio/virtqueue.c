/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * virtqueue.c - split virtqueues on slices.
 *
 * Driver and device share the rings without a lock. What orders them:
 *
 *   avail.idx  is loaded with acquire: entries and descriptors come after it
 *   used.idx   is stored with release: the entry, and the data, come before it
 *   events     each side writes its own index and then looks at the other's
 *              event field; both need a full fence in between, or both miss
 */
#include <errno.h>
#include <linux/virtio_ring.h>

#include "reason.h"
#include "virtqueue.h"

/* As the specification lays them out. */
struct desc {
	gm_le64_t addr;
	gm_le32_t len;
	gm_le16_t flags;
	gm_le16_t next;
};

struct used_elem {
	gm_le32_t id;
	gm_le32_t len;
};

/* Both rings begin with these; an array follows, and an event field behind. */
#define RING_FLAGS	0u
#define RING_IDX	2u
#define RING_ENTRIES	4u

#define DESC_ALIGN	16u
#define AVAIL_ALIGN	2u
#define USED_ALIGN	4u

static int load_le16(struct gm_slice s, uint64_t off, enum gm_order order, uint16_t *out)
{
	gm_le16_t raw;
	int err = gm_slice_load(s, off, &raw, sizeof(raw), order);

	if (!err)
		*out = gm_le16_to_cpu(raw);
	return err;
}

static int store_le16(struct gm_slice s, uint64_t off, enum gm_order order, uint16_t value)
{
	gm_le16_t raw = gm_cpu_to_le16(value);

	return gm_slice_store(s, off, &raw, sizeof(raw), order);
}

static uint64_t entries_end(const struct virtq *vq, uint64_t size)
{
	return RING_ENTRIES + vq->num * size;
}

/* One part of a queue, in one piece, aligned in the host too. */
static int map_part(struct gm_view *v, gm_gpa_t gpa, uint64_t len, uint64_t align,
		    enum gm_perm perm, struct gm_slice *out)
{
	void *ptr;
	int err;

	if (gm_gpa_mask(gpa, align - 1))
		return because(-EINVAL, "a ring at guest address %#llx is not aligned",
			       (unsigned long long)gm_gpa_raw(gpa));
	do {
		gm_view_begin(v);
		err = gm_view_slice(v, gpa, len, perm, out);
		gm_view_end(v);
		if (err != -EAGAIN)
			break;
		/* An IOMMU is asked outside of a section, and may say "later", or no. */
		err = gm_view_check_range(v, gpa, len, perm);
	} while (!err);
	if (!err)
		err = gm_slice_aligned_ptr(*out, 0, len, align, &ptr);
	return err ? because_gm(err, "ring") : 0;
}

void virtq_unmap(struct virtq *vq)
{
	/* Any access is now out of bounds, instead of out of the map. */
	vq->desc = gm_slice_new(NULL, 0);
	vq->avail = vq->desc;
	vq->used = vq->desc;
}

int virtq_map(struct virtq *vq, struct gm_view *v, uint32_t num, const struct virtq_addr *addr)
{
	struct gm_slice desc, avail, used;
	int err;

	if (!num || num > VIRTQ_MAX || (num & (num - 1)))
		return because(-EINVAL, "a queue of %u entries", num);
	err = map_part(v, addr->desc, VIRTQ_DESC_SIZE(num), DESC_ALIGN, GM_PERM_READ, &desc);
	if (!err)
		err = map_part(v, addr->avail, VIRTQ_AVAIL_SIZE(num), AVAIL_ALIGN, GM_PERM_READ,
			       &avail);
	if (!err)
		err = map_part(v, addr->used, VIRTQ_USED_SIZE(num), USED_ALIGN, GM_PERM_RW, &used);
	if (err) {
		virtq_unmap(vq);
		return err;
	}
	vq->num = (uint16_t)num;
	vq->desc = desc;
	vq->avail = avail;
	vq->used = used;
	return 0;
}

/*
 * Of the requests that are left, the last ones may be just those that the available
 * ring has before @last_avail, none missing: how many? They are the driver's, and it
 * has not written over their entries while they are.
 */
static int count_in_ring(struct virtq *vq)
{
	const struct inflight_queue *q = &vq->inflight;
	uint16_t n, head;

	vq->left_in_ring = 0;
	for (n = 1; n <= q->left_count; n++) {
		uint16_t entry = (uint16_t)(vq->last_avail - n) & (vq->num - 1);
		int err = load_le16(vq->avail, RING_ENTRIES + entry * sizeof(gm_le16_t),
				    GM_RELAXED, &head);

		if (err)
			return because_gm(err, "available ring");
		if (head != q->left[q->left_count - n].head)
			break;
		vq->left_in_ring = n;
	}
	return 0;
}

int virtq_start(struct virtq *vq, uint16_t last_avail, const struct inflight *f,
		unsigned int index)
{
	int ret;

	vq->kicks = false;
	/* What the driver was told last, nobody knows: tell it next time. */
	vq->notified_valid = false;
	ret = load_le16(vq->used, RING_IDX, GM_RELAXED, &vq->used_idx);
	if (ret)
		return because_gm(ret, "used ring");
	ret = inflight_start(&vq->inflight, f, index, vq->num, vq->used_idx);
	if (ret < 0)
		return ret;
	/* Each request that was taken is either used or in flight. The front-end
	 * can't know how many these are, if nobody was left to tell.
	 */
	if (ret)
		last_avail = (uint16_t)(vq->used_idx + vq->inflight.left_count);
	vq->last_avail = last_avail;
	vq->avail_idx = last_avail;
	ret = count_in_ring(vq);
	return ret ? ret : vq->inflight.left_count;
}

void virtq_mark(const struct virtq *vq)
{
	gm_slice_mark(vq->used, RING_IDX, sizeof(gm_le16_t));
}

int virtq_put_back(struct virtq *vq)
{
	uint16_t left = inflight_left(&vq->inflight);
	int err;

	if (left > vq->left_in_ring)
		return because(-EBUSY, "what is left is among what was done: %u requests", left);
	err = inflight_put_back(&vq->inflight);
	/* Nothing new was taken while there were these. */
	if (!err)
		vq->last_avail -= left;
	return err;
}

uint16_t virtq_stop(struct virtq *vq)
{
	inflight_stop(&vq->inflight);
	return vq->last_avail;
}

static int add_range(struct chain *c, const struct desc *d, bool writable)
{
	struct gm_range range = { gm_gpa(gm_le64_to_cpu(d->addr)), gm_le32_to_cpu(d->len) };

	if (!writable && c->count > c->readable)
		return because(-EPROTO, "a readable descriptor after a writable one");
	if (!range.len)
		return 0;
	c->ranges[c->count++] = range;
	if (!writable)
		c->readable++;
	return 0;
}

/* A table of descriptors: the queue's own, or an indirect one in guest memory. */
struct table {
	struct gm_slice slice;
	struct gm_view *view;
	uint64_t gpa;
	uint64_t num;
	bool is_indirect;
};

static int read_desc(const struct table *t, uint64_t index, struct desc *d)
{
	uint64_t off = index * sizeof(*d);
	int err;

	if (t->is_indirect)
		err = gm_view_read(t->view, gm_gpa(t->gpa + off), d, sizeof(*d));
	else
		err = gm_slice_read(t->slice, off, d, sizeof(*d));
	return err ? because_gm(err, "descriptor") : 0;
}

static int enter_indirect(struct table *t, const struct desc *d, bool allowed)
{
	uint64_t gpa = gm_le64_to_cpu(d->addr);
	uint32_t len = gm_le32_to_cpu(d->len);

	if (!allowed || t->is_indirect)
		return because(-EPROTO, "an indirect descriptor where none may be");
	if (gm_le16_to_cpu(d->flags) & VRING_DESC_F_NEXT)
		return because(-EPROTO, "an indirect descriptor with a next one");
	if (!len || len % sizeof(*d) || gpa > UINT64_MAX - len)
		return because(-EPROTO, "an indirect table of %u bytes", len);
	t->is_indirect = true;
	t->gpa = gpa;
	t->num = len / sizeof(*d);
	return 0;
}

int virtq_walk(struct gm_view *v, struct gm_slice desc, uint16_t num, uint16_t head,
	       bool indirect, struct chain *c)
{
	struct table table = { .slice = desc, .view = v, .num = num };
	uint64_t index = head, left;
	struct desc d;
	int err;

	c->count = 0;
	c->readable = 0;
	/* Who loops, runs out of this. */
	for (left = CHAIN_MAX; left; left--) {
		uint16_t flags;

		if (index >= table.num)
			return because(-EPROTO, "descriptor %llu of %llu",
				       (unsigned long long)index, (unsigned long long)table.num);
		err = read_desc(&table, index, &d);
		if (err)
			return err;
		flags = gm_le16_to_cpu(d.flags);
		if (flags & VRING_DESC_F_INDIRECT) {
			err = enter_indirect(&table, &d, indirect);
			index = 0;
		} else {
			err = add_range(c, &d, flags & VRING_DESC_F_WRITE);
			index = gm_le16_to_cpu(d.next);
			if (!err && !(flags & VRING_DESC_F_NEXT))
				return 0;
		}
		if (err)
			return err;
	}
	return because(-EPROTO, "a chain of more than %d descriptors", CHAIN_MAX);
}

/* Look how far the driver is. */
static int load_avail_idx(struct virtq *vq)
{
	uint16_t idx;
	int err = load_le16(vq->avail, RING_IDX, GM_ACQUIRE, &idx);

	if (err)
		return because_gm(err, "available ring");
	if ((uint16_t)(idx - vq->last_avail) > vq->num)
		return because(-EPROTO, "available index jumps from %u to %u", vq->last_avail,
			       idx);
	vq->avail_idx = idx;
	return 0;
}

int virtq_peek(struct virtq *vq, struct gm_view *v, struct chain *c)
{
	uint16_t entry = vq->last_avail & (vq->num - 1);
	uint16_t head;
	int err;

	if (inflight_peek(&vq->inflight, &head)) {
		c->head = head;
		err = virtq_walk(v, vq->desc, vq->num, head, vq->indirect, c);
		return err ? err : 1;
	}
	if (vq->avail_idx == vq->last_avail) {
		err = load_avail_idx(vq);
		if (err)
			return err;
		if (vq->avail_idx == vq->last_avail)
			return 0;
	}
	err = load_le16(vq->avail, RING_ENTRIES + entry * sizeof(gm_le16_t), GM_RELAXED, &head);
	if (err)
		return because_gm(err, "available ring");
	err = virtq_walk(v, vq->desc, vq->num, head, vq->indirect, c);
	if (err)
		return err;
	c->head = head;
	return 1;
}

int virtq_take(struct virtq *vq, uint16_t head)
{
	int err;

	/* It is noted already. */
	if (inflight_next(&vq->inflight))
		return 0;
	err = inflight_take(&vq->inflight, head);
	if (!err)
		vq->last_avail++;
	return err;
}

int virtq_push(struct virtq *vq, uint16_t head, uint32_t len)
{
	uint16_t entry = vq->used_idx & (vq->num - 1);
	struct used_elem elem = { gm_cpu_to_le32(head), gm_cpu_to_le32(len) };
	int err;

	err = inflight_give(&vq->inflight, head);
	if (err)
		return err;
	err = gm_slice_write(vq->used, RING_ENTRIES + entry * sizeof(elem), &elem, sizeof(elem));
	if (err)
		return because_gm(err, "used ring");
	vq->used_idx++;
	err = store_le16(vq->used, RING_IDX, GM_RELEASE, vq->used_idx);
	if (err)
		return because_gm(err, "used ring");
	return inflight_given(&vq->inflight, head, vq->used_idx);
}

int virtq_wants_notify(struct virtq *vq)
{
	uint16_t since = vq->notified, flags, event;
	bool since_valid = vq->notified_valid;
	int err;

	/* used.idx is out before the driver's wish is read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx) {
		err = load_le16(vq->avail, RING_FLAGS, GM_RELAXED, &flags);
		if (err)
			return because_gm(err, "available ring");
		return !(flags & VRING_AVAIL_F_NO_INTERRUPT);
	}
	err = load_le16(vq->avail, entries_end(vq, sizeof(gm_le16_t)), GM_RELAXED, &event);
	if (err)
		return because_gm(err, "available ring");
	vq->notified = vq->used_idx;
	vq->notified_valid = true;
	return !since_valid || vring_need_event(event, vq->used_idx, since);
}

int virtq_disable_kicks(struct virtq *vq)
{
	int err;

	if (!vq->kicks)
		return 0;
	vq->kicks = false;
	/* With event indices it is enough not to ask for the next kick. */
	if (vq->event_idx)
		return 0;
	err = store_le16(vq->used, RING_FLAGS, GM_RELAXED, VRING_USED_F_NO_NOTIFY);
	return err ? because_gm(err, "used ring") : 0;
}

int virtq_enable_kicks(struct virtq *vq)
{
	int err;

	/* Asked already, and looked at since. */
	if (vq->kicks)
		return 0;
	if (vq->event_idx)
		err = store_le16(vq->used, entries_end(vq, sizeof(struct used_elem)), GM_RELAXED,
				 vq->last_avail);
	else
		err = store_le16(vq->used, RING_FLAGS, GM_RELAXED, 0);
	if (err)
		return because_gm(err, "used ring");
	vq->kicks = true;
	/* The wish is out before the driver's index is read again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	err = load_avail_idx(vq);
	if (err)
		return err;
	return vq->avail_idx != vq->last_avail;
}
