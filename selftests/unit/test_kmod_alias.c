/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_kmod_alias.c - memory that the module has pinned, tracked by other bitmaps
 * (alias.h): for devices, it is what it was.
 */
/* gm-test: linux */
#include <unistd.h>
#include <guestmem.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "kmod_fake.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define LENGTH (UINT64_C(8) * PAGE)
#define GPA (4 * PAGE)

FIXTURE(pin_alias) {
	struct gm_kmod *k;
	struct gm_kmod_device *dev;
	struct gm_region *pin;
	struct gm_map *m;	/* of it */
	struct gm_map *tracked;	/* the same with a bitmap */
	struct gm_region *alias;	/* in it */
};

FIXTURE_VARIANT(pin_alias) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(pin_alias, anonymous) {
	.flags = 0,
};

/* It has a file, which is not the module's. */
FIXTURE_VARIANT_ADD(pin_alias, memfd) {
	.flags = GM_MMAP_MEMFD,
};

static int track(void *ctx, struct gm_region *r, struct gm_bitmap **dirty)
{
	return gm_bitmap_new(gm_region_len(r), 0, dirty);
}

FIXTURE_SETUP(pin_alias)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = variant->flags };
	struct gm_region *base;

	ASSERT_OK(gm_kmod_new(kmod_fake_control(), &self->k));
	ASSERT_OK(gm_kmod_device_new(kmod_fake_device(), "device", 0, &self->dev));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(GPA), LENGTH, &o, &base));
	ASSERT_OK(gm_region_new_pinned(self->k, base, &self->pin));
	gm_region_put(base);
	ASSERT_OK(gm_map_new(&self->pin, 1, &self->m));
	ASSERT_OK(gm_map_new_alias(self->m, track, NULL, &self->tracked));
	self->alias = gm_map_region(self->tracked, 0);
}

FIXTURE_TEARDOWN(pin_alias)
{
	gm_map_put(self->tracked);
	gm_map_put(self->m);
	gm_region_put(self->pin);
	gm_kmod_device_put(self->dev);
	gm_kmod_put(self->k);
}

TEST_F(pin_alias, is_mapped_as_the_pin_is)
{
	struct gm_region *again;
	struct gm_dma_map *dm;
	int fd;

	ASSERT_OK(gm_kmod_map_new(self->dev, self->pin, gm_roff(PAGE), PAGE, GM_PERM_RW, &dm));
	fd = kmod_fake.map.fd;
	gm_dma_map_put(dm);
	kmod_fake.map.fd = -1;
	ASSERT_OK(gm_kmod_map_new(self->dev, self->alias, gm_roff(PAGE), PAGE, GM_PERM_RW, &dm));
	EXPECT_EQ(fd, kmod_fake.map.fd);
	EXPECT_EQ(PAGE, kmod_fake.map.offset);
	gm_dma_map_put(dm);
	/* An alias of an alias. */
	kmod_fake.map.fd = -1;
	ASSERT_OK(gm_region_new_alias(self->alias, NULL, &again));
	ASSERT_OK(gm_kmod_map_new(self->dev, again, gm_roff(PAGE), PAGE, GM_PERM_RW, &dm));
	EXPECT_EQ(fd, kmod_fake.map.fd);
	gm_dma_map_put(dm);
	gm_region_put(again);
	EXPECT_EQ(0, kmod_fake_maps());
}

TEST_F(pin_alias, devices_writes_are_tracked)
{
	struct gm_dma *d;
	uint64_t a;

	ASSERT_OK(gm_dma_new_kmod(self->dev, self->tracked, GM_PERM_RW, GM_KMOD_DMA_SKIP, &d));
	EXPECT_EQ(1, kmod_fake_maps());
	ASSERT_OK(gm_dma_address(d, gm_gpa(GPA + PAGE), 8, GM_PERM_WRITE, &a));
	EXPECT_EQ(1, gm_bitmap_count(gm_region_bitmap(self->alias)));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(self->alias), PAGE));
	gm_dma_put(d);
}

TEST_F(pin_alias, is_pinned_already)
{
	struct gm_map *pinned;

	ASSERT_EQ(1, kmod_fake.calls[GUESTMEM_CMD_PIN]);
	ASSERT_OK(gm_map_new_pinned(self->k, self->tracked, &pinned));
	EXPECT_EQ(1, kmod_fake.calls[GUESTMEM_CMD_PIN]);
	EXPECT_EQ(self->alias, gm_map_region(pinned, 0));
	gm_map_put(pinned);
	/* Not any more: anew, and still tracked. */
	kmod_fake.region_properties = GUESTMEM_REGION_REVOKED;
	ASSERT_OK(gm_map_new_pinned(self->k, self->tracked, &pinned));
	EXPECT_EQ(2, kmod_fake.calls[GUESTMEM_CMD_PIN]);
	EXPECT_EQ(gm_region_bitmap(self->alias), gm_region_bitmap(gm_map_region(pinned, 0)));
	gm_map_put(pinned);
}

TEST_F(pin_alias, module_is_asked_about_the_pin)
{
	struct gm_kmod_region_info info;

	ASSERT_OK(gm_kmod_region_query(self->k, self->alias, &info));
	EXPECT_TRUE(info.pinned);
	EXPECT_EQ(LENGTH, info.length);
	ASSERT_OK(gm_kmod_revoke(self->k, self->alias));
	EXPECT_EQ(1, kmod_fake.calls[GUESTMEM_CMD_REVOKE]);
}

TEST_HARNESS_MAIN
