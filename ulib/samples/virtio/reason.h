/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * reason.h - why a device gives up on a peer or a driver.
 *
 * A function that fails because of what a peer sent returns a negative errno
 * and leaves a reason in words behind. Whoever ends up with the error decides
 * what becomes of it: an error reply, the end of a connection, a device that needs
 * a reset.
 */
#ifndef REASON_H
#define REASON_H

/* Remember a reason and return @err: return because(-EINVAL, "..."); */
int because(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for an error of libguestmem, whose own words are added. */
int because_gm(int err, const char *what);

/* The calling thread's latest reason. */
const char *log_reason(void);

#endif /* REASON_H */
