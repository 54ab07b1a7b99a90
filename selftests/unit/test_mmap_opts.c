/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_mmap_opts.c - what can be asked of a mapping, as the kernel shows it:
 * advice, lock, name, read-only, NUMA node.
 */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "system.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define OPTION(field) offsetof(struct gm_mmap_opts, field)

static const struct gm_mmap_opts defaults = { .sz = sizeof(defaults) };

static uint8_t *host_of(const struct gm_region *r)
{
	void *p = NULL;

	gm_region_host(r, gm_roff(0), &p);
	return p;
}

#if defined(__SANITIZE_ADDRESS__)
#define MLOCK_IS_A_NO_OP true
#else
#define MLOCK_IS_A_NO_OP false
#endif

/* Flag of a region and the flag of the mapping that it stands for. */
static const struct {
	uint32_t flag;
	const char *vm_flag;
	const char *feature;
} advices[] = {
	{ GM_MMAP_THP, "hg", "/sys/kernel/mm/transparent_hugepage" },
	{ GM_MMAP_NO_THP, "nh", "/sys/kernel/mm/transparent_hugepage" },
	{ GM_MMAP_NO_DUMP, "dd", "/proc/self" },
	{ GM_MMAP_NO_FORK, "dc", "/proc/self" },
	{ GM_MMAP_MERGEABLE, "mg", "/sys/kernel/mm/ksm" },
};

TEST(advice_reaches_the_kernel)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	size_t i, j;

	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		o.flags = advices[i].flag;
		if (access(advices[i].feature, F_OK)) {
			EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r),
				    EOPNOTSUPP, GM_ERR_OPTION, OPTION(flags),
				    0, 0, 0);
			continue;
		}
		ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
		for (j = 0; j < sizeof(advices) / sizeof(advices[0]); j++)
			EXPECT_EQ(i == j, vma_has_flag(host_of(r),
						       advices[j].vm_flag))
				TH_LOG("asked for %s, looked at %s",
				       advices[i].vm_flag, advices[j].vm_flag);
		gm_region_put(r);
	}
}

TEST(advice_on_a_memfd)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;

	o.flags = GM_MMAP_MEMFD | GM_MMAP_NO_DUMP | GM_MMAP_NO_FORK;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
	EXPECT_TRUE(vma_has_flag(host_of(r), "dd"));
	EXPECT_TRUE(vma_has_flag(host_of(r), "dc"));
	gm_region_put(r);
}

TEST(transparent_huge_pages_start_where_one_can_be)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t *host;

	o.flags = GM_MMAP_THP;
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "no transparent huge pages in this kernel");
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 << 20, &o, &r));
	host = host_of(r);
	EXPECT_EQ(0, (uintptr_t)host & ((2 << 20) - 1));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host, 4 << 20));
}

TEST(lock)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	struct rlimit none = { 0, 0 };
	char line[256];

	if (MLOCK_IS_A_NO_OP)
		SKIP(return, "the address sanitizer makes mlock() a no-op");
	o.flags = GM_MMAP_LOCK;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
	EXPECT_TRUE(vma_has_flag(host_of(r), "lo"));
	EXPECT_EQ(4, vma_resident_pages(host_of(r), 4 * PAGE));
	gm_region_put(r);

	/* No limit and no privilege: nothing may be locked. */
	LINUX_ONLY();
	r = NULL;
	o.name = "gm-unlocked";
	o.flags |= GM_MMAP_MEMFD;
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	if (!geteuid())
		ASSERT_EQ(0, setuid(65534));
	if (geteuid() == 0)
		SKIP(return, "cannot give up privileges");
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r), EPERM,
			 GM_ERR_IO);
	EXPECT_EQ(4 * PAGE, gm_error_last()->len);
	EXPECT_EQ(NULL, r);
	/* Another user's /proc/self may be closed to us. */
	if (vma_smaps(line, NULL, line, sizeof(line)))
		EXPECT_EQ(0, vma_count("gm-unlocked"));
}

TEST(name_of_anonymous_memory)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t *probe = mmap(NULL, PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool supported = !prctl(0x53564d41 /* PR_SET_VMA */, 0, probe, PAGE, "p");
	char line[256] = "";

	munmap(probe, PAGE);
	o.name = "gm-ram";
	/* Never a failure: a name is a courtesy. */
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_TRUE(vma_smaps(host_of(r), NULL, line, sizeof(line)));
	EXPECT_EQ(supported, strstr(line, "[anon:gm-ram]") != NULL);
	gm_region_put(r);
	if (!supported)
		SKIP(return, "no names of anonymous memory in this kernel");
}

TEST(read_only_is_refused_not_a_signal)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	struct gm_slice s;
	struct gm_view v;
	struct gm_map *m;
	uint64_t x = 5;

	o.flags = GM_MMAP_READ_ONLY;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x1000), PAGE, &o, &r));
	EXPECT_EQ(PROT_READ, gm_region_prot(r));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_EQ(NULL, gm_region_bitmap(r));
	EXPECT_EQ(0, gm_region_read(r, gm_roff(0), &x, 8));
	EXPECT_EQ(0, x);
	s = gm_region_as_slice(r);
	EXPECT_EQ(GM_PERM_READ, gm_slice_perm(s));
	EXPECT_FAIL_KIND(gm_slice_write_u64(s, 8, 1), EACCES, GM_ERR_PERMISSION);
	EXPECT_FAIL_KIND(gm_region_write(r, gm_roff(8), &x, 8), EACCES,
			 GM_ERR_PERMISSION);
	EXPECT_FAIL_KIND(gm_region_store(r, gm_roff(8), &x, 8, GM_RELAXED),
			 EACCES, GM_ERR_PERMISSION);
	EXPECT_FAIL_KIND(gm_region_write_some(r, gm_roff(8), &x, 8), EACCES,
			 GM_ERR_PERMISSION);
	ASSERT_OK(gm_map_new(&r, 1, &m));
	gm_view_init(&v, m);
	EXPECT_FAIL(gm_view_write_u64(&v, gm_gpa(0x1008), 1), EACCES,
		    GM_ERR_PERMISSION, 0x1008, 8, 0, 0);
	EXPECT_EQ(0, gm_view_read_u64(&v, gm_gpa(0x1008), &x));
	EXPECT_EQ(0, x);
	gm_map_put(m);
	gm_region_put(r);
}

TEST(prot_read_alone_is_read_only_too)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t byte = 1;

	o.prot = PROT_READ;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_FAIL_KIND(gm_region_write(r, gm_roff(0), &byte, 1), EACCES,
			 GM_ERR_PERMISSION);
	gm_region_put(r);
}

TEST(pages_come_from_the_numa_node)
{
	struct gm_mmap_opts o = defaults;
	unsigned long nodes[16] = { 0 };
	struct gm_region *r = NULL;
	int mode = -1, ret;

	o.numa_node = 1;
	ret = gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r);
	if (ret == -EOPNOTSUPP) {
		EXPECT_EQ(GM_ERR_OPTION, gm_error_last()->kind);
		EXPECT_EQ(OPTION(numa_node), gm_error_last()->addr);
		EXPECT_EQ(NULL, r);
		SKIP(return, "no NUMA in this build or kernel");
	}
	ASSERT_EQ(0, ret);
	EXPECT_EQ(0, syscall(SYS_get_mempolicy, &mode, nodes,
			     sizeof(nodes) * 8, host_of(r), MPOL_F_ADDR));
	EXPECT_EQ(MPOL_BIND, mode);
	EXPECT_EQ(1, nodes[0]);
	gm_region_put(r);
}

TEST(no_such_numa_node)
{
	static const uint32_t absent[] = { 64, 1000, 1024, UINT32_MAX };
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	size_t i;

	o.flags = GM_MMAP_MEMFD;
	o.name = "gm-nowhere";
	for (i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		o.numa_node = absent[i];
		if (gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r) == -EOPNOTSUPP)
			SKIP(return, "no NUMA in this build or kernel");
		EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), ENODEV,
			    GM_ERR_NUMA, absent[i] - 1, 0, 0, 0);
	}
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(0, vma_count("gm-nowhere"));
}

TEST_HARNESS_MAIN
