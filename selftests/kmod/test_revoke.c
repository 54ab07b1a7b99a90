/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_revoke.c - GUESTMEM_REVOKE: the memory is back at once, and each error.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include "kselftest_harness.h"
#include "fault.h"
#include "session.h"

#define LENGTH (32 * MIB)

FIXTURE(revoke) {
	struct session s;
	int fd;
};

FIXTURE_SETUP(revoke)
{
	session_start(_metadata, &self->s, true);
	fault_catch();
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
}

FIXTURE_TEARDOWN(revoke)
{
	session_end(_metadata, &self->s);
}

/* With a descriptor and a mapping still there, all the memory is free. */
TEST_F(revoke, frees_at_once)
{
	uint8_t *p = map_shared(self->fd, LENGTH);
	struct counters now;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 1, LENGTH);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES] + LENGTH,
		  now.value[COUNTER_ALLOC_BYTES]);
	EXPECT_EQ(self->s.before.value[COUNTER_LOCKED] + LENGTH,
		  now.value[COUNTER_LOCKED]);
	EXPECT_EQ(self->s.before.value[COUNTER_VM_PIN] + LENGTH / 1024,
		  now.value[COUNTER_VM_PIN]);

	ASSERT_EQ(0, region_revoke(self->s.control, self->fd));
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES],
		  now.value[COUNTER_ALLOC_BYTES]);
	EXPECT_EQ(self->s.before.value[COUNTER_LOCKED],
		  now.value[COUNTER_LOCKED]);
	EXPECT_EQ(self->s.before.value[COUNTER_VM_PIN],
		  now.value[COUNTER_VM_PIN]);
	EXPECT_LE(self->s.before.value[COUNTER_FREE] - COUNTERS_FREE_PAGES,
		  now.value[COUNTER_FREE]);
	for (uint64_t at = 0; at < LENGTH; at += 8 * MIB)
		EXPECT_EQ(SIGBUS, touch(p + at));
	EXPECT_EQ(SIGBUS, touch(p + LENGTH - 1));
	EXPECT_EQ(MAP_FAILED, map_shared(self->fd, PAGE));
	EXPECT_EQ(ENODEV, errno);
	munmap(p, LENGTH);
}

/* In every process that has it. */
TEST_F(revoke, reaches_other_processes)
{
	int ready[2], go[2];
	uint8_t *p;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		p = map_shared(self->fd, PAGE);
		if (p == MAP_FAILED || touch(p) ||
		    write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(touch(p) == SIGBUS ? 0 : 2);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	EXPECT_EQ(0, region_revoke(self->s.control, self->fd));
	ASSERT_EQ(1, write(go[1], &c, 1));
	EXPECT_EQ(0, child_wait(pid));
}

/* Maps the region again and again until it is told that there is none. */
static void *map_until_revoked(void *arg)
{
	int fd = *(int *)arg;
	void *p, *last = MAP_FAILED;

	for (;;) {
		p = map_shared(fd, LENGTH);
		if (p == MAP_FAILED)
			return last;
		if (last != MAP_FAILED)
			munmap(last, LENGTH);
		last = p;
	}
}

/* A mapping that is being made at that time is torn down, too. */
TEST_F(revoke, races_with_mmap)
{
	pthread_t thread;
	void *last;
	int fd;

	for (int i = 0; i < 24; i++) {
		ASSERT_FD(&fd, region_alloc(self->s.control, LENGTH));
		ASSERT_EQ(0, pthread_create(&thread, NULL, map_until_revoked,
					    &fd));
		/* At another point each time. */
		usleep(i * 700);
		EXPECT_EQ(0, region_revoke(self->s.control, fd));
		ASSERT_EQ(0, pthread_join(thread, &last));
		if (last != MAP_FAILED) {
			EXPECT_EQ(SIGBUS, touch(last));
			EXPECT_EQ(SIGBUS, touch((uint8_t *)last + LENGTH - 1));
			munmap(last, LENGTH);
		}
		close(fd);
	}
}

TEST_F(revoke, twice)
{
	EXPECT_EQ(0, region_revoke(self->s.control, self->fd));
	EXPECT_EQ(0, region_revoke(self->s.control, self->fd));
}

/* The owner keeps what was pinned, and what is in it. */
TEST_F(revoke, pin)
{
	uint8_t *p = map_anonymous(4 * PAGE);
	struct counters now;
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0x3c, 4 * PAGE);
	ASSERT_FD(&fd, region_pin(self->s.control, p, 4 * PAGE));
	ASSERT_EQ(0, region_revoke(self->s.control, fd));
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_PINNED],
		  now.value[COUNTER_PINNED]);
	EXPECT_EQ(self->s.before.value[COUNTER_PIN_BYTES],
		  now.value[COUNTER_PIN_BYTES]);
	for (uint64_t i = 0; i < 4; i++)
		EXPECT_EQ(0x3c, p[i * PAGE]);
	EXPECT_EQ(0, touch(p));
	munmap(p, 4 * PAGE);
}

TEST_F(revoke, no_new_maps)
{
	struct guestmem_map map = map_arg(self->fd, PAGE);

	ASSERT_EQ(0, region_revoke(self->s.control, self->fd));
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_MAP, &map);
}

TEST_F(revoke, busy_while_mapped)
{
	struct guestmem_revoke arg = { .size = sizeof(arg), .fd = self->fd };
	uint8_t *p = map_shared(self->fd, PAGE);
	uint32_t id;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	EXPECT_REFUSED(EBUSY, self->s.control, GUESTMEM_REVOKE, &arg);
	/* A refused call has torn down nothing. */
	EXPECT_EQ(0, touch(p));
	ASSERT_EQ(0, map_remove(self->s.device, id));
	EXPECT_EQ(0, do_ioctl(self->s.control, GUESTMEM_REVOKE, &arg));
	EXPECT_EQ(SIGBUS, touch(p));
	munmap(p, PAGE);
}

TEST_F(revoke, owner_only)
{
	struct guestmem_revoke arg = { .size = sizeof(arg), .fd = self->fd };
	int other;

	ASSERT_FD(&other, control_open());
	EXPECT_REFUSED(EPERM, other, GUESTMEM_REVOKE, &arg);
	/* The same open file under another number is the same. */
	ASSERT_FD(&other, dup(self->s.control));
	EXPECT_EQ(0, do_ioctl(other, GUESTMEM_REVOKE, &arg));
}

TEST_F(revoke, errors)
{
	struct guestmem_revoke arg = { .size = sizeof(arg), .fd = -1 };
	int control = self->s.control;

	EXPECT_REFUSED(EBADF, control, GUESTMEM_REVOKE, &arg);
	arg.fd = control;
	EXPECT_REFUSED(EINVAL, control, GUESTMEM_REVOKE, &arg);
	ASSERT_FD(&arg.fd, memfd_create("no region", MFD_CLOEXEC));
	EXPECT_REFUSED(EINVAL, control, GUESTMEM_REVOKE, &arg);
	arg.fd = self->fd;
	arg.reserved = 1;
	EXPECT_REFUSED(EOPNOTSUPP, control, GUESTMEM_REVOKE, &arg);
	arg.reserved = 0;
	for (int bit = 0; bit < 32; bit++) {
		arg.flags = 1U << bit;
		EXPECT_REFUSED(EOPNOTSUPP, control, GUESTMEM_REVOKE, &arg);
	}
}

TEST_HARNESS_MAIN
