/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_killed.c - processes that are killed, whatever they are about: nothing is
 * left behind, and no byte of a device's arrives afterwards.
 */
#define _GNU_SOURCE
#include <signal.h>
#include "kselftest_harness.h"
#include "edu.h"
#include "session.h"

#define LENGTH (4 * MIB)

/* What a child does until it is killed; it says when it has begun. */
static void alloc_for_ever(int ready)
{
	int control = control_open(), fd;

	for (;;) {
		fd = region_alloc(control, 96 * MIB);
		if (fd < 0 || write(ready, "", 1) < 0)
			_exit(1);
		close(fd);
	}
}

static void pin_for_ever(int ready)
{
	int control = control_open(), fd;
	void *p = map_anonymous(64 * MIB);

	memset(p, 1, 64 * MIB);
	for (;;) {
		fd = region_pin(control, p, 64 * MIB);
		if (fd < 0 || write(ready, "", 1) < 0)
			_exit(1);
		close(fd);
	}
}

static void map_for_ever(int ready)
{
	int device = device_open(), control = control_open(), fd;
	uint32_t id;

	fd = region_alloc(control, 16 * MIB);
	for (;;) {
		if (map_add(device, fd, 16 * MIB, &id) ||
		    write(ready, "", 1) < 0 || map_remove(device, id))
			_exit(1);
	}
}

static void stay_mapped(int ready)
{
	int device = device_open(), control = control_open(), fd;
	uint32_t id;

	for (int i = 0; i < 8; i++) {
		fd = region_alloc(control, LENGTH);
		if (map_add(device, fd, LENGTH, &id) ||
		    map_shared(fd, LENGTH) == MAP_FAILED)
			_exit(1);
		close(fd);
	}
	if (write(ready, "", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void revoke_for_ever(int ready)
{
	int control = control_open(), fd;

	for (;;) {
		fd = region_alloc(control, 16 * MIB);
		if (fd < 0 || map_shared(fd, 16 * MIB) == MAP_FAILED ||
		    write(ready, "", 1) < 0 || region_revoke(control, fd))
			_exit(1);
		close(fd);
	}
}

static void mmap_for_ever(int ready)
{
	int control = control_open(), fd = region_alloc(control, 64 * MIB);
	void *p;

	for (;;) {
		p = map_shared(fd, 64 * MIB);
		if (p == MAP_FAILED || write(ready, "", 1) < 0 ||
		    madvise(p, 64 * MIB, MADV_DONTNEED))
			_exit(1);
		memset(p, 1, 64 * MIB);
		munmap(p, 64 * MIB);
	}
}

static void query_for_ever(int ready)
{
	int device = device_open(), control = control_open();
	int fd = region_alloc(control, LENGTH);
	struct guestmem_segment segment;
	struct guestmem_query query;
	struct guestmem_sync sync;
	uint32_t id;

	if (map_add(device, fd, LENGTH, &id))
		_exit(1);
	for (;;) {
		query = query_arg(id, &segment, 1);
		sync = sync_arg(id, LENGTH);
		if (do_ioctl(device, GUESTMEM_QUERY, &query) ||
		    do_ioctl(device, GUESTMEM_SYNC, &sync) ||
		    write(ready, "", 1) < 0)
			_exit(1);
	}
}

/* The last close does the unmapping. */
static void close_for_ever(int ready)
{
	int control = control_open(), fd = region_alloc(control, 16 * MIB);
	uint32_t id;

	for (;;) {
		int device = device_open();

		for (int i = 0; i < 4; i++)
			if (map_add(device, fd, 16 * MIB, &id))
				_exit(1);
		if (write(ready, "", 1) < 0)
			_exit(1);
		close(device);
	}
}

FIXTURE(killed) {
	struct session s;
};

FIXTURE_VARIANT(killed) {
	void (*work)(int ready);
	int times;
};

FIXTURE_VARIANT_ADD(killed, alloc) { .work = alloc_for_ever, .times = 6 };
FIXTURE_VARIANT_ADD(killed, pin) { .work = pin_for_ever, .times = 6 };
FIXTURE_VARIANT_ADD(killed, map) { .work = map_for_ever, .times = 6 };
FIXTURE_VARIANT_ADD(killed, mapped) { .work = stay_mapped, .times = 2 };
FIXTURE_VARIANT_ADD(killed, revoke) { .work = revoke_for_ever, .times = 6 };
FIXTURE_VARIANT_ADD(killed, mmap) { .work = mmap_for_ever, .times = 6 };
FIXTURE_VARIANT_ADD(killed, query) { .work = query_for_ever, .times = 4 };
FIXTURE_VARIANT_ADD(killed, close) { .work = close_for_ever, .times = 6 };

FIXTURE_SETUP(killed)
{
	session_start(_metadata, &self->s, false);
}

FIXTURE_TEARDOWN(killed)
{
	session_end(_metadata, &self->s);
}

TEST_F_TIMEOUT(killed, nothing_is_left, 120)
{
	int ready[2];
	pid_t pid;
	char c;

	for (int i = 0; i < variant->times; i++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close(self->s.control);
			close(ready[0]);
			variant->work(ready[1]);
		}
		close(ready[1]);
		ASSERT_EQ(1, read(ready[0], &c, 1));
		/* At another point each time. */
		sleep_ms(i * 7);
		kill(pid, SIGKILL);
		EXPECT_EQ(-SIGKILL, child_wait(pid));
		close(ready[0]);
		EXPECT_EQ(0, counters_settle(&self->s.before));
	}
}

/* Starts a transfer into the region, which takes 100 ms to happen. */
static void start_dma(int region, int ready)
{
	struct guestmem_map map = map_arg(region, LENGTH);
	struct guestmem_segment segment;
	struct guestmem_query query;
	char address[ADDRESS_MAX];
	int device = device_open();
	volatile uint8_t *edu;

	map.address_bits = 32;
	if (device_address(address) || do_ioctl(device, GUESTMEM_MAP, &map))
		_exit(1);
	query = query_arg(map.map_id, &segment, 1);
	edu = edu_registers(address);
	if (do_ioctl(device, GUESTMEM_QUERY, &query) || edu == MAP_FAILED)
		_exit(2);
	edu_start(edu, EDU_BUFFER, segment.address, EDU_BYTES, EDU_TO_MEMORY);
	if (write(ready, "", 1) != 1)
		_exit(3);
	for (;;)
		pause();
}

/* With a transfer under way: once the process is gone, no byte arrives. */
TEST_F(killed, with_dma_in_flight)
{
	static uint8_t before[4096];
	int ready[2], region;
	uint8_t *p;
	pid_t pid;
	char c;

	if (variant->work != stay_mapped)
		return;
	ASSERT_FD(&region, region_alloc(self->s.control, LENGTH));
	p = map_shared(region, LENGTH);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0xab, LENGTH);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			start_dma(region, ready[1]);
		close(ready[1]);
		ASSERT_EQ(1, read(ready[0], &c, 1));
		kill(pid, SIGKILL);
		EXPECT_EQ(-SIGKILL, child_wait(pid));
		memcpy(before, p, sizeof(before));
		sleep_ms(300);
		EXPECT_EQ(0, memcmp(before, p, sizeof(before)));
		close(ready[0]);
	}
	munmap(p, LENGTH);
}

TEST_HARNESS_MAIN
