/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_pipe.c - handle.h: how much a source takes from a pipe, and when it waits.
 */
#include "kselftest_harness.h"
#include <windows.h>
#include <guestmem.h>
#include "../unit/expect.h"

#define LEN 0x10000
#define BUFFER 4096

FIXTURE(pipe) {
	struct gm_map *m;
	struct gm_view v;
	HANDLE in;
	HANDLE out;
};

/* Two regions side by side: what spans them is two slices. */
FIXTURE_SETUP(pipe)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_range ranges[] = { { gm_gpa(0), LEN }, { gm_gpa(LEN), LEN } };
	struct gm_mmap_opts each[] = { o, o };

	ASSERT_OK(gm_map_new_mmap(ranges, each, 2, &self->m));
	gm_view_init(&self->v, self->m);
	self->in = INVALID_HANDLE_VALUE;
	self->out = INVALID_HANDLE_VALUE;
}

FIXTURE_TEARDOWN(pipe)
{
	CloseHandle(self->in);
	CloseHandle(self->out);
	gm_map_put(self->m);
}

/* @access and @mode: of the reading end. */
static bool open_pipe(HANDLE *in, HANDLE *out, DWORD access, DWORD mode)
{
	char name[64];

	snprintf(name, sizeof(name), "\\\\.\\pipe\\guestmem-%lu", GetCurrentProcessId());
	*in = CreateNamedPipeA(name, PIPE_ACCESS_INBOUND | access, mode, 1, BUFFER, BUFFER, 0,
			       NULL);
	*out = CreateFileA(name, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
	return *in != INVALID_HANDLE_VALUE && *out != INVALID_HANDLE_VALUE;
}

static bool put(HANDLE out, const void *p, DWORD n)
{
	DWORD done;

	return WriteFile(out, p, n, &done, NULL) && done == n;
}

static DWORD WINAPI put_later(void *out)
{
	Sleep(500);
	put(out, "later", 5);
	return 0;
}

/* As with readv(): who has something does not wait for more. */
TEST_F(pipe, what_is_there_is_enough)
{
	struct gm_handle_source source;
	char text[11] = "";
	HANDLE thread;

	ASSERT_TRUE(CreatePipe(&self->in, &self->out, NULL, BUFFER));
	ASSERT_TRUE(put(self->out, "12345", 5));
	thread = CreateThread(NULL, 0, put_later, self->out, 0, NULL);
	ASSERT_NE(NULL, thread);
	gm_handle_source_init(&source, self->in);
	ASSERT_EQ(5, gm_view_read_from(&self->v, gm_gpa(LEN - 5), &source.source, 100));
	EXPECT_EQ(5, gm_view_read_from(&self->v, gm_gpa(LEN), &source.source, 100));
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	ASSERT_OK(gm_view_read(&self->v, gm_gpa(LEN - 5), text, 10));
	EXPECT_STREQ("12345later", text);
}

TEST_F(pipe, all_pieces_are_filled)
{
	struct gm_handle_source source;
	char text[11] = "";

	ASSERT_TRUE(CreatePipe(&self->in, &self->out, NULL, BUFFER));
	ASSERT_TRUE(put(self->out, "0123456789", 10));
	gm_handle_source_init(&source, self->in);
	EXPECT_EQ(10, gm_view_read_from(&self->v, gm_gpa(LEN - 5), &source.source, 100));
	ASSERT_OK(gm_view_read(&self->v, gm_gpa(LEN - 5), text, 10));
	EXPECT_STREQ("0123456789", text);
}

/* Windows calls it an error that there is more of a message. */
TEST_F(pipe, part_of_a_message)
{
	struct gm_handle_source source;
	char text[11] = "";

	ASSERT_TRUE(open_pipe(&self->in, &self->out, 0,
			      PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE));
	ASSERT_TRUE(put(self->out, "0123456789", 10));
	gm_handle_source_init(&source, self->in);
	EXPECT_EQ(4, gm_view_read_from(&self->v, gm_gpa(0), &source.source, 4));
	EXPECT_EQ(6, gm_view_read_from(&self->v, gm_gpa(4), &source.source, 100));
	ASSERT_OK(gm_view_read(&self->v, gm_gpa(0), text, 10));
	EXPECT_STREQ("0123456789", text);
}

/* One that does not wait has nothing now, which is not the end. */
TEST_F(pipe, nothing_now)
{
	struct gm_handle_source source;

	ASSERT_TRUE(open_pipe(&self->in, &self->out, 0, PIPE_NOWAIT));
	gm_handle_source_init(&source, self->in);
	EXPECT_FAIL_KIND(gm_view_read_from(&self->v, gm_gpa(0), &source.source, 4), EAGAIN,
			 GM_ERR_IO);
	ASSERT_TRUE(put(self->out, "12", 2));
	EXPECT_EQ(2, gm_view_read_from(&self->v, gm_gpa(0), &source.source, 4));
}

/* Nobody may write to memory after the call that was about it. */
TEST_F(pipe, overlapped_is_waited_for)
{
	struct gm_handle_source source;
	char text[6] = "";
	HANDLE thread;

	ASSERT_TRUE(open_pipe(&self->in, &self->out, FILE_FLAG_OVERLAPPED, 0));
	thread = CreateThread(NULL, 0, put_later, self->out, 0, NULL);
	ASSERT_NE(NULL, thread);
	gm_handle_source_init_at(&source, self->in, 0);
	EXPECT_EQ(5, gm_view_read_from(&self->v, gm_gpa(0), &source.source, 5));
	ASSERT_OK(gm_view_read(&self->v, gm_gpa(0), text, 5));
	EXPECT_STREQ("later", text);
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
}

/* The other end was sent away, or has not come yet. */
TEST_F(pipe, no_other_end)
{
	struct gm_handle_source source;
	struct gm_handle_sink sink;

	ASSERT_TRUE(open_pipe(&self->in, &self->out, 0, 0));
	gm_handle_source_init(&source, self->in);
	gm_handle_sink_init(&sink, self->out);
	ASSERT_TRUE(DisconnectNamedPipe(self->in));
	EXPECT_FAIL_KIND(gm_view_read_from(&self->v, gm_gpa(0), &source.source, 4), EPIPE,
			 GM_ERR_IO);
	EXPECT_FAIL_KIND(gm_view_write_to(&self->v, gm_gpa(0), &sink.sink, 4), EPIPE,
			 GM_ERR_IO);
}

/* Of the library's own. */
int gm_windows_error(void);

TEST(numbers_of_errors)
{
	static const struct {
		DWORD code;
		int err;
	} errors[] = {
		{ ERROR_INVALID_HANDLE, EBADF }, { ERROR_ACCESS_DENIED, EACCES },
		{ ERROR_LOCK_VIOLATION, EACCES }, { ERROR_PRIVILEGE_NOT_HELD, EPERM },
		{ ERROR_WORKING_SET_QUOTA, ENOMEM }, { ERROR_COMMITMENT_LIMIT, ENOMEM },
		{ ERROR_PAGEFILE_QUOTA, ENOMEM }, { ERROR_MAPPED_ALIGNMENT, EINVAL },
		{ ERROR_DISK_FULL, ENOSPC }, { ERROR_HANDLE_DISK_FULL, ENOSPC },
		{ ERROR_FILE_TOO_LARGE, EFBIG }, { ERROR_WRITE_PROTECT, EROFS },
		{ ERROR_NOT_SUPPORTED, EOPNOTSUPP }, { ERROR_OPERATION_ABORTED, ECANCELED },
		{ ERROR_PIPE_LISTENING, EAGAIN }, { ERROR_NO_DATA, EPIPE },
		{ ERROR_NOACCESS, EFAULT }, { ERROR_CRC, EIO }, { 0x7fffffff, EIO },
		/* Nobody said why: never taken for success. */
		{ ERROR_SUCCESS, EIO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		SetLastError(errors[i].code);
		EXPECT_EQ(-errors[i].err, gm_windows_error())
			TH_LOG("error %lu", errors[i].code);
	}
}

TEST_HARNESS_MAIN
