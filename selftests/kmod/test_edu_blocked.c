/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_edu_blocked.c - what a real device cannot reach behind an IOMMU: all that
 * is not mapped for it, in that direction, at that time.
 */
#define _GNU_SOURCE
#include <linux/pci_regs.h>
#include "kselftest_harness.h"
#include "edu.h"
#include "fault_log.h"
#include "pattern.h"
#include "session.h"

#define PAGES 8
#define LENGTH (PAGES * PAGE)
#define BEFORE (PAGES * 4096)
#define BYTES 256
/* What is mapped always, to see the device's buffer through. */
#define WINDOW (7 * PAGE)
/* What the tests map, and take away again. */
#define TARGET (2 * PAGE)
#define TARGET_LENGTH (2 * PAGE)

FIXTURE(blocked) {
	struct session s;
	volatile uint8_t *edu;
	char address[ADDRESS_MAX];
	int fd;
	uint8_t *p;
	uint64_t window;
};

static int window_open(FIXTURE_DATA(blocked) *self)
{
	struct guestmem_map map = map_arg(self->fd, PAGE);
	struct guestmem_segment segment;
	int err;

	map.offset = WINDOW;
	err = do_ioctl(self->s.device, GUESTMEM_MAP, &map);
	if (!err)
		err = edu_find(self->s.device, map.map_id, WINDOW, &segment);
	if (!err)
		self->window = segment.address;
	return err;
}

FIXTURE_SETUP(blocked)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	self->edu = edu_registers(self->address);
	ASSERT_NE(MAP_FAILED, self->edu);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
	for (int i = 0; i < PAGES; i++)
		pattern_fill(self->p + i * PAGE, PAGE, i);
	ASSERT_EQ(0, window_open(self));
}

FIXTURE_TEARDOWN(blocked)
{
	munmap(self->p, LENGTH);
	munmap((void *)self->edu, PAGE);
	session_end(_metadata, &self->s);
}

/* Maps the target; its id and the address where the device finds it. */
static int target_map(FIXTURE_DATA(blocked) *self, uint32_t flags, uint32_t *id,
		      uint64_t *address)
{
	struct guestmem_map map = map_arg(self->fd, TARGET_LENGTH);
	struct guestmem_segment segment;
	int err;

	map.flags = flags;
	map.offset = TARGET;
	err = do_ioctl(self->s.device, GUESTMEM_MAP, &map);
	if (!err)
		err = edu_find(self->s.device, map.map_id, TARGET, &segment);
	if (err)
		return err;
	*id = map.map_id;
	*address = segment.address;
	return 0;
}

static int buffer_set(FIXTURE_DATA(blocked) *self, uint32_t seed)
{
	pattern_fill(self->p + WINDOW, BYTES, seed);
	return edu_load(self->edu, self->window, 0, BYTES);
}

static int buffer_get(FIXTURE_DATA(blocked) *self)
{
	memset(self->p + WINDOW, 0, BYTES);
	return edu_store(self->edu, 0, self->window, BYTES);
}

/* Has the device's write to an address changed anything that we have? */
static int write_lands(FIXTURE_DATA(blocked) *self, uint64_t address)
{
	uint8_t before[BEFORE];
	int err;

	memcpy(before, self->p, LENGTH);
	err = edu_store(self->edu, 0, address, BYTES);
	return err ? err : !!memcmp(before, self->p, LENGTH);
}

/* Has the device's read of an address given it what is at that offset? */
static int read_lands(FIXTURE_DATA(blocked) *self, uint64_t address,
		      uint64_t offset)
{
	int err = buffer_set(self, 50), same = 0;

	if (!err)
		err = edu_load(self->edu, address, 0, BYTES);
	if (!err)
		err = buffer_get(self);
	if (err)
		return err;
	for (int i = 0; i < BYTES; i++)
		same += self->p[WINDOW + i] == self->p[offset + i];
	/* A few bytes are the same by chance, whatever it has got. */
	return same == BYTES ? 1 : same < BYTES / 8 ? 0 : -EPROTO;
}

static int bus_master_set(const char *address, bool on)
{
	char path[ADDRESS_MAX + 64];
	uint16_t command;
	int fd, err = 0;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, &command, 2, PCI_COMMAND) != 2)
		return -EIO;
	command |= PCI_COMMAND_MEMORY;
	command &= ~PCI_COMMAND_MASTER;
	if (on)
		command |= PCI_COMMAND_MASTER;
	if (pwrite(fd, &command, 2, PCI_COMMAND) != 2)
		err = -EIO;
	close(fd);
	return err;
}

/* The others mean something: what is mapped, the device reaches. */
TEST_F(blocked, mapped_is_reached)
{
	uint64_t address;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	EXPECT_EQ(1, read_lands(self, address, TARGET));
	EXPECT_EQ(1, read_lands(self, address + PAGE, TARGET + PAGE));
	ASSERT_EQ(0, buffer_set(self, 51));
	EXPECT_EQ(1, write_lands(self, address + TARGET_LENGTH - BYTES));
	EXPECT_TRUE(pattern_is(self->p + TARGET + TARGET_LENGTH - BYTES, BYTES,
			       51));
}

/* Beside the range, and where the memory really is. */
TEST_F(blocked, outside)
{
	uint64_t address, other[6];
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	other[0] = address - BYTES;
	other[1] = address + TARGET_LENGTH;
	other[2] = physical(self->p);
	other[3] = physical(self->p + TARGET);
	other[4] = address + (UINT64_C(1) << 32);
	other[5] = address + (UINT64_C(1) << 47);
	ASSERT_NE(0, other[2]);
	ASSERT_NE(0, other[3]);
	ASSERT_EQ(0, buffer_set(self, 52));
	for (int i = 0; i < 6; i++) {
		EXPECT_EQ(0, write_lands(self, other[i]))
			TH_LOG("address %d", i);
	}
	EXPECT_EQ(0, read_lands(self, other[1], TARGET + TARGET_LENGTH));
	EXPECT_EQ(0, read_lands(self, other[2], 0));
}

/* A transfer that runs over the end: what is behind stays as it was. */
TEST_F(blocked, across_the_end)
{
	uint64_t address, end = TARGET + TARGET_LENGTH;
	uint8_t before[BEFORE];
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	ASSERT_EQ(0, buffer_set(self, 53));
	memcpy(before, self->p, LENGTH);
	ASSERT_EQ(0, edu_store(self->edu, 0,
			       address + TARGET_LENGTH - BYTES / 2, BYTES));
	EXPECT_EQ(0, memcmp(before, self->p, end - BYTES / 2));
	EXPECT_EQ(0, memcmp(before + end, self->p + end, LENGTH - end));
}

TEST_F(blocked, after_unmap)
{
	uint64_t address;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	ASSERT_EQ(0, buffer_set(self, 54));
	/* So that the IOMMU has the translation at hand. */
	ASSERT_EQ(1, write_lands(self, address));
	ASSERT_EQ(0, map_remove(self->s.device, id));
	pattern_fill(self->p + TARGET, PAGE, 2);
	EXPECT_EQ(0, write_lands(self, address));
	EXPECT_EQ(0, read_lands(self, address, TARGET));
}

/* The same with a transfer under way: it began when all was mapped. */
TEST_F(blocked, unmap_in_flight)
{
	uint8_t before[BEFORE];
	uint64_t address;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	ASSERT_EQ(0, buffer_set(self, 55));
	edu_start(self->edu, EDU_BUFFER, address, BYTES, EDU_TO_MEMORY);
	ASSERT_EQ(0, map_remove(self->s.device, id));
	memcpy(before, self->p, LENGTH);
	ASSERT_EQ(0, edu_wait(self->edu));
	EXPECT_EQ(0, memcmp(before, self->p, LENGTH));
}

TEST_F(blocked, read_only_map)
{
	uint64_t address;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ, &id, &address));
	EXPECT_EQ(1, read_lands(self, address, TARGET));
	ASSERT_EQ(0, buffer_set(self, 56));
	EXPECT_EQ(0, write_lands(self, address));
	EXPECT_EQ(0, write_lands(self, address + PAGE));
}

/*
 * Intel's IOMMU can have pages that may be written and not read, but 6.1 and
 * 6.12 set the bit that allows reads in each page they map; 7.3 does not.
 */
TEST_F(blocked, write_only_map)
{
	uint64_t address;
	uint32_t id;
	int reads;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_WRITE, &id, &address));
	reads = read_lands(self, address + PAGE, TARGET + PAGE);
	EXPECT_EQ(kernel_before(6, 13) ? 1 : 0, reads);
	ASSERT_EQ(0, buffer_set(self, 57));
	EXPECT_EQ(1, write_lands(self, address));
	EXPECT_TRUE(pattern_is(self->p + TARGET, BYTES, 57));
}

/* Two maps of the same memory are two: one does not go with the other. */
TEST_F(blocked, other_map_stays)
{
	uint64_t address[2];
	uint32_t id[2];

	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ |
					GUESTMEM_MAP_WRITE, &id[i],
					&address[i]));
	EXPECT_NE(address[0], address[1]);
	ASSERT_EQ(0, map_remove(self->s.device, id[0]));
	ASSERT_EQ(0, buffer_set(self, 58));
	EXPECT_EQ(0, write_lands(self, address[0]));
	EXPECT_EQ(1, write_lands(self, address[1]));
}

/*
 * The device is no master of its bus any more; and if somebody made it one, its
 * addresses lead nowhere.
 */
TEST_F(blocked, after_close)
{
	uint64_t address;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	ASSERT_EQ(0, buffer_set(self, 59));
	close(self->s.device);
	EXPECT_EQ(0, write_lands(self, address));
	ASSERT_EQ(0, bus_master_set(self->address, true));
	EXPECT_EQ(0, write_lands(self, address));
	EXPECT_EQ(0, bus_master_set(self->address, false));
	/* The device was well all the time. */
	ASSERT_FD(&self->s.device, device_open());
	ASSERT_EQ(0, window_open(self));
	EXPECT_EQ(0, buffer_get(self));
	EXPECT_TRUE(pattern_is(self->p + WINDOW, BYTES, 59));
}

TEST_F(blocked, after_unbind)
{
	uint64_t address;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	ASSERT_EQ(0, buffer_set(self, 60));
	ASSERT_EQ(0, device_unbind(self->address));
	EXPECT_EQ(0, bus_master_set(self->address, true));
	EXPECT_EQ(0, write_lands(self, address));
	EXPECT_EQ(0, bus_master_set(self->address, false));
	ASSERT_EQ(0, device_bind(self->address));
	close(self->s.device);
	ASSERT_FD(&self->s.device, device_open());
	ASSERT_EQ(0, window_open(self));
	EXPECT_EQ(0, buffer_get(self));
	EXPECT_TRUE(pattern_is(self->p + WINDOW, BYTES, 60));
}

/* A transfer that has begun does not end in memory that was taken away. */
TEST_F(blocked, unbind_in_flight)
{
	uint8_t before[BEFORE];
	uint64_t address;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
				&id, &address));
	ASSERT_EQ(0, buffer_set(self, 61));
	edu_start(self->edu, EDU_BUFFER, address, BYTES, EDU_TO_MEMORY);
	ASSERT_EQ(0, device_unbind(self->address));
	memcpy(before, self->p, LENGTH);
	sleep_ms(300);
	EXPECT_EQ(0, memcmp(before, self->p, LENGTH));
	EXPECT_EQ(0, device_bind(self->address));
}

/* The log leaves faults out that come soon after others: up to three tries. */
TEST_F_TIMEOUT(blocked, is_logged, 60)
{
	int log;
	uint64_t address;
	bool logged = false;
	uint32_t id;

	ASSERT_EQ(0, target_map(self, GUESTMEM_MAP_READ, &id, &address));
	ASSERT_FD(&log, fault_log_open());
	for (int i = 0; i < 3 && !logged; i++) {
		if (i)
			sleep_ms(6000);
		ASSERT_EQ(0, write_lands(self, address));
		logged = fault_log_has(log, address);
	}
	EXPECT_TRUE(logged);
}

TEST_HARNESS_MAIN
