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

TEST_HARNESS_MAIN
