/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * file.h: who closes the descriptor, and which files are the same. Mapping
 * them: test_mmap_file.c.
 */
#include "kselftest_harness.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <guestmem/file.h>
#include <guestmem/mmap.h>
#include "expect.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static struct gm_file *new_file(struct __test_metadata *_metadata, uint64_t pages)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct gm_file *f = NULL;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, (off_t)(pages * PAGE)));
	ASSERT_OK(gm_file_new(fd, &f));
	EXPECT_EQ(fd, gm_file_fd(f));
	return f;
}

static struct gm_region *map_pages(struct __test_metadata *_metadata,
				   struct gm_file *f, uint64_t first, uint64_t n)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .file = f,
				     .file_off = first * PAGE };
	struct gm_region *r = NULL;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), n * PAGE, &opts, &r));
	return r;
}

TEST(no_open_descriptor_is_refused)
{
	struct gm_file *f = (void *)1;
	int p[2];

	EXPECT_FAIL_KIND(gm_file_new(-1, &f), EBADF, GM_ERR_IO);
	ASSERT_EQ(0, pipe(p));
	close(p[0]);
	close(p[1]);
	EXPECT_FAIL_KIND(gm_file_new(p[0], &f), EBADF, GM_ERR_IO);
	EXPECT_EQ((void *)1, f);
}

TEST(descriptor_is_closed_with_last_reference)
{
	struct gm_file *f = new_file(_metadata, 1);
	int fd = gm_file_fd(f);

	EXPECT_EQ(f, gm_file_get(f));
	EXPECT_EQ(f, gm_file_get(f));
	gm_file_put(f);
	gm_file_put(f);
	EXPECT_TRUE(is_open(fd));
	gm_file_put(f);
	EXPECT_FALSE(is_open(fd));
	EXPECT_EQ(NULL, gm_file_get(NULL));
	gm_file_put(NULL);
}

TEST(region_holds_a_reference)
{
	struct gm_file *f = new_file(_metadata, 1);
	struct gm_region *r = map_pages(_metadata, f, 0, 1);
	int fd = gm_file_fd(f);

	gm_file_put(f);
	EXPECT_TRUE(is_open(fd));
	EXPECT_EQ(f, gm_region_file(r, NULL));
	gm_region_put(r);
	EXPECT_FALSE(is_open(fd));
}

static void *get_and_put(void *arg)
{
	for (int i = 0; i < 20000; i++)
		gm_file_put(gm_file_get(arg));
	return NULL;
}

TEST(references_are_counted_in_all_threads)
{
	struct gm_file *f = new_file(_metadata, 1);
	int fd = gm_file_fd(f);
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, get_and_put, f));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(t[i], NULL));
	EXPECT_TRUE(is_open(fd));
	gm_file_put(f);
	EXPECT_FALSE(is_open(fd));
}

TEST(regions_share_file_if_their_ranges_in_it_intersect)
{
	static const struct { uint64_t first, n; bool shared; } rows[] = {
		{ 0, 2, false }, { 0, 3, true }, { 2, 2, true }, { 3, 1, false },
		{ 0, 4, true }, { 1, 2, true }, { 2, 1, true },
	};
	struct gm_file *f = new_file(_metadata, 4);
	struct gm_region *one = map_pages(_metadata, f, 2, 1);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct gm_region *r = map_pages(_metadata, f, rows[i].first, rows[i].n);

		EXPECT_EQ(rows[i].shared, gm_regions_share_file(one, r));
		EXPECT_EQ(rows[i].shared, gm_regions_share_file(r, one));
		gm_region_put(r);
	}
	gm_region_put(one);
	gm_file_put(f);
}

TEST(one_file_opened_twice_is_the_same_file)
{
	struct gm_file *f = new_file(_metadata, 2), *again = NULL;
	struct gm_region *a, *b, *c;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", gm_file_fd(f));
	ASSERT_OK(gm_file_new(open(path, O_RDWR | O_CLOEXEC), &again));
	a = map_pages(_metadata, f, 0, 1);
	b = map_pages(_metadata, again, 0, 2);
	c = map_pages(_metadata, again, 1, 1);
	EXPECT_TRUE(gm_regions_share_file(a, b));
	EXPECT_FALSE(gm_regions_share_file(a, c));
	gm_region_put(a);
	gm_region_put(b);
	gm_region_put(c);
	gm_file_put(f);
	gm_file_put(again);
}

TEST(two_files_or_none_are_not_shared)
{
	struct gm_file *f = new_file(_metadata, 1), *g = new_file(_metadata, 1);
	struct gm_region *a = map_pages(_metadata, f, 0, 1);
	struct gm_region *b = map_pages(_metadata, g, 0, 1), *anon;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, NULL, &anon));
	EXPECT_FALSE(gm_regions_share_file(a, b));
	EXPECT_FALSE(gm_regions_share_file(a, anon));
	EXPECT_FALSE(gm_regions_share_file(anon, a));
	EXPECT_FALSE(gm_regions_share_file(anon, anon));
	gm_region_put(a);
	gm_region_put(b);
	gm_region_put(anon);
	gm_file_put(f);
	gm_file_put(g);
}

TEST_HARNESS_MAIN
