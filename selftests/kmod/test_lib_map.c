/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict lib */
/*
 * test_lib_map.c - the library's maps of regions for a real device: where they
 * are, what is refused, what they hold, and when they go. What a device does
 * with them: test_lib_dma.c.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "lib_dma.h"

/* What the kernel tells itself, of a map with the same id. */
static void check_query(struct __test_metadata *_metadata, int device,
			uint32_t id, const struct gm_dma_map *m)
{
	struct guestmem_segment want[64];
	struct guestmem_query query = query_arg(id, want, 64);
	const struct gm_dma_seg *segs;
	size_t count;

	query.offset = gm_roff_raw(gm_dma_map_offset(m));
	ASSERT_EQ(0, do_ioctl(device, GUESTMEM_QUERY, &query));
	segs = gm_dma_map_segs(m, &count);
	ASSERT_EQ(query.count, count);
	for (size_t i = 0; i < count; i++) {
		EXPECT_EQ(want[i].address, segs[i].address);
		EXPECT_EQ(want[i].length, segs[i].len);
	}
}

/* With the descriptor here too, the kernel can be asked beside the library. */
TEST_F(dma, segments_are_those_of_query)
{
	struct gm_kmod_device *dev;
	struct gm_dma_map *m;
	uint32_t id = 0;
	int fd;

	gm_dma_put(self->d);
	gm_kmod_device_put(self->dev);
	ASSERT_FD(&fd, device_open());
	ASSERT_OK(gm_kmod_device_new(fd, "a name", 0, &dev));
	ASSERT_OK(gm_kmod_map_new(dev, self->r[ANON], gm_roff(2 * PAGE),
				  3 * PAGE, GM_PERM_RW, &m));
	EXPECT_STREQ("a name", gm_dma_map_name(m));
	EXPECT_EQ(2 * PAGE, gm_roff_raw(gm_dma_map_offset(m)));
	EXPECT_EQ(3 * PAGE, gm_dma_map_len(m));
	EXPECT_EQ(GM_KMOD_MAP_TRANSLATED | GM_KMOD_MAP_STRICT |
		  GM_KMOD_MAP_COHERENT, gm_kmod_map_properties(m));
	/* Ids count up: the one before the next one. */
	ASSERT_EQ(0, map_add(fd, gm_file_fd(gm_region_file(self->r[ANON], NULL)),
			     PAGE, &id));
	check_query(_metadata, fd, id - 1, m);
	ASSERT_EQ(0, map_remove(fd, id));
	gm_dma_map_put(m);
	EXPECT_EQ(-ENOENT, map_remove(fd, id - 1));
	gm_kmod_device_put(dev);
	self->d = NULL;
	self->dev = NULL;
}

/* The device uses it: not discarded, not removed, and the error says who. */
TEST_F(dma, holds_what_it_uses)
{
	struct gm_map *less;
	struct gm_dma *d;

	for (int i = 0; i < BARE; i++) {
		EXPECT_FAIL_NAME(gm_map_remove(self->m, gm_gpa(AT(i)), LENGTH,
					       &less, NULL),
				 EBUSY, GM_ERR_HELD, 0, LENGTH, self->address);
		EXPECT_FAIL_NAME(gm_kmod_revoke(self->k, self->r[i]), EBUSY,
				 GM_ERR_HELD, 0, LENGTH, self->address);
	}
	EXPECT_FAIL_NAME(gm_region_discard(self->r[PINNED], gm_roff(PAGE),
					   PAGE),
			 EBUSY, GM_ERR_HELD, 0, LENGTH, self->address);
	/* By a part is held as well. */
	ASSERT_OK(gm_dma_remove(self->d, gm_gpa(AT(PINNED)), LENGTH, &d));
	EXPECT_EQ(-EBUSY, gm_map_remove(self->m, gm_gpa(AT(PINNED)), LENGTH,
					&less, NULL));
	gm_dma_put(self->d);
	self->d = d;
	ASSERT_OK(gm_map_remove(self->m, gm_gpa(AT(PINNED)), LENGTH, &less,
				NULL));
	/* What others of the guest have is still mapped, and held. */
	EXPECT_EQ(-EBUSY, gm_map_remove(self->m, gm_gpa(AT(ANON)), LENGTH,
					&less, NULL));
	gm_map_put(less);
	/* The pin is there still. */
	EXPECT_FAIL_NAME(gm_region_discard(self->r[PINNED], gm_roff(PAGE),
					   PAGE),
			 EBUSY, GM_ERR_HELD, 0, LENGTH, "guestmem pin");
	ASSERT_OK(gm_kmod_revoke(self->k, self->r[PINNED]));
}

TEST_F(dma, a_map_of_another_process_is_in_the_way_too)
{
	struct gm_kmod_region_info info;
	struct gm_region *r;
	int to[2], from[2];
	uint32_t id;
	pid_t pid;
	char c;

	gm_dma_put(self->d);
	self->d = NULL;
	gm_kmod_device_put(self->dev);
	self->dev = NULL;
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), LENGTH, NULL, &r));
	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = device_open();

		close(to[1]);
		if (fd < 0 || map_add(fd, gm_file_fd(gm_region_file(r, NULL)),
				      LENGTH, &id))
			_exit(1);
		_exit(write(from[1], "x", 1) != 1 || read(to[0], &c, 1) != 0);
	}
	close(to[0]);
	close(from[1]);
	ASSERT_EQ(1, read(from[0], &c, 1));
	ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
	EXPECT_EQ(1, info.maps);
	EXPECT_FAIL_NAME(gm_kmod_revoke(self->k, r), EBUSY, GM_ERR_HELD, 0,
			 LENGTH, "");
	close(to[1]);
	EXPECT_EQ(0, child_wait(pid));
	close(from[0]);
	ASSERT_OK(gm_kmod_revoke(self->k, r));
	gm_region_put(r);
}

/* Maps come and go with their objects, as the kernel counts them. */
TEST_F(dma, unmapped_with_the_last_reference)
{
	struct gm_kmod_region_info info;
	struct gm_dma *less;

	ASSERT_OK(gm_kmod_region_query(self->k, self->r[ANON], &info));
	EXPECT_EQ(1, info.maps);
	ASSERT_OK(gm_dma_remove(self->d, gm_gpa(AT(ANON)), LENGTH, &less));
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[ANON], &info));
	EXPECT_EQ(1, info.maps);
	gm_dma_put(self->d);
	self->d = less;
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[ANON], &info));
	EXPECT_EQ(0, info.maps);
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[PINNED], &info));
	EXPECT_EQ(1, info.maps);
	/* Plugged in again, the others stay. */
	struct gm_dma_map *m;
	struct gm_dma *more;
	uint64_t a;

	ASSERT_OK(gm_kmod_map_new(self->dev, self->r[ANON], gm_roff(0), LENGTH,
				  GM_PERM_RW, &m));
	ASSERT_OK(gm_dma_insert(self->d, m, &more));
	gm_dma_map_put(m);
	ASSERT_OK(gm_dma_address(more, gm_gpa(0), LENGTH, GM_PERM_RW, &a));
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[PINNED], &info));
	EXPECT_EQ(1, info.maps);
	gm_dma_put(more);
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[ANON], &info));
	EXPECT_EQ(0, info.maps);
}

/* A forked child drops its copies: the device is the parent's all the same. */
TEST_F(dma, child_does_not_unmap)
{
	volatile uint8_t *edu = edu_registers(self->address);
	struct gm_kmod_region_info info;
	uint8_t byte = 0;
	uint64_t a;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, edu);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gm_dma_put(self->d);
		gm_map_put(self->m);
		for (int i = 0; i < N; i++)
			gm_region_put(self->r[i]);
		gm_kmod_device_put(self->dev);
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(pid));
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[ANON], &info));
	EXPECT_EQ(1, info.maps);
	self->r[ANON]->ext.host[7] = 0x5c;
	ASSERT_OK(gm_dma_address(self->d, gm_gpa(AT(ANON)), PAGE, GM_PERM_RW,
				 &a));
	ASSERT_EQ(0, edu_load(edu, a + 7, 0, 1));
	ASSERT_EQ(0, edu_store(edu, 0, a + 9, 1));
	ASSERT_OK(gm_region_read(self->r[ANON], gm_roff(9), &byte, 1));
	EXPECT_EQ(0x5c, byte);
	munmap((void *)edu, PAGE);
}

/* For a device that only writes; a ROM is not for that. */
TEST_F(dma, for_writing_alone)
{
	struct gm_kmod_region_info info;

	gm_dma_put(self->d);
	ASSERT_OK(gm_dma_new_kmod(self->dev, self->m, GM_PERM_WRITE,
				  GM_KMOD_DMA_SKIP, &self->d));
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[ROM], &info));
	EXPECT_EQ(0, info.maps);
	ASSERT_OK(gm_kmod_region_query(self->k, self->r[ANON], &info));
	EXPECT_EQ(1, info.maps);
}

TEST_F(dma, map_refused)
{
	struct gm_kmod_device *dev = self->dev;
	struct gm_region *r = self->r[ANON];
	struct gm_dma_map *m = (void *)1;
	struct gm_dma *d = (void *)1;
	char old[32];

#define REFUSED(r, off, len, perm, code, kind) \
	EXPECT_FAIL_KIND(gm_kmod_map_new(dev, r, gm_roff(off), len, perm, &m), \
			 code, kind)
	REFUSED(r, 0, 0, GM_PERM_RW, EINVAL, GM_ERR_ZERO_LENGTH);
	REFUSED(r, 0, PAGE, GM_PERM_NONE, EINVAL, GM_ERR_PERMISSION);
	REFUSED(r, 1, PAGE, GM_PERM_RW, EINVAL, GM_ERR_MISALIGNED);
	REFUSED(r, 0, PAGE + 1, GM_PERM_RW, EINVAL, GM_ERR_MISALIGNED);
	REFUSED(r, PAGE, LENGTH, GM_PERM_RW, ERANGE, GM_ERR_OUT_OF_BOUNDS);
	REFUSED(r, PAGE, UINT64_MAX, GM_PERM_RW, EOVERFLOW, GM_ERR_OVERFLOW);
	REFUSED(self->r[ROM], 0, PAGE, GM_PERM_RW, EACCES, GM_ERR_PERMISSION);
	REFUSED(self->r[BARE], 0, PAGE, GM_PERM_RW, EINVAL, GM_ERR_NOT_PINNED);
	EXPECT_FAIL(gm_dma_new_kmod(dev, self->m, GM_PERM_RW, 0, &d), EINVAL,
		    GM_ERR_NOT_PINNED, AT(BARE), LENGTH, 0, 0);
	EXPECT_FAIL_KIND(gm_dma_new_kmod(dev, self->m, GM_PERM_RW, 2, &d),
			 EINVAL, GM_ERR_OPTION);
	/* The device's quota. */
	ASSERT_EQ(0, file_read(PARAMETER_DIR "max_maps", old, sizeof(old)));
	ASSERT_EQ(0, parameter_set("max_maps", "3"));
	EXPECT_FAIL_NAME(gm_kmod_map_new(dev, r, gm_roff(0), PAGE, GM_PERM_RW,
					 &m),
			 ENOSPC, GM_ERR_IO, 0, PAGE, self->address);
	EXPECT_EQ(0, parameter_set("max_maps", old));
	/* A file that is none of the module's. */
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_MEMFD };
	struct gm_region *memfd;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &memfd));
	REFUSED(memfd, 0, PAGE, GM_PERM_RW, EINVAL, GM_ERR_NOT_PINNED);
	EXPECT_EQ(0, gm_region_check_held(memfd, gm_roff(0), PAGE,
					  GM_HOLD_DISCARD | GM_HOLD_REMOVE));
	gm_region_put(memfd);
	EXPECT_EQ((void *)1, m);
	EXPECT_EQ((void *)1, d);
}

TEST_F(dma, map_of_revoked_memory)
{
	struct gm_dma_map *m = (void *)1;

	gm_dma_put(self->d);
	self->d = NULL;
	ASSERT_OK(gm_kmod_revoke(self->k, self->r[ANON]));
	EXPECT_FAIL_KIND(gm_kmod_map_new(self->dev, self->r[ANON], gm_roff(0),
					 LENGTH, GM_PERM_RW, &m),
			 ENODEV, GM_ERR_REVOKED);
	EXPECT_EQ(AT(ANON), gm_error_last()->addr);
	EXPECT_EQ(LENGTH, gm_error_last()->len);
	EXPECT_EQ((void *)1, m);
}

/* A region that ends amid a page, and one amid the module's memory. */
TEST_F(dma, parts_of_pages_and_of_files)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_region *odd, *part;
	struct gm_dma_map *m, *whole;
	const struct gm_dma_seg *a, *b;
	size_t n;

	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), PAGE + 100, NULL,
				     &odd));
	ASSERT_OK(gm_kmod_map_new(self->dev, odd, gm_roff(0), PAGE + 100,
				  GM_PERM_RW, &m));
	EXPECT_EQ(PAGE + 100, gm_dma_map_len(m));
	gm_dma_map_put(m);
	ASSERT_OK(gm_kmod_map_new(self->dev, odd, gm_roff(PAGE), 100,
				  GM_PERM_RW, &m));
	EXPECT_EQ(100, gm_dma_map_len(m));
	gm_dma_map_put(m);
	gm_region_put(odd);

	o.file = gm_region_file(self->r[ANON], NULL);
	o.file_off = 4 * PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * PAGE, &o, &part));
	ASSERT_OK(gm_kmod_map_new(self->dev, part, gm_roff(PAGE), PAGE,
				  GM_PERM_RW, &m));
	ASSERT_OK(gm_kmod_map_new(self->dev, self->r[ANON], gm_roff(0), LENGTH,
				  GM_PERM_RW, &whole));
	a = gm_dma_map_segs(m, &n);
	EXPECT_EQ(1, n);
	EXPECT_EQ(PAGE, a[0].len);
	b = gm_dma_map_segs(whole, &n);
	EXPECT_EQ(LENGTH, b[0].len);
	/* The same memory: the device sees in both what the CPU writes. */
	volatile uint8_t *edu = edu_registers(self->address);
	uint8_t byte = 0;

	ASSERT_NE(MAP_FAILED, edu);
	self->r[ANON]->ext.host[5 * PAGE + 7] = 0x5c;
	ASSERT_EQ(0, edu_load(edu, a[0].address + 7, 0, 1));
	ASSERT_EQ(0, edu_store(edu, 0, b[0].address + 9, 1));
	ASSERT_OK(gm_region_read(self->r[ANON], gm_roff(9), &byte, 1));
	EXPECT_EQ(0x5c, byte);
	munmap((void *)edu, PAGE);
	gm_dma_map_put(whole);
	gm_dma_map_put(m);
	gm_region_put(part);
}

TEST_F(dma, address_bits)
{
	struct gm_kmod_device *dev;
	const struct gm_dma_seg *segs;
	struct gm_dma_map *m;
	size_t n;

	gm_dma_put(self->d);
	self->d = NULL;
	gm_kmod_device_put(self->dev);
	self->dev = NULL;
	ASSERT_OK(gm_kmod_device_open(self->address, 24, &dev));
	ASSERT_OK(gm_kmod_map_new(dev, self->r[ANON], gm_roff(0), LENGTH,
				  GM_PERM_RW, &m));
	segs = gm_dma_map_segs(m, &n);
	EXPECT_EQ(0, (segs[n - 1].address + segs[n - 1].len - 1) >> 24);
	gm_dma_map_put(m);
	gm_kmod_device_put(dev);
	ASSERT_OK(gm_kmod_device_open(self->address, 12, &dev));
	EXPECT_FAIL(gm_kmod_map_new(dev, self->r[ANON], gm_roff(0), LENGTH,
				    GM_PERM_RW, &m),
		    ERANGE, GM_ERR_OUT_OF_BOUNDS, 0, LENGTH, 4096, 0);
	gm_kmod_device_put(dev);
}

TEST_HARNESS_MAIN
