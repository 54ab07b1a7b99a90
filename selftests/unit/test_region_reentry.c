/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A device whose registers are a region, and whose DMA is led to these registers by its
 * guest: the region's begin is called while it is at work. The library holds nothing
 * meanwhile, so how deep that goes is the device's to say; and what went wrong inside is
 * not told of what went well outside.
 */
/* gm-test: windows */
#include <errno.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"

#define RAM UINT64_C(0x1000)
#define REGS UINT64_C(0x9000)
#define SIZE UINT64_C(0x1000)

/**
 * struct device - a device whose registers are a region
 * @region: the region
 * @map: RAM, and the registers
 * @dma: where it writes to, when a register is touched
 * @busy: accesses that it is in
 * @limit: it refuses to be in more
 * @deepest: most that it was in
 * @dma_result: of its last write
 * @open: accesses that were not ended
 */
struct device {
	struct gm_region region;
	struct gm_map *map;
	uint64_t dma;
	int busy;
	int limit;
	int deepest;
	int dma_result;
	int open;
	uint8_t regs[SIZE];
};

static int device_begin(struct gm_region *r, uint64_t off, uint64_t len, enum gm_perm perm,
			struct gm_guard *g)
{
	struct device *d = (struct device *)r;
	struct gm_view v;

	(void)perm;
	if (d->busy == d->limit)
		return gm_error_set(-ELOOP, GM_ERR_IO, off, len);
	if (++d->busy > d->deepest)
		d->deepest = d->busy;
	gm_view_init(&v, d->map);
	d->dma_result = gm_view_write_le32(&v, gm_gpa(d->dma), 0x12345678);
	d->busy--;
	d->open++;
	g->ptr = d->regs + off;
	g->len = len;
	return 0;
}

static void device_end(struct gm_region *r, struct gm_guard *g)
{
	(void)g;
	((struct device *)r)->open--;
}

static void device_release(struct gm_region *r)
{
	gm_region_exit(r);
}

static const struct gm_region_ops device_ops = {
	.begin = device_begin, .end = device_end, .release = device_release,
};

FIXTURE(reentry) {
	struct device d;
	struct gm_view v;
};

FIXTURE_SETUP(reentry)
{
	struct gm_region *regions[2];

	ASSERT_OK(gm_region_new_mmap(gm_gpa(RAM), SIZE, NULL, &regions[0]));
	ASSERT_OK(gm_region_init(&self->d.region, gm_gpa(REGS), SIZE, NULL, NULL, &device_ops));
	regions[1] = &self->d.region;
	ASSERT_OK(gm_map_new(regions, 2, &self->d.map));
	gm_region_put(regions[0]);
	gm_region_put(regions[1]);
	self->d.limit = 1;
	gm_view_init(&self->v, self->d.map);
}

FIXTURE_TEARDOWN(reentry)
{
	EXPECT_EQ(0, self->d.open);
	EXPECT_EQ(0, self->d.busy);
	gm_map_put(self->d.map);
}

TEST_F(reentry, dma_to_ram)
{
	uint32_t x = 1;

	self->d.dma = RAM + 8;
	EXPECT_EQ(0, gm_view_read_le32(&self->v, gm_gpa(REGS), &x));
	EXPECT_EQ(0, x);
	EXPECT_EQ(0, gm_view_read_le32(&self->v, gm_gpa(RAM + 8), &x));
	EXPECT_EQ(0x12345678, x);
}

TEST_F(reentry, dma_to_itself_is_refused_by_the_device)
{
	uint32_t x = 1;

	self->d.dma = REGS + 4;
	EXPECT_EQ(0, gm_view_read_le32(&self->v, gm_gpa(REGS), &x));
	EXPECT_EQ(0, x);
	EXPECT_EQ(-ELOOP, self->d.dma_result);
	EXPECT_EQ(1, self->d.deepest);
	/* Nothing was written, and the error of the inner access is its own. */
	EXPECT_EQ(0, self->d.regs[4]);
	EXPECT_EQ(0, gm_view_write_le32(&self->v, gm_gpa(REGS + 8), 5));
	EXPECT_EQ(5, self->d.regs[8]);
	self->d.limit = 0;
	EXPECT_FAIL(gm_view_write_le32(&self->v, gm_gpa(REGS + 8), 6), ELOOP, GM_ERR_IO, 8, 4, 0,
		    0);
	EXPECT_EQ(5, self->d.regs[8]);
}

TEST_F(reentry, as_deep_as_the_device_allows)
{
	uint32_t x;

	self->d.dma = REGS + 4;
	self->d.limit = 20;
	EXPECT_EQ(0, gm_view_read_le32(&self->v, gm_gpa(REGS), &x));
	EXPECT_EQ(20, self->d.deepest);
	EXPECT_EQ(0x78, self->d.regs[4]);
}

TEST_HARNESS_MAIN
