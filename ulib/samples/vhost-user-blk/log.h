/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * log.h - what the device says, and why it gives up on a peer.
 *
 * A function that fails because of what a peer sent returns a negative errno
 * and leaves a reason in words behind. Whoever ends up with the error decides
 * what becomes of it: an error reply, or the end of the connection.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

/* Details go to stderr only if @verbose; log_line() always does. */
void log_set_verbose(bool verbose);
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Remember a reason and return @err: return because(-EINVAL, "..."); */
int because(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for an error of libguestmem, whose own words are added. */
int because_gm(int err, const char *what);

/* The latest reason. */
const char *log_reason(void);

#endif /* LOG_H */
