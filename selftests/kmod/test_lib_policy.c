/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=noiommu lib */
/*
 * test_lib_policy.c - the library where the module does not map: an error that
 * says so, and memory that is held by nobody; and with the opt-in, memory in
 * many pieces.
 */
#define _GNU_SOURCE
#include <guestmem.h>
#include "kselftest_harness.h"
#include "../unit/expect.h"
#include "edu.h"
#include "session.h"

#define LENGTH (64 * PAGE)

FIXTURE(policy) {
	struct session s;
	char address[ADDRESS_MAX];
	struct gm_kmod *k;
	struct gm_kmod_device *dev;
	struct gm_region *r;
	struct gm_map *m;
};

FIXTURE_SETUP(policy)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_NO_THP };

	session_start(_metadata, &self->s, false);
	close(self->s.control);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_OK(gm_kmod_open(NULL, &self->k));
	ASSERT_OK(gm_kmod_device_open(self->address, 0, &self->dev));
	/* Pinned pages of the process: where they are is left to chance. */
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), LENGTH, &o, &self->r));
	ASSERT_OK(gm_map_new(&self->r, 1, &self->m));
}

FIXTURE_TEARDOWN(policy)
{
	gm_map_put(self->m);
	gm_region_put(self->r);
	gm_kmod_device_put(self->dev);
	gm_kmod_put(self->k);
	session_end(_metadata, &self->s);
}

TEST_F(policy, refused)
{
	struct gm_dma_map *m = (void *)1;
	struct gm_kmod_info info;
	struct gm_map *less;

	ASSERT_OK(gm_kmod_query(self->k, &info));
	EXPECT_EQ(0, info.caps & GM_KMOD_CAP_UNSAFE_NOIOMMU);
	EXPECT_FAIL_NAME(gm_kmod_map_new(self->dev, self->r, gm_roff(PAGE),
					 PAGE, GM_PERM_READ, &m),
			 EPERM, GM_ERR_POLICY, PAGE, PAGE, self->address);
	EXPECT_EQ((void *)1, m);
	ASSERT_OK(gm_map_remove(self->m, gm_gpa(0), LENGTH, &less, NULL));
	gm_map_put(less);
}

/* Without an IOMMU each page is where it is: what was pinned, piece by piece. */
TEST_F(policy, each_page_where_it_is)
{
	struct gm_kmod_info info;
	struct gm_dma *d;
	uint64_t a, len = 0;
	struct gm_dma_seg segs[64];
	int64_t n;

	ASSERT_EQ(0, parameter_set("allow_unsafe_noiommu", "1"));
	ASSERT_OK(gm_kmod_query(self->k, &info));
	EXPECT_NE(0, info.caps & GM_KMOD_CAP_UNSAFE_NOIOMMU);
	ASSERT_OK(gm_dma_new_kmod(self->dev, self->m, GM_PERM_RW, 0, &d));
	EXPECT_EQ(0, parameter_set("allow_unsafe_noiommu", "0"));
	EXPECT_EQ(0, gm_kmod_map_properties(d->maps[0]) &
		  GM_KMOD_MAP_TRANSLATED);
	for (uint64_t at = 0; at < LENGTH; at += PAGE) {
		ASSERT_OK(gm_dma_address(d, gm_gpa(at), PAGE, GM_PERM_RW, &a));
		ASSERT_EQ(physical(self->r->ext.host + at), a);
	}
	/* Pieces that follow each other are one, and only those. */
	n = gm_dma_segments(d, gm_gpa(0), LENGTH, GM_PERM_READ, segs, 64);
	ASSERT_LE(1, n);
	for (int64_t i = 0; i < n; i++) {
		if (i)
			EXPECT_NE(segs[i - 1].address + segs[i - 1].len,
				  segs[i].address);
		len += segs[i].len;
	}
	EXPECT_EQ(LENGTH, len);
	gm_dma_put(d);
}

TEST_HARNESS_MAIN
