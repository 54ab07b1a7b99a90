/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_iommu_lost.c - translations that change under a ring, or that the device has no
 * room for; and requests with more pages than it can ask for in one go.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "iommu.h"

/* More pages than can be asked for in one go, of which one is denied. */
static void denied_in_large(struct world *w)
{
	const uint32_t len = 1024 * PAGE;
	struct iommu_session s;
	struct request q;
	uint64_t status;

	iommu_open(&s, w);
	ring_start_by_iova(&s.s.r);
	iommu_serve_begin(&s);
	session_use(&s.s, w, 8, 1);
	request_add(&q, &s.s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	/* Nothing else of what is known is on the status byte's page. */
	status = guest_alloc(w->guest, 1, 1, PAGE);
	q.status = status;
	ring_set_desc(&s.s.r, q.head + 1, NOWHERE_GPA, len, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
		      q.head + 2);
	ring_set_desc(&s.s.r, q.head + 2, status, 1, VRING_DESC_F_WRITE, 0);
	ring_offer(&s.s.r, q.head);
	request_must_be(&q, &s.s.r, VIRTIO_BLK_S_IOERR);
	session_use(&s.s, w, 8, 1);
	iommu_serve_end(&s);
	iommu_close(&s);
}

static uint16_t used_idx(struct world *w, uint64_t used)
{
	const struct vring_used *u = guest_ptr(w->guest, used);

	return __atomic_load_n(&u->idx, __ATOMIC_ACQUIRE);
}

/* A translation that begins in a page without one, and ends in that of a ring. */
static void across_pages(struct world *w)
{
	uint64_t page, fresh;
	struct iommu_session s;
	struct wire_iotlb m;
	struct request q;

	iommu_open(&s, w);
	page = guest_alloc(w->guest, 2, PAGE, PAGE);
	fresh = guest_alloc(w->guest, 2, 2 * PAGE, PAGE);
	s.s.r.used = page;
	iommu_tell_all(&s);
	expect(iommu_invalidate(&s, BIAS + page - PAGE, PAGE) == ANSWER_OK, "no invalidation");
	ring_start_by_iova(&s.s.r);
	request_add(&q, &s.s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_offer(&s.s.r, q.head);
	request_must(&q, &s.s.r, 1);
	expect(iommu_update(&s, BIAS + page - PAGE / 2, PAGE, guest_user(w->guest, fresh),
			    IOTLB_RW) == ANSWER_OK, "no update");
	expect(iommu_update(&s, BIAS + page + PAGE / 2, PAGE / 2,
			    guest_user(w->guest, fresh) + PAGE, IOTLB_RW) == ANSWER_OK,
	       "no update");
	/* What it has asked for meanwhile, it was told. */
	while (iommu_is_asked(&s)) {
		iommu_take_question(&s, &m);
		expect(iommu_answer(&s, 0), "no question is open");
	}
	s.s.r.used = fresh + PAGE / 2;
	s.s.r.used_idx = 0;
	request_add(&q, &s.s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_offer(&s.s.r, q.head);
	ring_kick(&s.s.r);
	expect(ring_wait(&s.s.r) == OUTCOME_DONE, "no answer where the used ring is");
	expect(used_idx(w, page) == 1, "an answer where it was");
	iommu_close(&s);
}

/* Translations that nobody has asked for. */
static void flood(struct iommu_session *s, uint64_t from, uint64_t to)
{
	uint64_t user = guest_user(s->s.r.g, 0), i;

	for (i = from; i < to; i++) {
		struct wire_iotlb m = {
			.iova = BIAS * 2 + i * 2 * PAGE, .size = PAGE, .user = user,
			.perm = IOTLB_RW, .type = IOTLB_UPDATE,
		};

		expect(msg_send(&s->s.c, IOTLB_MSG, 0, &m, sizeof(m), NULL, 0), "hangs up");
	}
}

/* A ring that the IOTLB has lost is looked for while a request is under way. */
static void found_again(struct world *w)
{
	struct vring_used_elem e;
	struct iommu_session s;
	struct wire_addr a = { 0 };
	struct request q;

	iommu_open(&s, w);
	/* On a page where no data is. */
	s.s.r.used = guest_alloc(w->guest, 2, PAGE, PAGE);
	iommu_tell_all(&s);
	ring_start_by_iova(&s.s.r);
	/* More than there is room for: hardly anything is left of the others. */
	flood(&s, 0, 500000);
	iommu_serve_begin(&s);
	write_much(&s.s.r);
	iommu_serve_end(&s);
	request_add(&q, &s.s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
	request_begin(&q, &s.s.r);
	a.desc = BIAS + s.s.r.desc;
	a.avail = BIAS + s.s.r.avail;
	a.used = BIAS + s.s.r.used;
	expect(msg_send(&s.s.c, SET_VRING_ADDR, 0, &a, sizeof(a), NULL, 0), "hangs up");
	/* The request is done before the ring is found. */
	sleep_ms(100);
	iommu_serve_begin(&s);
	expect(ring_wait(&s.s.r) == OUTCOME_DONE, "a request is lost");
	expect(ring_take(&s.s.r, &e) && e.len == 1, "a request fails");
	iommu_serve_end(&s);
	iommu_close(&s);
}

/* Requests that take a while, since each is in so many pieces; a device need not do more
 * when a ring is to stop. Together they fill most of the room that an IOTLB has.
 */
enum { LONG = 40, PIECES = 3072, ROOM = 1u << 17 };
/* Where their data is: an IOVA that nothing else has. */
#define ELSEWHERE (1ull << 30)

static void tell_pieces(struct iommu_session *s, unsigned int count)
{
	uint64_t data = guest_user(s->s.r.g, guest_alloc(s->s.r.g, 2, SECTOR, 16));
	unsigned int i;

	/* All are the same memory, so that the IOTLB can't join any. */
	for (i = 0; i < count; i++) {
		struct wire_iotlb m = {
			.iova = BIAS + ELSEWHERE + i * SECTOR, .size = SECTOR,
			.user = data, .perm = IOTLB_RW, .type = IOTLB_UPDATE,
		};

		expect(msg_send(&s->s.c, IOTLB_MSG, 0, &m, sizeof(m), NULL, 0), "hangs up");
	}
}

static void offer_long_read(struct iommu_session *s, struct request *q, unsigned int first,
			    unsigned int pieces)
{
	request_add(q, &s->s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	ring_set_desc(&s->s.r, q->head + 1, ELSEWHERE + first * SECTOR, pieces * SECTOR,
		      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, q->head + 2);
	ring_offer(&s->s.r, q->head);
}

/* There is a limit to what is remembered of a request: one piece more, and it fails. */
static void many_pieces(struct world *w)
{
	const unsigned int limit = 16384, header = 1;
	struct iommu_session s;
	struct request q;

	iommu_open(&s, w);
	iommu_tell_all(&s);
	ring_start_by_iova(&s.s.r);
	tell_pieces(&s, limit);
	/* It has heard all before there is anything on the ring. */
	msg_get_u64(&s.s.c, GET_FEATURES);
	offer_long_read(&s, &q, 0, limit - header);
	request_must(&q, &s.s.r, (limit - header) * SECTOR + 1);
	offer_long_read(&s, &q, 0, limit);
	request_must_be(&q, &s.s.r, VIRTIO_BLK_S_IOERR);
	session_use(&s.s, w, 8, 1);
	iommu_close(&s);
}

/*
 * Requests are under way when the IOTLB loses some of what they need, and the ring
 * stops, or memory changes. Nobody answers questions any more, as nobody does while a
 * front-end waits for that: what was begun is done, and what was not is behind the base.
 */
static void lose_under_way(struct world *w, bool new_table)
{
	struct request q[LONG];
	struct vring_used_elem e;
	struct iommu_session s;
	unsigned int i, back;
	uint32_t base;

	iommu_open(&s, w);
	iommu_tell_all(&s);
	ring_start_by_iova(&s.s.r);
	tell_pieces(&s, LONG * PIECES);
	/* As many as there is room for, or a few less. */
	flood(&s, 0, ROOM - LONG * PIECES - 16);
	/* It has heard all before there is anything on the ring. */
	msg_get_u64(&s.s.c, GET_FEATURES);
	for (i = 0; i < LONG; i++)
		offer_long_read(&s, &q[i], i * PIECES, PIECES);
	ring_kick(&s.s.r);
	/* The device looks at its rings before it hears the next message. */
	msg_get_u64(&s.s.c, GET_FEATURES);
	flood(&s, ROOM, ROOM + 2000);
	if (new_table)
		guest_share(w->guest, &s.s.c);
	expect(msg_get_base(&s.s.c, 0, &base) == ANSWER_OK, "the ring does not stop");
	for (back = 0; ring_take(&s.s.r, &e); back++) {
		i = e.id / 3;
		expect(i < LONG && e.id == q[i].head, "descriptor %u comes back", e.id);
		expect(request_status(&q[i], w->guest) == VIRTIO_BLK_S_OK,
		       "request %u has status %#x", i, request_status(&q[i], w->guest));
		expect(e.len == PIECES * SECTOR + 1, "%u bytes", e.len);
	}
	expect(back && base == back, "base %u, and %u requests came back", base, back);
	for (i = base; i < LONG; i++)
		expect(request_status(&q[i], w->guest) == STATUS_NONE, "request %u is done", i);
	iommu_close(&s);
}

static void lost_and_stopped(struct world *w)
{
	lose_under_way(w, false);
}

static void lost_and_new_table(struct world *w)
{
	lose_under_way(w, true);
}

const struct hostile_case iommu_lost_cases[] = {
	CASE("iommu-denied-in-large", denied_in_large, .writes = true),
	CASE("iommu-across-pages", across_pages),
	CASE("legal-iommu-found-again", found_again, .writes = true),
	CASE("iommu-many-pieces", many_pieces, .writes = true),
	CASE("legal-iommu-lost-and-stopped", lost_and_stopped),
	CASE("legal-iommu-lost-and-new-table", lost_and_new_table),
	CASES_END
};
