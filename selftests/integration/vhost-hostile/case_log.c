/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_log.c - the log of what the device writes, for a guest that moves: as it
 * should be, and as a front-end should not have it.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"
#include "iommu.h"

/* A bit for each page below the end of the last region. */
#define PAGES ((256 * MIB + REGION_SIZE) / PAGE)
#define LOG_SIZE (PAGES / 8)
#define FILE_BYTES (64 * 1024u)

/**
 * struct log - memory of the case's own, for the device to mark
 * @fd: its file
 * @bytes: all of it, mapped
 */
struct log {
	int fd;
	uint8_t *bytes;
};

static const struct wire_log whole = { .size = LOG_SIZE };

static void log_init(struct log *l)
{
	l->fd = memfd_create("log", MFD_CLOEXEC);
	expect(l->fd >= 0 && !ftruncate(l->fd, FILE_BYTES), "memfd: %m");
	l->bytes = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	expect(l->bytes != MAP_FAILED, "mmap: %m");
}

static void log_exit(struct log *l)
{
	munmap(l->bytes, FILE_BYTES);
	close(l->fd);
}

/* This one has a reply of its own. Return: false: the device hangs up. */
static bool set_log(struct conn *c, const struct wire_log *wire, int fd)
{
	uint64_t value;
	uint32_t size;

	return msg_send(c, SET_LOG_BASE, 0, wire, sizeof(*wire), &fd, 1) &&
	       msg_receive(c, SET_LOG_BASE, &value, sizeof(value), &size);
}

static enum answer set_logging(struct conn *c, bool on)
{
	return msg_ask_u64(c, SET_FEATURES, c->features | (on ? F_LOG_ALL : 0), -1);
}

static bool is_marked(const struct log *l, uint64_t gpa)
{
	uint64_t page = gpa / PAGE;

	return l->bytes[page / 8] >> page % 8 & 1;
}

static bool any_marked(const struct log *l, uint64_t gpa, uint64_t len)
{
	uint64_t end = gpa + len;

	for (; gpa < end; gpa += PAGE)
		if (is_marked(l, gpa))
			return true;
	return false;
}

/* A read, whose data, status and used entry are in pages of their own. */
static void read_sectors(struct session *s, struct request *q, uint32_t len)
{
	request_add(q, &s->r, VIRTIO_BLK_T_IN, 0, len);
	ring_offer(&s->r, q->head);
	request_must(q, &s->r, len + 1);
}

/* What the device writes is marked while it is told to, and nothing else. */
static void marks(struct world *w)
{
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	expect(set_log(&s.c, &whole, l.fd), "the log is refused");
	session_use(&s, w, 8, 2);
	expect(!any_marked(&l, 0, PAGES * PAGE), "marked without being told to");
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s, &q, 3 * PAGE);
	expect(is_marked(&l, q.data) && is_marked(&l, q.data + PAGE) &&
	       is_marked(&l, q.data + 3 * PAGE - 1), "data is not marked");
	expect(is_marked(&l, q.status), "a status is not marked");
	expect(is_marked(&l, s.r.used), "the used ring is not marked");
	/* Descriptors and headers: they are read. */
	expect(!any_marked(&l, 0, REGION_SIZE), "what is read is marked");
	expect(!any_marked(&l, 2 * REGION_SIZE, 254 * MIB), "a hole is marked");
	expect(set_logging(&s.c, false) == ANSWER_OK, "it does not end to log");
	memset(l.bytes, 0, FILE_BYTES);
	read_sectors(&s, &q, PAGE);
	expect(!any_marked(&l, 0, PAGES * PAGE), "marked after the end");
	session_close(&s);
	log_exit(&l);
}

/* Another log comes while it is used. */
static void replaced(struct world *w)
{
	struct session s;
	struct request q;
	struct log l[2];

	log_init(&l[0]);
	log_init(&l[1]);
	session_open(&s, w);
	expect(set_log(&s.c, &whole, l[0].fd), "the log is refused");
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s, &q, PAGE);
	expect(set_log(&s.c, &whole, l[1].fd), "the second log is refused");
	memset(l[0].bytes, 0, FILE_BYTES);
	read_sectors(&s, &q, PAGE);
	expect(!any_marked(&l[0], 0, PAGES * PAGE), "the old log is marked");
	expect(is_marked(&l[1], q.data), "the new log is not marked");
	session_close(&s);
	log_exit(&l[0]);
	log_exit(&l[1]);
}

/* It is a log of guest addresses, whatever addresses the device is given. */
static void by_guest_address(struct world *w)
{
	struct iommu_session s;
	struct request q;
	struct log l;

	log_init(&l);
	iommu_open(&s, w);
	iommu_tell_all(&s);
	expect(set_log(&s.s.c, &whole, l.fd), "the log is refused");
	ring_start_by_iova(&s.s.r);
	expect(set_logging(&s.s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s.s, &q, 3 * PAGE);
	expect(is_marked(&l, q.data) && is_marked(&l, q.data + PAGE) &&
	       is_marked(&l, q.data + 3 * PAGE - 1), "data is not marked");
	expect(is_marked(&l, q.status), "a status is not marked");
	expect(is_marked(&l, s.s.r.used), "the used ring is not marked");
	expect(!any_marked(&l, 0, REGION_SIZE), "what is read is marked");
	iommu_close(&s);
	log_exit(&l);
}

static void signalled(struct world *w)
{
	struct pollfd p = { .fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN };
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	expect(set_log(&s.c, &whole, l.fd), "the log is refused");
	msg_must(&s.c, SET_LOG_FD, NULL, 0, &p.fd, 1);
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s, &q, PAGE);
	expect(poll(&p, 1, PATIENCE_MS) == 1, "no signal");
	close(p.fd);
	session_close(&s);
	log_exit(&l);
}

/* Nobody reads the eventfd, and it is full. */
static void full_event(struct world *w)
{
	uint64_t full = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	expect(set_log(&s.c, &whole, l.fd), "the log is refused");
	expect(write(fd, &full, sizeof(full)) == sizeof(full), "eventfd: %m");
	msg_must(&s.c, SET_LOG_FD, NULL, 0, &fd, 1);
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	expect(ring_wait(&s.r) != OUTCOME_SILENCE, "it waits for its peer");
	close(fd);
	session_close(&s);
	log_exit(&l);
}

/* A ring whose used index, entries and event field are in pages of their own. */
#define LARGE_NUM 1024u
#define LARGE_BASE 600u

static void large_ring(struct session *s, struct world *w)
{
	struct vring_avail *avail;
	struct vring_used *used;

	conn_open_hello(&s->c, w);
	s->c.features |= F_RING_EVENT_IDX;
	expect(set_logging(&s->c, false) == ANSWER_OK, "no event index");
	guest_share(w->guest, &s->c);
	ring_init(&s->r, w->guest, &s->c, 0, LARGE_NUM);
	s->r.used = guest_alloc(w->guest, 2, 6 + LARGE_NUM * sizeof(struct vring_used_elem), PAGE);
	avail = guest_ptr(w->guest, s->r.avail);
	used = guest_ptr(w->guest, s->r.used);
	avail->idx = LARGE_BASE;
	used->idx = LARGE_BASE;
	s->r.base = LARGE_BASE;
	s->r.avail_idx = LARGE_BASE;
	s->r.used_idx = LARGE_BASE;
}

/* Each of the places that the device writes of a ring. */
static void whole_ring(struct world *w)
{
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	large_ring(&s, w);
	expect(set_log(&s.c, &whole, l.fd), "the log is refused");
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	ring_start(&s.r);
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&s.r, q.head);
	request_must(&q, &s.r, 21);
	expect(is_marked(&l, q.data) && is_marked(&l, q.status), "an ID is not marked");
	/* Once idle, it asks for the next kick; and a page of the used ring is
	 * what we have seen before it is marked.
	 */
	expect(set_logging(&s.c, true) == ANSWER_OK, "no answer");
	expect(is_marked(&l, s.r.used), "the used index is not marked");
	expect(is_marked(&l, s.r.used + PAGE), "a used entry is not marked");
	expect(is_marked(&l, s.r.used + 2 * PAGE), "an event index is not marked");
	session_close(&s);
	log_exit(&l);
}

/*
 * A device was killed when it had written the used index, before that was marked. The
 * log is told after the ring, as QEMU does it; and then the ring has nothing to do.
 */
static void killed_before_mark(struct world *w)
{
	struct wire_inflight wire = whole_area;
	struct session s;
	struct area a;
	struct log l;

	log_init(&l);
	area_init(&a);
	large_ring(&s, w);
	a.first->version = 1;
	a.first->desc_num = LARGE_NUM;
	a.first->used_idx = LARGE_BASE - 1;
	wire.num = LARGE_NUM;
	expect(area_set(&s.c, &wire, a.fd) == ANSWER_OK, "the area is refused");
	ring_start_disabled(&s.r);
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	expect(set_log(&s.c, &whole, l.fd), "the log is refused");
	expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 1) == ANSWER_OK, "no start");
	expect(is_marked(&l, s.r.used), "the used index is not marked");
	session_close(&s);
	area_exit(&a);
	log_exit(&l);
}

/* What changes while requests are under way. */
enum change { BEGIN, REPLACE, STOP };

static enum answer change_log(struct session *s, enum change change, int fd)
{
	uint32_t base;

	if (change == BEGIN)
		return set_logging(&s->c, true);
	if (change == REPLACE)
		return set_log(&s->c, &whole, fd) ? ANSWER_OK : ANSWER_CLOSED;
	return msg_get_base(&s->c, 0, &base);
}

/* Each page that is not as it was must be marked. @l NULL: none may be so. */
static void check_changes(const struct world *w, const uint8_t *before, const uint8_t *now,
			  const struct log *l)
{
	uint64_t off;

	for (off = 0; off < REGION_SIZE; off += PAGE)
		expect(!memcmp(before + off, now + off, PAGE) ||
		       (l && is_marked(l, w->guest->regions[2].gpa + off)),
		       "page %#llx was written, not marked", (unsigned long long)off);
}

/*
 * From the answer on, the new log has all that is written; or, if the ring was
 * stopped, nothing is. Before that the old log had it.
 */
static void under_way(struct world *w, enum change change)
{
	static uint8_t before[REGION_SIZE], after[REGION_SIZE];
	const uint8_t *memory = guest_ptr(w->guest, w->guest->regions[2].gpa);
	unsigned int round, i;

	for (round = 0; round < 30; round++) {
		struct log l[2], *new = &l[change == REPLACE];
		struct request q[8];
		struct session s;

		guest_renew(w);
		log_init(&l[0]);
		log_init(&l[1]);
		session_open(&s, w);
		expect(set_log(&s.c, &whole, l[0].fd), "the log is refused");
		expect(set_logging(&s.c, change != BEGIN) == ANSWER_OK, "it does not log");
		for (i = 0; i < 8; i++) {
			request_add(&q[i], &s.r, VIRTIO_BLK_T_IN, i * 128, 16 * PAGE);
			ring_offer(&s.r, q[i].head);
		}
		memcpy(before, memory, sizeof(before));
		/* What is not in the page cache takes its time. */
		image_evict(w);
		ring_kick(&s.r);
		/* Begun, but not done: at another moment in each round. */
		usleep(round * 40);
		expect(change_log(&s, change, l[1].fd) == ANSWER_OK, "no change");
		memcpy(after, memory, sizeof(after));
		/* A device that goes on meanwhile could have written more by now. */
		if (change == STOP)
			check_changes(w, before, after, &l[0]);
		sleep_ms(10);
		check_changes(w, after, memory, change == STOP ? NULL : new);
		session_close(&s);
		log_exit(&l[0]);
		log_exit(&l[1]);
	}
}

static void begins_under_way(struct world *w)
{
	under_way(w, BEGIN);
}

static void replaced_under_way(struct world *w)
{
	under_way(w, REPLACE);
}

static void stopped_under_way(struct world *w)
{
	under_way(w, STOP);
}

static void bad_places(struct world *w)
{
	static const struct wire_log bad[] = {
		{ 0, 0 }, { LOG_SIZE, 1 }, { LOG_SIZE, 8 }, { FILE_BYTES + 1, 0 },
		{ LOG_SIZE, FILE_BYTES }, { UINT64_MAX, 0 }, { UINT64_MAX, PAGE },
		{ UINT64_MAX - PAGE + 1, PAGE }, { LOG_SIZE, UINT64_MAX - PAGE + 1 },
		{ LOG_SIZE, 1ull << 63 }, { 1ull << 62, 0 },
	};
	struct conn c;
	struct log l;
	unsigned int i;

	log_init(&l);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		conn_open_hello(&c, w);
		expect(!set_log(&c, &bad[i], l.fd), "%llu bytes at %llu",
		       (unsigned long long)bad[i].size, (unsigned long long)bad[i].offset);
		conn_close(&c);
	}
	log_exit(&l);
}

/* Memory that the log has no bits for: better no device than one that forgets. */
static void too_small(struct world *w)
{
	struct wire_log wire = whole;
	struct session s;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	wire.size = LOG_SIZE - 1;
	expect(set_log(&s.c, &wire, l.fd), "the log is refused");
	expect(set_logging(&s.c, true) != ANSWER_OK, "a log that is too small");
	expect(set_logging(&s.c, true) != ANSWER_OK, "it is large enough the second time");
	session_close(&s);
	guest_renew(w);
	session_open(&s, w);
	expect(set_log(&s.c, &whole, l.fd), "the log is refused");
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	expect(!set_log(&s.c, &wire, l.fd), "a log that is too small");
	session_close(&s);
	log_exit(&l);
}

static void bad_fds(struct world *w)
{
	struct conn c;
	struct log l;
	int fds[2], i;

	log_init(&l);
	expect(!pipe(fds), "pipe: %m");
	conn_open_hello(&c, w);
	expect(!set_log(&c, &whole, fds[0]), "a pipe is a log");
	conn_close(&c);
	for (i = 0; i < 3; i += 2) {
		int twice[2] = { l.fd, l.fd };

		conn_open_hello(&c, w);
		expect(msg_send(&c, SET_LOG_BASE, 0, &whole, sizeof(whole), twice, i), "%m");
		conn_await_close(&c);
		conn_close(&c);
		conn_open_hello(&c, w);
		msg_must_not(&c, SET_LOG_FD, NULL, 0, twice, i);
		conn_close(&c);
	}
	conn_open_hello(&c, w);
	expect(msg_send(&c, SET_LOG_BASE, 0, &whole, sizeof(whole) - 8, &l.fd, 1), "%m");
	conn_await_close(&c);
	conn_close(&c);
	conn_open_hello(&c, w);
	msg_must_not(&c, SET_LOG_FD, NULL, 0, &l.fd, 1);
	msg_must_not(&c, SET_LOG_FD, NULL, 0, &fds[1], 1);
	conn_close(&c);
	close(fds[0]);
	close(fds[1]);
	log_exit(&l);
}

static void truncated(struct world *w)
{
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	expect(set_log(&s.c, &whole, l.fd), "the log is refused");
	expect(set_logging(&s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s, &q, PAGE);
	expect(!ftruncate(l.fd, 0), "ftruncate: %m");
	request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, PAGE);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	conn_await_close(&s.c);
	session_close(&s);
	log_exit(&l);
}

const struct hostile_case log_cases[] = {
	CASE("legal-log-marks", marks, .writes = true),
	CASE("legal-log-replaced", replaced),
	CASE("legal-log-iommu", by_guest_address),
	CASE("legal-log-signalled", signalled),
	CASE("legal-log-whole-ring", whole_ring),
	CASE("legal-log-killed-before-mark", killed_before_mark),
	CASE("legal-log-begins-under-way", begins_under_way),
	CASE("legal-log-replaced-under-way", replaced_under_way),
	CASE("legal-log-stopped-under-way", stopped_under_way),
	CASE("log-full-event", full_event),
	CASE("log-places", bad_places),
	CASE("log-too-small", too_small),
	CASE("log-fds", bad_fds),
	CASE("log-truncated", truncated),
	CASES_END
};
