/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict lib x86 */
/*
 * test_lib_driver.c - kmod_driver.h on a real device: which it is, its registers and
 * interrupts, and each error by its kind.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/eventfd.h>
#include "kselftest_harness.h"
#include "lib_dma.h"

static const struct gm_kmod_bar nothing = { .regs = (void *)1, .len = 77 };

TEST_F(dma, which_device)
{
	struct gm_kmod_device_info info = { .vendor = 7 };
	struct gm_kmod_info module;

	ASSERT_OK(gm_kmod_query(self->k, &module));
	EXPECT_TRUE(module.caps & GM_KMOD_CAP_REGISTERS);
	EXPECT_TRUE(module.caps & GM_KMOD_CAP_INTERRUPTS);
	ASSERT_OK(gm_kmod_device_query(self->dev, &info));
	EXPECT_EQ(0x1234, info.vendor);
	EXPECT_EQ(0x11e8, info.device);
	EXPECT_EQ(0x1af4, info.subsystem_vendor);
	EXPECT_EQ(0x1100, info.subsystem_device);
	EXPECT_EQ(0x00ff0010, info.class_revision);
	EXPECT_EQ(1, info.bars);
	EXPECT_EQ(1, info.interrupts);
	ASSERT_EQ(0, device_unbind(self->address));
	info.vendor = 7;
	EXPECT_FAIL_NAME(gm_kmod_device_query(self->dev, &info), ENODEV,
			 GM_ERR_NO_DEVICE, 0, 0, self->address);
	EXPECT_EQ(7, info.vendor);
	EXPECT_EQ(0, device_bind(self->address));
}

TEST_F(dma, registers)
{
	struct gm_kmod_bar bar = nothing;

	EXPECT_FAIL_NAME(gm_kmod_bar_map(self->dev, 1, &bar), ENOENT,
			 GM_ERR_OPTION, 0, 1, self->address);
	EXPECT_FAIL_NAME(gm_kmod_bar_map(self->dev, 6, &bar), EINVAL,
			 GM_ERR_OPTION, 0, 6, self->address);
	EXPECT_EQ(nothing.regs, bar.regs);
	EXPECT_EQ(nothing.len, bar.len);
	ASSERT_OK(gm_kmod_bar_map(self->dev, 0, &bar));
	EXPECT_EQ(MIB, bar.len);
	EXPECT_EQ(0x010000edU, edu_read32(bar.regs, EDU_IDENTITY));
	gm_kmod_bar_unmap(&bar);
	EXPECT_EQ(NULL, bar.regs);
	EXPECT_EQ(0, bar.len);
	gm_kmod_bar_unmap(&bar);
	ASSERT_EQ(0, device_unbind(self->address));
	EXPECT_FAIL_NAME(gm_kmod_bar_map(self->dev, 0, &bar), ENODEV,
			 GM_ERR_NO_DEVICE, 0, 0, self->address);
	EXPECT_EQ(0, device_bind(self->address));
}

TEST_F(dma, interrupts)
{
	int events[2] = { eventfd(0, EFD_CLOEXEC), -1 };
	struct pollfd p = { .fd = events[0], .events = POLLIN };
	struct gm_kmod_bar bar;
	int wrong[1] = { -7 };
	uint64_t n = 0;

	ASSERT_LE(0, events[0]);
	ASSERT_OK(gm_kmod_bar_map(self->dev, 0, &bar));
	EXPECT_FAIL_NAME(gm_kmod_device_interrupts(self->dev, events, 2),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS, 0, 2, self->address);
	EXPECT_FAIL_NAME(gm_kmod_device_interrupts(self->dev, wrong, 1), EBADF,
			 GM_ERR_OPTION, 0, 1, self->address);
	ASSERT_OK(gm_kmod_device_interrupts(self->dev, events, 1));
	EXPECT_FAIL_NAME(gm_kmod_device_interrupts(self->dev, events, 1), EBUSY,
			 GM_ERR_OPTION, 0, 1, self->address);
	edu_write32(bar.regs, EDU_IRQ_RAISE, 1);
	EXPECT_EQ(1, poll(&p, 1, 5000));
	EXPECT_EQ((ssize_t)sizeof(n), read(events[0], &n, sizeof(n)));
	EXPECT_EQ(1, n);
	ASSERT_OK(gm_kmod_device_interrupts(self->dev, NULL, 0));
	ASSERT_OK(gm_kmod_device_interrupts(self->dev, events, 1));
	gm_kmod_bar_unmap(&bar);
	ASSERT_EQ(0, device_unbind(self->address));
	EXPECT_FAIL_NAME(gm_kmod_device_interrupts(self->dev, NULL, 0), ENODEV,
			 GM_ERR_NO_DEVICE, 0, 0, self->address);
	EXPECT_EQ(0, device_bind(self->address));
}

TEST_HARNESS_MAIN
