/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * log.c - what cases of the dirty log have in common.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

const struct wire_log whole_log = { .size = LOG_SIZE };

void log_init(struct log *l)
{
	l->fd = memfd_create("log", MFD_CLOEXEC);
	expect(l->fd >= 0 && !ftruncate(l->fd, FILE_BYTES), "memfd: %m");
	l->bytes = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	expect(l->bytes != MAP_FAILED, "mmap: %m");
}

void log_exit(struct log *l)
{
	munmap(l->bytes, FILE_BYTES);
	close(l->fd);
}

bool log_set(struct conn *c, const struct wire_log *wire, int fd)
{
	uint64_t value;
	uint32_t size;

	return msg_send(c, SET_LOG_BASE, 0, wire, sizeof(*wire), &fd, 1) &&
	       msg_receive(c, SET_LOG_BASE, &value, sizeof(value), &size);
}

enum answer log_switch(struct conn *c, bool on)
{
	return msg_ask_u64(c, SET_FEATURES, c->features | (on ? F_LOG_ALL : 0), -1);
}

bool log_has(const struct log *l, uint64_t gpa)
{
	uint64_t page = gpa / PAGE;

	return l->bytes[page / 8] >> page % 8 & 1;
}
