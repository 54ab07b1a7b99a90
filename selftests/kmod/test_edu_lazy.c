/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=lazy */
/*
 * test_edu_lazy.c - a machine whose IOMMU is flushed lazily, Debian's default:
 * no map by default; when the administrator has allowed it, the device moves
 * bytes.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "edu.h"
#include "pattern.h"
#include "session.h"

#define LENGTH (2 * HUGE)
#define PARAMETER "allow_lazy_iommu"

FIXTURE(lazy) {
	struct session s;
	struct edu_map map;
	struct guestmem_map arg;
	int fd;
	uint8_t *p;
};

FIXTURE_SETUP(lazy)
{
	char address[ADDRESS_MAX], type[32];

	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(address));
	group_type(address, type);
	ASSERT_STREQ("DMA-FQ", type);
	self->map.device = self->s.device;
	self->map.edu = edu_registers(address);
	ASSERT_NE(MAP_FAILED, self->map.edu);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
	self->arg = map_arg(self->fd, LENGTH);
}

FIXTURE_TEARDOWN(lazy)
{
	EXPECT_EQ(0, parameter_set(PARAMETER, "N"));
	munmap(self->p, LENGTH);
	munmap((void *)self->map.edu, PAGE);
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_MAP, &self->arg)

TEST_F(lazy, refused_by_default)
{
	REFUSED(EPERM);
	ASSERT_EQ(0, parameter_set("allow_unsafe_noiommu", "Y"));
	ASSERT_EQ(0, parameter_set("allow_unsafe_interrupts", "Y"));
	REFUSED(EPERM);
	EXPECT_EQ(0, parameter_set("allow_unsafe_noiommu", "N"));
	EXPECT_EQ(0, parameter_set("allow_unsafe_interrupts", "N"));
}

TEST_F(lazy, moves_bytes)
{
	uint8_t *expected = map_anonymous(LENGTH);

	ASSERT_NE(MAP_FAILED, expected);
	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	EXPECT_EQ(GUESTMEM_MAP_TRANSLATED, self->arg.properties &
		  (GUESTMEM_MAP_TRANSLATED | GUESTMEM_MAP_STRICT));
	self->map.id = self->arg.map_id;
	pattern_fill(self->p, LENGTH, 1);
	memcpy(expected, self->p, LENGTH);
	memcpy(expected + LENGTH - EDU_BYTES, expected + HUGE - 99, EDU_BYTES);
	ASSERT_EQ(0, edu_copy(&self->map, HUGE - 99, LENGTH - EDU_BYTES,
			      EDU_BYTES));
	EXPECT_EQ(0, memcmp(expected, self->p, LENGTH));
	munmap(expected, LENGTH);
}

/* What is not mapped is blocked here as well. */
TEST_F(lazy, outside_is_blocked)
{
	struct guestmem_segment segment;
	uint8_t before[4096];

	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	self->arg.length = PAGE;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	ASSERT_EQ(0, edu_find(self->s.device, self->arg.map_id, 0, &segment));
	pattern_fill(self->p, EDU_BYTES, 2);
	ASSERT_EQ(0, edu_load(self->map.edu, segment.address, 0, EDU_BYTES));
	memset(self->p + PAGE, 0x5a, PAGE);
	memcpy(before, self->p + PAGE, PAGE);
	ASSERT_EQ(0, edu_store(self->map.edu, 0, segment.address + PAGE,
			       EDU_BYTES));
	ASSERT_EQ(0, edu_store(self->map.edu, 0, physical(self->p + PAGE),
			       EDU_BYTES));
	EXPECT_EQ(0, memcmp(before, self->p + PAGE, PAGE));
}

/* The memory of a map that is gone is not free before the device is shut out. */
TEST_F(lazy, after_unmap)
{
	struct guestmem_segment segment;

	ASSERT_EQ(0, parameter_set(PARAMETER, "Y"));
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	ASSERT_EQ(0, edu_find(self->s.device, self->arg.map_id, 0, &segment));
	/* So that the IOMMU has the translation at hand. */
	pattern_fill(self->p, EDU_BYTES, 3);
	ASSERT_EQ(0, edu_load(self->map.edu, segment.address, 0, EDU_BYTES));
	ASSERT_EQ(0, map_remove(self->s.device, self->arg.map_id));
	memset(self->p, 0, EDU_BYTES);
	ASSERT_EQ(0, edu_store(self->map.edu, 0, segment.address, EDU_BYTES));
	for (int i = 0; i < EDU_BYTES; i++)
		ASSERT_EQ(0, self->p[i]);
}

TEST_HARNESS_MAIN
