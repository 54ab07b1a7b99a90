/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_mmap.c - CPU mappings of a region: what is refused, what is there at
 * once, how long it lasts.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include "kselftest_harness.h"
#include "fault.h"
#include "session.h"

#define PAGES 64
#define LENGTH (PAGES * PAGE)

FIXTURE(mmap) {
	struct session s;
	int fd;
	uint8_t *p;
};

FIXTURE_SETUP(mmap)
{
	session_start(_metadata, &self->s, false);
	fault_catch();
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
}

FIXTURE_TEARDOWN(mmap)
{
	munmap(self->p, LENGTH);
	session_end(_metadata, &self->s);
}

/* The errno that mmap ends in, or 0; such a mapping goes at once. */
static int try_mmap(int fd, uint64_t length, int prot, int flags,
		    uint64_t offset)
{
	void *p = mmap64(NULL, length, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, length);
	return 0;
}

#define RW (PROT_READ | PROT_WRITE)

TEST_F(mmap, shared_only)
{
	EXPECT_EQ(EINVAL, try_mmap(self->fd, PAGE, RW, MAP_PRIVATE, 0));
	EXPECT_EQ(EINVAL, try_mmap(self->fd, PAGE, PROT_READ, MAP_PRIVATE, 0));
	EXPECT_EQ(0, try_mmap(self->fd, PAGE, RW, MAP_SHARED, 0));
	EXPECT_EQ(0, try_mmap(self->fd, PAGE, PROT_READ, MAP_SHARED, 0));
	EXPECT_EQ(0, try_mmap(self->fd, PAGE, PROT_NONE, MAP_SHARED, 0));
}

TEST_F(mmap, bounds)
{
	EXPECT_EQ(EINVAL, try_mmap(self->fd, LENGTH + PAGE, RW, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, try_mmap(self->fd, PAGE, RW, MAP_SHARED, LENGTH));
	EXPECT_EQ(EINVAL, try_mmap(self->fd, LENGTH, RW, MAP_SHARED, PAGE));
	EXPECT_EQ(EINVAL, try_mmap(self->fd, 2 * PAGE, RW, MAP_SHARED,
				   LENGTH - PAGE));
	EXPECT_EQ(0, try_mmap(self->fd, PAGE, RW, MAP_SHARED, LENGTH - PAGE));
	EXPECT_EQ(0, try_mmap(self->fd, LENGTH - PAGE, RW, MAP_SHARED, PAGE));
}

/* The last page numbers there are: first page plus number of pages wraps. */
TEST_F(mmap, bounds_overflow)
{
	const size_t length = 2 * PAGE;

	for (int i = 0; i < 3; i++) {
		long ret;

#ifdef __LP64__
		const unsigned long last[] = { -PAGE, -2 * PAGE, 1UL << 63 };

		ret = syscall(SYS_mmap, NULL, length, RW, MAP_SHARED,
			      self->fd, last[i]);
#else
		/* Counted in pages, so that it wraps in 32 bits at most. */
		const unsigned long last[] = { -1UL, -2UL, 1UL << 31 };

		ret = syscall(SYS_mmap2, NULL, length, RW, MAP_SHARED,
			      self->fd, last[i]);
#endif
		EXPECT_EQ(-1, ret);
		EXPECT_TRUE(errno == EINVAL || errno == EOVERFLOW);
	}
}

TEST_F(mmap, read_only_fd)
{
	uint8_t *p;
	int fd;

	ASSERT_FD(&fd, region_alloc_read_only(self->s.control, LENGTH));
	EXPECT_EQ(EACCES, try_mmap(fd, PAGE, RW, MAP_SHARED, 0));
	EXPECT_EQ(EACCES, try_mmap(fd, PAGE, PROT_WRITE, MAP_SHARED, 0));
	p = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, touch(p));
	EXPECT_EQ(-1, mprotect(p, PAGE, RW));
	EXPECT_EQ(EACCES, errno);
	munmap(p, LENGTH);
}

/* There is no way from a read-only descriptor to a writable one. */
TEST_F(mmap, read_only_fd_reopened)
{
	char path[64];
	int fd, again;

	ASSERT_FD(&fd, region_alloc_read_only(self->s.control, LENGTH));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0)
		EXPECT_NE(0, try_mmap(again, PAGE, RW, MAP_SHARED, 0));
}

TEST_F(mmap, protection_of_a_writable_fd)
{
	ASSERT_EQ(0, mprotect(self->p, LENGTH, PROT_READ));
	ASSERT_EQ(0, mprotect(self->p, LENGTH, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(self->p));
	ASSERT_EQ(0, mprotect(self->p, LENGTH, RW));
	self->p[5] = 7;
	EXPECT_EQ(7, self->p[5]);
}

TEST_F(mmap, does_not_grow)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->p, LENGTH, LENGTH + PAGE,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	/* Less than all of it is mapped: growth would stay inside. */
	ASSERT_EQ(0, munmap(self->p + LENGTH / 2, LENGTH / 2));
	EXPECT_EQ(MAP_FAILED, mremap(self->p, LENGTH / 2, LENGTH,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(mmap, moves)
{
	uint8_t *to = map_anonymous(LENGTH), *p;

	ASSERT_NE(MAP_FAILED, to);
	for (int i = 0; i < PAGES; i++)
		self->p[i * PAGE] = i;
	p = mremap(self->p, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_EQ(to, p);
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(i, p[i * PAGE]);
	munmap(p, LENGTH);
}

TEST_F(mmap, not_inherited)
{
	pid_t pid;

	self->p[0] = 1;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		unsigned char vec;

		if (touch(self->p) != SIGSEGV)
			_exit(1);
		if (!mincore(self->p, PAGE, &vec) || errno != ENOMEM)
			_exit(2);
		/* The descriptor is, and it is the same memory. */
		self->p = map_shared(self->fd, LENGTH);
		if (self->p == MAP_FAILED || self->p[0] != 1)
			_exit(3);
		self->p[1] = 2;
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(2, self->p[1]);
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Reading and writing every page, in two mappings, raises no fault at all. */
TEST_F(mmap, no_page_fault)
{
	const uint64_t length = 16 * MIB;
	volatile uint8_t *p;
	long before, after;
	int fd;

	ASSERT_FD(&fd, region_alloc(self->s.control, length));
	p = map_shared(fd, length);
	ASSERT_NE(MAP_FAILED, p);
	/* Whatever the call itself touches for the first time. */
	faults();
	before = faults();
	for (uint64_t at = 0; at < length; at += PAGE)
		(void)p[at];
	for (uint64_t at = 0; at < length; at += PAGE)
		p[at] = at / PAGE;
	after = faults();
	EXPECT_EQ(0, after - before);
	for (uint64_t at = 0; at < length; at += PAGE)
		ASSERT_EQ((uint8_t)(at / PAGE), p[at]);
	munmap((void *)p, length);
}

TEST_F(mmap, dontneed_keeps_content)
{
	for (int i = 0; i < PAGES; i++)
		memset(self->p + i * PAGE, i + 1, PAGE);
	ASSERT_EQ(0, madvise(self->p, LENGTH, MADV_DONTNEED));
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ(0, touch(self->p + i * PAGE));
		EXPECT_EQ(i + 1, self->p[i * PAGE]);
		EXPECT_EQ(i + 1, self->p[i * PAGE + PAGE - 1]);
	}
	/* Still the region's pages: a second mapping sees a write. */
	self->p[3 * PAGE] = 0x77;
	{
		uint8_t *q = map_shared(self->fd, LENGTH);

		ASSERT_NE(MAP_FAILED, q);
		EXPECT_EQ(0x77, q[3 * PAGE]);
		munmap(q, LENGTH);
	}
}

TEST_F(mmap, partial_munmap)
{
	memset(self->p, 9, LENGTH);
	ASSERT_EQ(0, munmap(self->p + PAGE, PAGE));
	ASSERT_EQ(0, munmap(self->p + LENGTH / 2, LENGTH / 4));
	EXPECT_EQ(0, touch(self->p));
	EXPECT_EQ(SIGSEGV, touch(self->p + PAGE));
	EXPECT_EQ(0, touch(self->p + 2 * PAGE));
	EXPECT_EQ(0, touch(self->p + LENGTH / 2 - 1));
	EXPECT_EQ(SIGSEGV, touch(self->p + LENGTH / 2));
	EXPECT_EQ(9, self->p[LENGTH - 1]);
	/* What is left faults in the right pages after MADV_DONTNEED. */
	self->p[2 * PAGE] = 21;
	self->p[LENGTH - PAGE] = 22;
	ASSERT_EQ(0, madvise(self->p + 2 * PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, madvise(self->p + LENGTH - PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(21, self->p[2 * PAGE]);
	EXPECT_EQ(22, self->p[LENGTH - PAGE]);
}

TEST_F(mmap, mappings_are_coherent)
{
	uint8_t *all = map_shared(self->fd, LENGTH);
	uint8_t *part = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, self->fd,
			     8 * PAGE);

	ASSERT_NE(MAP_FAILED, all);
	ASSERT_NE(MAP_FAILED, part);
	for (int i = 0; i < PAGES; i++) {
		self->p[i * PAGE + 11] = i;
		EXPECT_EQ(i, all[i * PAGE + 11]);
	}
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(8 + i, part[i * PAGE + 11]);
		part[i * PAGE] = 0x40 + i;
		EXPECT_EQ(0x40 + i, self->p[(8 + i) * PAGE]);
	}
	munmap(all, LENGTH);
	munmap(part, 4 * PAGE);
}

TEST_F(mmap, revoke)
{
	uint8_t *part = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
			     LENGTH - PAGE);

	ASSERT_NE(MAP_FAILED, part);
	ASSERT_EQ(0, region_revoke(self->s.control, self->fd));
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(SIGBUS, touch(self->p + i * PAGE));
	EXPECT_EQ(SIGBUS, touch(part));
	/* Through the kernel it is an error. */
	EXPECT_EQ(-1, write(self->fd, self->p, 1));
	EXPECT_EQ(ENODEV, try_mmap(self->fd, PAGE, RW, MAP_SHARED, 0));
	EXPECT_EQ(ENODEV, try_mmap(self->fd, PAGE, PROT_READ, MAP_SHARED, 0));
	munmap(part, PAGE);
}

TEST_F(mmap, outlives_files)
{
	struct counters now;

	self->p[LENGTH - 1] = 0x5e;
	close(self->fd);
	close(self->s.control);
	EXPECT_EQ(0, touch(self->p));
	EXPECT_EQ(0x5e, self->p[LENGTH - 1]);
	ASSERT_EQ(0, madvise(self->p, LENGTH, MADV_DONTNEED));
	EXPECT_EQ(0x5e, self->p[LENGTH - 1]);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES] + LENGTH,
		  now.value[COUNTER_ALLOC_BYTES]);
	EXPECT_EQ(self->s.before.value[COUNTER_LOCKED] + LENGTH,
		  now.value[COUNTER_LOCKED]);
	munmap(self->p, LENGTH);
	EXPECT_EQ(0, counters_settle(&self->s.before));
}

TEST_HARNESS_MAIN
