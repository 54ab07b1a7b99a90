/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=noiommu */
/*
 * test_edu_noiommu.c - a machine without an IOMMU: no map by default; when the
 * administrator has allowed it, the device moves bytes at physical addresses,
 * and nothing holds it back.
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "kselftest_harness.h"
#include "edu.h"
#include "pattern.h"
#include "session.h"

#define LENGTH (2 * HUGE)
#define PARAMETER "allow_unsafe_noiommu"
#define TAINT_USER 64
#define BYTES 256

FIXTURE(noiommu) {
	struct session s;
	struct edu_map map;
	struct guestmem_map arg;
	int fd;
	uint8_t *p;
};

FIXTURE_SETUP(noiommu)
{
	char address[ADDRESS_MAX], type[32];

	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(address));
	group_type(address, type);
	ASSERT_STREQ("", type);
	self->map.device = self->s.device;
	self->map.edu = edu_registers(address);
	ASSERT_NE(MAP_FAILED, self->map.edu);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
	self->arg = map_arg(self->fd, LENGTH);
}

FIXTURE_TEARDOWN(noiommu)
{
	EXPECT_EQ(0, parameter_set(PARAMETER, "N"));
	munmap(self->p, LENGTH);
	munmap((void *)self->map.edu, PAGE);
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_MAP, &self->arg)

static int taint_user(void)
{
	char text[32];

	if (file_read("/proc/sys/kernel/tainted", text, sizeof(text)))
		return -1;
	return atoi(text) & TAINT_USER;
}

/* First of all: a taint stays until the next boot. */
TEST_F(noiommu, refused_by_default)
{
	ASSERT_EQ(0, taint_user());
	REFUSED(EPERM);
	ASSERT_EQ(0, parameter_set("allow_lazy_iommu", "Y"));
	ASSERT_EQ(0, parameter_set("allow_unsafe_interrupts", "Y"));
	REFUSED(EPERM);
	EXPECT_EQ(0, parameter_set("allow_lazy_iommu", "N"));
	EXPECT_EQ(0, parameter_set("allow_unsafe_interrupts", "N"));
	EXPECT_EQ(0, taint_user());
}

/* Still root, but without the one capability that counts. */
static int lose_rawio(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_SYS_RAWIO);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(noiommu, capability)
{
	pid_t pid;

	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (lose_rawio())
			_exit(255);
		_exit(-do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	}
	EXPECT_EQ(EPERM, child_wait(pid));
	EXPECT_EQ(0, taint_user());
}

TEST_F(noiommu, moves_bytes)
{
	struct guestmem_segment segment;
	uint8_t *expected = map_anonymous(LENGTH);

	ASSERT_NE(MAP_FAILED, expected);
	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	EXPECT_EQ(0, self->arg.properties &
		  (GUESTMEM_MAP_TRANSLATED | GUESTMEM_MAP_STRICT));
	EXPECT_EQ(TAINT_USER, taint_user());
	self->map.id = self->arg.map_id;
	/* The device has what the memory management calls the address. */
	ASSERT_EQ(0, edu_find(self->s.device, self->map.id, HUGE, &segment));
	EXPECT_EQ(physical(self->p + HUGE), segment.address);

	pattern_fill(self->p, LENGTH, 1);
	memcpy(expected, self->p, LENGTH);
	memcpy(expected + HUGE + 5, expected + 1000, EDU_BYTES);
	memcpy(expected + LENGTH - 1, expected, 1);
	ASSERT_EQ(0, edu_copy(&self->map, 1000, HUGE + 5, EDU_BYTES));
	ASSERT_EQ(0, edu_copy(&self->map, 0, LENGTH - 1, 1));
	EXPECT_EQ(0, memcmp(expected, self->p, LENGTH));
	munmap(expected, LENGTH);
}

/*
 * What makes it unsafe, and the tests of test_edu_blocked worth something: what
 * is not mapped the device reaches as well, and after GUESTMEM_UNMAP, too.
 */
TEST_F(noiommu, nothing_is_blocked)
{
	uint64_t address = physical(self->p + HUGE);

	ASSERT_NE(0, address);
	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	self->arg.length = PAGE;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	pattern_fill(self->p, BYTES, 2);
	ASSERT_EQ(0, edu_load(self->map.edu, physical(self->p), 0, BYTES));
	ASSERT_EQ(0, edu_store(self->map.edu, 0, address, BYTES));
	EXPECT_TRUE(pattern_is(self->p + HUGE, BYTES, 2));
	ASSERT_EQ(0, map_remove(self->s.device, self->arg.map_id));
	memset(self->p, 0, BYTES);
	ASSERT_EQ(0, edu_store(self->map.edu, 0, physical(self->p), BYTES));
	EXPECT_TRUE(pattern_is(self->p, BYTES, 2));
}

/* What is left to hold it: a closed device is no master of its bus. */
TEST_F(noiommu, after_close)
{
	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	pattern_fill(self->p, BYTES, 3);
	ASSERT_EQ(0, edu_load(self->map.edu, physical(self->p), 0, BYTES));
	close(self->s.device);
	memset(self->p, 0, BYTES);
	edu_start(self->map.edu, EDU_BUFFER, physical(self->p), BYTES,
		  EDU_TO_MEMORY);
	sleep_ms(300);
	for (int i = 0; i < BYTES; i++)
		ASSERT_EQ(0, self->p[i]);
}

/* Who has the registers can have the device do what it likes. */
TEST_F(noiommu, registers_and_interrupts_as_maps)
{
	int event = eventfd(0, EFD_CLOEXEC);
	struct guestmem_interrupts irq = interrupts_arg(&event, 1);
	struct guestmem_bar bar = { .size = sizeof(bar) };

	ASSERT_LE(0, event);
	EXPECT_REFUSED(EPERM, self->s.device, GUESTMEM_BAR, &bar);
	EXPECT_REFUSED(EPERM, self->s.device, GUESTMEM_INTERRUPTS, &irq);
	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_BAR, &bar));
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_INTERRUPTS, &irq));
}

TEST_HARNESS_MAIN
