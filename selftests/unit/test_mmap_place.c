/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_mmap_place.c - another thread maps something where a region with guard pages is
 * about to be: nobody takes that away from it.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>
#include <guestmem.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "map_hook.h"
#include "system.h"
#include "vma.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0
#endif

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define GUARD (2 * PAGE)
#define LEN (3 * PAGE)

/* The other thread; one a process, as each test has its own. */
static struct {
	int left;	/* how often it is quicker */
	int flag;	/* that the kernel does not know */
	int err;	/* of mmap() at an address; 0: the kernel's */
	int asked;	/* how often that was asked for */
	int unmaps_left;	/* munmap() that works, till one does not; negative: all do */
	uint8_t *page;	/* what it has mapped last */
	void *reserve;	/* what the region has reserved last */
	size_t reserve_len;
} other;

/* At the start of what was asked for. */
static bool take(void *addr)
{
	other.left--;
	other.page = __real_mmap(addr, PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (other.page != addr)
		return false;
	*other.page = 77;
	return true;
}

static void *on_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p;

	if (!addr) {
		p = __real_mmap(addr, len, prot, flags, fd, off);
		if (prot == PROT_NONE) {
			other.reserve = p;
			other.reserve_len = len;
		}
		return p;
	}
	other.asked++;
	/* As the kernel does it: what is in the way goes first. */
	if (flags & MAP_FIXED)
		__real_munmap(addr, len);
	if (other.left && !take(addr))
		abort();
	if (other.err) {
		errno = other.err;
		return MAP_FAILED;
	}
	return __real_mmap(addr, len, prot, flags & ~other.flag, fd, off);
}

static int on_munmap(void *addr, size_t len)
{
	if (other.unmaps_left-- != 0)
		return __real_munmap(addr, len);
	errno = ENOMEM;
	return -1;
}

FIXTURE(place) {
	struct gm_mmap_opts o;
	struct gm_region *r;
};

FIXTURE_VARIANT(place) {
	bool file;
	bool old;	/* flags that say nothing */
};

FIXTURE_VARIANT_ADD(place, anonymous) {
	.file = false,
};

FIXTURE_VARIANT_ADD(place, of_a_file) {
	.file = true,
};

FIXTURE_VARIANT_ADD(place, before_linux_4_17) {
	.file = true,
	.old = true,
};

FIXTURE_SETUP(place)
{
	int fd;

	self->o.sz = sizeof(self->o);
	self->o.guard_size = GUARD;
	if (variant->file) {
		fd = memfd_create("guestmem", MFD_CLOEXEC);
		ASSERT_EQ(0, ftruncate(fd, (off_t)LEN));
		ASSERT_OK(gm_file_new(fd, &self->o.file));
	}
	other.unmaps_left = -1;
	other.flag = variant->old ? MAP_FIXED_NOREPLACE : 0;
	mmap_hook = on_mmap;
	munmap_hook = on_munmap;
}

FIXTURE_TEARDOWN(place)
{
	EXPECT_EQ(NULL, self->r);
	/* Of the file; of what is anonymous for POSIX. */
	EXPECT_EQ(0, vma_count("memfd:guestmem"));
	EXPECT_EQ(0, vma_count("shm/guestmem-"));
	gm_file_put(self->o.file);
}

static bool page_is_there(void)
{
	return vma_is_mapped(other.page, PAGE) && *other.page == 77;
}

/* Of all that was reserved, without the page of the other thread if that is @taken. */
static bool nothing_is_left(bool taken)
{
	uint8_t *start = other.reserve, *end = start + other.reserve_len;

	if (!taken)
		return vma_is_unmapped(start, other.reserve_len);
	return vma_is_unmapped(start, (size_t)(other.page - start)) &&
	       vma_is_unmapped(other.page + PAGE, (size_t)(end - other.page) - PAGE);
}

TEST_F(place, failure_leaves_what_another_thread_has_mapped)
{
	other.left = 1;
	other.err = ENOMEM;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), LEN, &self->o, &self->r), ENOMEM, GM_ERR_MMAP,
		    0, LEN, 0, 0);
	EXPECT_EQ(1, other.asked);
	EXPECT_TRUE(page_is_there());
	EXPECT_TRUE(nothing_is_left(true));
}

TEST_F(place, taken_once)
{
	uint8_t *host;

	other.left = 1;
	gm_error_clear();
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LEN, &self->o, &self->r));
	EXPECT_EQ(GM_ERR_NONE, gm_error_last()->kind);
	EXPECT_LE(2, other.asked);
	EXPECT_TRUE(page_is_there());
	host = self->r->ext.host;
	memset(host, 1, LEN);
	EXPECT_EQ(host - GUARD, other.reserve);
	gm_region_put(self->r);
	self->r = NULL;
	EXPECT_TRUE(nothing_is_left(false));
	EXPECT_TRUE(page_is_there());
}

/* There is an end to it. */
TEST_F(place, taken_each_time)
{
	other.left = 1000;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), LEN, &self->o, &self->r), EEXIST, GM_ERR_MMAP,
		    0, LEN, 0, 0);
	EXPECT_LE(2, other.asked);
	EXPECT_LT(0, other.left);
	EXPECT_TRUE(page_is_there());
	EXPECT_TRUE(nothing_is_left(true));
}

/* To unmap a part takes one mapping more, of which there are only so many. */
TEST_F(place, reservation_that_can_not_be_cut)
{
	other.unmaps_left = 0;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), LEN, &self->o, &self->r), ENOMEM, GM_ERR_MMAP,
		    0, LEN, 0, 0);
	EXPECT_EQ(0, other.asked);
	EXPECT_TRUE(nothing_is_left(false));
}

/* Reserved for the sake of alignment alone. */
TEST_F(place, transparent_huge_pages)
{
	LINUX_ONLY();
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "no transparent huge pages in this kernel");
	self->o.flags |= GM_MMAP_THP;
	self->o.guard_size = 0;
	other.left = 1;
	other.err = ENOMEM;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), LEN, &self->o, &self->r), ENOMEM, GM_ERR_MMAP,
		    0, LEN, 0, 0);
	EXPECT_TRUE(page_is_there());
	EXPECT_TRUE(nothing_is_left(true));
}

TEST_HARNESS_MAIN
