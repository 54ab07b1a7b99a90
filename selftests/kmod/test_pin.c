/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_pin.c - GUESTMEM_PIN: each value and each error.
 *
 * Not here: EINTR is for a caller that does not live to see it; test_lifetime
 * kills one. EOPNOTSUPP of fs-dax needs persistent memory and a file system on
 * it, which the virtual machine does not have.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include "kselftest_harness.h"
#include "session.h"

#define USER 4713
#define PAGES 8
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

FIXTURE(pin) {
	struct session s;
	struct guestmem_pin arg;
	uint8_t *p;
	uint64_t length;
};

FIXTURE_SETUP(pin)
{
	session_start(_metadata, &self->s, false);
	self->length = PAGES * PAGE;
	self->p = map_anonymous(self->length);
	ASSERT_NE(MAP_FAILED, self->p);
	self->arg = pin_arg(self->p, self->length);
}

FIXTURE_TEARDOWN(pin)
{
	munmap(self->p, self->length);
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.control, GUESTMEM_PIN, &self->arg)

TEST_F(pin, alignment)
{
	const uint64_t bad[] = { 0, 1, PAGE - 1, PAGE + 1 };

	for (int i = 0; i < 4; i++) {
		self->arg.length = bad[i];
		REFUSED(EINVAL);
	}
	self->arg.length = PAGE;
	for (int i = 1; i < 4; i++) {
		self->arg.address = to_user(self->p) + bad[i];
		REFUSED(EINVAL);
	}
}

TEST_F(pin, overflow)
{
	struct guestmem_info info;

	self->arg.address = -PAGE;
	self->arg.length = 2 * PAGE;
	REFUSED(EOVERFLOW);
	self->arg.address = to_user(self->p);
	self->arg.length = -PAGE;
	REFUSED(EOVERFLOW);
	ASSERT_EQ(0, info_get(self->s.control, &info));
	self->arg.length = info.max_length + PAGE;
	REFUSED(EOVERFLOW);
}

TEST_F(pin, fd_flags)
{
	const uint32_t bad[] = { O_RDWR, O_WRONLY, O_NONBLOCK, 1U << 31 };

	for (int i = 0; i < 4; i++) {
		self->arg.fd_flags = bad[i];
		REFUSED(EINVAL);
	}
	self->arg.fd_flags = 0;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg));
	EXPECT_EQ(0, fcntl(self->arg.out_fd, F_GETFD));
	close(self->arg.out_fd);
	self->arg.fd_flags = O_CLOEXEC;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->arg.out_fd, F_GETFD));
}

TEST_F(pin, flags)
{
	for (int bit = 1; bit < 32; bit++) {
		self->arg.flags = 1U << bit;
		REFUSED(EOPNOTSUPP);
	}
}

TEST_F(pin, only_out_fd_is_written)
{
	struct guestmem_pin before = self->arg;

	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg));
	EXPECT_LE(0, self->arg.out_fd);
	before.out_fd = self->arg.out_fd;
	EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before)));
}

/* A hole at the start, amid, at the end; all that was pinned is let go. */
TEST_F(pin, hole)
{
	const int where[] = { 0, PAGES / 2, PAGES - 1 };

	for (int i = 0; i < 3; i++) {
		void *hole = self->p + where[i] * PAGE;

		ASSERT_EQ(0, munmap(hole, PAGE));
		REFUSED(EFAULT);
		ASSERT_EQ(hole, mmap(hole, PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				     -1, 0));
	}
	ASSERT_EQ(0, mprotect(self->p + PAGE, PAGE, PROT_NONE));
	REFUSED(EFAULT);
	self->arg.flags = 0;
	REFUSED(EFAULT);
	/* Also where there is a page, which the caller may not read. */
	ASSERT_EQ(0, mprotect(self->p + PAGE, PAGE, PROT_READ | PROT_WRITE));
	self->p[PAGE] = 1;
	ASSERT_EQ(0, mprotect(self->p + PAGE, PAGE, PROT_NONE));
	REFUSED(EFAULT);
}

TEST_F(pin, nothing_there)
{
	const uint64_t bad[] = { 0, UINT64_C(1) << 47, UINT64_C(1) << 63,
				 UINT64_C(0xffffffff81000000),
				 UINT64_MAX - 2 * PAGE + 1 };

	self->arg.length = PAGE;
	for (int i = 0; i < 5; i++) {
		self->arg.address = bad[i];
		REFUSED(EFAULT);
	}
}

/* The upper half of an address of a 32-bit caller is no less an address. */
TEST_F(pin, high_address)
{
	self->arg.address += UINT64_C(1) << 48;
	REFUSED(EFAULT);
}

TEST_F(pin, read_only_memory)
{
	ASSERT_EQ(0, mprotect(self->p + PAGE, PAGE, PROT_READ));
	REFUSED(EFAULT);
	self->arg.flags = 0;
	ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg));
}

TEST_F(pin, device_memory)
{
	char address[ADDRESS_MAX], path[ADDRESS_MAX + 64];
	void *bar;
	int fd;

	ASSERT_EQ(0, device_address(address));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0",
		 address);
	ASSERT_FD(&fd, open(path, O_RDWR | O_CLOEXEC));
	bar = map_shared(fd, PAGE);
	ASSERT_NE(MAP_FAILED, bar);
	self->arg.address = to_user(bar);
	self->arg.length = PAGE;
	REFUSED(EFAULT);
	self->arg.flags = 0;
	REFUSED(EFAULT);
	munmap(bar, PAGE);
}

/* Memory that even the kernel has no access to. */
TEST_F(pin, secret_memory)
{
	int fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	void *p;

	if (fd < 0)
		SKIP(return, "memfd_secret: boot with secretmem.enable=1");
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	p = map_shared(fd, PAGE);
	ASSERT_NE(MAP_FAILED, p);
	self->arg.address = to_user(p);
	self->arg.length = PAGE;
	REFUSED(EFAULT);
	munmap(p, PAGE);
}

/* The memory of a region is pinned already; it may be pinned again. */
TEST_F(pin, region)
{
	struct guestmem_region_info info;
	void *p;
	int fd, again;

	ASSERT_FD(&fd, region_alloc(self->s.control, self->length));
	p = map_shared(fd, self->length);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_FD(&again, region_pin(self->s.control, p, self->length));
	ASSERT_EQ(0, region_info(self->s.control, again, &info));
	EXPECT_EQ(GUESTMEM_REGION_PIN, info.kind);
	EXPECT_EQ(self->length, info.length);
	munmap(p, self->length);
}

static void pin_backing(struct __test_metadata *_metadata, struct session *s,
			int memfd, uint64_t length, uint64_t granule)
{
	struct guestmem_region_info info;
	void *p;
	int fd;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, length));
	p = map_shared(memfd, length);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_FD(&fd, region_pin(s->control, p, length));
	ASSERT_EQ(0, region_info(s->control, fd, &info));
	EXPECT_EQ(length, info.length);
	EXPECT_LE(granule, info.granule);
	EXPECT_EQ(GUESTMEM_REGION_PIN, info.kind);
	munmap(p, length);
	close(memfd);
	/* It is pinned wherever it was mapped. */
	ASSERT_EQ(0, region_info(s->control, fd, &info));
	EXPECT_EQ(length, info.length);
}

TEST_F(pin, memfd)
{
	pin_backing(_metadata, &self->s, memfd_create("pin", MFD_CLOEXEC),
		    self->length, PAGE);
}

TEST_F(pin, tmpfs)
{
	char path[] = "/tmp/guestmem-pin.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	pin_backing(_metadata, &self->s, fd, self->length, PAGE);
}

TEST_F(pin, hugetlb)
{
	const char *pool =
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	char old[32];

	ASSERT_EQ(0, file_read(pool, old, sizeof(old)));
	ASSERT_EQ(0, file_write(pool, "4"));
	pin_backing(_metadata, &self->s,
		    memfd_create("pin", MFD_CLOEXEC | MFD_HUGETLB),
		    2 * HUGE, HUGE);
	for (int fd = 3; fd < 64; fd++)
		if (fd != self->s.control)
			close(fd);
	EXPECT_EQ(0, file_write(pool, old));
}

TEST_F(pin, has_no_mmap)
{
	int fd;

	ASSERT_FD(&fd, region_pin(self->s.control, self->p, self->length));
	EXPECT_EQ(MAP_FAILED, map_shared(fd, PAGE));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(pin, emfile)
{
	struct rlimit old, none;
	int fd;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	ASSERT_FD(&fd, open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
	none = (struct rlimit) { fd, old.rlim_max };
	close(fd);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, do_ioctl(self->s.control, GUESTMEM_PIN,
				    &self->arg));
	EXPECT_EQ(-77, self->arg.out_fd);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
}

TEST_F(pin, enfile)
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
		err = do_ioctl(self->s.control, GUESTMEM_PIN, &self->arg);
		_exit(err == -ENFILE && self->arg.out_fd == -77 ? 0 : -err);
	}
	ASSERT_LE(0, pid);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, file_write("/proc/sys/fs/file-max", old));
}

static int limited_user(int control, struct guestmem_pin *arg)
{
	struct rlimit limit = { 4 * PAGE, 4 * PAGE };
	struct guestmem_info info;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || become_user(USER))
		return 1;
	arg->length = 5 * PAGE;
	if (do_ioctl(control, GUESTMEM_PIN, arg) != -ENOMEM ||
	    arg->out_fd != -77)
		return 2;
	if (info_get(control, &info) || info.locked)
		return 3;
	arg->length = 4 * PAGE;
	if (do_ioctl(control, GUESTMEM_PIN, arg))
		return 4;
	if (info_get(control, &info) || info.locked != 4 * PAGE)
		return 5;
	/* The same pages again cost again. */
	arg->length = PAGE;
	if (do_ioctl(control, GUESTMEM_PIN, arg) != -ENOMEM)
		return 6;
	return 0;
}

TEST_F(pin, memlock_limit)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(limited_user(self->s.control, &self->arg));
	EXPECT_EQ(0, child_wait(pid));
}

/* What VmPin and the count of pinned pages show while it is pinned. */
TEST_F(pin, counted)
{
	struct counters now;
	int fd;

	ASSERT_FD(&fd, region_pin(self->s.control, self->p, self->length));
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_PINNED] + PAGES,
		  now.value[COUNTER_PINNED]);
	EXPECT_EQ(self->s.before.value[COUNTER_VM_PIN] + self->length / 1024,
		  now.value[COUNTER_VM_PIN]);
	EXPECT_EQ(self->s.before.value[COUNTER_PIN_BYTES] + self->length,
		  now.value[COUNTER_PIN_BYTES]);
	EXPECT_EQ(self->s.before.value[COUNTER_REGIONS] + 1,
		  now.value[COUNTER_REGIONS]);
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES],
		  now.value[COUNTER_ALLOC_BYTES]);
}

TEST_HARNESS_MAIN
