/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot.h: saved, loaded, mapped; differences. Files that are damaged:
 * test_snapshot_bad.c; loading page by page: test_snapshot_lazy.c.
 */
#include "kselftest_harness.h"
#include <sys/stat.h>
#include "pages.h"
#include "scale.h"
#include "own_region.h"
#include "snap.h"
#include "system.h"

FIXTURE(snap) {
	struct guest a, b;
	struct gm_file *file, *diff;
};

FIXTURE_SETUP(snap)
{
	guest_init(&self->a);
	guest_init(&self->b);
	self->file = snap_file();
	self->diff = snap_file();
}

FIXTURE_TEARDOWN(snap)
{
	guest_exit(&self->a);
	guest_exit(&self->b);
	gm_file_put(self->file);
	gm_file_put(self->diff);
}

/* Opens and loads it over guest @g, whose memory is that of snapshot @base. */
static int load(struct gm_file *f, struct guest *g, uint64_t base)
{
	struct gm_snapshot *s;
	int ret;

	ret = gm_snapshot_open(f, &s);
	if (ret)
		return ret;
	ret = gm_snapshot_load(s, g->m, base, NULL, NULL);
	gm_snapshot_close(s);
	return ret;
}

TEST_F(snap, whole_one_comes_back_over_whatever_was_there)
{
	struct gm_snapshot *s;
	struct gm_range range;
	uint64_t id;

	guest_fill(&self->a);
	id = snap_save(&self->a, self->file, 0);
	ASSERT_OK(gm_snapshot_open(self->file, &s));
	EXPECT_NE(0, id);
	EXPECT_EQ(id, gm_snapshot_id(s));
	EXPECT_EQ(0, gm_snapshot_base(s));
	ASSERT_EQ(2, gm_snapshot_count(s));
	ASSERT_OK(gm_snapshot_range(s, 1, &range));
	EXPECT_EQ(GPA1, gm_gpa_raw(range.gpa));
	EXPECT_EQ(LEN1, range.len);
	EXPECT_FAIL(gm_snapshot_range(s, 2, &range), ERANGE, GM_ERR_OUT_OF_BOUNDS, 2, 1, 2, 0);
	ASSERT_OK(gm_snapshot_verify(s, NULL, NULL));
	gm_snapshot_close(s);
	gm_snapshot_close(NULL);
	memset(self->b.mem[0], 0xee, LEN0);
	memset(self->b.mem[1] + 3 * PAGE, 0xee, 150 * PAGE);
	ASSERT_OK(load(self->file, &self->b, 0));
	EXPECT_TRUE(guest_same(&self->a, &self->b));
}

TEST_F(snap, load_marks_what_it_writes)
{
	guest_put(&self->a, GPA0 + 9 * PAGE, 1, 1);
	snap_save(&self->a, self->file, 0);
	self->b.mem[1][20 * PAGE] = 1;
	ASSERT_OK(load(self->file, &self->b, 0));
	EXPECT_EQ(1, gm_dirty_consumer_count(self->b.consumers[0]));
	EXPECT_EQ(1, gm_dirty_consumer_count(self->b.consumers[1]));
	EXPECT_TRUE(guest_same(&self->a, &self->b));
}

TEST_F(snap, file_is_sparse_and_as_long_as_it_says)
{
	struct stat st;

	/* All zeros: a hole to the end, and long enough to be mapped. */
	snap_save(&self->a, self->file, 0);
	ASSERT_EQ(0, fstat(gm_file_fd(self->file), &st));
	EXPECT_LE(LEN0 + LEN1, (uint64_t)st.st_size);
	EXPECT_GT(10 * system_page(), (uint64_t)st.st_blocks * 512);
	guest_put(&self->b, GPA0, 9, 10);
	ASSERT_OK(load(self->file, &self->b, 0));
	EXPECT_TRUE(guest_same(&self->a, &self->b));
	/* What the file had before is gone. */
	guest_put(&self->a, GPA0, 9, LEN0);
	snap_save(&self->a, self->file, 0);
	guest_put(&self->a, GPA0, 0, LEN0);
	snap_save(&self->a, self->file, 0);
	ASSERT_EQ(0, fstat(gm_file_fd(self->file), &st));
	EXPECT_GT(10 * system_page(), (uint64_t)st.st_blocks * 512);
}

TEST_F(snap, differences_chain)
{
	struct gm_file *second = snap_file();
	uint64_t base, one, two;
	struct stat st;

	guest_fill(&self->a);
	base = snap_save(&self->a, self->file, 0);
	guest_put(&self->a, GPA0 + 6 * PAGE, 0x66, 10);
	/* Zeros are something that was written; and the file ends in a hole. */
	guest_put(&self->a, GPA0, 0, PAGE);
	one = snap_save(&self->a, self->diff, base);
	ASSERT_EQ(0, fstat(gm_file_fd(self->diff), &st));
	EXPECT_EQ(snap_size(self->file), (uint64_t)st.st_size);
	EXPECT_GT(10 * system_page(), (uint64_t)st.st_blocks * 512);
	guest_put(&self->a, GPA1 + LEN1 - 1, 0x77, 1);
	two = snap_save(&self->a, second, one);
	EXPECT_NE(one, two);
	ASSERT_OK(load(self->file, &self->b, 0));
	ASSERT_OK(load(self->diff, &self->b, base));
	EXPECT_EQ(0, self->b.mem[0][0]);
	EXPECT_EQ(0x66, self->b.mem[0][6 * PAGE + 9]);
	ASSERT_OK(load(second, &self->b, one));
	EXPECT_TRUE(guest_same(&self->a, &self->b));
	gm_file_put(second);
}

TEST_F(snap, difference_needs_its_base)
{
	struct gm_snapshot *s;
	struct gm_map *m = NULL;
	uint64_t base;

	base = snap_save(&self->a, self->file, 0);
	guest_put(&self->a, GPA0, 1, 1);
	snap_save(&self->a, self->diff, base);
	EXPECT_FAIL(load(self->diff, &self->b, 0), EINVAL, GM_ERR_SNAPSHOT_BASE, 0, 0, base, 0);
	EXPECT_FAIL(load(self->diff, &self->b, base + 1), EINVAL, GM_ERR_SNAPSHOT_BASE, 0, 0,
		    base, base + 1);
	EXPECT_FAIL(load(self->file, &self->b, 5), EINVAL, GM_ERR_SNAPSHOT_BASE, 0, 0, 0, 5);
	EXPECT_EQ(0, self->b.mem[0][0]);
	ASSERT_OK(gm_snapshot_open(self->diff, &s));
	EXPECT_EQ(base, gm_snapshot_base(s));
	EXPECT_FAIL(gm_snapshot_new_map(s, NULL, &m), EINVAL, GM_ERR_SNAPSHOT_BASE, 0, 0, base, 0);
	EXPECT_EQ(NULL, m);
	gm_snapshot_close(s);
}

TEST_F(snap, mapped_privately_it_is_the_guests_memory)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_DIRTY };
	struct gm_snapshot *s;
	struct gm_view view;
	struct gm_map *m;
	uint8_t v;

	guest_fill(&self->a);
	snap_save(&self->a, self->file, 0);
	ASSERT_OK(gm_snapshot_open(self->file, &s));
	ASSERT_OK(gm_snapshot_new_map(s, &opts, &m));
	gm_snapshot_close(s);
	ASSERT_EQ(2, gm_map_count(m));
	EXPECT_EQ(0, memcmp(gm_map_region(m, 0)->ext.host, self->a.mem[0], LEN0));
	EXPECT_EQ(0, memcmp(gm_map_region(m, 1)->ext.host, self->a.mem[1], LEN1));
	gm_view_init(&view, m);
	ASSERT_OK(gm_view_write_u8(&view, gm_gpa(GPA1), 9));
	EXPECT_EQ(1, gm_bitmap_count(gm_region_bitmap(gm_map_region(m, 1))));
	gm_map_put(m);
	/* What was written stayed out of the file. */
	ASSERT_OK(load(self->file, &self->b, 0));
	v = self->b.mem[1][0];
	EXPECT_EQ(0, v);
	EXPECT_TRUE(guest_same(&self->a, &self->b));
}

TEST_F(snap, map_options_that_do_not_go_with_a_file)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_MEMFD };
	struct gm_map *m = NULL;
	struct gm_snapshot *s;

	snap_save(&self->a, self->file, 0);
	ASSERT_OK(gm_snapshot_open(self->file, &s));
	EXPECT_FAIL_KIND(gm_snapshot_new_map(s, &opts, &m), EINVAL, GM_ERR_OPTION);
	EXPECT_EQ(NULL, m);
	gm_snapshot_close(s);
}

struct told {
	uint64_t calls, last, total;
	uint64_t stop_at;
};

static int tell(void *ctx, uint64_t done, uint64_t total)
{
	struct told *t = ctx;

	if (done < t->last)
		abort();
	t->calls++;
	t->last = done;
	t->total = total;
	return t->calls == t->stop_at;
}

TEST_F(snap, progress_is_told_and_can_stop)
{
	struct told t = { .calls = 0 };
	struct gm_snapshot_opts o = {
		.sz = sizeof(o), .progress = tell, .progress_ctx = &t,
	};
	struct gm_snapshot *s;
	uint64_t id = 0;

	guest_fill(&self->a);
	ASSERT_OK(gm_snapshot_save(self->a.m, gm_file_fd(self->file), &o, &id));
	EXPECT_LT(2, t.calls);
	EXPECT_EQ(LEN0 + LEN1, t.last);
	EXPECT_EQ(LEN0 + LEN1, t.total);
	ASSERT_OK(gm_snapshot_open(self->file, &s));
	t = (struct told){ .calls = 0 };
	ASSERT_OK(gm_snapshot_verify(s, tell, &t));
	EXPECT_EQ(LEN0 + LEN1, t.last);
	t = (struct told){ .calls = 0 };
	ASSERT_OK(gm_snapshot_load(s, self->b.m, 0, tell, &t));
	EXPECT_EQ(2 * (LEN0 + LEN1), t.last);
	EXPECT_EQ(2 * (LEN0 + LEN1), t.total);
	/* Stopped while it is checked: nothing has changed. */
	memset(self->b.mem[0], 0xee, LEN0);
	t = (struct told){ .stop_at = 3 };
	EXPECT_FAIL_KIND(gm_snapshot_load(s, self->b.m, 0, tell, &t), ECANCELED, GM_ERR_OPTION);
	EXPECT_EQ(0xee, self->b.mem[0][0]);
	t = (struct told){ .stop_at = 2 };
	EXPECT_FAIL_KIND(gm_snapshot_verify(s, tell, &t), ECANCELED, GM_ERR_OPTION);
	gm_snapshot_close(s);
	/* A save that was stopped is no snapshot. */
	t = (struct told){ .stop_at = 2 };
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, gm_file_fd(self->file), &o, &id), ECANCELED,
			 GM_ERR_OPTION);
	EXPECT_FAIL(gm_snapshot_open(self->file, &s), EINVAL, GM_ERR_NOT_SNAPSHOT, 0, 0, 0, 0);
}

TEST_F(snap, failed_save_loses_no_mark)
{
	struct gm_snapshot_opts o = {
		.sz = sizeof(o), .flags = GM_SNAPSHOT_DIFF, .base = 7,
		.consumers = self->a.consumers,
	};
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t id = 99;

	guest_put(&self->a, GPA0 + 3 * PAGE, 1, 2 * PAGE);
	guest_put(&self->a, GPA1 + LEN1 - 1, 1, 1);
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o, &id), EINVAL, GM_ERR_IO);
	EXPECT_EQ(99, id);
	EXPECT_EQ(2, gm_dirty_consumer_count(self->a.consumers[0]));
	EXPECT_EQ(1, gm_dirty_consumer_count(self->a.consumers[1]));
	/* A whole one that fails: the next difference has all. */
	o.flags = 0;
	o.base = 0;
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o, &id), EINVAL, GM_ERR_IO);
	EXPECT_EQ(70, gm_dirty_consumer_count(self->a.consumers[0]));
	close(fd);
}

/* A peer cuts its memory while it is saved: zeros are not what was there. */
static int cut_memory(void *ctx, uint64_t done, uint64_t total)
{
	struct gm_file *memory = ctx;

	(void)total;
	if (done == 64 * PAGE && ftruncate(gm_file_fd(memory), 0))
		abort();
	return 0;
}

TEST_F(snap, memory_that_goes_away_fails_the_save)
{
	LINUX_ONLY();
	struct gm_mmap_opts opts = {
		.sz = sizeof(opts), .flags = GM_MMAP_DIRTY, .dirty_page_size = PAGE,
	};
	static const struct gm_range range = { GPA0, LEN0 };
	struct gm_dirty_consumer *c;
	struct gm_snapshot_opts o = {
		.sz = sizeof(o), .progress = cut_memory, .consumers = &c,
	};
	struct gm_snapshot *s;
	uint64_t id = 99;
	struct gm_map *m;

	if (RUNNING_ON_VALGRIND)
		SKIP(return, "valgrind does not go on after SIGBUS");
	opts.file = snap_file();
	o.progress_ctx = opts.file;
	ASSERT_EQ(0, ftruncate(gm_file_fd(opts.file), (off_t)LEN0));
	ASSERT_OK(gm_map_new_mmap(&range, &opts, 1, &m));
	ASSERT_OK(gm_dirty_consumer_new(gm_region_bitmap(gm_map_region(m, 0)), &c));
	ASSERT_OK(gm_fault_enable());
	ASSERT_OK(gm_region_watch(gm_map_region(m, 0)));
	EXPECT_FAIL_KIND(gm_snapshot_save(m, gm_file_fd(self->file), &o, &id), EIO, GM_ERR_FAULT);
	EXPECT_EQ(99, id);
	EXPECT_FAIL_KIND(gm_snapshot_open(self->file, &s), EINVAL, GM_ERR_NOT_SNAPSHOT);
	EXPECT_EQ(LEN0 / PAGE, gm_dirty_consumer_count(c));
	gm_dirty_consumer_free(c);
	gm_map_put(m);
	gm_file_put(opts.file);
}

TEST_F(snap, file_that_appends_is_refused_and_keeps_what_it_has)
{
	int fd = gm_file_fd(self->file);
	uint64_t id = 99;

	ASSERT_EQ(4, pwrite(fd, "kept", 4, 0));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_APPEND));
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, NULL, &id), EINVAL, GM_ERR_IO);
	EXPECT_EQ(99, id);
	EXPECT_EQ(4, snap_size(self->file));
}

TEST_F(snap, descriptor_that_is_none)
{
	uint64_t id = 99;

	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, -1, NULL, &id), EBADF, GM_ERR_IO);
	EXPECT_EQ(99, id);
}

TEST_F(snap, options_that_are_refused)
{
	struct { struct gm_snapshot_opts o; uint64_t more; } o = { .o.sz = sizeof(o) };
	int fd = gm_file_fd(self->file);
	uint64_t id = 99;

	o.more = 1;
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o.o, &id), E2BIG, GM_ERR_OPTION);
	o.more = 0;
	ASSERT_OK(gm_snapshot_save(self->a.m, fd, &o.o, &id));
	id = 99;
	o.o.sz = 8;
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o.o, &id), EINVAL, GM_ERR_OPTION);
	o.o = (struct gm_snapshot_opts){ .sz = sizeof(o.o), .flags = 2 };
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o.o, &id), EINVAL, GM_ERR_OPTION);
	o.o = (struct gm_snapshot_opts){ .sz = sizeof(o.o), .reserved = 2 };
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o.o, &id), EINVAL, GM_ERR_OPTION);
	o.o = (struct gm_snapshot_opts){ .sz = sizeof(o.o), .flags = GM_SNAPSHOT_DIFF, .base = 1 };
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o.o, &id), EINVAL, GM_ERR_OPTION);
	o.o.consumers = self->a.consumers;
	o.o.base = 0;
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o.o, &id), EINVAL, GM_ERR_OPTION);
	o.o.flags = 0;
	o.o.base = 1;
	EXPECT_FAIL_KIND(gm_snapshot_save(self->a.m, fd, &o.o, &id), EINVAL, GM_ERR_OPTION);
	EXPECT_EQ(99, id);
}

TEST_F(snap, memory_that_the_map_lacks_is_an_error_and_nothing_changes)
{
	static const struct gm_range part = { GPA0, LEN0 };
	struct gm_mmap_opts rom[2] = {
		{ .sz = sizeof(rom[0]) },
		{ .sz = sizeof(rom[0]), .flags = GM_MMAP_READ_ONLY },
	};
	struct gm_snapshot *s;
	struct gm_map *m;

	guest_fill(&self->a);
	snap_save(&self->a, self->file, 0);
	ASSERT_OK(gm_snapshot_open(self->file, &s));
	ASSERT_OK(gm_map_new_mmap(&part, NULL, 1, &m));
	EXPECT_FAIL_KIND(gm_snapshot_load(s, m, 0, NULL, NULL), EFAULT, GM_ERR_GUEST_ADDR);
	EXPECT_EQ(0, gm_map_region(m, 0)->ext.host[0]);
	gm_map_put(m);
	ASSERT_OK(gm_map_new_mmap(guest_ranges, rom, 2, &m));
	EXPECT_FAIL_KIND(gm_snapshot_load(s, m, 0, NULL, NULL), EACCES, GM_ERR_PERMISSION);
	EXPECT_EQ(0, gm_map_region(m, 0)->ext.host[0]);
	/* Read-only memory is no part of a snapshot. */
	snap_save(&(struct guest){ .m = m }, self->diff, 0);
	gm_map_put(m);
	gm_snapshot_close(s);
	ASSERT_OK(gm_snapshot_open(self->diff, &s));
	EXPECT_EQ(1, gm_snapshot_count(s));
	gm_snapshot_close(s);
}

TEST_F(snap, memory_on_demand_is_saved_too)
{
	static uint8_t mem[3 * 4096 + 5];
	struct gm_region *regions[1];
	struct own_region own;
	struct gm_map *m;
	uint64_t id;

	memset(mem, 0x3c, sizeof(mem));
	ASSERT_EQ(0, own_region_init_on_demand(&own, GPA0, sizeof(mem), mem, NULL));
	regions[0] = &own.r;
	ASSERT_OK(gm_map_new(regions, 1, &m));
	gm_region_put(&own.r);
	ASSERT_OK(gm_snapshot_save(m, gm_file_fd(self->file), NULL, &id));
	/* A region that can't be read fails the save. */
	own.fail = -EIO;
	EXPECT_EQ(-EIO, gm_snapshot_save(m, gm_file_fd(self->diff), NULL, &id));
	gm_map_put(m);
	ASSERT_OK(load(self->file, &self->b, 0));
	EXPECT_EQ(0, memcmp(self->b.mem[0], mem, sizeof(mem)));
	EXPECT_EQ(0, self->b.mem[0][sizeof(mem)]);
}

TEST_F(snap, region_without_a_consumer_is_there_as_a_whole)
{
	struct gm_dirty_consumer *c[2] = { NULL, self->a.consumers[1] };
	struct gm_snapshot_opts o = {
		.sz = sizeof(o), .flags = GM_SNAPSHOT_DIFF, .base = 7, .consumers = c,
	};
	struct gm_snapshot *s;
	uint64_t id;

	guest_fill(&self->a);
	memset(self->b.mem[0], 0xee, LEN0);
	ASSERT_OK(gm_snapshot_save(self->a.m, gm_file_fd(self->file), &o, &id));
	ASSERT_OK(gm_snapshot_open(self->file, &s));
	ASSERT_OK(gm_snapshot_load(s, self->b.m, 7, NULL, NULL));
	EXPECT_TRUE(guest_same(&self->a, &self->b));
	gm_snapshot_close(s);
}

TEST_HARNESS_MAIN
