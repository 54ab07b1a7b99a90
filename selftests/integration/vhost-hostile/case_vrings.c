/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_vrings.c - how a ring is described: sizes, addresses, order of messages.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring.h"

/* Connected, with memory, and a ring that nobody was told of. */
static void prepare(struct session *s, struct world *w, uint32_t num)
{
	guest_renew(w);
	conn_open_hello(&s->c, w);
	guest_share(w->guest, &s->c);
	ring_init(&s->r, w->guest, &s->c, 0, num);
}

/*
 * A ring that can't be: refused at once, or when it is started, or when it is
 * first used.
 */
static void must_refuse_at(struct session *s, const struct wire_addr *a)
{
	struct request q;

	if (ring_try_start_at(&s->r, a) == ANSWER_OK) {
		request_add(&q, &s->r, VIRTIO_BLK_T_FLUSH, 0, 0);
		ring_offer(&s->r, q.head);
		ring_must_fail(&s->r);
	}
	session_close(s);
}

static void wrong_num(struct world *w)
{
	static const uint32_t nums[] = { 0, 3, 5, 127, 129, 32769, 65535, 65536, 131072,
					 0x80000000, 0xffffffff, 0x10080 };
	struct wire_addr a;
	struct session s;
	size_t i;

	for (i = 0; i < sizeof(nums) / sizeof(nums[0]); i++) {
		prepare(&s, w, RING_NUM);
		ring_wire_addr(&s.r, &a);
		expect(msg_ask_state(&s.c, SET_VRING_NUM, 0, nums[i]) != ANSWER_OK,
		       "a ring of %u entries is taken", nums[i]);
		conn_close(&s.c);
		session_close(&s);
	}
}

/* The number changes after the addresses were found good. */
static void num_grows(struct world *w)
{
	struct wire_addr a;
	struct session s;
	struct request q;

	prepare(&s, w, RING_NUM);
	ring_wire_addr(&s.r, &a);
	/* So near to its region's end that there is room for 128, not for 256. */
	a.used = w->guest->regions[2].user + REGION_SIZE - (6 + 8 * RING_NUM + 2);
	guest_own(w->guest, w->guest->regions[2].gpa + (a.used - w->guest->regions[2].user),
		  6 + 8 * RING_NUM + 2);
	s.r.used = w->guest->regions[2].gpa + (a.used - w->guest->regions[2].user);
	expect(ring_try_start_at(&s.r, &a) == ANSWER_OK, "the ring is refused");
	session_use(&s, w, 10, 1);
	if (msg_ask_state(&s.c, SET_VRING_NUM, 0, 2 * RING_NUM) == ANSWER_OK) {
		request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
		ring_offer(&s.r, q.head);
		ring_must_fail(&s.r);
	}
	session_close(&s);
}

/* Which part of a ring is moved. */
static uint64_t *part(struct wire_addr *a, unsigned int i)
{
	return i == 0 ? &a->desc : i == 1 ? &a->avail : &a->used;
}

static void addresses_nowhere(struct world *w)
{
	static const uint64_t users[] = { 0, 1, 0x1000, 0x7f0000000000 - 16, UINT64_MAX,
					  UINT64_MAX - 15, 1ull << 63, 0x8000000000000000 };
	struct wire_addr a;
	struct session s;
	unsigned int p;
	size_t i;

	for (p = 0; p < 3; p++) {
		for (i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
			prepare(&s, w, RING_NUM);
			ring_wire_addr(&s.r, &a);
			*part(&a, p) = users[i];
			must_refuse_at(&s, &a);
		}
	}
}

static void addresses_misaligned(struct world *w)
{
	struct wire_addr a;
	struct session s;
	unsigned int p, bit;

	for (p = 0; p < 3; p++) {
		for (bit = 1; bit < (p == 0 ? 16 : p == 1 ? 2 : 4); bit <<= 1) {
			prepare(&s, w, RING_NUM);
			ring_wire_addr(&s.r, &a);
			*part(&a, p) += bit;
			must_refuse_at(&s, &a);
		}
	}
}

/* A part that begins in a region and ends behind it; region 0 meets region 1. */
static void addresses_over_the_end(struct world *w)
{
	static const uint64_t sizes[] = { 16 * RING_NUM, 4 + 2 * RING_NUM, 4 + 8 * RING_NUM };
	static const uint64_t aligns[] = { 16, 2, 4 };
	struct wire_addr a;
	struct session s;
	unsigned int p, r;

	for (p = 0; p < 3; p++) {
		for (r = 0; r < REGIONS; r++) {
			const struct wire_region *region = &w->guest->regions[r];

			prepare(&s, w, RING_NUM);
			ring_wire_addr(&s.r, &a);
			*part(&a, p) = region->user + region->size - sizes[p] + aligns[p];
			must_refuse_at(&s, &a);
			prepare(&s, w, RING_NUM);
			ring_wire_addr(&s.r, &a);
			*part(&a, p) = region->user + region->size;
			must_refuse_at(&s, &a);
			prepare(&s, w, RING_NUM);
			ring_wire_addr(&s.r, &a);
			*part(&a, p) = region->user + region->size - aligns[p];
			must_refuse_at(&s, &a);
		}
	}
}

static void addresses_with_flags(struct world *w)
{
	struct wire_addr a;
	struct session s;
	struct request q;

	/* The dirty log, which was not negotiated: to write to it would be wrong. */
	prepare(&s, w, RING_NUM);
	ring_wire_addr(&s.r, &a);
	a.flags = 1;
	a.log = w->guest->regions[0].gpa + 0x80000;
	if (ring_try_start_at(&s.r, &a) == ANSWER_OK) {
		request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
		ring_offer(&s.r, q.head);
		request_must(&q, &s.r, 1);
	}
	session_close(&s);
}

static void base_out_of_range(struct world *w)
{
	static const uint32_t bases[] = { 65536, 0x10000 + 5, 0x80000000, 0xffffffff };
	struct session s;
	size_t i;

	for (i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		prepare(&s, w, RING_NUM);
		expect(msg_ask_state(&s.c, SET_VRING_BASE, 0, bases[i]) != ANSWER_OK,
		       "a base of %u is taken", bases[i]);
		session_close(&s);
	}
}

/* A base from which what is offered is more than the ring can hold. */
static void base_elsewhere(struct world *w)
{
	static const uint32_t bases[] = { 2, 1000, 32768, 65535 - RING_NUM };
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		prepare(&s, w, RING_NUM);
		s.r.base = bases[i];
		if (ring_try_start(&s.r) == ANSWER_OK) {
			request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
			ring_offer(&s.r, q.head);
			ring_must_fail(&s.r);
		}
		session_close(&s);
	}
}

static void no_such_ring(struct world *w)
{
	static const uint32_t requests[] = { SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE,
					     GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL,
					     SET_VRING_ERR, SET_VRING_ENABLE };
	uint32_t indices[] = { 0, 255, 256, 65536, 0x7fffffff, 0x80000000, 0xffffffff };
	size_t i, n;

	for (n = 0; n < sizeof(requests) / sizeof(requests[0]); n++) {
		for (i = 0; i < sizeof(indices) / sizeof(indices[0]); i++) {
			struct wire_addr a;
			struct session s;
			enum answer got;
			uint64_t value;
			uint32_t base;

			prepare(&s, w, RING_NUM);
			indices[0] = (uint32_t)msg_get_u64(&s.c, GET_QUEUE_NUM);
			ring_wire_addr(&s.r, &a);
			a.index = indices[i];
			value = indices[i] == 256 ? 1ull << 32 : indices[i] & ~VRING_NOFD;
			if (requests[n] == GET_VRING_BASE)
				got = msg_get_base(&s.c, a.index, &base);
			else if (requests[n] == SET_VRING_ADDR)
				got = msg_ask(&s.c, requests[n], &a, sizeof(a), NULL, 0);
			else if (requests[n] >= SET_VRING_KICK && requests[n] <= SET_VRING_ERR)
				got = msg_ask_u64(&s.c, requests[n], value, s.r.kick);
			else
				got = msg_ask_state(&s.c, requests[n], a.index,
						    requests[n] == SET_VRING_NUM ? RING_NUM : 0);
			expect(got != ANSWER_OK, "request %u takes ring %u", requests[n], a.index);
			session_close(&s);
		}
	}
}

/* The kick is there, signalled, before anything else is. */
static void kick_first(struct world *w)
{
	struct session s;
	struct request q;

	prepare(&s, w, RING_NUM);
	request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	if (msg_ask_u64(&s.c, SET_VRING_KICK, 0, s.r.kick) == ANSWER_OK &&
	    msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 1) == ANSWER_OK &&
	    ring_try_start(&s.r) == ANSWER_OK)
		request_must(&q, &s.r, 1);
	session_close(&s);
}

/* All of it before there is any memory. */
static void memory_last(struct world *w)
{
	struct session s;
	struct request q;

	conn_open_hello(&s.c, w);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	if (ring_try_start(&s.r) == ANSWER_OK) {
		guest_share(w->guest, &s.c);
		request_must(&q, &s.r, 1);
	}
	session_close(&s);
}

/* No number, no addresses; each alone. */
static void half_described(struct world *w)
{
	struct wire_addr a;
	struct session s;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		prepare(&s, w, RING_NUM);
		ring_wire_addr(&s.r, &a);
		if (i & 1)
			msg_ask_state(&s.c, SET_VRING_NUM, 0, RING_NUM);
		if ((i & 2) && !conn_is_closed(&s.c))
			msg_ask(&s.c, SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
		if (i != 3 && !conn_is_closed(&s.c) &&
		    msg_ask_u64(&s.c, SET_VRING_KICK, 0, s.r.kick) != ANSWER_CLOSED &&
		    msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 1) != ANSWER_CLOSED) {
			ring_kick(&s.r);
			/* Nothing can come of it. But it listens. */
			msg_get_u64(&s.c, GET_FEATURES);
		}
		session_close(&s);
	}
}

static void without_call(struct world *w)
{
	struct session s;

	prepare(&s, w, RING_NUM);
	close(s.r.call);
	s.r.call = -1;
	ring_start(&s.r);
	session_use(&s, w, 80, 2);
	session_close(&s);
}

/* The driver does not kick: the device has to look. */
static void without_kick(struct world *w)
{
	struct session s;

	prepare(&s, w, RING_NUM);
	expect(ring_try_start(&s.r) == ANSWER_OK, "the ring is refused");
	expect(msg_ask_u64(&s.c, SET_VRING_KICK, VRING_NOFD, -1) == ANSWER_OK, "refused");
	session_use(&s, w, 90, 2);
	session_close(&s);
}

static void stop_twice(struct world *w)
{
	uint32_t base = 0, again = 0;
	struct session s;

	session_open(&s, w);
	session_use(&s, w, 110, 1);
	expect(msg_get_base(&s.c, 0, &base) == ANSWER_OK && base == 3, "base %u, want 3", base);
	if (msg_get_base(&s.c, 0, &again) == ANSWER_OK) {
		expect(again == base, "the second time, base %u, not %u", again, base);
		/* And on it goes from there. */
		s.r.base = base;
		ring_start(&s.r);
		session_use(&s, w, 111, 1);
	}
	session_close(&s);
}

/* Offer a request that needs no disk: a device that sees it does it at once. */
static void must_not_be_served(struct session *s, struct request *q, const char *if_it_is)
{
	request_add(q, &s->r, VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES);
	ring_offer(&s->r, q->head);
	ring_kick(&s->r);
	conn_settle(&s->c);
	expect(request_status(q, s->r.g) == STATUS_NONE, "%s", if_it_is);
}

/* Stopped is stopped: a kick has no effect, and nothing moves in memory. */
static void kick_of_stopped(struct world *w)
{
	struct session s;
	struct request q;
	uint32_t base;

	session_open(&s, w);
	expect(msg_get_base(&s.c, 0, &base) == ANSWER_OK, "no base");
	must_not_be_served(&s, &q, "a stopped ring is served");
	session_close(&s);
}

static void disabled(struct world *w)
{
	struct session s;
	struct request q;

	session_open(&s, w);
	expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 0) == ANSWER_OK, "refused");
	must_not_be_served(&s, &q, "a disabled ring is served");
	expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 1) == ANSWER_OK, "refused");
	request_must(&q, &s.r, VIRTIO_BLK_ID_BYTES + 1);
	expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 2) != ANSWER_OK, "2 is taken for true");
	session_close(&s);
}

/* Every size that the specification allows, the largest too. */
static void all_sizes(struct world *w)
{
	uint32_t num;

	for (num = 4; num <= 32768; num *= 2) {
		struct session s;

		prepare(&s, w, num);
		ring_start(&s.r);
		if (num >= 16)
			session_use(&s, w, 120, 1);
		session_close(&s);
	}
}

/* All rings at once, with a request each. */
static void all_rings(struct world *w)
{
	struct session s;
	struct ring rings[64];
	struct request q;
	uint64_t n, i;

	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	n = msg_get_u64(&s.c, GET_QUEUE_NUM);
	expect(n && n <= 64, "%llu queues", (unsigned long long)n);
	for (i = 0; i < n; i++) {
		ring_init(&rings[i], w->guest, &s.c, (uint32_t)i, 64);
		ring_start(&rings[i]);
	}
	for (i = 0; i < n; i++) {
		request_add(&q, &rings[i], VIRTIO_BLK_T_IN, i, SECTOR);
		ring_offer(&rings[i], q.head);
		request_must(&q, &rings[i], SECTOR + 1);
	}
	conn_close(&s.c);
}

const struct hostile_case vring_cases[] = {
	CASE("vring-wrong-number", wrong_num),
	CASE("vring-number-grows", num_grows, .writes = true),
	CASE("vring-nowhere", addresses_nowhere),
	CASE("vring-misaligned", addresses_misaligned),
	CASE("vring-over-the-end", addresses_over_the_end),
	CASE("vring-with-log", addresses_with_flags),
	CASE("vring-base-out-of-range", base_out_of_range),
	CASE("vring-base-elsewhere", base_elsewhere),
	CASE("vring-that-is-not-there", no_such_ring),
	CASE("vring-kick-before-setup", kick_first),
	CASE("vring-memory-comes-last", memory_last),
	CASE("vring-half-described", half_described),
	CASE("legal-vring-without-call", without_call, .writes = true),
	CASE("legal-vring-without-kick", without_kick, .writes = true),
	CASE("legal-vring-stopped-twice", stop_twice, .writes = true),
	CASE("legal-vring-kick-of-stopped", kick_of_stopped),
	CASE("legal-vring-disabled", disabled),
	CASE("legal-vring-sizes", all_sizes, .writes = true),
	CASE("legal-vring-all", all_rings),
	CASES_END
};
