/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_sync.c - GUESTMEM_SYNC and GUESTMEM_UNMAP: each value and each error.
 * ENODEV is in test_map. What a sync does to caches cannot be seen on x86.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "session.h"

#define LENGTH (8 * PAGE)

FIXTURE(sync) {
	struct session s;
	struct guestmem_sync arg;
	struct guestmem_unmap unmap;
	int fd;
	uint32_t id;
};

FIXTURE_SETUP(sync)
{
	session_start(_metadata, &self->s, true);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &self->id));
	self->arg = sync_arg(self->id, LENGTH);
	self->unmap = (struct guestmem_unmap) {
		.size = sizeof(self->unmap),
		.map_id = self->id,
	};
}

FIXTURE_TEARDOWN(sync)
{
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_SYNC, &self->arg)
#define UNMAP_REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_UNMAP, &self->unmap)

TEST_F(sync, values)
{
	const struct {
		uint64_t offset, length;
	} range[] = {
		{ 0, LENGTH }, { 0, 1 }, { LENGTH - 1, 1 }, { 5, PAGE },
		{ PAGE, PAGE },
	};
	struct guestmem_sync before;

	for (int i = 0; i < 10; i++) {
		self->arg.flags = i & 1 ? GUESTMEM_SYNC_CPU :
					  GUESTMEM_SYNC_DEVICE;
		self->arg.offset = range[i / 2].offset;
		self->arg.length = range[i / 2].length;
		before = self->arg;
		EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_SYNC,
				      &self->arg));
		EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before)));
	}
}

TEST_F(sync, direction)
{
	self->arg.flags = 0;
	REFUSED(EINVAL);
	self->arg.flags = GUESTMEM_SYNC_CPU | GUESTMEM_SYNC_DEVICE;
	REFUSED(EINVAL);
	for (int bit = 2; bit < 32; bit++) {
		self->arg.flags = GUESTMEM_SYNC_CPU | 1U << bit;
		REFUSED(EOPNOTSUPP);
	}
	self->arg.flags = GUESTMEM_SYNC_CPU;
	self->arg.reserved = 1;
	REFUSED(EOPNOTSUPP);
}

TEST_F(sync, range)
{
	self->arg.length = 0;
	REFUSED(EINVAL);
	self->arg.length = LENGTH + 1;
	REFUSED(ERANGE);
	self->arg.offset = LENGTH;
	self->arg.length = 1;
	REFUSED(ERANGE);
	self->arg.offset = 1;
	self->arg.length = LENGTH;
	REFUSED(ERANGE);
	self->arg.offset = 2;
	self->arg.length = UINT64_MAX;
	REFUSED(EOVERFLOW);
	self->arg.offset = UINT64_MAX;
	self->arg.length = 2;
	REFUSED(EOVERFLOW);
	self->arg.offset = 0;
	self->arg.length = UINT64_MAX;
	REFUSED(ERANGE);
}

TEST_F(sync, range_of_a_part)
{
	struct guestmem_map map = map_arg(self->fd, 2 * PAGE);

	map.offset = 3 * PAGE;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &map));
	self->arg = sync_arg(map.map_id, PAGE);
	REFUSED(ERANGE);
	self->arg.offset = 3 * PAGE - 1;
	REFUSED(ERANGE);
	self->arg.offset = 3 * PAGE;
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_SYNC, &self->arg));
	self->arg.offset = 4 * PAGE + 1;
	REFUSED(ERANGE);
}

TEST_F(sync, no_such_map)
{
	self->arg.map_id = 0;
	REFUSED(ENOENT);
	self->arg.map_id = UINT32_MAX;
	REFUSED(ENOENT);
	ASSERT_EQ(0, map_remove(self->s.device, self->id));
	self->arg.map_id = self->id;
	REFUSED(ENOENT);
}

TEST_F(sync, unmap_values)
{
	struct guestmem_unmap before = self->unmap;
	struct guestmem_region_info info;
	struct counters now;

	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_UNMAP, &self->unmap));
	EXPECT_EQ(0, memcmp(&before, &self->unmap, sizeof(before)));
	ASSERT_EQ(0, region_info(self->s.control, self->fd, &info));
	EXPECT_EQ(0, info.maps);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_MAPS], now.value[COUNTER_MAPS]);
	EXPECT_EQ(self->s.before.value[COUNTER_MAP_BYTES],
		  now.value[COUNTER_MAP_BYTES]);
}

TEST_F(sync, unmap_no_such_map)
{
	self->unmap.map_id = 0;
	UNMAP_REFUSED(ENOENT);
	self->unmap.map_id = self->id + 1;
	UNMAP_REFUSED(ENOENT);
	self->unmap.map_id = UINT32_MAX;
	UNMAP_REFUSED(ENOENT);
	self->unmap.map_id = self->id;
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_UNMAP, &self->unmap));
	UNMAP_REFUSED(ENOENT);
}

TEST_F(sync, unmap_flags)
{
	for (int bit = 0; bit < 32; bit++) {
		self->unmap.flags = 1U << bit;
		UNMAP_REFUSED(EOPNOTSUPP);
	}
	self->unmap.flags = 0;
	self->unmap.reserved = 1;
	UNMAP_REFUSED(EOPNOTSUPP);
	/* It is mapped still. */
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_SYNC, &self->arg));
}

TEST_HARNESS_MAIN
