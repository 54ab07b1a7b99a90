/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * connection.c - framing: bytes and descriptors in, whole messages out.
 *
 * Descriptors are the expensive part of a hostile message: each one that is
 * received and forgotten is lost for ever. There is room for as many as the
 * largest message can have; the kernel drops the rest, and says so. Those that
 * were received are closed with the message unless a handler took them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "log.h"

void conn_init(struct conn *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
}

void conn_close(struct conn *c)
{
	conn_next(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void conn_next(struct conn *c)
{
	int i;

	for (i = 0; i < c->nfds; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	c->nfds = 0;
	c->have = 0;
}

/* False: more of them than a message can have. */
static bool keep_fds(struct conn *c, struct msghdr *h)
{
	struct cmsghdr *cm;
	bool fits = !(h->msg_flags & MSG_CTRUNC);

	for (cm = CMSG_FIRSTHDR(h); cm; cm = CMSG_NXTHDR(h, cm)) {
		size_t i, count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(fd), sizeof(fd));
			if (c->nfds < VU_MAX_FDS) {
				c->fds[c->nfds++] = fd;
			} else {
				close(fd);
				fits = false;
			}
		}
	}
	return fits;
}

/* Some of the next @want bytes. Return: how many; 0 none now; -EPIPE the end. */
static int receive_some(struct conn *c, size_t want)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VU_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { (char *)&c->msg.header + c->have, want };
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPIPE;
	c->have += (size_t)n;
	if (!keep_fds(c, &h))
		return because(-EPROTO, "more file descriptors than any message has");
	return (int)n;
}

int conn_receive(struct conn *c)
{
	for (;;) {
		size_t whole = sizeof(c->msg.header);
		int n;

		if (c->have >= whole)
			whole += c->msg.header.size;
		n = receive_some(c, whole - c->have);
		if (!n)
			return CONN_NOTHING;
		if (n == -EPIPE)
			return CONN_CLOSED;
		if (n < 0)
			return n;
		if (c->have < sizeof(c->msg.header))
			continue;
		if (c->have == sizeof(c->msg.header)) {
			n = vu_check_header(&c->msg.header);
			if (n)
				return n;
		}
		if (c->have == sizeof(c->msg.header) + c->msg.header.size)
			return CONN_MESSAGE;
	}
}

int conn_send(struct conn *c, const struct vu_msg *reply)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	} };
	size_t len = sizeof(reply->header) + reply->header.size;
	/* sendmsg() writes to none of what is const here. */
	struct iovec iov = { (void *)(uintptr_t)&reply->header, len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (reply->fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &reply->fd, sizeof(int));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
	}
	do {
		n = sendmsg(c->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return CONN_NOTHING;
	/* A reply is far smaller than a socket's buffer. */
	if (n >= 0 || errno == EAGAIN)
		return because(-EPROTO, "replies are not read");
	return CONN_CLOSED;
}
