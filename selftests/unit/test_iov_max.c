/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_iov_max.c - a system that takes no more than the 16 pieces a call that POSIX
 * promises, as some do.
 */
/* gm-test: not-linux */
#include "kselftest_harness.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <guestmem.h>
#include "expect.h"

#define MOST 16
#define COUNT 40
#define PART 0x1000

static int calls;

/* In the place of the C library's. */
long sysconf(int name)
{
	return name == _SC_IOV_MAX ? MOST : name == _SC_PAGESIZE ? getpagesize() : -1;
}

static ssize_t transfer(long nr, int fd, const struct iovec *iov, int count)
{
	calls++;
	if (count > MOST) {
		errno = EINVAL;
		return -1;
	}
	return syscall(nr, fd, iov, count);
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
	return transfer(SYS_readv, fd, iov, count);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return transfer(SYS_writev, fd, iov, count);
}

TEST(request_of_many_regions)
{
	struct gm_range ranges[COUNT];
	struct gm_fd_source source;
	struct gm_fd_sink sink;
	struct gm_view v;
	struct gm_map *m;
	uint64_t i, n;
	int fd;

	for (i = 0; i < COUNT; i++)
		ranges[i] = (struct gm_range){ gm_gpa(i * PART), PART };
	ASSERT_OK(gm_map_new_mmap(ranges, NULL, COUNT, &m));
	gm_view_init(&v, m);
	for (i = 0; i < COUNT; i++)
		ASSERT_OK(gm_view_write_u64(&v, gm_gpa(i * PART), i + 1));
	fd = memfd_create("iov", MFD_CLOEXEC);
	ASSERT_LE(0, fd);
	gm_fd_sink_init(&sink, fd);
	EXPECT_EQ(MOST * PART, gm_view_write_to(&v, gm_gpa(0), &sink.sink, COUNT * PART));
	ASSERT_OK(gm_view_write_all_to(&v, gm_gpa(MOST * PART), &sink.sink,
				       (COUNT - MOST) * PART));
	EXPECT_EQ(3, calls);
	for (i = 0; i < COUNT; i++)
		ASSERT_OK(gm_view_write_u64(&v, gm_gpa(i * PART), 0));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	gm_fd_source_init(&source, fd);
	ASSERT_OK(gm_view_read_exact_from(&v, gm_gpa(0), &source.source, COUNT * PART));
	EXPECT_EQ(6, calls);
	for (i = 0; i < COUNT; i++) {
		ASSERT_OK(gm_view_read_u64(&v, gm_gpa(i * PART), &n));
		EXPECT_EQ(i + 1, n);
	}
	close(fd);
	gm_map_put(m);
}

TEST_HARNESS_MAIN
