/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_info.c - GUESTMEM_INFO, and who may open the control device.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/stat.h>
#include "kselftest_harness.h"
#include "session.h"

#define USER 4711

FIXTURE(info) {
	struct session s;
	struct guestmem_info info;
};

FIXTURE_SETUP(info)
{
	session_start(_metadata, &self->s, false);
}

FIXTURE_TEARDOWN(info)
{
	session_end(_metadata, &self->s);
}

TEST_F(info, capabilities)
{
	uint64_t want = GUESTMEM_CAP_ALLOC | GUESTMEM_CAP_PIN |
			GUESTMEM_CAP_HUGE | GUESTMEM_CAP_REVOKE |
			GUESTMEM_CAP_DEVICE | GUESTMEM_CAP_REGISTERS |
			GUESTMEM_CAP_INTERRUPTS;

	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	EXPECT_EQ(sizeof(self->info), self->info.size);
	EXPECT_EQ(0, self->info.flags);
	EXPECT_EQ(want, self->info.capabilities);
	EXPECT_EQ(PAGE, self->info.page_sizes & PAGE);
	EXPECT_EQ(HUGE, self->info.page_sizes & HUGE);
	EXPECT_EQ(0, self->info.page_sizes & (PAGE - 1));
	EXPECT_LE(64 * MIB, self->info.max_length);
	EXPECT_EQ(0, self->info.max_length % PAGE);
}

/* What the administrator allows can be seen, and nothing else changes. */
TEST_F(info, parameters)
{
	static const struct {
		const char *name;
		uint64_t bit;
	} parameter[] = {
		{ "allow_unsafe_noiommu", GUESTMEM_CAP_UNSAFE_NOIOMMU },
		{ "allow_lazy_iommu", GUESTMEM_CAP_LAZY_IOMMU },
		{ "allow_unsafe_interrupts", GUESTMEM_CAP_UNSAFE_INTERRUPTS },
	};
	uint64_t without;

	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	without = self->info.capabilities;
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, parameter_set(parameter[i].name, "Y"));
		EXPECT_EQ(0, info_get(self->s.control, &self->info));
		EXPECT_EQ(without | parameter[i].bit, self->info.capabilities);
		ASSERT_EQ(0, parameter_set(parameter[i].name, "N"));
		EXPECT_EQ(0, info_get(self->s.control, &self->info));
		EXPECT_EQ(without, self->info.capabilities);
	}
}

TEST_F(info, locked_follows_regions)
{
	uint64_t before;
	void *p;
	int fd;

	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	before = self->info.locked;

	ASSERT_FD(&fd, region_alloc(self->s.control, 3 * PAGE));
	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	EXPECT_EQ(before + 3 * PAGE, self->info.locked);
	close(fd);
	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	EXPECT_EQ(before, self->info.locked);

	p = map_anonymous(5 * PAGE);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_FD(&fd, region_pin(self->s.control, p, 5 * PAGE));
	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	EXPECT_EQ(before + 5 * PAGE, self->info.locked);
	EXPECT_EQ(0, region_revoke(self->s.control, fd));
	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	EXPECT_EQ(before, self->info.locked);
	munmap(p, 5 * PAGE);
}

/* Root has no limit, others have their own. A child becomes that other. */
TEST_F(info, locked_limit)
{
	struct rlimit limit = { 10 * PAGE + 5, 10 * PAGE + 5 };
	pid_t pid;

	ASSERT_EQ(0, info_get(self->s.control, &self->info));
	EXPECT_EQ(UINT64_MAX, self->info.locked_limit);

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || become_user(USER) ||
		    info_get(self->s.control, &self->info))
			_exit(1);
		if (self->info.locked)
			_exit(2);
		/* Whole pages or the very limit: both say the same. */
		if (self->info.locked_limit / PAGE != 10 ||
		    self->info.locked_limit > limit.rlim_cur)
			_exit(3);
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(pid));
}

TEST_F(info, errors)
{
	struct guestmem_info arg = { .size = sizeof(arg), .flags = 1 };

	EXPECT_REFUSED(EOPNOTSUPP, self->s.control, GUESTMEM_INFO, &arg);
	arg.flags = 0;
	arg.size--;
	EXPECT_REFUSED(EINVAL, self->s.control, GUESTMEM_INFO, &arg);
	EXPECT_EQ(-EFAULT, do_ioctl(self->s.control, GUESTMEM_INFO, NULL));
}

TEST_F(info, control_node_is_root_only)
{
	struct stat st;
	pid_t pid;

	ASSERT_EQ(0, stat(CONTROL_PATH, &st));
	EXPECT_EQ(S_IFCHR | 0600, st.st_mode);
	EXPECT_EQ(0, st.st_uid);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (become_user(USER))
			_exit(1);
		_exit(control_open() == -EACCES ? 0 : 2);
	}
	EXPECT_EQ(0, child_wait(pid));
}

TEST_HARNESS_MAIN
