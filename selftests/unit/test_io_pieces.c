/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_io_pieces.c - a positioned read of several slices, which POSIX has no call for: a
 * device that fails in the midst of a slice has written to it all the same.
 */
/* gm-test: not-linux */
#include "kselftest_harness.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <guestmem.h>
#include "expect.h"

#define PART 0x1000
#define COUNT 4

static int calls, fail_at;

/* In the place of the C library's: as O_DIRECT may end. */
ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
	if (++calls != fail_at)
		return syscall(SYS_pread64, fd, buf, n, off);
	memset(buf, 0xee, n / 2);
	errno = EIO;
	return -1;
}

FIXTURE(pieces) {
	struct gm_map *m;
	struct gm_view v;
	struct gm_fd_source source;
	int fd;
};

FIXTURE_SETUP(pieces)
{
	struct gm_mmap_opts o[COUNT];
	struct gm_range ranges[COUNT];
	uint64_t i;

	memset(o, 0, sizeof(o));
	for (i = 0; i < COUNT; i++) {
		o[i].sz = sizeof(o[0]);
		o[i].flags = GM_MMAP_DIRTY;
		ranges[i] = (struct gm_range){ gm_gpa(i * PART), PART };
	}
	ASSERT_OK(gm_map_new_mmap(ranges, o, COUNT, &self->m));
	gm_view_init(&self->v, self->m);
	self->fd = memfd_create("pieces", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(self->fd, COUNT * PART));
	gm_fd_source_init_at(&self->source, self->fd, 0);
}

FIXTURE_TEARDOWN(pieces)
{
	gm_map_put(self->m);
	close(self->fd);
}

static bool is_marked(const struct gm_map *m, size_t i)
{
	return gm_bitmap_test(gm_region_bitmap(gm_map_region(m, i)), 0);
}

TEST_F(pieces, second_one_fails)
{
	const uint8_t *host = gm_map_region(self->m, 1)->ext.host;

	fail_at = 2;
	EXPECT_EQ(PART, gm_view_read_from(&self->v, gm_gpa(0), &self->source.source,
					  COUNT * PART));
	EXPECT_EQ(2, calls);
	EXPECT_EQ(PART, self->source.off);
	EXPECT_TRUE(is_marked(self->m, 0));
	EXPECT_EQ(0xee, host[0]);
	EXPECT_TRUE(is_marked(self->m, 1));
}

TEST_F(pieces, first_one_fails)
{
	fail_at = 1;
	EXPECT_FAIL_KIND(gm_view_read_from(&self->v, gm_gpa(0), &self->source.source,
					   COUNT * PART), EIO, GM_ERR_IO);
	EXPECT_EQ(0, self->source.off);
	EXPECT_TRUE(is_marked(self->m, 0));
}

/* At the end of the file, all is known. */
TEST_F(pieces, short_one_marks_what_it_has_read)
{
	ASSERT_EQ(0, ftruncate(self->fd, PART + 1));
	EXPECT_EQ(PART + 1, gm_view_read_from(&self->v, gm_gpa(0), &self->source.source,
					      COUNT * PART));
	EXPECT_EQ(2, calls);
	EXPECT_TRUE(is_marked(self->m, 0));
	EXPECT_TRUE(is_marked(self->m, 1));
	EXPECT_FALSE(is_marked(self->m, 2));
	/* An end that is a slice's, too. */
	gm_bitmap_reset(gm_region_bitmap(gm_map_region(self->m, 1)));
	ASSERT_EQ(0, ftruncate(self->fd, PART));
	gm_fd_source_init_at(&self->source, self->fd, 0);
	EXPECT_EQ(PART, gm_view_read_from(&self->v, gm_gpa(0), &self->source.source,
					  COUNT * PART));
	EXPECT_FALSE(is_marked(self->m, 1));
}

TEST_HARNESS_MAIN
