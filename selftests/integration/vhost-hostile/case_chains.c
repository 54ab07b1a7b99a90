/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_chains.c - descriptors that lead nowhere, and buffers that aren't there.
 */
#include <string.h>

#include "ring.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE

/* A good request, not offered yet: descriptors 0 header, 1 data, 2 status. */
static void open_with(struct session *s, struct request *q, struct world *w, uint32_t type)
{
	guest_renew(w);
	session_open(s, w);
	request_add(q, &s->r, type, 0, SECTOR);
}

static void must_refuse(struct session *s, struct request *q)
{
	ring_offer(&s->r, q->head);
	request_must_not(q, &s->r);
	session_close(s);
}

static void next_out_of_range(struct world *w)
{
	static const uint16_t next[] = { RING_NUM, RING_NUM + 1, 0x7fff, 0x8000, 0xffff };
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		open_with(&s, &q, w, VIRTIO_BLK_T_IN);
		ring_set_desc(&s.r, 1, q.data, SECTOR, NEXT | WRITE, next[i]);
		must_refuse(&s, &q);
	}
}

/* A loop of @n descriptors, entered at its start; readable or writable. */
static void loop(struct world *w, uint16_t n, uint16_t flags)
{
	struct session s;
	struct request q;
	uint16_t i;

	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	for (i = 0; i < n; i++)
		ring_set_desc(&s.r, i, flags ? q.data : q.header, 16, NEXT | flags,
			      (uint16_t)((i + 1) % n));
	must_refuse(&s, &q);
}

static void loops(struct world *w)
{
	static const uint16_t sizes[] = { 1, 2, 3, 64, RING_NUM };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		loop(w, sizes[i], 0);
		loop(w, sizes[i], WRITE);
	}
}

/* Begins well, and then goes round and round in pieces of nothing. */
static void empty_loop(struct world *w)
{
	struct session s;
	struct request q;

	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 1, q.data, 0, NEXT | WRITE, 2);
	ring_set_desc(&s.r, 2, q.data, 0, NEXT | WRITE, 1);
	must_refuse(&s, &q);
}

static void back_to_header(struct world *w)
{
	struct session s;
	struct request q;

	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 2, q.status, 1, NEXT | WRITE, 0);
	must_refuse(&s, &q);
}

static void head_out_of_range(struct world *w)
{
	static const uint16_t heads[] = { RING_NUM, RING_NUM + 1, 0x8000, 0xffff };
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		open_with(&s, &q, w, VIRTIO_BLK_T_IN);
		ring_offer(&s.r, heads[i]);
		ring_must_fail(&s.r);
		session_close(&s);
	}
}

/* Where no buffer can be. The first bytes of some are good memory. */
static const struct {
	uint64_t addr;
	uint32_t len;
} nowhere[] = {
	{ HOLE_GPA, SECTOR },
	{ HOLE_GPA - 256, SECTOR },
	{ HOLE_GPA - 1, SECTOR },
	{ 256 * MIB - 256, SECTOR },
	{ 256 * MIB - 1, SECTOR },
	{ 257 * MIB, SECTOR },
	{ 257 * MIB - 511, SECTOR },
	{ NOWHERE_GPA, SECTOR },
	{ UINT64_MAX, SECTOR },
	{ UINT64_MAX - 511, SECTOR },
	{ UINT64_MAX - 255, SECTOR },
	{ 1ull << 63, SECTOR },
	{ 0, 0xffffffff },
	{ 0, 0xfffffe00 },
	{ 256 * MIB, 0xfffffe00 },
	{ MIB, 0x80000000 },
	{ UINT64_MAX - 0xfffffe00ull + 1, 0xfffffe00 },
	{ 0x7f0000000000, SECTOR },
};
#define NOWHERES (sizeof(nowhere) / sizeof(nowhere[0]))

static void data_nowhere(struct world *w, uint32_t type)
{
	uint16_t flags = type == VIRTIO_BLK_T_OUT ? NEXT : NEXT | WRITE;
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < NOWHERES; i++) {
		open_with(&s, &q, w, type);
		ring_set_desc(&s.r, 1, nowhere[i].addr, nowhere[i].len, flags, 2);
		must_refuse(&s, &q);
	}
}

static void data_in_nowhere(struct world *w)
{
	data_nowhere(w, VIRTIO_BLK_T_IN);
}

static void data_out_nowhere(struct world *w)
{
	data_nowhere(w, VIRTIO_BLK_T_OUT);
}

/* Of 16 bytes or more here, the last is not there, or none is. */
static const uint64_t almost[] = { HOLE_GPA - 15, HOLE_GPA, 256 * MIB - 1, 257 * MIB - 15,
				   257 * MIB, NOWHERE_GPA, UINT64_MAX, UINT64_MAX - 14,
				   UINT64_MAX - 15, 1ull << 63 };
#define ALMOSTS (sizeof(almost) / sizeof(almost[0]))

static void id_nowhere(struct world *w)
{
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < ALMOSTS; i++) {
		open_with(&s, &q, w, VIRTIO_BLK_T_GET_ID);
		/* What is there of it, may be written. */
		if (almost[i] == HOLE_GPA - 15 || almost[i] == 257 * MIB - 15)
			guest_own(w->guest, almost[i], 15);
		ring_set_desc(&s.r, 1, almost[i], 20, NEXT | WRITE, 2);
		must_refuse(&s, &q);
	}
}

static void header_nowhere(struct world *w)
{
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < ALMOSTS; i++) {
		open_with(&s, &q, w, VIRTIO_BLK_T_IN);
		ring_set_desc(&s.r, 0, almost[i], 16, NEXT, 1);
		must_refuse(&s, &q);
	}
}

static void status_nowhere(struct world *w)
{
	static const uint64_t places[] = { HOLE_GPA, 256 * MIB - 1, 257 * MIB, NOWHERE_GPA,
					   UINT64_MAX, 1ull << 63 };
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		open_with(&s, &q, w, VIRTIO_BLK_T_IN);
		ring_set_desc(&s.r, 2, places[i], 1, WRITE, 0);
		must_refuse(&s, &q);
	}
	/* Its last byte counts, wherever it begins. */
	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 2, HOLE_GPA - 8, 9, WRITE, 0);
	must_refuse(&s, &q);
	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 2, UINT64_MAX - 1, 0xffffffff, WRITE, 0);
	must_refuse(&s, &q);
}

static void no_status(struct world *w)
{
	struct session s;
	struct request q;

	/* Data is the last that there is. */
	open_with(&s, &q, w, VIRTIO_BLK_T_OUT);
	ring_set_desc(&s.r, 1, q.data, SECTOR, 0, 0);
	must_refuse(&s, &q);
	/* Only a header. */
	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 0, q.header, 16, 0, 0);
	must_refuse(&s, &q);
	/* A status byte of no length. */
	open_with(&s, &q, w, VIRTIO_BLK_T_OUT);
	ring_set_desc(&s.r, 2, q.status, 0, WRITE, 0);
	must_refuse(&s, &q);
	/* Nothing at all. */
	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 0, 0, 0, 0, 0);
	must_refuse(&s, &q);
}

static void status_read_only(struct world *w)
{
	struct session s;
	struct request q;

	open_with(&s, &q, w, VIRTIO_BLK_T_OUT);
	ring_set_desc(&s.r, 2, q.status, 1, 0, 0);
	must_refuse(&s, &q);
	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 2, q.status, 1, 0, 0);
	must_refuse(&s, &q);
}

static void wrong_order(struct world *w)
{
	struct session s;
	struct request q;

	/* Status, then header. */
	open_with(&s, &q, w, VIRTIO_BLK_T_FLUSH);
	ring_set_desc(&s.r, 0, q.status, 1, NEXT | WRITE, 1);
	ring_set_desc(&s.r, 1, q.header, 16, 0, 0);
	must_refuse(&s, &q);
	/* Readable data after writable. */
	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	ring_set_desc(&s.r, 2, q.header, 16, NEXT, 3);
	ring_set_desc(&s.r, 3, q.status, 1, WRITE, 0);
	must_refuse(&s, &q);
}

/* The other direction than the request's type says. */
static void wrong_direction(struct world *w)
{
	struct session s;
	struct request q;

	open_with(&s, &q, w, VIRTIO_BLK_T_IN);
	fill(guest_ptr(w->guest, q.data), SECTOR, 1);
	ring_set_desc(&s.r, 1, q.data, SECTOR, NEXT, 2);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	expect(ring_wait(&s.r) != OUTCOME_SILENCE, "silence");
	{
		uint8_t want[SECTOR];

		fill(want, SECTOR, 1);
		expect(!memcmp(want, guest_ptr(w->guest, q.data), SECTOR),
		       "reads into a buffer that may not be written");
	}
	session_close(&s);
	open_with(&s, &q, w, VIRTIO_BLK_T_OUT);
	ring_set_desc(&s.r, 1, q.data, SECTOR, NEXT | WRITE, 2);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	expect(ring_wait(&s.r) != OUTCOME_SILENCE, "silence");
	session_close(&s);
}

/* As long as it can be without an indirect table: legal. */
static void whole_table(struct world *w)
{
	uint8_t want[SECTOR];
	struct session s;
	struct request q;
	uint16_t i;

	session_open(&s, w);
	request_init(&q, w->guest, VIRTIO_BLK_T_IN, 5, SECTOR);
	ring_set_desc(&s.r, 0, q.header, 16, NEXT, 1);
	/* 126 pieces: 125 of 4 bytes, and the rest. */
	for (i = 1; i < RING_NUM - 1; i++)
		ring_set_desc(&s.r, i, q.data + (i - 1u) * 4, i < RING_NUM - 2 ? 4 : SECTOR - 500,
			      NEXT | WRITE, (uint16_t)(i + 1));
	ring_set_desc(&s.r, i, q.status, 1, WRITE, 0);
	ring_offer(&s.r, 0);
	request_must(&q, &s.r, SECTOR + 1);
	image_read(w, want, SECTOR, 5);
	expect(!memcmp(want, guest_ptr(w->guest, q.data), SECTOR), "other data");
	session_close(&s);
}

/* One buffer in two regions, which meet in the guest and only there: legal. */
static void over_two_regions(struct world *w)
{
	static const unsigned int before[] = { 1, 256, 511, 512, 4096 };
	uint8_t want[16 * SECTOR];
	struct session s;
	struct request q;
	size_t i;

	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		uint64_t addr = MIB - before[i];

		guest_renew(w);
		/* The start of region 1 is for the buffer. */
		w->guest->next[1] = 0x10000;
		session_open(&s, w);
		guest_own(w->guest, addr, sizeof(want));
		request_add(&q, &s.r, VIRTIO_BLK_T_IN, 8, SECTOR);
		ring_set_desc(&s.r, 1, addr, sizeof(want), NEXT | WRITE, 2);
		ring_offer(&s.r, q.head);
		request_must(&q, &s.r, sizeof(want) + 1);
		image_read(w, want, sizeof(want), 8);
		expect(!memcmp(want, guest_ptr(w->guest, addr), before[i]) &&
		       !memcmp(want + before[i], guest_ptr(w->guest, MIB),
			       sizeof(want) - before[i]), "other data");
		/* And back, to another place of the disk. */
		request_add(&q, &s.r, VIRTIO_BLK_T_OUT, 64, SECTOR);
		ring_set_desc(&s.r, (uint16_t)(q.head + 1), addr, sizeof(want), NEXT,
			      (uint16_t)(q.head + 2));
		ring_offer(&s.r, q.head);
		request_must(&q, &s.r, 1);
		{
			uint8_t have[sizeof(want)];

			image_read(w, have, sizeof(have), 64);
			expect(!memcmp(have, want, sizeof(want)), "the image has other data");
		}
		session_close(&s);
	}
}

/* Header and data cut at every byte: where a descriptor ends means nothing. */
static void split_anywhere(struct world *w)
{
	uint8_t want[SECTOR];
	struct session s;
	struct request q;
	unsigned int cut;

	for (cut = 1; cut < 16; cut++) {
		guest_renew(w);
		session_open(&s, w);
		request_init(&q, w->guest, VIRTIO_BLK_T_OUT, 30, SECTOR);
		fill(want, SECTOR, cut);
		memcpy(guest_ptr(w->guest, q.data), want, SECTOR);
		ring_set_desc(&s.r, 0, q.header, cut, NEXT, 1);
		ring_set_desc(&s.r, 1, q.header + cut, 16 - cut, NEXT, 2);
		ring_set_desc(&s.r, 2, q.data, 100 + cut, NEXT, 3);
		ring_set_desc(&s.r, 3, q.data + 100 + cut, SECTOR - 100 - cut, NEXT, 4);
		ring_set_desc(&s.r, 4, q.status, 1, WRITE, 0);
		ring_offer(&s.r, 0);
		request_must(&q, &s.r, 1);
		image_read(w, want, SECTOR, 30);
		expect(!memcmp(want, guest_ptr(w->guest, q.data), SECTOR), "other data");
		session_close(&s);
	}
}

/* One descriptor for header and data, one for data and status: legal. */
static void joined(struct world *w)
{
	uint8_t want[SECTOR];
	struct virtio_blk_outhdr *h;
	struct session s;
	struct request q;
	uint64_t both;

	session_open(&s, w);
	request_init(&q, w->guest, VIRTIO_BLK_T_OUT, 31, 0);
	both = guest_alloc(w->guest, 2, 16 + SECTOR, 16);
	h = guest_ptr(w->guest, both);
	memcpy(h, guest_ptr(w->guest, q.header), 16);
	fill(h + 1, SECTOR, 31);
	ring_set_desc(&s.r, 0, both, 16 + SECTOR, NEXT, 1);
	ring_set_desc(&s.r, 1, q.status, 1, WRITE, 0);
	ring_offer(&s.r, 0);
	request_must(&q, &s.r, 1);
	image_read(w, want, SECTOR, 31);
	expect(!memcmp(want, h + 1, SECTOR), "the image has other data");
	/* In one go with the status byte. */
	request_init(&q, w->guest, VIRTIO_BLK_T_IN, 31, 0);
	both = guest_alloc(w->guest, 2, SECTOR + 1, 16);
	q.status = both + SECTOR;
	*(uint8_t *)guest_ptr(w->guest, q.status) = STATUS_NONE;
	ring_set_desc(&s.r, 0, q.header, 16, NEXT, 1);
	ring_set_desc(&s.r, 1, both, SECTOR + 1, WRITE, 0);
	ring_offer(&s.r, 0);
	request_must(&q, &s.r, SECTOR + 1);
	expect(!memcmp(want, guest_ptr(w->guest, both), SECTOR), "other data");
	session_close(&s);
}

const struct hostile_case chain_cases[] = {
	CASE("chain-next-out-of-range", next_out_of_range),
	CASE("chain-loops", loops),
	CASE("chain-loop-of-nothing", empty_loop),
	CASE("chain-back-to-header", back_to_header),
	CASE("chain-head-out-of-range", head_out_of_range),
	CASE("chain-read-to-nowhere", data_in_nowhere),
	CASE("chain-write-from-nowhere", data_out_nowhere),
	CASE("chain-id-to-nowhere", id_nowhere),
	CASE("chain-header-nowhere", header_nowhere),
	CASE("chain-status-nowhere", status_nowhere),
	CASE("chain-without-status", no_status),
	CASE("chain-status-read-only", status_read_only),
	CASE("chain-readable-after-writable", wrong_order),
	CASE("chain-wrong-direction", wrong_direction),
	CASE("legal-chain-of-whole-table", whole_table),
	CASE("legal-chain-over-two-regions", over_two_regions, .writes = true),
	CASE("legal-chain-split-anywhere", split_anywhere, .writes = true),
	CASE("legal-chain-joined", joined, .writes = true),
	CASES_END
};
