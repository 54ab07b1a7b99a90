/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_pin_read.c - GUESTMEM_PIN for reading: the device reads what the process
 * goes on to see, of memory that has not been touched yet, beside memory that
 * the process itself may only read.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "edu.h"
#include "pattern.h"
#include "session.h"

/* In turn, an untouched private page and a shared one that is read-only. */
#define PAGES 8
#define LENGTH (PAGES * PAGE)

FIXTURE(pin_read) {
	struct session s;
	struct edu_map from;
	struct edu_map to;
	uint8_t *p;
	uint8_t *rom;
	uint8_t *copy;
};

static void add_rom(struct __test_metadata *_metadata, uint8_t *p, int file)
{
	for (int i = 1; i < PAGES; i += 2)
		ASSERT_EQ(p + i * PAGE,
			  mmap(p + i * PAGE, PAGE, PROT_READ,
			       MAP_SHARED | MAP_FIXED, file, i * PAGE));
}

FIXTURE_SETUP(pin_read)
{
	struct guestmem_map map = map_arg(-1, LENGTH);
	struct guestmem_pin pin;
	char address[ADDRESS_MAX];
	int file, fd;

	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(address));
	ASSERT_FD(&file, memfd_create("rom", MFD_CLOEXEC));
	ASSERT_EQ(0, ftruncate(file, LENGTH));
	self->rom = map_shared(file, LENGTH);
	ASSERT_NE(MAP_FAILED, self->rom);
	self->p = map_anonymous(LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
	add_rom(_metadata, self->p, file);
	pin = pin_arg(self->p, LENGTH);
	pin.flags = 0;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &pin));
	map.fd = pin.out_fd;
	map.flags = GUESTMEM_MAP_READ;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &map));
	self->from.edu = edu_registers(address);
	ASSERT_NE(MAP_FAILED, self->from.edu);
	self->from.device = self->s.device;
	self->to = self->from;
	self->from.id = map.map_id;

	ASSERT_FD(&fd, region_alloc(self->s.control, PAGE));
	self->copy = map_shared(fd, PAGE);
	ASSERT_NE(MAP_FAILED, self->copy);
	ASSERT_EQ(0, map_add(self->s.device, fd, PAGE, &self->to.id));
}

FIXTURE_TEARDOWN(pin_read)
{
	munmap(self->p, LENGTH);
	munmap(self->rom, LENGTH);
	munmap(self->copy, PAGE);
	munmap((void *)self->from.edu, PAGE);
	session_end(_metadata, &self->s);
}

TEST_F(pin_read, is_what_the_process_sees)
{
	struct guestmem_segment source, target;

	ASSERT_EQ(0, edu_find(self->s.device, self->to.id, 0, &target));
	for (int i = 0; i < PAGES; i++)
		pattern_fill((i % 2 ? self->rom : self->p) + i * PAGE,
			     EDU_BYTES, i);
	for (int i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, edu_find(self->s.device, self->from.id, i * PAGE,
				      &source));
		ASSERT_EQ(0, edu_load(self->from.edu, source.address, 0,
				      EDU_BYTES));
		ASSERT_EQ(0, edu_store(self->to.edu, 0, target.address,
				       EDU_BYTES));
		EXPECT_TRUE(pattern_is(self->p + i * PAGE, EDU_BYTES, i));
		EXPECT_TRUE(pattern_is(self->copy, EDU_BYTES, i))
			TH_LOG("page %d", i);
	}
}

TEST_HARNESS_MAIN
