/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_races.c - memory that changes while the device reads it.
 *
 * A second thread flips a field between a good and a bad value, as fast as it
 * can. What the device has checked it must not read again: if it does, bytes
 * change that it had no right to, or the device dies.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"

#define RACE_MS 180
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define IN_FLIGHT 16

/**
 * struct flip - a place in memory and what it takes turns at
 */
struct flip {
	void *at;
	unsigned int bytes;
	uint64_t values[2];
	bool stop;
};

static void *flipper(void *arg)
{
	struct flip *f = arg;
	unsigned int i = 0;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		uint64_t v = f->values[i++ & 1];

		if (f->bytes == 8)
			__atomic_store_n((uint64_t *)f->at, htole64(v), __ATOMIC_RELAXED);
		else if (f->bytes == 4)
			__atomic_store_n((uint32_t *)f->at, htole32((uint32_t)v), __ATOMIC_RELAXED);
		else
			__atomic_store_n((uint16_t *)f->at, htole16((uint16_t)v), __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The sectors that a request may write, if it writes at all. */
#define SECTOR_FIRST 1000u
#define SECTORS 4u

/* Of the image, nothing else may have changed. */
static void check_image(struct world *w, const uint8_t *before)
{
	static uint8_t now[MIB];
	const size_t off = SECTOR_FIRST * SECTOR, len = SECTORS * SECTOR;

	image_read(w, now, MIB, 0);
	memcpy(now + off, before + off, len);
	expect(!memcmp(now, before, MIB), "the image has changed elsewhere");
}

/*
 * Sessions with request @q while @f flips; a new one each time the device gives
 * up.
 */
static void race(struct world *w, struct flip *f, struct session *s, const struct request *q)
{
	static uint8_t image[MIB];
	uint64_t end = now_ms() + RACE_MS;
	pthread_t thread;

	image_read(w, image, MIB, 0);
	expect(!pthread_create(&thread, NULL, flipper, f), "pthread_create");
	while (now_ms() < end) {
		struct vring_used_elem e;
		enum outcome o;
		unsigned int i;

		for (i = 0; i < IN_FLIGHT; i++)
			ring_offer(&s->r, q->head);
		ring_kick(&s->r);
		do {
			o = ring_wait(&s->r);
			expect(o != OUTCOME_SILENCE, "silence");
			if (o == OUTCOME_DONE && ring_take(&s->r, &e))
				i--;
		} while (o == OUTCOME_DONE && i);
		if (o == OUTCOME_DONE)
			continue;
		/* From the start, with rings that know nothing of it. */
		conn_close(&s->c);
		memset(guest_ptr(w->guest, s->r.avail), 0, 4);
		memset(guest_ptr(w->guest, s->r.used), 0, 4);
		s->r.avail_idx = 0;
		s->r.used_idx = 0;
		conn_open_hello(&s->c, w);
		guest_share(w->guest, &s->c);
		ring_start(&s->r);
	}
	__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	session_close(s);
	check_image(w, image);
}

static struct vring_desc *prepare(struct world *w, struct session *s, struct request *q,
				  uint32_t type)
{
	guest_renew(w);
	session_open(s, w);
	request_add(q, &s->r, type, SECTOR_FIRST, SECTORS * SECTOR);
	return guest_ptr(w->guest, s->r.desc);
}

static void flip_addr(struct world *w)
{
	static const uint64_t bad[] = { HOLE_GPA, HOLE_GPA - 256, 257 * MIB - 16, UINT64_MAX - 64 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct flip f = { .bytes = 8 };
		struct session s;
		struct request q;
		struct vring_desc *d = prepare(w, &s, &q, VIRTIO_BLK_T_IN);

		f.at = &d[1].addr;
		f.values[0] = q.data;
		f.values[1] = bad[i];
		if (bad[i] < HOLE_GPA)
			guest_own(w->guest, bad[i], HOLE_GPA - bad[i]);
		if (bad[i] >= 256 * MIB && bad[i] < 257 * MIB)
			guest_own(w->guest, bad[i], 257 * MIB - bad[i]);
		race(w, &f, &s, &q);
	}
}

static void flip_len(struct world *w)
{
	static const uint32_t bad[] = { 0xffffffff, 0xfffffe00, 2 * 1024 * 1024 };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct flip f = { .bytes = 4 };
		struct session s;
		struct request q;
		struct vring_desc *d = prepare(w, &s, &q, VIRTIO_BLK_T_IN);

		f.at = &d[1].len;
		f.values[0] = SECTORS * SECTOR;
		f.values[1] = bad[i];
		race(w, &f, &s, &q);
	}
}

/* The data is the device's to write in one moment, to read in the next. */
static void flip_flags(struct world *w)
{
	static const uint16_t bad[] = { NEXT, 0, NEXT | VRING_DESC_F_INDIRECT,
					VRING_DESC_F_INDIRECT, WRITE };
	unsigned int i;

	for (i = 0; i < 5; i++) {
		struct flip f = { .bytes = 2 };
		struct session s;
		struct request q;
		struct vring_desc *d = prepare(w, &s, &q, VIRTIO_BLK_T_IN);

		f.at = &d[1].flags;
		f.values[0] = NEXT | WRITE;
		f.values[1] = bad[i];
		race(w, &f, &s, &q);
	}
}

static void flip_next(struct world *w)
{
	static const uint16_t bad[] = { RING_NUM, 0xffff, 0, 1 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct flip f = { .bytes = 2 };
		struct session s;
		struct request q;
		struct vring_desc *d = prepare(w, &s, &q, VIRTIO_BLK_T_IN);

		f.at = &d[1].next;
		f.values[0] = 2;
		f.values[1] = bad[i];
		race(w, &f, &s, &q);
	}
}

/* The place of a write: inside of the image in one moment, outside in the next. */
static void flip_sector(struct world *w)
{
	static const uint64_t bad[] = { 1ull << 55, UINT64_MAX, 0 };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct flip f = { .bytes = 8 };
		struct session s;
		struct request q;
		struct virtio_blk_outhdr *h;

		prepare(w, &s, &q, VIRTIO_BLK_T_OUT);
		h = guest_ptr(w->guest, q.header);
		f.at = &h->sector;
		f.values[0] = SECTOR_FIRST;
		f.values[1] = bad[i] ? bad[i] : w->image_size / SECTOR - 1;
		race(w, &f, &s, &q);
	}
}

static void flip_type(struct world *w)
{
	static const uint32_t other[] = { VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_GET_ID,
					  VIRTIO_BLK_T_WRITE_ZEROES, 0xffffffff };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct flip f = { .bytes = 4 };
		struct session s;
		struct request q;
		struct virtio_blk_outhdr *h;

		prepare(w, &s, &q, VIRTIO_BLK_T_IN);
		h = guest_ptr(w->guest, q.header);
		f.at = &h->type;
		f.values[0] = VIRTIO_BLK_T_IN;
		f.values[1] = other[i];
		race(w, &f, &s, &q);
	}
}

/* A range of zeroes that is inside of the image, and far too long. */
static void flip_segment(struct world *w)
{
	struct virtio_blk_discard_write_zeroes *z;
	struct flip f = { .bytes = 4 };
	struct session s;
	struct request q;

	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(*z));
	z = guest_ptr(w->guest, q.data);
	z->sector = htole64(SECTOR_FIRST);
	f.at = &z->num_sectors;
	f.values[0] = SECTORS;
	f.values[1] = (uint32_t)(w->image_size / SECTOR);
	race(w, &f, &s, &q);
}

static void flip_indirect(struct world *w)
{
	struct flip f = { .bytes = 4 };
	struct session s;
	struct request q;
	struct vring_desc *d = prepare(w, &s, &q, VIRTIO_BLK_T_IN), *inner;
	uint64_t table = guest_alloc(w->guest, 0, 48, 16);

	inner = guest_ptr(w->guest, table);
	memcpy(inner, d, 48);
	ring_set_desc(&s.r, 0, table, 48, VRING_DESC_F_INDIRECT, 0);
	f.at = &d[0].len;
	f.values[0] = 48;
	f.values[1] = 16;
	race(w, &f, &s, &q);
}

/* The ring of offers and its index, both. */
static void flip_avail(struct world *w)
{
	struct vring_avail *a;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct flip f = { .bytes = 2 };
		struct session s;
		struct request q;

		prepare(w, &s, &q, VIRTIO_BLK_T_IN);
		a = guest_ptr(w->guest, s.r.avail);
		f.at = i ? &a->ring[3] : &a->flags;
		f.values[0] = 0;
		f.values[1] = i ? 0xffff : VRING_AVAIL_F_NO_INTERRUPT;
		race(w, &f, &s, &q);
	}
}

/**
 * struct filler - fills a counter at some moment after it was told
 * @fd: the eventfd
 * @turn: odd: do it; even: done
 * @delay: turns of an idle loop
 */
struct filler {
	int fd;
	unsigned int turn;
	unsigned int delay;
	bool stop;
};

static void *fill_counter(void *arg)
{
	struct filler *f = arg;
	uint64_t full = UINT64_MAX - 1;

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
		unsigned int turn = __atomic_load_n(&f->turn, __ATOMIC_ACQUIRE);
		volatile unsigned int i;

		if (!(turn & 1))
			continue;
		for (i = 0; i < f->delay; i++)
			continue;
		if (write(f->fd, &full, sizeof(full)) < 0)
			fail("eventfd: %m");
		__atomic_store_n(&f->turn, turn + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * Empty the counter, for a filler too that waits for that. Return: was it full
 * before the device came to write?
 */
static bool drain_counter(struct filler *f)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	uint64_t count, first = 0;

	while ((__atomic_load_n(&f->turn, __ATOMIC_ACQUIRE) & 1) || poll(&p, 1, 0) > 0) {
		if (poll(&p, 1, 1) <= 0)
			continue;
		if (read(f->fd, &count, sizeof(count)) < 0)
			fail("eventfd: %m");
		if (!first)
			first = count;
	}
	return first > 1;
}

/*
 * The interrupt's counter has room when the device looks, and none when it
 * writes: the write waits until somebody reads, which nobody does.
 */
static void call_that_blocks(struct world *w)
{
	uint64_t end = now_ms() + 1000;
	struct filler f = { .delay = 1000 };
	struct session s;
	struct request q;
	pthread_t thread;

	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	f.fd = s.r.call;
	s.r.call = -1;
	expect(!pthread_create(&thread, NULL, fill_counter, &f), "pthread_create");
	while (now_ms() < end) {
		struct vring_used_elem e;
		uint64_t value;
		uint32_t size;

		ring_offer(&s.r, q.head);
		__atomic_store_n(&f.turn, f.turn + 1, __ATOMIC_RELEASE);
		ring_kick(&s.r);
		while (!ring_take(&s.r, &e) && !conn_is_closed(&s.c))
			expect(now_ms() < end + PATIENCE_MS, "silence");
		/* To hang up on who does this is fair. */
		if (!msg_send(&s.c, GET_FEATURES, 0, NULL, 0, NULL, 0) ||
		    !msg_receive(&s.c, GET_FEATURES, &value, sizeof(value), &size))
			break;
		/* Come nearer to the one moment that matters. */
		if (drain_counter(&f))
			f.delay += 1 + f.delay / 64;
		else
			f.delay -= f.delay / 64;
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELEASE);
	drain_counter(&f);
	pthread_join(thread, NULL);
	session_close(&s);
}

const struct hostile_case race_cases[] = {
	CASE("race-descriptor-address", flip_addr),
	CASE("race-descriptor-length", flip_len),
	CASE("race-descriptor-flags", flip_flags),
	CASE("race-descriptor-next", flip_next),
	CASE("race-request-sector", flip_sector, .writes = true),
	CASE("race-request-type", flip_type, .writes = true),
	CASE("race-segment", flip_segment, .writes = true),
	CASE("race-indirect-length", flip_indirect),
	CASE("race-available-ring", flip_avail),
	CASE("race-call-blocks", call_that_blocks),
	CASES_END
};
