/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 x86 */
/*
 * test_registers.c - a device's identity and registers by its own node: what they
 * are, what of them can be mapped, and their end.
 */
#define _GNU_SOURCE
/* Places of BARs are beyond 32 bits. */
#define _FILE_OFFSET_BITS 64
#include <signal.h>
#include "kselftest_harness.h"
#include "edu.h"
#include "session.h"

#define EDU_BAR 0
#define EDU_LENGTH MIB

FIXTURE(registers) {
	struct session s;
	char address[ADDRESS_MAX];
	struct guestmem_bar bar;
};

FIXTURE_SETUP(registers)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_EQ(0, bar_get(self->s.device, EDU_BAR, &self->bar));
}

FIXTURE_TEARDOWN(registers)
{
	session_end(_metadata, &self->s);
}

static void *registers_map(const FIXTURE_DATA(registers) *self, uint64_t at,
			   uint64_t length, int flags)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, flags, self->s.device,
		    (off_t)(self->bar.offset + at));
}

#define EXPECT_NO_MAP(code, at, length, flags) do { \
	void *p_ = registers_map(self, at, length, flags); \
	EXPECT_EQ(MAP_FAILED, p_); \
	EXPECT_EQ(code, errno); \
} while (0)

TEST_F(registers, which_device)
{
	struct guestmem_device_info info;

	ASSERT_EQ(0, device_info_get(self->s.device, &info));
	EXPECT_EQ(0x1234, info.vendor);
	EXPECT_EQ(0x11e8, info.device);
	EXPECT_EQ(0x1af4, info.subsystem_vendor);
	EXPECT_EQ(0x1100, info.subsystem_device);
	EXPECT_EQ(0x00ff0010, info.class_revision);
	EXPECT_EQ(1U << EDU_BAR, info.bars);
	EXPECT_EQ(1, info.interrupts);
}

/* They are the device's: each access has its effect there. */
TEST_F(registers, are_the_devices)
{
	volatile uint8_t *edu;

	EXPECT_EQ(EDU_LENGTH, self->bar.length);
	edu = registers_map(self, 0, EDU_LENGTH, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, edu);
	EXPECT_EQ(0x010000edU, edu_read32(edu, EDU_IDENTITY));
	edu_write32(edu, EDU_LIVE, 0x12345678);
	EXPECT_EQ(~0x12345678U, edu_read32(edu, EDU_LIVE));
	munmap((void *)edu, EDU_LENGTH);
}

TEST_F(registers, a_part)
{
	volatile uint8_t *whole = registers_map(self, 0, EDU_LENGTH, MAP_SHARED);
	volatile uint8_t *last;

	ASSERT_NE(MAP_FAILED, whole);
	last = registers_map(self, EDU_LENGTH - PAGE, PAGE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, last);
	/* No register is there. */
	EXPECT_EQ(UINT32_MAX, edu_read32(last, 0));
	/* What was mapped in one go goes in parts. */
	EXPECT_EQ(0, munmap((void *)(whole + PAGE), PAGE));
	EXPECT_EQ(0x010000edU, edu_read32(whole, EDU_IDENTITY));
	EXPECT_EQ(0, munmap((void *)whole, PAGE));
	EXPECT_EQ(0, munmap((void *)(whole + 2 * PAGE), EDU_LENGTH - 2 * PAGE));
	EXPECT_EQ(0, munmap((void *)last, PAGE));
}

TEST_F(registers, not_mapped)
{
	EXPECT_NO_MAP(EINVAL, 0, PAGE, MAP_PRIVATE);
	EXPECT_NO_MAP(EINVAL, 0, EDU_LENGTH + PAGE, MAP_SHARED);
	EXPECT_NO_MAP(EINVAL, EDU_LENGTH, PAGE, MAP_SHARED);
	EXPECT_NO_MAP(EINVAL, EDU_LENGTH - PAGE, 2 * PAGE, MAP_SHARED);
	/* Other BARs, in the places that these would have. */
	for (uint64_t bar = 1; bar < 8; bar++)
		EXPECT_NO_MAP(EINVAL, bar << 40, PAGE, MAP_SHARED);
}

TEST_F(registers, refused)
{
	struct guestmem_bar arg = self->bar;

	for (arg.bar = 1; arg.bar < 6; arg.bar++)
		EXPECT_REFUSED(ENOENT, self->s.device, GUESTMEM_BAR, &arg);
	EXPECT_REFUSED(EINVAL, self->s.device, GUESTMEM_BAR, &arg);
	arg.bar = UINT32_MAX;
	EXPECT_REFUSED(EINVAL, self->s.device, GUESTMEM_BAR, &arg);
	EXPECT_REFUSED(ENOTTY, self->s.control, GUESTMEM_BAR, &arg);
}

/* Each open file has to ask, since policy is asked then. */
TEST_F(registers, not_before_they_were_asked_for)
{
	close(self->s.device);
	ASSERT_FD(&self->s.device, device_open());
	EXPECT_NO_MAP(EINVAL, 0, PAGE, MAP_SHARED);
}

/* A mapping keeps the device open, and what is mapped for it. */
TEST_F(registers, keep_the_device)
{
	struct guestmem_region_info info;
	volatile uint8_t *edu;
	uint32_t id;
	int fd;

	edu = registers_map(self, 0, PAGE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, edu);
	ASSERT_FD(&fd, region_alloc(self->s.control, PAGE));
	ASSERT_EQ(0, map_add(self->s.device, fd, PAGE, &id));
	close(self->s.device);
	EXPECT_EQ(-EBUSY, device_open());
	EXPECT_EQ(0x010000edU, edu_read32(edu, EDU_IDENTITY));
	ASSERT_EQ(0, region_info(self->s.control, fd, &info));
	EXPECT_EQ(1, info.maps);
	munmap((void *)edu, PAGE);
	ASSERT_EQ(0, region_info(self->s.control, fd, &info));
	EXPECT_EQ(0, info.maps);
	ASSERT_FD(&self->s.device, device_open());
}

/* Touched before or not: the next driver's registers are not ours. */
TEST_F(registers, go_with_the_device)
{
	volatile uint8_t *used, *fresh, *other;

	used = registers_map(self, 0, PAGE, MAP_SHARED);
	fresh = registers_map(self, 0, 2 * PAGE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, used);
	ASSERT_NE(MAP_FAILED, fresh);
	EXPECT_EQ(0x010000edU, edu_read32(used, EDU_IDENTITY));
	ASSERT_EQ(0, device_unbind(self->address));
	/* All ones, as if it had been pulled out. */
	EXPECT_EQ(UINT32_MAX, edu_read32(used, EDU_IDENTITY));
	EXPECT_EQ(UINT32_MAX, edu_read32(fresh, EDU_IDENTITY));
	EXPECT_EQ(UINT32_MAX, edu_read32(fresh, PAGE + EDU_LIVE));
	EXPECT_NO_MAP(ENODEV, 0, PAGE, MAP_SHARED);
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_BAR, &self->bar);
	/* Bound anew, they are another open file's. */
	ASSERT_EQ(0, device_bind(self->address));
	self->s.device = device_open();
	ASSERT_LE(0, self->s.device);
	ASSERT_EQ(0, bar_get(self->s.device, EDU_BAR, &self->bar));
	other = registers_map(self, 0, PAGE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, other);
	edu_write32(other, EDU_LIVE, 1);
	edu_write32(used, EDU_LIVE, 2);
	EXPECT_EQ(~1U, edu_read32(other, EDU_LIVE));
	munmap((void *)other, PAGE);
	munmap((void *)used, PAGE);
	munmap((void *)fresh, 2 * PAGE);
}

TEST_F(registers, are_not_inherited)
{
	volatile uint8_t *edu = registers_map(self, 0, PAGE, MAP_SHARED);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, edu);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		edu_read32(edu, EDU_IDENTITY);
		_exit(0);
	}
	EXPECT_EQ(-SIGSEGV, child_wait(pid));
	munmap((void *)edu, PAGE);
}

/* The device is unbound again and again, while a mapping is made and touched. */
TEST_F(registers, race_with_unbinding)
{
	int status, rounds = 0;
	pid_t pid;

	close(self->s.device);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (int i = 0; i < 20; i++)
			if (device_unbind(self->address) ||
			    device_bind(self->address))
				_exit(1);
		_exit(0);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		volatile uint8_t *edu;
		uint32_t id;

		self->s.device = device_open();
		if (self->s.device < 0)
			continue;
		if (!bar_get(self->s.device, EDU_BAR, &self->bar)) {
			edu = registers_map(self, 0, PAGE, MAP_SHARED);
			if (edu != MAP_FAILED) {
				/* Its own, or ones. */
				id = edu_read32(edu, EDU_IDENTITY);
				EXPECT_TRUE(id == 0x010000ed || id == UINT32_MAX);
				munmap((void *)edu, PAGE);
				rounds++;
			}
		}
		close(self->s.device);
	}
	EXPECT_EQ(0, status);
	EXPECT_LT(0, rounds);
	ASSERT_FD(&self->s.device, device_open());
}

TEST_HARNESS_MAIN
