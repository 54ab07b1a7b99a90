/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * log.h - a dirty log of the case's own.
 */
#ifndef LOG_H
#define LOG_H

#include "iommu.h"

/* A bit for each page below the end of the last region. */
#define PAGES ((256 * MIB + REGION_SIZE) / PAGE)
#define LOG_SIZE (PAGES / 8)
#define FILE_BYTES (64 * 1024u)

/**
 * struct log - memory for the device to mark
 * @fd: its file
 * @bytes: all of it, mapped
 */
struct log {
	int fd;
	uint8_t *bytes;
};

/* For all of the guest's memory. */
extern const struct wire_log whole_log;

void log_init(struct log *l);
void log_exit(struct log *l);

/* Give it to the device. Return: false: that hangs up. */
bool log_set(struct conn *c, const struct wire_log *wire, int fd);

/* Have writes marked from now on, or no longer. */
enum answer log_switch(struct conn *c, bool on);

/* Is this page marked? */
bool log_has(const struct log *l, uint64_t gpa);

#endif /* LOG_H */
