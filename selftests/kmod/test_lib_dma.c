/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict lib */
/*
 * test_lib_dma.c - the library and a real device: guest addresses turned into
 * the device's without a system call, what it moves, and its end. Maps:
 * test_lib_map.c; memory itself: test_lib_region.c.
 */
#define _GNU_SOURCE
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "kselftest_harness.h"
#include "lib_dma.h"
#include "pattern.h"

TEST_F(dma, one_process_has_the_device)
{
	struct gm_kmod_device *d;

	EXPECT_STREQ(self->address, gm_kmod_device_name(self->dev));
	EXPECT_FAIL_NAME(gm_kmod_device_open(self->address, 0, &d), EBUSY,
			 GM_ERR_IO, 0, 0, self->address);
	EXPECT_FAIL_NAME(gm_kmod_device_open("ffff:ff:1f.7", 0, &d), ENOENT,
			 GM_ERR_NO_DEVICE, 0, 0, "ffff:ff:1f.7");
	EXPECT_EQ(self->dev, gm_kmod_device_get(self->dev));
	gm_kmod_device_put(self->dev);
}

/* Each byte of each region: where the kernel said its map has it. */
TEST_F(dma, each_address)
{
	struct gm_dma_seg seg;
	uint64_t a, at;

	for (int i = 0; i < BARE; i++) {
		enum gm_perm p = i == ROM ? GM_PERM_READ : GM_PERM_RW;

		/* An IOMMU makes one piece of a region. */
		ASSERT_EQ(1, gm_dma_segments(self->d, gm_gpa(AT(i)), LENGTH, p,
					     &seg, 1));
		EXPECT_EQ(LENGTH, seg.len);
		for (at = 0; at < LENGTH; at += 513) {
			ASSERT_OK(gm_dma_address(self->d, gm_gpa(AT(i) + at), 1,
						 p, &a));
			ASSERT_EQ(seg.address + at, a);
		}
	}
	EXPECT_FAIL_NAME(gm_dma_address(self->d, gm_gpa(AT(BARE)), 8,
					GM_PERM_READ, &a),
			 ENOENT, GM_ERR_NO_DMA, AT(BARE), 8, self->address);
	EXPECT_FAIL_NAME(gm_dma_address(self->d, gm_gpa(AT(ROM)), 8,
					GM_PERM_WRITE, &a),
			 EACCES, GM_ERR_PERMISSION, AT(ROM), 8, self->address);
	EXPECT_FAIL(gm_dma_address(self->d, gm_gpa(AT(N)), 8, GM_PERM_READ, &a),
		    EFAULT, GM_ERR_GUEST_ADDR, AT(N), 0, 0, 0);
}

/*
 * A guest's request: a list of guest ranges that the device is to read, one
 * that it is to write. What the device copied is in guest memory, and dirty.
 */
TEST_F(dma, device_serves_a_request)
{
	const struct gm_range from = { gm_gpa(AT(PINNED) - 100), 200 };
	const struct gm_range to = { gm_gpa(AT(PINNED) + PAGE - 50), 200 };
	volatile uint8_t *edu = edu_registers(self->address);
	struct gm_dma_seg in[4], out[4];
	struct gm_iov_cursor c;
	uint8_t data[200], back[200];
	uint64_t bytes, at = 0;
	struct gm_view view;
	int n, i;

	ASSERT_NE(MAP_FAILED, edu);
	pattern_fill(data, sizeof(data), 3);
	gm_view_init(&view, self->m);
	ASSERT_OK(gm_view_write(&view, from.gpa, data, 200));
	gm_bitmap_reset(gm_region_bitmap(self->r[ANON]));
	gm_bitmap_reset(gm_region_bitmap(self->r[PINNED]));

	ASSERT_OK(gm_iov_init(&c, &from, 1));
	n = gm_dma_extract(self->d, &c, GM_PERM_READ, UINT64_MAX, in, 4,
			   &bytes);
	ASSERT_LE(1, n);
	EXPECT_EQ(200, bytes);
	for (i = 0; i < n; at += in[i++].len)
		ASSERT_EQ(0, edu_load(edu, in[i].address, at, in[i].len));
	ASSERT_OK(gm_iov_init(&c, &to, 1));
	n = gm_dma_extract(self->d, &c, GM_PERM_WRITE, UINT64_MAX, out, 4,
			   &bytes);
	ASSERT_EQ(1, n);
	ASSERT_EQ(0, edu_store(edu, 0, out[0].address, 200));
	ASSERT_OK(gm_dma_sync(self->d, to.gpa, 200, GM_DMA_FOR_CPU));
	ASSERT_OK(gm_view_read(&view, to.gpa, back, 200));
	EXPECT_EQ(0, memcmp(data, back, 200));
	EXPECT_FALSE(gm_bitmap_test(gm_region_bitmap(self->r[ANON]),
				    LENGTH - 1));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(self->r[PINNED]), 0));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(self->r[PINNED]), PAGE));
	EXPECT_FALSE(gm_bitmap_test(gm_region_bitmap(self->r[PINNED]),
				    2 * PAGE));
	munmap((void *)edu, PAGE);
}

/* Strict seccomp leaves read, write, exit, and death for anything else. */
static int look_up_without_system_calls(struct gm_dma *d)
{
	const struct gm_range list[] = {
		{ gm_gpa(AT(PINNED) - 8), 16 }, { gm_gpa(AT(ANON)), 8 },
	};
	struct gm_dma_seg segs[8];
	struct gm_iov_cursor c;
	uint64_t a, bytes;
	int bad = 0;

	if (gm_iov_init(&c, list, 2) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 2;
	bad |= gm_dma_address(d, gm_gpa(AT(ANON)), PAGE, GM_PERM_RW, &a);
	bad |= gm_dma_address(d, gm_gpa(AT(BARE)), 1, GM_PERM_RW, &a) !=
	       -ENOENT;
	bad |= gm_dma_segments(d, gm_gpa(AT(ANON)), 2 * LENGTH, GM_PERM_WRITE,
			       segs, 8) < 1;
	bad |= gm_dma_extract(d, &c, GM_PERM_WRITE, UINT64_MAX, segs, 8,
			      &bytes) < 1;
	bad |= bytes != 24;
	bad |= gm_dma_sync(d, gm_gpa(AT(ANON)), PAGE, GM_DMA_FOR_CPU);
	return bad ? 1 : 0;
}

TEST_F(dma, no_system_call)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		syscall(SYS_exit, look_up_without_system_calls(self->d));
	EXPECT_EQ(0, child_wait(pid));
}

TEST_F(dma, sync)
{
	uint64_t a;

	/* Coherent: nothing is done; and nothing is in the way of doing it. */
	EXPECT_EQ(0, gm_dma_sync(self->d, gm_gpa(0), LENGTH, GM_DMA_FOR_CPU));
	EXPECT_EQ(0, gm_dma_sync(self->d, gm_gpa(0), LENGTH,
				 GM_DMA_FOR_DEVICE));
	ASSERT_OK(gm_dma_address(self->d, gm_gpa(0), 1, GM_PERM_RW, &a));
}

/* The device is taken away: what is mapped is gone, and nothing crashes. */
TEST_F(dma, unbound)
{
	struct gm_dma_map *m = (void *)1;
	struct gm_kmod_device *d;
	struct gm_map *less;
	uint64_t a;

	EXPECT_EQ(0, gm_kmod_device_check(self->dev));
	ASSERT_EQ(0, device_unbind(self->address));
	EXPECT_FAIL_NAME(gm_kmod_device_check(self->dev), ENODEV,
			 GM_ERR_NO_DEVICE, 0, 0, self->address);
	/* Looking up asks nobody. */
	ASSERT_OK(gm_dma_address(self->d, gm_gpa(0), 1, GM_PERM_RW, &a));
	EXPECT_FAIL_NAME(gm_kmod_map_new(self->dev, self->r[ANON], gm_roff(0),
					 LENGTH, GM_PERM_RW, &m),
			 ENODEV, GM_ERR_NO_DEVICE, 0, 0, self->address);
	EXPECT_FAIL_NAME(gm_kmod_device_open(self->address, 0, &d), ENOENT,
			 GM_ERR_NO_DEVICE, 0, 0, self->address);
	gm_dma_put(self->d);
	self->d = NULL;
	ASSERT_OK(gm_map_remove(self->m, gm_gpa(0), LENGTH, &less, NULL));
	gm_map_put(less);
	gm_kmod_device_put(self->dev);
	self->dev = NULL;
	ASSERT_EQ(0, device_bind(self->address));
	EXPECT_EQ((void *)1, m);
}

TEST_HARNESS_MAIN
