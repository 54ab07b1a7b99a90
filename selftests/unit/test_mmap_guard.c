/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: no-valgrind (children die of SIGSEGV, which it reports) */
/*
 * test_mmap_guard.c - pages that nobody may touch: guard pages around a region,
 * and the region itself in a forked child.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <guestmem/mmap.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "system.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

static const struct gm_mmap_opts defaults = { .sz = sizeof(defaults) };

static uint8_t *host_of(const struct gm_region *r)
{
	void *p = NULL;

	gm_region_host(r, gm_roff(0), &p);
	return p;
}

/* The signal that a child dies of when it reads a byte; 0: it lives. */
static int signal_of_touch(const uint8_t *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		/* Not what a sanitizer makes of it. */
		signal(SIGSEGV, SIG_DFL);
		(void)*(const volatile uint8_t *)p;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(guard_pages_before_and_after)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t *host;

	o.guard_size = 2 * PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 3 * PAGE, &o, &r));
	host = host_of(r);
	EXPECT_EQ(0, signal_of_touch(host));
	EXPECT_EQ(0, signal_of_touch(host + 3 * PAGE - 1));
	EXPECT_EQ(SIGSEGV, signal_of_touch(host - 1));
	EXPECT_EQ(SIGSEGV, signal_of_touch(host - 2 * PAGE));
	EXPECT_EQ(SIGSEGV, signal_of_touch(host + 3 * PAGE));
	EXPECT_EQ(SIGSEGV, signal_of_touch(host + 5 * PAGE - 1));
	EXPECT_TRUE(vma_is_mapped(host - 2 * PAGE, 7 * PAGE));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host - 2 * PAGE, 7 * PAGE));
}

TEST(guard_pages_around_a_memfd_of_odd_length)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t *host;

	o.flags = GM_MMAP_MEMFD;
	o.guard_size = PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 1, &o, &r));
	host = host_of(r);
	EXPECT_EQ(0, signal_of_touch(host + PAGE - 1));
	EXPECT_EQ(SIGSEGV, signal_of_touch(host - 1));
	EXPECT_EQ(SIGSEGV, signal_of_touch(host + PAGE));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host - PAGE, 3 * PAGE));
}

TEST(guard_pages_refused)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;

	o.guard_size = PAGE + 1;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EINVAL,
		    GM_ERR_MISALIGNED, PAGE + 1, PAGE, 0, 0);
	o.guard_size = UINT64_C(1) << 63;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EOVERFLOW,
			 GM_ERR_OVERFLOW);
	o.guard_size = UINT64_C(1) << 60;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), ENOMEM,
			 GM_ERR_MMAP);
	EXPECT_EQ(NULL, r);
}

TEST(no_fork_child_does_not_have_it)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(0, signal_of_touch(host_of(r)));
	gm_region_put(r);
	o.flags = GM_MMAP_NO_FORK;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(SIGSEGV, signal_of_touch(host_of(r)));
	gm_region_put(r);
}

TEST_HARNESS_MAIN
