/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_users_direct.c - direct I/O of a block device moves data between the
 * device and a region's mmap: the page cache is not in between.
 */
#define _GNU_SOURCE
#include <sys/uio.h>
#include "kselftest_harness.h"
#include "users.h"

#define LENGTH (4 * MIB)

FIXTURE(direct) {
	struct users u;
	int disk;
};

FIXTURE_SETUP(direct)
{
	users_start_disk(_metadata, &self->u, LENGTH, &self->disk);
}

FIXTURE_TEARDOWN(direct)
{
	users_end(_metadata, &self->u);
}

/* What the device has, told by memory that is the region's no more. */
static bool disk_has(int disk, uint64_t n, uint32_t seed)
{
	uint8_t *p = map_anonymous(n);
	bool same;

	if (p == MAP_FAILED)
		return false;
	same = pread(disk, p, n, 0) == (ssize_t)n && pattern_is(p, n, seed);
	munmap(p, n);
	return same;
}

TEST_F(direct, write)
{
	pattern_fill(self->u.p, LENGTH, 1);
	ASSERT_EQ(LENGTH, pwrite(self->disk, self->u.p, LENGTH, 0))
		result("O_DIRECT-write", strerror(errno));
	EXPECT_TRUE(pattern_is(self->u.p, LENGTH, 1));
	EXPECT_TRUE(disk_has(self->disk, LENGTH, 1));
	result("O_DIRECT-write", "works");
}

TEST_F(direct, read)
{
	uint8_t *p = map_anonymous(LENGTH);

	ASSERT_NE(MAP_FAILED, p);
	pattern_fill(p, LENGTH, 2);
	ASSERT_EQ(LENGTH, pwrite(self->disk, p, LENGTH, 0));
	ASSERT_EQ(LENGTH, pread(self->disk, self->u.p, LENGTH, 0))
		result("O_DIRECT-read", strerror(errno));
	EXPECT_TRUE(pattern_is(self->u.p, LENGTH, 2));
	munmap(p, LENGTH);
	result("O_DIRECT-read", "works");
}

/* The parts of a guest's request: sectors that lie anywhere. */
TEST_F(direct, vector)
{
	uint8_t *p = self->u.p;
	struct iovec iov[] = {
		{ p + HUGE - 1024, 2048 },	/* two huge pages */
		{ p + 512, 512 },
		{ p + LENGTH - PAGE, PAGE },
	};
	uint8_t *all = map_anonymous(2 * PAGE);

	ASSERT_NE(MAP_FAILED, all);
	pattern_fill(all, 2 * PAGE, 3);
	ASSERT_EQ(2 * PAGE, pwrite(self->disk, all, 2 * PAGE, 0));
	memset(p, 0xa5, LENGTH);
	ASSERT_EQ(2048 + 512 + PAGE, preadv(self->disk, iov, 3, 0));
	EXPECT_EQ(0, memcmp(iov[0].iov_base, all, 2048));
	EXPECT_EQ(0, memcmp(iov[1].iov_base, all + 2048, 512));
	EXPECT_EQ(0, memcmp(iov[2].iov_base, all + 2560, PAGE));
	/* And nothing beside them. */
	EXPECT_EQ(0xa5, p[511]);
	EXPECT_EQ(0xa5, p[1024]);
	EXPECT_EQ(0xa5, p[HUGE - 1025]);
	EXPECT_EQ(0xa5, p[HUGE + 1024]);
	EXPECT_EQ(0xa5, p[LENGTH - PAGE - 1]);
	munmap(all, 2 * PAGE);
}

/* Where a mapping may not be written, a device may not write for it. */
TEST_F(direct, read_only_mapping)
{
	uint8_t *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->u.fd, 0);

	ASSERT_NE(MAP_FAILED, p);
	memset(self->u.p, 0x11, PAGE);
	EXPECT_EQ(-1, pread(self->disk, p, PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0x11, p[0]);
	EXPECT_EQ(PAGE, pwrite(self->disk, p, PAGE, 0));
	munmap(p, PAGE);
}

/* Revoked memory is a bad address to the kernel, too. */
TEST_F(direct, revoked)
{
	ASSERT_EQ(0, region_revoke(self->u.s.control, self->u.fd));
	EXPECT_EQ(-1, pread(self->disk, self->u.p, PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pwrite(self->disk, self->u.p, PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
}

TEST_HARNESS_MAIN
