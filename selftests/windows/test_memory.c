/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_memory.c - regions of memory and of files on Windows.
 */
#include "kselftest_harness.h"
#include <guestmem.h>
#include "../unit/expect.h"
#include "../unit/vma.h"
#include "temporary.h"
#include <winioctl.h>

#define PAGE 0x1000
/* Where a view can begin. */
#define GRANULE 0x10000

static const struct gm_mmap_opts defaults = { .sz = sizeof(defaults) };

static MEMORY_BASIC_INFORMATION query(const void *p)
{
	MEMORY_BASIC_INFORMATION info = { .State = 0 };

	VirtualQuery(p, &info, sizeof(info));
	return info;
}

static uint8_t *host_of(struct gm_region *r)
{
	void *p = NULL;

	gm_region_host(r, gm_roff(0), &p);
	return p;
}

TEST(anonymous_memory_of_zeros)
{
	struct gm_region *r;
	uint8_t *host;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0x1000), 3 * PAGE + 1, NULL, &r));
	host = host_of(r);
	EXPECT_EQ(3 * PAGE + 1, gm_region_len(r));
	EXPECT_EQ(4 * PAGE, query(host).RegionSize);
	EXPECT_EQ(MEM_PRIVATE, query(host).Type);
	EXPECT_EQ(PAGE_READWRITE, query(host).Protect);
	EXPECT_EQ(PROT_READ | PROT_WRITE, gm_region_prot(r));
	EXPECT_EQ(MAP_PRIVATE, gm_region_map_flags(r));
	EXPECT_EQ(GM_NO, gm_region_is_hugetlbfs(r));
	for (int i = 0; i < 4 * PAGE; i++)
		ASSERT_EQ(0, host[i]);
	host[3 * PAGE] = 1;
	gm_region_put(r);
	EXPECT_EQ(MEM_FREE, query(host).State);
}

TEST(read_only_memory)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;
	uint8_t byte = 1;

	o.flags = GM_MMAP_READ_ONLY;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r));
	EXPECT_EQ(PAGE_READONLY, query(host_of(r)).Protect);
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_FAIL_KIND(gm_region_write(r, gm_roff(0), &byte, 1), EACCES, GM_ERR_PERMISSION);
	gm_region_put(r);
}

TEST(guard_pages)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	uint8_t *host;

	o.guard_size = 2 * PAGE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 3 * PAGE, &o, &r));
	host = host_of(r);
	EXPECT_EQ(MEM_RESERVE, query(host - 1).State);
	EXPECT_EQ(MEM_RESERVE, query(host - 2 * PAGE).State);
	EXPECT_EQ(MEM_COMMIT, query(host).State);
	EXPECT_EQ(3 * PAGE, query(host).RegionSize);
	EXPECT_EQ(MEM_RESERVE, query(host + 3 * PAGE).State);
	EXPECT_EQ(2 * PAGE, query(host + 3 * PAGE).RegionSize);
	gm_region_put(r);
	EXPECT_EQ(MEM_FREE, query(host - 2 * PAGE).State);
	o.guard_size = UINT64_C(1) << 63;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &o, &r), EOVERFLOW, GM_ERR_OVERFLOW,
		    PAGE, UINT64_C(1) << 63, 0, 0);
}

TEST(locked_and_prefaulted)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r;

	o.flags = GM_MMAP_LOCK | GM_MMAP_PREFAULT;
	o.prefault_threads = 2;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * PAGE, &o, &r));
	gm_region_put(r);
}

TEST(too_much)
{
	struct gm_region *r = (void *)1;

	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), UINT64_C(1) << 62, NULL, &r), ENOMEM,
		    GM_ERR_MMAP, 0, UINT64_C(1) << 62, 0, 0);
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), UINT64_MAX, NULL, &r), EOVERFLOW,
			 GM_ERR_OVERFLOW);
	EXPECT_EQ((void *)1, r);
}

/* Sizes and offsets that do not fit into the 32 bits of a DWORD or a long. */
#define GIB (UINT64_C(1) << 30)

TEST(more_than_4_gibibytes)
{
	struct gm_mmap_opts o = defaults;
	struct gm_region *r = NULL;
	uint32_t n = 42;

	o.guard_size = 4 * GIB;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 4 * GIB + PAGE, &o, &r));
	EXPECT_EQ(4 * GIB + PAGE, query(host_of(r)).RegionSize);
	EXPECT_EQ(MEM_RESERVE, query(host_of(r) - 4 * GIB).State);
	ASSERT_OK(gm_region_write(r, gm_roff(4 * GIB), &n, sizeof(n)));
	n = 1;
	ASSERT_OK(gm_region_read(r, gm_roff(0), &n, sizeof(n)));
	EXPECT_EQ(0, n);
	gm_region_put(r);
}

FIXTURE(file) {
	HANDLE handle;
	struct gm_file *file;
	struct gm_mmap_opts o;
};

/* Two granules and a bit. */
FIXTURE_SETUP(file)
{
	self->o = defaults;
	self->handle = temporary_file();
	ASSERT_NE(INVALID_HANDLE_VALUE, self->handle);
	SetFilePointer(self->handle, 2 * GRANULE + 100, NULL, FILE_BEGIN);
	ASSERT_TRUE(SetEndOfFile(self->handle));
	ASSERT_OK(gm_file_new_handle(self->handle, &self->file));
	self->o.file = self->file;
}

FIXTURE_TEARDOWN(file)
{
	gm_file_put(self->file);
}

static uint32_t read_file(HANDLE file, uint32_t at)
{
	OVERLAPPED where = { .Offset = at };
	uint32_t n = 0;
	DWORD done;

	ReadFile(file, &n, sizeof(n), &done, &where);
	return n;
}

TEST_F(file, shared_from_an_offset_to_the_end)
{
	struct gm_region *r;
	uint32_t n = 0x12345678;
	uint64_t off = 0;
	uint8_t *host;

	EXPECT_EQ(-1, gm_file_fd(self->file));
	EXPECT_EQ(self->handle, gm_file_handle(self->file));
	self->o.file_off = GRANULE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), GRANULE + 100, &self->o, &r));
	host = host_of(r);
	EXPECT_EQ(MEM_MAPPED, query(host).Type);
	EXPECT_EQ(MAP_SHARED, gm_region_map_flags(r));
	EXPECT_EQ(self->file, gm_region_file(r, &off));
	EXPECT_EQ(GRANULE, off);
	ASSERT_OK(gm_region_write(r, gm_roff(GRANULE + 96), &n, sizeof(n)));
	FlushViewOfFile(host, 0);
	EXPECT_EQ(n, read_file(self->handle, 2 * GRANULE + 96));
	gm_region_put(r);
	EXPECT_EQ(MEM_FREE, query(host).State);
}

TEST_F(file, private_writes_stay_private)
{
	struct gm_region *r, *shared;
	uint32_t n = 0x12345678;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &shared));
	self->o.flags = GM_MMAP_PRIVATE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r));
	EXPECT_EQ(MAP_PRIVATE, gm_region_map_flags(r));
	ASSERT_OK(gm_region_write(r, gm_roff(0), &n, sizeof(n)));
	ASSERT_OK(gm_region_read(shared, gm_roff(0), &n, sizeof(n)));
	EXPECT_EQ(0, n);
	EXPECT_TRUE(gm_regions_share_file(r, shared));
	gm_region_put(r);
	gm_region_put(shared);
}

TEST_F(file, regions_of_one_file_have_the_same_memory)
{
	struct gm_region *a, *b;
	uint32_t n = 42;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 2 * GRANULE, &self->o, &a));
	self->o.file_off = GRANULE;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), GRANULE, &self->o, &b));
	ASSERT_OK(gm_region_write(a, gm_roff(GRANULE), &n, sizeof(n)));
	n = 0;
	ASSERT_OK(gm_region_read(b, gm_roff(0), &n, sizeof(n)));
	EXPECT_EQ(42, n);
	EXPECT_TRUE(gm_regions_share_file(a, b));
	gm_region_put(a);
	gm_region_put(b);
}

/* Sparse, so that it takes no room. */
TEST_F(file, longer_than_4_gibibytes)
{
	LARGE_INTEGER size = { .QuadPart = (LONGLONG)(5 * GIB + 100) };
	struct gm_handle_sink sink;
	struct gm_handle_source source;
	struct gm_region *r, *low;
	DWORD done;
	uint32_t n = 42;

	DeviceIoControl(self->handle, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &done, NULL);
	ASSERT_TRUE(SetFilePointerEx(self->handle, size, NULL, FILE_BEGIN));
	ASSERT_TRUE(SetEndOfFile(self->handle));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &low));
	ASSERT_OK(gm_region_write(low, gm_roff(0), &n, sizeof(n)));
	gm_handle_sink_init_at(&sink, self->handle, (int64_t)(5 * GIB + 4));
	ASSERT_OK(gm_region_write_all_to(low, gm_roff(0), &sink.sink, sizeof(n)));
	EXPECT_EQ(5 * GIB + 8, sink.off);
	gm_handle_source_init_at(&source, self->handle, (int64_t)(5 * GIB + 4));
	ASSERT_OK(gm_region_read_exact_from(low, gm_roff(8), &source.source, sizeof(n)));
	ASSERT_OK(gm_region_read(low, gm_roff(8), &n, sizeof(n)));
	EXPECT_EQ(42, n);
	self->o.file_off = 5 * GIB;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 100, &self->o, &r));
	n = 0;
	ASSERT_OK(gm_region_read(r, gm_roff(4), &n, sizeof(n)));
	EXPECT_EQ(42, n);
	gm_region_put(r);
	/* All of it, in one view. */
	self->o.file_off = 0;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 5 * GIB + 100, &self->o, &r));
	n = 0;
	ASSERT_OK(gm_region_read(r, gm_roff(5 * GIB + 4), &n, sizeof(n)));
	EXPECT_EQ(42, n);
	gm_region_put(r);
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 5 * GIB + 101, &self->o, &r), ERANGE,
		    GM_ERR_FILE_RANGE, 0, 5 * GIB + 101, 5 * GIB + 100, 0);
	gm_region_put(low);
}

TEST_F(file, no_handle_is_left)
{
	struct gm_region *r = (void *)1;
	struct gm_file *file;
	HANDLE copy;
	int before;

	/* What threads have themselves is there after the first ones. */
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r));
	gm_region_put(r);
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), 0, &self->o, &r), EINVAL,
			 GM_ERR_ZERO_LENGTH);
	before = open_fds();
	ASSERT_LT(0, before);
	ASSERT_TRUE(DuplicateHandle(GetCurrentProcess(), self->handle, GetCurrentProcess(),
				    &copy, GENERIC_READ, FALSE, 0));
	EXPECT_EQ(before + 1, open_fds());
	ASSERT_OK(gm_file_new_handle(copy, &file));
	self->o.file = file;
	/* Not to be mapped for writing. */
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r), EACCES,
			 GM_ERR_MMAP);
	self->o.file_off = PAGE;
	EXPECT_FAIL_KIND(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r), EINVAL,
			 GM_ERR_MISALIGNED);
	EXPECT_EQ(before + 1, open_fds());
	self->o.file_off = 0;
	self->o.flags = GM_MMAP_READ_ONLY;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r));
	gm_file_put(file);
	/* The region has it. */
	EXPECT_EQ(before + 1, open_fds());
	gm_region_put(r);
	EXPECT_EQ(before, open_fds());
}

TEST_F(file, errors)
{
	struct gm_region *r = (void *)1;

	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), 2 * GRANULE + 101, &self->o, &r), ERANGE,
		    GM_ERR_FILE_RANGE, 0, 2 * GRANULE + 101, 2 * GRANULE + 100, 0);
	self->o.file_off = PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r), EINVAL,
		    GM_ERR_MISALIGNED, PAGE, GRANULE, 0, 0);
	self->o.file_off = -(uint64_t)GRANULE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), GRANULE, &self->o, &r), EOVERFLOW,
		    GM_ERR_OVERFLOW, -(uint64_t)GRANULE, GRANULE, 0, 0);
	self->o.file_off = 0;
	self->o.guard_size = PAGE;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r), EOPNOTSUPP,
		    GM_ERR_OPTION, offsetof(struct gm_mmap_opts, guard_size), 0, 0, 0);
	EXPECT_EQ((void *)1, r);
}

TEST_F(file, open_for_reading_alone)
{
	struct gm_region *r = (void *)1;
	struct gm_file *file;
	HANDLE copy;

	ASSERT_TRUE(DuplicateHandle(GetCurrentProcess(), self->handle, GetCurrentProcess(),
				    &copy, GENERIC_READ, FALSE, 0));
	ASSERT_OK(gm_file_new_handle(copy, &file));
	self->o.file = file;
	EXPECT_FAIL(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r), EACCES, GM_ERR_MMAP,
		    0, PAGE, 0, 0);
	EXPECT_EQ((void *)1, r);
	self->o.flags = GM_MMAP_READ_ONLY;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), PAGE, &self->o, &r));
	EXPECT_EQ(PAGE_READONLY, query(host_of(r)).Protect);
	gm_region_put(r);
	gm_file_put(file);
}

/* What other Unix systems have, and Windows has not. */
TEST(snapshots_are_absent)
{
	struct gm_snapshot *s = (void *)1;
	struct gm_map *m = (void *)1;
	struct gm_range range;
	uint64_t id = 1;

#define EXPECT_ABSENT(call) EXPECT_FAIL(call, EOPNOTSUPP, GM_ERR_SYSTEM, 0, 0, 0, 0)
	EXPECT_ABSENT(gm_snapshot_save(NULL, 0, NULL, &id));
	EXPECT_ABSENT(gm_snapshot_open(NULL, &s));
	EXPECT_EQ((void *)1, s);
	EXPECT_ABSENT(gm_snapshot_range(NULL, 0, &range));
	EXPECT_ABSENT(gm_snapshot_verify(NULL, NULL, NULL));
	EXPECT_ABSENT(gm_snapshot_load(NULL, NULL, 0, NULL, NULL));
	EXPECT_ABSENT(gm_snapshot_new_map(NULL, NULL, &m));
	EXPECT_EQ((void *)1, m);
	EXPECT_EQ(1, id);
	EXPECT_EQ(0, gm_snapshot_id(NULL));
	EXPECT_EQ(0, gm_snapshot_base(NULL));
	EXPECT_EQ(0, gm_snapshot_count(NULL));
	gm_snapshot_close(NULL);
}

TEST_HARNESS_MAIN
