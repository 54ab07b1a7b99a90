/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_users_socket.c - a socket sends a region's memory without a copy of its
 * own.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <linux/errqueue.h>
#include "kselftest_harness.h"
#include "loopback.h"
#include "users.h"

#define LENGTH (4 * MIB)
#define SENT (256 * 1024)
#define TIMEOUT_MS 10000

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif

FIXTURE(socket) {
	struct users u;
	int sender;
	int receiver;
};

FIXTURE_SETUP(socket)
{
	int one = 1;

	users_start(_metadata, &self->u, LENGTH);
	ASSERT_EQ(0, loopback_up());
	ASSERT_EQ(0, loopback_connect(&self->sender, &self->receiver));
	ASSERT_EQ(0, setsockopt(self->sender, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
}

FIXTURE_TEARDOWN(socket)
{
	users_end(_metadata, &self->u);
}

/* Receives and compares; runs beside the sender, whose buffer is short. */
static void *receive_all(void *arg)
{
	int fd = *(int *)arg;
	static uint8_t got[SENT];
	size_t n = 0;

	while (n < SENT) {
		ssize_t ret = read(fd, got + n, SENT - n);

		if (ret <= 0)
			return (void *)1;
		n += ret;
	}
	return pattern_is(got, SENT, 7) ? NULL : (void *)2;
}

/* The range of calls that the kernel has done with the memory of. */
static int completion(int fd, uint32_t *first, uint32_t *last)
{
	struct pollfd p = { .fd = fd };
	union {
		char buffer[128];
		struct cmsghdr align;
	} u;
	struct msghdr msg = {
		.msg_control = u.buffer, .msg_controllen = sizeof(u.buffer),
	};
	struct sock_extended_err err;
	struct cmsghdr *cmsg;

	if (poll(&p, 1, TIMEOUT_MS) != 1)
		return -ETIMEDOUT;
	if (recvmsg(fd, &msg, MSG_ERRQUEUE) < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_level != SOL_IP ||
	    cmsg->cmsg_type != IP_RECVERR)
		return -EPROTO;
	memcpy(&err, CMSG_DATA(cmsg), sizeof(err));
	if (err.ee_origin != SO_EE_ORIGIN_ZEROCOPY || err.ee_errno)
		return -EPROTO;
	*first = err.ee_info;
	*last = err.ee_data;
	return 0;
}

TEST_F(socket, zero_copy)
{
	uint8_t *p = self->u.p + HUGE - SENT / 2 + 100;
	uint32_t calls = 0, done = 0, first = 0, last = 0;
	pthread_t thread;
	void *wrong;

	pattern_fill(p, SENT, 7);
	ASSERT_EQ(0, pthread_create(&thread, NULL, receive_all,
				    &self->receiver));
	for (size_t n = 0; n < SENT; calls++) {
		ssize_t ret = send(self->sender, p + n, SENT - n,
				   MSG_ZEROCOPY);

		ASSERT_LT(0, ret)
			result("MSG_ZEROCOPY", strerror(errno));
		n += ret;
	}
	while (done < calls) {
		ASSERT_EQ(0, completion(self->sender, &first, &last));
		EXPECT_EQ(done, first);
		ASSERT_LE(first, last);
		done = last + 1;
	}
	EXPECT_EQ(calls, done);
	ASSERT_EQ(0, pthread_join(thread, &wrong));
	EXPECT_EQ(NULL, wrong);
	result("MSG_ZEROCOPY", "works: TCP, completion and data");
}

/* Data that is on its way has its pages still when the region is gone. */
TEST_F(socket, region_goes_first)
{
	const size_t n = 64 * 1024;
	uint8_t *other, *got = malloc(n);
	ssize_t sent, ret;
	int fd;

	ASSERT_NE(NULL, got);
	pattern_fill(self->u.p, n, 8);
	sent = send(self->sender, self->u.p, n, MSG_ZEROCOPY);
	ASSERT_LT(0, sent);
	ASSERT_EQ(0, region_revoke(self->u.s.control, self->u.fd));
	ASSERT_FD(&fd, region_alloc(self->u.s.control, LENGTH));
	other = map_shared(fd, LENGTH);
	ASSERT_NE(MAP_FAILED, other);
	memset(other, 0xff, LENGTH);
	for (ssize_t at = 0; at < sent; at += ret) {
		ret = read(self->receiver, got + at, sent - at);
		ASSERT_LT(0, ret);
	}
	EXPECT_TRUE(pattern_is(got, sent, 8));
	munmap(other, LENGTH);
	free(got);
}

TEST_HARNESS_MAIN
