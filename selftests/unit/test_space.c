/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * space.h: a map that is replaced under sections, snapshots that outlive it, one
 * writer at a time; and when exactly memory goes.
 */
/* gm-test: windows */
#include <stdlib.h>
#include "kselftest_harness.h"
#include <guestmem/access.h>
#include <guestmem/hold.h>
#include <guestmem/space.h>
#include "actor.h"
#include "expect.h"
#include "no_memory.h"
#include "refuse.h"
#include "system.h"
#include "vma.h"

#define SIZE UINT64_C(0x10000)
#define LOW UINT64_C(0)
#define HIGH UINT64_C(0x100000)

/* The space under test begins with LOW and HIGH. */
FIXTURE(space) {
	struct gm_space *s;
	struct gm_map *first;		/* borrowed */
	uint8_t *high;			/* host memory of HIGH */
};

FIXTURE_SETUP(space)
{
	struct gm_range ranges[] = { { gm_gpa(LOW), SIZE },
				     { gm_gpa(HIGH), SIZE } };

	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 2, &self->first));
	ASSERT_OK(gm_space_new(self->first, &self->s));
	gm_map_put(self->first);
	self->high = gm_map_region(self->first, 1)->ext.host;
}

FIXTURE_TEARDOWN(space)
{
	gm_space_put(self->s);
}

static int remove_high(struct gm_space *s, enum gm_release how)
{
	return gm_space_remove(s, gm_gpa(HIGH), SIZE, how, NULL);
}

/* Does a section see something at @gpa? */
static bool sees(struct gm_space *s, uint64_t gpa)
{
	struct gm_view v;
	uint32_t x;
	bool there;

	gm_space_read_begin(s, &v);
	there = !gm_view_read_u32(&v, gm_gpa(gpa), &x);
	gm_space_read_end(s);
	return there;
}

TEST_F(space, section_sees_the_present_map)
{
	struct gm_region *r;
	struct gm_view v;
	uint32_t x = 0;

	gm_space_read_begin(self->s, &v);
	EXPECT_EQ(self->first, gm_view_map(&v));
	EXPECT_TRUE(gm_epoch_inside());
	EXPECT_EQ(0, gm_view_write_u32(&v, gm_gpa(HIGH), 42));
	EXPECT_EQ(0, gm_view_read_u32(&v, gm_gpa(HIGH), &x));
	EXPECT_EQ(42, x);
	gm_space_read_end(self->s);
	EXPECT_FALSE(gm_epoch_inside());

	ASSERT_OK(gm_region_new_mmap(gm_gpa(2 * HIGH), SIZE, NULL, &r));
	EXPECT_FALSE(sees(self->s, 2 * HIGH));
	ASSERT_OK(gm_space_insert(self->s, r, GM_RELEASE_WAIT));
	gm_region_put(r);
	EXPECT_TRUE(sees(self->s, 2 * HIGH));
	EXPECT_TRUE(sees(self->s, HIGH));
}

TEST_F(space, removed_memory_is_unmapped_after_waiting)
{
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	EXPECT_FALSE(sees(self->s, HIGH));
	EXPECT_TRUE(sees(self->s, LOW));
	EXPECT_EQ(0, gm_space_reclaim(self->s));
}

TEST_F(space, removed_region_goes_to_who_wants_it)
{
	struct gm_region *r = NULL;

	ASSERT_OK(gm_space_remove(self->s, gm_gpa(HIGH), SIZE, GM_RELEASE_WAIT,
				  &r));
	EXPECT_EQ(self->high, r->ext.host);
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	/* In again: it is the same memory. */
	self->high[7] = 7;
	ASSERT_OK(gm_space_insert(self->s, r, GM_RELEASE_LATER));
	gm_region_put(r);
	EXPECT_TRUE(sees(self->s, HIGH));
	EXPECT_EQ(7, self->high[7]);
}

TEST_F(space, handed_over_memory_waits_for_its_sections)
{
	struct gm_view v, inner;
	struct gm_map *less;
	uint32_t x;

	ASSERT_OK(gm_space_lock(self->s));
	gm_space_read_begin(self->s, &v);
	ASSERT_OK(gm_map_remove(self->first, gm_gpa(HIGH), SIZE, &less, NULL));
	EXPECT_FAIL(gm_space_replace(self->s, less, GM_RELEASE_WAIT), EDEADLK,
		    GM_ERR_DEADLOCK, 0, 0, 0, 0);
	EXPECT_EQ(self->first, self->s->map);
	EXPECT_EQ(0, gm_space_replace(self->s, less, GM_RELEASE_LATER));
	gm_map_put(less);
	gm_space_unlock(self->s);
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	EXPECT_EQ(0, gm_view_read_u32(&v, gm_gpa(HIGH), &x));
	/* An inner section has a view of its own, and does not free the outer's. */
	gm_space_read_begin(self->s, &inner);
	EXPECT_NE(gm_view_map(&v), gm_view_map(&inner));
	EXPECT_EQ(-EFAULT, gm_view_read_u32(&inner, gm_gpa(HIGH), &x));
	gm_space_read_end(self->s);
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	EXPECT_EQ(0, gm_view_read_u32(&v, gm_gpa(HIGH), &x));
	gm_space_read_end(self->s);
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	EXPECT_EQ(0, gm_space_reclaim(self->s));
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
}

TEST_F(space, next_writer_drops_what_was_handed_over)
{
	struct gm_region *r;
	struct gm_map *less;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(2 * HIGH), SIZE, NULL, &r));
	ASSERT_OK(gm_map_remove(self->first, gm_gpa(HIGH), SIZE, &less, NULL));
	ASSERT_OK(gm_space_lock(self->s));
	gm_epoch_enter();
	ASSERT_OK(gm_space_replace(self->s, less, GM_RELEASE_LATER));
	gm_epoch_exit();
	gm_space_unlock(self->s);
	gm_map_put(less);
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	ASSERT_OK(gm_space_insert(self->s, r, GM_RELEASE_LATER));
	gm_region_put(r);
	/* Its own, nobody was inside of either: gone at once. */
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	EXPECT_EQ(0, gm_space_reclaim(self->s));
}

TEST_F(space, snapshot_outlives_its_section_and_the_space)
{
	struct gm_map *snapshot, *other;
	struct gm_view v;
	uint32_t x = 0;

	gm_space_read_begin(self->s, &v);
	ASSERT_EQ(0, gm_view_write_u32(&v, gm_gpa(HIGH), 42));
	snapshot = gm_space_snapshot(self->s);
	gm_space_read_end(self->s);
	EXPECT_EQ(self->first, snapshot);
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
	other = gm_space_snapshot(self->s);
	EXPECT_NE(snapshot, other);
	EXPECT_EQ(1, gm_map_count(other));
	gm_map_put(other);

	gm_space_get(self->s);
	gm_space_put(self->s);
	gm_space_put(self->s);
	self->s = NULL;
	gm_view_init(&v, snapshot);
	EXPECT_EQ(0, gm_view_read_u32(&v, gm_gpa(HIGH), &x));
	EXPECT_EQ(42, x);
	gm_map_put(snapshot);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
}

TEST_F(space, last_put_drops_handed_over_maps_too)
{
	struct gm_map *less;

	ASSERT_OK(gm_space_lock(self->s));
	gm_epoch_enter();
	ASSERT_OK(gm_map_remove(self->first, gm_gpa(HIGH), SIZE, &less, NULL));
	ASSERT_OK(gm_space_replace(self->s, less, GM_RELEASE_LATER));
	gm_map_put(less);
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	gm_space_unlock(self->s);
	gm_epoch_exit();
	gm_space_put(self->s);
	self->s = NULL;
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
}

TEST_F(space, errors_change_nothing)
{
	struct gm_region *r, *out = (void *)1;
	struct gm_hold *h;

	EXPECT_FAIL(gm_space_replace(self->s, self->first, GM_RELEASE_WAIT),
		    EPERM, GM_ERR_NOT_LOCKED, 0, 0, 0, 0);
	EXPECT_FAIL(gm_space_replace(self->s, self->first, (enum gm_release)2),
		    EINVAL, GM_ERR_OPTION, 0, 0, 0, 0);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(HIGH + SIZE / 2), SIZE, NULL, &r));
	EXPECT_FAIL(gm_space_insert(self->s, r, GM_RELEASE_WAIT), EEXIST,
		    GM_ERR_OVERLAP, HIGH + SIZE / 2, SIZE, 0, 0);
	gm_region_put(r);
	EXPECT_FAIL(gm_space_remove(self->s, gm_gpa(HIGH), SIZE / 2,
				    GM_RELEASE_WAIT, &out), ENOENT,
		    GM_ERR_NO_REGION, HIGH, SIZE / 2, 0, 0);
	/* Nor what a device reaches. */
	ASSERT_OK(gm_region_hold(gm_map_region(self->first, 1), gm_roff(0), 1,
				 GM_HOLD_REMOVE, "disk", &h));
	EXPECT_FAIL_NAME(gm_space_remove(self->s, gm_gpa(HIGH), SIZE,
					 GM_RELEASE_WAIT, &out), EBUSY,
			 GM_ERR_HELD, 0, 1, "disk");
	gm_hold_end(h);
	EXPECT_EQ((void *)1, out);
	EXPECT_EQ(self->first, self->s->map);
	/* The lock was let go each time. */
	ASSERT_OK(gm_space_lock(self->s));
	EXPECT_FAIL(gm_space_lock(self->s), EDEADLK, GM_ERR_DEADLOCK, 0, 0, 0,
		    0);
	EXPECT_FAIL_KIND(remove_high(self->s, GM_RELEASE_WAIT), EDEADLK,
			 GM_ERR_DEADLOCK);
	gm_space_unlock(self->s);
	gm_epoch_enter();
	EXPECT_FAIL(gm_space_lock(self->s), EDEADLK, GM_ERR_DEADLOCK, 0, 0, 0,
		    0);
	gm_epoch_exit();
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
}

/* Each allocation fails once; then nothing has changed, and the lock is let go. */
TEST_F(space, no_memory_changes_nothing)
{
	STARVES_THREADS();
	struct gm_region *r, *out = (void *)1;
	struct gm_space *s = (void *)1;
	uint64_t nth;

	no_memory_for(1);
	EXPECT_FAIL_KIND(gm_space_new(self->first, &s), ENOMEM, GM_ERR_MEMORY);
	EXPECT_EQ((void *)1, s);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(2 * HIGH), SIZE, NULL, &r));
	for (nth = 1;; nth++) {
		no_memory_for(nth);
		if (!gm_space_insert(self->s, r, GM_RELEASE_WAIT))
			break;
		EXPECT_EQ(GM_ERR_MEMORY, gm_error_last()->kind);
		EXPECT_EQ(self->first, self->s->map);
		EXPECT_EQ(1, no_memory_failed());
	}
	/* The map's at least, and what hands the old one over. */
	EXPECT_LT(2, nth);
	gm_region_put(r);
	for (nth = 1;; nth++) {
		no_memory_for(nth);
		if (!gm_space_remove(self->s, gm_gpa(HIGH), SIZE,
				     GM_RELEASE_LATER, &out))
			break;
		EXPECT_EQ(GM_ERR_MEMORY, gm_error_last()->kind);
		EXPECT_EQ((void *)1, out);
		EXPECT_TRUE(sees(self->s, HIGH));
	}
	EXPECT_LT(2, nth);
	no_memory_for(0);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
	gm_region_put(out);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	EXPECT_TRUE(sees(self->s, 2 * HIGH));
}

static void *reading(void *arg)
{
	struct actor *a = arg;
	struct gm_view v;
	uint32_t x;

	gm_space_read_begin(a->ctx, &v);
	set_step(&a->done, 1);
	wait_step(&a->step, 1);
	a->result = gm_view_read_u32(&v, gm_gpa(HIGH), &x);
	gm_space_read_end(a->ctx);
	set_step(&a->done, 2);
	wait_step(&a->step, 2);
	return NULL;
}

static void *removing(void *arg)
{
	struct actor *a = arg;

	a->result = remove_high(a->ctx, GM_RELEASE_WAIT);
	set_step(&a->done, 1);
	return NULL;
}

TEST_F(space, writer_waits_for_its_readers_and_no_longer)
{
	struct actor reader, writer;

	ACTOR_START(&reader, reading, self->s);
	wait_step(&reader.done, 1);
	ACTOR_START(&writer, removing, self->s);
	/* It has published long before it returns: others see the new map. */
	while (sees(self->s, HIGH))
		sleep_ms(1);
	sleep_ms(20);
	EXPECT_EQ(0, get_step(&writer.done));
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	set_step(&reader.step, 1);
	/* The reader's thread goes on, outside: it sleeps, and nobody waits. */
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	EXPECT_EQ(0, reader.result);
	set_step(&reader.step, 2);
	ACTOR_JOIN(&reader);
}

static void *lock_now(void *arg)
{
	struct actor *a = arg;

	/* Not this thread's: nothing happens. */
	gm_space_unlock(a->ctx);
	set_step(&a->done, 1);
	a->result = gm_space_lock(a->ctx);
	set_step(&a->done, 2);
	gm_space_unlock(a->ctx);
	return NULL;
}

TEST_F(space, one_writer_at_a_time)
{
	struct actor other;

	ASSERT_OK(gm_space_lock(self->s));
	ACTOR_START(&other, lock_now, self->s);
	wait_step(&other.done, 1);
	sleep_ms(20);
	EXPECT_EQ(1, get_step(&other.done));
	EXPECT_EQ(0, gm_space_replace(self->s, self->first, GM_RELEASE_WAIT));
	gm_space_unlock(self->s);
	ACTOR_JOIN(&other);
	EXPECT_EQ(0, other.result);
	EXPECT_EQ(2, other.done);
}

/* A writer that waits can't be canceled there: it would keep locks for ever. */
TEST_F(space, canceled_while_it_waits_for_the_lock)
{
	struct actor other;

	ASSERT_OK(gm_space_lock(self->s));
	ACTOR_START(&other, lock_now, self->s);
	wait_step(&other.done, 1);
	sleep_ms(20);
	ASSERT_EQ(0, pthread_cancel(other.thread));
	sleep_ms(20);
	gm_space_unlock(self->s);
	ACTOR_JOIN(&other);
	EXPECT_EQ(2, other.done);
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
}

TEST_F(space, canceled_while_it_waits_for_readers)
{
	struct actor reader, writer;

	ACTOR_START(&reader, reading, self->s);
	wait_step(&reader.done, 1);
	ACTOR_START(&writer, removing, self->s);
	while (sees(self->s, HIGH))
		sleep_ms(1);
	ASSERT_EQ(0, pthread_cancel(writer.thread));
	sleep_ms(20);
	set_step(&reader.step, 1);
	ACTOR_JOIN(&writer);
	ASSERT_EQ(1, writer.done);
	EXPECT_EQ(0, writer.result);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	ASSERT_OK(gm_space_lock(self->s));
	gm_space_unlock(self->s);
	set_step(&reader.step, 2);
	ACTOR_JOIN(&reader);
}

static void *lock_and_stay(void *arg)
{
	struct actor *a = arg;
	struct gm_view v;

	a->result = gm_space_lock(a->ctx);
	gm_space_read_begin(a->ctx, &v);
	set_step(&a->done, 1);
	wait_step(&a->step, 1);
	gm_space_read_end(a->ctx);
	gm_space_unlock(a->ctx);
	return NULL;
}

/* The child has neither the other thread's lock nor its section. */
TEST_F(space, child_is_its_own_writer)
{
	FORKS();
	struct actor other;
	pid_t pid;

	ACTOR_START(&other, lock_and_stay, self->s);
	wait_step(&other.done, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_OK(sees(self->s, HIGH));
		CHILD_OK(!remove_high(self->s, GM_RELEASE_WAIT));
		CHILD_OK(vma_is_unmapped(self->high, SIZE));
		CHILD_OK(!sees(self->s, HIGH));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(sees(self->s, HIGH));
	set_step(&other.step, 1);
	ACTOR_JOIN(&other);
}

TEST_F(space, fork_with_the_lock)
{
	FORKS();
	pid_t pid;

	ASSERT_OK(gm_space_lock(self->s));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_OK(gm_space_lock(self->s) == -EDEADLK);
		CHILD_OK(!gm_space_replace(self->s, self->first,
					   GM_RELEASE_WAIT));
		gm_space_unlock(self->s);
		CHILD_OK(!remove_high(self->s, GM_RELEASE_WAIT));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	gm_space_unlock(self->s);
}

TEST_F(space, membarrier_taken_away_keeps_memory)
{
	ASSERT_EQ(0, gm_epoch_synchronize());
	gm_epoch_enter();
	if (gm_epoch_self->fence)
		SKIP(return, "no membarrier here");
	gm_epoch_exit();
	if (refuse_syscall(__NR_membarrier, EPERM))
		SKIP(return, "no seccomp filter to be had here");
	EXPECT_FAIL(remove_high(self->s, GM_RELEASE_WAIT), EPERM, GM_ERR_IO, 0,
		    0, 0, 0);
	/* Published, and nothing freed: who knows who reads it? */
	EXPECT_FALSE(sees(self->s, HIGH));
	EXPECT_TRUE(vma_is_mapped(self->high, SIZE));
	EXPECT_EQ(1, gm_space_reclaim(self->s));
}

TEST_F(space, without_membarrier)
{
	if (refuse_syscall(__NR_membarrier, ENOSYS))
		SKIP(return, "no seccomp filter to be had here");
	EXPECT_TRUE(sees(self->s, HIGH));
	ASSERT_OK(remove_high(self->s, GM_RELEASE_WAIT));
	EXPECT_EQ(1, gm_epoch_self->fence);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
	EXPECT_FALSE(sees(self->s, HIGH));
}

TEST_HARNESS_MAIN
