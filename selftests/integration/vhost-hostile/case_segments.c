/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_segments.c - discard and write-zeroes, whose data is a list of ranges.
 */
#include <endian.h>
#include <string.h>

#include "ring.h"
#include "watch.h"

#define UNMAP 1u
#define SEGMENT ((uint32_t)sizeof(struct virtio_blk_discard_write_zeroes))

static const uint32_t types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES };

struct segment {
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
};

/* A request of @n such segments, in data of @len bytes. */
static void add(struct request *q, struct session *s, uint32_t type, const struct segment *from,
		unsigned int n, uint32_t len)
{
	struct virtio_blk_discard_write_zeroes *to;
	unsigned int i;

	request_add(q, &s->r, type, 0, len);
	to = guest_ptr(s->r.g, q->data);
	for (i = 0; i < n && (i + 1) * SEGMENT <= len; i++) {
		to[i].sector = htole64(from[i].sector);
		to[i].num_sectors = htole32(from[i].sectors);
		to[i].flags = htole32(from[i].flags);
	}
	ring_offer(&s->r, q->head);
}

static void must_fail(struct world *w, const struct segment *segments, unsigned int n,
		      uint32_t len)
{
	size_t t;

	for (t = 0; t < 2; t++) {
		struct session s;
		struct request q;

		guest_renew(w);
		session_open(&s, w);
		add(&q, &s, types[t], segments, n, len);
		request_must_not(&q, &s.r);
		session_close(&s);
	}
}

static void outside(struct world *w)
{
	uint64_t end = w->image_size / SECTOR;
	const struct segment bad[] = {
		{ end, 1, 0 }, { end - 1, 2, 0 }, { end + 1, 1, 0 }, { 0, 0xffffffff, 0 },
		{ 1, 0xffffffff, 0 }, { UINT64_MAX, 1, 0 }, { UINT64_MAX, 2, 0 },
		{ UINT64_MAX - 3, 8, 0 }, { 1ull << 55, 1, 0 }, { (1ull << 55) - 1, 2, 0 },
		{ 1ull << 63, 8, 0 }, { 1ull << 54, 0x80000000, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* And nothing is done of a list with one bad entry. */
		struct segment second[] = { { 0, 8, 0 }, bad[i] };

		must_fail(w, &bad[i], 1, SEGMENT);
		must_fail(w, second, 2, 2 * SEGMENT);
	}
}

static void unknown_flags(struct world *w)
{
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		struct segment bad = { 0, 8, 1u << bit };

		must_fail(w, &bad, 1, SEGMENT);
	}
	{
		/* This one is for write-zeroes alone. */
		struct segment unmap = { 0, 8, UNMAP };
		struct session s;
		struct request q;

		guest_renew(w);
		session_open(&s, w);
		add(&q, &s, VIRTIO_BLK_T_DISCARD, &unmap, 1, SEGMENT);
		request_must_not(&q, &s.r);
		session_close(&s);
	}
}

static void wrong_sizes(struct world *w)
{
	static const uint32_t lengths[] = { 1, 8, 15, 17, 24, 31, 33, SECTOR - 1 };
	struct segment good[32];
	size_t i;

	for (i = 0; i < 32; i++)
		good[i] = (struct segment){ 8 * i, 8, 0 };
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		must_fail(w, good, 32, lengths[i]);
	/* No list. */
	must_fail(w, good, 0, 0);
}

/* The device said how many there may be. */
static void too_many(struct world *w)
{
	static const uint32_t counts[] = { 17, 32, 256, 4096 };
	static struct segment good[4096];
	size_t i;

	for (i = 0; i < 4096; i++)
		good[i] = (struct segment){ i % 512, 1, 0 };
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		must_fail(w, good, counts[i], counts[i] * SEGMENT);
}

/* The list is where the device should write. */
static void writable_list(struct world *w)
{
	size_t t;

	for (t = 0; t < 2; t++) {
		struct segment good = { 0, 8, 0 };
		struct session s;
		struct request q;

		guest_renew(w);
		session_open(&s, w);
		add(&q, &s, types[t], &good, 1, SEGMENT);
		ring_set_desc(&s.r, 1, q.data, SEGMENT, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
		request_must_not(&q, &s.r);
		session_close(&s);
	}
}

static void zeroes(struct world *w, uint32_t flags, uint64_t sector)
{
	static const uint8_t zero[8 * SECTOR];
	uint8_t before[SECTOR], have[sizeof(zero)];
	struct segment two[] = { { sector, 3, flags }, { sector + 3, 5, flags } };
	struct session s;
	struct request q;

	guest_renew(w);
	session_open(&s, w);
	session_use(&s, w, sector, 9);
	image_read(w, before, SECTOR, sector + 8);
	add(&q, &s, VIRTIO_BLK_T_WRITE_ZEROES, two, 2, 2 * SEGMENT);
	request_must(&q, &s.r, 1);
	image_read(w, have, sizeof(have), sector);
	expect(!memcmp(have, zero, sizeof(zero)), "the image has other data than zeroes");
	image_read(w, have, SECTOR, sector + 8);
	expect(!memcmp(have, before, SECTOR), "more is zeroed than was asked");
	session_close(&s);
}

static void zeroes_in_pieces(struct world *w)
{
	zeroes(w, 0, 400);
	zeroes(w, UNMAP, 417);
}

/* The list itself in odd pieces: 16 descriptors of one byte each. */
static void list_in_pieces(struct world *w)
{
	static const uint8_t zero[SECTOR];
	struct segment one = { 500, 1, 0 };
	uint8_t have[SECTOR];
	struct session s;
	struct request q;
	uint16_t i;

	session_open(&s, w);
	session_use(&s, w, 500, 1);
	s.r.next_desc = 64;
	add(&q, &s, VIRTIO_BLK_T_WRITE_ZEROES, &one, 1, SEGMENT);
	ring_set_desc(&s.r, q.head, q.header, 16, VRING_DESC_F_NEXT, 80);
	for (i = 0; i < SEGMENT; i++)
		ring_set_desc(&s.r, (uint16_t)(80 + i), q.data + i, 1, VRING_DESC_F_NEXT,
			      i + 1u < SEGMENT ? (uint16_t)(81 + i) : 66);
	request_must(&q, &s.r, 1);
	image_read(w, have, SECTOR, 500);
	expect(!memcmp(have, zero, SECTOR), "the image has other data than zeroes");
	session_close(&s);
}

/* A discard that answers OK and frees nothing is the mistake of others. */
static void discard_frees(struct world *w)
{
	/* Whole blocks of any file system, all of them in use. */
	struct segment one = { 512, 128, 0 };
	const uint64_t off = one.sector * SECTOR, len = one.sectors * SECTOR;
	uint64_t before, after;
	struct session s;
	struct request q;

	session_open(&s, w);
	session_use(&s, w, one.sector, one.sectors);
	before = image_allocated(w->image, off, len);
	expect(before >= len, "of what was written %llu bytes are on the disk",
	       (unsigned long long)before);
	add(&q, &s, VIRTIO_BLK_T_DISCARD, &one, 1, SEGMENT);
	request_must(&q, &s.r, 1);
	after = image_allocated(w->image, off, len);
	expect(after + len <= before, "%llu bytes are on the disk after the discard, %llu before",
	       (unsigned long long)after, (unsigned long long)before);
	session_close(&s);
}

const struct hostile_case segment_cases[] = {
	CASE("segments-outside", outside),
	CASE("segments-unknown-flags", unknown_flags),
	CASE("segments-wrong-size", wrong_sizes),
	CASE("segments-too-many", too_many),
	CASE("segments-list-is-writable", writable_list),
	CASE("legal-segments-zeroes", zeroes_in_pieces, .writes = true),
	CASE("legal-segments-list-in-pieces", list_in_pieces, .writes = true),
	CASE("legal-segments-discard-frees", discard_frees, .writes = true),
	CASES_END
};
