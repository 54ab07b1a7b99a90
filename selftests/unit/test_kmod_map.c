/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_kmod_map.c - maps for devices, over a module that is pretended: what it
 * answers wrong, refuses, or answers on machines that the tests don't have. With
 * the real one: selftests/kmod/test_lib_map.c.
 */
/* gm-test: linux */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <guestmem/kmod.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "kmod_fake.h"
#include "own_region.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define LENGTH (UINT64_C(8) * PAGE)
#define NAME "0000:00:03.0"
#define ALL (GM_HOLD_DISCARD | GM_HOLD_REMOVE)

/* In place of an abort, where a test asks for too much. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

FIXTURE(map) {
	struct gm_kmod *k;
	struct gm_kmod_device *dev;
	struct gm_region *r;
};

FIXTURE_SETUP(map)
{
	ASSERT_OK(gm_kmod_new(kmod_fake_control(), &self->k));
	ASSERT_OK(gm_kmod_device_new(kmod_fake_device(), NAME, 0, &self->dev));
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0x100000), LENGTH, NULL,
				     &self->r));
}

FIXTURE_TEARDOWN(map)
{
	gm_region_put(self->r);
	gm_kmod_device_put(self->dev);
	gm_kmod_put(self->k);
}

static int map_all_of(struct gm_kmod_device *dev, struct gm_region *r,
		      struct gm_dma_map **m)
{
	return gm_kmod_map_new(dev, r, gm_roff(0), gm_region_len(r), GM_PERM_RW,
			       m);
}

static int check_held(struct gm_region *r)
{
	return gm_region_check_held(r, gm_roff(0), gm_region_len(r), ALL);
}

TEST_F(map, segments)
{
	const struct gm_dma_seg *segs;
	struct gm_dma_map *m;
	size_t count;

	kmod_fake.piece = PAGE;
	ASSERT_OK(gm_kmod_map_new(self->dev, self->r, gm_roff(2 * PAGE),
				  3 * PAGE, GM_PERM_READ, &m));
	EXPECT_EQ(2 * PAGE, kmod_fake.map.offset);
	EXPECT_EQ(3 * PAGE, kmod_fake.map.length);
	EXPECT_EQ(GUESTMEM_MAP_READ, kmod_fake.map.flags);
	EXPECT_EQ(0, kmod_fake.map.address_bits);
	segs = gm_dma_map_segs(m, &count);
	ASSERT_EQ(3, count);
	for (size_t i = 0; i < count; i++) {
		EXPECT_EQ(KMOD_FAKE_ADDRESS + 2 * i * PAGE, segs[i].address);
		EXPECT_EQ(PAGE, segs[i].len);
	}
	EXPECT_EQ(7, gm_kmod_map_properties(m));
	gm_dma_map_put(m);
	EXPECT_EQ(0, kmod_fake_maps());
	EXPECT_EQ(0, check_held(self->r));
}

/* A map is whole pages; what counts is the region's length. */
TEST_F(map, last_segment_is_cut)
{
	const struct gm_dma_seg *segs;
	struct gm_dma_map *m;
	struct gm_region *odd;
	size_t count;

	kmod_fake.piece = PAGE;
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), PAGE + 100, NULL,
				     &odd));
	ASSERT_OK(map_all_of(self->dev, odd, &m));
	EXPECT_EQ(2 * PAGE, kmod_fake.map.length);
	EXPECT_EQ(PAGE + 100, gm_dma_map_len(m));
	segs = gm_dma_map_segs(m, &count);
	ASSERT_EQ(2, count);
	EXPECT_EQ(100, segs[1].len);
	gm_dma_map_put(m);
	gm_region_put(odd);
}

static void too_short(struct guestmem_segment *segs, uint32_t count)
{
	segs[count - 1].length--;
}

static void out_of_order(struct guestmem_segment *segs, uint32_t count)
{
	struct guestmem_segment s = segs[0];

	segs[0] = segs[1];
	segs[1] = s;
}

static void overlapping(struct guestmem_segment *segs, uint32_t count)
{
	segs[1].offset--;
}

static void with_a_gap(struct guestmem_segment *segs, uint32_t count)
{
	segs[1].offset++;
}

static void one_too_many(struct guestmem_segment *segs, uint32_t count)
{
	segs[0].length = LENGTH;
	segs[1].offset = segs[0].offset + LENGTH;
}

static void one_that_is_empty(struct guestmem_segment *segs, uint32_t count)
{
	segs[0].length = 0;
	segs[1].offset = segs[0].offset;
	segs[1].length += PAGE;
}

static void past_the_end(struct guestmem_segment *segs, uint32_t count)
{
	segs[count - 1].address = UINT64_MAX - 1;
}

/* Nobody is given an address from such an answer, and nothing is left behind. */
TEST_F(map, answers_that_can_not_be)
{
	static const struct {
		void (*edit)(struct guestmem_segment *segs, uint32_t count);
		int err;
		enum gm_error_kind kind;
	} cases[] = {
		{ too_short, EIO, GM_ERR_BACKEND_RANGE },
		{ out_of_order, EIO, GM_ERR_BACKEND_RANGE },
		{ overlapping, EIO, GM_ERR_BACKEND_RANGE },
		{ with_a_gap, EIO, GM_ERR_BACKEND_RANGE },
		{ one_too_many, EIO, GM_ERR_BACKEND_RANGE },
		{ one_that_is_empty, EINVAL, GM_ERR_ZERO_LENGTH },
		{ past_the_end, EOVERFLOW, GM_ERR_OVERFLOW },
	};
	struct gm_dma_map *m = (void *)1;

	kmod_fake.piece = PAGE;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		kmod_fake.edit = cases[i].edit;
		EXPECT_FAIL_KIND(map_all_of(self->dev, self->r, &m),
				 cases[i].err, cases[i].kind);
		EXPECT_EQ(0, kmod_fake_maps());
		EXPECT_EQ(0, check_held(self->r));
	}
	kmod_fake.edit = too_short;
	EXPECT_FAIL(map_all_of(self->dev, self->r, &m), EIO,
		    GM_ERR_BACKEND_RANGE, 0, LENGTH, LENGTH, LENGTH - 1);
	EXPECT_EQ((void *)1, m);
}

/* What each errno of MAP is told as. */
TEST_F(map, errors_of_map)
{
	static const struct {
		int err;
		enum gm_error_kind kind;
	} cases[] = {
		{ EINVAL, GM_ERR_NOT_PINNED }, { EACCES, GM_ERR_PERMISSION },
		{ ERANGE, GM_ERR_OUT_OF_BOUNDS }, { EPERM, GM_ERR_POLICY },
		{ EOPNOTSUPP, GM_ERR_POLICY }, { ENOMEM, GM_ERR_MEMORY },
		{ ENODEV, GM_ERR_REVOKED }, { ENOSPC, GM_ERR_IO },
		{ EIO, GM_ERR_IO }, { EMFILE, GM_ERR_IO },
	};
	struct gm_dma_map *m = (void *)1;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		kmod_fake.fail[GUESTMEM_CMD_MAP] = cases[i].err;
		EXPECT_FAIL_KIND(map_all_of(self->dev, self->r, &m),
				 cases[i].err, cases[i].kind);
		EXPECT_EQ(0, check_held(self->r));
	}
	EXPECT_FAIL_NAME(map_all_of(self->dev, self->r, &m), EMFILE, GM_ERR_IO,
			 0, LENGTH, NAME);
	/* The machine's memory, or the device's address space: which device? */
	kmod_fake.fail[GUESTMEM_CMD_MAP] = ENOMEM;
	EXPECT_FAIL_NAME(map_all_of(self->dev, self->r, &m), ENOMEM,
			 GM_ERR_MEMORY, 0, LENGTH, NAME);
	kmod_fake.fail[GUESTMEM_CMD_MAP] = 0;
	kmod_fake.gone = true;
	EXPECT_FAIL_NAME(map_all_of(self->dev, self->r, &m), ENODEV,
			 GM_ERR_NO_DEVICE, 0, 0, NAME);
	EXPECT_EQ((void *)1, m);
	EXPECT_EQ(0, kmod_fake.calls[GUESTMEM_CMD_UNMAP]);
}

TEST_F(map, errors_of_query)
{
	struct gm_dma_map *m = (void *)1;

	kmod_fake.fail[GUESTMEM_CMD_QUERY] = EMSGSIZE;
	EXPECT_FAIL_NAME(map_all_of(self->dev, self->r, &m), EMSGSIZE,
			 GM_ERR_IO, 0, LENGTH, NAME);
	EXPECT_EQ(0, kmod_fake_maps());
	EXPECT_EQ(0, check_held(self->r));
	EXPECT_EQ((void *)1, m);
}

/* So many segments that there is no memory for them. */
TEST_F(map, no_memory)
{
	const struct rlimit limit = { UINT64_C(4) << 30, UINT64_C(4) << 30 };
	struct gm_dma_map *m = (void *)1;

	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	kmod_fake.segments = UINT32_MAX;
	EXPECT_FAIL_KIND(map_all_of(self->dev, self->r, &m), ENOMEM,
			 GM_ERR_MEMORY);
	EXPECT_EQ(0, kmod_fake_maps());
	EXPECT_EQ(0, check_held(self->r));
	kmod_fake.fail[GUESTMEM_CMD_UNMAP] = EPERM;
	EXPECT_FAIL_KIND(map_all_of(self->dev, self->r, &m), ENOMEM,
			 GM_ERR_MEMORY);
	EXPECT_EQ(-EBUSY, check_held(self->r));
	EXPECT_EQ((void *)1, m);
}

/* A machine on which CPU and device do not see the same by themselves. */
TEST_F(map, sync)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .file_off = 2 * PAGE };
	struct gm_dma_map *m;
	struct gm_region *r;

	o.file = gm_region_file(self->r, NULL);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
	kmod_fake.map_properties = GUESTMEM_MAP_TRANSLATED;
	ASSERT_OK(gm_kmod_map_new(self->dev, r, gm_roff(PAGE), 2 * PAGE,
				  GM_PERM_RW, &m));
	EXPECT_EQ(GM_KMOD_MAP_TRANSLATED, gm_kmod_map_properties(m));
	EXPECT_EQ(0, gm_dma_map_sync(m, gm_roff(PAGE + 5), 7, GM_DMA_FOR_CPU));
	EXPECT_EQ(1, kmod_fake.calls[GUESTMEM_CMD_SYNC]);
	EXPECT_EQ(GUESTMEM_SYNC_CPU, kmod_fake.sync.flags);
	EXPECT_EQ(1, kmod_fake.sync.map_id);
	/* The kernel's offsets are the file's. */
	EXPECT_EQ(3 * PAGE + 5, kmod_fake.sync.offset);
	EXPECT_EQ(7, kmod_fake.sync.length);
	EXPECT_EQ(0, gm_dma_map_sync(m, gm_roff(PAGE), 2 * PAGE,
				     GM_DMA_FOR_DEVICE));
	EXPECT_EQ(GUESTMEM_SYNC_DEVICE, kmod_fake.sync.flags);
	kmod_fake.fail[GUESTMEM_CMD_SYNC] = EIO;
	EXPECT_FAIL_NAME(gm_dma_map_sync(m, gm_roff(PAGE), 1, GM_DMA_FOR_CPU),
			 EIO, GM_ERR_IO, PAGE, 1, NAME);
	kmod_fake.fail[GUESTMEM_CMD_SYNC] = 0;
	kmod_fake.gone = true;
	EXPECT_FAIL_NAME(gm_dma_map_sync(m, gm_roff(PAGE), 1, GM_DMA_FOR_CPU),
			 ENODEV, GM_ERR_NO_DEVICE, 0, 0, NAME);
	gm_dma_map_put(m);
	EXPECT_EQ(0, check_held(r));
	gm_region_put(r);
}

TEST_F(map, no_sync_where_it_is_coherent)
{
	struct gm_dma_map *m;

	ASSERT_OK(map_all_of(self->dev, self->r, &m));
	EXPECT_EQ(0, gm_dma_map_sync(m, gm_roff(0), LENGTH, GM_DMA_FOR_CPU));
	EXPECT_EQ(0, kmod_fake.calls[GUESTMEM_CMD_SYNC]);
	gm_dma_map_put(m);
}

/* The kernel says that the device reaches the memory no more: it is free. */
TEST_F(map, unmapped_by_others)
{
	static const int errors[] = { ENODEV, ENOENT };
	struct gm_dma_map *m;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		kmod_fake.fail[GUESTMEM_CMD_UNMAP] = 0;
		ASSERT_OK(map_all_of(self->dev, self->r, &m));
		kmod_fake.fail[GUESTMEM_CMD_UNMAP] = errors[i];
		gm_dma_map_put(m);
		EXPECT_EQ(0, check_held(self->r));
	}
}

/* It says nothing of the kind: the device may go on, and the memory stays. */
TEST_F(map, stays_held_where_unmap_fails)
{
	struct gm_dma_map *m;
	struct gm_region *r;
	uint8_t *host;

	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), PAGE, NULL, &r));
	host = r->ext.host;
	host[0] = 7;
	ASSERT_OK(map_all_of(self->dev, r, &m));
	kmod_fake.fail[GUESTMEM_CMD_UNMAP] = EPERM;
	gm_dma_map_put(m);
	EXPECT_FAIL_NAME(check_held(r), EBUSY, GM_ERR_HELD, 0, PAGE, NAME);
	EXPECT_FAIL_KIND(gm_region_discard(r, gm_roff(0), PAGE), EBUSY,
			 GM_ERR_HELD);
	/* Its address is not used for anything else. */
	gm_region_put(r);
	EXPECT_EQ(7, host[0]);
	/* The same if the map could not be finished. */
	kmod_fake.fail[GUESTMEM_CMD_QUERY] = EPERM;
	EXPECT_FAIL_KIND(map_all_of(self->dev, self->r, &m), EPERM, GM_ERR_IO);
	EXPECT_EQ(-EBUSY, check_held(self->r));
}

/* What the caller says of a mapping of his own may not be so. */
TEST_F(map, offset_in_the_file_that_can_not_be)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_dma_map *m = (void *)1;
	struct gm_region *r;

	o.file = gm_region_file(self->r, NULL);
	o.addr = self->r->ext.host;
	o.file_off = 100;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &r));
	EXPECT_FAIL(map_all_of(self->dev, r, &m), EINVAL, GM_ERR_MISALIGNED,
		    100, PAGE, 0, 0);
	gm_region_put(r);
	/* Where the range starts at the file's start by 64 bits, or ends there. */
	o.file_off = -PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &r));
	EXPECT_FAIL(gm_kmod_map_new(self->dev, r, gm_roff(PAGE), PAGE,
				    GM_PERM_RW, &m),
		    EOVERFLOW, GM_ERR_OVERFLOW, -PAGE, PAGE, 0, 0);
	EXPECT_FAIL(gm_kmod_map_new(self->dev, r, gm_roff(0), 2 * PAGE,
				    GM_PERM_RW, &m),
		    EOVERFLOW, GM_ERR_OVERFLOW, -PAGE, 0, 0, 0);
	EXPECT_EQ(0, kmod_fake.calls[GUESTMEM_CMD_MAP]);
	EXPECT_EQ((void *)1, m);
	gm_region_put(r);
}

/* A guest: memory of the module's, a ROM of its own, and one that is not. */
FIXTURE(guest) {
	struct gm_kmod *k;
	struct gm_kmod_device *dev;
	struct gm_map *m;
	struct gm_dma *d;
};

#define ROM_GPA (2 * LENGTH)
#define OTHER_ROM_GPA (4 * LENGTH)

FIXTURE_SETUP(guest)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_region *r[3];
	int fd = memfd_create("rom", MFD_CLOEXEC);

	ASSERT_OK(gm_kmod_new(kmod_fake_control(), &self->k));
	ASSERT_OK(gm_kmod_device_new(kmod_fake_device(), NAME, 0, &self->dev));
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), LENGTH, &o, &r[0]));
	o.flags = GM_MMAP_READ_ONLY;
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(ROM_GPA), LENGTH, &o,
				     &r[1]));
	ASSERT_EQ(0, ftruncate(fd, (off_t)LENGTH));
	ASSERT_OK(gm_file_new(fd, &o.file));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(OTHER_ROM_GPA), LENGTH, &o, &r[2]));
	ASSERT_OK(gm_map_new(r, 3, &self->m));
	for (int i = 0; i < 3; i++)
		gm_region_put(r[i]);
	gm_file_put(o.file);
	self->d = (void *)1;
}

FIXTURE_TEARDOWN(guest)
{
	if (self->d != (void *)1)
		gm_dma_put(self->d);
	gm_map_put(self->m);
	gm_kmod_device_put(self->dev);
	gm_kmod_put(self->k);
}

TEST_F(guest, read_only_memory_is_for_reading_all_the_same)
{
	uint64_t a;

	EXPECT_FAIL(gm_dma_new_kmod(self->dev, self->m, GM_PERM_RW, 0,
				    &self->d),
		    EINVAL, GM_ERR_NOT_PINNED, OTHER_ROM_GPA, LENGTH, 0, 0);
	EXPECT_EQ(0, kmod_fake_maps());
	ASSERT_OK(gm_dma_new_kmod(self->dev, self->m, GM_PERM_RW,
				  GM_KMOD_DMA_SKIP, &self->d));
	EXPECT_EQ(2, kmod_fake_maps());
	ASSERT_OK(gm_dma_address(self->d, gm_gpa(0), 1, GM_PERM_RW, &a));
	ASSERT_OK(gm_dma_address(self->d, gm_gpa(ROM_GPA), 1, GM_PERM_READ,
				 &a));
	EXPECT_EQ(-EACCES, gm_dma_address(self->d, gm_gpa(ROM_GPA), 1,
					  GM_PERM_WRITE, &a));
}

TEST_F(guest, read_only_memory_is_not_for_a_device_that_writes)
{
	uint64_t a;

	ASSERT_OK(gm_dma_new_kmod(self->dev, self->m, GM_PERM_WRITE, 0,
				  &self->d));
	EXPECT_EQ(1, kmod_fake_maps());
	ASSERT_OK(gm_dma_address(self->d, gm_gpa(0), 1, GM_PERM_WRITE, &a));
	EXPECT_EQ(-ENOENT, gm_dma_address(self->d, gm_gpa(ROM_GPA), 1,
					  GM_PERM_READ, &a));
}

TEST_F(guest, no_access_is_refused)
{
	EXPECT_FAIL_KIND(gm_dma_new_kmod(self->dev, self->m, GM_PERM_NONE,
					 GM_KMOD_DMA_SKIP, &self->d),
			 EINVAL, GM_ERR_PERMISSION);
	EXPECT_EQ((void *)1, self->d);
}

/* On demand, and so long that it has no number of whole pages. */
TEST_F(guest, memory_that_no_module_could_have_is_left_out)
{
	struct own_region own;
	struct gm_map *m;

	ASSERT_OK(own_region_init_on_demand(&own, OTHER_ROM_GPA + LENGTH,
					    UINT64_MAX - OTHER_ROM_GPA - LENGTH,
					    NULL, NULL));
	ASSERT_OK(gm_map_insert(self->m, &own.r, &m));
	gm_map_put(self->m);
	self->m = m;
	EXPECT_FAIL_KIND(gm_kmod_map_new(self->dev, &own.r, gm_roff(0),
					 gm_region_len(&own.r), GM_PERM_RW,
					 (void *)1),
			 EINVAL, GM_ERR_NOT_PINNED);
	ASSERT_OK(gm_dma_new_kmod(self->dev, self->m, GM_PERM_RW,
				  GM_KMOD_DMA_SKIP, &self->d));
	EXPECT_EQ(2, kmod_fake_maps());
	gm_dma_put(self->d);
	self->d = (void *)1;
	gm_map_put(self->m);
	self->m = NULL;
	gm_region_put(&own.r);
}

/* Looking up goes on; who wants to know asks. */
TEST_F(guest, device_that_is_gone)
{
	uint64_t a;

	ASSERT_OK(gm_dma_new_kmod(self->dev, self->m, GM_PERM_RW,
				  GM_KMOD_DMA_SKIP, &self->d));
	EXPECT_EQ(0, gm_kmod_device_check(self->dev));
	kmod_fake.gone = true;
	EXPECT_EQ(0, gm_dma_address(self->d, gm_gpa(0), 1, GM_PERM_RW, &a));
	EXPECT_FAIL_NAME(gm_kmod_device_check(self->dev), ENODEV,
			 GM_ERR_NO_DEVICE, 0, 0, NAME);
	kmod_fake.fail[GUESTMEM_CMD_QUERY] = EPERM;
	EXPECT_FAIL_NAME(gm_kmod_device_check(self->dev), EPERM,
			 GM_ERR_NOT_PERMITTED, 0, 0, NAME);
	kmod_fake.fail[GUESTMEM_CMD_QUERY] = EIO;
	EXPECT_FAIL_NAME(gm_kmod_device_check(self->dev), EIO, GM_ERR_IO, 0, 0,
			 NAME);
}

TEST_HARNESS_MAIN
