/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_pci.c - what a device may do: it is never switched on to interrupt, since
 * nobody would answer; and it is master of its bus from its first map to its
 * close, but not while the system sleeps.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "config.h"
#include "edu.h"
#include "pattern.h"
#include "session.h"

#define LENGTH (8 * PAGE)
#define BITS (PCI_COMMAND_INTX_DISABLE | PCI_COMMAND_MASTER)
#define SILENT PCI_COMMAND_INTX_DISABLE

FIXTURE(pci) {
	struct session s;
	char address[ADDRESS_MAX];
	int fd;
};

FIXTURE_SETUP(pci)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
}

FIXTURE_TEARDOWN(pci)
{
	session_end(_metadata, &self->s);
}

#define EXPECT_BITS(bits) \
	EXPECT_EQ(bits, config_command(self->address) & BITS)

TEST_F(pci, neither_interrupts_nor_is_master)
{
	uint32_t id;

	for (int i = 0; i < 3; i++) {
		EXPECT_BITS(SILENT);
		ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
		EXPECT_BITS(BITS);
		ASSERT_EQ(0, map_remove(self->s.device, id));
		EXPECT_BITS(BITS);
		close(self->s.device);
		EXPECT_BITS(SILENT);
		ASSERT_FD(&self->s.device, device_open());
	}
}

/* Also when nobody has opened it yet. */
TEST_F(pci, is_silent_when_bound)
{
	close(self->s.device);
	ASSERT_EQ(0, device_unbind(self->address));
	ASSERT_EQ(0, device_bind(self->address));
	EXPECT_BITS(SILENT);
}

/* As far as the firmware: then it wakes again. */
static int sleep_and_wake(void)
{
	int err, woken;

	file_write("/sys/module/suspend/parameters/pm_test_delay", "1");
	err = file_write("/sys/power/pm_test", "platform");
	if (err)
		return err;
	err = file_write("/sys/power/state", "freeze");
	woken = file_write("/sys/power/pm_test", "none");
	return err ? err : woken;
}

TEST_F(pci, sleeps_and_wakes)
{
	struct edu_map edu = { .device = self->s.device };
	uint8_t *p;

	if (access("/sys/power/pm_test", W_OK))
		SKIP(return, "no /sys/power/pm_test in this kernel");
	p = map_shared(self->fd, LENGTH);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, sleep_and_wake());
	EXPECT_BITS(SILENT);
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &edu.id));
	ASSERT_EQ(0, sleep_and_wake());
	EXPECT_BITS(BITS);
	edu.edu = edu_registers(self->address);
	ASSERT_NE(MAP_FAILED, edu.edu);
	pattern_fill(p, EDU_BYTES, 1);
	EXPECT_EQ(0, edu_copy(&edu, 0, PAGE, EDU_BYTES));
	EXPECT_TRUE(pattern_is(p + PAGE, EDU_BYTES, 1));
	munmap((void *)edu.edu, PAGE);
	munmap(p, LENGTH);
}

TEST_HARNESS_MAIN
