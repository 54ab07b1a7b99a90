/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_edu.c - a real device moves bytes out of regions and into them, behind
 * an IOMMU: each kind of memory, compared byte by byte, whole regions at a time.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "edu.h"
#include "pattern.h"
#include "session.h"

#define LENGTH (2 * HUGE)
#define HUGE_PAGES "/proc/sys/vm/nr_hugepages"

/* Memory of the caller's, of each kind that can be pinned. */
static void *make_anonymous(int *file)
{
	void *p = map_anonymous(LENGTH);

	*file = -1;
	if (p != MAP_FAILED)
		madvise(p, LENGTH, MADV_NOHUGEPAGE);
	return p;
}

/* Aligned, so that it can be of huge pages. */
static void *make_thp(int *file)
{
	uint8_t *p = map_anonymous(LENGTH + HUGE), *at;

	*file = -1;
	if (p == MAP_FAILED)
		return p;
	at = (uint8_t *)(((uintptr_t)p + HUGE - 1) / HUGE * HUGE);
	if (at > p)
		munmap(p, at - p);
	munmap(at + LENGTH, p + HUGE - at);
	madvise(at, LENGTH, MADV_HUGEPAGE);
	return at;
}

static void *make_file(int *file, int flags)
{
	*file = memfd_create("edu", MFD_CLOEXEC | flags);
	if (*file < 0 || ftruncate(*file, LENGTH))
		return MAP_FAILED;
	return map_shared(*file, LENGTH);
}

static void *make_memfd(int *file)
{
	return make_file(file, 0);
}

static void *make_hugetlb(int *file)
{
	if (file_write(HUGE_PAGES, "2"))
		return MAP_FAILED;
	return make_file(file, MFD_HUGETLB);
}

FIXTURE(edu) {
	struct session s;
	struct edu_map map;
	int fd;
	int file;
	uint8_t *p;
	uint8_t *expected;
};

FIXTURE_VARIANT(edu) {
	uint32_t alloc_flags;
	void *(*make)(int *file);
	bool huge;
};

FIXTURE_VARIANT_ADD(edu, alloc) {};
FIXTURE_VARIANT_ADD(edu, alloc_huge) {
	.alloc_flags = GUESTMEM_ALLOC_HUGE,
	.huge = true,
};

FIXTURE_VARIANT_ADD(edu, pin_anonymous) { .make = make_anonymous };
FIXTURE_VARIANT_ADD(edu, pin_thp) { .make = make_thp, .huge = true };
FIXTURE_VARIANT_ADD(edu, pin_memfd) { .make = make_memfd };
FIXTURE_VARIANT_ADD(edu, pin_hugetlb) { .make = make_hugetlb, .huge = true };

FIXTURE_SETUP(edu)
{
	struct guestmem_alloc alloc = alloc_arg(LENGTH);
	struct guestmem_region_info info;
	char address[ADDRESS_MAX];

	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(address));
	self->map.device = self->s.device;
	self->map.edu = edu_registers(address);
	ASSERT_NE(MAP_FAILED, self->map.edu);
	if (variant->make) {
		self->p = variant->make(&self->file);
		ASSERT_NE(MAP_FAILED, self->p);
		ASSERT_FD(&self->fd, region_pin(self->s.control, self->p,
						LENGTH));
	} else {
		alloc.flags = variant->alloc_flags;
		ASSERT_EQ(0, do_ioctl(self->s.control, GUESTMEM_ALLOC, &alloc));
		self->fd = alloc.out_fd;
		self->file = self->fd;
		self->p = map_shared(self->fd, LENGTH);
		ASSERT_NE(MAP_FAILED, self->p);
	}
	/* It is the kind of memory that it is meant to be. */
	ASSERT_EQ(0, region_info(self->s.control, self->fd, &info));
	if (variant->huge)
		EXPECT_LE(HUGE, info.granule);
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &self->map.id));
	self->expected = map_anonymous(LENGTH);
	ASSERT_NE(MAP_FAILED, self->expected);
}

FIXTURE_TEARDOWN(edu)
{
	munmap(self->p, LENGTH);
	munmap(self->expected, LENGTH);
	munmap((void *)self->map.edu, PAGE);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	if (variant->make == make_hugetlb)
		EXPECT_EQ(0, file_write(HUGE_PAGES, "0"));
	session_end(_metadata, &self->s);
}

/*
 * Over borders of pages and of huge pages, single bytes, both ends. All that
 * was not to be written must be as it was, the source as well.
 */
TEST_F_TIMEOUT(edu, moves_bytes, 60)
{
	const struct {
		uint64_t from;
		uint64_t to;
		uint32_t n;
	} move[] = {
		{ 0, LENGTH - EDU_BYTES, EDU_BYTES },
		{ HUGE - 1001, 5 * PAGE - 77, EDU_BYTES },
		{ LENGTH - 1, 0, 1 },
		{ 3 * PAGE + 5, HUGE - 3, 7 },
	};

	pattern_fill(self->p, LENGTH, 0);
	memcpy(self->expected, self->p, LENGTH);
	for (int i = 0; i < 4; i++) {
		pattern_fill(self->p + move[i].from, move[i].n, 100 + i);
		pattern_fill(self->expected + move[i].from, move[i].n, 100 + i);
		memcpy(self->expected + move[i].to,
		       self->expected + move[i].from, move[i].n);
		ASSERT_EQ(0, edu_copy(&self->map, move[i].from, move[i].to,
				      move[i].n));
		EXPECT_EQ(0, memcmp(self->expected, self->p, LENGTH))
			TH_LOG("move %d", i);
	}
}

/*
 * The device and everybody's mapping have the same memory: what one mapping is
 * given the device reads, and what it writes another mapping has.
 */
TEST_F(edu, is_what_others_see)
{
	uint8_t *other;

	if (self->file < 0)
		return;
	other = map_shared(self->file, LENGTH);
	ASSERT_NE(MAP_FAILED, other);
	pattern_fill(other + PAGE, EDU_BYTES, 1);
	ASSERT_EQ(0, edu_copy(&self->map, PAGE, HUGE + PAGE, EDU_BYTES));
	EXPECT_TRUE(pattern_is(other + HUGE + PAGE, EDU_BYTES, 1));
	EXPECT_TRUE(pattern_is(self->p + HUGE + PAGE, EDU_BYTES, 1));
	munmap(other, LENGTH);
}

/*
 * The device goes on when the process has forked and its parent has written to
 * the memory since: copy-on-write takes no page away from it.
 */
TEST_F(edu, goes_on_after_fork)
{
	int go[2];
	pid_t pid;
	char c = 0;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &c, 1) != 1);
	}
	pattern_fill(self->p, EDU_BYTES, 2);
	ASSERT_EQ(0, edu_copy(&self->map, 0, PAGE, EDU_BYTES));
	EXPECT_TRUE(pattern_is(self->p + PAGE, EDU_BYTES, 2));
	EXPECT_EQ(1, write(go[1], &c, 1));
	EXPECT_EQ(0, child_wait(pid));
}

/* And when nobody has it mapped. */
TEST_F(edu, goes_on_without_mapping)
{
	if (self->file < 0)
		return;
	pattern_fill(self->p, EDU_BYTES, 3);
	munmap(self->p, LENGTH);
	ASSERT_EQ(0, edu_copy(&self->map, 0, HUGE - 10, EDU_BYTES));
	self->p = map_shared(self->file, LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
	EXPECT_TRUE(pattern_is(self->p, EDU_BYTES, 3));
	EXPECT_TRUE(pattern_is(self->p + HUGE - 10, EDU_BYTES, 3));
}

TEST_HARNESS_MAIN
