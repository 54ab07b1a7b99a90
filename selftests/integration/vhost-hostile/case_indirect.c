/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_indirect.c - descriptors in tables outside of the ring.
 */
#include <endian.h>
#include <string.h>

#include "ring.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

static void set(struct guest *g, uint64_t table, uint16_t i, uint64_t addr, uint32_t len,
		uint16_t flags, uint16_t next)
{
	struct vring_desc d = { htole64(addr), htole32(len), htole16(flags), htole16(next) };
	uint8_t *bytes = (uint8_t *)&d;
	unsigned int b;

	/* Byte by byte: a table may lie across two regions. */
	for (b = 0; b < sizeof(d); b++)
		*(uint8_t *)guest_ptr(g, table + i * sizeof(d) + b) = bytes[b];
}

/* A good read of one sector in a table of 3 at @table. */
static void build(struct guest *g, uint64_t table, const struct request *q)
{
	set(g, table, 0, q->header, 16, NEXT, 1);
	set(g, table, 1, q->data, SECTOR, NEXT | WRITE, 2);
	set(g, table, 2, q->status, 1, WRITE, 0);
}

/* A session with such a table; not offered yet. */
static uint64_t open_with(struct session *s, struct request *q, struct world *w)
{
	uint64_t table;

	guest_renew(w);
	session_open(s, w);
	request_init(q, w->guest, VIRTIO_BLK_T_IN, 3, SECTOR);
	table = guest_alloc(w->guest, 1, 48, 16);
	build(w->guest, table, q);
	ring_set_desc(&s->r, 0, table, 48, INDIRECT, 0);
	return table;
}

static void must_refuse(struct session *s, struct request *q)
{
	ring_offer(&s->r, 0);
	request_must_not(q, &s->r);
	session_close(s);
}

static void must_work(struct session *s, struct request *q, struct world *w)
{
	uint8_t want[SECTOR];

	ring_offer(&s->r, 0);
	request_must(q, &s->r, SECTOR + 1);
	image_read(w, want, SECTOR, 3);
	expect(!memcmp(want, guest_ptr(w->guest, q->data), SECTOR), "other data");
	session_close(s);
}

static void good(struct world *w)
{
	struct session s;
	struct request q;

	open_with(&s, &q, w);
	must_work(&s, &q, w);
}

static void wrong_length(struct world *w)
{
	static const uint32_t lengths[] = { 0, 1, 15, 17, 47, 49, 0xffffffff, 0xfffffff1 };
	struct session s;
	struct request q;
	uint64_t table;
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		table = open_with(&s, &q, w);
		ring_set_desc(&s.r, 0, table, lengths[i], INDIRECT, 0);
		must_refuse(&s, &q);
	}
	/* Shorter than the chain that is in it. */
	for (i = 16; i < 48; i += 16) {
		table = open_with(&s, &q, w);
		ring_set_desc(&s.r, 0, table, (uint32_t)i, INDIRECT, 0);
		must_refuse(&s, &q);
	}
}

/* Longer than memory: what counts is what of it is used, or that it is refused. */
static void huge(struct world *w)
{
	static const uint32_t lengths[] = { 0xfffffff0, 0x80000000, 0x100000 };
	struct session s;
	struct request q;
	uint64_t table;
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		table = open_with(&s, &q, w);
		ring_set_desc(&s.r, 0, table, lengths[i], INDIRECT, 0);
		ring_offer(&s.r, 0);
		ring_kick(&s.r);
		expect(ring_wait(&s.r) != OUTCOME_SILENCE, "silence");
		session_close(&s);
		/* An entry that is not there. */
		table = open_with(&s, &q, w);
		ring_set_desc(&s.r, 0, table, lengths[i], INDIRECT, 0);
		set(w->guest, table, 0, q.header, 16, NEXT, 65535);
		must_refuse(&s, &q);
	}
}

static void long_chain(struct world *w, uint16_t n, bool legal)
{
	struct session s;
	struct request q;
	uint64_t table;
	uint16_t i;

	guest_renew(w);
	session_open(&s, w);
	request_init(&q, w->guest, VIRTIO_BLK_T_IN, 3, SECTOR);
	table = guest_alloc(w->guest, 1, n * 16ull, 16);
	set(w->guest, table, 0, q.header, 16, NEXT, 1);
	for (i = 1; i + 1 < n; i++)
		set(w->guest, table, i, q.data + (i - 1u) * 4 % SECTOR,
		    legal && i + 2 == n ? SECTOR - 4u * (n - 3u) : 4, NEXT | WRITE,
		    (uint16_t)(i + 1));
	set(w->guest, table, i, q.status, 1, WRITE, 0);
	ring_set_desc(&s.r, 0, table, n * 16u, INDIRECT, 0);
	ring_offer(&s.r, 0);
	if (legal) {
		request_must(&q, &s.r, SECTOR + 1);
	} else {
		ring_kick(&s.r);
		expect(ring_wait(&s.r) != OUTCOME_SILENCE, "silence");
	}
	session_close(&s);
}

/* As long as the ring: the specification's limit. */
static void longest(struct world *w)
{
	long_chain(w, RING_NUM, true);
}

/* Longer than the ring, and longer than any limit. */
static void too_long(struct world *w)
{
	long_chain(w, 1024, false);
	long_chain(w, 1025, false);
	long_chain(w, 2048, false);
	long_chain(w, 32767, false);
	long_chain(w, 65535 / 2, false);
}

static void loops(struct world *w)
{
	static const uint16_t sizes[] = { 1, 2, 3 };
	struct session s;
	struct request q;
	uint64_t table;
	size_t i;
	uint16_t n;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		table = open_with(&s, &q, w);
		for (n = 0; n < sizes[i]; n++)
			set(w->guest, table, n, q.header, 16, NEXT,
			    (uint16_t)((n + 1) % sizes[i]));
		must_refuse(&s, &q);
	}
}

static void nested(struct world *w)
{
	struct session s;
	struct request q;
	uint64_t table, inner;

	table = open_with(&s, &q, w);
	inner = guest_alloc(w->guest, 1, 48, 16);
	build(w->guest, inner, &q);
	set(w->guest, table, 0, inner, 48, INDIRECT, 0);
	must_refuse(&s, &q);
	/* Itself. */
	table = open_with(&s, &q, w);
	set(w->guest, table, 0, table, 48, INDIRECT, 0);
	must_refuse(&s, &q);
	/* In the middle of a chain. */
	table = open_with(&s, &q, w);
	inner = guest_alloc(w->guest, 1, 48, 16);
	build(w->guest, inner, &q);
	set(w->guest, table, 1, inner + 16, 32, INDIRECT, 0);
	must_refuse(&s, &q);
}

static void with_next(struct world *w)
{
	struct session s;
	struct request q;
	uint64_t table;

	table = open_with(&s, &q, w);
	ring_set_desc(&s.r, 0, table, 48, INDIRECT | NEXT, 1);
	ring_set_desc(&s.r, 1, q.status, 1, WRITE, 0);
	must_refuse(&s, &q);
}

/* The device ignores this flag there, says the specification: legal. */
static void with_write(struct world *w)
{
	struct session s;
	struct request q;
	uint64_t table;

	table = open_with(&s, &q, w);
	ring_set_desc(&s.r, 0, table, 48, INDIRECT | WRITE, 0);
	must_work(&s, &q, w);
}

/* A table behind descriptors of the ring itself: legal. */
static void after_direct(struct world *w)
{
	struct session s;
	struct request q;
	uint64_t table;

	table = open_with(&s, &q, w);
	ring_set_desc(&s.r, 0, q.header, 16, NEXT, 1);
	ring_set_desc(&s.r, 1, table + 16, 32, INDIRECT, 0);
	set(w->guest, table, 1, q.data, SECTOR, NEXT | WRITE, 1);
	must_work(&s, &q, w);
}

static void next_out_of_range(struct world *w)
{
	static const uint16_t next[] = { 3, 4, 127, 128, 0x8000, 0xffff };
	struct session s;
	struct request q;
	uint64_t table;
	size_t i;

	for (i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		table = open_with(&s, &q, w);
		set(w->guest, table, 1, q.data, SECTOR, NEXT | WRITE, next[i]);
		must_refuse(&s, &q);
	}
}

static void nowhere(struct world *w)
{
	static const uint64_t places[] = { HOLE_GPA, HOLE_GPA - 16, HOLE_GPA - 32, HOLE_GPA - 40,
					   HOLE_GPA - 1, 256 * MIB - 1, 257 * MIB - 47,
					   NOWHERE_GPA, UINT64_MAX, UINT64_MAX - 15,
					   UINT64_MAX - 31, UINT64_MAX - 47, 1ull << 63 };
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t at;

		open_with(&s, &q, w);
		/* What of it is in memory is a good beginning. */
		if (places[i] < HOLE_GPA) {
			guest_own(w->guest, places[i], HOLE_GPA - places[i]);
			for (at = places[i]; at + 16 <= HOLE_GPA; at += 16)
				set(w->guest, at, 0, q.header, 16, NEXT,
				    (uint16_t)((at - places[i]) / 16 + 1));
		}
		ring_set_desc(&s.r, 0, places[i], 48, INDIRECT, 0);
		must_refuse(&s, &q);
	}
}

/* A table that is cut by the border of two regions, at each of its bytes. */
static void over_two_regions(struct world *w)
{
	unsigned int cut;

	for (cut = 1; cut < 48; cut += 1 + cut % 3) {
		struct session s;
		struct request q;
		uint64_t table = MIB - cut;

		guest_renew(w);
		/* The start of region 1 is for the table. */
		w->guest->next[1] = 4096;
		session_open(&s, w);
		request_init(&q, w->guest, VIRTIO_BLK_T_IN, 3, SECTOR);
		guest_own(w->guest, table, 48);
		build(w->guest, table, &q);
		ring_set_desc(&s.r, 0, table, 48, INDIRECT, 0);
		must_work(&s, &q, w);
	}
}

static void not_negotiated(struct world *w)
{
	struct session s;
	struct request q;
	uint64_t table, features;

	conn_open_hello(&s.c, w);
	features = s.c.features & ~F_RING_INDIRECT;
	msg_must(&s.c, SET_FEATURES, &features, sizeof(features), NULL, 0);
	guest_share(w->guest, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	ring_start(&s.r);
	request_init(&q, w->guest, VIRTIO_BLK_T_IN, 3, SECTOR);
	table = guest_alloc(w->guest, 1, 48, 16);
	build(w->guest, table, &q);
	ring_set_desc(&s.r, 0, table, 48, INDIRECT, 0);
	must_refuse(&s, &q);
}

const struct hostile_case indirect_cases[] = {
	CASE("legal-indirect", good),
	CASE("legal-indirect-with-write-flag", with_write),
	CASE("legal-indirect-after-direct", after_direct),
	CASE("legal-indirect-over-two-regions", over_two_regions),
	CASE("legal-indirect-longest", longest),
	CASE("indirect-wrong-length", wrong_length),
	CASE("indirect-huge", huge),
	CASE("indirect-too-long", too_long),
	CASE("indirect-loops", loops),
	CASE("indirect-nested", nested),
	CASE("indirect-with-next", with_next),
	CASE("indirect-next-out-of-range", next_out_of_range),
	CASE("indirect-nowhere", nowhere),
	CASE("indirect-not-negotiated", not_negotiated),
	CASES_END
};
