/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: no-valgrind */
/*
 * fault.h: files truncated under mapped regions. Each test has a process of its
 * own, so that each starts without a handler.
 *
 * valgrind drops loads whose result is not used, and does not go on after a
 * signal at exactly the access that raised it.
 */
/* gm-test: linux */
#include "kselftest_harness.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <guestmem/fault.h>
#include "expect.h"
#include "fault_file.h"
#include "own_region.h"
#include "refuse.h"
#include "vma.h"

#define WATCHES 1024

TEST(truncated_file_reads_as_zeros_and_region_tells)
{
	struct mapped m, other;
	uint64_t v = 77;

	map_file(_metadata, &m, 0x10000);
	map_file(_metadata, &other, 0x100000);
	EXPECT_EQ(0, gm_fault_enable());
	EXPECT_EQ(0, gm_region_watch(m.r));
	EXPECT_EQ(0, gm_region_watch(other.r));
	EXPECT_EQ(0, gm_region_fault(m.r));
	ASSERT_EQ(0, truncate_to(&m, 1));

	/* What is still there is as it was, and no fault. */
	EXPECT_EQ(0, gm_region_read(m.r, gm_roff(PAGE - 8), &v, 8));
	EXPECT_EQ(UINT64_C(0x5a5a5a5a5a5a5a5a), v);
	EXPECT_EQ(0, gm_region_fault(m.r));

	EXPECT_EQ(0, gm_region_read(m.r, gm_roff(PAGE), &v, 8));
	EXPECT_EQ(0, v);
	EXPECT_FAIL(gm_region_fault(m.r), EIO, GM_ERR_FAULT, 0x10000, PAGES * PAGE,
		    0, 0);
	EXPECT_EQ(0, gm_region_read(m.r, gm_roff(0), &v, 8));
	EXPECT_EQ(UINT64_C(0x5a5a5a5a5a5a5a5a), v);

	EXPECT_EQ(0, gm_region_read(other.r, gm_roff(PAGE), &v, 8));
	EXPECT_EQ(UINT64_C(0x5a5a5a5a5a5a5a5a), v);
	EXPECT_EQ(0, gm_region_fault(other.r));
	unmap_file(&m);
	unmap_file(&other);
}

TEST(writes_to_truncated_file_reach_nobody_and_go_on)
{
	uint8_t buf[256], back[256] = { 0 };
	struct mapped m;
	uint32_t v = 0;

	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(m.r));
	ASSERT_EQ(0, truncate_to(&m, 0));
	memset(buf, 0x77, sizeof(buf));
	/* Over the boundary of two pages that are both gone. */
	EXPECT_EQ(0, gm_region_write(m.r, gm_roff(2 * PAGE - 100), buf, sizeof(buf)));
	EXPECT_EQ(-EIO, gm_region_fault(m.r));
	EXPECT_EQ(0, gm_region_read(m.r, gm_roff(2 * PAGE - 100), back, sizeof(back)));
	EXPECT_EQ(0, memcmp(buf, back, sizeof(buf)));
	EXPECT_EQ(0, gm_region_store(m.r, gm_roff(8), &(uint32_t){ 5 }, 4, GM_RELEASE));
	EXPECT_EQ(0, gm_region_load(m.r, gm_roff(8), &v, 4, GM_ACQUIRE));
	EXPECT_EQ(5, v);
	ASSERT_EQ(0, truncate_to(&m, PAGES));
	EXPECT_EQ(sizeof(back), pread(gm_file_fd(m.file), back, sizeof(back),
				      (off_t)(2 * PAGE - 100)));
	for (size_t i = 0; i < sizeof(back); i++)
		EXPECT_EQ(0, back[i]);
	unmap_file(&m);
}

/* Every other page is a mapping of its own: there must be an end to that. */
TEST(many_faults_do_not_use_up_mappings)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts) };
	int fd = memfd_create("fault", MFD_CLOEXEC), before;
	uint64_t pages = 1000, i, v;
	struct gm_region *r;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, (off_t)(pages * PAGE)));
	ASSERT_OK(gm_file_new(fd, &opts.file));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), pages * PAGE, &opts, &r));
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(r));
	before = vma_count("");
	ASSERT_EQ(0, ftruncate(fd, 0));
	for (i = 0; i < pages; i += 2) {
		v = 77;
		ASSERT_EQ(0, gm_region_read(r, gm_roff(i * PAGE), &v, 8));
		ASSERT_EQ(0, v);
	}
	EXPECT_EQ(-EIO, gm_region_fault(r));
	EXPECT_LE(vma_count(""), before + 40);
	gm_region_put(r);
	gm_file_put(opts.file);
}

TEST(recovered_fault_keeps_errno)
{
	struct mapped m;
	uint8_t v = 77;

	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(m.r));
	ASSERT_EQ(0, truncate_to(&m, 0));
	errno = 12345;
	EXPECT_EQ(0, gm_region_read(m.r, gm_roff(0), &v, 1));
	EXPECT_EQ(12345, errno);
	EXPECT_EQ(0, v);
	unmap_file(&m);
}

/* The kernel says so itself: no signal, and a region that tells nothing. */
TEST(system_call_on_truncated_memory_fails_with_efault)
{
	struct gm_fd_source src;
	struct mapped m;
	int p[2];

	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(m.r));
	ASSERT_EQ(0, truncate_to(&m, 0));
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(4, write(p[1], "abcd", 4));
	gm_fd_source_init(&src, p[0]);
	EXPECT_FAIL_KIND(gm_region_read_from(m.r, gm_roff(0), &src.source, 4), EFAULT,
			 GM_ERR_IO);
	close(p[0]);
	close(p[1]);
	unmap_file(&m);
}

#define THREADS 4

struct toucher {
	pthread_t t;
	struct gm_region *r;
	pthread_barrier_t *start;
	uint64_t wrong;
};

static void *touch(void *arg)
{
	struct toucher *t = arg;
	uint64_t v;

	pthread_barrier_wait(t->start);
	for (uint64_t p = 0; p < PAGES; p++) {
		v = 77;
		t->wrong += gm_region_read(t->r, gm_roff(p * PAGE + 16), &v, 8) || v;
		t->wrong += gm_region_fault(t->r) != -EIO;
	}
	return NULL;
}

TEST(threads_recover_at_once)
{
	struct toucher t[THREADS];
	pthread_barrier_t start;
	struct mapped m[2];

	ASSERT_EQ(0, gm_fault_enable());
	for (int round = 0; round < 20; round++) {
		/* Two threads fault on the same pages. */
		for (int i = 0; i < 2; i++) {
			map_file(_metadata, &m[i], (uint64_t)i << 32);
			ASSERT_EQ(0, gm_region_watch(m[i].r));
			ASSERT_EQ(0, truncate_to(&m[i], 0));
		}
		ASSERT_EQ(0, pthread_barrier_init(&start, NULL, THREADS));
		for (int i = 0; i < THREADS; i++) {
			t[i].r = m[i % 2].r;
			t[i].start = &start;
			t[i].wrong = 0;
			ASSERT_EQ(0, pthread_create(&t[i].t, NULL, touch, &t[i]));
		}
		for (int i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(t[i].t, NULL));
			EXPECT_EQ(0, t[i].wrong);
		}
		pthread_barrier_destroy(&start);
		unmap_file(&m[0]);
		unmap_file(&m[1]);
	}
}

TEST(handler_that_cannot_be_installed_is_an_error)
{
	struct mapped m;

	map_file(_metadata, &m, 0);
	if (refuse_syscall(__NR_rt_sigaction, EPERM))
		SKIP(return, "no seccomp filter to be had here");
	EXPECT_FAIL_KIND(gm_fault_enable(), EPERM, GM_ERR_IO);
	EXPECT_FAIL_KIND(gm_region_watch(m.r), EINVAL, GM_ERR_OPTION);
	unmap_file(&m);
}

TEST(watch_needs_handler_first)
{
	struct mapped m;

	map_file(_metadata, &m, 0);
	EXPECT_FAIL_KIND(gm_region_watch(m.r), EINVAL, GM_ERR_OPTION);
	ASSERT_EQ(0, gm_fault_enable());
	EXPECT_EQ(0, gm_region_watch(m.r));
	EXPECT_EQ(0, gm_region_watch(m.r));	/* again is fine */
	unmap_file(&m);
}

TEST(region_of_other_kind_cannot_be_watched)
{
	uint8_t mem[64];
	struct own_region o;

	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_OK(own_region_init_on_demand(&o, 0x4000, 64, mem, NULL));
	EXPECT_FAIL(gm_region_watch(&o.r), EOPNOTSUPP, GM_ERR_NO_HOST_ADDR, 0x4000,
		    64, 0, 0);
	EXPECT_EQ(0, gm_region_fault(&o.r));
	gm_region_put(&o.r);
	ASSERT_OK(own_region_init_direct(&o, 0x4000, 64, mem, NULL));
	EXPECT_FAIL(gm_region_watch(&o.r), EOPNOTSUPP, GM_ERR_NO_HOST_ADDR, 0x4000,
		    64, 0, 0);
	gm_region_put(&o.r);
}

TEST(callers_own_mapping_cannot_be_watched)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts) };
	struct gm_region *r;

	opts.addr = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, opts.addr);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x4000), PAGE, &opts, &r));
	EXPECT_FAIL(gm_region_watch(r), EOPNOTSUPP, GM_ERR_NO_HOST_ADDR, 0x4000,
		    PAGE, 0, 0);
	gm_region_put(r);
	munmap(opts.addr, PAGE);
}

TEST(watches_are_limited_and_reused)
{
	static struct gm_region *r[WATCHES + 1];
	uint64_t i;

	ASSERT_EQ(0, gm_fault_enable());
	for (i = 0; i <= WATCHES; i++)
		ASSERT_OK(gm_region_new_mmap(gm_gpa(i * PAGE), PAGE, NULL, &r[i]));
	for (i = 0; i < WATCHES; i++)
		ASSERT_EQ(0, gm_region_watch(r[i]));
	EXPECT_FAIL_KIND(gm_region_watch(r[WATCHES]), ENOSPC, GM_ERR_OPTION);
	EXPECT_EQ(0, gm_region_watch(r[5]));	/* has one already */
	gm_region_put(r[7]);
	EXPECT_EQ(0, gm_region_watch(r[WATCHES]));
	for (i = 0; i <= WATCHES; i++)
		if (i != 7)
			gm_region_put(r[i]);
}

TEST_HARNESS_MAIN
