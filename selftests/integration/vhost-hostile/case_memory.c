/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_memory.c - memory tables that make no sense, and those that do.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

static const struct wire_region one_page = { 0, 4096, 0x10000, 0 };

/* A table of @n regions, all of the guest's file. */
static enum answer offer(struct world *w, struct conn *c, const struct wire_region *regions, int n)
{
	struct wire_table t = { .count = (uint32_t)n };
	int fds[TABLE_REGIONS + 1], i;

	memcpy(t.regions, regions, (size_t)n * sizeof(*regions));
	for (i = 0; i < n && i <= TABLE_REGIONS; i++)
		fds[i] = w->guest->fd;
	return msg_ask(c, SET_MEM_TABLE, &t, TABLE_SIZE(n), fds, i);
}

/* The same, each of them in a connection of its own, must be refused. */
static void must_refuse(struct world *w, const struct wire_region *regions, int n)
{
	struct conn c;

	conn_open_hello(&c, w);
	expect(offer(w, &c, regions, n) != ANSWER_OK,
	       "region at %#llx, %#llx bytes, user address %#llx, offset %#llx is taken",
	       (unsigned long long)regions[n - 1].gpa, (unsigned long long)regions[n - 1].size,
	       (unsigned long long)regions[n - 1].user,
	       (unsigned long long)regions[n - 1].offset);
	conn_close(&c);
}

/* Also as a slot. */
static void must_refuse_one(struct world *w, const struct wire_region *region)
{
	struct wire_slot s = { .region = *region };
	struct conn c;

	must_refuse(w, region, 1);
	conn_open_hello(&c, w);
	expect(msg_ask(&c, ADD_MEM_REG, &s, sizeof(s), &w->guest->fd, 1) != ANSWER_OK,
	       "slot at %#llx, %#llx bytes is taken", (unsigned long long)region->gpa,
	       (unsigned long long)region->size);
	conn_close(&c);
}

static void spread(struct wire_region *regions, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		regions[i] = one_page;
		regions[i].gpa += (uint64_t)i * 0x10000;
		regions[i].user += (uint64_t)i * 0x10000;
		regions[i].offset += (uint64_t)i * 4096;
	}
}

static void too_many(struct world *w)
{
	static const int counts[] = { 9, 64, 512 };
	struct wire_region regions[512];
	size_t i;

	spread(regions, 512);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct wire_table t = { .count = (uint32_t)counts[i] };
		int fds[TABLE_REGIONS], f;
		struct conn c;

		for (f = 0; f < TABLE_REGIONS; f++)
			fds[f] = w->guest->fd;
		memcpy(t.regions, regions, sizeof(regions));
		conn_open_hello(&c, w);
		msg_must_not(&c, SET_MEM_TABLE, &t, TABLE_SIZE(counts[i]), fds, TABLE_REGIONS);
		conn_close(&c);
		/* More are said than come. */
		conn_open_hello(&c, w);
		msg_must_not(&c, SET_MEM_TABLE, &t, TABLE_SIZE(TABLE_REGIONS), fds,
			     TABLE_REGIONS);
		conn_close(&c);
	}
}

/* Counts whose size in bytes wraps to the right one. */
static void wrapping_counts(struct world *w)
{
	static const uint32_t counts[] = { 0x08000001, 0x80000001, 0xffffffff, 0x10000001 };
	struct wire_table t = { .regions = { w->guest->regions[0] } };
	struct conn c;
	size_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		t.count = counts[i];
		conn_open_hello(&c, w);
		msg_must_not(&c, SET_MEM_TABLE, &t, TABLE_SIZE(1), &w->guest->fd, 1);
		conn_close(&c);
	}
}

/* No memory at all: no ring can run in it. */
static void no_regions(struct world *w)
{
	struct session s;
	struct request q;

	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	if (offer(w, &s.c, &one_page, 0) != ANSWER_CLOSED) {
		ring_offer(&s.r, q.head);
		ring_must_fail(&s.r);
	}
	session_close(&s);
}

static void wraps(struct world *w)
{
	static const struct wire_region regions[] = {
		{ 0, 0, 0x10000, 0 },
		{ 0x1000, 0, 0x10000, 0x1000 },
		{ UINT64_MAX - 4095, 8192, 0x10000, 0 },
		{ UINT64_MAX, 4096, 0x10000, 0 },
		{ 0x1000, UINT64_MAX, 0x10000, 0 },
		{ 0x1000, UINT64_MAX - 0xfff, 0x10000, 0 },
		{ 0, 8192, UINT64_MAX - 4095, 0 },
		{ 0, 4096, UINT64_MAX, 0 },
		{ 0, UINT64_MAX, 0x10000, 0 },
		{ 0, 4096, 0x10000, UINT64_MAX - 4095 },
		{ 0, 4096, 0x10000, UINT64_MAX },
		{ 0, 8192, 0x10000, UINT64_MAX - 4095 },
		{ 0, 4096, 0x10000, 1ull << 63 },
		{ 0, 4096, 0x10000, (1ull << 63) - 4096 },
		{ 0, 1ull << 63, 0x10000, 1ull << 63 },
	};
	size_t i;

	for (i = 0; i < sizeof(regions) / sizeof(regions[0]); i++)
		must_refuse_one(w, &regions[i]);
}

static void past_the_file(struct world *w)
{
	static const struct wire_region regions[] = {
		{ 0, FILE_SIZE + 1, 0x10000, 0 },
		{ 0, FILE_SIZE + 4096, 0x10000, 0 },
		{ 0, 8192, 0x10000, FILE_SIZE - 4096 },
		{ 0, 4096, 0x10000, FILE_SIZE },
		{ 0, 4096, 0x10000, FILE_SIZE - 1 },
		{ 0, 1ull << 46, 0x10000, 0 },
		{ 0, 1ull << 62, 0x10000, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(regions) / sizeof(regions[0]); i++)
		must_refuse_one(w, &regions[i]);
}

static void overlaps(struct world *w)
{
	static const struct wire_region first = { 0x10000, 0x4000, 0x100000, 0 };
	static const struct wire_region seconds[] = {
		/* in the guest */
		{ 0x10000, 0x4000, 0x200000, 0x4000 },
		{ 0x13fff, 0x1000, 0x200000, 0x4000 },
		{ 0x0f000, 0x1001, 0x200000, 0x4000 },
		{ 0x11000, 0x1000, 0x200000, 0x4000 },
		{ 0x00000, 0x100000, 0x200000, 0x4000 },
		/* in the front-end */
		{ 0x80000, 0x4000, 0x100000, 0x4000 },
		{ 0x80000, 0x1000, 0x103fff, 0x4000 },
		{ 0x80000, 0x1001, 0x0ff000, 0x4000 },
		{ 0x80000, 0x100000, 0x080000, 0x4000 },
	};
	size_t i;

	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		struct wire_region forth[] = { first, seconds[i] };
		struct wire_region back[] = { seconds[i], first };

		must_refuse(w, forth, 2);
		must_refuse(w, back, 2);
	}
}

/* A table that is refused leaves the one before as it was. */
static void refused_keeps_old(struct world *w)
{
	struct wire_region bad[] = { { 0, 4096, 0x10000, 0 }, { 0, 4096, 0x20000, 0 } };
	struct session s;

	session_open(&s, w);
	if (offer(w, &s.c, bad, 2) == ANSWER_ERROR)
		session_use(&s, w, 100, 2);
	session_close(&s);
}

/* One piece of the file at two places of the guest. */
static void same_file_twice(struct world *w)
{
	struct wire_region twice[REGIONS + 1];
	struct request q;
	struct session s;

	memcpy(twice, w->guest->regions, sizeof(w->guest->regions));
	twice[REGIONS] = w->guest->regions[2];
	twice[REGIONS].gpa = 64 * MIB;
	twice[REGIONS].user = 0x10000000;
	conn_open_hello(&s.c, w);
	expect(offer(w, &s.c, twice, REGIONS + 1) == ANSWER_OK, "an alias is refused");
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	ring_start(&s.r);
	session_use(&s, w, 100, 2);
	/* Read through the alias. */
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 100, SECTOR);
	ring_set_desc(&s.r, (uint16_t)(q.head + 1), q.data - w->guest->regions[2].gpa + 64 * MIB,
		      SECTOR, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, (uint16_t)(q.head + 2));
	ring_offer(&s.r, q.head);
	request_must(&q, &s.r, SECTOR + 1);
	{
		uint8_t want[SECTOR];

		image_read(w, want, SECTOR, 100);
		expect(!memcmp(guest_ptr(w->guest, q.data), want, SECTOR), "other data");
	}
	session_close(&s);
}

/*
 * Offsets and addresses that are no multiple of a page. A device can refuse
 * them. If not, data has to come from the right place.
 */
static void unaligned(struct world *w)
{
	struct wire_region *r = w->guest->regions;
	struct session s;
	unsigned int i;

	for (i = 0; i < REGIONS; i++) {
		r[i].offset += 0x210 + i * 0x110;
		r[i].size -= 0x1000;
	}
	conn_open_hello(&s.c, w);
	/* Regions 0 and 1 do not meet any more. */
	if (offer(w, &s.c, r, REGIONS) == ANSWER_OK) {
		ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
		ring_start(&s.r);
		session_use(&s, w, 200, 2);
	}
	session_close(&s);
}

/* The last page of the 64-bit space, in the guest and in the front-end. */
static void at_the_top(struct world *w)
{
	struct wire_region r[REGIONS + 1];
	struct session s;
	struct request q;

	memcpy(r, w->guest->regions, sizeof(w->guest->regions));
	r[REGIONS] = (struct wire_region){ UINT64_MAX - 4095, 4096, UINT64_MAX - 4095, 0 };
	conn_open_hello(&s.c, w);
	if (offer(w, &s.c, r, REGIONS + 1) == ANSWER_OK) {
		ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
		ring_start(&s.r);
		session_use(&s, w, 300, 2);
		/* One byte more than there is. */
		request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
		ring_set_desc(&s.r, (uint16_t)(q.head + 1), UINT64_MAX - 510, SECTOR,
			      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, (uint16_t)(q.head + 2));
		ring_offer(&s.r, q.head);
		request_must_not(&q, &s.r);
	}
	conn_close(&s.c);
}

/* Tables come and go while requests are in flight. */
static void changed_under_load(struct world *w)
{
	struct request q[16];
	struct session s;
	unsigned int round, i;

	session_open(&s, w);
	for (i = 0; i < 16; i++)
		request_add(&q[i], &s.r, VIRTIO_BLK_T_IN, i * 8, 8 * SECTOR);
	for (round = 0; round < 100; round++) {
		struct vring_used_elem e;

		for (i = 0; i < 16; i++)
			ring_offer(&s.r, q[i].head);
		ring_kick(&s.r);
		guest_share(w->guest, &s.c);
		for (i = 0; i < 16; i++) {
			expect(ring_wait(&s.r) == OUTCOME_DONE, "a request is lost");
			ring_take(&s.r, &e);
		}
	}
	for (i = 0; i < 16; i++)
		expect(request_status(&q[i], w->guest) == VIRTIO_BLK_S_OK, "request %u fails", i);
	session_close(&s);
}

const struct hostile_case memory_cases[] = {
	CASE("memory-too-many-regions", too_many),
	CASE("memory-count-wraps", wrapping_counts),
	CASE("memory-without-regions", no_regions),
	CASE("memory-region-wraps", wraps),
	CASE("memory-past-the-file", past_the_file),
	CASE("memory-regions-overlap", overlaps),
	CASE("memory-refused-table-changes-nothing", refused_keeps_old, .writes = true),
	CASE("memory-unaligned", unaligned, .writes = true),
	CASE("memory-at-the-top", at_the_top, .writes = true),
	CASE("legal-memory-same-file-twice", same_file_twice, .writes = true),
	CASE("legal-memory-changed-under-load", changed_under_load),
	CASES_END
};
