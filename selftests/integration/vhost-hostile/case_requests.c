/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_requests.c - requests in good order that ask for what can't be.
 */
#include <endian.h>
#include <string.h>

#include "ring.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE

/* All in one session: such a request is answered, and the next one works. */
static void must_be(struct world *w, uint32_t type, uint64_t sector, uint32_t len, uint8_t status)
{
	struct session s;
	struct request q;

	guest_renew(w);
	session_open(&s, w);
	request_add(&q, &s.r, type, sector, len);
	ring_offer(&s.r, q.head);
	request_must_be(&q, &s.r, status);
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	ring_offer(&s.r, q.head);
	request_must(&q, &s.r, SECTOR + 1);
	session_close(&s);
}

static void past_the_end(struct world *w)
{
	uint64_t end = w->image_size / SECTOR;
	const struct {
		uint64_t sector;
		uint32_t len;
	} places[] = {
		{ end, SECTOR }, { end - 1, 2 * SECTOR }, { end + 1, SECTOR },
		{ end - 7, 8 * SECTOR }, { 1ull << 54, SECTOR }, { 1ull << 55, SECTOR },
		{ (1ull << 55) - 1, SECTOR }, { 1ull << 63, SECTOR }, { UINT64_MAX, SECTOR },
		{ UINT64_MAX - 7, 8 * SECTOR }, { UINT64_MAX - 7, 16 * SECTOR },
		{ 1ull << 62, 8 * SECTOR },
	};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		must_be(w, VIRTIO_BLK_T_IN, places[i].sector, places[i].len, VIRTIO_BLK_S_IOERR);
		must_be(w, VIRTIO_BLK_T_OUT, places[i].sector, places[i].len, VIRTIO_BLK_S_IOERR);
	}
}

static void odd_lengths(struct world *w)
{
	static const uint32_t lengths[] = { 1, 511, 513, 1000, 4095, 4097 };
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		must_be(w, VIRTIO_BLK_T_IN, 0, lengths[i], VIRTIO_BLK_S_IOERR);
		must_be(w, VIRTIO_BLK_T_OUT, 0, lengths[i], VIRTIO_BLK_S_IOERR);
	}
}

static void unknown_types(struct world *w)
{
	static const uint32_t types[] = { 2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 255, 256, 0x100,
					  0x10000, 0x40000000, 0x80000000, 0x80000001,
					  0xffffffff };
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		must_be(w, types[i], 0, 0, VIRTIO_BLK_S_UNSUPP);
		must_be(w, types[i], 0, SECTOR, VIRTIO_BLK_S_UNSUPP);
	}
}

static void short_headers(struct world *w)
{
	struct session s;
	struct request q;
	uint32_t len;

	for (len = 1; len < 16; len++) {
		guest_renew(w);
		session_open(&s, w);
		request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
		ring_set_desc(&s.r, 0, q.header, len, NEXT, 1);
		ring_offer(&s.r, q.head);
		request_must_not(&q, &s.r);
		session_close(&s);
	}
	/* None at all. */
	guest_renew(w);
	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	q.head = 1;
	ring_offer(&s.r, q.head);
	request_must_not(&q, &s.r);
	session_close(&s);
}

/* The total has to be a number of sectors, its pieces don't: legal. */
static void odd_pieces(struct world *w)
{
	uint8_t want[2 * SECTOR];
	struct session s;
	struct request q;

	session_open(&s, w);
	request_init(&q, w->guest, VIRTIO_BLK_T_IN, 9, sizeof(want));
	ring_set_desc(&s.r, 0, q.header, 16, NEXT, 1);
	ring_set_desc(&s.r, 1, q.data, 1, NEXT | WRITE, 2);
	ring_set_desc(&s.r, 2, 0, 0, NEXT | WRITE, 3);
	ring_set_desc(&s.r, 3, q.data + 1, 510, NEXT | WRITE, 4);
	ring_set_desc(&s.r, 4, q.data + 511, 513, NEXT | WRITE, 5);
	ring_set_desc(&s.r, 5, q.status, 1, WRITE, 0);
	ring_offer(&s.r, 0);
	request_must(&q, &s.r, sizeof(want) + 1);
	image_read(w, want, sizeof(want), 9);
	expect(!memcmp(want, guest_ptr(w->guest, q.data), sizeof(want)), "other data");
	session_close(&s);
}

/* A read or write of nothing. */
static void empty(struct world *w)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT };
	struct session s;
	struct request q;
	size_t i;

	session_open(&s, w);
	for (i = 0; i < 2; i++) {
		struct vring_used_elem e;

		request_add(&q, &s.r, types[i], 0, 0);
		ring_offer(&s.r, q.head);
		ring_kick(&s.r);
		expect(ring_wait(&s.r) == OUTCOME_DONE, "the request does not come back");
		ring_take(&s.r, &e);
		expect(e.id == q.head && e.len == 1 &&
		       request_status(&q, w->guest) <= VIRTIO_BLK_S_UNSUPP, "no status");
	}
	session_use(&s, w, 20, 1);
	session_close(&s);
}

static void get_id(struct world *w)
{
	static const uint32_t lengths[] = { 20, 1, 19, 21, SECTOR };
	struct session s;
	struct request q;
	size_t i;
	uint32_t n;

	session_open(&s, w);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct vring_used_elem e;
		uint8_t *id;

		request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, lengths[i]);
		id = guest_ptr(w->guest, q.data);
		memset(id, 0xaa, lengths[i]);
		ring_offer(&s.r, q.head);
		ring_kick(&s.r);
		expect(ring_wait(&s.r) == OUTCOME_DONE, "the request does not come back");
		ring_take(&s.r, &e);
		expect(e.id == q.head && e.len <= VIRTIO_BLK_ID_BYTES + 1, "%u bytes", e.len);
		for (n = VIRTIO_BLK_ID_BYTES; n < lengths[i]; n++)
			expect(id[n] == 0xaa, "byte %u of 20 is written", n + 1);
	}
	session_close(&s);
}

/* The same descriptors twice in the ring, both in flight. */
static void same_head_twice(struct world *w)
{
	struct session s;
	struct request q;
	unsigned int i;

	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, 8 * SECTOR);
	for (i = 0; i < RING_NUM; i++)
		ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	for (i = 0; i < RING_NUM; i++) {
		struct vring_used_elem e;
		enum outcome o = ring_wait(&s.r);

		expect(o != OUTCOME_SILENCE, "silence after %u", i);
		if (o != OUTCOME_DONE)
			break;
		ring_take(&s.r, &e);
		expect(e.id == q.head, "descriptor %u comes back", e.id);
	}
	session_close(&s);
}

/* Header, data and status at one place of memory. */
static void all_in_one_place(struct world *w)
{
	struct session s;
	struct request q;

	session_open(&s, w);
	request_init(&q, w->guest, VIRTIO_BLK_T_IN, 0, SECTOR);
	memcpy(guest_ptr(w->guest, q.data), guest_ptr(w->guest, q.header), 16);
	ring_set_desc(&s.r, 0, q.data, 16, NEXT, 1);
	ring_set_desc(&s.r, 1, q.data, SECTOR, NEXT | WRITE, 2);
	ring_set_desc(&s.r, 2, q.data, 1, WRITE, 0);
	ring_offer(&s.r, 0);
	ring_kick(&s.r);
	expect(ring_wait(&s.r) == OUTCOME_DONE, "the request does not come back");
	expect(*(uint8_t *)guest_ptr(w->guest, q.data) == VIRTIO_BLK_S_OK, "no status");
	session_close(&s);
}

/*
 * As much as descriptors can say, again and again.
 */
#define BIG_TABLES 100u
#define BIG_PIECES 1000u

static void too_much_to_do(struct world *w, bool stop)
{
	struct guest *g = w->guest;
	struct session s;
	struct request q;
	uint64_t table, piece = REGION_SIZE / 2;
	struct vring_desc *d;
	unsigned int i;
	uint32_t pieces = (uint32_t)(w->image_size / piece), base;

	if (pieces > BIG_PIECES)
		pieces = BIG_PIECES;
	session_open(&s, w);
	request_init(&q, g, VIRTIO_BLK_T_IN, 0, 0);
	guest_own(g, 256 * MIB + piece, piece);
	table = guest_alloc(g, 1, (pieces + 2) * 16ull, 16);
	d = guest_ptr(g, table);
	d[0] = (struct vring_desc){ htole64(q.header), htole32(16), htole16(NEXT), htole16(1) };
	for (i = 1; i <= pieces; i++)
		d[i] = (struct vring_desc){ htole64(256 * MIB + piece), htole32((uint32_t)piece),
					    htole16(NEXT | WRITE), htole16((uint16_t)(i + 1)) };
	d[i] = (struct vring_desc){ htole64(q.status), htole32(1), htole16(WRITE), 0 };
	ring_set_desc(&s.r, 0, table, (pieces + 2) * 16, VRING_DESC_F_INDIRECT, 0);
	for (i = 0; i < BIG_TABLES; i++)
		ring_offer(&s.r, 0);
	ring_kick(&s.r);
	sleep_ms(20);
	if (stop)
		msg_get_base(&s.c, 0, &base);
	session_close(&s);
	/* From here on, main's patience counts. */
}

/* Its owner waits for the end of it. */
static void too_much_to_stop(struct world *w)
{
	too_much_to_do(w, true);
}

/* Nobody waits for it. The next client must not have to either. */
static void too_much_to_leave(struct world *w)
{
	too_much_to_do(w, false);
}

/* The whole disk, to be zeroed again and again. */
static void too_much_to_zero(struct world *w)
{
	struct virtio_blk_discard_write_zeroes *z;
	struct session s;
	struct request q;
	unsigned int i;

	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16 * sizeof(*z));
	z = guest_ptr(w->guest, q.data);
	for (i = 0; i < 16; i++) {
		z[i].sector = htole64(4096 + i * 4096);
		z[i].num_sectors = htole32(4096);
	}
	for (i = 0; i < RING_NUM; i++)
		ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	msg_get_u64(&s.c, GET_FEATURES);
	msg_get_u64(&s.c, GET_FEATURES);
	session_close(&s);
}

const struct hostile_case request_cases[] = {
	CASE("request-past-the-end", past_the_end),
	CASE("request-of-no-sectors", odd_lengths),
	CASE("request-of-unknown-type", unknown_types),
	CASE("request-header-too-short", short_headers),
	CASE("legal-request-in-odd-pieces", odd_pieces),
	CASE("request-without-data", empty, .writes = true),
	CASE("request-id", get_id),
	CASE("request-same-head-in-flight", same_head_twice),
	CASE("request-all-in-one-place", all_in_one_place),
	CASE("request-too-much-to-stop", too_much_to_stop),
	CASE("request-too-much-to-leave", too_much_to_leave),
	CASE("request-too-much-to-zero", too_much_to_zero, .writes = true),
	CASES_END
};
