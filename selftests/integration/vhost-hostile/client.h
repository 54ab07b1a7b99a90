/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * client.h - the front-end's side of a vhost-user connection.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "case.h"
#include "wire.h"

/**
 * struct conn - a connection to the device
 * @fd: the socket
 * @pid: the device's process
 * @features: virtio features that both sides have
 * @protocol: protocol features that both sides have
 */
struct conn {
	int fd;
	int pid;
	uint64_t features;
	uint64_t protocol;
};

/**
 * enum answer - what comes back
 * @ANSWER_OK: a reply that says yes
 * @ANSWER_ERROR: a reply that says no
 * @ANSWER_CLOSED: the end of the connection
 *
 * Silence is none of them: the functions below take it for a failure.
 */
enum answer {
	ANSWER_OK,
	ANSWER_ERROR,
	ANSWER_CLOSED,
};

void conn_open(struct conn *c, struct world *w);
void conn_close(struct conn *c);

/* Settle the features, so that every message can have an acknowledgement. */
void conn_hello(struct conn *c);
void conn_open_hello(struct conn *c, struct world *w);

/* Send bytes and descriptors. Return: false if the device has hung up. */
bool conn_send(struct conn *c, const void *bytes, size_t n, const int *fds, int nfds);

/* Receive exactly @n bytes. Return: false if the device has hung up. */
bool conn_receive(struct conn *c, void *bytes, size_t n);

/* The same where a descriptor comes along; -1 if none does. */
bool conn_receive_fd(struct conn *c, void *bytes, size_t n, int *fd);

/* Has the device hung up? Does not wait. Looks at what is unread, too. */
bool conn_is_closed(struct conn *c);

/* Wait until the device hangs up; what comes before that is dropped. */
void conn_await_close(struct conn *c);

/* Send a message with @flags besides the version. Return: as conn_send(). */
bool msg_send(struct conn *c, uint32_t request, uint32_t flags, const void *payload,
	      uint32_t size, const int *fds, int nfds);

/* Receive a reply to @request of up to @max bytes. Return: false: hung up. */
bool msg_receive(struct conn *c, uint32_t request, void *payload, uint32_t max, uint32_t *size);

/* Send a message and have it acknowledged. */
enum answer msg_ask(struct conn *c, uint32_t request, const void *payload, uint32_t size,
		    const int *fds, int nfds);
enum answer msg_ask_u64(struct conn *c, uint32_t request, uint64_t value, int fd);
enum answer msg_ask_state(struct conn *c, uint32_t request, uint32_t index, uint32_t num);

/* The same, where "no" and hanging up are failures; where "yes" is one. */
void msg_must(struct conn *c, uint32_t request, const void *payload, uint32_t size,
	      const int *fds, int nfds);
void msg_must_not(struct conn *c, uint32_t request, const void *payload, uint32_t size,
		  const int *fds, int nfds);

/* Send a request that has a reply of 64 bits, and return that. */
uint64_t msg_get_u64(struct conn *c, uint32_t request);

/*
 * Wait until the device has nothing to do: all that came before has had its effect, a kick
 * too. An answer would not tell that: the next message can be heard before a ring is.
 */
void conn_settle(struct conn *c);

/* The rings' next available index, as the device tells when it stops one. */
enum answer msg_get_base(struct conn *c, uint32_t index, uint32_t *base);

#endif /* CLIENT_H */
