/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=unsafe */
/*
 * test_bridge.c - a device that is reset by the bridge above it. Of two that are
 * there one is taken out, so that the bridge can be used for that.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "config.h"
#include "bind.h"
#include "fault_log.h"
#include "session.h"

#define DEVICES "/sys/bus/pci/devices"
#define EDU_ID "0x11e8"

static bool is_edu(const char *address)
{
	char path[ADDRESS_MAX + 64], id[16];

	snprintf(path, sizeof(path), DEVICES "/%s/device", address);
	return !file_read(path, id, sizeof(id)) && !strcmp(id, EDU_ID);
}

/* On the bus of the root are those whose address begins so. */
static bool is_below_bridge(const char *address)
{
	return strncmp(address, "0000:00:", 8) != 0;
}

/* Addresses of the first two edu devices below a bridge; how many there are. */
static int edu_below_bridge(char address[2][ADDRESS_MAX])
{
	DIR *dir = opendir(DEVICES);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return 0;
	while (n < 2 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !is_edu(entry->d_name) ||
		    !is_below_bridge(entry->d_name))
			continue;
		snprintf(address[n++], ADDRESS_MAX, "%s", entry->d_name);
	}
	closedir(dir);
	return n;
}

FIXTURE(bridge) {
	struct session s;
	char address[2][ADDRESS_MAX];
	char node[ADDRESS_MAX + 64];
	int log[3];
};

/* What the device can be reset by is looked for anew. */
static int reset_methods(const char *address, char text[64])
{
	char path[ADDRESS_MAX + 64];
	int err;

	snprintf(path, sizeof(path), DEVICES "/%s/reset_method", address);
	err = file_write(path, "default");
	return err ? err : file_read(path, text, 64);
}

static int take_out(const char *address)
{
	char path[ADDRESS_MAX + 64];

	snprintf(path, sizeof(path), DEVICES "/%s/remove", address);
	return file_write(path, "1");
}

FIXTURE_SETUP(bridge)
{
	char methods[64];

	session_start(_metadata, &self->s, false);
	ASSERT_EQ(2, edu_below_bridge(self->address));
	ASSERT_EQ(0, take_out(self->address[1]));
	ASSERT_EQ(0, reset_methods(self->address[0], methods));
	ASSERT_STREQ("bus", methods);
	for (int i = 0; i < 3; i++)
		ASSERT_FD(&self->log[i], fault_log_open());
	ASSERT_EQ(0, file_write("/dev/kmsg", "<4>guestmem: test begins\n"));
	ASSERT_EQ(0, device_bind(self->address[0]));
	snprintf(self->node, sizeof(self->node), DEVICE_DIR "/%s",
		 self->address[0]);
}

/* The bridge was locked, and who opens and closes does not fill the log. */
FIXTURE_TEARDOWN(bridge)
{
	EXPECT_EQ(0, device_unbind(self->address[0]));
	EXPECT_TRUE(log_has(self->log[0], "guestmem: test begins", ""));
	EXPECT_FALSE(log_has(self->log[1], "unlocked", "bus reset"));
	EXPECT_FALSE(log_has(self->log[2], self->address[0], "reset"));
	EXPECT_EQ(0, file_write("/sys/bus/pci/rescan", "1"));
	session_end(_metadata, &self->s);
}

/* It is the same after it, also in what it must not do. */
TEST_F(bridge, resets)
{
	const char *address = self->address[0];
	int command, fd;

	for (int i = 0; i < 4; i++) {
		fd = open(self->node, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd);
		command = config_command(address);
		EXPECT_EQ(PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE,
			  command & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				     PCI_COMMAND_INTX_DISABLE));
		close(fd);
		EXPECT_EQ(command, config_command(address));
	}
}

/* Which bus is below the bridge above a device. */
static int bus_write(const char *address, uint8_t bus)
{
	char path[ADDRESS_MAX + 64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/../config", address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pwrite(fd, &bus, 1, PCI_SECONDARY_BUS);
	close(fd);
	return n == 1 ? 0 : -EIO;
}

/* What all ones in its configuration would say of it is not believed. */
TEST_F(bridge, pulled_out)
{
	const char *address = self->address[0];
	uint8_t bus = (uint8_t)strtoul(address + strlen("0000:"), NULL, 16);
	struct guestmem_device_info info;
	const int32_t none = -1;
	int fd, ret;

	fd = open(self->node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, device_info_get(fd, &info));
	EXPECT_EQ(1, info.interrupts);
	ASSERT_EQ(0, bus_write(address, 0));
	ret = device_info_get(fd, &info);
	EXPECT_EQ(-ERANGE, interrupts_set(fd, &none, 1));
	ASSERT_EQ(0, bus_write(address, bus));
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, info.interrupts);
	ASSERT_EQ(0, device_info_get(fd, &info));
	EXPECT_EQ(1, info.interrupts);
	close(fd);
}

TEST_HARNESS_MAIN
