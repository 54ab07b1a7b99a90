/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen.h on pretended drivers: options, errors in the middle, what is left mapped. Grants
 * on demand are in test_xen_on_demand.c, the real hypervisor in selftests/xen.
 */
/* gm-test: linux */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "no_memory.h"
#include "vma.h"
#include "xen_region.h"

TEST(flags_that_go_together)
{
	uint32_t flags;

	for (flags = 0; flags < 32; flags++) {
		if (flags == GM_XEN_UNIX || flags == GM_XEN_FOREIGN || flags == GM_XEN_GRANT ||
		    flags == ON_DEMAND) {
			EXPECT_EQ(0, gm_xen_flags_check(flags));
		} else {
			EXPECT_FAIL(gm_xen_flags_check(flags), EINVAL, GM_ERR_XEN_FLAGS, flags, 0,
				    0, 0);
		}
	}
	/* As vhost-user has them. */
	EXPECT_EQ(1, GM_XEN_FOREIGN);
	EXPECT_EQ(2, GM_XEN_GRANT);
	EXPECT_EQ(8, GM_XEN_NO_ADVANCE_MAP);
}

/* Linux puts each grant on a page of its own, of whatever size. */
TEST(grants_want_pages_of_4_kib)
{
	struct gm_xen_opts x = xen_opts(GM_XEN_GRANT);
	struct gm_region *r;

	if (system_page() == PAGE)
		SKIP(return, "this system has them");
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(0), PAGE, &x, NULL, &r), EOPNOTSUPP, GM_ERR_OPTION,
		    offsetof(struct gm_xen_opts, flags), 0, 0, 0);
}

TEST_F(xen, unix_is_ordinary_memory)
{
	struct gm_xen_opts x = xen_opts(GM_XEN_UNIX);
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_DIRTY | GM_MMAP_MEMFD };
	struct gm_xen_stats stats;
	struct gm_region *r;

	/* Anything; it is only kept. */
	x.data = 0xfffff;
	ASSERT_OK(gm_region_new_xen(gm_gpa(5), 100, &x, &o, &r));
	EXPECT_EQ(0, gm_region_xen_flags(r));
	EXPECT_EQ(0xfffff, gm_region_xen_data(r));
	EXPECT_EQ(0, gm_slice_write_u32(gm_region_as_slice(r), 0, 7));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 0));
	EXPECT_EQ(0, gm_region_xen_trim(r));
	EXPECT_FAIL_KIND(gm_region_xen_stats(r, &stats), EOPNOTSUPP, GM_ERR_OPTION);
	gm_region_set_hugetlbfs(r, true);
	EXPECT_EQ(GM_YES, gm_region_is_hugetlbfs(r));
	gm_region_put(r);
	ASSERT_OK(gm_region_new_xen(gm_gpa(0), 100, &x, NULL, &r));
	gm_region_put(r);
}

TEST_F(xen, foreign_pages)
{
	PAGES_OF_4_KIB();
	struct gm_region *r;
	uint64_t n;

	ASSERT_OK(make_xen(&self->o, GM_XEN_FOREIGN, 0, &r));
	EXPECT_EQ(1, xen_fake.batches);
	EXPECT_EQ(GM_XEN_FOREIGN, gm_region_xen_flags(r));
	EXPECT_EQ(XEN_FAKE_DOMAIN, gm_region_xen_data(r));
	EXPECT_EQ(self->file, gm_region_file(r, &n));
	EXPECT_EQ(PROT_READ | PROT_WRITE, gm_region_prot(r));
	EXPECT_EQ(MAP_SHARED, gm_region_map_flags(r));
	EXPECT_TRUE(gm_region_is_owned(r));
	/* Over a page's border, to the end. */
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(r), PAGE - 3, "abcdef", 6));
	EXPECT_EQ(0, memcmp(self->memory + GPA + PAGE - 3, "abcdef", 6));
	self->memory[GPA + LEN - 1] = 77;
	EXPECT_EQ(77, r->ext.host[LEN - 1]);
	n = (uintptr_t)r->ext.host;
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped((void *)(uintptr_t)n, LEN));
}

TEST_F(xen, foreign_page_that_is_not_there)
{
	PAGES_OF_4_KIB();
	struct gm_region *r = NULL;
	struct gm_xen_opts x = xen_opts(GM_XEN_FOREIGN);
	int before = vma_count("xen_fake");

	xen_fake.hole = 7;
	EXPECT_FAIL(make_xen(&self->o, GM_XEN_FOREIGN, 0, &r), EINVAL, GM_ERR_XEN_PAGE, 7 * PAGE,
		    PAGE, XEN_FAKE_DOMAIN, 0);
	x.data = 6;
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(GPA), LEN, &x, &self->o, &r), ESRCH,
		    GM_ERR_XEN_PAGE, GPA, PAGE, 6, 0);
	xen_fake.hole = 0;
	xen_fake.fail = EPERM;
	EXPECT_FAIL(make_xen(&self->o, GM_XEN_FOREIGN, 0, &r), EPERM, GM_ERR_XEN_PAGE, GPA, PAGE,
		    XEN_FAKE_DOMAIN, 0);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(before, vma_count("xen_fake"));
}

TEST_F(xen, grants_in_advance)
{
	PAGES_OF_4_KIB();
	struct gm_xen_opts x = xen_opts(GM_XEN_GRANT);
	struct gm_xen_stats stats;
	struct gm_region *r;

	self->o.flags = GM_MMAP_DIRTY;
	self->o.dirty_page_size = PAGE;
	ASSERT_OK(gm_region_new_xen(gm_gpa(GM_XEN_GRANT_ADDR_OFF | GPA), LEN - 5, &x, &self->o,
				    &r));
	EXPECT_EQ(1, xen_fake.requests);
	EXPECT_EQ(8, xen_fake.granted);
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(r), 3 * PAGE - 1, "xy", 2));
	EXPECT_EQ(0, memcmp(self->memory + GPA + 3 * PAGE - 1, "xy", 2));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 3 * PAGE));
	EXPECT_FALSE(gm_bitmap_test(gm_region_bitmap(r), 4 * PAGE));
	EXPECT_EQ(0, gm_region_xen_stats(r, &stats));
	EXPECT_EQ(8, stats.mapped);
	EXPECT_EQ(1, stats.requests);
	EXPECT_EQ(0, gm_region_xen_trim(r));
	gm_region_put(r);
}

TEST_F(xen, grant_that_is_none)
{
	PAGES_OF_4_KIB();
	struct gm_xen_opts x = xen_opts(GM_XEN_GRANT);
	struct gm_region *r = NULL;
	int before = vma_count("xen_fake");

	xen_fake.hole = 11;
	EXPECT_FAIL(make_xen(&self->o, GM_XEN_GRANT, 0, &r), EINVAL, GM_ERR_XEN_GRANT, 4, 8,
		    XEN_FAKE_DOMAIN, 0);
	EXPECT_EQ(0, xen_fake.requests);
	xen_fake.fail = ENOMEM;
	EXPECT_FAIL(make_xen(&self->o, GM_XEN_GRANT, 0, &r), ENOMEM, GM_ERR_XEN_GRANT, 4, 8,
		    XEN_FAKE_DOMAIN, 0);
	xen_fake.fail = 0;
	/* Numbers have 32 bits. */
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(UINT32_MAX * PAGE), 2 * PAGE, &x, &self->o, &r),
		    ERANGE, GM_ERR_XEN_GRANT, UINT32_MAX, 2, XEN_FAKE_DOMAIN, 0);
	x.flags = ON_DEMAND;
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(UINT64_C(1) << 44), PAGE, &x, &self->o, &r), ERANGE,
		    GM_ERR_XEN_GRANT, UINT64_C(1) << 32, 1, XEN_FAKE_DOMAIN, 0);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(before, vma_count("xen_fake"));
}

TEST_F(xen, read_only)
{
	PAGES_OF_4_KIB();
	struct gm_region *r;
	struct gm_slice s;
	char c;

	self->o.flags = GM_MMAP_READ_ONLY;
	self->memory[GPA] = 'r';
	ASSERT_OK(make_xen(&self->o, GM_XEN_GRANT, 0, &r));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_EQ('r', *r->ext.host);
	EXPECT_FAIL_KIND(gm_slice_write(gm_region_as_slice(r), 0, "w", 1), EACCES,
			 GM_ERR_PERMISSION);
	gm_region_put(r);
	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 0, &r));
	s = gm_region_as_slice(r);
	EXPECT_EQ(0, gm_slice_read(s, 0, &c, 1));
	EXPECT_EQ('r', c);
	EXPECT_FAIL_KIND(gm_slice_write(s, 0, "w", 1), EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(0, xen_fake.granted);
	gm_region_put(r);
}

TEST_F(xen, alias_has_the_domains_memory)
{
	PAGES_OF_4_KIB();
	struct gm_xen_stats stats;
	struct gm_region *r, *alias;
	struct gm_guard g;
	uint64_t x;

	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 4, &r));
	ASSERT_OK(gm_region_new_alias(r, NULL, &alias));
	EXPECT_EQ(ON_DEMAND, gm_region_xen_flags(alias));
	EXPECT_EQ(XEN_FAKE_DOMAIN, gm_region_xen_data(alias));
	EXPECT_EQ(0, gm_slice_read_u64(gm_region_as_slice(alias), 0, &x));
	EXPECT_EQ(0, gm_slice_read_u64(gm_region_as_slice(alias), 0, &x));
	ASSERT_OK(gm_region_xen_stats(alias, &stats));
	EXPECT_EQ(1, stats.mapped);
	EXPECT_EQ(1, stats.hits);
	ASSERT_OK(gm_slice_begin(gm_region_as_slice(r), GM_PERM_READ, &g));
	EXPECT_EQ(8, gm_region_xen_trim(alias));
	gm_guard_end(&g);
	EXPECT_EQ(0, gm_region_xen_trim(alias));
	EXPECT_EQ(0, xen_fake.granted);
	gm_region_put(r);
	gm_region_put(alias);
}

/* A child has neither the mappings nor a right to take requests back. */
TEST_F(xen, child_takes_nothing_back)
{
	PAGES_OF_4_KIB();
	struct gm_region *r[3];
	int i, status = -1;
	uint64_t x;
	pid_t pid;

	ASSERT_OK(make_xen(&self->o, GM_XEN_FOREIGN, 0, &r[0]));
	ASSERT_OK(make_xen(&self->o, GM_XEN_GRANT, 0, &r[1]));
	ASSERT_OK(make_xen(&self->o, ON_DEMAND, 4, &r[2]));
	EXPECT_EQ(0, gm_slice_write_u64(gm_region_as_slice(r[2]), 0, 9));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		unsigned int before = xen_fake.granted;
		bool ok = gm_region_xen_trim(r[2]) == 1 &&
			  !gm_slice_read_u64(gm_region_as_slice(r[2]), 0, &x) && x == 9 &&
			  xen_fake.granted == before;

		for (i = 0; i < 3; i++)
			gm_region_put(r[i]);
		_exit(ok && xen_fake.granted == before ? 0 : 1);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(9, xen_fake.granted);
	for (i = 0; i < 3; i++)
		gm_region_put(r[i]);
}

TEST_F(xen, no_memory)
{
	PAGES_OF_4_KIB();
	static const uint32_t kinds[] = { GM_XEN_FOREIGN, GM_XEN_GRANT, ON_DEMAND };
	struct gm_xen_opts x = { .sz = sizeof(x), .data = XEN_FAKE_DOMAIN };
	struct gm_region *r;
	uint64_t n;
	int i, ret;

	self->o.flags = GM_MMAP_DIRTY;
	for (i = 0; i < 3; i++) {
		x.flags = kinds[i];
		x.cache_pages = kinds[i] == ON_DEMAND ? 4 : 0;
		for (n = 1;; n++) {
			r = NULL;
			no_memory_for(n);
			ret = gm_region_new_xen(gm_gpa(0), 40 * PAGE, &x, &self->o, &r);
			if (!no_memory_failed())
				break;
			EXPECT_EQ(-ENOMEM, ret);
			EXPECT_EQ(NULL, r);
			EXPECT_EQ(0, xen_fake.requests);
		}
		no_memory_for(0);
		EXPECT_EQ(0, ret);
		EXPECT_LE(3, n);
		gm_region_put(r);
	}
	EXPECT_EQ(1, vma_count("xen_fake"));
}

TEST_F(xen, options)
{
	PAGES_OF_4_KIB();
	struct gm_xen_opts x = xen_opts(GM_XEN_GRANT), longer[2];
	struct gm_bitmap *small;
	struct gm_region *r = NULL;
	struct gm_mmap_opts o;
	int before = vma_count("xen_fake");

#define REFUSED(err, field) do { \
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(GPA), LEN, &x, &o, &r), err, GM_ERR_OPTION, \
		    field, 0, 0, 0); \
	x = xen_opts(GM_XEN_GRANT); \
	o = self->o; \
} while (0)
#define XEN(field) offsetof(struct gm_xen_opts, field)
#define MMAP(field) offsetof(struct gm_mmap_opts, field)

	o = self->o;
	x.sz = 16;
	REFUSED(EINVAL, XEN(sz));
	x.reserved = 1;
	REFUSED(EINVAL, XEN(reserved));
	x.cache_pages = 1;
	REFUSED(EINVAL, XEN(cache_pages));
	x.flags = ON_DEMAND;
	x.cache_pages = GM_XEN_CACHE_MAX + 1;
	REFUSED(EINVAL, XEN(cache_pages));
	x.data = 0x7ff0;
	REFUSED(EINVAL, XEN(data));
	o.file = NULL;
	REFUSED(EINVAL, MMAP(file));
	x.flags = GM_XEN_FOREIGN;
	o.file_off = PAGE;
	REFUSED(EINVAL, MMAP(file_off));
	o.map_flags = MAP_PRIVATE;
	REFUSED(EINVAL, MMAP(map_flags));
	o.flags = GM_MMAP_THP;
	REFUSED(EINVAL, MMAP(flags));
	o.addr = self->memory;
	REFUSED(EINVAL, MMAP(addr));
	o.numa_node = 1;
	REFUSED(EINVAL, MMAP(numa_node));
	o.guard_size = PAGE;
	REFUSED(EINVAL, MMAP(guard_size));
	o.name = "name";
	REFUSED(EINVAL, MMAP(name));
	o.reserved = 1;
	REFUSED(EINVAL, MMAP(reserved));

	/* A newer caller, who asks for nothing new, and for something. */
	memset(longer, 0, sizeof(longer));
	longer[0] = xen_opts(GM_XEN_GRANT);
	longer[0].sz = sizeof(longer);
	ASSERT_OK(gm_region_new_xen(gm_gpa(GPA), LEN, longer, &o, &r));
	gm_region_put(r);
	r = NULL;
	longer[1].flags = 1;
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(GPA), LEN, longer, &o, &r), E2BIG, GM_ERR_OPTION,
		    sizeof(x) + 8, 0, 0, 0);

	x.flags = GM_XEN_FOREIGN | GM_XEN_GRANT;
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(GPA), LEN, &x, &o, &r), EINVAL, GM_ERR_XEN_FLAGS, 3,
		    0, 0, 0);
	x = xen_opts(GM_XEN_FOREIGN);
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(GPA + 8), LEN, &x, &o, &r), EINVAL,
		    GM_ERR_MISALIGNED, GPA + 8, PAGE, 0, 0);
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(GPA), 0, &x, &o, &r), EINVAL, GM_ERR_ZERO_LENGTH,
		    GPA, 0, 0, 0);
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(0), UINT64_MAX, &x, &o, &r), EOVERFLOW,
		    GM_ERR_TOO_BIG, UINT64_C(1) << 52, PAGE, 0, 0);
	ASSERT_OK(gm_bitmap_new(PAGE, PAGE, &small));
	o.dirty = small;
	EXPECT_FAIL(gm_region_new_xen(gm_gpa(GPA), LEN, &x, &o, &r), EINVAL, GM_ERR_OPTION,
		    MMAP(dirty), 0, 0, 0);
	gm_bitmap_put(small);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(0, xen_fake.requests);
	EXPECT_EQ(before, vma_count("xen_fake"));
}

TEST_HARNESS_MAIN
