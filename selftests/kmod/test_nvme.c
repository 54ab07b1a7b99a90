/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=nvme boot=nvme-noiommu lib */
/*
 * test_nvme.c - a guest's disk on a real NVMe controller, by DMA into the guest's memory
 * and by copies: data of all sizes, however it lies, is what it was.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "nvme_guest.h"

TEST_F(nvme, one_block)
{
	struct guest *g = &self->g;
	const struct gm_range from = { gm_gpa(0x10000), 512 }, to = { gm_gpa(0x20000), 512 };

	EXPECT_EQ(512, g->b->block_size);
	EXPECT_EQ(64 * MIB / 512, g->b->sectors);
	ASSERT_EQ(0, guest_fill(g, &from, 1, 1));
	ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, 7, &from, 1));
	ASSERT_EQ(0, guest_io(g, BACKEND_READ, 7, &to, 1));
	EXPECT_EQ(0, guest_find(g, &to, 1, 1));
	EXPECT_EQ(2, g->b->stats.requests);
	EXPECT_EQ(1024, g->b->stats.bytes);
	EXPECT_EQ(variant->bounce ? 1024 : 0, g->b->stats.copied);
}

TEST_HARNESS_MAIN
