/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Foreign memory of real domains: with nested paging, of a PV domain; pages that are not
 * there; a domain that dies meanwhile; a virtual CPU that answers.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../unit/expect.h"
#include "../unit/vma.h"
#include "kselftest_harness.h"
#include <guestmem.h>
#include "domain.h"
#include "guest_code.h"

#define MIB (UINT64_C(1) << 20)
#define SMALL 1024	/* pages of a domain: two large ones and some */

static struct gm_file *device(void)
{
	int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	struct gm_file *file;

	return fd < 0 || gm_file_new(fd, &file) ? NULL : file;
}

static int map(struct domain *d, uint64_t first, uint64_t len, uint32_t flags,
	       struct gm_region **out)
{
	struct gm_xen_opts x = { .sz = sizeof(x), .flags = GM_XEN_FOREIGN, .data = d->id };
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = flags, .file = device() };
	int ret;

	if (!o.file)
		return -ENODEV;
	ret = gm_region_new_xen(gm_gpa(first * PAGE), len, &x, &o, out);
	/* The region has its own. */
	gm_file_put(o.file);
	return ret;
}

FIXTURE(foreign) {
	struct domain d;
	bool destroyed;
};

FIXTURE_SETUP(foreign)
{
	ASSERT_EQ(0, domain_new_hvm(&self->d, SMALL + 3, 0));
}

FIXTURE_TEARDOWN(foreign)
{
	if (!self->destroyed)
		EXPECT_EQ(0, domain_destroy(&self->d));
	EXPECT_FALSE(domain_is_there(&self->d));
	EXPECT_EQ(0, vma_count("privcmd"));
}

/* Two mappings of the same pages are the same memory; so it is the domain's. */
TEST_F(foreign, both_ways)
{
	struct gm_region *r, *part;
	uint32_t x;

	ASSERT_OK(map(&self->d, 0, (SMALL + 3) * PAGE, GM_MMAP_DIRTY, &r));
	ASSERT_OK(map(&self->d, 511, 3 * PAGE - 7, 0, &part));
	EXPECT_EQ(3 * PAGE - 7, gm_region_len(part));
	/* Over the border of what were two pages of 2 MiB. */
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(r), 512 * PAGE - 3, "abcdef", 6));
	EXPECT_EQ(0, memcmp(part->ext.host + PAGE - 3, "abcdef", 6));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 512 * PAGE));
	EXPECT_FALSE(gm_bitmap_test(gm_region_bitmap(r), 513 * PAGE));
	EXPECT_EQ(0, gm_slice_store_u32(gm_region_as_slice(part), 2 * PAGE, 77, GM_RELEASE));
	EXPECT_EQ(0, gm_slice_load_u32(gm_region_as_slice(r), 513 * PAGE, GM_ACQUIRE, &x));
	EXPECT_EQ(77, x);
	gm_region_put(part);
	gm_region_put(r);
}

TEST_F(foreign, pages_that_are_not_there)
{
	struct gm_region *r = NULL;

	/* The first that is missing is told, wherever it is. */
	EXPECT_FAIL(map(&self->d, SMALL, 4 * PAGE, 0, &r), EINVAL, GM_ERR_XEN_PAGE,
		    (SMALL + 3) * PAGE, PAGE, self->d.id, 0);
	ASSERT_EQ(0, domain_make_hole(&self->d, 700));
	EXPECT_FAIL(map(&self->d, 0, SMALL * PAGE, 0, &r), EINVAL, GM_ERR_XEN_PAGE, 700 * PAGE,
		    PAGE, self->d.id, 0);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(0, vma_count("privcmd"));
	ASSERT_OK(map(&self->d, 0, 700 * PAGE, 0, &r));
	gm_region_put(r);
}

TEST_F(foreign, no_such_domain)
{
	struct domain none = { .id = 0x7000 };
	struct gm_region *r = NULL;

	EXPECT_FAIL(map(&none, 0, PAGE, 0, &r), ESRCH, GM_ERR_XEN_PAGE, 0, PAGE, 0x7000, 0);
	EXPECT_EQ(0, domain_destroy(&self->d));
	self->destroyed = true;
	EXPECT_FAIL(map(&self->d, 0, PAGE, 0, &r), ESRCH, GM_ERR_XEN_PAGE, 0, PAGE, self->d.id,
		    0);
	EXPECT_EQ(NULL, r);
}

TEST_F(foreign, read_only)
{
	struct gm_region *r, *w;
	uint8_t x = 0;

	ASSERT_OK(map(&self->d, 5, PAGE, 0, &w));
	ASSERT_OK(map(&self->d, 5, PAGE, GM_MMAP_READ_ONLY, &r));
	EXPECT_EQ(PROT_READ, gm_region_prot(r));
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(w), 9, "z", 1));
	EXPECT_EQ(0, gm_slice_read(gm_region_as_slice(r), 9, &x, 1));
	EXPECT_EQ('z', x);
	EXPECT_FAIL_KIND(gm_slice_write(gm_region_as_slice(r), 9, "y", 1), EACCES,
			 GM_ERR_PERMISSION);
	gm_region_put(r);
	gm_region_put(w);
}

/* What is mapped stays, and the domain with it, until it is unmapped. */
TEST_F(foreign, destroyed_while_mapped)
{
	struct gm_region *r;
	uint8_t buf[8] = { 0 };

	ASSERT_OK(map(&self->d, 0, SMALL * PAGE, 0, &r));
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(r), 900 * PAGE, "still", 5));
	EXPECT_EQ(0, domain_destroy(&self->d));
	self->destroyed = true;
	EXPECT_TRUE(domain_is_there(&self->d));
	EXPECT_EQ(0, gm_slice_read(gm_region_as_slice(r), 900 * PAGE, buf, 5));
	EXPECT_EQ(0, memcmp(buf, "still", 5));
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(r), 3, "w", 1));
	gm_region_put(r);
	EXPECT_FALSE(domain_is_there(&self->d));
}

TEST_F(foreign, virtual_cpu_answers)
{
	struct gm_region *r;
	struct gm_slice s;
	uint32_t i, x = 0;
	int try;

	ASSERT_OK(map(&self->d, 0, 16 * PAGE, 0, &r));
	s = gm_region_as_slice(r);
	ASSERT_OK(gm_slice_write(s, CODE_PAGE * PAGE, guest_code, sizeof(guest_code)));
	ASSERT_EQ(0, domain_run(&self->d, CODE_PAGE * PAGE));
	for (i = 1000; i < 1005; i++) {
		ASSERT_OK(gm_slice_store_u32(s, QUESTION_PAGE * PAGE, i, GM_RELEASE));
		for (try = 0; try < 1000 && x != i + 1; try++) {
			usleep(10000);
			ASSERT_OK(gm_slice_load_u32(s, ANSWER_PAGE * PAGE, GM_ACQUIRE, &x));
		}
		EXPECT_EQ(i + 1, x);
	}
	gm_region_put(r);
}

TEST(pv_domain_by_the_machines_pages)
{
	struct gm_region *r = NULL, *same;
	struct domain d;
	uint64_t x;

	ASSERT_EQ(0, domain_new_pv(&d, 64, 0));
	ASSERT_OK(map(&d, d.first, 64 * PAGE, 0, &r));
	ASSERT_OK(map(&d, d.first + 32, PAGE, 0, &same));
	EXPECT_EQ(0, gm_slice_write_u64(gm_region_as_slice(r), 32 * PAGE, 0x1122334455667788));
	EXPECT_EQ(0, gm_slice_read_u64(gm_region_as_slice(same), 0, &x));
	EXPECT_EQ(0x1122334455667788, x);
	gm_region_put(same);
	gm_region_put(r);
	/* Pages of somebody else's. */
	r = NULL;
	EXPECT_FAIL(map(&d, 16, PAGE, 0, &r), EPERM, GM_ERR_XEN_PAGE, 16 * PAGE, PAGE, d.id, 0);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(0, domain_destroy(&d));
	EXPECT_FALSE(domain_is_there(&d));
}

TEST(all_of_256_mebibytes)
{
	uint64_t n, pages = 256 * MIB / PAGE;
	struct gm_region *r;
	struct domain d;

	ASSERT_EQ(0, domain_new_hvm(&d, pages, 0));
	ASSERT_OK(map(&d, 0, 256 * MIB, 0, &r));
	for (n = 0; n < pages; n += 511)
		EXPECT_EQ(0, gm_slice_write_u64(gm_region_as_slice(r), n * PAGE, ~n));
	for (n = 0; n < pages; n += 511)
		EXPECT_EQ(~n, *(uint64_t *)(r->ext.host + n * PAGE));
	gm_region_put(r);
	EXPECT_EQ(0, domain_destroy(&d));
	EXPECT_FALSE(domain_is_there(&d));
}

TEST_HARNESS_MAIN
