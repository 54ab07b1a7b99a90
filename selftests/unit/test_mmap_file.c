/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_mmap_file.c - regions of files and of memfds, and the counted file.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/mmap.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "system.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define PAGES 4

static const struct gm_mmap_opts defaults = { .sz = sizeof(defaults) };

/* A file of PAGES pages, each filled with its number + 1, already unlinked. */
FIXTURE(file) {
	struct gm_file *f;
	int fd;
	int fds;
};

FIXTURE_SETUP(file)
{
	const char *dir = getenv("GM_TEST_TMP");
	char path[256];
	uint64_t i;

	self->fds = open_fds();
	snprintf(path, sizeof(path), "%s/gm-XXXXXX", dir ? dir : "/tmp");
	self->fd = mkstemp(path);
	ASSERT_GE(self->fd, 0);
	unlink(path);
	for (i = 0; i < PAGES * PAGE; i++) {
		uint8_t byte = (uint8_t)(i / PAGE + 1);

		if (i % PAGE == 0 || i % PAGE == PAGE - 1)
			ASSERT_EQ(1, pwrite(self->fd, &byte, 1, (off_t)i));
	}
	ASSERT_OK(gm_file_new(self->fd, &self->f));
}

FIXTURE_TEARDOWN(file)
{
	gm_file_put(self->f);
	EXPECT_EQ(self->fds, open_fds());
}

TEST_F(file, counted)
{
	EXPECT_EQ(self->fd, gm_file_fd(self->f));
	EXPECT_EQ(self->f, gm_file_get(self->f));
	gm_file_put(self->f);
	EXPECT_GE(fcntl(self->fd, F_GETFD), 0);
	EXPECT_EQ(NULL, gm_file_get(NULL));
	gm_file_put(NULL);
}

TEST(bad_descriptor)
{
	struct gm_file *f = NULL;
	int fd = dup(0);

	close(fd);
	EXPECT_FAIL_KIND(gm_file_new(fd, &f), EBADF, GM_ERR_IO);
	EXPECT_FAIL_KIND(gm_file_new(-1, &f), EBADF, GM_ERR_IO);
	EXPECT_EQ(NULL, f);
}

TEST_F(file, mapped_shared_at_an_offset)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint64_t off = 0;
	uint8_t byte = 0;

	o.file = self->f;
	o.file_off = 2 * PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x10000), 2 * PAGE, &o, &r));
	EXPECT_EQ(MAP_SHARED, gm_region_map_flags(r));
	EXPECT_EQ(self->f, gm_region_file(r, &off));
	EXPECT_EQ(2 * PAGE, off);
	EXPECT_EQ(GM_TEST_LINUX ? GM_NO : GM_UNKNOWN, gm_region_is_hugetlbfs(r));
	EXPECT_EQ(0, gm_region_read(r, gm_roff(0), &byte, 1));
	EXPECT_EQ(3, byte);
	EXPECT_EQ(0, gm_region_read(r, gm_roff(2 * PAGE - 1), &byte, 1));
	EXPECT_EQ(4, byte);
	byte = 0x99;
	EXPECT_EQ(0, gm_region_write(r, gm_roff(5), &byte, 1));
	byte = 0;
	EXPECT_EQ(1, pread(self->fd, &byte, 1, (off_t)(2 * PAGE + 5)));
	EXPECT_EQ(0x99, byte);
	gm_region_put(r);
}

TEST_F(file, mapped_privately)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t byte = 0x99;

	o.file = self->f;
	o.flags = GM_MMAP_PRIVATE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(MAP_PRIVATE, gm_region_map_flags(r));
	EXPECT_EQ(0, gm_region_write(r, gm_roff(0), &byte, 1));
	EXPECT_EQ(0, gm_region_read(r, gm_roff(0), &byte, 1));
	EXPECT_EQ(0x99, byte);
	EXPECT_EQ(1, pread(self->fd, &byte, 1, 0));
	EXPECT_EQ(1, byte);
	gm_region_put(r);

	o.map_flags = MAP_SHARED;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
			 GM_ERR_OPTION);
}

TEST_F(file, region_keeps_the_descriptor_open)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	struct gm_file *f;
	int fd = dup(self->fd);

	ASSERT_OK(gm_file_new(fd, &f));
	o.file = f;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	gm_file_put(f);
	EXPECT_GE(fcntl(fd, F_GETFD), 0);
	EXPECT_EQ(fd, gm_file_fd(gm_region_file(r, NULL)));
	gm_region_put(r);
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	EXPECT_EQ(EBADF, errno);
}

TEST_F(file, ends_before_the_range)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;

	o.file = self->f;
	o.file_off = PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGES * PAGE, &o, &r), ERANGE,
		    GM_ERR_FILE_RANGE, PAGE, PAGES * PAGE, PAGES * PAGE, 0);
	o.file_off = PAGES * PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 1, &o, &r), ERANGE,
		    GM_ERR_FILE_RANGE, PAGES * PAGE, 1, PAGES * PAGE, 0);
	o.file_off = -PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 2 * PAGE, &o, &r), EOVERFLOW,
		    GM_ERR_OVERFLOW, -PAGE, 2 * PAGE, 0, 0);
	EXPECT_EQ(NULL, r);
	/* To the last byte is fine, also where that is inside a page. */
	ASSERT_EQ(0, ftruncate(self->fd, (off_t)(PAGE + 5)));
	o.file_off = PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 5, &o, &r));
	gm_region_put(r);
	r = NULL;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 6, &o, &r), ERANGE,
		    GM_ERR_FILE_RANGE, PAGE, 6, PAGE + 5, 0);
	EXPECT_EQ(NULL, r);
}

TEST_F(file, misaligned_offset)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;

	o.file = self->f;
	o.file_off = PAGE / 2;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
		    GM_ERR_MISALIGNED, PAGE / 2, PAGE, 0, 0);
	EXPECT_EQ(NULL, r);
}

TEST_F(file, open_for_reading_only)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	struct gm_file *f;
	char path[64];
	uint8_t byte = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY);
	ASSERT_GE(fd, 0);
	ASSERT_OK(gm_file_new(fd, &f));
	o.file = f;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EACCES,
		    GM_ERR_MMAP, 0, PAGE, 0, 0);
	EXPECT_EQ(NULL, r);
	o.prot = PROT_READ;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(PROT_READ, gm_region_prot(r));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_EQ(0, gm_region_read(r, gm_roff(0), &byte, 1));
	EXPECT_EQ(1, byte);
	/* An error, not a signal. */
	EXPECT_FAIL_KIND(gm_region_write(r, gm_roff(0), &byte, 1), EACCES,
			 GM_ERR_PERMISSION);
	gm_region_put(r);
	gm_file_put(f);
}

TEST_F(file, does_not_go_with_memfd_or_huge_pages)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;

	o.file = self->f;
	o.flags = GM_MMAP_MEMFD;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
			 GM_ERR_OPTION);
	o.flags = 0;
	o.huge_size = 2 << 20;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
			 GM_ERR_OPTION);
	o.huge_size = 0;
	o.map_flags = MAP_ANONYMOUS;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
			 GM_ERR_OPTION);
	EXPECT_EQ(NULL, r);
}

/* Regions of one file whose ranges in it intersect. */
TEST_F(file, regions_that_share_it)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *a, *b, *c, *d, *anon;
	struct gm_file *again;

	/* The same file by another descriptor. */
	ASSERT_OK(gm_file_new(dup(self->fd), &again));
	o.file = self->f;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * PAGE, &o, &a));
	o.file_off = PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 3 * PAGE, &o, &b));
	o.file_off = 2 * PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * PAGE, &o, &c));
	o.file = again;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &d));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, NULL, &anon));

	EXPECT_TRUE(gm_regions_share_file(a, a));
	EXPECT_TRUE(gm_regions_share_file(a, b));
	EXPECT_TRUE(gm_regions_share_file(b, a));
	EXPECT_FALSE(gm_regions_share_file(a, c));
	EXPECT_FALSE(gm_regions_share_file(c, a));
	EXPECT_TRUE(gm_regions_share_file(b, c));
	EXPECT_TRUE(gm_regions_share_file(c, d));
	EXPECT_TRUE(gm_regions_share_file(d, b));
	EXPECT_FALSE(gm_regions_share_file(a, d));
	EXPECT_FALSE(gm_regions_share_file(a, anon));
	EXPECT_FALSE(gm_regions_share_file(anon, a));
	EXPECT_FALSE(gm_regions_share_file(anon, anon));
	gm_region_put(a);
	gm_region_put(b);
	gm_region_put(c);
	gm_region_put(d);
	gm_region_put(anon);
	gm_file_put(again);
}

TEST(memfd_is_sealed_and_exactly_long_enough)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	int fd, fds = open_fds();
	struct gm_region *r;
	uint64_t off = 1;
	uint8_t byte = 7;

	o.flags = GM_MMAP_MEMFD;
	o.name = "gm-sealed";
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE + 1, &o, &r));
	ASSERT_NE(NULL, gm_region_file(r, &off));
	EXPECT_EQ(0, off);
	fd = gm_file_fd(gm_region_file(r, NULL));
	EXPECT_EQ(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
		  fcntl(fd, F_GET_SEALS));
	EXPECT_EQ(2 * PAGE, (uint64_t)lseek(fd, 0, SEEK_END));
	EXPECT_EQ(-1, ftruncate(fd, (off_t)PAGE));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, ftruncate(fd, (off_t)(3 * PAGE)));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(MAP_SHARED, gm_region_map_flags(r));
	EXPECT_EQ(1, vma_count("/memfd:gm-sealed"));
	/* Who is given the descriptor sees the same bytes. */
	EXPECT_EQ(0, gm_region_write(r, gm_roff(PAGE), &byte, 1));
	byte = 0;
	EXPECT_EQ(1, pread(fd, &byte, 1, (off_t)PAGE));
	EXPECT_EQ(7, byte);
	gm_region_put(r);
	EXPECT_EQ(fds, open_fds());
	EXPECT_EQ(0, vma_count("/memfd:gm-sealed"));
}

TEST(memfd_without_and_with_a_long_name)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	char name[1000];

	o.flags = GM_MMAP_MEMFD;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	gm_region_put(r);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	o.name = name;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(1, vma_count("/memfd:nnnnnnnn"));
	gm_region_put(r);
}

TEST(memfd_that_cannot_be_leaves_nothing)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	int fds = open_fds();

	o.flags = GM_MMAP_MEMFD;
	EXPECT_EQ(-EOVERFLOW, gm_region_new_mmap(gm_gpa(0), UINT64_C(1) << 63,
						 &o, &r));
	EXPECT_GT(0, gm_region_new_mmap(gm_gpa(0), UINT64_C(1) << 62, &o, &r));
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(fds, open_fds());
}

TEST_HARNESS_MAIN
