/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * event.h - eventfds that a peer has given us.
 *
 * They are the peer's too, so nothing is known of them: what kind of file it
 * is, whether it would block, what counter it holds. And its flags are not ours
 * to change, since a peer may rely on them.
 */
#ifndef EVENT_H
#define EVENT_H

/* Wake whoever waits for @fd, if it is one (not negative). Never waits. */
void event_signal(int fd);

/* Take the signal out of @fd. Return: 0; a negative errno: it is no eventfd. */
int event_clear(int fd);

#endif /* EVENT_H */
