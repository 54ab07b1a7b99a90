/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * event.c - signal and clear eventfds without ever waiting for their owner.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "event.h"
#include "log.h"

int event_check(int fd)
{
	struct stat st;

	/* What has no inode of its own has no type. None of these waits for a
	 * user-space program, as a file on FUSE does.
	 */
	if (fstat(fd, &st) || (st.st_mode & S_IFMT))
		return because(-EINVAL, "a descriptor that is no eventfd");
	return 0;
}

int event_signal(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t one = 1;

	/* A counter that is full would block us, and is signal enough. */
	if (fd < 0 || poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return 0;
	if (write(fd, &one, sizeof(one)) > 0)
		return 0;
	/* It has become full since. Nobody who wants to be woken does that. */
	if (errno == EINTR)
		return because(-EPIPE, "an eventfd that can't be signalled");
	log_verbose("a signal to the front-end is lost");
	return 0;
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
