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

#include "log.h"

static bool any_marked(const struct log *l, uint64_t gpa, uint64_t len)
{
	uint64_t end = gpa + len;

	for (; gpa < end; gpa += PAGE)
		if (log_has(l, gpa))
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

static void must_be_marked(const struct log *l, const struct request *q, const struct ring *r)
{
	uint32_t off;

	for (off = 0; off < q->len; off += PAGE)
		expect(log_has(l, q->data + off), "data is not marked");
	expect(log_has(l, q->data + q->len - 1), "data is not marked");
	expect(log_has(l, q->status), "a status is not marked");
	expect(log_has(l, r->used), "the used ring is not marked");
}

/* What the device writes is marked while it is told to, and nothing else. */
static void marks(struct world *w)
{
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	session_use(&s, w, 8, 2);
	expect(!any_marked(&l, 0, PAGES * PAGE), "marked without being told to");
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s, &q, 3 * PAGE);
	must_be_marked(&l, &q, &s.r);
	/* Descriptors and headers: they are read. */
	expect(!any_marked(&l, 0, REGION_SIZE), "what is read is marked");
	expect(!any_marked(&l, 2 * REGION_SIZE, 254 * MIB), "a hole is marked");
	expect(log_switch(&s.c, false) == ANSWER_OK, "it does not end to log");
	memset(l.bytes, 0, FILE_BYTES);
	read_sectors(&s, &q, PAGE);
	expect(!any_marked(&l, 0, PAGES * PAGE), "marked after the end");
	session_close(&s);
	log_exit(&l);
}

/* Another log comes. */
static void replaced(struct world *w)
{
	struct session s;
	struct request q;
	struct log l[2];

	log_init(&l[0]);
	log_init(&l[1]);
	session_open(&s, w);
	expect(log_set(&s.c, &whole_log, l[0].fd), "the log is refused");
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s, &q, PAGE);
	expect(log_set(&s.c, &whole_log, l[1].fd), "the second log is refused");
	memset(l[0].bytes, 0, FILE_BYTES);
	read_sectors(&s, &q, PAGE);
	expect(!any_marked(&l[0], 0, PAGES * PAGE), "the old log is marked");
	expect(log_has(&l[1], q.data), "the new log is not marked");
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
	expect(log_set(&s.s.c, &whole_log, l.fd), "the log is refused");
	ring_start_by_iova(&s.s.r);
	expect(log_switch(&s.s.c, true) == ANSWER_OK, "it does not log");
	read_sectors(&s.s, &q, 3 * PAGE);
	must_be_marked(&l, &q, &s.s.r);
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
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	msg_must(&s.c, SET_LOG_FD, NULL, 0, &p.fd, 1);
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
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
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	expect(write(fd, &full, sizeof(full)) == sizeof(full), "eventfd: %m");
	msg_must(&s.c, SET_LOG_FD, NULL, 0, &fd, 1);
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&s.r, q.head);
	ring_kick(&s.r);
	expect(ring_wait(&s.r) != OUTCOME_SILENCE, "it waits for its peer");
	close(fd);
	session_close(&s);
	log_exit(&l);
}

/* Memory that is told anew is marked as the old one was. */
static void new_memory(struct world *w)
{
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
	guest_share(w->guest, &s.c);
	read_sectors(&s, &q, PAGE);
	must_be_marked(&l, &q, &s.r);
	session_close(&s);
	log_exit(&l);
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
		expect(!log_set(&c, &bad[i], l.fd), "%llu bytes at %llu",
		       (unsigned long long)bad[i].size, (unsigned long long)bad[i].offset);
		conn_close(&c);
	}
	log_exit(&l);
}

/* Memory that the log has no bits for: better no device than one that forgets. */
static void too_small(struct world *w)
{
	struct wire_log wire = whole_log;
	struct session s;
	struct log l;

	log_init(&l);
	session_open(&s, w);
	wire.size = LOG_SIZE - 1;
	expect(log_set(&s.c, &wire, l.fd), "the log is refused");
	expect(log_switch(&s.c, true) != ANSWER_OK, "a log that is too small");
	expect(log_switch(&s.c, true) != ANSWER_OK, "it is large enough the second time");
	session_close(&s);
	guest_renew(w);
	session_open(&s, w);
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
	expect(!log_set(&s.c, &wire, l.fd), "a log that is too small");
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
	expect(!log_set(&c, &whole_log, fds[0]), "a pipe is a log");
	conn_close(&c);
	for (i = 0; i < 3; i += 2) {
		int twice[2] = { l.fd, l.fd };

		conn_open_hello(&c, w);
		expect(msg_send(&c, SET_LOG_BASE, 0, &whole_log, sizeof(whole_log), twice, i), "%m");
		conn_await_close(&c);
		conn_close(&c);
		conn_open_hello(&c, w);
		msg_must_not(&c, SET_LOG_FD, NULL, 0, twice, i);
		conn_close(&c);
	}
	conn_open_hello(&c, w);
	expect(msg_send(&c, SET_LOG_BASE, 0, &whole_log, sizeof(whole_log) - 8, &l.fd, 1), "%m");
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
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
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
	CASE("legal-log-new-memory", new_memory),
	CASE("log-full-event", full_event),
	CASE("log-places", bad_places),
	CASE("log-too-small", too_small),
	CASE("log-fds", bad_fds),
	CASE("log-truncated", truncated),
	CASES_END
};
