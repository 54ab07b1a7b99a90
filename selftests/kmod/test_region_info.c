/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_region_info.c - GUESTMEM_REGION_INFO: each value and each error. EINTR
 * is for a caller that does not live to see it.
 */
#define _GNU_SOURCE
#include <sys/eventfd.h>
#include "kselftest_harness.h"
#include "session.h"

#define LENGTH (4 * PAGE)

FIXTURE(described) {
	struct session s;
	struct guestmem_region_info info;
	void *p;
};

FIXTURE_SETUP(described)
{
	session_start(_metadata, &self->s, true);
	self->p = map_anonymous(LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
}

FIXTURE_TEARDOWN(described)
{
	munmap(self->p, LENGTH);
	session_end(_metadata, &self->s);
}

static bool is_granule(const struct guestmem_region_info *info)
{
	return info->granule >= PAGE && !(info->granule & (info->granule - 1)) &&
	       !(info->length % info->granule);
}

TEST_F(described, alloc)
{
	struct guestmem_region_info *info = &self->info;
	int fd;

	ASSERT_FD(&fd, region_alloc(self->s.control, LENGTH));
	memset(info, 0xff, sizeof(*info));
	info->size = sizeof(*info);
	info->flags = 0;
	info->fd = fd;
	info->reserved = 0;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_REGION_INFO, info));
	EXPECT_EQ(sizeof(*info), info->size);
	EXPECT_EQ(0, info->flags);
	EXPECT_EQ(fd, info->fd);
	EXPECT_EQ(GUESTMEM_REGION_ALLOC, info->kind);
	EXPECT_EQ(LENGTH, info->length);
	EXPECT_TRUE(is_granule(info));
	EXPECT_EQ(0, info->node);
	EXPECT_EQ(0, info->properties);
	EXPECT_EQ(0, info->maps);
	EXPECT_EQ(0, info->reserved);
}

TEST_F(described, alloc_read_only)
{
	int fd;

	ASSERT_FD(&fd, region_alloc_read_only(self->s.control, LENGTH));
	ASSERT_EQ(0, region_info(self->s.control, fd, &self->info));
	EXPECT_EQ(GUESTMEM_REGION_ALLOC, self->info.kind);
	EXPECT_EQ(GUESTMEM_REGION_READ_ONLY, self->info.properties);
}

TEST_F(described, pin)
{
	struct guestmem_pin arg = pin_arg(self->p, LENGTH);

	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &arg));
	ASSERT_EQ(0, region_info(self->s.control, arg.out_fd, &self->info));
	EXPECT_EQ(GUESTMEM_REGION_PIN, self->info.kind);
	EXPECT_EQ(LENGTH, self->info.length);
	EXPECT_TRUE(is_granule(&self->info));
	EXPECT_EQ(0, self->info.node);
	EXPECT_EQ(0, self->info.properties);

	arg.flags = 0;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &arg));
	ASSERT_EQ(0, region_info(self->s.control, arg.out_fd, &self->info));
	EXPECT_EQ(GUESTMEM_REGION_READ_ONLY, self->info.properties);
}

TEST_F(described, maps)
{
	uint32_t id[3];
	int fd;

	ASSERT_FD(&fd, region_alloc(self->s.control, LENGTH));
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(0, map_add(self->s.device, fd, LENGTH, &id[i]));
		ASSERT_EQ(0, region_info(self->s.control, fd, &self->info));
		EXPECT_EQ(i + 1, self->info.maps);
	}
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(0, map_remove(self->s.device, id[i]));
		ASSERT_EQ(0, region_info(self->s.control, fd, &self->info));
		EXPECT_EQ(2 - i, self->info.maps);
	}
	/* A mapping for the CPU is no map for a device. */
	munmap(map_shared(fd, LENGTH), LENGTH);
	ASSERT_EQ(0, region_info(self->s.control, fd, &self->info));
	EXPECT_EQ(0, self->info.maps);
}

TEST_F(described, revoked)
{
	int fd[2];

	ASSERT_FD(&fd[0], region_alloc(self->s.control, LENGTH));
	ASSERT_FD(&fd[1], region_pin(self->s.control, self->p, LENGTH));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, region_revoke(self->s.control, fd[i]));
		ASSERT_EQ(0, region_info(self->s.control, fd[i], &self->info));
		EXPECT_EQ(LENGTH, self->info.length);
		EXPECT_EQ(0, self->info.granule);
		EXPECT_EQ(GUESTMEM_NODE_ANY, self->info.node);
		EXPECT_EQ(GUESTMEM_REGION_REVOKED, self->info.properties);
		EXPECT_EQ(0, self->info.maps);
	}
}

/* Whoever has the descriptor may ask, through any open file. */
TEST_F(described, other_open_file)
{
	int fd, other;

	ASSERT_FD(&fd, region_alloc(self->s.control, LENGTH));
	ASSERT_FD(&other, control_open());
	EXPECT_EQ(0, region_info(other, fd, &self->info));
	EXPECT_EQ(LENGTH, self->info.length);
	ASSERT_EQ(0, close(self->s.control));
	EXPECT_EQ(0, region_info(other, fd, &self->info));
	EXPECT_EQ(LENGTH, self->info.length);
}

TEST_F(described, errors)
{
	struct guestmem_region_info *info = &self->info;
	int control = self->s.control;
	int pipes[2], fd;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->fd = -1;
	EXPECT_REFUSED(EBADF, control, GUESTMEM_REGION_INFO, info);
	info->fd = 9999;
	EXPECT_REFUSED(EBADF, control, GUESTMEM_REGION_INFO, info);
	info->fd = control;
	EXPECT_REFUSED(EINVAL, control, GUESTMEM_REGION_INFO, info);
	info->fd = self->s.device;
	EXPECT_REFUSED(EINVAL, control, GUESTMEM_REGION_INFO, info);
	ASSERT_EQ(0, pipe(pipes));
	info->fd = pipes[0];
	EXPECT_REFUSED(EINVAL, control, GUESTMEM_REGION_INFO, info);
	ASSERT_FD(&info->fd, eventfd(0, 0));
	EXPECT_REFUSED(EINVAL, control, GUESTMEM_REGION_INFO, info);
	ASSERT_FD(&info->fd, memfd_create("no region", MFD_CLOEXEC));
	EXPECT_REFUSED(EINVAL, control, GUESTMEM_REGION_INFO, info);

	ASSERT_FD(&fd, region_alloc(control, LENGTH));
	info->fd = fd;
	info->reserved = 1;
	EXPECT_REFUSED(EOPNOTSUPP, control, GUESTMEM_REGION_INFO, info);
	info->reserved = 0;
	for (int bit = 0; bit < 32; bit++) {
		info->flags = 1U << bit;
		EXPECT_REFUSED(EOPNOTSUPP, control, GUESTMEM_REGION_INFO, info);
	}
	close(fd);
	info->flags = 0;
	EXPECT_REFUSED(EBADF, control, GUESTMEM_REGION_INFO, info);
}

TEST_HARNESS_MAIN
