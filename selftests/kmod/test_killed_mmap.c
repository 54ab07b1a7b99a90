/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_killed_mmap.c - mmap(2) of a region ends when the process is killed amid
 * it. What it gave is seen in the registers with which the process goes.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (128 * MIB)
#define TRIES 50

FIXTURE(killed_mmap) {
	struct session s;
	int fd;
};

FIXTURE_SETUP(killed_mmap)
{
	session_start(_metadata, &self->s, false);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
}

FIXTURE_TEARDOWN(killed_mmap)
{
	session_end(_metadata, &self->s);
}

#ifdef __x86_64__
/* It says when it begins: munmap(2) takes long, too. */
static void mmap_for_ever(int fd, int ready)
{
	void *p;

	for (;;) {
		if (write(ready, "", 1) < 0)
			_exit(1);
		p = map_shared(fd, LENGTH);
		if (p == MAP_FAILED)
			_exit(1);
		munmap(p, LENGTH);
	}
}

/* Kill a child after that time; has it been in an mmap(2) that gave EINTR? */
static int killed_amid(int fd, int ms)
{
	struct user_regs_struct regs = {};
	int ready[2], status;
	pid_t pid;
	char c;

	if (pipe(ready))
		return -errno;
	pid = fork();
	if (!pid)
		mmap_for_ever(fd, ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1 ||
	    ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT))
		return -EIO;
	sleep_ms(ms);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	close(ready[0]);
	return regs.orig_rax == SYS_mmap && (long)regs.rax == -EINTR;
}

TEST_F(killed_mmap, ends)
{
	int amid = 0;

	/* It may be elsewhere in its loop. */
	for (int i = 0; !amid && i < TRIES; i++)
		amid = killed_amid(self->fd, i);
	EXPECT_EQ(1, amid);
}
#else
TEST_F(killed_mmap, ends)
{
	SKIP(return, "registers of another machine");
}
#endif

TEST_HARNESS_MAIN
