/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_fork.c - what a forked child may drop: it has copies of the library's
 * objects, but not all of the parent's memory, and none of its devices' maps.
 */
/* gm-test: linux */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/kmod_driver.h>
#include <guestmem/mmap.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "kmod_fake.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define LENGTH (UINT64_C(16) * PAGE)

/* Exit status of a child that runs @fn. */
static int in_child(struct __test_metadata *_metadata, int (*fn)(void *),
		    void *arg)
{
	int status = 0;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(fn(arg));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The child has mapped something of its own where the region was. */
static int put_under_own_memory(void *arg)
{
	struct gm_region *r = arg;
	void *at = r->ext.host;

	if (!vma_is_unmapped(at, LENGTH))
		return 1;
	if (mmap(at, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != at)
		return 2;
	gm_region_put(r);
	return vma_is_mapped(at, LENGTH) ? 0 : 3;
}

/* As a file of the module's: mapped such that no child has it. */
static int take_out_of_children(struct gm_region *r)
{
	return madvise(r->ext.host, LENGTH, MADV_DONTFORK);
}

TEST(child_drops_a_region_that_it_does_not_have)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_NO_FORK };
	struct gm_region *r;
	uint8_t *host;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &r));
	host = r->ext.host;
	EXPECT_EQ(0, in_child(_metadata, put_under_own_memory, r));
	EXPECT_TRUE(vma_is_mapped(host, LENGTH));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host, LENGTH));
}

TEST(child_drops_a_region_of_a_driver)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_region *r;
	uint8_t *host;
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_OK(gm_file_new(fd, &o.file));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &r));
	gm_file_put(o.file);
	host = r->ext.host;
	ASSERT_EQ(0, take_out_of_children(r));
	EXPECT_EQ(0, in_child(_metadata, put_under_own_memory, r));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host, LENGTH));
}

static int put_what_it_has(void *arg)
{
	struct gm_region *r = arg;
	void *at = r->ext.host;

	if (!vma_is_mapped(at, LENGTH))
		return 1;
	gm_region_put(r);
	return vma_is_unmapped(at, LENGTH) ? 0 : 2;
}

TEST(child_drops_a_region_that_it_has)
{
	static const uint32_t flags[] = { 0, GM_MMAP_MEMFD };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct gm_mmap_opts o = { .sz = sizeof(o), .flags = flags[i] };
		struct gm_region *r;
		struct gm_file *f;

		ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &r));
		EXPECT_EQ(0, in_child(_metadata, put_what_it_has, r));
		EXPECT_TRUE(vma_is_mapped(r->ext.host, LENGTH));
		/* The same, of a file that is the caller's. */
		f = gm_file_get(gm_region_file(r, NULL));
		gm_region_put(r);
		if (!f)
			continue;
		o.flags = 0;
		o.file = f;
		ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &r));
		EXPECT_EQ(0, in_child(_metadata, put_what_it_has, r));
		gm_region_put(r);
		gm_file_put(f);
	}
}

FIXTURE(device) {
	struct gm_kmod *k;
	struct gm_kmod_device *dev;
	struct gm_region *r;
	struct gm_dma_map *m;
};

FIXTURE_SETUP(device)
{
	ASSERT_OK(gm_kmod_new(kmod_fake_control(), &self->k));
	ASSERT_OK(gm_kmod_device_new(kmod_fake_device(), "0000:00:03.0", 0,
				     &self->dev));
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), LENGTH, NULL,
				     &self->r));
	ASSERT_OK(gm_kmod_map_new(self->dev, self->r, gm_roff(0), LENGTH,
				  GM_PERM_RW, &self->m));
}

FIXTURE_TEARDOWN(device)
{
	gm_dma_map_put(self->m);
	gm_region_put(self->r);
	gm_kmod_device_put(self->dev);
	gm_kmod_put(self->k);
}

/* Parent and child have one open file: whoever unmaps does it for both. */
static int put_map(void *arg)
{
	gm_dma_map_put(arg);
	return (int)kmod_fake.calls[GUESTMEM_CMD_UNMAP];
}

TEST_F(device, child_drops_a_map_of_the_parents)
{
	EXPECT_EQ(0, in_child(_metadata, put_map, self->m));
	EXPECT_EQ(-EBUSY, gm_region_check_held(self->r, gm_roff(0), LENGTH,
					       GM_HOLD_DISCARD));
	gm_dma_map_put(self->m);
	self->m = NULL;
	EXPECT_EQ(1, kmod_fake.calls[GUESTMEM_CMD_UNMAP]);
	EXPECT_EQ(0, kmod_fake_maps());
}

/* And the copies of its objects are consistent: nothing holds the memory. */
static int put_map_and_look(void *arg)
{
	struct gm_dma_map *m = arg;
	struct gm_region *r = gm_dma_map_region(m);

	gm_dma_map_put(m);
	return -gm_region_check_held(r, gm_roff(0), LENGTH,
				     GM_HOLD_DISCARD | GM_HOLD_REMOVE);
}

TEST_F(device, hold_is_dropped_with_it)
{
	EXPECT_EQ(0, in_child(_metadata, put_map_and_look, self->m));
}

/* A map that the child has made is its own. */
static int map_and_unmap(void *arg)
{
	struct gm_kmod_device *dev = arg;
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_dma_map *m;
	struct gm_region *r;
	struct gm_kmod *k;

	if (gm_kmod_new(kmod_fake_control(), &k) ||
	    gm_region_new_kmod(k, gm_gpa(0), LENGTH, &o, &r) ||
	    gm_kmod_map_new(dev, r, gm_roff(0), LENGTH, GM_PERM_RW, &m))
		return 10;
	gm_dma_map_put(m);
	gm_region_put(r);
	gm_kmod_put(k);
	return (int)kmod_fake.calls[GUESTMEM_CMD_UNMAP];
}

TEST_F(device, child_drops_a_map_of_its_own)
{
	EXPECT_EQ(1, in_child(_metadata, map_and_unmap, self->dev));
}

/* The child has something else where the registers were. */
static int unmap_under_own_memory(void *arg)
{
	struct gm_kmod_bar *bar = arg;
	void *at = (void *)(uintptr_t)bar->regs;

	if (!vma_is_unmapped(at, KMOD_FAKE_BAR))
		return 1;
	if (mmap(at, KMOD_FAKE_BAR, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		return 2;
	gm_kmod_bar_unmap(bar);
	if (bar->regs || bar->len)
		return 3;
	return vma_is_mapped(at, KMOD_FAKE_BAR) ? 0 : 4;
}

TEST_F(device, child_drops_registers_of_the_parents)
{
	struct gm_kmod_bar bar;
	void *at;

	ASSERT_OK(gm_kmod_bar_map(self->dev, 0, &bar));
	at = (void *)(uintptr_t)bar.regs;
	/* As the module does. */
	ASSERT_EQ(0, madvise(at, KMOD_FAKE_BAR, MADV_DONTFORK));
	EXPECT_EQ(0, in_child(_metadata, unmap_under_own_memory, &bar));
	EXPECT_TRUE(vma_is_mapped(at, KMOD_FAKE_BAR));
	gm_kmod_bar_unmap(&bar);
	EXPECT_TRUE(vma_is_unmapped(at, KMOD_FAKE_BAR));
	EXPECT_EQ(NULL, bar.regs);
}

TEST_HARNESS_MAIN
