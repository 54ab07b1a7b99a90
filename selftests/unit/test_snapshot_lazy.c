/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/* gm-test: no-valgrind */
/*
 * snapshot.h: guest memory that comes from a snapshot as it is touched.
 */
/* gm-test: linux */
#include "kselftest_harness.h"
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "actor.h"
#include "kmod_fake.h"
#include "pages.h"
#include "refuse.h"
#include "snap.h"

FIXTURE(lazy) {
	struct guest g;
	struct gm_file *file;
	struct gm_snapshot *s;
	struct gm_map *m;
	struct gm_lazy *l;
	int ret;
};

FIXTURE_SETUP(lazy)
{
	guest_init(&self->g);
	self->file = snap_file();
	guest_fill(&self->g);
	snap_save(&self->g, self->file, 0);
	ASSERT_OK(gm_snapshot_open(self->file, &self->s));
	ASSERT_OK(gm_map_new_mmap(guest_ranges, NULL, 2, &self->m));
}

FIXTURE_TEARDOWN(lazy)
{
	gm_lazy_free(self->l);
	gm_map_put(self->m);
	gm_snapshot_close(self->s);
	gm_file_put(self->file);
	guest_exit(&self->g);
}

#define START() do { \
	int ret_ = gm_lazy_new(self->s, self->m, &self->l); \
\
	if (ret_ == -EPERM || ret_ == -EOPNOTSUPP) \
		SKIP(return, "no userfaultfd for this process"); \
	ASSERT_EQ(0, ret_); \
} while (0)

static uint8_t *host(const struct gm_map *m, size_t i)
{
	return gm_map_region(m, i)->ext.host;
}

static bool same(const FIXTURE_DATA(lazy) *self)
{
	return !memcmp(host(self->m, 0), self->g.mem[0], LEN0) &&
	       !memcmp(host(self->m, 1), self->g.mem[1], LEN1);
}

TEST_F(lazy, memory_comes_as_it_is_touched)
{
	struct gm_view view;
	uint32_t v = 0;

	START();
	gm_view_init(&view, self->m);
	ASSERT_OK(gm_view_read_u32(&view, gm_gpa(GPA1 + 65 * PAGE), &v));
	EXPECT_EQ(0x04040404, v);
	/* What is written first is not overwritten, nor lost around it. */
	ASSERT_OK(gm_view_write_u8(&view, gm_gpa(GPA0 + 5), 0x99));
	ASSERT_OK(gm_view_write_u8(&view, gm_gpa(GPA0 + LEN0 - 2), 0x98));
	self->g.mem[0][5] = 0x99;
	self->g.mem[0][LEN0 - 2] = 0x98;
	EXPECT_TRUE(same(self));
	EXPECT_EQ(0, gm_lazy_error(self->l));
}

/* The kernel touches it, too. */
TEST_F(lazy, system_calls_get_it)
{
	int fd = memfd_create("sink", MFD_CLOEXEC);

	START();
	ASSERT_EQ(LEN1, pwrite(fd, host(self->m, 1), LEN1, 0));
	EXPECT_TRUE(same(self));
	close(fd);
}

TEST_F(lazy, filled_memory_stays_when_it_is_freed)
{
	START();
	ASSERT_OK(gm_lazy_fill(self->l, NULL, NULL));
	gm_lazy_free(self->l);
	gm_lazy_free(NULL);
	self->l = NULL;
	EXPECT_TRUE(same(self));
}

static void *touch(void *arg)
{
	const FIXTURE_DATA(lazy) *self = arg;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < LEN1; i += PAGE)
		sum += ((volatile uint8_t *)host(self->m, 1))[i];
	return (void *)(uintptr_t)sum;
}

static int stop(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)total;
	return done > 0;
}

TEST_F(lazy, threads_and_fill_touch_it_at_once)
{
	pthread_t t[3];
	void *sum;

	START();
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, touch, self));
	EXPECT_FAIL_KIND(gm_lazy_fill(self->l, stop, NULL), ECANCELED, GM_ERR_OPTION);
	ASSERT_OK(gm_lazy_fill(self->l, NULL, NULL));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(t[i], &sum));
		EXPECT_EQ(70 * 4, (uintptr_t)sum);
	}
	EXPECT_TRUE(same(self));
}

TEST_F(lazy, damaged_data_is_zeros_and_told)
{
	uint8_t v;

	/* Region 1 begins behind region 0, at a multiple of 64 KiB. */
	ASSERT_EQ(1, pread(gm_file_fd(self->file), &v, 1, 65536 + 5 * 65536 + 64 * PAGE));
	ASSERT_EQ(4, v);
	v = 5;
	ASSERT_EQ(1, pwrite(gm_file_fd(self->file), &v, 1, 65536 + 5 * 65536 + 64 * PAGE));
	START();
	EXPECT_EQ(1, *(volatile uint8_t *)host(self->m, 0));
	EXPECT_EQ(0, gm_lazy_error(self->l));
	EXPECT_EQ(0, *(volatile uint8_t *)(host(self->m, 1) + 65 * PAGE));
	EXPECT_FAIL_KIND(gm_lazy_error(self->l), EBADMSG, GM_ERR_CHECKSUM);
	EXPECT_FAIL_KIND(gm_lazy_fill(self->l, NULL, NULL), EBADMSG, GM_ERR_CHECKSUM);
	EXPECT_EQ(4, *(volatile uint8_t *)(host(self->m, 1) + 130 * PAGE));
}

TEST_F(lazy, what_was_not_loaded_is_zero_in_the_end)
{
	START();
	EXPECT_EQ(1, *(volatile uint8_t *)host(self->m, 0));
	gm_lazy_free(self->l);
	self->l = NULL;
	EXPECT_EQ(0, *(volatile uint8_t *)(host(self->m, 1) + 64 * PAGE));
}

/* A forked child that has the descriptors, too, until @told is closed. */
static pid_t keep_descriptors(int *told)
{
	pid_t pid;
	int p[2];
	char c;

	MUST(pipe(p));
	pid = fork();
	if (!pid) {
		close(p[1]);
		CHILD_OK(read(p[0], &c, 1) == 0);
		_exit(0);
	}
	close(p[0]);
	*told = p[1];
	return pid;
}

TEST_F(lazy, what_was_not_loaded_is_zero_though_a_child_lives_on)
{
	int told;
	pid_t pid;

	START();
	pid = keep_descriptors(&told);
	ASSERT_LT(0, pid);
	EXPECT_EQ(1, *(volatile uint8_t *)host(self->m, 0));
	gm_lazy_free(self->l);
	self->l = NULL;
	EXPECT_EQ(0, *(volatile uint8_t *)(host(self->m, 1) + 64 * PAGE));
	/* The end of the last page, which the region has a part of. */
	EXPECT_EQ(0, *(volatile uint8_t *)(host(self->m, 1) + LEN1));
	close(told);
	EXPECT_EQ(0, child_status(pid));
}

/* Whether they wait already, or are about to touch it. */
TEST_F(lazy, who_waits_while_it_is_freed_goes_on)
{
	pthread_t t[3];
	int told;
	pid_t pid;

	START();
	pid = keep_descriptors(&told);
	ASSERT_LT(0, pid);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, touch, self));
	gm_lazy_free(self->l);
	self->l = NULL;
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(t[i], NULL));
	close(told);
	EXPECT_EQ(0, child_status(pid));
}

TEST_F(lazy, what_is_discarded_later_is_zero_though_a_child_lives_on)
{
	int told;
	pid_t pid;

	START();
	pid = keep_descriptors(&told);
	ASSERT_LT(0, pid);
	ASSERT_OK(gm_lazy_fill(self->l, NULL, NULL));
	gm_lazy_free(self->l);
	self->l = NULL;
	EXPECT_TRUE(same(self));
	ASSERT_OK(gm_region_discard(gm_map_region(self->m, 0), gm_roff(0), system_page()));
	EXPECT_EQ(0, *(volatile uint8_t *)host(self->m, 0));
	close(told);
	EXPECT_EQ(0, child_status(pid));
}

/* The thread is the parent's, and so is the memory that is watched. */
TEST_F(lazy, child_that_frees_it_takes_nothing_from_its_parent)
{
	pid_t pid;

	START();
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct gm_region *r = gm_map_region(self->m, 0);

		gm_lazy_free(self->l);
		/* Nor is its own copy held any more. */
		CHILD_OK(!gm_region_check_held(r, gm_roff(0), LEN0, GM_HOLD_DISCARD));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(same(self));
	ASSERT_OK(gm_lazy_fill(self->l, NULL, NULL));
}

/* The peer's mapping of region 1, and the page of it that it writes once. */
static uint8_t *peer;
static uint64_t peer_page;

/* After the page was found missing, and before it is put there. */
static void peer_is_first(unsigned long cmd)
{
	if (cmd != UFFDIO_COPY || !peer)
		return;
	peer[peer_page] = 0x5a;
	peer = NULL;
}

/* The kernel wakes nobody: it has put no page there. */
TEST_F(lazy, page_that_a_peer_brings_first_is_waited_for_no_longer)
{
	static const struct gm_mmap_opts shared = { .sz = sizeof(shared), .flags = GM_MMAP_MEMFD };
	const struct gm_mmap_opts opts[2] = { shared, shared };
	const uint64_t page = system_page();
	const volatile uint8_t *at;
	int fd;

	gm_map_put(self->m);
	ASSERT_OK(gm_map_new_mmap(guest_ranges, opts, 2, &self->m));
	fd = gm_file_fd(gm_region_file(gm_map_region(self->m, 1), NULL));
	/* Neither the first nor the last of the group that comes with it. */
	peer_page = 64 * PAGE + 2 * page;
	peer = mmap(NULL, LEN1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)peer);
	kmod_fake.others = peer_is_first;
	START();
	at = host(self->m, 1);
	EXPECT_EQ(0x5a, at[peer_page]);
	EXPECT_EQ(4, at[peer_page - 1]);
	EXPECT_EQ(0, at[peer_page + 1]);
	EXPECT_EQ(4, at[peer_page + page]);
	EXPECT_EQ(0, gm_lazy_error(self->l));
}

TEST_F(lazy, memory_that_cannot_be_loaded_so)
{
	static const struct gm_range part = { GPA0, LEN0 };
	struct gm_file *diff = snap_file();
	struct gm_snapshot *d;
	struct gm_map *m;

	START();
	gm_lazy_free(self->l);
	self->l = NULL;
	ASSERT_OK(gm_map_new_mmap(&part, NULL, 1, &m));
	EXPECT_FAIL(gm_lazy_new(self->s, m, &self->l), ENOENT, GM_ERR_NO_REGION, GPA1, LEN1, 0, 0);
	gm_map_put(m);
	snap_save(&self->g, diff, gm_snapshot_id(self->s));
	ASSERT_OK(gm_snapshot_open(diff, &d));
	EXPECT_FAIL_KIND(gm_lazy_new(d, self->m, &self->l), EINVAL, GM_ERR_SNAPSHOT_BASE);
	gm_snapshot_close(d);
	gm_file_put(diff);
	EXPECT_EQ(NULL, self->l);
}

static uint32_t handled;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_store_n(&handled, 1, __ATOMIC_RELAXED);
}

/* The handler would run in the one thread that can't wait for memory. */
TEST_F(lazy, no_signal_is_handled_by_its_thread)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	START();
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	/* The thread has been running after that. */
	EXPECT_EQ(1, *(volatile uint8_t *)host(self->m, 0));
	ASSERT_EQ(0, sigpending(&pending));
	EXPECT_EQ(1, sigismember(&pending, SIGUSR1));
	EXPECT_EQ(0, __atomic_load_n(&handled, __ATOMIC_RELAXED));
	ASSERT_EQ(0, pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	EXPECT_EQ(1, __atomic_load_n(&handled, __ATOMIC_RELAXED));
}

/* Who touches memory that can't be had goes on, and does not wait for ever. */
TEST_F_TIMEOUT(lazy, memory_that_cannot_be_put_there_is_zeros_and_told, 3)
{
	if (refuse_ioctl(UFFDIO_COPY, ENOMEM))
		SKIP(return, "no seccomp filter to be had here");
	START();
	EXPECT_EQ(0, *(volatile uint8_t *)host(self->m, 0));
	EXPECT_FAIL_KIND(gm_lazy_error(self->l), ENOMEM, GM_ERR_IO);
	EXPECT_FAIL_KIND(gm_lazy_fill(self->l, NULL, NULL), ENOMEM, GM_ERR_IO);
	EXPECT_EQ(0, *(volatile uint8_t *)host(self->m, 1));
}

/* Discarded, it would come back as it was. */
TEST_F(lazy, memory_is_held)
{
	struct gm_region *r = gm_map_region(self->m, 0);

	START();
	ASSERT_OK(gm_lazy_fill(self->l, NULL, NULL));
	EXPECT_FAIL_NAME(gm_region_discard(r, gm_roff(0), system_page()), EBUSY, GM_ERR_HELD, 0,
			 LEN0, "lazy snapshot");
	gm_lazy_free(self->l);
	self->l = NULL;
	ASSERT_OK(gm_region_discard(r, gm_roff(0), system_page()));
	EXPECT_EQ(0, host(self->m, 0)[0]);
}

TEST_F(lazy, huge_pages_are_refused)
{
	START();
	gm_lazy_free(self->l);
	self->l = NULL;
	gm_region_set_hugetlbfs(gm_map_region(self->m, 1), true);
	EXPECT_FAIL_KIND(gm_lazy_new(self->s, self->m, &self->l), EOPNOTSUPP, GM_ERR_OPTION);
	EXPECT_EQ(NULL, self->l);
	/* It holds nothing that it has begun with. */
	ASSERT_OK(gm_region_discard(gm_map_region(self->m, 0), gm_roff(0), system_page()));
}

/* A child that is made meanwhile, and what tells it to go. */
static pid_t child;
static int child_told;

static void make_child(unsigned long cmd)
{
	if (cmd == UFFDIO_REGISTER && !child)
		child = keep_descriptors(&child_told);
}

TEST_F(lazy, nothing_is_watched_if_it_fails_though_a_child_lives_on)
{
	START();
	gm_lazy_free(self->l);
	self->l = NULL;
	/* The second region is refused when the first is watched. */
	gm_region_set_hugetlbfs(gm_map_region(self->m, 1), true);
	kmod_fake.others = make_child;
	EXPECT_FAIL_KIND(gm_lazy_new(self->s, self->m, &self->l), EOPNOTSUPP, GM_ERR_OPTION);
	ASSERT_LT(0, child);
	EXPECT_EQ(0, *(volatile uint8_t *)host(self->m, 0));
	close(child_told);
	EXPECT_EQ(0, child_status(child));
}

TEST_F(lazy, descriptors_that_cannot_be_had)
{
	struct rlimit limit;
	int next;

	START();
	gm_lazy_free(self->l);
	self->l = NULL;
	next = dup(0);
	close(next);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	/* None, and then one that has to be closed again. */
	for (rlim_t n = 0; n < 2; n++) {
		limit.rlim_cur = (rlim_t)next + n;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		EXPECT_FAIL_KIND(gm_lazy_new(self->s, self->m, &self->l), EMFILE, GM_ERR_IO);
		EXPECT_EQ(NULL, self->l);
	}
	EXPECT_EQ(next, dup(0));
	close(next);
}

TEST_F(lazy, without_userfaultfd_it_is_an_error)
{
	if (refuse_syscall(__NR_userfaultfd, EPERM))
		SKIP(return, "no seccomp filter to be had here");
	EXPECT_FAIL_NAME(gm_lazy_new(self->s, self->m, &self->l), EPERM, GM_ERR_NOT_PERMITTED,
			 0, 0, "userfaultfd");
	EXPECT_EQ(NULL, self->l);
}

TEST_F(lazy, on_a_kernel_without_userfaultfd_too)
{
	if (refuse_syscall(__NR_userfaultfd, ENOSYS))
		SKIP(return, "no seccomp filter to be had here");
	EXPECT_FAIL_KIND(gm_lazy_new(self->s, self->m, &self->l), EOPNOTSUPP, GM_ERR_OPTION);
	EXPECT_EQ(NULL, self->l);
}

TEST_HARNESS_MAIN
