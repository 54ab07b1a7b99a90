/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_handle.c - handle.h: sources and sinks on files and pipes of Windows.
 */
#include "kselftest_harness.h"
#include <guestmem.h>
#include "../unit/expect.h"
#include "temporary.h"

#define LEN 0x10000

FIXTURE(handle) {
	struct gm_region *r;
	struct gm_map *m;
	struct gm_view v;
	HANDLE file;
};

/* Two regions side by side: what spans them is two slices. */
FIXTURE_SETUP(handle)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_DIRTY };
	struct gm_range ranges[] = { { gm_gpa(0), LEN }, { gm_gpa(LEN), LEN } };
	struct gm_mmap_opts each[] = { o, o };

	ASSERT_OK(gm_map_new_mmap(ranges, each, 2, &self->m));
	gm_view_init(&self->v, self->m);
	self->file = temporary_file();
	ASSERT_NE(INVALID_HANDLE_VALUE, self->file);
}

FIXTURE_TEARDOWN(handle)
{
	CloseHandle(self->file);
	gm_map_put(self->m);
}

static int64_t position(HANDLE file)
{
	LARGE_INTEGER at, zero = { .QuadPart = 0 };

	return SetFilePointerEx(file, zero, &at, FILE_CURRENT) ? at.QuadPart : -1;
}

TEST_F(handle, writes_and_reads_at_a_place)
{
	struct gm_handle_sink sink;
	struct gm_handle_source source;
	char text[] = "over the border", back[sizeof(text)] = "";
	gm_gpa_t at = gm_gpa(LEN - 5);

	ASSERT_OK(gm_view_write(&self->v, at, text, sizeof(text)));
	gm_handle_sink_init_at(&sink, self->file, 1000);
	ASSERT_OK(gm_view_write_all_to(&self->v, at, &sink.sink, sizeof(text)));
	EXPECT_EQ(1000 + sizeof(text), sink.off);
	ASSERT_OK(gm_view_write(&self->v, at, back, sizeof(back)));
	gm_handle_source_init_at(&source, self->file, 1000);
	ASSERT_OK(gm_view_read_exact_from(&self->v, at, &source.source, sizeof(text)));
	EXPECT_EQ(1000 + sizeof(text), source.off);
	ASSERT_OK(gm_view_read(&self->v, at, back, sizeof(back)));
	EXPECT_STREQ(text, back);
}

TEST_F(handle, own_position_advances)
{
	struct gm_handle_sink sink;
	struct gm_handle_source source;
	uint64_t n = 0x1122334455667788;

	gm_handle_sink_init(&sink, self->file);
	ASSERT_OK(gm_view_write(&self->v, gm_gpa(0), &n, sizeof(n)));
	ASSERT_OK(gm_view_write_all_to(&self->v, gm_gpa(0), &sink.sink, 8));
	ASSERT_OK(gm_view_write_all_to(&self->v, gm_gpa(0), &sink.sink, 8));
	EXPECT_EQ(-1, sink.off);
	EXPECT_EQ(16, position(self->file));
	SetFilePointer(self->file, 8, NULL, FILE_BEGIN);
	gm_handle_source_init(&source, self->file);
	ASSERT_OK(gm_view_read_exact_from(&self->v, gm_gpa(0x100), &source.source, 8));
	n = 0;
	ASSERT_OK(gm_view_read(&self->v, gm_gpa(0x100), &n, sizeof(n)));
	EXPECT_EQ(0x1122334455667788, n);
	EXPECT_EQ(16, position(self->file));
}

TEST_F(handle, end_of_a_file_is_the_end)
{
	struct gm_handle_source source;
	DWORD done;

	ASSERT_TRUE(WriteFile(self->file, "12345", 5, &done, NULL));
	gm_handle_source_init_at(&source, self->file, 2);
	EXPECT_EQ(3, gm_view_read_from(&self->v, gm_gpa(0), &source.source, 100));
	EXPECT_EQ(5, source.off);
	EXPECT_EQ(0, gm_view_read_from(&self->v, gm_gpa(0), &source.source, 100));
	gm_handle_source_init_at(&source, self->file, 2);
	EXPECT_FAIL_KIND(gm_view_read_exact_from(&self->v, gm_gpa(0), &source.source, 4),
			 ENODATA, GM_ERR_UNEXPECTED_END);
}

/* It may have written to a part of it. */
TEST_F(handle, read_that_fails_in_its_second_region)
{
	struct gm_region *second = gm_map_region(self->m, 1);
	struct gm_handle_source source;
	DWORD old;

	SetFilePointer(self->file, 2 * LEN, NULL, FILE_BEGIN);
	ASSERT_TRUE(SetEndOfFile(self->file));
	ASSERT_TRUE(VirtualProtect(second->ext.host, LEN, PAGE_NOACCESS, &old));
	gm_handle_source_init_at(&source, self->file, 0);
	EXPECT_EQ(LEN, gm_view_read_from(&self->v, gm_gpa(0), &source.source, 2 * LEN));
	EXPECT_EQ(LEN, source.off);
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(second), 0));
	/* Now it is the first. */
	EXPECT_FAIL_KIND(gm_view_read_from(&self->v, gm_gpa(LEN), &source.source, LEN), EFAULT,
			 GM_ERR_IO);
}

TEST_F(handle, pipe)
{
	struct gm_handle_sink sink;
	struct gm_handle_source source;
	HANDLE in, out;
	uint32_t n = 42;

	ASSERT_TRUE(CreatePipe(&in, &out, NULL, 4096));
	gm_handle_sink_init(&sink, out);
	gm_handle_source_init(&source, in);
	ASSERT_OK(gm_view_write(&self->v, gm_gpa(0), &n, sizeof(n)));
	ASSERT_OK(gm_view_write_all_to(&self->v, gm_gpa(0), &sink.sink, sizeof(n)));
	EXPECT_EQ(4, gm_view_read_from(&self->v, gm_gpa(8), &source.source, 100));
	ASSERT_OK(gm_view_read(&self->v, gm_gpa(8), &n, sizeof(n)));
	EXPECT_EQ(42, n);
	/* Nobody writes any more; nobody reads any more. */
	CloseHandle(out);
	EXPECT_EQ(0, gm_view_read_from(&self->v, gm_gpa(8), &source.source, 100));
	CloseHandle(in);
	ASSERT_TRUE(CreatePipe(&in, &out, NULL, 4096));
	CloseHandle(in);
	gm_handle_sink_init(&sink, out);
	EXPECT_FAIL_KIND(gm_view_write_to(&self->v, gm_gpa(0), &sink.sink, 4), EPIPE,
			 GM_ERR_IO);
	CloseHandle(out);
}

TEST_F(handle, what_is_no_handle)
{
	struct gm_handle_source source;
	struct gm_file *f = (void *)1;
	struct gm_fd_source fd;

	gm_handle_source_init_at(&source, INVALID_HANDLE_VALUE, 5);
	EXPECT_FAIL(gm_view_read_from(&self->v, gm_gpa(0), &source.source, 4), EBADF,
		    GM_ERR_IO, 5, 0, 0, 0);
	EXPECT_FAIL(gm_file_new_handle(INVALID_HANDLE_VALUE, &f), EBADF, GM_ERR_IO, 0, 0, 0,
		    0);
	EXPECT_FAIL(gm_file_new(-1, &f), EBADF, GM_ERR_IO, 0, 0, 0, 0);
	EXPECT_EQ((void *)1, f);
	gm_fd_source_init(&fd, -1);
	EXPECT_FAIL(gm_view_read_from(&self->v, gm_gpa(0), &fd.source, 4), EBADF, GM_ERR_IO,
		    0, 0, 0, 0);
}

/* What the C library knows by a number. */
TEST_F(handle, descriptor)
{
	struct gm_fd_sink sink;
	struct gm_file *f;
	uint32_t n = 42;
	HANDLE copy;
	int fd;

	ASSERT_TRUE(DuplicateHandle(GetCurrentProcess(), self->file, GetCurrentProcess(),
				    &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
	fd = _open_osfhandle((intptr_t)copy, 0);
	ASSERT_LE(0, fd);
	gm_fd_sink_init_at(&sink, fd, 10);
	ASSERT_OK(gm_view_write(&self->v, gm_gpa(0), &n, sizeof(n)));
	ASSERT_OK(gm_view_write_all_to(&self->v, gm_gpa(0), &sink.sink, sizeof(n)));
	EXPECT_EQ(14, sink.off);
	EXPECT_EQ(14, GetFileSize(self->file, NULL));
	ASSERT_OK(gm_file_new(fd, &f));
	EXPECT_EQ(fd, gm_file_fd(f));
	EXPECT_EQ(copy, gm_file_handle(f));
	gm_file_put(f);
	/* It was the file's. */
	EXPECT_EQ(FALSE, GetHandleInformation(copy, &(DWORD){ 0 }));
}

TEST_HARNESS_MAIN
