/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * client.c - messages out, replies in, with patience, but not for ever.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "watch.h"

/*
 * What the client wants where the device has it: all that is particular to
 * block devices; no event indices, so that each request is followed by a call.
 */
#define WANTED_FEATURES (F_RING_INDIRECT | F_PROTOCOL | F_VERSION_1 | 0xffffffull)
#define WANTED_PROTOCOL (PF_MQ | PF_REPLY_ACK | PF_CONFIG | PF_MEM_SLOTS | PF_INFLIGHT | \
			 PF_LOG | PF_BACKEND_REQ)

/* The most descriptors that Linux lets a message have. */
#define FDS_MAX 253

void conn_open(struct conn *c, struct world *w)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memset(c, 0, sizeof(*c));
	expect(strlen(w->socket) < sizeof(addr.sun_path), "%s: too long", w->socket);
	strcpy(addr.sun_path, w->socket);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(c->fd >= 0, "socket: %m");
	/* Neither a full queue of connections nor a full buffer may last. */
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail("connect to %s: %m", w->socket);
	expect(!getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len), "SO_PEERCRED: %m");
	expect(!w->pid || w->pid == cred.pid, "another device, %d, serves", cred.pid);
	w->pid = cred.pid;
	c->pid = cred.pid;
}

void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

bool conn_send(struct conn *c, const void *bytes, size_t n, const int *fds, int nfds)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { (void *)bytes, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (nfds) {
		expect(nfds <= FDS_MAX, "%d descriptors", nfds);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, (size_t)nfds * sizeof(int));
	}
	while (iov.iov_len) {
		sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return false;
		if (sent < 0)
			fail("sendmsg: %m");
		iov.iov_base = (char *)iov.iov_base + sent;
		iov.iov_len -= (size_t)sent;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return true;
}

bool conn_receive(struct conn *c, void *bytes, size_t n)
{
	struct patience patience = { .pid = c->pid };
	size_t done = 0;

	while (done < n) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, 100) <= 0) {
			expect(!patience_is_over(&patience), "no answer");
			continue;
		}
		got = recv(c->fd, (char *)bytes + done, n - done, MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0) {
			expect(!done, "the device hangs up in the middle of a reply");
			return false;
		}
		done += (size_t)got;
	}
	return true;
}

bool conn_receive_fd(struct conn *c, void *bytes, size_t n, int *fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct patience patience = { .pid = c->pid };
	struct iovec iov = { bytes, n };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	ssize_t got;

	while (poll(&p, 1, 100) <= 0)
		expect(!patience_is_over(&patience), "no answer");
	got = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	if (got <= 0)
		return false;
	/* A reply is sent in one piece. */
	expect(got == (ssize_t)n, "%zd bytes come with a descriptor, not %zu", got, n);
	*fd = -1;
	if (msg.msg_controllen)
		memcpy(fd, CMSG_DATA(&control.header), sizeof(*fd));
	return true;
}

bool conn_is_closed(struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

void conn_await_close(struct conn *c)
{
	char byte;

	while (conn_receive(c, &byte, 1))
		continue;
}

bool msg_send(struct conn *c, uint32_t request, uint32_t flags, const void *payload,
	      uint32_t size, const int *fds, int nfds)
{
	struct wire_header h = { request, FLAG_VERSION | flags, size };
	char message[sizeof(h) + sizeof(struct wire_table)];

	expect(size <= sizeof(message) - sizeof(h), "a payload of %u bytes", size);
	memcpy(message, &h, sizeof(h));
	if (size)
		memcpy(message + sizeof(h), payload, size);
	return conn_send(c, message, sizeof(h) + size, fds, nfds);
}

bool msg_receive(struct conn *c, uint32_t request, void *payload, uint32_t max, uint32_t *size)
{
	struct wire_header h;

	if (!conn_receive(c, &h, sizeof(h)))
		return false;
	expect(h.request == request, "a reply to %u, not to %u", h.request, request);
	expect((h.flags & 0x7) == (FLAG_VERSION | FLAG_REPLY), "a reply with flags %#x", h.flags);
	expect(h.size <= max, "a reply of %u bytes, want %u at most", h.size, max);
	expect(!h.size || conn_receive(c, payload, h.size), "a reply without its payload");
	*size = h.size;
	return true;
}

enum answer msg_ask(struct conn *c, uint32_t request, const void *payload, uint32_t size,
		    const int *fds, int nfds)
{
	uint64_t value = 0;
	uint32_t got;

	expect(c->protocol & PF_REPLY_ACK, "no acknowledgements");
	if (!msg_send(c, request, FLAG_NEED_REPLY, payload, size, fds, nfds) ||
	    !msg_receive(c, request, &value, sizeof(value), &got))
		return ANSWER_CLOSED;
	expect(got == sizeof(value), "an acknowledgement of %u bytes", got);
	return value ? ANSWER_ERROR : ANSWER_OK;
}

enum answer msg_ask_u64(struct conn *c, uint32_t request, uint64_t value, int fd)
{
	return msg_ask(c, request, &value, sizeof(value), &fd, fd >= 0);
}

enum answer msg_ask_state(struct conn *c, uint32_t request, uint32_t index, uint32_t num)
{
	struct wire_state s = { index, num };

	return msg_ask(c, request, &s, sizeof(s), NULL, 0);
}

void msg_must(struct conn *c, uint32_t request, const void *payload, uint32_t size,
	      const int *fds, int nfds)
{
	enum answer a = msg_ask(c, request, payload, size, fds, nfds);

	expect(a == ANSWER_OK, "request %u is %s", request,
	       a == ANSWER_ERROR ? "refused" : "answered by hanging up");
}

void msg_must_not(struct conn *c, uint32_t request, const void *payload, uint32_t size,
		  const int *fds, int nfds)
{
	expect(msg_ask(c, request, payload, size, fds, nfds) != ANSWER_OK,
	       "request %u is obeyed", request);
}

uint64_t msg_get_u64(struct conn *c, uint32_t request)
{
	uint64_t value;
	uint32_t size;

	expect(msg_send(c, request, 0, NULL, 0, NULL, 0) &&
	       msg_receive(c, request, &value, sizeof(value), &size),
	       "request %u is answered by hanging up", request);
	expect(size == sizeof(value), "a reply of %u bytes", size);
	return value;
}

void conn_settle(struct conn *c)
{
	expect(process_comes_to_rest(c->pid, PATIENCE_CPU_MS), "the device does not come to rest");
}

enum answer msg_get_base(struct conn *c, uint32_t index, uint32_t *base)
{
	struct wire_state s = { .index = index };
	uint64_t room = 0;
	uint32_t size;

	if (!msg_send(c, GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0) ||
	    !msg_receive(c, GET_VRING_BASE, &room, sizeof(room), &size))
		return ANSWER_CLOSED;
	expect(size == sizeof(s), "a ring state of %u bytes", size);
	memcpy(&s, &room, sizeof(s));
	if (s.index != index)
		return ANSWER_ERROR;
	*base = s.num;
	return ANSWER_OK;
}

void conn_hello(struct conn *c)
{
	uint64_t offered;

	offered = msg_get_u64(c, GET_FEATURES);
	expect(offered & F_PROTOCOL, "no protocol features");
	expect(offered & F_VERSION_1, "no virtio 1");
	c->features = offered & WANTED_FEATURES;
	offered = msg_get_u64(c, GET_PROTOCOL_FEATURES);
	expect(offered & PF_REPLY_ACK, "no acknowledgements");
	c->protocol = offered & WANTED_PROTOCOL;
	expect(msg_send(c, SET_PROTOCOL_FEATURES, 0, &c->protocol, sizeof(c->protocol), NULL, 0),
	       "the device hangs up");
	msg_must(c, SET_OWNER, NULL, 0, NULL, 0);
	msg_must(c, SET_FEATURES, &c->features, sizeof(c->features), NULL, 0);
}

void conn_open_hello(struct conn *c, struct world *w)
{
	conn_open(c, w);
	conn_hello(c);
}
