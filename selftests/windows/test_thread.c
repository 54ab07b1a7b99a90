/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_thread.c - threads that Windows made, and not the library for POSIX threads.
 */
#include "kselftest_harness.h"
#include <windows.h>
#include <guestmem.h>
#include "../unit/expect.h"

struct reader {
	HANDLE inside;		/* it has begun its section */
	HANDLE leave;
	bool ends_inside;
};

static DWORD WINAPI read_once(void *arg)
{
	struct reader *r = arg;

	gm_epoch_enter();
	SetEvent(r->inside);
	WaitForSingleObject(r->leave, INFINITE);
	if (!r->ends_inside)
		gm_epoch_exit();
	return gm_epoch_self != NULL;
}

static DWORD WINAPI wait_for_readers(void *unused)
{
	(void)unused;
	return (DWORD)-gm_epoch_synchronize();
}

static HANDLE start(LPTHREAD_START_ROUTINE run, void *arg)
{
	return CreateThread(NULL, 0, run, arg, 0, NULL);
}

static void check_reader(struct __test_metadata *_metadata, bool ends_inside)
{
	struct reader r = {
		.inside = CreateEventA(NULL, TRUE, FALSE, NULL),
		.leave = CreateEventA(NULL, TRUE, FALSE, NULL),
		.ends_inside = ends_inside,
	};
	HANDLE reader = start(read_once, &r), writer;
	DWORD status = 42;

	ASSERT_NE(NULL, reader);
	ASSERT_EQ(WAIT_OBJECT_0, WaitForSingleObject(r.inside, 5000));
	writer = start(wait_for_readers, NULL);
	ASSERT_NE(NULL, writer);
	/* It waits for the reader, and no longer. */
	EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(writer, 100));
	SetEvent(r.leave);
	ASSERT_EQ(WAIT_OBJECT_0, WaitForSingleObject(reader, 5000));
	ASSERT_EQ(WAIT_OBJECT_0, WaitForSingleObject(writer, 5000));
	ASSERT_TRUE(GetExitCodeThread(reader, &status));
	EXPECT_EQ(1, status);
	ASSERT_TRUE(GetExitCodeThread(writer, &status));
	EXPECT_EQ(0, status);
	CloseHandle(reader);
	CloseHandle(writer);
	CloseHandle(r.inside);
	CloseHandle(r.leave);
}

TEST(writers_wait_for_a_section)
{
	check_reader(_metadata, false);
}

TEST(a_section_ends_with_its_thread)
{
	check_reader(_metadata, true);
}

static DWORD WINAPI fail(void *unused)
{
	struct gm_region *r;

	(void)unused;
	gm_region_new_mmap(gm_gpa(0), 0, NULL, &r);
	return gm_error_last()->kind;
}

/* The error is the thread's own. */
TEST(error_of_a_thread)
{
	HANDLE thread;
	DWORD kind = 0;

	gm_error_clear();
	thread = start(fail, NULL);
	ASSERT_NE(NULL, thread);
	ASSERT_EQ(WAIT_OBJECT_0, WaitForSingleObject(thread, 5000));
	ASSERT_TRUE(GetExitCodeThread(thread, &kind));
	EXPECT_EQ(GM_ERR_ZERO_LENGTH, kind);
	EXPECT_EQ(0, gm_error_last()->err);
	CloseHandle(thread);
}

TEST_HARNESS_MAIN
