/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_mmap_huge.c - regions of hugetlb pages: reserved when the region is
 * made, or refused then.
 */
/* gm-test: linux */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <guestmem/hold.h>
#include <guestmem/mmap.h>
#include <guestmem/snapshot.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "vma.h"

#define HUGE (UINT64_C(2) << 20)
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define OPTION(field) offsetof(struct gm_mmap_opts, field)
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define WANTED 4
/* Of mmap() and memfd_create(). */
#define SIZE_2MB (21 << MAP_HUGE_SHIFT)

/* The machine's pool; only one test program at a time changes it. */
FIXTURE(huge) {
	int lock;
	long before;
	bool enough;
	struct gm_mmap_opts o;
};

FIXTURE_VARIANT(huge) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(huge, anonymous) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(huge, memfd) {
	.flags = GM_MMAP_MEMFD,
};

static long pool_read(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

static void pool_resize(long n)
{
	FILE *f = fopen(POOL "nr_hugepages", "w");

	if (!f)
		return;
	fprintf(f, "%ld\n", n);
	fclose(f);
}

static long pool_available(void)
{
	return pool_read(POOL "free_hugepages") -
	       pool_read(POOL "resv_hugepages");
}

FIXTURE_SETUP(huge)
{
	memset(self, 0, sizeof(*self));
	self->o.sz = sizeof(self->o);
	self->o.flags = variant->flags;
	self->o.huge_size = HUGE;
	self->lock = open(POOL "nr_hugepages", O_RDONLY);
	if (self->lock < 0)
		return;
	ASSERT_EQ(0, flock(self->lock, LOCK_EX));
	self->before = pool_read(POOL "nr_hugepages");
	if (pool_available() < WANTED)
		pool_resize(self->before + WANTED - pool_available());
	self->enough = pool_available() >= WANTED;
}

FIXTURE_TEARDOWN(huge)
{
	if (self->lock < 0)
		return;
	if (pool_read(POOL "nr_hugepages") != self->before)
		pool_resize(self->before);
	EXPECT_EQ(self->before, pool_read(POOL "nr_hugepages"));
	close(self->lock);
}

static uint8_t *host_of(const struct gm_region *r)
{
	void *p = NULL;

	gm_region_host(r, gm_roff(0), &p);
	return p;
}

TEST_F(huge, reserved_when_it_is_made)
{
	struct gm_region *r;
	char line[256] = "";
	uint8_t byte = 3;
	long available;
	uint8_t *host;

	if (!self->enough)
		SKIP(return, "cannot have %d huge pages of 2 MiB", WANTED);
	available = pool_available();
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * HUGE, &self->o, &r));
	host = host_of(r);
	EXPECT_EQ(available - 2, pool_available());
	EXPECT_EQ(GM_YES, gm_region_is_hugetlbfs(r));
	EXPECT_EQ(0, (uintptr_t)host & (HUGE - 1));
	EXPECT_TRUE(vma_smaps(host, "KernelPageSize:", line, sizeof(line)));
	EXPECT_NE(NULL, strstr(line, " 2048 kB"));
	EXPECT_EQ(0, gm_region_write(r, gm_roff(2 * HUGE - 1), &byte, 1));
	EXPECT_EQ(3, host[2 * HUGE - 1]);
	gm_region_put(r);
	EXPECT_EQ(available, pool_available());
	EXPECT_TRUE(vma_is_unmapped(host, 2 * HUGE));
}

TEST_F(huge, rounded_up_to_its_pages)
{
	struct gm_region *r;
	long available;

	if (!self->enough)
		SKIP(return, "cannot have %d huge pages of 2 MiB", WANTED);
	available = pool_available();
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), HUGE + 1, &self->o, &r));
	EXPECT_EQ(HUGE + 1, gm_region_len(r));
	EXPECT_EQ(available - 2, pool_available());
	if (variant->flags & GM_MMAP_MEMFD) {
		int fd = gm_file_fd(gm_region_file(r, NULL));

		EXPECT_EQ(2 * HUGE, (uint64_t)lseek(fd, 0, SEEK_END));
		EXPECT_EQ(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
			  fcntl(fd, F_GET_SEALS));
	}
	gm_region_put(r);
	EXPECT_EQ(available, pool_available());
}

/* Design, section 5, number 12: a part of a page is refused, not kept. */
TEST_F(huge, discard_frees_whole_pages)
{
	struct gm_region *r;
	long unused;

	if (!self->enough)
		SKIP(return, "cannot have %d huge pages of 2 MiB", WANTED);
	unused = pool_read(POOL "free_hugepages");
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * HUGE, &self->o, &r));
	memset(host_of(r), 1, 2 * HUGE);
	EXPECT_EQ(unused - 2, pool_read(POOL "free_hugepages"));
	EXPECT_FAIL(gm_region_discard(r, gm_roff(0), PAGE), EINVAL,
		    GM_ERR_MISALIGNED, PAGE, HUGE, 0, 0);
	EXPECT_FAIL(gm_region_discard(r, gm_roff(PAGE), HUGE), EINVAL,
		    GM_ERR_MISALIGNED, PAGE, HUGE, 0, 0);
	EXPECT_EQ(unused - 2, pool_read(POOL "free_hugepages"));
	EXPECT_EQ(0, gm_region_discard(r, gm_roff(HUGE), HUGE));
	EXPECT_EQ(unused - 1, pool_read(POOL "free_hugepages"));
	EXPECT_EQ(1, host_of(r)[HUGE - 1]);
	EXPECT_EQ(0, host_of(r)[HUGE]);
	gm_region_put(r);
}

TEST_F(huge, with_guard_pages_and_prefault)
{
	struct gm_region *r;
	uint8_t *host;

	if (!self->enough)
		SKIP(return, "cannot have %d huge pages of 2 MiB", WANTED);
	self->o.guard_size = PAGE;
	self->o.flags |= GM_MMAP_PREFAULT;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * HUGE, &self->o, &r));
	host = host_of(r);
	EXPECT_EQ(2 * HUGE / PAGE,
		  (uint64_t)vma_resident_pages(host, 2 * HUGE));
	EXPECT_TRUE(vma_is_mapped(host - PAGE, 2 * HUGE + 2 * PAGE));
	gm_region_put(r);
	EXPECT_TRUE(vma_is_unmapped(host - PAGE, 2 * HUGE + 2 * PAGE));
}

/* A file of a hugetlbfs, as a peer may pass one: here, a memfd's. */
TEST_F(huge, file_of_huge_pages)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_region *r, *again;

	if (!self->enough)
		SKIP(return, "cannot have %d huge pages of 2 MiB", WANTED);
	if (!(variant->flags & GM_MMAP_MEMFD))
		return;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * HUGE, &self->o, &r));
	o.file = gm_region_file(r, NULL);
	o.file_off = HUGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), HUGE, &o, &again));
	EXPECT_EQ(GM_YES, gm_region_is_hugetlbfs(again));
	EXPECT_TRUE(gm_regions_share_file(r, again));
	gm_region_put(again);
	/* Such a file has pages of its own size. */
	o.file_off = PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &o, &again), EINVAL,
		    GM_ERR_MISALIGNED, PAGE, HUGE, 0, 0);
	gm_region_put(r);
}

static uint8_t *own_mapping(uint32_t flags)
{
	int fd = -1, map_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | SIZE_2MB;
	void *p;

	if (flags & GM_MMAP_MEMFD) {
		fd = memfd_create("own", MFD_CLOEXEC | MFD_HUGETLB | SIZE_2MB);
		map_flags = MAP_SHARED;
		if (fd < 0 || ftruncate(fd, HUGE))
			return NULL;
	}
	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, map_flags, fd, 0);
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

/* Its pages come as a whole, and nobody has said that they are huge. */
TEST_F(huge, own_mapping_is_not_loaded_lazily)
{
	static const struct gm_range range = { 0, HUGE };
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_snapshot *s;
	struct gm_lazy *l = NULL;
	struct gm_file *f;
	struct gm_map *m;
	uint64_t id;
	int ret;

	if (!self->enough)
		SKIP(return, "cannot have %d huge pages of 2 MiB", WANTED);
	o.addr = own_mapping(variant->flags);
	ASSERT_NE(NULL, o.addr);
	ASSERT_OK(gm_map_new_mmap(&range, &o, 1, &m));
	EXPECT_EQ(GM_UNKNOWN, gm_region_is_hugetlbfs(gm_map_region(m, 0)));
	ASSERT_OK(gm_file_new(memfd_create("snapshot", MFD_CLOEXEC), &f));
	ASSERT_OK(gm_snapshot_save(m, gm_file_fd(f), NULL, &id));
	ASSERT_OK(gm_snapshot_open(f, &s));
	ret = gm_lazy_new(s, m, &l);
	if (ret != -EPERM) {
		EXPECT_EQ(-EOPNOTSUPP, ret);
		EXPECT_EQ(GM_ERR_OPTION, gm_error_last()->kind);
	}
	gm_lazy_free(l);
	EXPECT_FALSE(vma_has_flag(o.addr, "um"));
	gm_snapshot_close(s);
	gm_file_put(f);
	gm_map_put(m);
	munmap(o.addr, HUGE);
}

TEST_F(huge, too_few_is_an_error_now)
{
	struct gm_region *r = NULL;
	uint64_t len;
	int fds = open_fds();

	if (self->lock < 0)
		SKIP(return, "no huge pages of 2 MiB in this kernel");
	/* One more than there are; then far more. */
	len = (uint64_t)(pool_available() + 1) * HUGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), len, &self->o, &r), ENOMEM,
		    GM_ERR_HUGE, 0, len, 0, 0);
	len += 1000 * HUGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), len, &self->o, &r), ENOMEM,
		    GM_ERR_HUGE, 0, len, 0, 0);
	self->o.guard_size = PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), len, &self->o, &r), ENOMEM,
		    GM_ERR_HUGE, 0, len, 0, 0);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(fds, open_fds());
}

/* What makes a memfd is no mmap(), also with huge pages. */
TEST_F(huge, memfd_without_descriptors_left)
{
	struct gm_region *r = NULL;
	struct rlimit none = { 0 }, old;

	if (self->lock < 0 || !(variant->flags & GM_MMAP_MEMFD))
		return;
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &self->o, &r), EMFILE,
		    GM_ERR_IO, 0, HUGE, 0, 0);
	EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(NULL, r);
}

TEST_F(huge, sizes_that_are_none)
{
	struct gm_region *r = NULL;

	self->o.huge_size = HUGE + 1;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &self->o, &r), EINVAL,
		    GM_ERR_OPTION, OPTION(huge_size), 0, 0, 0);
	self->o.huge_size = PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &self->o, &r), EINVAL,
		    GM_ERR_OPTION, OPTION(huge_size), 0, 0, 0);
	/* A power of two that this machine has no pages of. */
	self->o.huge_size = UINT64_C(1) << 36;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &self->o, &r),
		    EOPNOTSUPP, GM_ERR_OPTION, OPTION(huge_size), 0, 0, 0);
	self->o.huge_size = UINT64_C(1) << 62;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &self->o, &r),
		    EOPNOTSUPP, GM_ERR_OPTION, OPTION(huge_size), 0, 0, 0);
	EXPECT_EQ(NULL, r);
}

TEST_F(huge, options_that_do_not_go_with_it)
{
	struct gm_region *r = NULL;

	self->o.map_flags = MAP_NORESERVE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &self->o, &r), EINVAL,
		    GM_ERR_OPTION, OPTION(map_flags), 0, 0, 0);
	self->o.map_flags = 0;
	self->o.flags |= GM_MMAP_THP;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), HUGE, &self->o, &r), EINVAL,
		    GM_ERR_OPTION, OPTION(flags), 0, 0, 0);
	EXPECT_EQ(NULL, r);
}

TEST_HARNESS_MAIN
