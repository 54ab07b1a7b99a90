/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * area.c - what cases of the inflight area have in common.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"

void area_map(struct area *a)
{
	a->bytes = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	expect(a->bytes != MAP_FAILED, "mmap: %m");
}

void area_init(struct area *a)
{
	a->fd = memfd_create("area", MFD_CLOEXEC);
	expect(a->fd >= 0 && !ftruncate(a->fd, AREA_SIZE), "memfd: %m");
	area_map(a);
}

void area_exit(struct area *a)
{
	munmap(a->bytes, AREA_SIZE);
	close(a->fd);
}

const struct wire_inflight whole_area = {
	.size = AREA_SIZE, .queues = QUEUES, .num = RING_NUM,
};

enum answer area_set(struct conn *c, const struct wire_inflight *wire, int fd)
{
	return msg_ask(c, SET_INFLIGHT_FD, wire, sizeof(*wire), &fd, 1);
}

void area_session_begin(struct session *s, struct world *w, struct area *a)
{
	conn_open_hello(&s->c, w);
	guest_share(w->guest, &s->c);
	ring_init(&s->r, w->guest, &s->c, 0, RING_NUM);
	area_init(a);
}

void area_session_end(struct session *s, struct area *a)
{
	session_close(s);
	area_exit(a);
}

void area_offer_ids(struct session *s, struct request *q, struct area *a)
{
	unsigned int i;

	a->first->version = 1;
	a->first->desc_num = RING_NUM;
	for (i = 0; i < REQUESTS; i++) {
		request_add(&q[i], &s->r, VIRTIO_BLK_T_GET_ID, 0, 20);
		ring_offer(&s->r, q[i].head);
		a->first->desc[q[i].head].inflight = 1;
		a->first->desc[q[i].head].counter = 1000 + i;
	}
}

void area_await(struct session *s, const struct request *q)
{
	struct vring_used_elem e;

	expect(ring_wait(&s->r) == OUTCOME_DONE, "a request is lost");
	ring_take(&s->r, &e);
	expect(e.id == q->head, "descriptor %u comes back, not %u", e.id, q->head);
	expect(request_status(q, s->r.g) == VIRTIO_BLK_S_OK, "status %#x",
	       request_status(q, s->r.g));
}

void area_nothing_more(struct session *s)
{
	struct vring_used_elem e;
	uint32_t base;

	expect(msg_get_base(&s->c, 0, &base) == ANSWER_OK, "no base");
	expect(base == s->r.avail_idx, "base %u, want %u", base, s->r.avail_idx);
	expect(!ring_take(&s->r, &e), "descriptor %u comes back once more", e.id);
}

void area_share(struct area *a, struct conn *c)
{
	expect(area_set(c, &whole_area, a->fd) == ANSWER_OK, "the area is refused");
}

void area_must_be_empty(const struct area *a)
{
	unsigned int i;

	for (i = 0; i < RING_NUM; i++)
		expect(!a->first->desc[i].inflight, "request %u is still noted", i);
}
