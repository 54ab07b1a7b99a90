/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_observe.c - what who looks from outside is told: fdinfo, debugfs and the
 * tracepoints.
 */
#define _GNU_SOURCE
#include <sys/mount.h>
#include <sys/stat.h>
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (6 * PAGE)
#define DEBUGFS "/sys/kernel/debug/guestmem/"
#define TRACEFS "/sys/kernel/tracing/"

FIXTURE(observe) {
	struct session s;
	char address[ADDRESS_MAX];
	int fd;
};

FIXTURE_SETUP(observe)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
}

FIXTURE_TEARDOWN(observe)
{
	session_end(_metadata, &self->s);
}

/* The whole of a small file; "" if it cannot be read. */
static void file_all(const char *path, char *text, size_t size)
{
	size_t n = 0;
	FILE *f = fopen(path, "r");

	if (f) {
		n = fread(text, 1, size - 1, f);
		fclose(f);
	}
	text[n] = '\0';
}

/* What fdinfo says of a file descriptor behind "guestmem-NAME:", or -1. */
static long long fdinfo_value(int fd, const char *name)
{
	char path[64], text[4096], key[64], *at;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file_all(path, text, sizeof(text));
	snprintf(key, sizeof(key), "\nguestmem-%s:\t", name);
	at = strstr(text, key);
	return at ? atoll(at + strlen(key)) : -1;
}

TEST_F(observe, fdinfo_of_control)
{
	EXPECT_EQ(1, fdinfo_value(self->s.control, "regions"));
	EXPECT_EQ(LENGTH, fdinfo_value(self->s.control, "bytes"));
	/* A revoked region is one still, and has no memory. */
	ASSERT_EQ(0, region_revoke(self->s.control, self->fd));
	EXPECT_EQ(1, fdinfo_value(self->s.control, "regions"));
	EXPECT_EQ(0, fdinfo_value(self->s.control, "bytes"));
	close(self->fd);
	EXPECT_EQ(0, fdinfo_value(self->s.control, "regions"));
	EXPECT_EQ(0, fdinfo_value(self->s.control, "bytes"));
}

TEST_F(observe, fdinfo_of_device)
{
	const int32_t none = -1;
	char path[64], text[4096], line[ADDRESS_MAX + 32];
	uint32_t id;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->s.device);
	file_all(path, text, sizeof(text));
	snprintf(line, sizeof(line), "guestmem-device:\t%s\n", self->address);
	EXPECT_NE(NULL, strstr(text, line));
	EXPECT_EQ(0, fdinfo_value(self->s.device, "maps"));
	EXPECT_EQ(0, fdinfo_value(self->s.device, "interrupts"));
	ASSERT_EQ(0, interrupts_set(self->s.device, &none, 1));
	EXPECT_EQ(1, fdinfo_value(self->s.device, "interrupts"));
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	EXPECT_EQ(1, fdinfo_value(self->s.device, "maps"));
	EXPECT_EQ(LENGTH, fdinfo_value(self->s.device, "bytes"));
	EXPECT_EQ(1, fdinfo_value(self->s.device, "segments"));
	ASSERT_EQ(0, map_remove(self->s.device, id));
	EXPECT_EQ(0, fdinfo_value(self->s.device, "bytes"));
	EXPECT_EQ(0, fdinfo_value(self->s.device, "segments"));
	EXPECT_EQ(0, fdinfo_value(self->s.device, "gone"));
	ASSERT_EQ(0, device_unbind(self->address));
	EXPECT_EQ(1, fdinfo_value(self->s.device, "gone"));
	EXPECT_EQ(0, device_bind(self->address));
}

TEST_F(observe, fdinfo_of_region)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	file_all(path, text, sizeof(text));
	EXPECT_NE(NULL, strstr(text, "exp_name:\tguestmem\n"));
}

TEST_F(observe, debugfs_regions)
{
	char text[4096], line[128];
	uint32_t id;

	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	file_all(DEBUGFS "regions", text, sizeof(text));
	snprintf(line, sizeof(line), "\nalloc %llu ",
		 (unsigned long long)LENGTH);
	EXPECT_NE(NULL, strstr(text, line));
	/* Its maps, whether it is revoked, and who has made it. */
	snprintf(line, sizeof(line), " 0 rw 1 0 %d test_observe\n", getpid());
	EXPECT_NE(NULL, strstr(text, line)) TH_LOG("%s", text);
	ASSERT_EQ(0, map_remove(self->s.device, id));
	ASSERT_EQ(0, region_revoke(self->s.control, self->fd));
	file_all(DEBUGFS "regions", text, sizeof(text));
	snprintf(line, sizeof(line), " rw 0 1 %d test_observe\n", getpid());
	EXPECT_NE(NULL, strstr(text, line)) TH_LOG("%s", text);
}

TEST_F(observe, debugfs_devices)
{
	char text[4096], line[ADDRESS_MAX + 64];
	uint32_t id;

	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &id));
	file_all(DEBUGFS "devices", text, sizeof(text));
	snprintf(line, sizeof(line), "\n%s 1 1 %llu 1 0\n", self->address,
		 (unsigned long long)LENGTH);
	EXPECT_NE(NULL, strstr(text, line)) TH_LOG("%s", text);
	close(self->s.device);
	file_all(DEBUGFS "devices", text, sizeof(text));
	snprintf(line, sizeof(line), "\n%s 0 0 0 0 0\n", self->address);
	EXPECT_NE(NULL, strstr(text, line)) TH_LOG("%s", text);
}

TEST_F(observe, debugfs_is_root_only)
{
	static const char * const name[] = { "counters", "regions", "devices" };
	char path[64];
	struct stat st;

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s", name[i]);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(S_IFREG | 0400, st.st_mode);
	}
}

static bool tracing(void)
{
	if (access(TRACEFS "trace", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	return !access(TRACEFS "events/guestmem/enable", F_OK);
}

/* The line of an event must have all that follows it in this order. */
static bool traced(const char *trace, const char *event, const char *what)
{
	const char *at = strstr(trace, event), *end, *found;

	while (at) {
		end = strchr(at, '\n');
		found = strstr(at, what);
		if (found && end && found < end)
			return true;
		at = strstr(at + 1, event);
	}
	return false;
}

#define TRACED(event, ...) do { \
	char what_[128]; \
	snprintf(what_, sizeof(what_), __VA_ARGS__); \
	EXPECT_TRUE(traced(trace, event ":", what_)) \
		TH_LOG("no %s with %s in\n%s", event, what_, trace); \
} while (0)

/* Makes each kind of event happen once. */
static void make_events(struct __test_metadata *_metadata,
			FIXTURE_DATA(observe) *self, uint32_t *id)
{
	struct guestmem_map map = map_arg(-1, LENGTH);
	void *anonymous = map_anonymous(LENGTH);
	uint8_t *p;
	int fd;

	ASSERT_FD(&fd, region_alloc(self->s.control, LENGTH));
	p = map_shared(fd, LENGTH);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, madvise(p + PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, p[PAGE]);
	munmap(p, LENGTH);
	ASSERT_EQ(0, map_add(self->s.device, fd, LENGTH, id));
	ASSERT_EQ(0, map_remove(self->s.device, *id));
	ASSERT_EQ(0, region_revoke(self->s.control, fd));
	close(fd);
	ASSERT_FD(&fd, region_pin(self->s.control, anonymous, LENGTH));
	close(fd);
	munmap(anonymous, LENGTH);

	close(self->s.device);
	ASSERT_EQ(0, group_set_type(self->address, "DMA-FQ"));
	ASSERT_FD(&self->s.device, device_open());
	map.fd = self->fd;
	EXPECT_EQ(-EPERM, do_ioctl(self->s.device, GUESTMEM_MAP, &map));
	close(self->s.device);
	ASSERT_EQ(0, group_set_type(self->address, "DMA"));
}

TEST_F(observe, tracepoints)
{
	static char trace[1 << 16];
	uint32_t id = 0;

	if (!tracing())
		SKIP(return, "a kernel without tracepoints");
	ASSERT_EQ(0, file_write(TRACEFS "trace", " "));
	ASSERT_EQ(0, file_write(TRACEFS "events/guestmem/enable", "1"));
	make_events(_metadata, self, &id);
	EXPECT_EQ(0, file_write(TRACEFS "events/guestmem/enable", "0"));
	file_all(TRACEFS "trace", trace, sizeof(trace));

	TRACED("guestmem_region_new", "kind=alloc length=0x%llx",
	       (unsigned long long)LENGTH);
	TRACED("guestmem_region_new", "kind=pin length=0x%llx",
	       (unsigned long long)LENGTH);
	TRACED("guestmem_fault", "page=1 result=0x100");
	TRACED("guestmem_map", "device=%s region=", self->address);
	TRACED("guestmem_map",
	       "id=%u offset=0x0 length=0x%llx segments=1 properties=translated|strict|coherent",
	       id, (unsigned long long)LENGTH);
	TRACED("guestmem_unmap", "id=%u offset=0x0", id);
	TRACED("guestmem_region_revoke", "kind=alloc");
	TRACED("guestmem_region_free", "kind=alloc");
	TRACED("guestmem_region_free", "kind=pin");
	TRACED("guestmem_unbind", "device=%s", self->address);
	TRACED("guestmem_bind", "device=%s", self->address);
	TRACED("guestmem_refuse", "device=%s: its IOMMU is flushed lazily",
	       self->address);
}

TEST_HARNESS_MAIN
