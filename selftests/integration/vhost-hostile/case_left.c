/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_left.c - the inflight area as a device that was killed could have left it, and
 * as one that lives keeps it.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "area.h"

/* Killed with all under way: they are done in the order of their counters. */
static void left_in_order(struct world *w)
{
	static const uint8_t order[REQUESTS] = { 2, 0, 3, 1 };
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	unsigned int i;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	for (i = 0; i < REQUESTS; i++)
		a.first->desc[q[order[i]].head].counter = 7000000000ull + i * 5;
	area_share(&a, &s.c);
	ring_start(&s.r);
	for (i = 0; i < REQUESTS; i++)
		area_await(&s, &q[order[i]]);
	area_nothing_more(&s);
	expect(a.first->used_idx == REQUESTS, "used index %u", a.first->used_idx);
	area_must_be_empty(&a);
	area_session_end(&s, &a);
}

/* Killed after the used ring's index, before the area's: that one is not done again. */
static void given_not_repeated(struct world *w)
{
	struct request q[REQUESTS];
	struct vring_used *used;
	struct session s;
	struct area a;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	used = guest_ptr(w->guest, s.r.used);
	used->ring[0].id = q[1].head;
	used->idx = 1;
	s.r.used_idx = 1;
	a.first->last_batch_head = q[1].head;
	area_share(&a, &s.c);
	ring_start(&s.r);
	area_await(&s, &q[0]);
	area_await(&s, &q[2]);
	area_await(&s, &q[3]);
	area_nothing_more(&s);
	area_must_be_empty(&a);
	expect(request_status(&q[1], w->guest) == STATUS_NONE, "a request is done twice");
	area_session_end(&s, &a);
}

/* Taken, and then killed before it was noted: it is the ring that has it. */
static void not_noted_yet(struct world *w)
{
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	unsigned int i;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	a.first->desc[q[2].head].inflight = 0;
	a.first->desc[q[3].head].inflight = 0;
	/* What the front-end thinks, it thinks of the used ring. */
	s.r.base = 0;
	area_share(&a, &s.c);
	ring_start(&s.r);
	for (i = 0; i < REQUESTS; i++)
		area_await(&s, &q[i]);
	area_nothing_more(&s);
	area_session_end(&s, &a);
}

/* The ring is stopped as soon as it runs, or before: nothing is left for nobody. */
static void stopped(struct world *w, bool runs)
{
	struct {
		struct wire_header enable;
		struct wire_state state;
		struct wire_header base;
		struct wire_state index;
	} both = {
		{ SET_VRING_ENABLE, FLAG_VERSION, sizeof(both.state) }, { 0, runs },
		{ GET_VRING_BASE, FLAG_VERSION, sizeof(both.index) }, { 0, 0 },
	};
	struct request q[REQUESTS];
	struct wire_state state;
	struct session s;
	struct area a;
	uint32_t size, i;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	area_share(&a, &s.c);
	ring_start_disabled(&s.r);
	expect(conn_send(&s.c, &both, sizeof(both), NULL, 0) &&
	       msg_receive(&s.c, GET_VRING_BASE, &state, sizeof(state), &size), "hangs up");
	expect(state.num == REQUESTS, "base %u", state.num);
	for (i = 0; i < REQUESTS; i++)
		area_await(&s, &q[i]);
	area_must_be_empty(&a);
	area_session_end(&s, &a);
}

static void stopped_at_once(struct world *w)
{
	stopped(w, true);
}

static void stopped_before(struct world *w)
{
	stopped(w, false);
}

/* Stopped before it was enabled, only what was left is done, and nothing new. */
static void nothing_new(struct world *w)
{
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	uint32_t base;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	a.first->desc[q[2].head].inflight = 0;
	a.first->desc[q[3].head].inflight = 0;
	area_share(&a, &s.c);
	ring_start_disabled(&s.r);
	expect(msg_get_base(&s.c, 0, &base) == ANSWER_OK, "no base");
	expect(base == 2, "base %u", base);
	area_await(&s, &q[0]);
	area_await(&s, &q[1]);
	area_must_be_empty(&a);
	expect(request_status(&q[2], w->guest) == STATUS_NONE, "a disabled ring runs");
	area_session_end(&s, &a);
}

/* Killed before the driver was told, where nothing is left that would tell it. */
static void driver_not_told(struct world *w)
{
	struct request q[REQUESTS];
	struct pollfd p = { .events = POLLIN };
	struct vring_used *used;
	struct session s;
	struct area a;
	unsigned int i;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	used = guest_ptr(w->guest, s.r.used);
	for (i = 0; i < REQUESTS; i++) {
		used->ring[i].id = q[i].head;
		a.first->desc[q[i].head].inflight = i == REQUESTS - 1;
	}
	used->idx = REQUESTS;
	a.first->used_idx = REQUESTS - 1;
	a.first->last_batch_head = q[REQUESTS - 1].head;
	area_share(&a, &s.c);
	ring_start(&s.r);
	p.fd = s.r.call;
	expect(poll(&p, 1, PATIENCE_MS / 10) == 1, "the driver waits for ever");
	area_must_be_empty(&a);
	expect(a.first->used_idx == REQUESTS, "used index %u", a.first->used_idx);
	/* The front-end looks elsewhere from now on. */
	p.fd = eventfd(0, EFD_CLOEXEC);
	expect(msg_ask_u64(&s.c, SET_VRING_CALL, 0, p.fd) == ANSWER_OK, "no call");
	expect(poll(&p, 1, PATIENCE_MS / 10) == 1, "the driver waits for ever");
	close(p.fd);
	area_session_end(&s, &a);
}

/* The driver begins anew, and the front-end keeps the area: nothing is under way. */
static void new_ring(struct world *w)
{
	struct session s;
	struct area a;

	area_session_begin(&s, w, &a);
	area_share(&a, &s.c);
	ring_start(&s.r);
	session_use(&s, w, 40, 2);
	msg_must(&s.c, RESET_DEVICE, NULL, 0, NULL, 0);
	area_must_be_empty(&a);
	ring_exit(&s.r);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	ring_start(&s.r);
	session_use(&s, w, 40, 2);
	expect(a.first->used_idx == s.r.used_idx, "used index %u", a.first->used_idx);
	area_session_end(&s, &a);
}

/* What the one that comes after a kill goes by: the order, and what was given last. */
static void notes(struct world *w)
{
	struct inflight_desc *d, *before;
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	unsigned int i;

	area_session_begin(&s, w, &a);
	area_share(&a, &s.c);
	ring_start(&s.r);
	for (i = 0; i < REQUESTS; i++) {
		request_add(&q[i], &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
		ring_offer(&s.r, q[i].head);
		request_must(&q[i], &s.r, 21);
		/* The used ring is what we wait for; the area comes later. */
		expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 1) == ANSWER_OK, "no answer");
		d = &a.first->desc[q[i].head];
		expect(a.first->last_batch_head == q[i].head, "last is %u",
		       a.first->last_batch_head);
		if (!i)
			continue;
		before = &a.first->desc[q[i - 1].head];
		expect(d->next == q[i - 1].head, "%u before the last", d->next);
		expect(d->counter > before->counter, "counter %llu after %llu",
		       (unsigned long long)d->counter, (unsigned long long)before->counter);
	}
	area_session_end(&s, &a);
}

/* New requests come after those that are left. */
static void counts_on(struct world *w)
{
	struct request q[REQUESTS], new;
	struct session s;
	struct area a;
	unsigned int i;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	area_share(&a, &s.c);
	ring_start(&s.r);
	for (i = 0; i < REQUESTS; i++)
		area_await(&s, &q[i]);
	request_add(&new, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&s.r, new.head);
	request_must(&new, &s.r, 21);
	expect(a.first->desc[new.head].counter > 1000 + REQUESTS - 1, "counter %llu",
	       (unsigned long long)a.first->desc[new.head].counter);
	area_session_end(&s, &a);
}

/* Each queue has a part of its own, in an area that does not begin with a page. */
static void parts(struct world *w)
{
	struct wire_inflight wire = whole_area;
	struct inflight_part *first;
	struct request q;
	struct session s;
	struct ring other;
	struct area a;

	area_session_begin(&s, w, &a);
	wire.offset = 4096 + 192;
	wire.size -= wire.offset;
	first = (struct inflight_part *)(a.bytes + wire.offset);
	expect(area_set(&s.c, &wire, a.fd) == ANSWER_OK, "the area is refused");
	ring_init(&other, w->guest, &s.c, 1, RING_NUM);
	ring_start(&s.r);
	ring_start(&other);
	session_use(&s, w, 40, 2);
	expect(first->version == 1 && first->desc_num == RING_NUM, "version %u", first->version);
	expect(s.r.used_idx && first->used_idx == s.r.used_idx, "used index %u", first->used_idx);
	expect(!a.first->version && !a.first->used_idx, "written before the area");
	request_add(&q, &other, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&other, q.head);
	request_must(&q, &other, 21);
	expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 1, 1) == ANSWER_OK, "no answer");
	expect(first->used_idx == s.r.used_idx, "another ring's used index");
	ring_exit(&other);
	area_session_end(&s, &a);
}

/* The front-end goes while all is under way, and comes back to the same device. */
static void comes_back(struct world *w)
{
	bool back[RING_NUM];
	struct vring_used_elem e;
	struct session s;
	struct request q;
	struct area a;
	unsigned int round, i;

	for (round = 0; round < 20; round++) {
		guest_renew(w);
		area_session_begin(&s, w, &a);
		area_share(&a, &s.c);
		ring_start(&s.r);
		for (i = 0; i < 32; i++) {
			request_add(&q, &s.r, VIRTIO_BLK_T_IN, i * 32, 32 * SECTOR);
			ring_offer(&s.r, q.head);
		}
		image_evict(w);
		ring_kick(&s.r);
		usleep(round * 40);
		conn_close(&s.c);
		conn_open_hello(&s.c, w);
		guest_share(w->guest, &s.c);
		area_share(&a, &s.c);
		ring_start(&s.r);
		ring_kick(&s.r);
		memset(back, 0, sizeof(back));
		for (i = 0; i < 32; i++) {
			expect(ring_wait(&s.r) == OUTCOME_DONE, "request %u is lost", i);
			ring_take(&s.r, &e);
			expect(e.id < RING_NUM && !back[e.id] && e.len == 32 * SECTOR + 1,
			       "descriptor %u comes back once more", e.id);
			back[e.id] = true;
		}
		area_nothing_more(&s);
		area_must_be_empty(&a);
		area_session_end(&s, &a);
	}
}

const struct hostile_case left_cases[] = {
	CASE("legal-inflight-left-in-order", left_in_order),
	CASE("legal-inflight-given-not-repeated", given_not_repeated),
	CASE("legal-inflight-not-noted-yet", not_noted_yet),
	CASE("legal-inflight-stopped-at-once", stopped_at_once),
	CASE("legal-inflight-stopped-before", stopped_before),
	CASE("legal-inflight-nothing-new", nothing_new),
	CASE("legal-inflight-driver-not-told", driver_not_told),
	CASE("legal-inflight-new-ring", new_ring, .writes = true),
	CASE("legal-inflight-notes", notes),
	CASE("legal-inflight-counts-on", counts_on),
	CASE("legal-inflight-parts", parts, .writes = true),
	CASE("legal-inflight-comes-back", comes_back),
	CASES_END
};
