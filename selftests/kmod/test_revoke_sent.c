/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_revoke_sent.c - GUESTMEM_REVOKE of a region one of whose pages was sent
 * over TCP without a copy, and is mapped by who has received it: such a mapping
 * is none of the region's. The receiver keeps what it was sent; the call must
 * return.
 */
#define _GNU_SOURCE
#include <linux/tcp.h>
#include <poll.h>
#include <sys/uio.h>
#include "kselftest_harness.h"
#include "loopback.h"
#include "session.h"

/* Sends a page without a copy. */
static void send_page(struct __test_metadata *_metadata, void *page, int to)
{
	struct iovec iov = { page, PAGE };
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(PAGE, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(PAGE, splice(pipes[0], NULL, to, NULL, PAGE, 0));
	close(pipes[0]);
	close(pipes[1]);
}

/* Maps the page that was received; MAP_FAILED if the kernel has copied it. */
static uint8_t *receive_page(struct __test_metadata *_metadata, int from)
{
	struct pollfd ready = { .fd = from, .events = POLLIN };
	struct tcp_zerocopy_receive zc = {};
	socklen_t size = sizeof(zc);
	uint8_t *p;

	ASSERT_EQ(1, poll(&ready, 1, 5000));
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, from, 0);
	ASSERT_NE(MAP_FAILED, p);
	zc.address = to_user(p);
	zc.length = PAGE;
	ASSERT_EQ(0, getsockopt(from, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc,
				&size));
	if (zc.length == PAGE)
		return p;
	munmap(p, PAGE);
	return MAP_FAILED;
}

TEST(receiver_keeps_it)
{
	uint8_t *p, *received;
	int fd, sock[2];
	struct session s;

	session_start(_metadata, &s, false);
	ASSERT_EQ(0, loopback_up());
	ASSERT_EQ(0, loopback_connect(&sock[0], &sock[1]));
	ASSERT_FD(&fd, region_alloc(s.control, PAGE));
	p = map_shared(fd, PAGE);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0x5a, PAGE);
	send_page(_metadata, p, sock[0]);
	received = receive_page(_metadata, sock[1]);
	if (received == MAP_FAILED)
		SKIP(return, "the kernel has copied the page");
	p[1] = 0x5b;
	EXPECT_EQ(0x5b, received[1]);

	EXPECT_EQ(0, region_revoke(s.control, fd));
	EXPECT_EQ(0x5a, received[0]);
	EXPECT_EQ(0x5b, received[1]);
	munmap(received, PAGE);
	munmap(p, PAGE);
	session_end(_metadata, &s);
}

TEST_HARNESS_MAIN
