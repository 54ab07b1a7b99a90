/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * test_mmap_prefault.c - all pages there at once, by several threads, with
 * progress and a way to stop.
 */
/* gm-test: windows */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/mmap.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "system.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
/* Several pieces of work for several threads. */
#define LEN (UINT64_C(80) << 20)

static const struct gm_mmap_opts defaults = {
	.sz = sizeof(defaults),
	.flags = GM_MMAP_PREFAULT,
};

struct progress {
	int calls;
	int stop_at;
	uint64_t done;
	uint64_t total;
	bool backwards;
};

/* Called from the threads, but never from two at once. */
static int on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;

	p->calls++;
	if (done <= p->done || done > total || (p->total && total != p->total))
		p->backwards = true;
	p->done = done;
	p->total = total;
	return p->stop_at && p->calls >= p->stop_at ? 1 : 0;
}

static uint8_t *host_of(const struct gm_region *r)
{
	void *p = NULL;

	gm_region_host(r, gm_roff(0), &p);
	return p;
}

TEST(without_it_no_page_is_there)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;

	o.flags = GM_MMAP_MEMFD;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 16 * PAGE, &o, &r));
	EXPECT_EQ(0, vma_resident_pages(host_of(r), 16 * PAGE));
	gm_region_put(r);
}

TEST(all_pages_are_there)
{
	static const uint32_t threads[] = { 0, 1, 2, 16, 1000 };
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	size_t i;

	for (i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		o.prefault_threads = threads[i];
		ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LEN, &o, &r));
		EXPECT_EQ(LEN / PAGE,
			  (uint64_t)vma_resident_pages(host_of(r), LEN));
		gm_region_put(r);
	}
}

TEST(kinds_of_memory)
{
	LINUX_ONLY();
	static const uint32_t flags[] = {
		GM_MMAP_MEMFD, GM_MMAP_READ_ONLY,
		GM_MMAP_MEMFD | GM_MMAP_READ_ONLY, GM_MMAP_NO_THP,
	};
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		o.flags = GM_MMAP_PREFAULT | flags[i];
		ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 5 * PAGE + 1, &o, &r));
		EXPECT_EQ(6, vma_resident_pages(host_of(r), 6 * PAGE))
			TH_LOG("flags %x", flags[i]);
		gm_region_put(r);
	}
}

/* Prefaulting must not change what a file has. */
TEST(content_stays)
{
	LINUX_ONLY();
	struct gm_mmap_opts o = defaults;
	struct gm_region *r, *again;
	uint8_t byte = 0x42;

	o.flags = GM_MMAP_MEMFD;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
	ASSERT_OK(gm_region_write(r, gm_roff(3 * PAGE), &byte, 1));
	o.flags = GM_MMAP_PREFAULT;
	o.file = gm_region_file(r, NULL);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &again));
	EXPECT_EQ(0x42, host_of(again)[3 * PAGE]);
	gm_region_put(again);
	o.flags |= GM_MMAP_PRIVATE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &again));
	EXPECT_EQ(4, vma_resident_pages(host_of(again), 4 * PAGE));
	EXPECT_EQ(0x42, host_of(again)[3 * PAGE]);
	gm_region_put(again);
	gm_region_put(r);
}

TEST(progress_ends_with_all_done)
{
	struct progress p = { 0 };
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;

	o.progress = on_progress;
	o.progress_ctx = &p;
	o.prefault_threads = 3;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LEN - 1, &o, &r));
	EXPECT_GT(p.calls, 1);
	EXPECT_FALSE(p.backwards);
	EXPECT_EQ(LEN, p.done);
	EXPECT_EQ(LEN, p.total);
	gm_region_put(r);

	/* One piece of work: told once, at the end. */
	memset(&p, 0, sizeof(p));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(1, p.calls);
	EXPECT_EQ(PAGE, p.done);
	EXPECT_EQ(PAGE, p.total);
	gm_region_put(r);
}

TEST(stop_leaves_nothing_mapped)
{
	LINUX_ONLY();
	struct progress p = { .stop_at = 2 };
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	int fds = open_fds();

	o.flags |= GM_MMAP_MEMFD;
	o.name = "gm-stopped";
	o.progress = on_progress;
	o.progress_ctx = &p;
	o.prefault_threads = 2;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), LEN, &o, &r), ECANCELED,
		    GM_ERR_OPTION, offsetof(struct gm_mmap_opts, progress), 0,
		    0, 0);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(2, p.calls);
	EXPECT_EQ(0, vma_count("gm-stopped"));
	EXPECT_EQ(fds, open_fds());
	/* A stop at the very end is a stop. */
	p = (struct progress){ .stop_at = 1 };
	EXPECT_EQ(-ECANCELED, gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(0, vma_count("gm-stopped"));
}

TEST(without_prefault_there_is_no_progress)
{
	struct progress p = { 0 };
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;

	o.flags = 0;
	o.progress = on_progress;
	o.progress_ctx = &p;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LEN, &o, &r));
	EXPECT_EQ(0, p.calls);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
