/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_iommu_left.c - requests that a killed device has left behind an IOMMU, and the
 * ring stops before anybody has told where their data is.
 */
#include <string.h>

#include "area.h"
#include "iommu.h"

/* Where the data of all is: an IOVA that nothing else has. */
#define ELSEWHERE (1ull << 30)

/**
 * struct left - requests of which some were given back
 * @s: the session
 * @a: the area that notes the others
 * @q: all of them, as they are in the ring
 * @given: how many were given back
 */
struct left {
	struct iommu_session s;
	struct area a;
	struct request q[REQUESTS];
	unsigned int given;
};

/*
 * Of the requests, those of the bits of @mask are left; where the data of @known is, the
 * device knows. The ring is not told of yet.
 */
static void left_prepare(struct left *l, struct world *w, unsigned int mask, unsigned int known)
{
	struct ring *r = &l->s.s.r;
	struct vring_used *used;
	unsigned int i;

	guest_renew(w);
	iommu_open(&l->s, w);
	area_init(&l->a);
	r->bias = BIAS;
	area_offer_ids(&l->s.s, l->q, &l->a);
	used = guest_ptr(w->guest, r->used);
	l->given = 0;
	for (i = 0; i < REQUESTS; i++) {
		if (!(known >> i & 1))
			ring_set_desc(r, l->q[i].head + 1, ELSEWHERE, 20,
				      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, l->q[i].head + 2);
		if (mask >> i & 1)
			continue;
		l->a.first->desc[l->q[i].head].inflight = 0;
		l->a.first->last_batch_head = l->q[i].head;
		used->ring[l->given++].id = l->q[i].head;
	}
	used->idx = (uint16_t)l->given;
	r->used_idx = used->idx;
	l->a.first->used_idx = used->idx;
	area_share(&l->a, &l->s.s.c);
}

/* The ring runs, and asks. */
static void left_open(struct left *l, struct world *w, unsigned int mask, unsigned int known)
{
	struct wire_iotlb m;

	left_prepare(l, w, mask, known);
	iommu_tell_all(&l->s);
	ring_start_by_iova(&l->s.s.r);
	iommu_take_question(&l->s, &m);
	expect(m.iova == BIAS + ELSEWHERE, "asked for %#llx", (unsigned long long)m.iova);
}

static void left_close(struct left *l)
{
	iommu_close(&l->s);
	area_exit(&l->a);
}

/* The ring runs once more, and this time there is data: those of @mask come back. */
static void do_them(struct left *l, struct world *w, unsigned int mask)
{
	uint64_t page = guest_alloc(w->guest, 2, PAGE, PAGE);
	unsigned int i;

	iommu_tell_all(&l->s);
	expect(iommu_update(&l->s, BIAS + ELSEWHERE, PAGE, guest_user(w->guest, page),
			    IOTLB_RW) == ANSWER_OK, "no update");
	ring_start_by_iova(&l->s.s.r);
	for (i = 0; i < REQUESTS; i++)
		if (mask >> i & 1)
			area_await(&l->s.s, &l->q[i]);
	/* And no other: it says how many came back, and there are no more of them. */
	area_nothing_more(&l->s.s);
	expect(l->s.s.r.used_idx == REQUESTS, "%u came back", l->s.s.r.used_idx);
}

static void nothing_was_done(struct left *l, struct world *w)
{
	struct vring_used_elem e;
	unsigned int i;

	expect(!ring_take(&l->s.s.r, &e), "descriptor %u comes back", e.id);
	for (i = 0; i < REQUESTS; i++)
		expect(request_status(&l->q[i], w->guest) == STATUS_NONE, "request %u is done", i);
}

/* Those that are left are the last ones: they are behind the base, with any area. */
static void behind_base(struct world *w)
{
	static const unsigned int masks[] = { 0xf, 0xe, 0xc, 0x8 };
	struct area fresh;
	struct left l;
	unsigned int i;
	uint32_t base;

	for (i = 0; i < 8; i++) {
		left_open(&l, w, masks[i / 2], 0);
		expect(msg_get_base(&l.s.s.c, 0, &base) == ANSWER_OK, "no base");
		expect(base == l.given, "base %u, and %u were done", base, l.given);
		nothing_was_done(&l, w);
		area_must_be_empty(&l.a);
		l.s.s.r.base = base;
		area_init(&fresh);
		if (i % 2)
			area_share(&fresh, &l.s.s.c);
		do_them(&l, w, masks[i / 2]);
		area_must_be_empty(i % 2 ? &fresh : &l.a);
		area_exit(&fresh);
		left_close(&l);
	}
}

/* Some of what is left was done again before the ring stops; @left of it was not. */
static void some_done(struct world *w)
{
	static const struct {
		unsigned int mask, known, done, left;
	} rows[] = {
		{ 0xf, 0x1, 0x1, 0xe }, { 0xf, 0x3, 0x3, 0xc }, { 0xe, 0x2, 0x2, 0xc },
		/* Request 1 was done before, and no base told so; the next two can be done. */
		{ 0xd, 0x5, 0x5, 0x8 },
		/* No request goes before another. */
		{ 0xf, 0x9, 0x1, 0xe },
	};
	struct left l;
	unsigned int i, j;
	uint32_t base;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		left_open(&l, w, rows[i].mask, rows[i].known);
		expect(msg_get_base(&l.s.s.c, 0, &base) == ANSWER_OK, "no base");
		for (j = 0; j < REQUESTS; j++) {
			if (rows[i].done >> j & 1)
				area_await(&l.s.s, &l.q[j]);
			expect(!(rows[i].left >> j & 1) ||
			       request_status(&l.q[j], w->guest) == STATUS_NONE,
			       "request %u is done", j);
		}
		expect(base == l.s.s.r.used_idx, "base %u, and %u were done", base,
		       l.s.s.r.used_idx);
		area_must_be_empty(&l.a);
		l.s.s.r.base = base;
		do_them(&l, w, rows[i].left);
		left_close(&l);
	}
}

/* It answers with no base: who has the area still knows what is left, and needs it. */
static void left_refused(struct left *l, struct world *w, unsigned int mask)
{
	uint32_t base = 0;
	unsigned int j;

	expect(msg_get_base(&l->s.s.c, 0, &base) == ANSWER_CLOSED, "base %u", base);
	nothing_was_done(l, w);
	for (j = 0; j < REQUESTS; j++)
		expect(l->a.first->desc[l->q[j].head].inflight == (mask >> j & 1),
		       "request %u is noted, or not", j);
	conn_close(&l->s.s.c);
	iommu_connect(&l->s, w);
	area_share(&l->a, &l->s.s.c);
	do_them(l, w, mask);
	area_must_be_empty(&l->a);
	left_close(l);
}

/* One behind them was done: no base tells that. */
static void no_base(struct world *w)
{
	static const unsigned int masks[] = { 0x7, 0xb, 0xd, 0x1 };
	struct left l;
	unsigned int i;

	for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		left_open(&l, w, masks[i], 0);
		left_refused(&l, w, masks[i]);
	}
}

/* Where the ring itself is, nobody has told: it never ran. */
static void left_unstarted(struct left *l, struct world *w, unsigned int mask)
{
	struct wire_iotlb m;

	left_prepare(l, w, mask, 0);
	l->s.s.r.base = l->given;
	ring_start_by_iova(&l->s.s.r);
	iommu_take_question(&l->s, &m);
	expect(m.iova < BIAS + ELSEWHERE, "asked for %#llx", (unsigned long long)m.iova);
}

/* Then nobody knows what is behind which base. */
static void never_started(struct world *w)
{
	static const unsigned int masks[] = { 0xd, 0xf, 0x8 };
	struct left l;
	unsigned int i;

	for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		left_unstarted(&l, w, masks[i]);
		left_refused(&l, w, masks[i]);
	}
}

/* Nothing is left, or there is no area: the base is what was said. */
static void never_started_nothing_left(struct world *w)
{
	struct iommu_session s;
	struct left l;
	uint32_t base;

	left_unstarted(&l, w, 0);
	expect(msg_get_base(&l.s.s.c, 0, &base) == ANSWER_OK, "no base");
	expect(base == REQUESTS, "base %u", base);
	left_close(&l);
	guest_renew(w);
	iommu_open(&s, w);
	s.s.r.base = 7;
	ring_start_by_iova(&s.s.r);
	iommu_must_ask(&s);
	expect(msg_get_base(&s.s.c, 0, &base) == ANSWER_OK, "no base");
	expect(base == 7, "base %u", base);
	iommu_close(&s);
}

/*
 * The driver begins anew, with another ring, and the front-end keeps the area: what was
 * left of the one before is nobody's, whatever the base would be.
 */
static void reset(struct world *w)
{
	static const unsigned int masks[] = { 0xd, 0xf, 0x8 };
	static const uint32_t requests[] = { RESET_DEVICE, RESET_OWNER };
	struct left l;
	unsigned int i;

	for (i = 0; i < 12; i++) {
		if (i % 2)
			left_open(&l, w, masks[i / 4], 0);
		else
			left_unstarted(&l, w, masks[i / 4]);
		msg_must(&l.s.s.c, requests[i / 2 % 2], NULL, 0, NULL, 0);
		area_must_be_empty(&l.a);
		nothing_was_done(&l, w);
		ring_exit(&l.s.s.r);
		ring_init(&l.s.s.r, w->guest, &l.s.s.c, 0, RING_NUM);
		iommu_tell_all(&l.s);
		ring_start_by_iova(&l.s.s.r);
		session_use(&l.s.s, w, 40, 2);
		area_nothing_more(&l.s.s);
		left_close(&l);
	}
}

const struct hostile_case iommu_left_cases[] = {
	CASE("legal-iommu-left-behind-base", behind_base),
	CASE("legal-iommu-left-some-done", some_done),
	CASE("legal-iommu-left-no-base", no_base),
	CASE("legal-iommu-left-never-started", never_started),
	CASE("legal-iommu-left-nothing", never_started_nothing_left),
	CASE("legal-iommu-left-reset", reset, .writes = true),
	CASES_END
};
