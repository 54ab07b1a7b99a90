/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_gone.c - memory that its owner takes away after it was given.
 *
 * A front-end can truncate the file behind guest memory. To touch it is then
 * SIGBUS, which must be the front-end's trouble, not the device's.
 *
 * These cases have a file of their own instead of the guest's.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"
#include "watch.h"

/* The same guest in a file of @size. */
static struct guest *own_file(struct world *w, uint64_t size)
{
	static struct guest own;

	own = *w->guest;
	own.owned_count = 0;
	own.fd = memfd_create("hostile-gone", MFD_CLOEXEC);
	expect(own.fd >= 0 && !ftruncate(own.fd, (off_t)size), "memfd: %m");
	own.file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, own.fd, 0);
	expect(own.file != MAP_FAILED, "mmap: %m");
	w->guest = &own;
	return &own;
}

static void cut_file(const struct guest *g, uint64_t size)
{
	expect(!ftruncate(g->fd, (off_t)size), "ftruncate: %m");
}

/* An answer can't be had from rings that are gone: this is all that is left. */
static void must_hang_up(struct session *s)
{
	struct patience patience = { .pid = s->c.pid };

	ring_kick(&s->r);
	while (!conn_is_closed(&s->c)) {
		expect(!patience_is_over(&patience), "the device goes on without memory");
		sleep_ms(1);
	}
}

static void everything(struct world *w)
{
	struct session s;
	struct request q;

	own_file(w, FILE_SIZE);
	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	ring_offer(&s.r, q.head);
	cut_file(w->guest, 0);
	must_hang_up(&s);
	session_close(&s);
}

/* One part of the ring is in region 2, which goes; the others stay. */
static void one_part(struct world *w)
{
	unsigned int part;

	for (part = 0; part < 3; part++) {
		struct guest *g = own_file(w, FILE_SIZE);
		struct session s;
		struct request q;

		conn_open_hello(&s.c, w);
		guest_share(g, &s.c);
		ring_init(&s.r, g, &s.c, 0, RING_NUM);
		s.r.desc = guest_alloc(g, part == 0 ? 2 : 0, 16 * RING_NUM, 4096);
		s.r.avail = guest_alloc(g, part == 1 ? 2 : 0, 6 + 2 * RING_NUM, 4096);
		s.r.used = guest_alloc(g, part == 2 ? 2 : 0, 6 + 8 * RING_NUM, 4096);
		ring_start(&s.r);
		request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
		ring_offer(&s.r, q.head);
		cut_file(g, g->regions[2].offset);
		must_hang_up(&s);
		session_close(&s);
	}
}

/* Rings, header and status stay; where the data was, there is nothing. */
static void data(struct world *w, uint32_t type)
{
	struct guest *g = own_file(w, FILE_SIZE);
	struct session s;
	struct request q;

	conn_open_hello(&s.c, w);
	guest_share(g, &s.c);
	ring_init(&s.r, g, &s.c, 0, RING_NUM);
	s.r.used = guest_alloc(g, 1, 6 + 8 * RING_NUM, 4);
	ring_start(&s.r);
	request_add(&q, &s.r, type, 0, 8 * SECTOR);
	ring_offer(&s.r, q.head);
	cut_file(g, g->regions[2].offset);
	request_must_not(&q, &s.r);
	session_close(&s);
}

static void data_in(struct world *w)
{
	data(w, VIRTIO_BLK_T_IN);
}

static void data_out(struct world *w)
{
	data(w, VIRTIO_BLK_T_OUT);
}

static void data_id(struct world *w)
{
	struct guest *g = own_file(w, FILE_SIZE);
	struct session s;
	struct request q;

	conn_open_hello(&s.c, w);
	guest_share(g, &s.c);
	ring_init(&s.r, g, &s.c, 0, RING_NUM);
	s.r.used = guest_alloc(g, 1, 6 + 8 * RING_NUM, 4);
	ring_start(&s.r);
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES);
	ring_offer(&s.r, q.head);
	cut_file(g, g->regions[2].offset);
	/* It can't be told from success while it goes on; then the device sees. */
	must_hang_up(&s);
	session_close(&s);
}

/*
 * There is a limit to the mappings that a process has, 65,530 as a rule. A
 * device that mends page by page can be driven there: requests whose data is a
 * byte in every other page, of memory that has gone.
 */
#define LIVE_SIZE (8 * MIB)
#define GONE_SIZE (768 * MIB)
#define MANY_REQUESTS 300u
#define MANY_PIECES 256u

static uint64_t scattered_discard(struct guest *g, const struct request *q, uint64_t page)
{
	uint64_t table = guest_alloc(g, 0, (MANY_PIECES + 2) * 16, 16);
	struct vring_desc *d = guest_ptr(g, table);
	unsigned int i;

	d[0] = (struct vring_desc){ htole64(q->header), htole32(16), htole16(VRING_DESC_F_NEXT),
				    htole16(1) };
	for (i = 1; i <= MANY_PIECES; i++)
		d[i] = (struct vring_desc){ htole64(g->regions[2].gpa + (page + i) * 8192),
					    htole32(1), htole16(VRING_DESC_F_NEXT),
					    htole16((uint16_t)(i + 1)) };
	d[i] = (struct vring_desc){ htole64(q->status), htole32(1), htole16(VRING_DESC_F_WRITE),
				    0 };
	return table;
}

static void many_pages(struct world *w)
{
	struct guest *g = own_file(w, LIVE_SIZE + MIB + GONE_SIZE);
	struct session s;
	struct request q;
	uint16_t i;

	g->regions[0] = (struct wire_region){ 0, LIVE_SIZE, 1ull << 40, 0 };
	g->regions[1] = (struct wire_region){ LIVE_SIZE, MIB, 1ull << 41, LIVE_SIZE };
	g->regions[2] = (struct wire_region){ 1024 * MIB, GONE_SIZE, 1ull << 42,
					      LIVE_SIZE + MIB };
	conn_open_hello(&s.c, w);
	guest_share(g, &s.c);
	ring_init(&s.r, g, &s.c, 0, 512);
	s.r.used = guest_alloc(g, 1, 6 + 8 * 512, 4);
	ring_start(&s.r);
	request_init(&q, g, VIRTIO_BLK_T_DISCARD, 0, 0);
	for (i = 0; i < MANY_REQUESTS; i++) {
		ring_set_desc(&s.r, i, scattered_discard(g, &q, i * MANY_PIECES),
			      (MANY_PIECES + 2) * 16, VRING_DESC_F_INDIRECT, 0);
		ring_offer(&s.r, i);
	}
	cut_file(g, g->regions[2].offset);
	must_hang_up(&s);
	session_close(&s);
}

struct flapper {
	const struct guest *g;
	bool stop;
};

/* Requests that would work, if the memory stayed. */
static void write_requests(const struct guest *g)
{
	const struct wire_region *r = g->regions;
	struct vring_desc d[3] = {
		{ htole64(r[1].gpa + 0x10000), htole32(16), htole16(VRING_DESC_F_NEXT),
		  htole16(1) },
		{ htole64(r[0].gpa + 0x10000), htole32(0x10000),
		  htole16(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE), htole16(2) },
		{ htole64(r[1].gpa + 0x20000), htole32(1), htole16(VRING_DESC_F_WRITE), 0 },
	};
	uint16_t avail[2] = { 0, htole16(RING_NUM) };

	if (pwrite(g->fd, d, sizeof(d), (off_t)r[0].offset) < 0 ||
	    pwrite(g->fd, avail, sizeof(avail), (off_t)r[1].offset) < 0)
		fail("pwrite: %m");
}

static void *flap(void *arg)
{
	struct flapper *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		cut_file(f->g, 0);
		cut_file(f->g, FILE_SIZE);
		write_requests(f->g);
	}
	return NULL;
}

/* It goes and comes at any moment of a session. */
static void flapping(struct world *w)
{
	uint64_t end = now_ms() + 1000;
	struct guest *g = own_file(w, FILE_SIZE);
	struct flapper f = { .g = g };
	struct wire_addr a = { .desc = g->regions[0].user, .avail = g->regions[1].user,
			       .used = g->regions[2].user };
	struct wire_table t = { .count = REGIONS };
	int fds[REGIONS] = { g->fd, g->fd, g->fd };
	pthread_t thread;
	unsigned int i;

	memcpy(t.regions, g->regions, sizeof(g->regions));
	expect(!pthread_create(&thread, NULL, flap, &f), "pthread_create");
	while (now_ms() < end) {
		struct conn c;

		conn_open_hello(&c, w);
		if (msg_ask(&c, SET_MEM_TABLE, &t, TABLE_SIZE(REGIONS), fds, REGIONS) == ANSWER_OK &&
		    msg_ask_state(&c, SET_VRING_NUM, 0, RING_NUM) == ANSWER_OK &&
		    msg_ask(&c, SET_VRING_ADDR, &a, sizeof(a), NULL, 0) == ANSWER_OK &&
		    msg_ask_u64(&c, SET_VRING_KICK, VRING_NOFD, -1) == ANSWER_OK)
			for (i = 1; i < 20; i++)
				if (msg_ask_state(&c, SET_VRING_ENABLE, 0, i & 1) == ANSWER_CLOSED)
					break;
		conn_close(&c);
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* A hole is no end: it reads as zeros and can be written. */
static void hole(struct world *w)
{
	struct guest *g = own_file(w, FILE_SIZE);
	uint8_t want[8 * SECTOR];
	struct session s;
	struct request q;

	session_open(&s, w);
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, 8 * SECTOR);
	expect(!fallocate(g->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)g->regions[2].offset + 65536, 65536), "fallocate: %m");
	ring_set_desc(&s.r, (uint16_t)(q.head + 1), g->regions[2].gpa + 65536, 8 * SECTOR,
		      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, (uint16_t)(q.head + 2));
	ring_offer(&s.r, q.head);
	request_must(&q, &s.r, 8 * SECTOR + 1);
	image_read(w, want, sizeof(want), 0);
	expect(!memcmp(g->file + g->regions[2].offset + 65536, want, sizeof(want)), "other data");
	session_close(&s);
}

const struct hostile_case gone_cases[] = {
	CASE("gone-everything", everything),
	CASE("gone-part-of-ring", one_part),
	CASE("gone-data-to-read-into", data_in),
	CASE("gone-data-to-write", data_out),
	CASE("gone-data-of-id", data_id),
	CASE("gone-every-other-page", many_pages),
	CASE("gone-and-back-all-the-time", flapping),
	CASE("legal-gone-hole", hole),
	CASES_END
};
