/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * refuse.h - let a system call fail from here on, as a kernel or a sandbox may
 * that does not have it. It holds for the calling thread and those that it
 * starts, to the end of the test's process.
 */
#ifndef SELFTESTS_UNIT_REFUSE_H
#define SELFTESTS_UNIT_REFUSE_H

#ifdef _WIN32

#define __NR_membarrier 0

static inline int refuse_syscall(unsigned int nr, unsigned int err)
{
	(void)nr;
	(void)err;
	return -1;
}

#else

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Where the low half of an argument of 64 bits is. */
#define REFUSE_LOW(arg) (offsetof(struct seccomp_data, args[arg]) + \
			 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

static inline int refuse_install(struct sock_filter *code, unsigned short n)
{
	struct sock_fprog prog = { n, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return -1;
	return 0;
}

/* 0, or -1: can't be done here (such as under valgrind). */
static inline int refuse_syscall(unsigned int nr, unsigned int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return refuse_install(code, sizeof(code) / sizeof(code[0]));
}

/* The same with one command of ioctl(). */
static inline int refuse_ioctl(unsigned int cmd, unsigned int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, REFUSE_LOW(1)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, cmd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return refuse_install(code, sizeof(code) / sizeof(code[0]));
}

#endif /* _WIN32 */

#endif /* SELFTESTS_UNIT_REFUSE_H */
