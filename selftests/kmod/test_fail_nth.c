/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: kernel=debug boot=strict */
/*
 * test_fail_nth.c - each allocation and each copy from or to user space that an
 * ioctl makes fails once. The call then gives an error that fits, or has got by
 * without; nothing is left behind either way.
 *
 * The kernel's fail-nth lets the Nth call of this thread that can fail do so.
 * Each step of the chain is done with N = 1, 2, ... until one is done without
 * any failure, each time from a fresh start.
 */
#define _GNU_SOURCE
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (16 * PAGE)
#define MAX_POINTS 400

enum step {
	STEP_OPEN,
	STEP_INFO,
	STEP_ALLOC,
	STEP_MMAP,
	STEP_REFAULT,
	STEP_PIN,
	STEP_REGION_INFO,
	STEP_DEVICE_OPEN,
	STEP_MAP,
	STEP_QUERY,
	STEP_SYNC,
	STEP_DEVICE_INFO,
	STEP_BAR,
	STEP_REGISTERS,
	STEP_INTERRUPTS,
	STEP_UNMAP,
	STEP_REVOKE,
	STEP_CLOSE,
	STEP_COUNT,
};

/* What there is after the steps so far. */
struct chain {
	int nth;
	int control, region, pinned, device;
	uint8_t *memory, *mapping;
	struct guestmem_map map;
	struct guestmem_segment *segments;
	struct guestmem_bar bar;
	void *registers;
	int event;
};

/* Nothing that the kernel does by itself is to fail, and nothing is to be said. */
static void faults_configure(struct __test_metadata *_metadata)
{
	static const char * const setting[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
	};
	char path[128];

	for (size_t i = 0; i < sizeof(setting) / sizeof(setting[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s",
			 setting[i][0]);
		ASSERT_EQ(0, file_write(path, setting[i][1]))
			TH_LOG("%s", path);
	}
}

/* Tried twice: the copy of what is written is one that can fail, too. */
static void arm(struct chain *c, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	if (pwrite(c->nth, text, strlen(text), 0) < 0 &&
	    pwrite(c->nth, text, strlen(text), 0) < 0)
		abort();
}

/*
 * Has the failure that arm() asked for happened? If reading that fails, it has
 * happened only there.
 */
static bool disarm(struct chain *c)
{
	char text[16] = "";
	bool happened;

	happened = pread(c->nth, text, sizeof(text) - 1, 0) >= 0 &&
		   atoi(text) == 0;
	arm(c, 0);
	return happened;
}

static int step_info(struct chain *c)
{
	struct guestmem_info info;

	return info_get(c->control, &info);
}

static int step_mmap(struct chain *c)
{
	uint8_t *p = map_shared(c->region, LENGTH);

	if (p == MAP_FAILED)
		return -errno;
	c->mapping = p;
	return 0;
}

/* A system call that reads, so that a page that is not there is an error. */
static int step_refault(struct chain *c)
{
	if (madvise(c->mapping, LENGTH, MADV_DONTNEED))
		return -errno;
	return madvise(c->mapping, LENGTH, MADV_POPULATE_READ) ? -errno : 0;
}

static int step_region_info(struct chain *c)
{
	struct guestmem_region_info info;

	return region_info(c->control, c->region, &info);
}

static int step_map(struct chain *c)
{
	struct guestmem_map map = map_arg(c->region, LENGTH);
	int err = do_ioctl(c->device, GUESTMEM_MAP, &map);

	if (!err)
		c->map = map;
	return err;
}

static int step_query(struct chain *c)
{
	struct guestmem_query query = query_arg(c->map.map_id, c->segments, 16);

	return do_ioctl(c->device, GUESTMEM_QUERY, &query);
}

static int step_sync(struct chain *c)
{
	struct guestmem_sync sync = sync_arg(c->map.map_id, LENGTH);

	return do_ioctl(c->device, GUESTMEM_SYNC, &sync);
}

static int step_device_info(struct chain *c)
{
	struct guestmem_device_info info;

	return device_info_get(c->device, &info);
}

/* Not touched: a page fault of ours is not to fail. */
static int step_registers(struct chain *c)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       c->device, (off_t)c->bar.offset);

	if (p == MAP_FAILED)
		return -errno;
	c->registers = p;
	return 0;
}

static int keep(int *fd, int ret)
{
	if (ret < 0)
		return ret;
	*fd = ret;
	return 0;
}

static int close_one(int *fd)
{
	int ret = *fd >= 0 && close(*fd) ? -errno : 0;

	*fd = -1;
	return ret;
}

static int step_close(struct chain *c)
{
	int err = close_one(&c->device);

	err = err ? err : close_one(&c->region);
	err = err ? err : close_one(&c->pinned);
	return err ? err : close_one(&c->control);
}

static int do_step(struct chain *c, enum step step)
{
	switch (step) {
	case STEP_OPEN:
		return keep(&c->control, control_open());
	case STEP_INFO:
		return step_info(c);
	case STEP_ALLOC:
		return keep(&c->region, region_alloc(c->control, LENGTH));
	case STEP_MMAP:
		return step_mmap(c);
	case STEP_REFAULT:
		return step_refault(c);
	case STEP_PIN:
		return keep(&c->pinned, region_pin(c->control, c->memory,
						   LENGTH));
	case STEP_REGION_INFO:
		return step_region_info(c);
	case STEP_DEVICE_OPEN:
		return keep(&c->device, device_open());
	case STEP_MAP:
		return step_map(c);
	case STEP_QUERY:
		return step_query(c);
	case STEP_SYNC:
		return step_sync(c);
	case STEP_DEVICE_INFO:
		return step_device_info(c);
	case STEP_BAR:
		return bar_get(c->device, 0, &c->bar);
	case STEP_REGISTERS:
		return step_registers(c);
	case STEP_INTERRUPTS:
		return interrupts_set(c->device, &c->event, 1);
	case STEP_UNMAP:
		return map_remove(c->device, c->map.map_id);
	case STEP_REVOKE:
		return region_revoke(c->control, c->region);
	default:
		return step_close(c);
	}
}

static void chain_end(struct chain *c)
{
	step_close(c);
	if (c->mapping)
		munmap(c->mapping, LENGTH);
	c->mapping = NULL;
	if (c->registers)
		munmap(c->registers, PAGE);
	c->registers = NULL;
}

/* A map that is not there does not count: or the region could not be revoked. */
static bool has_no_maps(struct chain *c)
{
	struct guestmem_region_info info;

	return !region_info(c->control, c->region, &info) && !info.maps;
}

static bool plausible(enum step step, int err)
{
	switch (err) {
	case 0:
	case -ENOMEM:
		return true;
	case -ENOSPC:
		return step == STEP_INTERRUPTS;
	case -EFAULT:
		return step != STEP_MMAP;
	case -EAGAIN:
	case -ENFILE:
		return step == STEP_OPEN || step == STEP_DEVICE_OPEN;
	default:
		return false;
	}
}

/*
 * The kernel's ACPI interpreter, which routes the interrupt of a device that is
 * enabled for the first time, does not survive failures: KASAN sees it use
 * freed memory. So the device is enabled before, and stays so.
 */
static int device_enable(const char *address, const char *on)
{
	char path[ADDRESS_MAX + 64];
	int err, bound;

	err = device_unbind(address);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", address);
	err = file_write(path, on);
	bound = device_bind(address);
	return err ? err : bound;
}

FIXTURE(fail) {
	struct chain c;
	char address[ADDRESS_MAX];
	struct counters before;
};

FIXTURE_VARIANT(fail) {
	enum step step;
	int points;
	bool never_fails;
	int most;
};

/*
 * points: at least so many failures can be brought about; most: and no more are, since
 * what follows is the kernel's: it warns when it has to take a half-made interrupt back.
 */
FIXTURE_VARIANT_ADD(fail, open) { STEP_OPEN, 2, false };
FIXTURE_VARIANT_ADD(fail, info) { STEP_INFO, 2, false };
FIXTURE_VARIANT_ADD(fail, alloc) { STEP_ALLOC, 8, false };
FIXTURE_VARIANT_ADD(fail, mmap) { STEP_MMAP, 2, false };
FIXTURE_VARIANT_ADD(fail, refault) { STEP_REFAULT, 0, false };
FIXTURE_VARIANT_ADD(fail, pin) { STEP_PIN, 6, false };
FIXTURE_VARIANT_ADD(fail, region_info) { STEP_REGION_INFO, 2, false };
FIXTURE_VARIANT_ADD(fail, device_open) { STEP_DEVICE_OPEN, 1, false };
FIXTURE_VARIANT_ADD(fail, map) { STEP_MAP, 6, false };
FIXTURE_VARIANT_ADD(fail, query) { STEP_QUERY, 3, false };
FIXTURE_VARIANT_ADD(fail, sync) { STEP_SYNC, 1, false };
FIXTURE_VARIANT_ADD(fail, device_info) { STEP_DEVICE_INFO, 2, false };
FIXTURE_VARIANT_ADD(fail, bar) { STEP_BAR, 3, false };
FIXTURE_VARIANT_ADD(fail, registers) { STEP_REGISTERS, 1, false };
FIXTURE_VARIANT_ADD(fail, interrupts) { STEP_INTERRUPTS, 5, false, 5 };
FIXTURE_VARIANT_ADD(fail, unmap) { STEP_UNMAP, 1, false };
FIXTURE_VARIANT_ADD(fail, revoke) { STEP_REVOKE, 1, false };
FIXTURE_VARIANT_ADD(fail, close) { STEP_CLOSE, 0, true };

FIXTURE_SETUP(fail)
{
	char path[64];

	faults_configure(_metadata);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_EQ(0, device_enable(self->address, "1"));
	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth",
		 syscall(SYS_gettid));
	ASSERT_FD(&self->c.nth, open(path, O_RDWR | O_CLOEXEC));
	self->c.control = -1;
	self->c.region = -1;
	self->c.pinned = -1;
	self->c.device = -1;
	ASSERT_FD(&self->c.event, eventfd(0, EFD_CLOEXEC));
	/* All is touched before: no page fault of ours is to fail. */
	self->c.memory = map_anonymous(LENGTH);
	ASSERT_NE(MAP_FAILED, self->c.memory);
	memset(self->c.memory, 1, LENGTH);
	self->c.segments = map_anonymous(PAGE);
	ASSERT_NE(MAP_FAILED, self->c.segments);
	memset(self->c.segments, 1, PAGE);
}

FIXTURE_TEARDOWN(fail)
{
	chain_end(&self->c);
	close(self->c.nth);
	close(self->c.event);
	EXPECT_EQ(0, device_enable(self->address, "0"));
}

/* All steps before this one, with nothing to fail. */
static void prepare(struct __test_metadata *_metadata, struct chain *c,
		    enum step until)
{
	for (int step = 0; step < (int)until; step++) {
		/*
		 * A mapped region cannot be revoked; close comes with maps. While its
		 * registers are mapped, a device stays open.
		 */
		if (until == STEP_CLOSE &&
		    (step == STEP_UNMAP || step == STEP_REVOKE ||
		     step == STEP_REGISTERS))
			continue;
		ASSERT_EQ(0, do_step(c, step))
			TH_LOG("step %d before step %d", step, until);
	}
}

TEST_F_TIMEOUT(fail, each_point, 60)
{
	int n, err, worked = 0, most = variant->most ?: MAX_POINTS - 1;
	struct chain *c = &self->c;
	bool happened = true;

	/* Once without: what the kernel allocates only the first time. */
	prepare(_metadata, c, variant->step);
	ASSERT_EQ(0, do_step(c, variant->step));
	chain_end(c);
	ASSERT_EQ(0, counters_read(&self->before));

	for (n = 1; happened && n <= most; n++) {
		prepare(_metadata, c, variant->step);
		arm(c, n);
		err = do_step(c, variant->step);
		happened = disarm(c);
		EXPECT_TRUE(plausible(variant->step, err))
			TH_LOG("step %d, point %d: %s", variant->step, n,
			       strerror(-err));
		if (variant->never_fails)
			EXPECT_EQ(0, err);
		if (!happened)
			EXPECT_EQ(0, err);
		worked += !err;
		/* An unmap that failed has done nothing, and can be done. */
		if (err && variant->step == STEP_UNMAP)
			EXPECT_EQ(0, do_step(c, STEP_UNMAP));
		if (variant->step == STEP_UNMAP ||
		    (err && variant->step == STEP_MAP))
			EXPECT_TRUE(has_no_maps(c));
		chain_end(c);
		ASSERT_EQ(0, counters_settle(&self->before))
			TH_LOG("step %d, point %d", variant->step, n);
	}
	EXPECT_EQ(variant->most != 0, happened);
	/* The last one had no failure. */
	EXPECT_LE(variant->points, n - 2 + happened);
	printf("# step %d: %d points, %d of them got by\n", variant->step,
	       n - 2 + happened, worked - !happened);
}

TEST_HARNESS_MAIN
