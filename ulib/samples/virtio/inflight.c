/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * inflight.c - the area of the vhost-user specification for split rings: what is noted
 * in a queue's part of it.
 *
 * A kill can come between any two stores. Their order makes that each request is
 * either still noted or already the driver's:
 *
 *   taken   counter, then inflight = 1; only then is it begun
 *   given   last_batch_head, used ring, used.idx, inflight = 0, used_idx
 *
 * A kill after used.idx leaves a request noted that the driver has. It shows by
 * the area's used_idx, which is not the ring's yet: what was given back last is
 * then not done again.
 *
 * Whoever comes after us sees all stores before the kill and none after it: so
 * it is the compiler's order that counts here, and release keeps it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inflight.h"
#include "reason.h"

/* As the specification lays them out, in the byte order of the host. */
struct part_header {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
};

struct part_desc {
	uint8_t inflight;
	uint8_t padding[5];
	uint16_t next;
	uint64_t counter;
};

#define VERSION 1
/* Parts of queues begin on lines of the cache of their own. */
#define PART_ALIGN 64u

static uint64_t desc_at(uint16_t head)
{
	return sizeof(struct part_header) + head * sizeof(struct part_desc);
}

static uint64_t part_size(uint16_t num)
{
	return desc_at(num);
}

uint64_t inflight_stride(uint16_t num)
{
	return (part_size(num) + PART_ALIGN - 1) & ~(uint64_t)(PART_ALIGN - 1);
}

static uint64_t flag_at(uint16_t head)
{
	return desc_at(head) + offsetof(struct part_desc, inflight);
}

static int set_flag(const struct inflight_queue *q, uint16_t head, uint8_t value)
{
	return gm_slice_store(q->part, flag_at(head), &value, sizeof(value), GM_RELEASE);
}

static int set_used(struct inflight_queue *q, uint16_t used_idx)
{
	return gm_slice_store(q->part, offsetof(struct part_header, used_idx), &used_idx,
			      sizeof(used_idx), GM_RELEASE);
}

/* A part that nobody has used yet. */
static int format(struct inflight_queue *q, uint16_t num, uint16_t used_idx)
{
	struct part_header h = { .desc_num = num, .used_idx = used_idx };
	uint16_t version = VERSION;
	int err = gm_slice_write(q->part, 0, &h, sizeof(h));

	if (!err)
		err = gm_slice_store(q->part, offsetof(struct part_header, version), &version,
				     sizeof(version), GM_RELEASE);
	return err ? because_gm(err, "inflight area") : 0;
}

/*
 * Between the used ring and the area, the process before us was killed: the @count
 * requests that it gave back last are the driver's.
 */
static int forget_given(struct inflight_queue *q, uint16_t head, uint16_t num, uint16_t count)
{
	int err = 0;

	for (; count && !err; count--) {
		if (head >= num)
			return because(-EPROTO, "inflight entry %u of %u", head, num);
		err = set_flag(q, head, 0);
		if (!err)
			err = gm_slice_read_u16(q->part,
						desc_at(head) + offsetof(struct part_desc, next),
						&head);
	}
	return err ? because_gm(err, "inflight area") : 0;
}

static int in_order(const void *a, const void *b)
{
	uint64_t x = ((const struct inflight_entry *)a)->counter;
	uint64_t y = ((const struct inflight_entry *)b)->counter;

	return x < y ? -1 : x > y;
}

/* Find what is to be done again. One look at each entry: it may change. */
static int collect(struct inflight_queue *q, uint16_t num)
{
	struct part_desc d;
	uint16_t head;
	int err;

	q->left = calloc(num, sizeof(*q->left));
	if (!q->left)
		return because(-ENOMEM, "no memory for requests in flight");
	for (head = 0; head < num; head++) {
		err = gm_slice_read(q->part, desc_at(head), &d, sizeof(d));
		if (err)
			return because_gm(err, "inflight area");
		if (d.inflight != 1)
			continue;
		q->left[q->left_count].head = head;
		q->left[q->left_count++].counter = d.counter;
	}
	qsort(q->left, q->left_count, sizeof(*q->left), in_order);
	if (q->left_count)
		q->counter = q->left[q->left_count - 1].counter + 1;
	return 0;
}

static int recover(struct inflight_queue *q, const struct part_header *h, uint16_t num,
		   uint16_t used_idx)
{
	uint16_t behind = used_idx - h->used_idx;
	int err = 0;

	if (behind <= num)
		err = forget_given(q, h->last_batch_head, num, behind);
	if (!err)
		err = collect(q, num);
	if (err)
		return err;
	/* With nothing under way, it is only the driver that has begun anew. */
	if (behind > num && q->left_count)
		return because(-EPROTO, "the inflight area is %u requests behind", behind);
	q->last = h->last_batch_head;
	err = set_used(q, used_idx);
	return err ? because_gm(err, "inflight area") : 0;
}

/* A queue's part of the area. Return: 1; 0 there is none; an error. */
static int find_part(const struct inflight *f, unsigned int index, struct gm_slice *part,
		     struct part_header *h)
{
	int err;

	if (!f || !f->region || index >= f->queues)
		return 0;
	err = gm_region_slice(f->region, gm_roff(f->start + index * inflight_stride(f->num)),
			      part_size(f->num), part);
	if (!err)
		err = gm_slice_read(*part, 0, h, sizeof(*h));
	return err ? because_gm(err, "inflight area") : 1;
}

/* Return: 1 it has a history; 0 nobody has used it yet; -EPROTO. */
static int check_part(const struct inflight *f, const struct part_header *h)
{
	if (!h->version)
		return 0;
	if (h->version != VERSION || h->features || h->desc_num != f->num)
		return because(-EPROTO, "an inflight area of version %u for %u entries",
			       h->version, h->desc_num);
	return 1;
}

int inflight_start(struct inflight_queue *q, const struct inflight *f, unsigned int index,
		   uint16_t num, uint16_t used_idx)
{
	struct gm_slice part;
	struct part_header h;
	int ret;

	inflight_stop(q);
	ret = find_part(f, index, &part, &h);
	if (ret <= 0)
		return ret;
	if (num > f->num)
		return because(-EINVAL, "a ring of %u entries, an inflight area for %u", num,
			       f->num);
	q->part = part;
	ret = check_part(f, &h);
	if (!ret)
		return format(q, f->num, used_idx);
	if (ret > 0)
		ret = recover(q, &h, num, used_idx);
	if (ret)
		inflight_stop(q);
	return ret ? ret : 1;
}

/* A part with a history, of a queue that does not run. Return: 1; 0; an error. */
static int find_history(struct inflight_queue *q, const struct inflight *f, unsigned int index)
{
	struct part_header h;
	int ret = find_part(f, index, &q->part, &h);

	return ret > 0 ? check_part(f, &h) : ret;
}

int inflight_notes(const struct inflight *f, unsigned int index)
{
	struct inflight_queue q;
	uint8_t flag = 0;
	uint16_t head;
	int ret = find_history(&q, f, index);

	if (ret <= 0)
		return ret;
	for (head = 0; head < f->num && flag != 1; head++) {
		int err = gm_slice_read(q.part, flag_at(head), &flag, sizeof(flag));

		if (err)
			return because_gm(err, "inflight area");
	}
	return flag == 1;
}

int inflight_forget(const struct inflight *f, unsigned int index)
{
	struct inflight_queue q;
	uint16_t head;
	int ret = find_history(&q, f, index), err = 0;

	if (ret <= 0)
		return ret;
	for (head = 0; head < f->num && !err; head++)
		err = set_flag(&q, head, 0);
	return err ? because_gm(err, "inflight area") : 0;
}

void inflight_stop(struct inflight_queue *q)
{
	free(q->left);
	memset(q, 0, sizeof(*q));
	q->part = gm_slice_new(NULL, 0);
}

uint16_t inflight_left(const struct inflight_queue *q)
{
	return q->left_count - q->left_next;
}

bool inflight_has_left(const struct inflight_queue *q)
{
	return inflight_left(q);
}

int inflight_put_back(struct inflight_queue *q)
{
	int err = 0;

	/* The last one first: after a kill in between, used_idx and what is still noted
	 * end where the others begin.
	 */
	while (inflight_has_left(q) && !err) {
		err = set_flag(q, q->left[q->left_count - 1].head, 0);
		if (!err)
			q->left_count--;
	}
	return err ? because_gm(err, "inflight area") : 0;
}

bool inflight_peek(const struct inflight_queue *q, uint16_t *head)
{
	if (!inflight_has_left(q))
		return false;
	*head = q->left[q->left_next].head;
	return true;
}

bool inflight_next(struct inflight_queue *q)
{
	if (!inflight_has_left(q))
		return false;
	q->left_next++;
	return true;
}

int inflight_take(struct inflight_queue *q, uint16_t head)
{
	int err;

	if (gm_slice_is_empty(q->part))
		return 0;
	err = gm_slice_store(q->part, desc_at(head) + offsetof(struct part_desc, counter),
			     &q->counter, sizeof(q->counter), GM_RELAXED);
	q->counter++;
	if (!err)
		err = set_flag(q, head, 1);
	return err ? because_gm(err, "inflight area") : 0;
}

int inflight_give(struct inflight_queue *q, uint16_t head)
{
	int err;

	if (gm_slice_is_empty(q->part))
		return 0;
	err = gm_slice_store(q->part, desc_at(head) + offsetof(struct part_desc, next), &q->last,
			     sizeof(q->last), GM_RELAXED);
	if (!err)
		err = gm_slice_store(q->part, offsetof(struct part_header, last_batch_head),
				     &head, sizeof(head), GM_RELEASE);
	q->last = head;
	return err ? because_gm(err, "inflight area") : 0;
}

int inflight_given(struct inflight_queue *q, uint16_t head, uint16_t used_idx)
{
	int err;

	if (gm_slice_is_empty(q->part))
		return 0;
	err = set_flag(q, head, 0);
	if (!err)
		err = set_used(q, used_idx);
	return err ? because_gm(err, "inflight area") : 0;
}
