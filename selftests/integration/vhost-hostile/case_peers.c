/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_peers.c - front-ends that come and go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring.h"

/* The first @steps of a handshake; false: there are no more. */
static bool handshake(struct world *w, struct conn *c, struct ring *r, unsigned int steps)
{
	struct wire_addr addr;
	unsigned int step = 0;

#define STEP(what) do { if (step++ == steps) return true; what; } while (0)
	STEP(conn_open(c, w));
	STEP(msg_get_u64(c, GET_FEATURES));
	STEP(conn_hello(c));
	STEP(msg_get_u64(c, GET_QUEUE_NUM));
	STEP(msg_get_u64(c, GET_MAX_MEM_SLOTS));
	STEP(guest_share(w->guest, c));
	ring_init(r, w->guest, c, 0, RING_NUM);
	ring_wire_addr(r, &addr);
	STEP(msg_ask_state(c, SET_VRING_NUM, 0, RING_NUM));
	STEP(msg_ask_state(c, SET_VRING_BASE, 0, 0));
	STEP(msg_ask(c, SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0));
	STEP(msg_ask_u64(c, SET_VRING_ERR, 0, r->err));
	STEP(msg_ask_u64(c, SET_VRING_CALL, 0, r->call));
	STEP(msg_ask_u64(c, SET_VRING_KICK, 0, r->kick));
	STEP(msg_ask_state(c, SET_VRING_ENABLE, 0, 1));
	STEP(ring_kick(r));
#undef STEP
	return false;
}

static void leave_at_each_step(struct world *w)
{
	unsigned int steps = 0;
	bool more;

	do {
		struct conn c = { .fd = -1 };
		struct ring r;

		guest_renew(w);
		memset(&r, 0, sizeof(r));
		more = handshake(w, &c, &r, steps++);
		conn_close(&c);
		if (r.call) {
			close(r.kick);
			close(r.call);
			close(r.err);
		}
	} while (more);
}

/* Ask, and go without waiting for the answer. */
static void leave_unanswered(struct world *w)
{
	static const uint32_t requests[] = { GET_FEATURES, GET_PROTOCOL_FEATURES, GET_QUEUE_NUM,
					     GET_MAX_MEM_SLOTS, SET_OWNER, RESET_OWNER };
	unsigned int i;

	for (i = 0; i < 300; i++) {
		struct conn c;

		conn_open(&c, w);
		msg_send(&c, requests[i % 6], 0, NULL, 0, NULL, 0);
		conn_close(&c);
	}
}

/* Requests are in flight when their owner goes. */
static void kick_and_leave(struct world *w)
{
	unsigned int i, n;

	for (i = 0; i < 200; i++) {
		struct session s;
		struct request q[8];

		guest_renew(w);
		session_open(&s, w);
		for (n = 0; n < 8; n++) {
			request_add(&q[n], &s.r, VIRTIO_BLK_T_IN, n * 128, 65536);
			ring_offer(&s.r, q[n].head);
		}
		ring_kick(&s.r);
		session_close(&s);
	}
}

static void write_and_leave(struct world *w)
{
	unsigned int i, n;

	for (i = 0; i < 50; i++) {
		struct session s;
		struct request q[8];

		guest_renew(w);
		session_open(&s, w);
		for (n = 0; n < 8; n++) {
			request_add(&q[n], &s.r, VIRTIO_BLK_T_OUT, n * 128, 65536);
			ring_offer(&s.r, q[n].head);
		}
		ring_kick(&s.r);
		session_close(&s);
	}
}

static void silent(struct world *w)
{
	struct conn c[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		conn_open(&c[i], w);
		sleep_ms(50);
		conn_close(&c[i]);
	}
}

/* Connect without waiting. Return: -1 the queue is full. */
static int try_connect(struct world *w)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, w->socket, sizeof(addr.sun_path) - 1);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	expect(errno == EAGAIN, "connect: %m");
	close(fd);
	return -1;
}

/* The second waits or is turned away; the first is served as if alone. */
static void two_at_once(struct world *w)
{
	struct session first;
	struct conn second = { .fd = -1 };
	uint64_t value;
	uint32_t size;

	session_open(&first, w);
	second.fd = try_connect(w);
	if (second.fd >= 0)
		msg_send(&second, GET_FEATURES, 0, NULL, 0, NULL, 0);
	session_use(&first, w, 700, 2);
	session_use(&first, w, 710, 2);
	session_close(&first);
	/* Then it is the second's turn. */
	if (second.fd >= 0)
		msg_receive(&second, GET_FEATURES, &value, sizeof(value), &size);
	conn_close(&second);
}

static void many_at_once(struct world *w)
{
	struct session first;
	int fds[300];
	unsigned int i;

	session_open(&first, w);
	for (i = 0; i < 300; i++)
		fds[i] = try_connect(w);
	session_use(&first, w, 720, 2);
	session_close(&first);
	for (i = 0; i < 300; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void flood(struct world *w)
{
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		struct conn c;

		conn_open(&c, w);
		conn_close(&c);
	}
}

/* Each leaves something behind. */
static void flood_with_memory(struct world *w)
{
	unsigned int i;

	for (i = 0; i < 300; i++) {
		struct conn c;

		conn_open_hello(&c, w);
		guest_share(w->guest, &c);
		conn_close(&c);
	}
}

/* Started over in the middle of its work: RESET_OWNER, RESET_DEVICE. */
static void resets(struct world *w)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct session s;
		struct request q;
		unsigned int n;

		guest_renew(w);
		session_open(&s, w);
		request_add(&q, &s.r, VIRTIO_BLK_T_IN, 0, 65536);
		for (n = 0; n < 32; n++)
			ring_offer(&s.r, q.head);
		ring_kick(&s.r);
		msg_ask(&s.c, i & 1 ? RESET_OWNER : RESET_DEVICE, NULL, 0, NULL, 0);
		session_close(&s);
	}
}

/* Only one half of the socket is closed. */
static void half_closed(struct world *w)
{
	struct session s;

	session_open(&s, w);
	shutdown(s.c.fd, SHUT_WR);
	conn_await_close(&s.c);
	session_close(&s);
	guest_renew(w);
	session_open(&s, w);
	shutdown(s.c.fd, SHUT_RD);
	msg_send(&s.c, GET_FEATURES, 0, NULL, 0, NULL, 0);
	msg_send(&s.c, GET_FEATURES, 0, NULL, 0, NULL, 0);
	session_close(&s);
}

const struct hostile_case peer_cases[] = {
	CASE("peer-leaves-at-each-step", leave_at_each_step),
	CASE("peer-leaves-unanswered", leave_unanswered),
	CASE("peer-kicks-and-leaves", kick_and_leave),
	CASE("peer-writes-and-leaves", write_and_leave, .writes = true),
	CASE("peer-silent", silent),
	CASE("peer-two-at-once", two_at_once, .writes = true),
	CASE("peer-many-at-once", many_at_once, .writes = true),
	CASE("peer-flood", flood),
	CASE("peer-flood-with-memory", flood_with_memory),
	CASE("peer-resets", resets),
	CASE("peer-half-closed", half_closed),
	CASES_END
};
