/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_pin_file.c - GUESTMEM_PIN of a mapping of what is written back to a disk:
 * the kernel's own rule, which is another one since 6.5.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "disk.h"
#include "session.h"

#define LENGTH (8 * PAGE)

FIXTURE(file) {
	struct session s;
	struct guestmem_pin arg;
	int disk;
};

FIXTURE_SETUP(file)
{
	session_start(_metadata, &self->s, false);
	self->disk = disk_open();
	ASSERT_LE(0, self->disk);
}

FIXTURE_TEARDOWN(file)
{
	close(self->disk);
	session_end(_metadata, &self->s);
}

/* Nobody would tell the file system what a device writes. */
TEST_F(file, shared)
{
	void *p = map_shared(self->disk, LENGTH);
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	self->arg = pin_arg(p, LENGTH);
	if (kernel_before(6, 5)) {
		ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg));
		fd = self->arg.out_fd;
		printf("# table: PIN-for-writing-of-a-disk works\n");
	} else {
		EXPECT_REFUSED(EFAULT, self->s.control, GUESTMEM_PIN, &self->arg);
		printf("# table: PIN-for-writing-of-a-disk EFAULT\n");
		self->arg.flags = 0;
		ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg));
		fd = self->arg.out_fd;
	}
	munmap(p, LENGTH);
	close(fd);
}

/* Copies of the caller's own, once they are written. */
TEST_F(file, private)
{
	uint8_t *p = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  self->disk, 0);

	ASSERT_NE(MAP_FAILED, p);
	self->arg = pin_arg(p, LENGTH);
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg));
	munmap(p, LENGTH);
}

TEST_HARNESS_MAIN
