/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * loopback.h - a TCP connection of a process with itself. Functions give 0 or a
 * negative errno.
 */
#ifndef SELFTESTS_KMOD_LOOPBACK_H
#define SELFTESTS_KMOD_LOOPBACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (sock < 0 || ioctl(sock, SIOCGIFFLAGS, &ifr))
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr))
		err = -errno;
	close(sock);
	return err;
}

/* A TCP connection of this process with itself. */
static inline int loopback_connect(int *sender, int *receiver)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (void *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (void *)&address, &size) ||
	    connect(*sender, (void *)&address, size))
		return -errno;
	*receiver = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return *receiver < 0 ? -errno : 0;
}

#endif /* SELFTESTS_KMOD_LOOPBACK_H */
