/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_fds.c - descriptors: too many, none, and of the wrong kind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ring.h"
#include "watch.h"

#define MANY 253

/* Descriptors that are no memory; most are no eventfd either. */
enum kind {
	PIPE_READ,
	PIPE_WRITE,
	PIPE_ORPHAN,
	PIPE_FULL,
	DIRECTORY,
	EPOLL,
	SOCKET,
	SOCKET_ORPHAN,
	PATH_ONLY,
	DEV_NULL,
	DEV_ZERO,
	PLAIN_FILE,
	TIMER,
	EVENT,
	KINDS,
};

static const char *const kind_names[KINDS] = {
	"a pipe to read", "a pipe to write", "a pipe without a writer", "a full pipe",
	"a directory", "an epoll", "a socket", "a socket without a peer", "an O_PATH file",
	"/dev/null", "/dev/zero", "a read-only file", "a timer", "an eventfd",
};

/* @other is for the caller to close; -1 if there is none. */
static int make(enum kind k, int *other)
{
	static const char block[4096];
	struct itimerspec often = { { 0, 1 }, { 0, 1 } };
	int p[2] = { -1, -1 };

	*other = -1;
	switch (k) {
	case PIPE_READ:
	case PIPE_ORPHAN:
		expect(!pipe(p), "pipe: %m");
		if (k == PIPE_ORPHAN)
			close(p[1]);
		else
			*other = p[1];
		return p[0];
	case PIPE_WRITE:
	case PIPE_FULL:
		expect(!pipe(p), "pipe: %m");
		if (k == PIPE_FULL) {
			fcntl(p[1], F_SETFL, O_NONBLOCK);
			while (write(p[1], block, sizeof(block)) > 0)
				continue;
			fcntl(p[1], F_SETFL, 0);
		}
		*other = p[0];
		return p[1];
	case SOCKET:
	case SOCKET_ORPHAN:
		expect(!socketpair(AF_UNIX, SOCK_STREAM, 0, p), "socketpair: %m");
		if (k == SOCKET_ORPHAN)
			close(p[1]);
		else
			*other = p[1];
		return p[0];
	case DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY);
	case EPOLL:
		return epoll_create1(0);
	case PATH_ONLY:
		return open("/proc/self/exe", O_PATH);
	case DEV_NULL:
		return open("/dev/null", O_RDWR);
	case DEV_ZERO:
		return open("/dev/zero", O_RDWR);
	case PLAIN_FILE:
		return open("/proc/self/exe", O_RDONLY);
	case TIMER:
		p[0] = timerfd_create(CLOCK_MONOTONIC, 0);
		timerfd_settime(p[0], 0, &often, NULL);
		return p[0];
	case EVENT:
	case KINDS:
		break;
	}
	return eventfd(0, 0);
}

static void no_memory(struct world *w)
{
	struct wire_table t = { .count = 1, .regions = { w->guest->regions[0] } };
	struct wire_slot s = { .region = w->guest->regions[0] };
	struct conn c;
	enum kind k;

	t.regions[0].offset = 0;
	s.region.offset = 0;
	for (k = 0; k < KINDS; k++) {
		int other, fd = make(k, &other);

		/* This is memory, by Linux's reckoning; as /dev/dax0.0 is. */
		if (k == DEV_ZERO) {
			close(fd);
			continue;
		}
		expect(fd >= 0, "%s: %m", kind_names[k]);
		conn_open_hello(&c, w);
		expect(msg_ask(&c, SET_MEM_TABLE, &t, TABLE_SIZE(1), &fd, 1) != ANSWER_OK,
		       "%s is a memory table", kind_names[k]);
		conn_close(&c);
		conn_open_hello(&c, w);
		expect(msg_ask(&c, ADD_MEM_REG, &s, sizeof(s), &fd, 1) != ANSWER_OK,
		       "%s is a memory slot", kind_names[k]);
		conn_close(&c);
		close(fd);
		close(other);
	}
}

/*
 * A ring's kick or call of a wrong kind: refused, or of no effect. In no case may
 * the device wait for it, or do nothing but look at it.
 */
static void no_event(struct world *w, bool is_kick)
{
	enum kind k;

	for (k = 0; k < KINDS; k++) {
		int other, fd = make(k, &other);
		uint64_t one = 1;
		struct request q;
		struct session s;
		struct conn *c;

		guest_renew(w);
		conn_open_hello(&s.c, w);
		guest_share(w->guest, &s.c);
		ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
		close(is_kick ? s.r.kick : s.r.call);
		*(is_kick ? &s.r.kick : &s.r.call) = fd;
		c = &s.c;
		if (ring_try_start(&s.r) == ANSWER_OK) {
			request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
			ring_offer(&s.r, q.head);
			/* What can be written to, can be kicked. */
			fcntl(s.r.kick, F_SETFL, O_NONBLOCK);
			if (write(s.r.kick, &one, sizeof(one)) < 0)
				sleep_ms(1);
			fcntl(s.r.kick, F_SETFL, 0);
			if (!is_kick) {
				s.r.call = -1;
				expect(ring_wait(&s.r) != OUTCOME_SILENCE,
				       "silence with %s as call", kind_names[k]);
				s.r.call = fd;
			}
			/* A timer that fires all the time is a kick all the time. */
			expect(k == TIMER || process_comes_to_rest(w->pid, 100) ||
			       conn_is_closed(c), "%s as %s keeps the device busy",
			       kind_names[k], is_kick ? "kick" : "call");
			/* It still listens. */
			if (!conn_is_closed(c))
				msg_ask_state(c, SET_VRING_ENABLE, 0, 1);
		}
		close(other);
		session_close(&s);
	}
}

static void strange_kicks(struct world *w)
{
	no_event(w, true);
}

static void strange_calls(struct world *w)
{
	no_event(w, false);
}

static void strange_errs(struct world *w)
{
	struct ring r;
	struct conn c;
	enum kind k;

	for (k = 0; k < KINDS; k++) {
		int other, fd = make(k, &other);

		guest_renew(w);
		conn_open_hello(&c, w);
		guest_share(w->guest, &c);
		ring_init(&r, w->guest, &c, 0, RING_NUM);
		close(r.err);
		r.err = fd;
		if (ring_try_start(&r) == ANSWER_OK) {
			/* An index from nowhere is what breaks a ring. */
			r.avail_idx = 0x7000;
			ring_offer(&r, 0);
			r.err = -1;
			ring_kick(&r);
			sleep_ms(10);
			if (!conn_is_closed(&c))
				msg_ask_state(&c, SET_VRING_ENABLE, 0, 0);
		}
		close(fd);
		close(other);
		close(r.kick);
		close(r.call);
		conn_close(&c);
	}
}

/* A counter at its end makes the next write wait, for as long as nobody reads. */
static void full_call(struct world *w)
{
	uint64_t full = UINT64_MAX - 1, count;
	struct pollfd p = { .events = POLLIN };
	struct request q;
	struct session s;

	session_open(&s, w);
	/* A device may tell when it starts. */
	p.fd = s.r.call;
	if (poll(&p, 1, 0) == 1)
		expect(read(p.fd, &count, sizeof(count)) == sizeof(count), "call: %m");
	expect(write(s.r.call, &full, sizeof(full)) == sizeof(full), "eventfd: %m");
	request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_offer(&s.r, q.head);
	/* To wait for it would be to empty it. */
	s.r.call = -1;
	request_must(&q, &s.r, 1);
	request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_offer(&s.r, q.head);
	request_must(&q, &s.r, 1);
	session_close(&s);
}

static void too_many(struct world *w)
{
	static const uint32_t requests[] = { GET_FEATURES, SET_OWNER, SET_MEM_TABLE, ADD_MEM_REG,
					     SET_VRING_KICK, GET_CONFIG, 0, 77 };
	static const int counts[] = { 9, MANY };
	struct wire_table t = { .count = 1, .regions = { w->guest->regions[0] } };
	int fds[MANY];
	size_t i;

	for (i = 0; i < MANY; i++)
		fds[i] = w->guest->fd;
	for (i = 0; i < 2 * sizeof(requests) / sizeof(requests[0]); i++) {
		uint32_t request = requests[i / 2];
		uint32_t size = request == SET_MEM_TABLE ? TABLE_SIZE(1) :
				request == ADD_MEM_REG ? 40 : request == SET_VRING_KICK ? 8 : 0;
		uint64_t value;
		struct conn c;

		conn_open_hello(&c, w);
		if (msg_send(&c, request, FLAG_NEED_REPLY, &t, size, fds, counts[i % 2])) {
			shutdown(c.fd, SHUT_WR);
			if (msg_receive(&c, request, &value, sizeof(value), &size))
				expect(size == 8 && value, "request %u with %d descriptors is obeyed",
				       request, counts[i % 2]);
		}
		conn_close(&c);
	}
}

static void unasked(struct world *w)
{
	struct wire_state state = { 0, RING_NUM };
	uint64_t features = F_PROTOCOL | F_VERSION_1, no_fd = VRING_NOFD;
	const struct {
		uint32_t request;
		const void *payload;
		uint32_t size;
	} messages[] = {
		{ SET_OWNER, NULL, 0 }, { SET_FEATURES, &features, 8 },
		{ SET_VRING_NUM, &state, 8 }, { SET_VRING_BASE, &state, 8 },
		{ SET_VRING_ENABLE, &state, 8 }, { RESET_OWNER, NULL, 0 },
		{ SET_VRING_KICK, &no_fd, 8 }, { SET_VRING_CALL, &no_fd, 8 },
		{ SET_VRING_ERR, &no_fd, 8 },
	};
	struct conn c;
	size_t i;

	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		conn_open_hello(&c, w);
		msg_must_not(&c, messages[i].request, messages[i].payload, messages[i].size,
			     &w->guest->fd, 1);
		conn_close(&c);
	}
}

static void missing(struct world *w)
{
	struct wire_table t = { .count = 3 };
	struct wire_slot s = { .region = w->guest->regions[0] };
	uint64_t ring = 0;
	struct conn c;
	uint32_t request;
	int n;

	memcpy(t.regions, w->guest->regions, sizeof(w->guest->regions));
	for (n = 0; n < 5; n++) {
		int fds[] = { w->guest->fd, w->guest->fd, w->guest->fd, w->guest->fd };

		if (n == 3)
			continue;
		conn_open_hello(&c, w);
		msg_must_not(&c, SET_MEM_TABLE, &t, TABLE_SIZE(3), fds, n);
		conn_close(&c);
	}
	conn_open_hello(&c, w);
	msg_must_not(&c, ADD_MEM_REG, &s, sizeof(s), NULL, 0);
	conn_close(&c);
	for (request = SET_VRING_KICK; request <= SET_VRING_ERR; request++) {
		conn_open_hello(&c, w);
		msg_must_not(&c, request, &ring, sizeof(ring), NULL, 0);
		conn_close(&c);
	}
}

/* Each one takes the place of the one before, which is closed. */
static void replaced(struct world *w)
{
	unsigned int i;
	struct session s;

	session_open(&s, w);
	for (i = 0; i < 500; i++) {
		expect(msg_ask_u64(&s.c, SET_VRING_CALL, 0, s.r.call) == ANSWER_OK, "refused");
		expect(msg_ask_u64(&s.c, SET_VRING_ERR, 0, s.r.err) == ANSWER_OK, "refused");
		expect(msg_ask_u64(&s.c, SET_VRING_KICK, 0, s.r.kick) == ANSWER_OK, "refused");
	}
	session_use(&s, w, 40, 2);
	session_close(&s);
}

/* Memory of the front-end that the device may only read. */
static void read_only_memory(struct world *w)
{
	struct wire_table t = { .count = REGIONS };
	int fd, fds[REGIONS], i;
	char path[64];
	struct conn c;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->guest->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect(fd >= 0, "%s: %m", path);
	memcpy(t.regions, w->guest->regions, sizeof(w->guest->regions));
	for (i = 0; i < REGIONS; i++)
		fds[i] = fd;
	conn_open_hello(&c, w);
	msg_must_not(&c, SET_MEM_TABLE, &t, TABLE_SIZE(REGIONS), fds, REGIONS);
	conn_close(&c);
	close(fd);
}

const struct hostile_case fd_cases[] = {
	CASE("fd-of-other-kind-as-memory", no_memory),
	CASE("fd-of-other-kind-as-kick", strange_kicks),
	CASE("fd-of-other-kind-as-call", strange_calls),
	CASE("fd-of-other-kind-as-err", strange_errs),
	CASE("fd-call-counter-full", full_call),
	CASE("fd-too-many", too_many),
	CASE("fd-where-none-belongs", unasked),
	CASE("fd-missing", missing),
	CASE("fd-read-only-memory", read_only_memory),
	CASE("legal-fd-replaced", replaced, .writes = true),
	CASES_END
};
