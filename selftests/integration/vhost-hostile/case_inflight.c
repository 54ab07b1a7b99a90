/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_inflight.c - the area in which requests under way are noted, as it should not
 * be. What a device that was killed could have left there is in case_left.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"

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

/* The device's own area. It must have nothing in it when nothing is under way. */
static void use_own_area(struct world *w, bool give_back)
{
	struct wire_inflight wire;
	struct area a;
	struct session s;

	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	expect(get_area(&s.c, QUEUES, RING_NUM, &wire, &a.fd) && a.fd >= 0, "no area");
	expect(wire.queues == QUEUES && wire.num == RING_NUM && !wire.offset &&
	       wire.size >= QUEUES * (16 + RING_NUM * 16ull) && wire.size <= AREA_SIZE,
	       "an area of %llu bytes", (unsigned long long)wire.size);
	expect(ftruncate(a.fd, 0) && errno == EPERM, "the area can be truncated");
	area_map(&a);
	if (give_back)
		expect(area_set(&s.c, &wire, a.fd) == ANSWER_OK, "its own area is refused");
	ring_start(&s.r);
	session_use(&s, w, 20, 4);
	/* The used ring is what was waited for; the area comes later. */
	conn_settle(&s.c);
	expect(a.first->version == 1 && a.first->desc_num == RING_NUM, "version %u, %u entries",
	       a.first->version, a.first->desc_num);
	expect(a.first->used_idx == s.r.used_idx, "used index %u, want %u", a.first->used_idx,
	       s.r.used_idx);
	area_must_be_empty(&a);
	area_session_end(&s, &a);
}

/* It works whether it is given back or not. */
static void get_and_use(struct world *w)
{
	use_own_area(w, true);
	guest_renew(w);
	use_own_area(w, false);
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
		wire = whole_area;
		wire.queues = bad[i].queues;
		wire.num = bad[i].num;
		expect(area_set(&c, &wire, a.fd) != ANSWER_OK, "an area for %u queues of %u",
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
	struct wire_inflight wire = whole_area;
	struct area a;
	struct conn c;
	unsigned int i;

	area_init(&a);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire.size = bad[i].size;
		wire.offset = bad[i].offset;
		conn_open_hello(&c, w);
		expect(area_set(&c, &wire, a.fd) != ANSWER_OK, "%llu bytes at %llu",
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
	expect(area_set(&c, &whole_area, fds[0]) != ANSWER_OK, "a pipe is an area");
	conn_close(&c);
	for (i = 0; i < 3; i += 2) {
		int twice[2] = { a.fd, a.fd };

		conn_open_hello(&c, w);
		msg_must_not(&c, SET_INFLIGHT_FD, &whole_area, sizeof(whole_area), twice, (int)i);
		conn_close(&c);
	}
	conn_open_hello(&c, w);
	msg_must_not(&c, SET_INFLIGHT_FD, &whole_area, sizeof(whole_area) - 4, &a.fd, 1);
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

	area_session_begin(&s, w, &a);
	ring_start(&s.r);
	expect(area_set(&s.c, &whole_area, a.fd) != ANSWER_OK, "an area for a ring that runs");
	area_session_end(&s, &a);
	guest_renew(w);
	area_session_begin(&s, w, &a);
	ring_start(&s.r);
	expect(!get_area(&s.c, QUEUES, RING_NUM, &wire, &fd), "an area for a ring that runs");
	area_session_end(&s, &a);
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
		area_session_begin(&s, w, &a);
		area_offer_ids(&s, q, &a);
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
		area_share(&a, &s.c);
		expect(ring_try_start(&s.r) != ANSWER_OK, "content %u is taken for good", i);
		area_session_end(&s, &a);
	}
}

/* More under way than were ever offered, and all with the same counter. */
static void too_many(struct world *w)
{
	struct request q[REQUESTS];
	struct session s;
	struct area a;
	unsigned int i;

	area_session_begin(&s, w, &a);
	area_offer_ids(&s, q, &a);
	for (i = 0; i < RING_NUM; i++) {
		a.first->desc[i].inflight = 1;
		a.first->desc[i].counter = UINT64_MAX;
	}
	area_share(&a, &s.c);
	if (ring_try_start(&s.r) == ANSWER_OK)
		conn_await_close(&s.c);
	area_session_end(&s, &a);
}

/* A ring that is larger than its part. */
static void too_small(struct world *w)
{
	struct wire_inflight wire = whole_area;
	struct session s;
	struct area a;

	area_session_begin(&s, w, &a);
	wire.num = RING_NUM / 2;
	expect(area_set(&s.c, &wire, a.fd) == ANSWER_OK, "the area is refused");
	expect(ring_try_start(&s.r) != ANSWER_OK, "a part is too small for its ring");
	area_session_end(&s, &a);
}

static void truncated(struct world *w)
{
	struct session s;
	struct request q;
	struct area a;

	area_session_begin(&s, w, &a);
	area_share(&a, &s.c);
	ring_start(&s.r);
	session_use(&s, w, 40, 2);
	expect(!ftruncate(a.fd, 0), "ftruncate: %m");
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	conn_await_close(&s.c);
	area_session_end(&s, &a);
}

const struct hostile_case inflight_cases[] = {
	CASE("legal-inflight-use", get_and_use, .writes = true),
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
