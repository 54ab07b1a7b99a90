/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_processes.c - a device and a region that several processes have: one
 * made the region, another one drives the device, both see the memory.
 */
#define _GNU_SOURCE
#include <signal.h>
#include "kselftest_harness.h"
#include "edu.h"
#include "pattern.h"
#include "session.h"

#define LENGTH (4 * MIB)
#define EXEC "GUESTMEM_TEST_EXEC"
#define CHILDREN 4
#define ROUNDS 40

/* What this program is after an exec: it waits until it is killed. */
static void __attribute__((constructor)) after_exec(void)
{
	const char *ready = getenv(EXEC);

	if (!ready)
		return;
	if (write(atoi(ready), "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

FIXTURE(processes) {
	struct session s;
	char address[ADDRESS_MAX];
	int fd;
	uint8_t *p;
};

FIXTURE_SETUP(processes)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
}

FIXTURE_TEARDOWN(processes)
{
	munmap(self->p, LENGTH);
	session_end(_metadata, &self->s);
}

static int maps(int control, int fd)
{
	struct guestmem_region_info info;
	int err = region_info(control, fd, &info);

	return err ? err : (int)info.maps;
}

/* Within 32 bits, so that a 32-bit program can give the device an address. */
static int map_low(int device, int fd, uint32_t *id)
{
	struct guestmem_map arg = map_arg(fd, LENGTH);
	int err;

	arg.address_bits = 32;
	err = do_ioctl(device, GUESTMEM_MAP, &arg);
	*id = arg.map_id;
	return err;
}

/* The process with the device has no mapping of the memory at all. */
static int drive(int device, int fd, const char *address)
{
	struct edu_map map = {
		.edu = edu_registers(address), .device = device,
	};

	if (map.edu == MAP_FAILED || map_low(device, fd, &map.id))
		return 200;
	close(fd);
	return -edu_copy(&map, 100, HUGE + 7, EDU_BYTES);
}

TEST_F(processes, one_drives_for_the_other)
{
	pid_t pid;

	pattern_fill(self->p, LENGTH, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(drive(self->s.device, self->fd, self->address));
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, memcmp(self->p + 100, self->p + HUGE + 7, EDU_BYTES));
	/* The child's map is the device's: it goes with the last close. */
	EXPECT_EQ(1, maps(self->s.control, self->fd));
	close(self->s.device);
	EXPECT_EQ(0, maps(self->s.control, self->fd));
}

/* The one that has opened it closes first: it stays open for the other one. */
TEST_F(processes, device_goes_with_the_last)
{
	int go[2], ready[2];
	pid_t pid;
	char c = 0;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int err;

		if (read(go[0], &c, 1) != 1)
			_exit(100);
		err = drive(self->s.device, self->fd, self->address);
		if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(101);
		_exit(err);
	}
	pattern_fill(self->p, LENGTH, 2);
	close(self->s.device);
	EXPECT_EQ(-EBUSY, device_open());
	ASSERT_EQ(1, write(go[1], &c, 1));
	ASSERT_EQ(1, read(ready[0], &c, 1));
	EXPECT_EQ(0, memcmp(self->p + 100, self->p + HUGE + 7, EDU_BYTES));
	EXPECT_EQ(1, maps(self->s.control, self->fd));
	EXPECT_EQ(-EBUSY, region_revoke(self->s.control, self->fd));
	ASSERT_EQ(1, write(go[1], &c, 1));
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, maps(self->s.control, self->fd));
	EXPECT_EQ(0, region_revoke(self->s.control, self->fd));
}

/* A device file, its maps and its mappings do not get through an exec. */
TEST_F(processes, exec_closes_the_device)
{
	int ready[2];
	pid_t pid;
	char c;

	close(self->s.device);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int device = device_open();
		uint32_t id;
		char text[16];

		if (device < 0 || map_low(device, self->fd, &id))
			_exit(1);
		snprintf(text, sizeof(text), "%d", ready[1]);
		setenv(EXEC, text, 1);
		execl("/proc/self/exe", "after_exec", NULL);
		_exit(2);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	EXPECT_EQ(0, maps(self->s.control, self->fd));
	EXPECT_FALSE(kill(pid, 0));
	ASSERT_FD(&self->s.device, device_open());
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, child_wait(pid));
}

/* Maps, asks and unmaps, while others do the same on the same open file. */
static int map_and_unmap(int device, int fd, int child)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct guestmem_map arg = map_arg(fd, LENGTH / CHILDREN);
		struct guestmem_segment segment;

		arg.offset = child * (LENGTH / CHILDREN);
		if (do_ioctl(device, GUESTMEM_MAP, &arg))
			return 1;
		if (edu_find(device, arg.map_id, arg.offset + 5, &segment) ||
		    segment.offset != arg.offset + 5)
			return 2;
		if (map_remove(device, arg.map_id))
			return 3;
		/* Nobody else has got that number meanwhile. */
		if (map_remove(device, arg.map_id) != -ENOENT)
			return 4;
	}
	return 0;
}

TEST_F_TIMEOUT(processes, all_at_once, 60)
{
	pid_t pid[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i])
			_exit(map_and_unmap(self->s.device, self->fd, i));
	}
	for (int i = 0; i < CHILDREN; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
	EXPECT_EQ(0, maps(self->s.control, self->fd));
}

TEST_HARNESS_MAIN
