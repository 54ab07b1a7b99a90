/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict lib */
/*
 * test_lib_pin.c - the library's regions of memory that was there and is pinned:
 * the same region, which stays. Allocated ones: test_lib_region.c.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "lib_region.h"

FIXTURE(pin) {
	struct session s;
	struct gm_kmod *k;
	struct gm_region *base;
};

/* What a region can be made of before it is pinned. */
FIXTURE_VARIANT(pin) {
	uint32_t flags;
	uint64_t huge;
	bool raw;
};

FIXTURE_VARIANT_ADD(pin, anonymous) { .flags = GM_MMAP_DIRTY };
FIXTURE_VARIANT_ADD(pin, memfd) { .flags = GM_MMAP_MEMFD };
FIXTURE_VARIANT_ADD(pin, thp) { .flags = GM_MMAP_THP };
FIXTURE_VARIANT_ADD(pin, hugetlb) { .huge = HUGE };
FIXTURE_VARIANT_ADD(pin, raw_range) { .raw = true };

#define PIN_LENGTH (2 * HUGE)

FIXTURE_SETUP(pin)
{
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = variant->flags,
		.huge_size = variant->huge,
	};

	session_start(_metadata, &self->s, false);
	close(self->s.control);
	if (variant->huge)
		ASSERT_EQ(0, file_write("/proc/sys/vm/nr_hugepages", "2"));
	if (variant->raw) {
		o.addr = map_anonymous(PIN_LENGTH);
		ASSERT_NE(MAP_FAILED, o.addr);
	}
	ASSERT_OK(gm_kmod_open(NULL, &self->k));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PIN_LENGTH, &o,
				     &self->base));
}

FIXTURE_TEARDOWN(pin)
{
	void *host = self->base->ext.host;

	gm_region_put(self->base);
	gm_kmod_put(self->k);
	if (variant->raw)
		munmap(host, PIN_LENGTH);
	if (variant->huge)
		file_write("/proc/sys/vm/nr_hugepages", "0");
	session_end(_metadata, &self->s);
}

TEST_F(pin, is_the_same_region)
{
	const struct gm_region *b = self->base;
	struct gm_kmod_region_info info;
	struct counters now;
	struct gm_region *r;

	ASSERT_OK(gm_region_new_pinned(self->k, self->base, &r));
	EXPECT_NE(b, r);
	EXPECT_EQ(0, memcmp(&b->ext, &r->ext, sizeof(r->ext)));
	EXPECT_EQ(b->hugetlbfs, r->hugetlbfs);
	EXPECT_EQ(b->prot, r->prot);
	EXPECT_EQ(b->flags, r->flags);
	EXPECT_EQ(b->owned, r->owned);
	EXPECT_EQ(b->file, r->file);
	EXPECT_EQ(b->file_off, r->file_off);
	EXPECT_NE(NULL, r->ops->begin);
	EXPECT_NE(NULL, r->ops->end);
	check_access(_metadata, r);
	ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
	EXPECT_EQ(PIN_LENGTH, info.length);
	EXPECT_EQ(1, info.pinned);
	EXPECT_EQ(0, info.properties);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_PIN_BYTES] + PIN_LENGTH,
		  now.value[COUNTER_PIN_BYTES]);
	EXPECT_FAIL_KIND(gm_kmod_region_query(self->k, self->base, &info),
			 EINVAL, GM_ERR_NOT_PINNED);
	gm_region_put(r);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_PIN_BYTES],
		  now.value[COUNTER_PIN_BYTES]);
	/* The memory is as it was. */
	EXPECT_EQ(7, *(uint64_t *)self->base->ext.host);
}

TEST_F(pin, outlives_its_base)
{
	struct gm_region *r;

	ASSERT_OK(gm_region_new_pinned(self->k, self->base, &r));
	gm_region_put(self->base);
	self->base = r;
	check_access(_metadata, r);
}

TEST_F(pin, can_not_be_discarded)
{
	struct gm_region *r;

	ASSERT_OK(gm_region_new_pinned(self->k, self->base, &r));
	self->base->ext.host[0] = 5;
	if (variant->raw) {
		/* The caller does that itself, and can ask before. */
		EXPECT_FAIL_NAME(gm_region_check_held(self->base, gm_roff(HUGE),
						      HUGE, GM_HOLD_DISCARD),
				 EBUSY, GM_ERR_HELD, 0, PIN_LENGTH,
				 "guestmem pin");
		gm_region_put(r);
		EXPECT_EQ(0, gm_region_check_held(self->base, gm_roff(HUGE),
						  HUGE, GM_HOLD_DISCARD));
		return;
	}
	EXPECT_FAIL_NAME(gm_region_discard(r, gm_roff(0), HUGE), EBUSY,
			 GM_ERR_HELD, 0, PIN_LENGTH, "guestmem pin");
	EXPECT_FAIL_NAME(gm_region_discard(self->base, gm_roff(HUGE), HUGE),
			 EBUSY, GM_ERR_HELD, 0, PIN_LENGTH, "guestmem pin");
	EXPECT_EQ(5, self->base->ext.host[0]);
	gm_region_put(r);
	EXPECT_EQ(0, gm_region_discard(self->base, gm_roff(0), HUGE));
	EXPECT_EQ(0, self->base->ext.host[0]);
}

/* No device uses it: it can leave the map, and its place be taken. */
TEST_F(pin, takes_the_place_of_its_base)
{
	struct gm_map *m, *pinned, *again, *less;

	ASSERT_OK(gm_map_new(&self->base, 1, &m));
	ASSERT_OK(gm_map_new_pinned(self->k, m, &pinned));
	EXPECT_EQ(1, gm_map_count(pinned));
	EXPECT_NE(self->base, gm_map_region(pinned, 0));
	EXPECT_EQ(self->base->ext.host, gm_map_region(pinned, 0)->ext.host);
	/* What is the module's already is shared. */
	ASSERT_OK(gm_map_new_pinned(self->k, pinned, &again));
	EXPECT_EQ(gm_map_region(pinned, 0), gm_map_region(again, 0));
	ASSERT_OK(gm_map_remove(m, gm_gpa(BASE), PIN_LENGTH, &less, NULL));
	gm_map_put(less);
	ASSERT_OK(gm_map_remove(pinned, gm_gpa(BASE), PIN_LENGTH, &less, NULL));
	gm_map_put(less);
	gm_map_put(again);
	gm_map_put(pinned);
	gm_map_put(m);
}

TEST_F(lib, alias_can_not_be_discarded)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_MEMFD };
	struct gm_region *low, *alias, *r;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), LENGTH, &o, &low));
	o.flags = 0;
	o.file = gm_region_file(low, NULL);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), LENGTH, &o, &alias));
	ASSERT_OK(gm_region_new_pinned(self->k, alias, &r));
	low->ext.host[0] = 5;
	EXPECT_FAIL_NAME(gm_region_discard(low, gm_roff(0), PAGE), EBUSY,
			 GM_ERR_HELD, 0, LENGTH, "guestmem pin");
	EXPECT_EQ(5, r->ext.host[0]);
	gm_region_put(r);
	EXPECT_EQ(0, gm_region_discard(low, gm_roff(0), PAGE));
	gm_region_put(alias);
	gm_region_put(low);
}

TEST_F(lib, revoked_memory_is_pinned_again)
{
	struct gm_kmod_region_info info;
	struct gm_region *base, *r;
	struct gm_map *m, *pinned;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), LENGTH, NULL, &base));
	ASSERT_OK(gm_region_new_pinned(self->k, base, &r));
	gm_region_put(base);
	ASSERT_OK(gm_map_new(&r, 1, &m));
	ASSERT_OK(gm_kmod_revoke(self->k, r));
	ASSERT_OK(gm_map_new_pinned(self->k, m, &pinned));
	EXPECT_NE(r, gm_map_region(pinned, 0));
	ASSERT_OK(gm_kmod_region_query(self->k, gm_map_region(pinned, 0),
				       &info));
	EXPECT_EQ(0, info.properties);
	gm_map_put(m);
	gm_region_put(r);
	check_access(_metadata, gm_map_region(pinned, 0));
	gm_map_put(pinned);
	/* What was allocated is gone. */
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, NULL, &r));
	ASSERT_OK(gm_map_new(&r, 1, &m));
	ASSERT_OK(gm_kmod_revoke(self->k, r));
	EXPECT_FAIL(gm_map_new_pinned(self->k, m, &pinned), ENODEV,
		    GM_ERR_REVOKED, BASE, LENGTH, 0, 0);
	gm_map_put(m);
	gm_region_put(r);
}

TEST_F(lib, pin_refused)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	uint8_t *p = map_anonymous(LENGTH);
	struct gm_region *base, *r = (void *)1;

	ASSERT_NE(MAP_FAILED, (void *)p);
	/* The caller's own range, not in whole pages. */
	o.addr = p;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PAGE + 1, &o, &base));
	EXPECT_FAIL(gm_region_new_pinned(self->k, base, &r), EINVAL,
		    GM_ERR_MISALIGNED, PAGE + 1, PAGE, 0, 0);
	gm_region_put(base);
	/* The library's own, in whole pages anyway. */
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PAGE + 1, NULL, &base));
	ASSERT_OK(gm_region_new_pinned(self->k, base, &r));
	EXPECT_EQ(PAGE + 1, gm_region_len(r));
	gm_region_put(r);
	gm_region_put(base);
	/* A hole, and what may not be written to. */
	r = (void *)1;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), LENGTH, &o, &base));
	ASSERT_EQ(0, mprotect(p + PAGE, PAGE, PROT_READ));
	EXPECT_FAIL(gm_region_new_pinned(self->k, base, &r), EFAULT, GM_ERR_IO,
		    BASE, LENGTH, 0, 0);
	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	EXPECT_FAIL(gm_region_new_pinned(self->k, base, &r), EFAULT, GM_ERR_IO,
		    BASE, LENGTH, 0, 0);
	EXPECT_EQ(0, gm_region_check_held(base, gm_roff(0), LENGTH,
					  GM_HOLD_DISCARD));
	EXPECT_EQ((void *)1, r);
	gm_region_put(base);
	munmap(p, LENGTH);
}

TEST_F(lib, read_only_memory_is_pinned_for_reading)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_READ_ONLY };
	struct gm_kmod_region_info info;
	struct gm_region *base, *r;

	o.addr = map_anonymous(PAGE);
	ASSERT_NE(MAP_FAILED, o.addr);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), PAGE, &o, &base));
	ASSERT_OK(gm_region_new_pinned(self->k, base, &r));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
	EXPECT_EQ(GM_KMOD_REGION_READ_ONLY, info.properties);
	gm_region_put(r);
	gm_region_put(base);
	munmap(o.addr, PAGE);
}

/* Options that say what the memory is: mapped so, and pinned. */
TEST_F(lib, allocates_or_pins_as_the_options_say)
{
	const struct {
		uint32_t flags;
		uint64_t huge;
		bool pinned;
	} cases[] = {
		{ 0, 0, false }, { GM_MMAP_THP, 0, false },
		{ GM_MMAP_DIRTY, HUGE, false }, { GM_MMAP_MEMFD, 0, true },
		{ GM_MMAP_NO_THP, 0, true }, { GM_MMAP_MEMFD, HUGE, true },
	};
	struct gm_kmod_region_info info;

	ASSERT_EQ(0, file_write("/proc/sys/vm/nr_hugepages", "1"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct gm_mmap_opts o = {
			.sz = sizeof(o),
			.flags = cases[i].flags,
			.huge_size = cases[i].huge,
		};
		struct gm_region *r;

		ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), HUGE, &o,
					     &r));
		ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
		EXPECT_EQ(cases[i].pinned, info.pinned);
		EXPECT_EQ(HUGE, info.length);
		check_access(_metadata, r);
		gm_region_put(r);
	}
	EXPECT_EQ(0, file_write("/proc/sys/vm/nr_hugepages", "0"));
}

TEST_F(lib, revoke_of_pinned_and_of_other_memory)
{
	struct gm_region *base, *r;
	struct counters now;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), LENGTH, NULL, &base));
	EXPECT_FAIL(gm_kmod_revoke(self->k, base), EINVAL, GM_ERR_NOT_PINNED,
		    BASE, LENGTH, 0, 0);
	ASSERT_OK(gm_region_new_pinned(self->k, base, &r));
	base->ext.host[1] = 3;
	ASSERT_OK(gm_kmod_revoke(self->k, r));
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_PIN_BYTES],
		  now.value[COUNTER_PIN_BYTES]);
	EXPECT_EQ(3, r->ext.host[1]);
	gm_region_put(r);
	gm_region_put(base);
}

TEST_HARNESS_MAIN
