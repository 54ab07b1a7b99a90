/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * connection.h - vhost-user messages over a Unix socket.
 *
 * Nothing here waits. A message that comes in pieces is put together over as
 * many calls as it takes.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "vhost_user.h"

/**
 * struct conn - a connection and the message that is coming in
 * @fd: the socket; -1: not connected
 * @msg: the message
 * @have: bytes of it that are here
 * @fds: descriptors that came with them; who takes one sets it to -1
 * @nfds: how many
 */
struct conn {
	int fd;
	struct vu_msg msg;
	size_t have;
	int fds[VU_MAX_FDS];
	int nfds;
};

enum conn_event {
	CONN_NOTHING,
	CONN_MESSAGE,
	CONN_CLOSED,
};

/* @fd becomes the connection's. */
void conn_init(struct conn *c, int fd);
void conn_close(struct conn *c);

/*
 * Receive. Return: CONN_MESSAGE one is here whole; CONN_NOTHING not yet;
 * CONN_CLOSED the peer has gone; a negative errno with because(): it does not
 * speak the protocol.
 */
int conn_receive(struct conn *c);

/* Done with the message: close the descriptors that nobody took. */
void conn_next(struct conn *c);

/*
 * Send a reply; its descriptor stays the caller's. Return: as conn_receive(),
 * CONN_NOTHING if all is well.
 */
int conn_send(struct conn *c, const struct vu_msg *reply);

#endif /* CONNECTION_H */
