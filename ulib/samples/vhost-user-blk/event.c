/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * event.c - signal and clear eventfds without ever waiting for their owner.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

#include "event.h"
#include "log.h"

void event_signal(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t one = 1;

	/* A counter that is full would block us, and is signal enough. */
	if (fd < 0 || poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return;
	if (write(fd, &one, sizeof(one)) < 0)
		log_verbose("a signal to the front-end is lost");
}

int event_clear(int fd)
{
	uint64_t count;
	struct iovec iov = { &count, sizeof(count) };
	ssize_t n;

	/* RWF_NOWAIT: the owner can be faster than we, between poll and read. */
	n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	return because(n ? -errno : -EPIPE, "a kick descriptor that is no eventfd");
}
