/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_rings.c - rings that contradict themselves, and drivers that never stop.
 */
#include <endian.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"

static void set_avail_idx(struct ring *r, uint16_t idx)
{
	struct vring_avail *a = guest_ptr(r->g, r->avail);

	__atomic_store_n(&a->idx, htole16(idx), __ATOMIC_SEQ_CST);
}

static void index_jumps(struct world *w)
{
	static const uint16_t jumps[] = { RING_NUM + 1, 2 * RING_NUM, 0x7fff, 0x8000, 0xffff };
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		guest_renew(w);
		session_open(&s, w);
		/* Each entry of the ring is 0, which would be a good request. */
		request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
		set_avail_idx(&s.r, jumps[i]);
		ring_must_fail(&s.r);
		session_close(&s);
	}
}

/* After some requests, it goes back. */
static void index_goes_back(struct world *w)
{
	struct session s;

	session_open(&s, w);
	session_use(&s, w, 600, 1);
	set_avail_idx(&s.r, 2);
	ring_must_fail(&s.r);
	session_close(&s);
}

/* Around the end of 16 bits: legal. */
static void index_wraps(struct world *w)
{
	struct session s;
	struct vring_used *used;
	unsigned int i;

	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	s.r.base = 65534;
	s.r.avail_idx = 65534;
	s.r.used_idx = 65534;
	set_avail_idx(&s.r, 65534);
	used = guest_ptr(w->guest, s.r.used);
	used->idx = htole16(65534);
	ring_start(&s.r);
	for (i = 0; i < 3; i++)
		session_use(&s, w, 610, 1);
	session_close(&s);
}

/* Two parts of the ring at one place. @a and @b: 0 desc, 1 avail, 2 used. */
static void overlap(struct world *w, unsigned int a, unsigned int b)
{
	struct session s;
	struct request q;
	uint64_t at;

	guest_renew(w);
	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	at = guest_alloc(w->guest, 0, 16 * RING_NUM, 16);
	*(a == 0 ? &s.r.desc : a == 1 ? &s.r.avail : &s.r.used) = at;
	*(b == 0 ? &s.r.desc : b == 1 ? &s.r.avail : &s.r.used) = at;
	if (ring_try_start(&s.r) == ANSWER_OK) {
		/* It is what the device writes that makes nonsense of the rest. */
		s.r.next_desc = 64;
		request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
		ring_offer(&s.r, q.head);
		ring_kick(&s.r);
		expect(ring_wait(&s.r) != OUTCOME_SILENCE, "silence");
		ring_kick(&s.r);
		sleep_ms(5);
	}
	session_close(&s);
}

static void parts_overlap(struct world *w)
{
	overlap(w, 0, 2);
	overlap(w, 1, 2);
	overlap(w, 0, 1);
}

/* Data is read over the ring's own parts. */
static void data_over_rings(struct world *w)
{
	unsigned int part;

	for (part = 0; part < 3; part++) {
		struct session s;
		struct request q;

		guest_renew(w);
		session_open(&s, w);
		request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
		ring_set_desc(&s.r, 1, part == 0 ? s.r.desc : part == 1 ? s.r.avail : s.r.used,
			      part == 1 ? 256 : SECTOR, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
		if (part == 1) {
			ring_set_desc(&s.r, 1, s.r.avail, 256,
				      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 3);
			ring_set_desc(&s.r, 3, q.data, 256,
				      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
		}
		ring_offer(&s.r, q.head);
		ring_kick(&s.r);
		ring_kick(&s.r);
		expect(ring_wait(&s.r) != OUTCOME_SILENCE, "silence");
		sleep_ms(5);
		session_close(&s);
	}
}

/* Rings that share all with each other. */
static void two_rings_in_one_place(struct world *w)
{
	struct session s;
	struct ring other;
	struct request q;
	unsigned int i;

	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	other = s.r;
	other.index = 1;
	ring_start(&s.r);
	if (ring_try_start(&other) == ANSWER_OK) {
		request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
		for (i = 0; i < 64; i++)
			ring_offer(&s.r, q.head);
		ring_kick(&s.r);
		expect(ring_wait(&s.r) != OUTCOME_SILENCE, "silence");
		sleep_ms(5);
	}
	session_close(&s);
}

struct feeder {
	struct ring *r;
	bool stop;
};

/*
 * The ring is full whenever the device looks: as far as it has come, the driver
 * is that much further.
 */
static void *feed(void *arg)
{
	struct feeder *f = arg;
	const struct vring_used *u = guest_ptr(f->r->g, f->r->used);

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED))
		set_avail_idx(f->r, (uint16_t)(le16toh(__atomic_load_n(&u->idx, __ATOMIC_RELAXED))
					       + f->r->num));
	return NULL;
}

/* Who is served all the time keeps the device from nothing else. */
static void never_ends(struct world *w, uint32_t type)
{
	struct feeder f = { 0 };
	struct session s;
	struct request q;
	pthread_t thread;
	unsigned int i;

	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	/* As large as it can be, so that the driver needs not be so fast. */
	ring_init(&s.r, w->guest, &s.c, 0, 32768);
	ring_start(&s.r);
	/* Each entry of the ring is 0, which is this request. */
	request_add(&q, &s.r, type, 0, 0);
	expect(q.head == 0, "descriptor %u", q.head);
	f.r = &s.r;
	expect(!pthread_create(&thread, NULL, feed, &f), "pthread_create");
	for (i = 0; i < 20; i++) {
		ring_kick(&s.r);
		sleep_ms(5);
		/* It answers messages meanwhile. */
		msg_get_u64(&s.c, GET_FEATURES);
	}
	/* It sees that its front-end has gone, though the guest has not. */
	conn_close(&s.c);
	{
		struct conn next;

		conn_open_hello(&next, w);
		conn_close(&next);
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static void never_ends_unsupported(struct world *w)
{
	never_ends(w, 77);
}

static void never_ends_flush(struct world *w)
{
	never_ends(w, VIRTIO_BLK_T_FLUSH);
}

static void kicks_without_requests(struct world *w)
{
	struct session s;
	unsigned int i;

	session_open(&s, w);
	for (i = 0; i < 20000; i++)
		ring_kick(&s.r);
	session_use(&s, w, 620, 1);
	session_close(&s);
}

/* With event indices, whatever the driver says of them. */
static void event_indices(struct world *w)
{
	static const uint16_t events[] = { 0, 1, 0x7fff, 0x8000, 0xffff };
	uint64_t features;
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		unsigned int n;
		uint16_t *event;

		guest_renew(w);
		conn_open_hello(&s.c, w);
		features = s.c.features | F_RING_EVENT_IDX;
		msg_must(&s.c, SET_FEATURES, &features, sizeof(features), NULL, 0);
		guest_share(w->guest, &s.c);
		ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
		event = guest_ptr(w->guest, s.r.avail + 4 + 2 * RING_NUM);
		*event = htole16(events[i]);
		ring_start(&s.r);
		/* Which of the interrupts come is not what is asked here. */
		close(s.r.call);
		s.r.call = -1;
		for (n = 0; n < 20; n++) {
			request_add(&q, &s.r, VIRTIO_BLK_T_IN, n, SECTOR);
			ring_offer(&s.r, q.head);
			request_must(&q, &s.r, SECTOR + 1);
		}
		session_close(&s);
	}
}

/* No interrupts wanted: requests work all the same. */
static void no_interrupts(struct world *w)
{
	struct vring_avail *a;
	struct session s;

	session_open(&s, w);
	a = guest_ptr(w->guest, s.r.avail);
	a->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	/* So nobody waits for one. */
	close(s.r.call);
	s.r.call = -1;
	session_use(&s, w, 630, 1);
	session_close(&s);
}

const struct hostile_case ring_cases[] = {
	CASE("ring-index-jumps", index_jumps),
	CASE("ring-index-goes-back", index_goes_back, .writes = true),
	CASE("legal-ring-index-wraps", index_wraps, .writes = true),
	CASE("ring-parts-overlap", parts_overlap),
	CASE("ring-data-over-rings", data_over_rings),
	CASE("ring-two-in-one-place", two_rings_in_one_place),
	CASE("ring-never-ends", never_ends_unsupported),
	CASE("ring-never-ends-flush", never_ends_flush),
	CASE("legal-ring-kicks-without-requests", kicks_without_requests, .writes = true),
	CASE("legal-ring-event-indices", event_indices),
	CASE("legal-ring-no-interrupts", no_interrupts, .writes = true),
	CASES_END
};
