/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_map.c - GUESTMEM_MAP: each value and each error but EPERM and EOPNOTSUPP
 * of bounce buffers, which test_policy and test_policy_boot have.
 *
 * Not here: EIO, for an IOMMU driver that fails otherwise than for want of
 * memory; QEMU's does not.
 */
#define _GNU_SOURCE
#include <sys/sysinfo.h>
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (8 * PAGE)

FIXTURE(map) {
	struct session s;
	struct guestmem_map arg;
	int fd;
};

FIXTURE_SETUP(map)
{
	session_start(_metadata, &self->s, true);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->arg = map_arg(self->fd, LENGTH);
}

FIXTURE_TEARDOWN(map)
{
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_MAP, &self->arg)

TEST_F(map, values)
{
	struct guestmem_map before = self->arg;
	struct counters now;

	before.map_id = 0xdead;
	before.properties = 0xdead;
	before.segments = 0xdead;
	self->arg = before;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	EXPECT_NE(0, self->arg.map_id);
	EXPECT_NE(0xdead, self->arg.map_id);
	/* What strict translation on x86 gives. */
	EXPECT_EQ(GUESTMEM_MAP_TRANSLATED | GUESTMEM_MAP_STRICT |
		  GUESTMEM_MAP_COHERENT, self->arg.properties);
	/* An IOMMU makes one piece of it. */
	EXPECT_EQ(1, self->arg.segments);
	before.map_id = self->arg.map_id;
	before.properties = self->arg.properties;
	before.segments = self->arg.segments;
	EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before)));

	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_MAPS] + 1,
		  now.value[COUNTER_MAPS]);
	EXPECT_EQ(self->s.before.value[COUNTER_MAP_BYTES] + LENGTH,
		  now.value[COUNTER_MAP_BYTES]);
	EXPECT_EQ(self->s.before.value[COUNTER_OPENS] + 1,
		  now.value[COUNTER_OPENS]);
	EXPECT_EQ(0, map_remove(self->s.device, self->arg.map_id));
}

/* Each page twice: DMA_API_DEBUG knows no more than 7 at a time. */
TEST_F(map, ids_differ)
{
	uint32_t id[16];

	self->arg.length = PAGE;
	for (int i = 0; i < 16; i++) {
		self->arg.offset = i * PAGE % LENGTH;
		ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP,
				      &self->arg));
		id[i] = self->arg.map_id;
		EXPECT_NE(0, id[i]);
		for (int j = 0; j < i; j++)
			EXPECT_NE(id[j], id[i]);
	}
}

/* An id that was used names nothing for some time, above all no other map. */
TEST_F(map, ids_are_not_used_again_soon)
{
	uint32_t old, id;

	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &old));
	ASSERT_EQ(0, map_remove(self->s.device, old));
	for (int i = 0; i < 16; i++) {
		ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
		EXPECT_NE(old, id);
		EXPECT_EQ(-ENOENT, map_remove(self->s.device, old));
		ASSERT_EQ(0, map_remove(self->s.device, id));
	}
}

TEST_F(map, fd)
{
	int pipes[2];

	self->arg.fd = -1;
	REFUSED(EBADF);
	self->arg.fd = 9999;
	REFUSED(EBADF);
	self->arg.fd = self->s.control;
	REFUSED(EINVAL);
	self->arg.fd = self->s.device;
	REFUSED(EINVAL);
	ASSERT_EQ(0, pipe(pipes));
	self->arg.fd = pipes[0];
	REFUSED(EINVAL);
	ASSERT_FD(&self->arg.fd, memfd_create("no region", MFD_CLOEXEC));
	REFUSED(EINVAL);
}

TEST_F(map, alignment)
{
	const uint64_t bad[] = { 0, 1, PAGE - 1, PAGE + 1 };

	for (int i = 0; i < 4; i++) {
		self->arg.length = bad[i];
		REFUSED(EINVAL);
	}
	self->arg.length = PAGE;
	for (int i = 1; i < 4; i++) {
		self->arg.offset = bad[i];
		REFUSED(EINVAL);
	}
}

TEST_F(map, flags)
{
	self->arg.flags = 0;
	REFUSED(EINVAL);
	for (int bit = 2; bit < 32; bit++) {
		self->arg.flags = GUESTMEM_MAP_READ | 1U << bit;
		REFUSED(EOPNOTSUPP);
	}
	self->arg.flags = GUESTMEM_MAP_READ;
	self->arg.reserved = 1;
	REFUSED(EOPNOTSUPP);
}

TEST_F(map, range)
{
	self->arg.length = LENGTH + PAGE;
	REFUSED(ERANGE);
	self->arg.offset = LENGTH;
	self->arg.length = PAGE;
	REFUSED(ERANGE);
	self->arg.offset = LENGTH - PAGE;
	self->arg.length = 2 * PAGE;
	REFUSED(ERANGE);
	self->arg.offset = UINT64_C(1) << 62;
	REFUSED(ERANGE);
	/* The largest that does not wrap. */
	self->arg.offset = 0;
	self->arg.length = -PAGE;
	REFUSED(ERANGE);
	self->arg.offset = PAGE;
	self->arg.length = -PAGE;
	REFUSED(EOVERFLOW);
	self->arg.offset = -PAGE;
	self->arg.length = 2 * PAGE;
	REFUSED(EOVERFLOW);
}

TEST_F(map, parts_of_a_region)
{
	struct guestmem_segment segment;
	struct guestmem_query query;

	self->arg.offset = 2 * PAGE;
	self->arg.length = 3 * PAGE;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	query = query_arg(self->arg.map_id, &segment, 1);
	query.offset = 2 * PAGE;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &query));
	EXPECT_EQ(1, query.count);
	EXPECT_EQ(2 * PAGE, segment.offset);
	EXPECT_EQ(3 * PAGE, segment.length);
	/* The last page alone. */
	self->arg.offset = LENGTH - PAGE;
	self->arg.length = PAGE;
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
}

TEST_F(map, address_bits)
{
	const uint32_t bad[] = { 1, 11, 65, 128, UINT32_MAX };
	const uint32_t good[] = { 0, 24, 0, 32, 48, 64 };
	struct guestmem_segment segment;
	struct guestmem_query query;
	char address[ADDRESS_MAX], path[ADDRESS_MAX + 64], bits[16];

	ASSERT_EQ(0, device_address(address));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/dma_mask_bits",
		 address);

	for (int i = 0; i < 5; i++) {
		self->arg.address_bits = bad[i];
		REFUSED(EINVAL);
	}
	/* So few that there is none for memory. */
	self->arg.address_bits = 12;
	REFUSED(ERANGE);
	for (int i = 0; i < 6; i++) {
		self->arg.address_bits = good[i];
		ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP,
				      &self->arg));
		query = query_arg(self->arg.map_id, &segment, 1);
		ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &query));
		if (good[i] && good[i] < 64)
			EXPECT_EQ(0, (segment.address + LENGTH - 1) >> good[i]);
		/* It is this map's alone: none is for 64, whatever was before. */
		ASSERT_EQ(0, file_read(path, bits, sizeof(bits)));
		EXPECT_EQ(good[i] ? good[i] : 64, (uint32_t)atoi(bits));
		ASSERT_EQ(0, map_remove(self->s.device, self->arg.map_id));
	}
}

/*
 * A range longer than all that the device can address. With 4 MiB of addresses
 * two maps of 1.5 MiB fit and a third one finds no room; as long as each is
 * given back, any number fit one after the other.
 */
TEST_F(map, address_space)
{
	const uint64_t length = 3 * MIB / 2;
	uint32_t id[8];
	int big, n = 0, err = 0;

	ASSERT_FD(&big, region_alloc(self->s.control, 8 * MIB));
	self->arg = map_arg(big, 8 * MIB);
	self->arg.address_bits = 22;
	REFUSED(ERANGE);

	self->arg.length = length;
	while (n < 8) {
		err = do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg);
		if (err)
			break;
		id[n++] = self->arg.map_id;
	}
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_LE(1, n);
	EXPECT_GE(2, n);
	while (n)
		ASSERT_EQ(0, map_remove(self->s.device, id[--n]));
	for (int i = 0; i < 64; i++) {
		ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP,
				      &self->arg));
		ASSERT_EQ(0, map_remove(self->s.device, self->arg.map_id));
	}
}

/*
 * Aligned to the power of two that holds it, a range of more than half of all
 * addresses fits nowhere. The kernel must not have been asked: it would take all
 * that is as long for hopeless, with 32 bits as well, until a next boot.
 */
TEST_F(map, hopeless_requests)
{
	uint32_t id;
	int big;

	ASSERT_FD(&big, region_alloc(self->s.control, 8 * MIB));
	self->arg = map_arg(big, 6 * MIB);
	self->arg.address_bits = 23;
	REFUSED(ERANGE);
	self->arg.length = 3 * PAGE;
	self->arg.address_bits = 14;
	REFUSED(ERANGE);
	/* Half of them is not too much. */
	self->arg.length = 4 * MIB;
	self->arg.address_bits = 23;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	ASSERT_EQ(0, map_remove(self->s.device, self->arg.map_id));

	self->arg.length = 8 * MIB;
	self->arg.address_bits = 32;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	id = self->arg.map_id;
	self->arg.length = 4 * PAGE;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	EXPECT_EQ(0, map_remove(self->s.device, self->arg.map_id));
	EXPECT_EQ(0, map_remove(self->s.device, id));
}

TEST_F(map, read_only_fd)
{
	ASSERT_FD(&self->arg.fd,
		  region_alloc_read_only(self->s.control, LENGTH));
	REFUSED(EACCES);
	self->arg.flags = GUESTMEM_MAP_WRITE;
	REFUSED(EACCES);
	self->arg.flags = GUESTMEM_MAP_READ;
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
}

TEST_F(map, read_only_pin)
{
	void *p = map_anonymous(LENGTH);
	struct guestmem_pin pin;

	ASSERT_NE(MAP_FAILED, p);
	pin = pin_arg(p, LENGTH);
	pin.flags = 0;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &pin));
	self->arg.fd = pin.out_fd;
	REFUSED(EACCES);
	self->arg.flags = GUESTMEM_MAP_WRITE;
	REFUSED(EACCES);
	self->arg.flags = GUESTMEM_MAP_READ;
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	munmap(p, LENGTH);
}

TEST_F(map, quota)
{
	char old[32];
	uint32_t id;

	ASSERT_EQ(0, file_read(PARAMETER_DIR "max_maps", old, sizeof(old)));
	EXPECT_STREQ("65535", old);
	ASSERT_EQ(0, parameter_set("max_maps", "2"));
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	EXPECT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	REFUSED(ENOSPC);
	ASSERT_EQ(0, map_remove(self->s.device, id));
	EXPECT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	REFUSED(ENOSPC);
	EXPECT_EQ(0, parameter_set("max_maps", old));
	EXPECT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
}

/* However often a region is mapped, a device has no more than all memory. */
TEST_F(map, quota_of_bytes)
{
	uint64_t length;
	struct sysinfo si;
	uint32_t id = 0;

	ASSERT_EQ(0, sysinfo(&si));
	length = (uint64_t)si.totalram * si.mem_unit / 5 / HUGE * HUGE;
	ASSERT_FD(&self->arg.fd, region_alloc(self->s.control, length));
	self->arg.length = length;
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(0, map_add(self->s.device, self->arg.fd, length,
				     &id));
	REFUSED(ENOSPC);
	ASSERT_EQ(0, map_remove(self->s.device, id));
	EXPECT_EQ(0, map_add(self->s.device, self->arg.fd, length, &id));
}

/* The map keeps the memory when nothing else does. */
TEST_F(map, outlives_the_fd)
{
	struct counters now;
	uint32_t id;

	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	close(self->fd);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES] + LENGTH,
		  now.value[COUNTER_ALLOC_BYTES]);
	ASSERT_EQ(0, map_remove(self->s.device, id));
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES],
		  now.value[COUNTER_ALLOC_BYTES]);
}

TEST_F(map, unbound)
{
	struct guestmem_query query = query_arg(1, NULL, 0);
	struct guestmem_sync sync = sync_arg(1, PAGE);
	struct guestmem_unmap unmap = { .size = sizeof(unmap) };
	char address[ADDRESS_MAX];

	ASSERT_EQ(0, device_address(address));
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &query.map_id));
	sync.map_id = query.map_id;
	unmap.map_id = query.map_id;
	ASSERT_EQ(0, device_unbind(address));
	REFUSED(ENODEV);
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_QUERY, &query);
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_SYNC, &sync);
	EXPECT_REFUSED(ENODEV, self->s.device, GUESTMEM_UNMAP, &unmap);
	EXPECT_EQ(0, device_bind(address));
	/* The old open file does not come back to life. */
	REFUSED(ENODEV);
}

TEST_HARNESS_MAIN
