/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: no-valgrind */
/*
 * fault.h: which SIGBUS is a watched region's, and who gets the others: the program's
 * earlier handler, or none. Each test has a process of its own, so that each starts
 * without a handler. See test_fault.c for valgrind.
 */
/* gm-test: linux */
#include "kselftest_harness.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <guestmem/fault.h>
#include "actor.h"
#include "expect.h"
#include "fault_file.h"

/* Touch memory of a truncated file that nobody watches. */
static void fault_elsewhere(struct __test_metadata *_metadata)
{
	struct mapped m;

	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, truncate_to(&m, 0));
	gm_mem_read_u8(m.r->ext.host);
}

TEST_SIGNAL(fault_in_unwatched_region_kills, SIGBUS)
{
	struct mapped watched;

	signal(SIGBUS, SIG_DFL);	/* a sanitizer may have one */
	map_file(_metadata, &watched, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(watched.r));
	fault_elsewhere(_metadata);
}

TEST_SIGNAL(watch_ends_with_its_region, SIGBUS)
{
	uint8_t *host, *again;
	struct mapped m;
	int fd;

	signal(SIGBUS, SIG_DFL);
	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(m.r));
	host = m.r->ext.host;
	fd = dup(gm_file_fd(m.file));
	unmap_file(&m);
	ASSERT_EQ(0, ftruncate(fd, 0));
	again = mmap(host, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	ASSERT_EQ(host, again);
	gm_mem_read_u8(again);
}

static void *seen_addr;
static int seen_signals;

static void earlier_siginfo(int sig, siginfo_t *info, void *context)
{
	seen_addr = info->si_addr;
	seen_signals++;
	/* So that the access can go on. */
	mmap(info->si_addr, 1, PROT_READ | PROT_WRITE,
	     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST(fault_elsewhere_goes_to_earlier_handler)
{
	struct sigaction sa = { .sa_sigaction = earlier_siginfo, .sa_flags = SA_SIGINFO };
	struct mapped m, watched;

	ASSERT_EQ(0, sigaction(SIGBUS, &sa, NULL));
	map_file(_metadata, &watched, 0);
	map_file(_metadata, &m, 0x100000);
	ASSERT_EQ(0, gm_fault_enable());
	EXPECT_EQ(0, gm_fault_enable());	/* not its own earlier handler */
	ASSERT_EQ(0, gm_region_watch(watched.r));
	ASSERT_EQ(0, truncate_to(&m, 0));
	EXPECT_EQ(0, gm_mem_read_u8(m.r->ext.host));
	EXPECT_EQ(1, seen_signals);
	EXPECT_EQ(m.r->ext.host, seen_addr);
	EXPECT_EQ(0, gm_region_fault(m.r));
	/* Ours is not shown to it. */
	ASSERT_EQ(0, truncate_to(&watched, 0));
	EXPECT_EQ(0, gm_mem_read_u8(watched.r->ext.host));
	EXPECT_EQ(1, seen_signals);
	EXPECT_EQ(-EIO, gm_region_fault(watched.r));
	unmap_file(&m);
	unmap_file(&watched);
}

/* Touches what has gone, of the parent's and of its own where the parent has a region. */
static void touch_in_child(struct mapped *shared, struct gm_region *r)
{
	uint8_t *at = r->ext.host;
	int fd = memfd_create("child", MFD_CLOEXEC);

	CHILD_OK(!ftruncate(fd, (off_t)PAGE));
	CHILD_OK(mmap(at, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		      0) == at);
	gm_mem_write_u8(at, 7);
	CHILD_OK(!gm_mem_read_u8(at + PAGE));
	CHILD_OK(seen_signals == 1);
	CHILD_OK(seen_addr == at + PAGE);
	CHILD_OK(gm_mem_read_u8(at) == 7);
	CHILD_OK(!gm_region_fault(r));
	/* It has this one. */
	CHILD_OK(!gm_mem_read_u8(shared->r->ext.host));
	CHILD_OK(seen_signals == 1);
	CHILD_OK(gm_region_fault(shared->r) == -EIO);
}

TEST(fault_in_a_child_is_in_what_it_has)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_NO_FORK };
	struct sigaction sa = { .sa_sigaction = earlier_siginfo, .sa_flags = SA_SIGINFO };
	struct mapped shared;
	struct gm_region *r;
	pid_t pid;

	ASSERT_EQ(0, sigaction(SIGBUS, &sa, NULL));
	map_file(_metadata, &shared, 0);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x100000), 2 * PAGE, &o, &r));
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(shared.r));
	ASSERT_EQ(0, gm_region_watch(r));
	ASSERT_EQ(0, truncate_to(&shared, 0));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		touch_in_child(&shared, r);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	gm_region_put(r);
	unmap_file(&shared);
}

/* What the kernel tells of a watched region, but not of an access that failed. */
static void expect_passed_on(struct __test_metadata *_metadata, int code)
{
	struct sigaction sa = { .sa_sigaction = earlier_siginfo, .sa_flags = SA_SIGINFO };
	siginfo_t info = { .si_signo = SIGBUS, .si_code = code };
	struct mapped m;

	ASSERT_EQ(0, sigaction(SIGBUS, &sa, NULL));
	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(m.r));
	gm_mem_write_u8(m.r->ext.host, 7);
	info.si_addr = m.r->ext.host + 1;
	ASSERT_EQ(0, syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info));
	EXPECT_EQ(1, seen_signals);
	EXPECT_EQ(m.r->ext.host + 1, seen_addr);
	EXPECT_EQ(0, gm_region_fault(m.r));
	EXPECT_EQ(7, gm_mem_read_u8(m.r->ext.host));
	unmap_file(&m);
}

/* Some machines tell so, with the address. */
TEST(misaligned_access_in_watched_region_goes_to_earlier_handler)
{
	expect_passed_on(_metadata, BUS_ADRALN);
}

/* It comes to any thread, while another may let go of the region. */
TEST(word_of_poison_in_watched_region_goes_to_earlier_handler)
{
	expect_passed_on(_metadata, BUS_MCEERR_AO);
}

static void earlier_plain(int sig)
{
	seen_signals += sig == SIGBUS;
}

TEST(sent_signal_goes_to_earlier_handler)
{
	struct mapped m;

	ASSERT_TRUE(signal(SIGBUS, earlier_plain) != SIG_ERR);
	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(m.r));
	EXPECT_EQ(0, raise(SIGBUS));
	EXPECT_EQ(1, seen_signals);
	EXPECT_EQ(0, gm_region_fault(m.r));
	unmap_file(&m);
}

TEST_SIGNAL(sent_signal_kills_as_usual, SIGBUS)
{
	signal(SIGBUS, SIG_DFL);
	ASSERT_EQ(0, gm_fault_enable());
	raise(SIGBUS);
}

TEST(sent_signal_that_was_ignored_still_is)
{
	struct mapped m;
	uint8_t v = 77;

	ASSERT_TRUE(signal(SIGBUS, SIG_IGN) != SIG_ERR);
	map_file(_metadata, &m, 0);
	ASSERT_EQ(0, gm_fault_enable());
	ASSERT_EQ(0, gm_region_watch(m.r));
	EXPECT_EQ(0, raise(SIGBUS));
	/* And recovery still works. */
	ASSERT_EQ(0, truncate_to(&m, 0));
	EXPECT_EQ(0, gm_region_read(m.r, gm_roff(0), &v, 1));
	EXPECT_EQ(0, v);
	unmap_file(&m);
}

TEST_HARNESS_MAIN
