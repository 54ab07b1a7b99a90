/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_unbind.c - the device node is for one open file; the device goes away
 * under it; the module cannot, and can when nobody uses it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (4 * MIB)

FIXTURE(device) {
	struct session s;
	char address[ADDRESS_MAX];
	int fd;
};

FIXTURE_SETUP(device)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
}

FIXTURE_TEARDOWN(device)
{
	session_end(_metadata, &self->s);
}

TEST_F(device, exclusive_open)
{
	pid_t pid;
	int copy;

	EXPECT_EQ(-EBUSY, device_open());
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(device_open() == -EBUSY ? 0 : 1);
	EXPECT_EQ(0, child_wait(pid));
	/* Open until the last copy of the descriptor has closed. */
	ASSERT_FD(&copy, dup(self->s.device));
	close(self->s.device);
	EXPECT_EQ(-EBUSY, device_open());
	close(copy);
	for (int i = 0; i < 4; i++) {
		ASSERT_FD(&copy, device_open());
		EXPECT_EQ(-EBUSY, device_open());
		close(copy);
	}
}

/* The last close takes all maps with it, and the next one starts without. */
TEST_F(device, close_unmaps)
{
	struct guestmem_region_info info;
	uint32_t id[4];

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id[i]));
	close(self->s.device);
	ASSERT_EQ(0, region_info(self->s.control, self->fd, &info));
	EXPECT_EQ(0, info.maps);
	ASSERT_FD(&self->s.device, device_open());
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(-ENOENT, map_remove(self->s.device, id[i]));
	EXPECT_EQ(0, region_revoke(self->s.control, self->fd));
}

/* Many maps that come and go leave no addresses behind. */
TEST_F(device, many_maps)
{
	struct guestmem_map map;
	uint32_t id[32];
	int fd;

	/* Longer than what the kernel keeps the addresses of. */
	ASSERT_FD(&fd, region_alloc(self->s.control, 16 * MIB));
	map = map_arg(fd, MIB / 2);
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < 32; i++) {
			map.offset = i * (MIB / 2);
			ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP,
					      &map));
			id[i] = map.map_id;
		}
		for (int i = 0; i < 32; i++)
			ASSERT_EQ(0, map_remove(self->s.device,
						id[i * 5 % 32]));
	}
}

TEST_F(device, unbind_while_mapped)
{
	struct guestmem_region_info info;
	struct counters now;
	uint32_t id, fresh;
	uint8_t *p;
	int other;

	p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	ASSERT_EQ(0, device_unbind(self->address));
	/* Its maps are gone, the region is not. */
	ASSERT_EQ(0, region_info(self->s.control, self->fd, &info));
	EXPECT_EQ(0, info.maps);
	p[0] = 1;
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_MAPS], now.value[COUNTER_MAPS]);
	EXPECT_EQ(self->s.before.value[COUNTER_DEVICES] - 1,
		  now.value[COUNTER_DEVICES]);
	EXPECT_EQ(-ENODEV, map_remove(self->s.device, id));
	EXPECT_EQ(-ENODEV, map_add(self->s.device, self->fd, LENGTH, &id));
	EXPECT_EQ(-ENOENT, device_open());

	/* Bound again, it is another one: both files are open now. */
	ASSERT_EQ(0, device_bind(self->address));
	ASSERT_FD(&other, device_open());
	ASSERT_EQ(0, map_add(other, self->fd, LENGTH, &fresh));
	EXPECT_EQ(-ENODEV, map_remove(self->s.device, fresh));
	/* The old file's end does nothing to the new one. */
	close(self->s.device);
	EXPECT_EQ(-EBUSY, device_open());
	EXPECT_EQ(0, map_remove(other, fresh));
	munmap(p, LENGTH);
}

/* From now on this process's children run only while it sleeps itself. */
static int come_first(void)
{
	const struct sched_param param = { .sched_priority = 1 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) ||
	    sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		return -errno;
	return 0;
}

/* In a process that has begun to: the node goes before the maps do. */
static pid_t unbind_begin(const char *address, int stale)
{
	const struct timespec shortly = { .tv_nsec = 20000 };
	char node[ADDRESS_MAX + 64];
	pid_t pid = fork();

	if (!pid) {
		close(stale);
		_exit(device_unbind(address) ? 1 : 0);
	}
	snprintf(node, sizeof(node), DEVICE_DIR "/%s", address);
	while (pid > 0 && !access(node, F_OK))
		nanosleep(&shortly, NULL);
	return pid;
}

/*
 * Many maps: of pieces longer than what the kernel keeps the addresses of, each
 * as often as its debugging lets pass.
 */
static int map_pieces(int device, int fd, uint64_t length)
{
	struct guestmem_map map = map_arg(fd, MIB / 2);
	int err = 0;

	for (int i = 0; i < 6; i++)
		for (map.offset = 0; !err && map.offset < length;
		     map.offset += MIB / 2)
			err = do_ioctl(device, GUESTMEM_MAP, &map);
	return err;
}

/*
 * Whoever has the device next may have it locked for long: here this driver
 * itself, which takes down many maps.
 */
TEST_F(device, gone_is_closed_at_once)
{
	struct guestmem_region_info info = { .maps = 0 };
	int stale = self->s.device, next = -1, fd;
	pid_t pid;

	ASSERT_EQ(0, come_first());
	ASSERT_FD(&fd, region_alloc(self->s.control, 64 * MIB));
	/* Again, for the case that it was too late all the same. */
	for (int i = 0; !info.maps && i < 10; i++) {
		ASSERT_EQ(0, device_unbind(self->address));
		ASSERT_EQ(0, device_bind(self->address));
		ASSERT_FD(&next, device_open());
		ASSERT_EQ(0, map_pieces(next, fd, 64 * MIB));
		pid = unbind_begin(self->address, stale);
		ASSERT_LT(0, pid);
		close(stale);
		ASSERT_EQ(0, region_info(self->s.control, fd, &info));
		ASSERT_EQ(0, child_wait(pid));
		ASSERT_EQ(0, device_bind(self->address));
		/* It is gone as well, and stale the next time. */
		stale = next;
	}
	EXPECT_LT(0, info.maps);
}

/* What a map asks for is no limit of the device's next driver. */
TEST_F(device, limits_are_put_back)
{
	struct guestmem_map map = map_arg(self->fd, PAGE);
	char path[ADDRESS_MAX + 64], bits[16];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/dma_mask_bits",
		 self->address);
	ASSERT_EQ(0, device_unbind(self->address));
	ASSERT_EQ(0, file_read(path, bits, sizeof(bits)));
	EXPECT_STREQ("32", bits);
	ASSERT_EQ(0, device_bind(self->address));
	close(self->s.device);
	ASSERT_FD(&self->s.device, device_open());
	map.address_bits = 24;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &map));
	ASSERT_EQ(0, file_read(path, bits, sizeof(bits)));
	EXPECT_STREQ("24", bits);
	ASSERT_EQ(0, device_unbind(self->address));
	ASSERT_EQ(0, file_read(path, bits, sizeof(bits)));
	EXPECT_STREQ("32", bits);
	EXPECT_EQ(0, device_bind(self->address));
}

TEST_F(device, unbind_while_nobody_looks)
{
	close(self->s.device);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, device_unbind(self->address));
		EXPECT_EQ(-ENOENT, device_open());
		ASSERT_EQ(0, device_bind(self->address));
		ASSERT_FD(&self->s.device, device_open());
		close(self->s.device);
	}
}

/* Without the module there are no counters: only before and after. */
FIXTURE(module) {
	struct counters before;
	char address[ADDRESS_MAX];
};

FIXTURE_SETUP(module)
{
	ASSERT_EQ(0, counters_read(&self->before));
	ASSERT_EQ(0, device_address(self->address));
}

FIXTURE_TEARDOWN(module)
{
	EXPECT_EQ(0, counters_settle(&self->before));
}

static int unload(void)
{
	return syscall(SYS_delete_module, "guestmem", O_NONBLOCK) ? -errno : 0;
}

/* Where the module is, for who loads it again. */
static int module_open(void)
{
	static const char * const path[] = {
		"guestmem.ko", "/guestmem.ko", "/modules/guestmem.ko",
		"/host/guestmem.ko",
	};
	const char *given = getenv("GUESTMEM_KO");
	int fd = -1;

	if (given)
		fd = open(given, O_RDONLY | O_CLOEXEC);
	for (int i = 0; fd < 0 && i < 4; i++)
		fd = open(path[i], O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

TEST_F(module, stays_while_used)
{
	int control, region, pinned, device;
	void *p, *anonymous;

	ASSERT_FD(&control, control_open());
	EXPECT_EQ(-EAGAIN, unload());
	ASSERT_FD(&region, region_alloc(control, LENGTH));
	anonymous = map_anonymous(LENGTH);
	ASSERT_NE(MAP_FAILED, anonymous);
	ASSERT_FD(&pinned, region_pin(control, anonymous, LENGTH));
	close(control);
	EXPECT_EQ(-EAGAIN, unload());
	close(pinned);
	EXPECT_EQ(-EAGAIN, unload());
	p = map_shared(region, LENGTH);
	ASSERT_NE(MAP_FAILED, p);
	close(region);
	EXPECT_EQ(-EAGAIN, unload());
	ASSERT_FD(&device, device_open());
	munmap(p, LENGTH);
	EXPECT_EQ(-EAGAIN, unload());
	/* A revoked region is a file still. */
	ASSERT_FD(&control, control_open());
	ASSERT_FD(&region, region_alloc(control, LENGTH));
	ASSERT_EQ(0, region_revoke(control, region));
	close(device);
	close(control);
	EXPECT_EQ(-EAGAIN, unload());
	close(region);
	munmap(anonymous, LENGTH);
}

TEST_F(module, can_be_reloaded)
{
	int module = module_open(), control, fd;

	if (module < 0)
		SKIP(return, "no guestmem.ko; GUESTMEM_KO= says where");
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, unload());
		EXPECT_EQ(-ENOENT, control_open());
		EXPECT_EQ(-ENOENT, device_open());
		EXPECT_NE(0, access("/sys/kernel/debug/guestmem", F_OK));
		ASSERT_EQ(0, syscall(SYS_finit_module, module, "", 0));
		ASSERT_EQ(0, device_bind(self->address));
		ASSERT_FD(&control, control_open());
		ASSERT_FD(&fd, region_alloc(control, LENGTH));
		close(fd);
		close(control);
	}
}

TEST_HARNESS_MAIN
