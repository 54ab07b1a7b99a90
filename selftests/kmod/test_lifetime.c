/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_lifetime.c - regions whose users fork, exec, pass descriptors on, and
 * close in any order: nothing is left behind.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/socket.h>
#include "kselftest_harness.h"
#include "fault.h"
#include "session.h"

#define LENGTH (4 * MIB)
#define USER 4715
#define EXEC_FD "GUESTMEM_TEST_EXEC_FD"

/*
 * What this program is after an exec: is the descriptor there, and a region?
 * Runs before the harness.
 */
static void __attribute__((constructor)) after_exec(void)
{
	const char *text = getenv(EXEC_FD);
	struct guestmem_region_info info;
	int control, err;

	if (!text)
		return;
	control = control_open();
	if (control < 0)
		_exit(100);
	err = region_info(control, atoi(text), &info);
	if (!err && info.length != LENGTH)
		_exit(101);
	_exit(-err);
}

FIXTURE(life) {
	struct session s;
	int fd;
};

FIXTURE_SETUP(life)
{
	session_start(_metadata, &self->s, false);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	fault_catch();
}

FIXTURE_TEARDOWN(life)
{
	session_end(_metadata, &self->s);
}

/* Both have it; it goes with the last one, whoever has made it. */
TEST_F(life, fork_parent_closes_first)
{
	int go[2];
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		uint8_t *p;

		if (read(go[0], &c, 1) != 1)
			_exit(1);
		p = map_shared(self->fd, LENGTH);
		if (p == MAP_FAILED)
			_exit(2);
		p[LENGTH - 1] = 1;
		_exit(0);
	}
	close(self->fd);
	EXPECT_EQ(1, write(go[1], &c, 1));
	EXPECT_EQ(0, child_wait(pid));
}

TEST_F(life, fork_child_makes_it)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		void *p = map_anonymous(LENGTH);
		int fd[2];

		fd[0] = region_alloc(self->s.control, LENGTH);
		fd[1] = region_pin(self->s.control, p, LENGTH);
		if (fd[0] < 0 || fd[1] < 0 ||
		    map_shared(fd[0], LENGTH) == MAP_FAILED)
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(pid));
}

/* A pin is of the memory that was there: parent and child do not share it. */
TEST_F(life, fork_with_pin)
{
	uint8_t *p = map_anonymous(LENGTH);
	pid_t pid;
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 1, LENGTH);
	ASSERT_FD(&fd, region_pin(self->s.control, p, LENGTH));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		bool seen = p[0] == 1 && p[LENGTH - 1] == 1;

		memset(p, 2, LENGTH);
		_exit(seen ? 0 : 1);
	}
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(1, p[0]);
	EXPECT_EQ(1, p[LENGTH - 1]);
	munmap(p, LENGTH);
}

static int exec_with(int fd)
{
	char text[16];
	pid_t pid = fork();

	if (!pid) {
		snprintf(text, sizeof(text), "%d", fd);
		setenv(EXEC_FD, text, 1);
		map_shared(fd, LENGTH);
		execl("/proc/self/exe", "after_exec", NULL);
		_exit(102);
	}
	return pid < 0 ? -errno : child_wait(pid);
}

TEST_F(life, exec)
{
	int flags = fcntl(self->fd, F_GETFD);

	EXPECT_EQ(FD_CLOEXEC, flags);
	EXPECT_EQ(EBADF, exec_with(self->fd));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));
	EXPECT_EQ(0, exec_with(self->fd));
}

static int send_fd(int sock, int fd)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	char c = 'x';
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buffer, .msg_controllen = sizeof(u.buffer),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	memset(&u, 0, sizeof(u));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int sock)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buffer, .msg_controllen = sizeof(u.buffer),
	};
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* Bytes locked in the name of USER, as a process of his sees it. */
static int64_t user_locked(int control)
{
	struct guestmem_info info;
	int64_t locked = -1;
	int answer[2];
	pid_t pid;

	if (pipe(answer))
		return -1;
	pid = fork();
	if (!pid) {
		if (!become_user(USER) && !info_get(control, &info))
			locked = info.locked;
		_exit(write(answer[1], &locked, 8) != 8);
	}
	if (pid < 0 || child_wait(pid) || read(answer[0], &locked, 8) != 8)
		locked = -1;
	close(answer[0]);
	close(answer[1]);
	return locked;
}

/*
 * The creator has ended, and another user has the region: it still counts to
 * the creator's user, and no more when it goes.
 */
TEST_F(life, passed_to_another_user)
{
	struct rlimit limit = { LENGTH, LENGTH };
	int sock[2], fd;
	uint8_t *p;
	pid_t pid;

	EXPECT_EQ(0, user_locked(self->s.control));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || become_user(USER))
			_exit(1);
		fd = region_alloc(self->s.control, LENGTH);
		_exit(fd < 0 || send_fd(sock[1], fd));
	}
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(LENGTH, user_locked(self->s.control));
	ASSERT_FD(&fd, receive_fd(sock[0]));
	p = map_shared(fd, LENGTH);
	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	close(fd);
	EXPECT_EQ(LENGTH, user_locked(self->s.control));
	munmap(p, LENGTH);
	EXPECT_EQ(0, user_locked(self->s.control));
}

/* Nobody has it but a socket's queue, which is thrown away unread. */
TEST_F(life, lost_on_the_way)
{
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock));
	ASSERT_EQ(0, send_fd(sock[1], self->fd));
	close(self->fd);
	close(sock[1]);
	close(sock[0]);
}

/* The open file that made it has closed: it is still there for the others. */
TEST_F(life, control_closes_first)
{
	struct guestmem_region_info info;
	int other;

	close(self->s.control);
	ASSERT_FD(&other, control_open());
	EXPECT_EQ(0, region_info(other, self->fd, &info));
	EXPECT_EQ(LENGTH, info.length);
	/* But nobody can revoke it now. */
	EXPECT_EQ(-EPERM, region_revoke(other, self->fd));
}

TEST_HARNESS_MAIN
