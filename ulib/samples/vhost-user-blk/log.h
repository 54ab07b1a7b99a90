/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * log.h - what the device says.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

#include "../virtio/reason.h"

/* Details go to stderr only if @verbose; log_line() always does. */
void log_set_verbose(bool verbose);
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* LOG_H */
