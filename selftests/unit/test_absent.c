/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_absent.c - what other systems than Linux do not have says so, leaves everything as
 * it was, and does no harm where it is undone all the same.
 */
/* gm-test: not-linux */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <sys/mman.h>
#include <guestmem.h>
#include "expect.h"

#define EXPECT_ABSENT(call) \
	EXPECT_FAIL(call, EOPNOTSUPP, GM_ERR_SYSTEM, 0, 0, 0, 0)
#define NOTHING ((void *)1)

FIXTURE(absent) {
	struct gm_region *r;
	struct gm_map *m;
};

FIXTURE_SETUP(absent)
{
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 0x10000, NULL, &self->r));
	ASSERT_OK(gm_map_new(&self->r, 1, &self->m));
}

FIXTURE_TEARDOWN(absent)
{
	gm_map_put(self->m);
	gm_region_put(self->r);
}

TEST_F(absent, module)
{
	struct gm_kmod_region_info region_info;
	struct gm_kmod_info info;
	struct gm_region *r = NOTHING;
	struct gm_map *m = NOTHING;
	struct gm_kmod *k = NOTHING;

	EXPECT_ABSENT(gm_kmod_open(NULL, &k));
	EXPECT_ABSENT(gm_kmod_new(0, &k));
	EXPECT_EQ(NOTHING, k);
	k = NULL;
	EXPECT_EQ(NULL, gm_kmod_get(k));
	EXPECT_ABSENT(gm_kmod_query(k, &info));
	EXPECT_ABSENT(gm_region_new_kmod(k, gm_gpa(0), 1, NULL, &r));
	EXPECT_ABSENT(gm_region_new_pinned(k, self->r, &r));
	EXPECT_ABSENT(gm_kmod_region_query(k, self->r, &region_info));
	EXPECT_ABSENT(gm_kmod_revoke(k, self->r));
	EXPECT_ABSENT(gm_map_new_kmod(k, &(struct gm_range){ gm_gpa(0), 1 }, NULL, 1, &m));
	EXPECT_ABSENT(gm_map_new_pinned(k, self->m, &m));
	EXPECT_EQ(NOTHING, r);
	EXPECT_EQ(NOTHING, m);
	gm_kmod_put(k);
}

TEST_F(absent, devices_of_the_module)
{
	struct gm_kmod_bar bar = { .len = 7 };
	struct gm_kmod_device_info info;
	struct gm_kmod_device *d = NOTHING;
	struct gm_dma_map *map = NOTHING;
	struct gm_dma *dma = NOTHING;

	EXPECT_ABSENT(gm_kmod_device_open("0000:00:04.0", 64, &d));
	EXPECT_ABSENT(gm_kmod_device_new(0, "0000:00:04.0", 64, &d));
	EXPECT_EQ(NOTHING, d);
	d = NULL;
	EXPECT_EQ(NULL, gm_kmod_device_get(d));
	EXPECT_STREQ("", gm_kmod_device_name(d));
	EXPECT_ABSENT(gm_kmod_device_check(d));
	EXPECT_ABSENT(gm_kmod_device_query(d, &info));
	EXPECT_ABSENT(gm_kmod_bar_map(d, 0, &bar));
	EXPECT_EQ(7, bar.len);
	gm_kmod_bar_unmap(&bar);
	EXPECT_ABSENT(gm_kmod_device_interrupts(d, NULL, 0));
	EXPECT_ABSENT(gm_kmod_map_new(d, self->r, gm_roff(0), 1, GM_PERM_READ, &map));
	EXPECT_EQ(0, gm_kmod_map_properties(NULL));
	EXPECT_ABSENT(gm_dma_new_kmod(d, self->m, GM_PERM_READ, 0, &dma));
	EXPECT_EQ(NOTHING, map);
	EXPECT_EQ(NOTHING, dma);
	gm_kmod_device_put(d);
}

/* Who takes what there is gets mapped memory, and the reason. */
TEST_F(absent, module_or_else)
{
	struct gm_range range = { gm_gpa(0x1000), 0x2000 };
	struct gm_choice choice;
	struct gm_region *r;
	struct gm_map *m;

	ASSERT_OK(gm_region_new_auto(NULL, gm_gpa(0), 0x1000, NULL, &r, &choice));
	EXPECT_EQ(GM_BACKEND_MMAP, choice.backend);
	EXPECT_EQ(-EOPNOTSUPP, choice.why.err);
	EXPECT_EQ(GM_ERR_SYSTEM, choice.why.kind);
	gm_region_put(r);
	ASSERT_OK(gm_map_new_auto(NULL, &range, NULL, 1, &m, &choice));
	EXPECT_EQ(GM_BACKEND_MMAP, choice.backend);
	EXPECT_EQ(GM_ERR_SYSTEM, choice.why.kind);
	gm_map_put(m);
}

TEST_F(absent, kvm)
{
	struct gm_kvm_slot slot = { .slot = 0 };
	struct gm_kvm_rings *rings = NOTHING;

	EXPECT_ABSENT(gm_kvm_import_log(0, &slot, 0));
	EXPECT_ABSENT(gm_kvm_rings_new(0, 4096, &rings));
	EXPECT_EQ(NOTHING, rings);
	rings = NULL;
	EXPECT_ABSENT(gm_kvm_rings_add(rings, 0));
	EXPECT_ABSENT(gm_kvm_rings_import(rings, &slot, 1));
	gm_kvm_rings_free(rings);
}

TEST_F(absent, vhost_log)
{
	struct gm_bitmap *bm = NOTHING;
	struct gm_vhost_log *log = NOTHING;
	struct gm_map *m = NOTHING;

	EXPECT_ABSENT(gm_vhost_log_new(NULL, 0, 1, &log));
	EXPECT_EQ(NOTHING, log);
	log = NULL;
	EXPECT_EQ(NULL, gm_vhost_log_get(log));
	EXPECT_EQ(NULL, gm_vhost_log_region(log));
	gm_vhost_log_mark(log, gm_gpa(0), 1);
	EXPECT_FALSE(gm_vhost_log_test(log, gm_gpa(0)));
	EXPECT_ABSENT(gm_vhost_log_bitmap(log, gm_gpa(0), 1, &bm));
	EXPECT_ABSENT(gm_vhost_log_map(log, self->m, &m));
	EXPECT_EQ(NOTHING, bm);
	EXPECT_EQ(NOTHING, m);
	gm_vhost_log_put(log);
}

TEST_F(absent, faults_and_what_is_given_back)
{
	uint8_t byte = 42;

	EXPECT_ABSENT(gm_fault_enable());
	EXPECT_ABSENT(gm_region_watch(self->r));
	EXPECT_EQ(0, gm_region_fault(self->r));
	ASSERT_OK(gm_region_write(self->r, gm_roff(0), &byte, 1));
	EXPECT_ABSENT(gm_region_discard(self->r, gm_roff(0), 0x10000));
	byte = 0;
	ASSERT_OK(gm_region_read(self->r, gm_roff(0), &byte, 1));
	EXPECT_EQ(42, byte);
}

TEST_F(absent, lazy_snapshots)
{
	struct gm_lazy *l = NOTHING;

	EXPECT_ABSENT(gm_lazy_new(NULL, self->m, &l));
	EXPECT_EQ(NOTHING, l);
	l = NULL;
	EXPECT_ABSENT(gm_lazy_fill(l, NULL, NULL));
	EXPECT_ABSENT(gm_lazy_error(l));
	gm_lazy_free(l);
}

TEST(xen)
{
	static const uint32_t kinds[] = {
		GM_XEN_FOREIGN, GM_XEN_GRANT, GM_XEN_GRANT | GM_XEN_NO_ADVANCE_MAP,
	};
	struct gm_xen_opts x = { .sz = sizeof(x) };
	struct gm_region *r = NOTHING;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		x.flags = kinds[i];
		EXPECT_FAIL(gm_region_new_xen(gm_gpa(0), 4096, &x, NULL, &r), EOPNOTSUPP,
			    GM_ERR_OPTION, offsetof(struct gm_xen_opts, flags), 0, 0, 0);
	}
	EXPECT_EQ(NOTHING, r);
}

/* What memory can't be: the error names the option. */
TEST(options_of_memory)
{
	static const uint32_t flags[] = {
		GM_MMAP_MEMFD, GM_MMAP_THP, GM_MMAP_NO_THP, GM_MMAP_NO_DUMP,
		GM_MMAP_NO_FORK, GM_MMAP_MERGEABLE,
	};
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_region *r = NOTHING;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		o.flags = flags[i];
		EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 1, &o, &r), EOPNOTSUPP,
			    GM_ERR_OPTION, offsetof(struct gm_mmap_opts, flags), 0, 0, 0);
	}
	o.flags = 0;
	o.huge_size = 2 << 20;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 1, &o, &r), EOPNOTSUPP, GM_ERR_OPTION,
		    offsetof(struct gm_mmap_opts, huge_size), 0, 0, 0);
	o.huge_size = 0;
	o.numa_node = 1;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 1, &o, &r), EOPNOTSUPP, GM_ERR_OPTION,
		    offsetof(struct gm_mmap_opts, numa_node), 0, 0, 0);
	o.numa_node = 0;
	o.map_flags = MAP_NORESERVE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 1, &o, &r), EOPNOTSUPP, GM_ERR_OPTION,
		    offsetof(struct gm_mmap_opts, map_flags), 0, 0, 0);
	EXPECT_EQ(NOTHING, r);
}

TEST_HARNESS_MAIN
