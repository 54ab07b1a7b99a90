/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_users_process.c - another process reads and writes a region's memory in
 * this one, as a debugger does, or a monitor that looks at its guest.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/uio.h>
#include "kselftest_harness.h"
#include "users.h"

#define LENGTH (4 * MIB)
#define BYTES 4096

FIXTURE(process) {
	struct users u;
	uint8_t *p;
};

FIXTURE_SETUP(process)
{
	users_start(_metadata, &self->u, LENGTH);
	/* Over the border between two huge pages. */
	self->p = self->u.p + HUGE - BYTES / 2;
	pattern_fill(self->p, BYTES, 9);
	/* A child may look at its parent. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
}

FIXTURE_TEARDOWN(process)
{
	users_end(_metadata, &self->u);
}

/* What a child does: 0, or the step at which it went wrong. */
static int look_by_call(pid_t pid, void *p)
{
	uint8_t local[BYTES];
	struct iovec here = { local, BYTES }, there = { p, BYTES };

	if (process_vm_readv(pid, &here, 1, &there, 1, 0) != BYTES)
		return 1;
	if (!pattern_is(local, BYTES, 9))
		return 2;
	pattern_fill(local, BYTES, 10);
	if (process_vm_writev(pid, &here, 1, &there, 1, 0) != BYTES)
		return 3;
	return 0;
}

static int look_by_file(pid_t pid, void *p)
{
	uint8_t local[BYTES];
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread64(fd, local, BYTES, to_user(p)) != BYTES)
		return 1;
	if (!pattern_is(local, BYTES, 9))
		return 2;
	pattern_fill(local, BYTES, 10);
	if (pwrite64(fd, local, BYTES, to_user(p)) != BYTES)
		return 3;
	return 0;
}

TEST_F(process, process_vm)
{
	pid_t parent = getpid(), pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(look_by_call(parent, self->p));
	ASSERT_EQ(0, child_wait(pid))
		result("process_vm_readv-writev", "FAILED");
	EXPECT_TRUE(pattern_is(self->p, BYTES, 10));
	result("process_vm_readv-writev", "works");
}

TEST_F(process, proc_mem)
{
	pid_t parent = getpid(), pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(look_by_file(parent, self->p));
	ASSERT_EQ(0, child_wait(pid))
		result("proc-pid-mem", "FAILED");
	EXPECT_TRUE(pattern_is(self->p, BYTES, 10));
	result("proc-pid-mem", "works");
}

/* Revoked memory is there for nobody. */
TEST_F(process, revoked)
{
	pid_t parent = getpid(), pid;

	ASSERT_EQ(0, region_revoke(self->u.s.control, self->u.fd));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(10 * look_by_call(parent, self->p) +
		      look_by_file(parent, self->p));
	EXPECT_EQ(11, child_wait(pid));
}

TEST_HARNESS_MAIN
