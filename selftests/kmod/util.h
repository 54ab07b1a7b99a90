/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * util.h - what tests of the module's ioctls share: one function for each
 * ioctl, ways to open the files, and a check of refused calls.
 *
 * Functions give 0 (or a file descriptor) or a negative errno. Macros need the
 * harness's "_metadata" at hand.
 */
#ifndef SELFTESTS_KMOD_UTIL_H
#define SELFTESTS_KMOD_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/guestmem.h>

#define CONTROL_PATH "/dev/guestmem"
#define DEVICE_DIR "/dev/guestmem-dev"
#define PARAMETER_DIR "/sys/module/guestmem/parameters/"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define MIB (UINT64_C(1) << 20)
#define HUGE (2 * MIB)

/* Seconds. A kernel with all checks, in a virtual machine, takes its time. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 180

static inline uint64_t to_user(const void *p)
{
	return (uintptr_t)p;
}

static inline int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

/* Write a line to a file of sysfs, procfs, debugfs. */
static inline int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = -errno;
	close(fd);
	return err;
}

/* Read the start of a file, without the end of its line. */
static inline int file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static inline int parameter_set(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETER_DIR "%s", name);
	return file_write(path, value);
}

static inline int control_open(void)
{
	int fd = open(CONTROL_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* PCI address of the first bound device. */
#define ADDRESS_MAX 256
static inline int device_address(char address[ADDRESS_MAX])
{
	DIR *dir = opendir(DEVICE_DIR);
	struct dirent *entry;
	int err = -ENOENT;

	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(address, ADDRESS_MAX, "%s", entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

static inline int device_open(void)
{
	char address[ADDRESS_MAX], path[ADDRESS_MAX + 32];
	int fd, err = device_address(address);

	if (err)
		return err;
	snprintf(path, sizeof(path), DEVICE_DIR "/%s", address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static inline int info_get(int control, struct guestmem_info *info)
{
	*info = (struct guestmem_info) { .size = sizeof(*info) };
	return do_ioctl(control, GUESTMEM_INFO, info);
}

static inline struct guestmem_alloc alloc_arg(uint64_t length)
{
	return (struct guestmem_alloc) {
		.size = sizeof(struct guestmem_alloc),
		.length = length,
		.node = GUESTMEM_NODE_ANY,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.out_fd = -77,
	};
}

static inline int region_alloc(int control, uint64_t length)
{
	struct guestmem_alloc arg = alloc_arg(length);
	int err = do_ioctl(control, GUESTMEM_ALLOC, &arg);

	return err ? err : arg.out_fd;
}

static inline int region_alloc_read_only(int control, uint64_t length)
{
	struct guestmem_alloc arg = alloc_arg(length);
	int err;

	arg.fd_flags = O_RDONLY | O_CLOEXEC;
	err = do_ioctl(control, GUESTMEM_ALLOC, &arg);
	return err ? err : arg.out_fd;
}

static inline struct guestmem_pin pin_arg(const void *p, uint64_t length)
{
	return (struct guestmem_pin) {
		.size = sizeof(struct guestmem_pin),
		.flags = GUESTMEM_PIN_WRITE,
		.address = to_user(p),
		.length = length,
		.fd_flags = O_CLOEXEC,
		.out_fd = -77,
	};
}

static inline int region_pin(int control, const void *p, uint64_t length)
{
	struct guestmem_pin arg = pin_arg(p, length);
	int err = do_ioctl(control, GUESTMEM_PIN, &arg);

	return err ? err : arg.out_fd;
}

static inline int region_info(int control, int fd,
			      struct guestmem_region_info *info)
{
	*info = (struct guestmem_region_info) {
		.size = sizeof(*info),
		.fd = fd,
	};
	return do_ioctl(control, GUESTMEM_REGION_INFO, info);
}

static inline int region_revoke(int control, int fd)
{
	struct guestmem_revoke arg = { .size = sizeof(arg), .fd = fd };

	return do_ioctl(control, GUESTMEM_REVOKE, &arg);
}

static inline struct guestmem_map map_arg(int fd, uint64_t length)
{
	return (struct guestmem_map) {
		.size = sizeof(struct guestmem_map),
		.flags = GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE,
		.fd = fd,
		.length = length,
	};
}

/* The whole of a region, both directions; the id goes to *id. */
static inline int map_add(int device, int fd, uint64_t length, uint32_t *id)
{
	struct guestmem_map arg = map_arg(fd, length);
	int err = do_ioctl(device, GUESTMEM_MAP, &arg);

	if (!err)
		*id = arg.map_id;
	return err;
}

static inline struct guestmem_query query_arg(uint32_t id,
					      struct guestmem_segment *segments,
					      uint32_t count)
{
	return (struct guestmem_query) {
		.size = sizeof(struct guestmem_query),
		.map_id = id,
		.count = count,
		.segments = to_user(segments),
	};
}

static inline struct guestmem_sync sync_arg(uint32_t id, uint64_t length)
{
	return (struct guestmem_sync) {
		.size = sizeof(struct guestmem_sync),
		.flags = GUESTMEM_SYNC_CPU,
		.map_id = id,
		.length = length,
	};
}

static inline int map_remove(int device, uint32_t id)
{
	struct guestmem_unmap arg = { .size = sizeof(arg), .map_id = id };

	return do_ioctl(device, GUESTMEM_UNMAP, &arg);
}

static inline int device_info_get(int device, struct guestmem_device_info *info)
{
	*info = (struct guestmem_device_info) { .size = sizeof(*info) };
	return do_ioctl(device, GUESTMEM_DEVICE_INFO, info);
}

static inline int bar_get(int device, uint32_t bar, struct guestmem_bar *arg)
{
	*arg = (struct guestmem_bar) { .size = sizeof(*arg), .bar = bar };
	return do_ioctl(device, GUESTMEM_BAR, arg);
}

static inline struct guestmem_interrupts interrupts_arg(const int32_t *fds,
							uint32_t count)
{
	return (struct guestmem_interrupts) {
		.size = sizeof(struct guestmem_interrupts),
		.count = count,
		.fds = to_user(fds),
	};
}

static inline int interrupts_set(int device, const int32_t *fds, uint32_t count)
{
	struct guestmem_interrupts arg = interrupts_arg(fds, count);

	return do_ioctl(device, GUESTMEM_INTERRUPTS, &arg);
}

static inline void *map_shared(int fd, uint64_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static inline void *map_anonymous(uint64_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/*
 * How many file descriptors this process has, and which is the lowest free
 * number: one that was reserved and never given is in no list.
 */
static inline int fd_state(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0, lowest;

	if (!dir)
		return -errno;
	while (readdir(dir))
		n++;
	closedir(dir);
	lowest = open("/", O_PATH | O_CLOEXEC);
	if (lowest < 0)
		return -errno;
	close(lowest);
	return n * 4096 + lowest;
}

/* Exit status of a child, or minus the number of the signal that ended it. */
static inline int child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Is this kernel older than that version? */
static inline bool kernel_before(unsigned int major, unsigned int minor)
{
	unsigned int x, y;
	struct utsname uts;

	if (uname(&uts) || sscanf(uts.release, "%u.%u", &x, &y) != 2)
		return false;
	return x < major || (x == major && y < minor);
}

/* Lose root's capabilities and become another user; in a child. */
static inline int become_user(uid_t uid)
{
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

/*
 * A call fails with just this error, has written nothing to the struct and has
 * left no file descriptor behind.
 */
#define EXPECT_REFUSED(code, fd, cmd, arg) do { \
	__typeof__(*(arg)) before_ = *(arg); \
	int fds_ = fd_state(); \
	EXPECT_EQ(-(code), do_ioctl(fd, cmd, arg)); \
	EXPECT_EQ(0, memcmp(&before_, arg, sizeof(before_))) \
		TH_LOG("%s: a refused call wrote to the struct", #cmd); \
	EXPECT_EQ(fds_, fd_state()); \
} while (0)

/* A call that must succeed, or the test is over; *result is what it gave. */
#define ASSERT_FD(result, call) do { \
	*(result) = (call); \
	ASSERT_LE(0, *(result)) \
		TH_LOG("%s: %s", #call, strerror(-*(result))); \
} while (0)

#endif /* SELFTESTS_KMOD_UTIL_H */
