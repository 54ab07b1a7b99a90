/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_users_vfio.c - VFIO's type1 IOMMU maps a region's mmap, and a device that
 * VFIO serves moves bytes out of it and into it.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "users.h"
#include "vfio.h"

#define LENGTH (4 * MIB)
#define IOVA UINT64_C(0x10000000)

FIXTURE(vfio) {
	struct users u;
	struct vfio v;
};

FIXTURE_SETUP(vfio)
{
	users_start(_metadata, &self->u, LENGTH);
	ASSERT_EQ(0, vfio_open(&self->v));
}

FIXTURE_TEARDOWN(vfio)
{
	EXPECT_EQ(0, vfio_close(&self->v));
	users_end(_metadata, &self->u);
}

/* Over the border between two huge pages, and at the region's end. */
TEST_F(vfio, dma)
{
	uint8_t *p = self->u.p, *copy = malloc(LENGTH);
	const uint64_t from = HUGE - 1000, to = LENGTH - EDU_BYTES;
	volatile uint8_t *edu = self->v.edu;

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, vfio_map(&self->v, p, LENGTH, IOVA))
		result("vfio-type1", "FAILED: map");
	pattern_fill(p, LENGTH, 1);
	memcpy(copy, p, LENGTH);
	ASSERT_EQ(0, edu_load(edu, IOVA + from, 0, EDU_BYTES));
	EXPECT_EQ(0, memcmp(copy, p, LENGTH));
	ASSERT_EQ(0, edu_store(edu, 0, IOVA + to, EDU_BYTES));
	memcpy(copy + to, copy + from, EDU_BYTES);
	EXPECT_EQ(0, memcmp(copy, p, LENGTH));
	ASSERT_EQ(0, vfio_unmap(&self->v, LENGTH, IOVA));
	/* Nothing arrives after that. */
	ASSERT_EQ(0, edu_store(edu, 0, IOVA, EDU_BYTES));
	EXPECT_EQ(0, memcmp(copy, p, LENGTH));
	free(copy);
	result("vfio-type1", "works: DMA both ways");
}

/*
 * VFIO holds the pages as any user of pinned memory does: the region may go
 * first, and the device still writes to memory that nobody else has been given.
 */
TEST_F(vfio, region_goes_first)
{
	uint8_t *other;
	int fd;

	ASSERT_EQ(0, vfio_map(&self->v, self->u.p, LENGTH, IOVA));
	munmap(self->u.p, LENGTH);
	close(self->u.fd);
	/* The same amount again, which would be the same memory. */
	ASSERT_FD(&fd, region_alloc(self->u.s.control, LENGTH));
	other = map_shared(fd, LENGTH);
	ASSERT_NE(MAP_FAILED, other);
	for (uint64_t at = 0; at < LENGTH; at += LENGTH / 4)
		ASSERT_EQ(0, edu_store(self->v.edu, 0, IOVA + at, 64));
	memset(other, 0x5a, LENGTH);
	for (uint64_t at = 0; at < LENGTH; at += LENGTH / 4)
		ASSERT_EQ(0, edu_store(self->v.edu, 0, IOVA + at, 64));
	for (uint64_t at = 0; at < LENGTH; at++)
		ASSERT_EQ(0x5a, other[at]);
	ASSERT_EQ(0, vfio_unmap(&self->v, LENGTH, IOVA));
	munmap(other, LENGTH);
	self->u.p = map_anonymous(LENGTH);
}

TEST_HARNESS_MAIN
