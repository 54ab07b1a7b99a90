/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * event.h - eventfds that a peer has given us.
 *
 * They are the peer's too: whether it would block, and what counter it holds,
 * changes at any moment. And its flags are not ours to change, since a peer may
 * rely on them.
 */
#ifndef EVENT_H
#define EVENT_H

/*
 * Is it an eventfd? A file, a pipe or a socket has ways of its own to be always
 * ready, or never. Return: 0; -EINVAL with because().
 */
int event_check(int fd);

/*
 * Wake whoever waits for @fd, if it is one (not negative). Where a peer arranges
 * that this would wait for ever, a signal must come to interrupt it; see
 * server.c.
 *
 * Return: 0; -EPIPE with because(): it was interrupted.
 */
int event_signal(int fd);

/* Take the signal out of @fd. Return: 0; a negative errno: it is no eventfd. */
int event_clear(int fd);

#endif /* EVENT_H */
