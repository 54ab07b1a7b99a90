/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * reader.h: one device, whatever is behind its reader; views that follow the
 * space; and readers that are idle, for ever if need be, and keep nothing.
 */
/* gm-test: windows */
#include <stdlib.h>
#include "kselftest_harness.h"
#include <guestmem/access.h>
#include <guestmem/reader.h>
#include "actor.h"
#include "expect.h"
#include "refuse.h"
#include "system.h"
#include "vma.h"

#define SIZE UINT64_C(0x10000)
#define LOW UINT64_C(0)
#define HIGH UINT64_C(0x100000)

FIXTURE(reader) {
	struct gm_map *m;
	struct gm_space *s;
	struct gm_reader r;	/* of the space */
	uint8_t *high;
};

FIXTURE_SETUP(reader)
{
	struct gm_range ranges[] = { { gm_gpa(LOW), SIZE },
				     { gm_gpa(HIGH), SIZE } };

	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 2, &self->m));
	ASSERT_OK(gm_space_new(self->m, &self->s));
	gm_reader_init_space(&self->r, self->s);
	self->high = gm_map_region(self->m, 1)->ext.host;
}

FIXTURE_TEARDOWN(reader)
{
	gm_reader_exit(&self->r);
	gm_space_put(self->s);
	gm_map_put(self->m);
}

static int remove_high(struct gm_space *s, enum gm_release how)
{
	return gm_space_remove(s, gm_gpa(HIGH), SIZE, how, NULL);
}

/* A device: it counts its requests in guest memory, and answers at @gpa. */
static int device_work(struct gm_reader *r, uint64_t gpa)
{
	struct gm_view *v = gm_reader_begin(r);
	uint32_t n = 0;
	int ret;

	ret = gm_view_read_le32(v, gm_gpa(LOW), &n);
	if (!ret)
		ret = gm_view_write_le32(v, gm_gpa(LOW), n + 1);
	if (!ret)
		ret = gm_view_write_le32(v, gm_gpa(gpa), n);
	gm_reader_end(r);
	return ret;
}

TEST_F(reader, device_does_not_know_what_is_behind)
{
	struct gm_reader counted, plain;

	gm_reader_init_map(&counted, self->m);
	gm_reader_init_plain(&plain, self->m);
	EXPECT_EQ(0, device_work(&self->r, HIGH));
	EXPECT_EQ(0, device_work(&counted, HIGH + 4));
	EXPECT_EQ(0, device_work(&plain, HIGH + 8));
	EXPECT_EQ(0, memcmp(self->high, "\0\0\0\0\1\0\0\0\2\0\0\0", 12));
	EXPECT_EQ(-EFAULT, device_work(&self->r, HIGH + SIZE));
	EXPECT_EQ(-EFAULT, device_work(&counted, HIGH + SIZE));
	EXPECT_EQ(-EFAULT, device_work(&plain, HIGH + SIZE));

	/* Only who reads the space sees it change. */
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
	EXPECT_EQ(-EFAULT, device_work(&self->r, HIGH));
	EXPECT_EQ(0, device_work(&counted, HIGH));
	EXPECT_EQ(0, device_work(&plain, HIGH));
	gm_reader_exit(&plain);
	gm_reader_exit(&counted);
}

TEST_F(reader, counted_map_stays_for_its_reader)
{
	struct gm_reader counted;

	gm_reader_init_map(&counted, self->m);
	gm_map_put(self->m);
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
	EXPECT_EQ(0, device_work(&counted, HIGH));
	gm_reader_exit(&counted);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	self->m = NULL;
}

TEST_F(reader, space_stays_for_its_reader)
{
	gm_space_put(self->s);
	EXPECT_EQ(0, device_work(&self->r, HIGH));
	gm_reader_exit(&self->r);
	self->s = NULL;
	memset(&self->r, 0, sizeof(self->r));
	gm_map_put(self->m);
	self->m = NULL;
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
}

TEST_F(reader, view_is_kept_until_the_map_changes)
{
	struct gm_view *v = gm_reader_begin(&self->r);
	struct gm_region *region;
	uint32_t x;

	EXPECT_EQ(&self->r.view, v);
	EXPECT_EQ(self->m, gm_view_map(v));
	EXPECT_EQ(0, gm_view_write_u32(v, gm_gpa(HIGH), 1));
	gm_reader_end(&self->r);
	/* What it hit last, it knows still. */
	EXPECT_EQ(HIGH, self->r.view.hint.base);
	gm_reader_begin(&self->r);
	EXPECT_EQ(HIGH, self->r.view.hint.base);
	EXPECT_EQ(self->high, self->r.view.hint.host);
	gm_reader_end(&self->r);

	ASSERT_OK(gm_region_new_mmap(gm_gpa(2 * HIGH), SIZE, NULL, &region));
	ASSERT_OK(gm_space_insert(self->s, region, GM_RELEASE_WAIT));
	gm_region_put(region);
	v = gm_reader_begin(&self->r);
	EXPECT_EQ(0, self->r.view.hint.span);
	EXPECT_NE(self->m, gm_view_map(v));
	EXPECT_EQ(0, gm_view_read_u32(v, gm_gpa(2 * HIGH), &x));
	gm_reader_end(&self->r);
}

TEST_F(reader, idle_reader_keeps_no_memory)
{
	gm_map_put(self->m);
	self->m = NULL;
	EXPECT_EQ(0, device_work(&self->r, HIGH));
	/* Its view still shows HIGH; nobody waits for it. */
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	EXPECT_EQ(-EFAULT, device_work(&self->r, HIGH));
	EXPECT_EQ(0, device_work(&self->r, LOW));
}

/* At HIGH alone, so that the view has a hint of it. */
static int write_high(struct gm_reader *r, uint32_t value)
{
	struct gm_view *v = gm_reader_begin(r);
	int ret = gm_view_write_u32(v, gm_gpa(HIGH), value);

	gm_reader_end(r);
	return ret;
}

/*
 * A map at the address of one that went, as malloc() likes to give it, is not
 * taken for it.
 */
TEST_F(reader, maps_are_told_apart_by_more_than_their_address)
{
	gm_map_put(self->m);
	self->m = NULL;
	for (uint32_t i = 1; i <= 64; i++) {
		struct gm_region *old, *r;

		ASSERT_OK(gm_region_new_mmap(gm_gpa(HIGH), SIZE, NULL, &r));
		EXPECT_EQ(0, write_high(&self->r, i));
		ASSERT_OK(gm_space_remove(self->s, gm_gpa(HIGH), SIZE,
					  GM_RELEASE_WAIT, &old));
		ASSERT_OK(gm_space_insert(self->s, r, GM_RELEASE_WAIT));
		EXPECT_EQ(0, write_high(&self->r, i));
		EXPECT_EQ(i, *(uint32_t *)r->ext.host);
		gm_region_put(old);
		gm_region_put(r);
	}
}

TEST_F(reader, inner_section_changes_nothing)
{
	struct gm_view *v = gm_reader_begin(&self->r);
	struct gm_map *less;
	uint32_t x;

	ASSERT_OK(gm_map_remove(self->m, gm_gpa(HIGH), SIZE, &less, NULL));
	/* Nobody may write in a section; so this one began after the lock. */
	gm_reader_end(&self->r);
	ASSERT_OK(gm_space_lock(self->s));
	gm_reader_begin(&self->r);
	EXPECT_FAIL(gm_space_replace(self->s, less, GM_RELEASE_WAIT), EDEADLK,
		    GM_ERR_DEADLOCK, 0, 0, 0, 0);
	EXPECT_EQ(0, gm_space_replace(self->s, less, GM_RELEASE_LATER));
	gm_space_unlock(self->s);
	gm_map_put(less);
	gm_map_put(self->m);
	EXPECT_EQ(v, gm_reader_begin(&self->r));
	EXPECT_EQ(0, gm_view_read_u32(v, gm_gpa(HIGH), &x));
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	gm_reader_end(&self->r);
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	EXPECT_EQ(0, gm_view_read_u32(v, gm_gpa(HIGH), &x));
	gm_reader_end(&self->r);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
	self->m = NULL;
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	v = gm_reader_begin(&self->r);
	EXPECT_EQ(-EFAULT, gm_view_read_u32(v, gm_gpa(HIGH), &x));
	gm_reader_end(&self->r);
}

TEST_F(reader, nobody_waits_for_itself)
{
	struct gm_reader plain;

	gm_reader_begin(&self->r);
	EXPECT_TRUE(gm_epoch_inside());
	EXPECT_FAIL(gm_epoch_synchronize(), EDEADLK, GM_ERR_DEADLOCK, 0, 0, 0,
		    0);
	EXPECT_FAIL(gm_space_lock(self->s), EDEADLK, GM_ERR_DEADLOCK, 0, 0, 0,
		    0);
	EXPECT_FAIL(remove_high(self->s, GM_RELEASE_WAIT), EDEADLK,
		    GM_ERR_DEADLOCK, 0, 0, 0, 0);
	gm_reader_end(&self->r);
	EXPECT_FALSE(gm_epoch_inside());
	/* No writer waits for a reader of what never changes. */
	gm_reader_init_plain(&plain, self->m);
	gm_reader_begin(&plain);
	EXPECT_FALSE(gm_epoch_inside());
	EXPECT_EQ(0, remove_high(self->s, GM_RELEASE_WAIT));
	gm_reader_end(&plain);
	gm_reader_exit(&plain);
}

static void *one_batch(void *arg)
{
	struct actor *a = arg;
	struct gm_view *v = gm_reader_begin(a->ctx);
	uint32_t x;

	set_step(&a->done, 1);
	wait_step(&a->step, 1);
	a->result = gm_view_read_u32(v, gm_gpa(HIGH), &x);
	gm_reader_end(a->ctx);
	set_step(&a->done, 2);
	wait_step(&a->step, 2);
	return NULL;
}

struct removal {
	struct gm_space *s;
	enum gm_release how;
};

static void *removing(void *arg)
{
	struct actor *a = arg;
	struct removal *r = a->ctx;

	a->result = remove_high(r->s, r->how);
	set_step(&a->done, 1);
	return NULL;
}

TEST_F(reader, writer_waits_for_a_reader_inside)
{
	struct removal removal = { self->s, GM_RELEASE_WAIT };
	struct actor reader, writer;

	gm_map_put(self->m);
	self->m = NULL;
	ACTOR_START(&reader, one_batch, &self->r);
	wait_step(&reader.done, 1);
	/* It is another thread's section. */
	EXPECT_FALSE(gm_epoch_inside());
	ACTOR_START(&writer, removing, &removal);
	sleep_ms(20);
	EXPECT_EQ(0, get_step(&writer.done));
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	set_step(&reader.step, 1);
	/* Then the reader sleeps: the writer is done all the same. */
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	set_step(&reader.step, 2);
	ACTOR_JOIN(&reader);
	EXPECT_EQ(0, reader.result);
	/* Its reader goes on in this thread. */
	EXPECT_EQ(-EFAULT, device_work(&self->r, HIGH));
}

TEST_F(reader, handed_over_memory_waits_for_a_reader_inside)
{
	struct removal removal = { self->s, GM_RELEASE_LATER };
	struct actor reader, writer;

	gm_map_put(self->m);
	self->m = NULL;
	ACTOR_START(&reader, one_batch, &self->r);
	wait_step(&reader.done, 1);
	ACTOR_START(&writer, removing, &removal);
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	set_step(&reader.step, 1);
	wait_step(&reader.done, 2);
	EXPECT_EQ(0, reader.result);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	set_step(&reader.step, 2);
	ACTOR_JOIN(&reader);
}

TEST_F(reader, child_goes_on_with_readers_of_threads_it_does_not_have)
{
	FORKS();
	struct actor reader;
	pid_t pid;

	gm_map_put(self->m);
	self->m = NULL;
	ACTOR_START(&reader, one_batch, &self->r);
	wait_step(&reader.done, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_OK(!remove_high(self->s, GM_RELEASE_WAIT));
		CHILD_OK(vma_is_unmapped(self->high, SIZE));
		CHILD_OK(device_work(&self->r, HIGH) == -EFAULT);
		CHILD_OK(!device_work(&self->r, LOW));
		gm_reader_exit(&self->r);
		gm_space_put(self->s);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	set_step(&reader.step, 2);
	ACTOR_JOIN(&reader);
	EXPECT_EQ(0, reader.result);
}

/* As much of its stack as others are likely to have used. */
static void *use_stack(void *arg)
{
	volatile uint8_t mem[16384];

	for (size_t i = 0; i < sizeof(mem); i++)
		mem[i] = 0x5a;
	return arg ? NULL : (void *)(uintptr_t)mem[0];
}

static void *reader_on_the_stack(void *arg)
{
	struct actor *a = arg;
	struct gm_reader r;

	gm_reader_init_space(&r, a->ctx);
	a->result = device_work(&r, LOW + 4);
	set_step(&a->done, 1);
	wait_step(&a->step, 1);
	gm_reader_exit(&r);
	return NULL;
}

/* A stack that its thread is not on any more is given to others in the child. */
TEST_F(reader, child_forgets_readers_of_threads_it_does_not_have)
{
	FORKS();
	struct actor a[2];
	pthread_t t[4];
	pid_t pid;

#if GM_TSAN
	SKIP(return, "no threads in a child that had some before");
#endif
	for (int i = 0; i < 2; i++) {
		ACTOR_START(&a[i], reader_on_the_stack, self->s);
		wait_step(&a[i].done, 1);
	}
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (int i = 0; i < 4; i++)
			CHILD_OK(!pthread_create(&t[i], NULL, use_stack, NULL));
		for (int i = 0; i < 4; i++)
			CHILD_OK(!pthread_join(t[i], NULL));
		CHILD_OK(!gm_epoch_synchronize());
		CHILD_OK(!device_work(&self->r, LOW + 4));
		CHILD_OK(!remove_high(self->s, GM_RELEASE_WAIT));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	for (int i = 0; i < 2; i++) {
		set_step(&a[i].step, 1);
		ACTOR_JOIN(&a[i]);
		EXPECT_EQ(0, a[i].result);
	}
}

/* A reader that the child uses is waited for there. */
TEST_F(reader, child_waits_for_readers_that_it_uses)
{
	FORKS();
	struct removal removal = { self->s, GM_RELEASE_LATER };
	struct actor writer;
	pid_t pid;

#if GM_TSAN
	SKIP(return, "no threads in a child that had some before");
#endif
	EXPECT_EQ(0, device_work(&self->r, HIGH));
	gm_map_put(self->m);
	self->m = NULL;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct gm_view *v = gm_reader_begin(&self->r);
		uint32_t x;

		memset(&writer, 0, sizeof(writer));
		writer.ctx = &removal;
		CHILD_OK(gm_epoch_inside());
		CHILD_OK(!pthread_create(&writer.thread, NULL, removing,
					 &writer));
		CHILD_OK(!pthread_join(writer.thread, NULL));
		CHILD_OK(!writer.result);
		CHILD_OK(gm_space_reclaim(self->s) == 1);
		CHILD_OK(vma_is_mapped(self->high, SIZE));
		CHILD_OK(!gm_view_read_u32(v, gm_gpa(HIGH), &x));
		gm_reader_end(&self->r);
		CHILD_OK(!gm_space_reclaim(self->s));
		CHILD_OK(vma_is_unmapped(self->high, SIZE));
		/* And forgotten as any other is. */
		gm_reader_exit(&self->r);
		CHILD_OK(!gm_epoch_synchronize());
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, device_work(&self->r, HIGH));
}

TEST_F(reader, fork_inside)
{
	FORKS();
	struct gm_view *v = gm_reader_begin(&self->r);
	uint32_t x;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_OK(gm_epoch_inside());
		CHILD_OK(!gm_view_read_u32(v, gm_gpa(HIGH), &x));
		CHILD_OK(gm_epoch_synchronize() == -EDEADLK);
		gm_reader_end(&self->r);
		CHILD_OK(!remove_high(self->s, GM_RELEASE_WAIT));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	gm_reader_end(&self->r);
}

TEST(without_membarrier)
{
	struct gm_range range = { gm_gpa(LOW), SIZE };
	struct gm_space *s;
	struct gm_reader r;
	struct gm_map *m;

	if (refuse_syscall(__NR_membarrier, ENOSYS))
		SKIP(return, "no seccomp filter to be had here");
	ASSERT_OK(gm_map_new_mmap(&range, NULL, 1, &m));
	ASSERT_OK(gm_space_new(m, &s));
	gm_reader_init_space(&r, s);
	EXPECT_EQ(1, r.record.fence);
	EXPECT_EQ(0, device_work(&r, LOW + 4));
	gm_reader_begin(&r);
	EXPECT_FAIL_KIND(gm_epoch_synchronize(), EDEADLK, GM_ERR_DEADLOCK);
	gm_reader_end(&r);
	EXPECT_EQ(0, gm_epoch_synchronize());
	ASSERT_OK(gm_space_lock(s));
	EXPECT_EQ(0, gm_space_replace(s, m, GM_RELEASE_WAIT));
	gm_space_unlock(s);
	EXPECT_EQ(0, device_work(&r, LOW + 4));
	gm_reader_exit(&r);
	gm_space_put(s);
	gm_map_put(m);
}

TEST_HARNESS_MAIN
