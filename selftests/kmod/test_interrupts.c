/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 x86 */
/*
 * test_interrupts.c - a device's interrupts signal eventfds: each one once, until
 * they are ended, whoever ends them.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include "kselftest_harness.h"
#include "config.h"
#include "edu.h"
#include "session.h"

/* How long an interrupt may take; how long to look for one that must not come. */
#define SOON_MS 5000
#define NEVER_MS 200

FIXTURE(interrupts) {
	struct session s;
	char address[ADDRESS_MAX];
	volatile uint8_t *edu;
	int fd, event;
	uint32_t id;
};

static volatile uint8_t *registers_map(int device)
{
	struct guestmem_bar bar;

	if (bar_get(device, 0, &bar))
		return MAP_FAILED;
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		    (off_t)bar.offset);
}

FIXTURE_SETUP(interrupts)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_FD(&self->fd, region_alloc(self->s.control, PAGE));
	/* A message is a write of the device's, which it may do after this. */
	ASSERT_EQ(0, map_add(self->s.device, self->fd, PAGE, &self->id));
	self->edu = registers_map(self->s.device);
	ASSERT_NE(MAP_FAILED, self->edu);
	ASSERT_FD(&self->event, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

FIXTURE_TEARDOWN(interrupts)
{
	if (self->edu)
		munmap((void *)self->edu, PAGE);
	session_end(_metadata, &self->s);
}

static void raise_one(volatile uint8_t *edu)
{
	edu_write32(edu, EDU_IRQ_RAISE, 1);
	edu_write32(edu, EDU_IRQ_ACK, 1);
}

/* How often it was signalled, within that time for the first one. */
static uint64_t signalled(int event, int ms)
{
	struct pollfd p = { .fd = event, .events = POLLIN };
	uint64_t n = 0;

	if (poll(&p, 1, ms) == 1 && read(event, &n, sizeof(n)) < 0)
		n = 0;
	return n;
}

TEST_F(interrupts, each_one_once)
{
	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	EXPECT_EQ(0, signalled(self->event, NEVER_MS));
	for (int i = 0; i < 10; i++) {
		raise_one(self->edu);
		ASSERT_EQ(1, signalled(self->event, SOON_MS));
	}
	EXPECT_EQ(0, signalled(self->event, 0));
}

/* A driver that never looks is no harm: they are counted. */
TEST_F(interrupts, are_counted)
{
	uint64_t n = 0;

	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	for (int i = 0; i < 10; i++) {
		raise_one(self->edu);
		sleep_ms(20);
	}
	for (int i = 0; i < 100 && n < 10; i++) {
		n += signalled(self->event, 0);
		sleep_ms(20);
	}
	EXPECT_EQ(10, n);
}

TEST_F(interrupts, of_a_transfer)
{
	struct guestmem_segment segment;

	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	ASSERT_EQ(0, edu_find(self->s.device, self->id, 0, &segment));
	/* 4: and an interrupt when it is done. */
	edu_start(self->edu, EDU_BUFFER, segment.address, 16,
		  EDU_TO_MEMORY | 4);
	EXPECT_EQ(1, signalled(self->event, SOON_MS));
	EXPECT_EQ(0x100, edu_read32(self->edu, EDU_IRQ_STATUS));
}

/* No eventfd is signalled after the call; the caller's own stays open. */
TEST_F(interrupts, end_and_begin)
{
	int other;

	ASSERT_FD(&other, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	ASSERT_EQ(0, interrupts_set(self->s.device, NULL, 0));
	raise_one(self->edu);
	EXPECT_EQ(0, signalled(self->event, NEVER_MS));
	EXPECT_EQ(0, interrupts_set(self->s.device, NULL, 0));
	ASSERT_EQ(0, interrupts_set(self->s.device, &other, 1));
	raise_one(self->edu);
	EXPECT_EQ(1, signalled(other, SOON_MS));
	EXPECT_EQ(0, signalled(self->event, 0));
}

/* Nobody answers the interrupt line: it is off, before messages and after them. */
TEST_F(interrupts, leave_the_line_off)
{
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(PCI_COMMAND_INTX_DISABLE,
			  config_command(self->address) & PCI_COMMAND_INTX_DISABLE);
		ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
		ASSERT_EQ(0, interrupts_set(self->s.device, NULL, 0));
	}
}

TEST_F(interrupts, not_wanted)
{
	const int32_t none = -1;

	ASSERT_EQ(0, interrupts_set(self->s.device, &none, 1));
	raise_one(self->edu);
	EXPECT_EQ(0, signalled(self->event, NEVER_MS));
}

/* The eventfd is kept when its descriptor is closed, and let go in the end. */
TEST_F(interrupts, descriptor_is_the_callers)
{
	int copy;

	ASSERT_FD(&copy, dup(self->event));
	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	close(self->event);
	raise_one(self->edu);
	EXPECT_EQ(1, signalled(copy, SOON_MS));
}

TEST_F(interrupts, refused)
{
	int32_t fds[2] = { self->event, self->event };
	struct guestmem_interrupts arg = interrupts_arg(fds, 2);

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_INTERRUPTS, &arg)
	REFUSED(ERANGE);
	arg.count = 2049;
	REFUSED(ERANGE);
	arg.count = UINT32_MAX;
	REFUSED(ERANGE);
	arg.count = 1;
	arg.fds = 8;
	REFUSED(EFAULT);
	arg.fds = to_user(fds);
	fds[0] = 1000;
	REFUSED(EBADF);
	fds[0] = -2;
	REFUSED(EBADF);
	fds[0] = self->s.control;
	REFUSED(EINVAL);
	fds[0] = self->event;
	ASSERT_EQ(0, interrupts_set(self->s.device, fds, 1));
	REFUSED(EBUSY);
	/* What there was is as it was. */
	raise_one(self->edu);
	EXPECT_EQ(1, signalled(self->event, SOON_MS));
	ASSERT_EQ(0, device_unbind(self->address));
	REFUSED(ENODEV);
	arg.count = 0;
	REFUSED(ENODEV);
	ASSERT_EQ(0, device_bind(self->address));
#undef REFUSED
}

/* How many lines of /proc/interrupts are the module's. */
static int lines(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[4096];
	int n = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, "guestmem-");
	fclose(f);
	return n;
}

TEST_F(interrupts, end_with_the_file)
{
	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	EXPECT_EQ(1, lines());
	munmap((void *)self->edu, PAGE);
	self->edu = NULL;
	close(self->s.device);
	EXPECT_EQ(0, lines());
	ASSERT_FD(&self->s.device, device_open());
	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	EXPECT_EQ(1, lines());
}

TEST_F(interrupts, end_with_the_device)
{
	ASSERT_EQ(0, interrupts_set(self->s.device, &self->event, 1));
	ASSERT_EQ(0, device_unbind(self->address));
	EXPECT_EQ(0, lines());
	ASSERT_EQ(0, device_bind(self->address));
	EXPECT_EQ(0, signalled(self->event, 0));
}

TEST_F(interrupts, end_with_the_process)
{
	int ready[2];
	pid_t pid;
	char c;

	munmap((void *)self->edu, PAGE);
	self->edu = NULL;
	close(self->s.device);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int device = device_open();

		if (interrupts_set(device, &self->event, 1) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	EXPECT_EQ(1, lines());
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, child_wait(pid));
	for (int i = 0; i < 100 && lines(); i++)
		sleep_ms(20);
	EXPECT_EQ(0, lines());
	ASSERT_FD(&self->s.device, device_open());
}

TEST_HARNESS_MAIN
