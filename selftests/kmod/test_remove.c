/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_remove.c - a device is taken out of the machine while it is mapped, and
 * while it writes; when it is put in again, it is as new.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "edu.h"
#include "pattern.h"
#include "session.h"

#define LENGTH (4 * MIB)

FIXTURE(removed) {
	struct session s;
	char address[ADDRESS_MAX];
	int fd;
	uint8_t *p;
	uint32_t id;
};

FIXTURE_SETUP(removed)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &self->id));
}

FIXTURE_TEARDOWN(removed)
{
	munmap(self->p, LENGTH);
	session_end(_metadata, &self->s);
}

static int take_out(const char *address)
{
	char path[ADDRESS_MAX + 64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", address);
	return file_write(path, "1");
}

static int put_in(const char *address)
{
	int err = file_write("/sys/bus/pci/rescan", "1");

	return err ? err : device_bind(address);
}

TEST_F(removed, while_mapped)
{
	struct guestmem_region_info info;
	struct guestmem_map map = map_arg(self->fd, LENGTH);
	struct guestmem_unmap unmap = { .size = sizeof(unmap) };
	struct edu_map edu;
	int other;

	unmap.map_id = self->id;
	ASSERT_EQ(0, take_out(self->address));
	EXPECT_EQ(-ENOENT, device_open());
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_MAP, &map);
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_UNMAP, &unmap);
	ASSERT_EQ(0, region_info(self->s.control, self->fd, &info));
	EXPECT_EQ(0, info.maps);
	ASSERT_EQ(0, put_in(self->address));
	/* Another device to the kernel: the old file has nothing to do with it. */
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_MAP, &map);
	ASSERT_FD(&other, device_open());
	edu.device = other;
	ASSERT_EQ(0, map_add(other, self->fd, LENGTH, &edu.id));
	edu.edu = edu_registers(self->address);
	ASSERT_NE(MAP_FAILED, edu.edu);
	pattern_fill(self->p, EDU_BYTES, 1);
	EXPECT_EQ(0, edu_copy(&edu, 0, HUGE, EDU_BYTES));
	EXPECT_TRUE(pattern_is(self->p + HUGE, EDU_BYTES, 1));
	close(self->s.device);
	EXPECT_EQ(-EBUSY, device_open());
	munmap((void *)edu.edu, PAGE);
}

/* A transfer that has begun, and has 100 ms to go. */
TEST_F(removed, while_it_writes)
{
	volatile uint8_t *edu = edu_registers(self->address);
	struct guestmem_segment segment;

	ASSERT_NE(MAP_FAILED, edu);
	ASSERT_EQ(0, edu_find(self->s.device, self->id, 0, &segment));
	pattern_fill(self->p, EDU_BYTES, 2);
	ASSERT_EQ(0, edu_load(edu, segment.address, 0, EDU_BYTES));
	memset(self->p, 0x5a, EDU_BYTES);
	edu_start(edu, EDU_BUFFER, segment.address, EDU_BYTES, EDU_TO_MEMORY);
	ASSERT_EQ(0, take_out(self->address));
	munmap((void *)edu, PAGE);
	sleep_ms(300);
	for (int i = 0; i < EDU_BYTES; i++)
		ASSERT_EQ(0x5a, self->p[i]);
	EXPECT_EQ(0, put_in(self->address));
}

TEST_HARNESS_MAIN
