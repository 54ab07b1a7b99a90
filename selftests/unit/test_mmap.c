/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_mmap.c - mapped regions: the default, the caller's own mapping, sizes of
 * the options struct, and what is refused.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/access.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "scale.h"
#include "system.h"
#include "vma.h"

/* POSIX has no such flag. */
#define ANONYMOUS (GM_TEST_LINUX ? MAP_ANONYMOUS : 0)
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define OPTION(field) offsetof(struct gm_mmap_opts, field)

static const struct gm_mmap_opts defaults = { .sz = sizeof(defaults) };

/* A region's host address, by way of the public function. */
static uint8_t *host_of(const struct gm_region *r)
{
	void *p = NULL;

	gm_region_host(r, gm_roff(0), &p);
	return p;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

TEST(default_is_anonymous_private_memory_of_zeros)
{
	uint8_t *host;
	struct gm_region *r;
	uint64_t v = 42;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x1000), 3 * PAGE, NULL, &r));
	host = host_of(r);
	EXPECT_EQ(0x1000, gm_gpa_raw(gm_region_start(r)));
	EXPECT_EQ(3 * PAGE, gm_region_len(r));
	EXPECT_EQ(PROT_READ | PROT_WRITE, gm_region_prot(r));
	EXPECT_EQ(MAP_PRIVATE | ANONYMOUS, gm_region_map_flags(r));
	EXPECT_TRUE(gm_region_is_owned(r));
	EXPECT_EQ(GM_PERM_RW, gm_region_perm(r));
	EXPECT_EQ(NULL, gm_region_bitmap(r));
	EXPECT_EQ(NULL, gm_region_file(r, NULL));
	EXPECT_EQ(GM_NO, gm_region_is_hugetlbfs(r));
	EXPECT_TRUE(all_zero(host, 3 * PAGE));
	EXPECT_EQ(0, gm_region_write(r, gm_roff(3 * PAGE - 8), &v, 8));
	EXPECT_EQ(42, host[3 * PAGE - 8]);
	gm_region_put(r);
}

TEST(put_unmaps_what_the_library_mapped_and_nothing_else)
{
	struct gm_region *r, *other;
	uint8_t *host, *host2, *own;

	own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)own);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 5 * PAGE, NULL, &r));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 5 * PAGE, NULL, &other));
	host = host_of(r);
	host2 = host_of(other);
	EXPECT_TRUE(vma_is_mapped(host, 5 * PAGE));
	gm_region_get(r);
	gm_region_put(r);
	EXPECT_TRUE(vma_is_mapped(host, 5 * PAGE));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host, 5 * PAGE));
	EXPECT_TRUE(vma_is_mapped(host2, 5 * PAGE));
	EXPECT_TRUE(vma_is_mapped(own, PAGE));
	gm_region_put(other);
	EXPECT_TRUE(vma_is_unmapped(host2, 5 * PAGE));
	EXPECT_TRUE(vma_is_mapped(own, PAGE));
	munmap(own, PAGE);
}

TEST(length_is_not_rounded_but_the_mapping_is)
{
	struct gm_region *r;
	uint8_t *host, byte = 1;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(7), PAGE + 1, NULL, &r));
	host = host_of(r);
	EXPECT_EQ(PAGE + 1, gm_region_len(r));
	EXPECT_EQ(7 + PAGE, gm_gpa_raw(gm_region_last(r)));
	EXPECT_EQ(0, gm_region_write(r, gm_roff(PAGE), &byte, 1));
	EXPECT_FAIL_KIND(gm_region_write(r, gm_roff(PAGE + 1), &byte, 1),
			 ERANGE, GM_ERR_OUT_OF_BOUNDS);
	EXPECT_TRUE(vma_is_mapped(host, 2 * PAGE));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host, 2 * PAGE));
}

TEST(last_page_of_the_address_space)
{
	struct gm_region *r = NULL;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(-PAGE), PAGE, NULL, &r));
	EXPECT_EQ(UINT64_MAX, gm_gpa_raw(gm_region_last(r)));
	gm_region_put(r);
	r = NULL;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(-PAGE), PAGE + 1, NULL, &r),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, -PAGE, PAGE + 1, 0, 0);
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(UINT64_MAX), UINT64_MAX, NULL, &r),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX, UINT64_MAX,
		    0, 0);
	EXPECT_EQ(NULL, r);
}

TEST(lengths_that_nobody_can_map)
{
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.addr = (void *)(uintptr_t)-PAGE,
	};
	struct gm_region *r = NULL;

	/* The caller's own mapping would pass 2^64. */
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE + 1, &o, &r), EOVERFLOW,
		    GM_ERR_OVERFLOW, -PAGE, PAGE + 1, 0, 0);
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), 0, NULL, &r), EINVAL,
			 GM_ERR_ZERO_LENGTH);
	/* Rounding up to pages overflows. */
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), UINT64_MAX, NULL, &r),
			 EOVERFLOW, GM_ERR_OVERFLOW);
	EXPECT_EQ(UINT64_MAX, gm_error_last()->addr);
	/* valgrind has an answer of its own. */
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), UINT64_C(1) << 62, NULL, &r),
		    RUNNING_ON_VALGRIND ? EINVAL : ENOMEM, GM_ERR_MMAP, 0,
		    UINT64_C(1) << 62, 0, 0);
	EXPECT_EQ(NULL, r);
}

TEST(caller_s_own_mapping_stays_mapped)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t *own;
	uint32_t v = 0x55667788;

	own = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)own);
	o.addr = own;
	o.map_flags = MAP_SHARED | MAP_ANONYMOUS;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x4000), 2 * PAGE, &o, &r));
	EXPECT_EQ(own, host_of(r));
	EXPECT_FALSE(gm_region_is_owned(r));
	EXPECT_EQ(MAP_SHARED | MAP_ANONYMOUS, gm_region_map_flags(r));
	EXPECT_EQ(PROT_READ | PROT_WRITE, gm_region_prot(r));
	EXPECT_EQ(0, gm_region_write(r, gm_roff(PAGE), &v, 4));

	/* Only the caller knows what it is made of. */
	EXPECT_EQ(GM_UNKNOWN, gm_region_is_hugetlbfs(r));
	gm_region_set_hugetlbfs(r, true);
	EXPECT_EQ(GM_YES, gm_region_is_hugetlbfs(r));
	gm_region_set_hugetlbfs(r, false);
	EXPECT_EQ(GM_NO, gm_region_is_hugetlbfs(r));

	gm_region_put(r);
	EXPECT_TRUE(vma_is_mapped(own, 2 * PAGE));
	EXPECT_EQ(0, memcmp(own + PAGE, &v, 4));
	munmap(own, 2 * PAGE);
}

TEST(caller_s_own_mapping_described)
{
	struct gm_mmap_opts o = defaults;
	uint64_t file_off = 0;
	struct gm_region *r;
	struct gm_file *f;
	int fd = memfd_create("own", 0);
	uint8_t *own;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, (off_t)(2 * PAGE)));
	own = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)PAGE);
	ASSERT_NE(MAP_FAILED, (void *)own);
	ASSERT_OK(gm_file_new(fd, &f));
	o.addr = own;
	o.prot = PROT_READ;
	o.map_flags = MAP_SHARED;
	o.file = f;
	o.file_off = PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	gm_file_put(f);
	EXPECT_EQ(PROT_READ, gm_region_prot(r));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_EQ(f, gm_region_file(r, &file_off));
	EXPECT_EQ(PAGE, file_off);
	gm_region_put(r);
	munmap(own, PAGE);
}

TEST(caller_s_own_mapping_read_only_and_dirty)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t *own, byte = 1;

	own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)own);
	o.addr = own;
	o.flags = GM_MMAP_READ_ONLY;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_FAIL_KIND(gm_region_write(r, gm_roff(1), &byte, 1), EACCES,
			 GM_ERR_PERMISSION);
	EXPECT_EQ(0, own[1]);
	gm_region_put(r);

	o.flags = GM_MMAP_DIRTY;
	o.dirty_page_size = 512;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(0, gm_region_write(r, gm_roff(513), &byte, 1));
	EXPECT_FALSE(gm_bitmap_test(gm_region_bitmap(r), 511));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 512));
	EXPECT_FALSE(gm_bitmap_test(gm_region_bitmap(r), 1024));
	gm_region_put(r);
	munmap(own, PAGE);
}

TEST(caller_s_own_mapping_misaligned)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	uint8_t mem[64];

	o.addr = (void *)(((uintptr_t)mem & -PAGE) + 8);
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 16, &o, &r), EINVAL,
		    GM_ERR_POINTER, (uintptr_t)o.addr, 0, 0, 0);
	EXPECT_EQ(NULL, r);
}

TEST(map_fixed_is_refused)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;

	o.map_flags = MAP_PRIVATE | MAP_FIXED;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
		    GM_ERR_MAP_FIXED, 0, 0, 0, 0);
	o.map_flags = MAP_FIXED_NOREPLACE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
		    GM_ERR_MAP_FIXED, 0, 0, 0, 0);
	EXPECT_EQ(NULL, r);
}

TEST(chosen_flags)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;

	o.map_flags = MAP_SHARED | MAP_NORESERVE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(MAP_SHARED | MAP_NORESERVE | MAP_ANONYMOUS,
		  gm_region_map_flags(r));
	EXPECT_TRUE(vma_has_flag(host_of(r), "sh"));
	EXPECT_TRUE(vma_has_flag(host_of(r), "nr"));
	gm_region_put(r);
}

/* Refused as an option, and the error names the field at @off. */
static void expect_refused(struct __test_metadata *_metadata,
			   const struct gm_mmap_opts *o, int err, size_t off)
{
	struct gm_region *r = NULL;

	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, o, &r), err,
		    GM_ERR_OPTION, off, 0, 0, 0);
	EXPECT_EQ(NULL, r);
}

TEST(options_that_are_unknown)
{
	struct gm_mmap_opts o = defaults;

	o.flags = 1u << 31;
	expect_refused(_metadata, &o, EINVAL, OPTION(flags));
	o.flags = GM_MMAP_MERGEABLE << 1;
	expect_refused(_metadata, &o, EINVAL, OPTION(flags));
	o = defaults;
	o.reserved = 1;
	expect_refused(_metadata, &o, EINVAL, OPTION(reserved));
	o = defaults;
	o.prot = PROT_READ | PROT_EXEC;
	expect_refused(_metadata, &o, EINVAL, OPTION(prot));
	o = defaults;
	o.prot = PROT_WRITE;
	expect_refused(_metadata, &o, EINVAL, OPTION(prot));
}

TEST(options_that_do_not_go_together)
{
	static const uint32_t flags[] = {
		GM_MMAP_THP | GM_MMAP_NO_THP,
		GM_MMAP_PRIVATE,
		GM_MMAP_PRIVATE | GM_MMAP_MEMFD,
	};
	struct gm_mmap_opts o = defaults;
	struct gm_bitmap *bm;
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		o.flags = flags[i];
		expect_refused(_metadata, &o, EINVAL, OPTION(flags));
	}
	o = defaults;
	o.flags = GM_MMAP_READ_ONLY;
	o.prot = PROT_READ | PROT_WRITE;
	expect_refused(_metadata, &o, EINVAL, OPTION(prot));
	o = defaults;
	o.flags = GM_MMAP_READ_ONLY | GM_MMAP_DIRTY;
	expect_refused(_metadata, &o, EINVAL, OPTION(dirty));
	o = defaults;
	o.dirty_page_size = 4096;
	expect_refused(_metadata, &o, EINVAL, OPTION(dirty_page_size));
	o = defaults;
	o.map_flags = MAP_HUGETLB;
	expect_refused(_metadata, &o, EINVAL, OPTION(map_flags));
	o = defaults;
	o.flags = GM_MMAP_MEMFD;
	o.map_flags = MAP_PRIVATE;
	expect_refused(_metadata, &o, EINVAL, OPTION(map_flags));

	ASSERT_OK(gm_bitmap_new(PAGE, 0, &bm));
	o = defaults;
	o.dirty = bm;
	o.flags = GM_MMAP_DIRTY;
	expect_refused(_metadata, &o, EINVAL, OPTION(dirty));
	gm_bitmap_put(bm);
}

TEST(options_that_an_own_mapping_cannot_have)
{
	static const uint32_t flags[] = {
		GM_MMAP_MEMFD, GM_MMAP_THP, GM_MMAP_NO_THP, GM_MMAP_LOCK,
		GM_MMAP_NO_DUMP, GM_MMAP_NO_FORK, GM_MMAP_PREFAULT,
		GM_MMAP_MERGEABLE,
	};
	struct gm_mmap_opts own = defaults, o;
	size_t i;

	own.addr = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, own.addr);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		o = own;
		o.flags = flags[i];
		expect_refused(_metadata, &o, EINVAL, OPTION(flags));
	}
	o = own;
	o.huge_size = 2 << 20;
	expect_refused(_metadata, &o, EINVAL, OPTION(huge_size));
	o = own;
	o.numa_node = 1;
	expect_refused(_metadata, &o, EINVAL, OPTION(numa_node));
	o = own;
	o.guard_size = PAGE;
	expect_refused(_metadata, &o, EINVAL, OPTION(guard_size));
	o = own;
	o.name = "own";
	expect_refused(_metadata, &o, EINVAL, OPTION(name));
	munmap(own.addr, PAGE);
}

TEST(size_of_the_options_struct)
{
	struct {
		struct gm_mmap_opts o;
		uint8_t newer[24];
	} big = { .o = { .sz = sizeof(big) } };
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;

	/* Older: what lies past its end is not looked at. */
	o.sz = OPTION(file);
	o.map_flags = MAP_SHARED;
	o.guard_size = 1;
	o.reserved = 1;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(MAP_SHARED | ANONYMOUS, gm_region_map_flags(r));
	gm_region_put(r);

	/* Newer, but asks for nothing that is not known. */
	big.o.map_flags = MAP_SHARED;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &big.o, &r));
	EXPECT_EQ(MAP_SHARED | ANONYMOUS, gm_region_map_flags(r));
	gm_region_put(r);

	big.newer[23] = 1;
	expect_refused(_metadata, &big.o, E2BIG, sizeof(o) + 23);
	o = defaults;
	o.sz = 0;
	expect_refused(_metadata, &o, EINVAL, OPTION(sz));
}

TEST(bitmap_of_the_caller)
{
	struct gm_mmap_opts o = defaults;
	struct gm_bitmap *bm, *small;
	struct gm_region *r;
	uint8_t byte = 1;

	ASSERT_OK(gm_bitmap_new(4 * PAGE, 0, &bm));
	ASSERT_OK(gm_bitmap_new(3 * PAGE, 0, &small));
	o.dirty = bm;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
	EXPECT_EQ(bm, gm_region_bitmap(r));
	EXPECT_EQ(0, gm_region_write(r, gm_roff(4 * PAGE - 1), &byte, 1));
	EXPECT_TRUE(gm_bitmap_test_page(bm, 3));
	EXPECT_FALSE(gm_bitmap_test_page(bm, 2));
	/* The region holds a reference of its own, and so does the caller. */
	gm_region_put(r);
	EXPECT_TRUE(gm_bitmap_test_page(bm, 3));
	gm_bitmap_put(bm);

	/* One that is too short would lose marks. */
	o.dirty = small;
	r = NULL;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r),
			 EINVAL, GM_ERR_OPTION);
	EXPECT_EQ(OPTION(dirty), gm_error_last()->addr);
	EXPECT_EQ(NULL, r);
	gm_bitmap_put(small);
}

TEST(bitmap_made_by_the_library)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;

	o.flags = GM_MMAP_DIRTY;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE + 1, &o, &r));
	EXPECT_EQ(PAGE, gm_bitmap_page_size(gm_region_bitmap(r)));
	EXPECT_EQ(5, gm_bitmap_pages(gm_region_bitmap(r)));
	gm_region_put(r);
	o.dirty_page_size = 64;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
	EXPECT_EQ(64, gm_bitmap_page_size(gm_region_bitmap(r)));
	gm_region_put(r);
	r = NULL;
	o.dirty_page_size = 65;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
			 GM_ERR_OPTION);
	EXPECT_EQ(NULL, r);
}

TEST_HARNESS_MAIN
