/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_alloc.c - GUESTMEM_ALLOC: each value and each error.
 *
 * Not here: EINTR is for a caller that does not live to see it; test_lifetime
 * kills one. The kernel's own zeroing (init_on_alloc, Debian's default) hides a
 * region that is not zeroed unless the kernel is booted with init_on_alloc=0.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include "kselftest_harness.h"
#include "session.h"

#define USER 4712

FIXTURE(alloc) {
	struct session s;
	struct guestmem_alloc arg;
	struct guestmem_info info;
};

FIXTURE_SETUP(alloc)
{
	session_start(_metadata, &self->s, false);
	self->arg = alloc_arg(PAGE);
	ASSERT_EQ(0, info_get(self->s.control, &self->info));
}

FIXTURE_TEARDOWN(alloc)
{
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.control, GUESTMEM_ALLOC, &self->arg)

TEST_F(alloc, length)
{
	const uint64_t bad[] = { 0, 1, PAGE - 1, PAGE + 1, PAGE / 2,
				 UINT64_MAX };

	for (int i = 0; i < 6; i++) {
		self->arg.length = bad[i];
		REFUSED(EINVAL);
	}
	self->arg.flags = GUESTMEM_ALLOC_HUGE;
	self->arg.length = HUGE + PAGE;
	REFUSED(EINVAL);
	self->arg.length = PAGE;
	REFUSED(EINVAL);
}

TEST_F(alloc, overflow)
{
	self->arg.length = -PAGE;
	REFUSED(EOVERFLOW);
	self->arg.length = UINT64_C(1) << 63;
	REFUSED(EOVERFLOW);
	self->arg.length = self->info.max_length + PAGE;
	REFUSED(EOVERFLOW);
	self->arg.flags = GUESTMEM_ALLOC_HUGE;
	self->arg.length = -HUGE;
	REFUSED(EOVERFLOW);
}

TEST_F(alloc, fd_flags)
{
	const uint32_t bad[] = { O_WRONLY, O_ACCMODE, O_RDWR | O_NONBLOCK,
				 O_RDWR | O_APPEND, 1U << 31 };

	for (int i = 0; i < 5; i++) {
		self->arg.fd_flags = bad[i];
		REFUSED(EINVAL);
	}
}

TEST_F(alloc, fd_flags_reach_the_fd)
{
	const uint32_t good[] = { O_RDWR, O_RDONLY, O_RDWR | O_CLOEXEC,
				  O_RDONLY | O_CLOEXEC };

	for (int i = 0; i < 4; i++) {
		self->arg.fd_flags = good[i];
		ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_ALLOC,
				      &self->arg));
		EXPECT_EQ(good[i] & O_ACCMODE,
			  fcntl(self->arg.out_fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(good[i] & O_CLOEXEC ? FD_CLOEXEC : 0,
			  fcntl(self->arg.out_fd, F_GETFD));
		close(self->arg.out_fd);
	}
}

TEST_F(alloc, flags)
{
	for (int bit = 1; bit < 32; bit++) {
		self->arg.flags = 1U << bit;
		REFUSED(EOPNOTSUPP);
	}
	self->arg.flags = 0;
	self->arg.reserved = 1;
	REFUSED(EOPNOTSUPP);
}

TEST_F(alloc, node)
{
	/* The virtual machine has one node; a bit map may have more. */
	const int32_t bad[] = { 1, 63, 64, 1023, 1024, INT32_MAX, -2,
				INT32_MIN };

	for (int i = 0; i < 8; i++) {
		self->arg.node = bad[i];
		REFUSED(ENODEV);
	}
	self->arg.node = 0;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_ALLOC, &self->arg));
	close(self->arg.out_fd);
}

/* No other field of the struct changes on success. */
TEST_F(alloc, only_out_fd_is_written)
{
	struct guestmem_alloc before = self->arg;

	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_ALLOC, &self->arg));
	EXPECT_LE(0, self->arg.out_fd);
	before.out_fd = self->arg.out_fd;
	EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before)));
}

static uint64_t mem_total(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;

	if (f) {
		if (fscanf(f, "MemTotal: %llu", &kib) != 1)
			kib = 0;
		fclose(f);
	}
	return kib * 1024;
}

/* More than there is: refused, and nobody is killed to make room. */
TEST_F(alloc, no_memory)
{
	ASSERT_LT(0, mem_total());
	self->arg.length = mem_total() / HUGE * HUGE + HUGE;
	if (self->arg.length <= self->info.max_length) {
		REFUSED(ENOMEM);
		self->arg.flags = GUESTMEM_ALLOC_HUGE;
		REFUSED(ENOMEM);
	} else {
		REFUSED(EOVERFLOW);
	}
}

/* Value of a line of /proc/vmstat. */
static long long vmstat_value(const char *name)
{
	long long value = -1, n;
	char key[64];
	FILE *f = fopen("/proc/vmstat", "r");

	if (!f)
		return -1;
	while (fscanf(f, "%63s %lld", key, &n) == 2)
		if (!strcmp(key, name))
			value = n;
	fclose(f);
	return value;
}

/* So long that the list of its pages alone would not fit. */
TEST_F(alloc, nobody_is_killed)
{
	const uint64_t length = 1000 * mem_total() / PAGE * PAGE;
	long long before = vmstat_value("oom_kill");
	struct guestmem_pin pin;
	void *p = map_anonymous(PAGE);

	ASSERT_LE(0, before);
	ASSERT_NE(MAP_FAILED, p);
	self->arg.length = length < self->info.max_length ?
		length : self->info.max_length;
	REFUSED(ENOMEM);
	pin = pin_arg(p, self->arg.length);
	EXPECT_REFUSED(ENOMEM, self->s.control, GUESTMEM_PIN, &pin);
	EXPECT_EQ(before, vmstat_value("oom_kill"));
	munmap(p, PAGE);
}

TEST_F(alloc, emfile)
{
	struct rlimit old, none;
	int fd;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	ASSERT_FD(&fd, open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
	none = (struct rlimit) { fd, old.rlim_max };
	close(fd);
	/* fd is the lowest free number, and above the limit now. */
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, do_ioctl(self->s.control, GUESTMEM_ALLOC,
				    &self->arg));
	EXPECT_EQ(-77, self->arg.out_fd);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	ASSERT_FD(&fd, region_alloc(self->s.control, PAGE));
}

/* The whole system's limit holds for those without CAP_SYS_ADMIN. */
TEST_F(alloc, enfile)
{
	char old[32];
	pid_t pid;
	int err;

	ASSERT_EQ(0, file_read("/proc/sys/fs/file-max", old, sizeof(old)));
	ASSERT_EQ(0, file_write("/proc/sys/fs/file-max", "1"));
	pid = fork();
	if (!pid) {
		if (become_user(USER))
			_exit(1);
		err = do_ioctl(self->s.control, GUESTMEM_ALLOC, &self->arg);
		_exit(err == -ENFILE && self->arg.out_fd == -77 ? 0 : -err);
	}
	ASSERT_LE(0, pid);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, file_write("/proc/sys/fs/file-max", old));
}

/* In a child that is no root: 4 pages are allowed, all of them. */
static int limited_user(int control, struct guestmem_alloc *arg)
{
	struct rlimit limit = { 4 * PAGE, 4 * PAGE };
	struct guestmem_info info;
	int first, second;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || become_user(USER))
		return 1;
	arg->length = 5 * PAGE;
	if (do_ioctl(control, GUESTMEM_ALLOC, arg) != -ENOMEM ||
	    arg->out_fd != -77)
		return 2;
	first = region_alloc(control, 3 * PAGE);
	second = region_alloc(control, PAGE);
	if (first < 0 || second < 0)
		return 3;
	arg->length = PAGE;
	if (do_ioctl(control, GUESTMEM_ALLOC, arg) != -ENOMEM)
		return 4;
	if (info_get(control, &info) || info.locked != 4 * PAGE ||
	    info.locked_limit != 4 * PAGE)
		return 5;
	close(second);
	if (info_get(control, &info) || info.locked != 3 * PAGE)
		return 6;
	if (do_ioctl(control, GUESTMEM_ALLOC, arg))
		return 7;
	return 0;
}

TEST_F(alloc, memlock_limit)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(limited_user(self->s.control, &self->arg));
	EXPECT_EQ(0, child_wait(pid));
	/* A second such child finds nothing left of the first one. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(limited_user(self->s.control, &self->arg));
	EXPECT_EQ(0, child_wait(pid));
}

static bool is_zero(const uint8_t *p, uint64_t length)
{
	return !p[0] && !memcmp(p, p + 1, length - 1);
}

TEST_F(alloc, zeroed)
{
	const uint64_t dirty = 128 * MIB, length = 32 * MIB;
	uint8_t *p = map_anonymous(dirty);
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0xa5, dirty);
	munmap(p, dirty);

	ASSERT_FD(&fd, region_alloc(self->s.control, length));
	p = map_shared(fd, length);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(is_zero(p, length));
	/* The same memory again. */
	memset(p, 0x5a, length);
	munmap(p, length);
	close(fd);
	self->arg.length = length;
	self->arg.flags = GUESTMEM_ALLOC_HUGE;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_ALLOC, &self->arg));
	p = map_shared(self->arg.out_fd, length);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(is_zero(p, length));
	munmap(p, length);
}

/* Physical page number of a page that is there, or 0. */
static uint64_t page_frame(const void *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (pread64(fd, &entry, 8, (uintptr_t)p / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((UINT64_C(1) << 55) - 1) : 0;
}

/*
 * The largest power of two that divides start and length of each piece that
 * cannot be made longer; 0 if the page numbers cannot be seen.
 */
static uint64_t granule_seen(const uint8_t *p, uint64_t length)
{
	uint64_t bits = 0, pages = length / PAGE, start, n;

	for (uint64_t i = 0; i < pages; i += n) {
		start = page_frame(p + i * PAGE);
		if (!start)
			return 0;
		n = 1;
		while (i + n < pages &&
		       page_frame(p + (i + n) * PAGE) == start + n)
			n++;
		bits |= start | n;
	}
	return (bits & -bits) * PAGE;
}

static void check_granule(struct __test_metadata *_metadata, int control,
			  int fd, uint64_t length)
{
	struct guestmem_region_info info;
	uint8_t *p = map_shared(fd, length);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, region_info(control, fd, &info));
	EXPECT_NE(0, granule_seen(p, length));
	EXPECT_EQ(granule_seen(p, length), info.granule);
	munmap(p, length);
}

TEST_F(alloc, granule)
{
	const uint64_t length[] = { PAGE, 2 * PAGE, 3 * PAGE, 64 * PAGE, HUGE,
				    HUGE + PAGE, 3 * HUGE };
	int fd;

	for (int i = 0; i < 7; i++) {
		ASSERT_FD(&fd, region_alloc(self->s.control, length[i]));
		check_granule(_metadata, self->s.control, fd, length[i]);
		close(fd);
	}
}

/* Each huge page: aligned, and all its pages one behind the other. */
TEST_F(alloc, huge_is_contiguous)
{
	const uint64_t length = 4 * HUGE, pages = HUGE / PAGE;
	struct guestmem_region_info info;
	uint8_t *p;

	self->arg.length = length;
	self->arg.flags = GUESTMEM_ALLOC_HUGE;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_ALLOC, &self->arg));
	ASSERT_EQ(0, region_info(self->s.control, self->arg.out_fd, &info));
	EXPECT_LE(HUGE, info.granule);
	check_granule(_metadata, self->s.control, self->arg.out_fd, length);

	p = map_shared(self->arg.out_fd, length);
	ASSERT_NE(MAP_FAILED, p);
	for (uint64_t at = 0; at < length; at += HUGE) {
		uint64_t first = page_frame(p + at);

		ASSERT_NE(0, first);
		EXPECT_EQ(0, first % pages);
		for (uint64_t i = 1; i < pages; i++)
			ASSERT_EQ(first + i, page_frame(p + at + i * PAGE));
	}
	munmap(p, length);
}

TEST_HARNESS_MAIN
