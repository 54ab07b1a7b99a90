/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * users.h - parts of the kernel that are given a region's mmap as memory. Each
 * test prints one line, of which a table of results by kernel is made:
 *
 *   # table: USER RESULT
 */
#ifndef SELFTESTS_KMOD_USERS_H
#define SELFTESTS_KMOD_USERS_H

#include <stdio.h>
#include "disk.h"
#include "pattern.h"
#include "session.h"

/**
 * struct users - what each of these tests has
 * @s: files and counters
 * @fd: a region made by GUESTMEM_ALLOC
 * @p: its memory
 * @length: its length
 */
struct users {
	struct session s;
	int fd;
	uint8_t *p;
	uint64_t length;
};

static inline void users_start(struct __test_metadata *_metadata,
			       struct users *u, uint64_t length)
{
	session_start(_metadata, &u->s, false);
	u->length = length;
	ASSERT_FD(&u->fd, region_alloc(u->s.control, length));
	u->p = map_shared(u->fd, length);
	ASSERT_NE(MAP_FAILED, u->p);
}

/* As users_start(), for those who also use the disk. */
static inline void users_start_disk(struct __test_metadata *_metadata,
				    struct users *u, uint64_t length,
				    int *disk)
{
	users_start(_metadata, u, length);
	/* The disk's driver keeps ranges, too, to use them again. */
	u->s.before.value[COUNTER_IOVA] = COUNTERS_IOVA_ANY;
	ASSERT_FD(disk, disk_open());
}

static inline void users_end(struct __test_metadata *_metadata,
			     struct users *u)
{
	munmap(u->p, u->length);
	session_end(_metadata, &u->s);
}

static inline void result(const char *user, const char *text)
{
	printf("# table: %s %s\n", user, text);
	fflush(stdout);
}

#endif /* SELFTESTS_KMOD_USERS_H */
