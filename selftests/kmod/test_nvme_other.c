/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict lib */
/*
 * test_nvme_other.c - the NVMe backend is given a device that is no NVMe controller: it
 * says so, and leaves the device alone.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "nvme_guest.h"

TEST(another_kind_of_device)
{
	struct guest g = { .b = NULL };
	struct backend *b = (void *)1;

	ASSERT_EQ(0, device_address(g.address));
	ASSERT_OK(gm_kmod_open(NULL, &g.module));
	ASSERT_OK(guest_memory(&g));
	EXPECT_EQ(-EMEDIUMTYPE, backend_nvme_open(g.module, g.address, g.map, 0, &b));
	EXPECT_EQ((void *)1, b);
	/* It is free for others. */
	EXPECT_EQ(0, close(device_open()));
	gm_map_put(g.map);
	gm_kmod_put(g.module);
}

TEST_HARNESS_MAIN
