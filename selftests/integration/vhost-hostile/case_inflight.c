/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_inflight.c - the area in which requests under way are noted, as a device
 * that was killed could have left it, and as none does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

#define QUEUES 2
/* Bytes of an area that is large enough, however a device aligns its parts. */
#define AREA_SIZE (64 * 1024ull)
#define REQUESTS 4

/**
 * struct area - memory of the case's own, for the device to note requests in
 * @fd: its file
 * @bytes: all of it, mapped
 */
struct area {
	int fd;
	union {
		uint8_t *bytes;
		struct inflight_part *first;
	};
};

static void area_map(struct area *a)
{
	a->bytes = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	expect(a->bytes != MAP_FAILED, "mmap: %m");
}

static void area_init(struct area *a)
{
	a->fd = memfd_create("area", MFD_CLOEXEC);
	expect(a->fd >= 0 && !ftruncate(a->fd, AREA_SIZE), "memfd: %m");
	area_map(a);
}

static void area_exit(struct area *a)
{
	munmap(a->bytes, AREA_SIZE);
	close(a->fd);
}

static const struct wire_inflight whole = {
	.size = AREA_SIZE, .queues = QUEUES, .num = RING_NUM,
};

static enum answer set_area(struct conn *c, const struct wire_inflight *wire, int fd)
{
	return msg_ask(c, SET_INFLIGHT_FD, wire, sizeof(*wire), &fd, 1);
}

/* Return: false: the device hangs up. */
static bool get_area(struct conn *c, uint16_t queues, uint16_t num, struct wire_inflight *wire,
		     int *fd)
{
	struct {
		struct wire_header h;
		struct wire_inflight wire;
	} __attribute__((packed)) reply;
	struct wire_inflight ask = { .queues = queues, .num = num };

	*fd = -1;
	if (!msg_send(c, GET_INFLIGHT_FD, 0, &ask, sizeof(ask), NULL, 0) ||
	    !conn_receive_fd(c, &reply, sizeof(reply), fd))
		return false;
	expect(reply.h.request == GET_INFLIGHT_FD && reply.h.size == sizeof(*wire),
	       "request %u, %u bytes", reply.h.request, reply.h.size);
	*wire = reply.wire;
	return true;
}

/* A connection with an area and a ring that is not started yet. */
static void session_begin(struct session *s, struct world *w, struct area *a)
{
	conn_open_hello(&s->c, w);
	guest_share(w->guest, &s->c);
	ring_init(&s->r, w->guest, &s->c, 0, RING_NUM);
	area_init(a);
}

static void session_end(struct session *s, struct area *a)
{
	session_close(s);
	area_exit(a);
}

/* The device's own area. It must have nothing in it when nothing is under way. */
static void get_and_use(struct world *w)
{
	struct wire_inflight wire;
	struct area a;
	struct session s;
	unsigned int i;

	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	expect(get_area(&s.c, QUEUES, RING_NUM, &wire, &a.fd) && a.fd >= 0, "no area");
	expect(wire.queues == QUEUES && wire.num == RING_NUM && !wire.offset &&
	       wire.size >= QUEUES * (16 + RING_NUM * 16ull) && wire.size <= AREA_SIZE,
	       "an area of %llu bytes", (unsigned long long)wire.size);
	expect(ftruncate(a.fd, 0) && errno == EPERM, "the area can be truncated");
	area_map(&a);
	/* It works whether it is given back or not. */
	if (now_ms() & 1)
		expect(set_area(&s.c, &wire, a.fd) == ANSWER_OK, "its own area is refused");
	ring_start(&s.r);
	session_use(&s, w, 20, 4);
	expect(a.first->version == 1 && a.first->desc_num == RING_NUM, "version %u, %u entries",
	       a.first->version, a.first->desc_num);
	expect(a.first->used_idx == s.r.used_idx, "used index %u, want %u", a.first->used_idx,
	       s.r.used_idx);
	for (i = 0; i < RING_NUM; i++)
		expect(!a.first->desc[i].inflight, "request %u is still noted", i);
	session_end(&s, &a);
}

/* Requests that come back at once and in the order in which they are begun. */
static void offer_ids(struct session *s, struct request *q, struct area *a)
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

static void await(struct session *s, const struct request *q)
{
	struct vring_used_elem e;

	expect(ring_wait(&s->r) == OUTCOME_DONE, "a request is lost");
	ring_take(&s->r, &e);
	expect(e.id == q->head, "descriptor %u comes back, not %u", e.id, q->head);
	expect(request_status(q, s->r.g) == VIRTIO_BLK_S_OK, "status %#x",
	       request_status(q, s->r.g));
}

static void nothing_more(struct session *s)
{
	struct vring_used_elem e;
	uint32_t base;

	expect(msg_get_base(&s->c, 0, &base) == ANSWER_OK, "no base");
	expect(base == s->r.avail_idx, "base %u, want %u", base, s->r.avail_idx);
	expect(!ring_take(&s->r, &e), "descriptor %u comes back once more", e.id);
}

/* Killed with all under way: they are done in the order of their counters. */
static void left_in_order(struct world *w)
{
	static const uint8_t order[REQUESTS] = { 2, 0, 3, 1 };
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	unsigned int i;

	session_begin(&s, w, &a);
	offer_ids(&s, q, &a);
	for (i = 0; i < REQUESTS; i++)
		a.first->desc[q[order[i]].head].counter = 7000000000ull + i * 5;
	expect(set_area(&s.c, &whole, a.fd) == ANSWER_OK, "the area is refused");
	ring_start(&s.r);
	for (i = 0; i < REQUESTS; i++)
		await(&s, &q[order[i]]);
	nothing_more(&s);
	expect(a.first->used_idx == REQUESTS, "used index %u", a.first->used_idx);
	for (i = 0; i < REQUESTS; i++)
		expect(!a.first->desc[q[i].head].inflight, "request %u is still noted", i);
	session_end(&s, &a);
}

/* Killed after the used ring's index, before the area's: that one is not done again. */
static void given_not_repeated(struct world *w)
{
	struct request q[REQUESTS];
	struct vring_used *used;
	struct session s;
	struct area a;
	unsigned int i;

	session_begin(&s, w, &a);
	offer_ids(&s, q, &a);
	used = guest_ptr(w->guest, s.r.used);
	used->ring[0].id = q[1].head;
	used->idx = 1;
	s.r.used_idx = 1;
	a.first->last_batch_head = q[1].head;
	expect(set_area(&s.c, &whole, a.fd) == ANSWER_OK, "the area is refused");
	ring_start(&s.r);
	await(&s, &q[0]);
	await(&s, &q[2]);
	await(&s, &q[3]);
	nothing_more(&s);
	for (i = 0; i < REQUESTS; i++)
		expect(!a.first->desc[q[i].head].inflight, "request %u is still noted", i);
	expect(request_status(&q[1], w->guest) == STATUS_NONE, "a request is done twice");
	session_end(&s, &a);
}

/* Taken, and then killed before it was noted: it is the ring that has it. */
static void not_noted_yet(struct world *w)
{
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	unsigned int i;

	session_begin(&s, w, &a);
	offer_ids(&s, q, &a);
	a.first->desc[q[2].head].inflight = 0;
	a.first->desc[q[3].head].inflight = 0;
	/* What the front-end thinks, it thinks of the used ring. */
	s.r.base = 0;
	expect(set_area(&s.c, &whole, a.fd) == ANSWER_OK, "the area is refused");
	ring_start(&s.r);
	for (i = 0; i < REQUESTS; i++)
		await(&s, &q[i]);
	nothing_more(&s);
	session_end(&s, &a);
}

/* The ring is stopped as soon as it runs: nothing is left for nobody. */
static void stopped_at_once(struct world *w)
{
	struct request q[REQUESTS];
	struct wire_state state = { 0, 1 };
	struct {
		struct wire_header enable;
		struct wire_state state;
		struct wire_header base;
		struct wire_state index;
	} both = {
		{ SET_VRING_ENABLE, FLAG_VERSION, sizeof(state) }, state,
		{ GET_VRING_BASE, FLAG_VERSION, sizeof(state) }, { 0, 0 },
	};
	struct session s;
	struct area a;
	uint32_t size, base, i;

	session_begin(&s, w, &a);
	offer_ids(&s, q, &a);
	expect(set_area(&s.c, &whole, a.fd) == ANSWER_OK, "the area is refused");
	ring_start(&s.r);
	expect(msg_get_base(&s.c, 0, &base) == ANSWER_OK, "no base");
	/* Once more, with the area as if none of them had been done. */
	for (i = 0; i < REQUESTS; i++)
		a.first->desc[q[i].head].inflight = 1;
	memset(guest_ptr(w->guest, s.r.used), 0, 4);
	a.first->used_idx = 0;
	s.r.used_idx = 0;
	expect(msg_ask_u64(&s.c, SET_VRING_KICK, 0, s.r.kick) == ANSWER_OK, "no kick");
	expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 0) == ANSWER_OK, "no end");
	expect(conn_send(&s.c, &both, sizeof(both), NULL, 0) &&
	       msg_receive(&s.c, GET_VRING_BASE, &state, sizeof(state), &size), "hangs up");
	expect(state.num == REQUESTS, "base %u", state.num);
	for (i = 0; i < REQUESTS; i++)
		expect(!a.first->desc[q[i].head].inflight, "request %u is left", i);
	session_end(&s, &a);
}

static void bad_counts(struct world *w)
{
	static const struct {
		uint16_t queues, num;
	} bad[] = {
		{ 0, RING_NUM }, { QUEUES, 0 }, { QUEUES, 32769 }, { QUEUES, UINT16_MAX },
		{ 5, RING_NUM }, { UINT16_MAX, 32768 }, { UINT16_MAX, UINT16_MAX }, { 0, 0 },
	};
	struct wire_inflight wire;
	struct area a;
	struct conn c;
	unsigned int i;
	int fd;

	area_init(&a);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		conn_open_hello(&c, w);
		expect(!get_area(&c, bad[i].queues, bad[i].num, &wire, &fd) || !wire.size,
		       "an area for %u queues of %u", bad[i].queues, bad[i].num);
		conn_close(&c);
		conn_open_hello(&c, w);
		wire = whole;
		wire.queues = bad[i].queues;
		wire.num = bad[i].num;
		expect(set_area(&c, &wire, a.fd) != ANSWER_OK, "an area for %u queues of %u",
		       wire.queues, wire.num);
		conn_close(&c);
	}
	area_exit(&a);
}

static void bad_places(struct world *w)
{
	static const struct {
		uint64_t size, offset;
	} bad[] = {
		{ 0, 0 }, { 1, 0 }, { 16 + RING_NUM * 16, 0 }, { AREA_SIZE, 4096 },
		{ AREA_SIZE + 1, 0 }, { AREA_SIZE / 2, AREA_SIZE }, { UINT64_MAX, 0 },
		{ UINT64_MAX, 4096 }, { UINT64_MAX - 4095, 4096 }, { AREA_SIZE, UINT64_MAX },
		{ AREA_SIZE, UINT64_MAX - 4095 }, { AREA_SIZE / 2, 1 }, { AREA_SIZE / 2, 4 },
		{ AREA_SIZE, 1ull << 63 }, { 1ull << 62, 0 },
	};
	struct wire_inflight wire = whole;
	struct area a;
	struct conn c;
	unsigned int i;

	area_init(&a);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire.size = bad[i].size;
		wire.offset = bad[i].offset;
		conn_open_hello(&c, w);
		expect(set_area(&c, &wire, a.fd) != ANSWER_OK, "%llu bytes at %llu",
		       (unsigned long long)wire.size, (unsigned long long)wire.offset);
		conn_close(&c);
	}
	area_exit(&a);
}

static void bad_fds(struct world *w)
{
	struct area a;
	struct conn c;
	int fds[2];
	unsigned int i;

	area_init(&a);
	expect(!pipe(fds), "pipe: %m");
	conn_open_hello(&c, w);
	expect(set_area(&c, &whole, fds[0]) != ANSWER_OK, "a pipe is an area");
	conn_close(&c);
	for (i = 0; i < 3; i += 2) {
		int twice[2] = { a.fd, a.fd };

		conn_open_hello(&c, w);
		msg_must_not(&c, SET_INFLIGHT_FD, &whole, sizeof(whole), twice, (int)i);
		conn_close(&c);
	}
	conn_open_hello(&c, w);
	msg_must_not(&c, SET_INFLIGHT_FD, &whole, sizeof(whole) - 4, &a.fd, 1);
	conn_close(&c);
	close(fds[0]);
	close(fds[1]);
	area_exit(&a);
}

static void while_running(struct world *w)
{
	struct wire_inflight wire;
	struct session s;
	struct area a;
	int fd;

	session_begin(&s, w, &a);
	ring_start(&s.r);
	expect(set_area(&s.c, &whole, a.fd) != ANSWER_OK, "an area for a ring that runs");
	session_end(&s, &a);
	guest_renew(w);
	session_begin(&s, w, &a);
	ring_start(&s.r);
	expect(!get_area(&s.c, QUEUES, RING_NUM, &wire, &fd), "an area for a ring that runs");
	session_end(&s, &a);
}

/* What no device would have left there. */
static void bad_content(struct world *w)
{
	unsigned int i;

	for (i = 0; i < 7; i++) {
		struct request q[REQUESTS];
		struct session s;
		struct area a;

		guest_renew(w);
		session_begin(&s, w, &a);
		offer_ids(&s, q, &a);
		if (i == 0)
			a.first->version = 2;
		if (i == 1)
			a.first->features = 1;
		if (i == 2)
			a.first->desc_num = RING_NUM / 2;
		if (i == 3)
			a.first->desc_num = UINT16_MAX;
		if (i == 4)
			a.first->used_idx = RING_NUM;
		if (i >= 5) {
			a.first->used_idx = UINT16_MAX - 1;
			a.first->last_batch_head = i == 5 ? RING_NUM : q[0].head;
			a.first->desc[q[0].head].next = UINT16_MAX;
		}
		expect(set_area(&s.c, &whole, a.fd) == ANSWER_OK, "the area is refused");
		expect(ring_try_start(&s.r) != ANSWER_OK, "content %u is taken for good", i);
		session_end(&s, &a);
	}
}

/* More under way than were ever offered, and all with the same counter. */
static void too_many(struct world *w)
{
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	unsigned int i;

	session_begin(&s, w, &a);
	offer_ids(&s, q, &a);
	for (i = 0; i < RING_NUM; i++) {
		a.first->desc[i].inflight = 1;
		a.first->desc[i].counter = UINT64_MAX;
	}
	expect(set_area(&s.c, &whole, a.fd) == ANSWER_OK, "the area is refused");
	if (ring_try_start(&s.r) == ANSWER_OK)
		conn_await_close(&s.c);
	session_end(&s, &a);
}

/* A ring that is larger than its part. */
static void too_small(struct world *w)
{
	struct wire_inflight wire = whole;
	struct session s;
	struct area a;

	session_begin(&s, w, &a);
	wire.num = RING_NUM / 2;
	expect(set_area(&s.c, &wire, a.fd) == ANSWER_OK, "the area is refused");
	expect(ring_try_start(&s.r) != ANSWER_OK, "a part is too small for its ring");
	session_end(&s, &a);
}

static void truncated(struct world *w)
{
	struct session s;
	struct request q;
	struct area a;

	session_begin(&s, w, &a);
	expect(set_area(&s.c, &whole, a.fd) == ANSWER_OK, "the area is refused");
	ring_start(&s.r);
	session_use(&s, w, 40, 2);
	expect(!ftruncate(a.fd, 0), "ftruncate: %m");
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	conn_await_close(&s.c);
	session_end(&s, &a);
}

const struct hostile_case inflight_cases[] = {
	CASE("legal-inflight-use", get_and_use, .writes = true),
	CASE("legal-inflight-left-in-order", left_in_order),
	CASE("legal-inflight-given-not-repeated", given_not_repeated),
	CASE("legal-inflight-not-noted-yet", not_noted_yet),
	CASE("legal-inflight-stopped-at-once", stopped_at_once),
	CASE("inflight-counts", bad_counts),
	CASE("inflight-places", bad_places),
	CASE("inflight-fds", bad_fds),
	CASE("inflight-while-running", while_running),
	CASE("inflight-content", bad_content),
	CASE("inflight-too-many", too_many),
	CASE("inflight-too-small", too_small),
	CASE("inflight-truncated", truncated, .writes = true),
	CASES_END
};
