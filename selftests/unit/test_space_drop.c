/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * space.h: old maps are dropped by one thread at a time; by whom, and who waits
 * for it. Release functions of regions run meanwhile, and may be slow.
 */
/* gm-test: windows */
#include <stdlib.h>
#include "kselftest_harness.h"
#include <guestmem/reader.h>
#include "actor.h"
#include "expect.h"
#include "own_region.h"
#include "scale.h"
#include "system.h"

#define SIZE UINT64_C(0x1000)
#define HIGH UINT64_C(0x100000)

/* A space of LOW and HIGH. HIGH is the test's own, and its release is seen. */
FIXTURE(drop) {
	struct gm_space *s;
	struct gm_map *low;
	struct own_region high;
	uint8_t mem[SIZE];
};

FIXTURE_SETUP(drop)
{
	struct gm_range low = { gm_gpa(0), SIZE };
	struct gm_map *both;

	ASSERT_OK(gm_map_new_mmap(&low, NULL, 1, &self->low));
	ASSERT_OK(own_region_init_direct(&self->high, HIGH, SIZE, self->mem,
					 NULL));
	ASSERT_OK(gm_map_insert(self->low, &self->high.r, &both));
	gm_region_put(&self->high.r);
	ASSERT_OK(gm_space_new(both, &self->s));
	gm_map_put(both);
}

FIXTURE_TEARDOWN(drop)
{
	gm_space_put(self->s);
	gm_map_put(self->low);
	EXPECT_EQ(1, self->high.released);
	EXPECT_EQ(0, self->high.bad);
}

static int replace(struct gm_space *s, struct gm_map *m, enum gm_release how)
{
	int ret = gm_space_lock(s);

	if (!ret)
		ret = gm_space_replace(s, m, how);
	gm_space_unlock(s);
	return ret;
}

/* HIGH is in an old map alone, which nobody reads any more. */
static int hand_over_high(struct gm_space *s, struct gm_map *low)
{
	int ret;

	ret = gm_space_lock(s);
	if (ret)
		return ret;
	gm_epoch_enter();
	ret = gm_space_replace(s, low, GM_RELEASE_LATER);
	gm_epoch_exit();
	gm_space_unlock(s);
	return ret;
}

static void stop_here(struct own_region *o)
{
	struct actor *a = o->ctx;

	set_step(&a->done, 1);
	wait_step(&a->step, 1);
}

static void *reclaim(void *arg)
{
	struct actor *a = arg;

	a->result = (int64_t)gm_space_reclaim(a->ctx);
	set_step(&a->done, 2);
	return NULL;
}

struct writer {
	struct gm_space *s;
	struct gm_map *m;
};

static void *replace_and_wait(void *arg)
{
	struct actor *a = arg;
	struct writer *w = a->ctx;

	a->result = replace(w->s, w->m, GM_RELEASE_WAIT);
	set_step(&a->done, 1);
	return NULL;
}

/* When it returns, all old maps are gone: also one that another thread has. */
TEST_F(drop, waiting_writer_waits_for_who_drops)
{
	struct writer w = { self->s, self->low };
	struct actor dropper, writer;

	ASSERT_OK(hand_over_high(self->s, self->low));
	self->high.on_release = stop_here;
	self->high.ctx = &dropper;
	ACTOR_START(&dropper, reclaim, self->s);
	wait_step(&dropper.done, 1);
	EXPECT_EQ(1, gm_space_reclaim(self->s));

	ACTOR_START(&writer, replace_and_wait, &w);
	while (gm_space_reclaim(self->s) < 2)
		sleep_ms(1);
	sleep_ms(20);
	EXPECT_EQ(0, get_step(&writer.done));
	EXPECT_EQ(0, self->high.released);
	set_step(&dropper.step, 1);
	ACTOR_JOIN(&writer);
	EXPECT_EQ(0, writer.result);
	EXPECT_EQ(1, self->high.released);
	ACTOR_JOIN(&dropper);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
}

/* Who does not wait for readers does not wait for that, either. */
TEST_F(drop, others_do_not_wait_for_who_drops)
{
	struct actor dropper;

	ASSERT_OK(hand_over_high(self->s, self->low));
	self->high.on_release = stop_here;
	self->high.ctx = &dropper;
	ACTOR_START(&dropper, reclaim, self->s);
	wait_step(&dropper.done, 1);
	EXPECT_EQ(0, replace(self->s, self->low, GM_RELEASE_LATER));
	EXPECT_EQ(2, gm_space_reclaim(self->s));
	gm_map_put(gm_space_snapshot(self->s));
	set_step(&dropper.step, 1);
	ACTOR_JOIN(&dropper);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
}

/* The one that drops is not in the child. */
TEST_F(drop, child_drops_by_itself)
{
	FORKS();
	struct actor dropper;
	pid_t pid;

	if (RUNNING_ON_VALGRIND)
		SKIP(return, "what a thread was just freeing leaks in a child");
	ASSERT_OK(hand_over_high(self->s, self->low));
	self->high.on_release = stop_here;
	self->high.ctx = &dropper;
	ACTOR_START(&dropper, reclaim, self->s);
	wait_step(&dropper.done, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_OK(!gm_space_reclaim(self->s));
		CHILD_OK(!replace(self->s, self->low, GM_RELEASE_WAIT));
		CHILD_OK(!gm_space_reclaim(self->s));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	set_step(&dropper.step, 1);
	ACTOR_JOIN(&dropper);
}

/* Both of a space's kinds of readers keep what they see, not what came between. */
TEST_F(drop, replaced_twice_while_readers_are_inside)
{
	struct gm_reader r;
	struct gm_view v;

	gm_reader_init_space(&r, self->s);
	ASSERT_OK(gm_space_lock(self->s));
	gm_reader_begin(&r);
	EXPECT_EQ(0, gm_space_replace(self->s, self->low, GM_RELEASE_LATER));
	gm_space_read_begin(self->s, &v);
	EXPECT_EQ(0, gm_space_replace(self->s, self->low, GM_RELEASE_LATER));
	EXPECT_EQ(2, gm_map_count(gm_view_map(&r.view)));
	EXPECT_EQ(1, gm_map_count(gm_view_map(&v)));
	EXPECT_EQ(2, gm_space_reclaim(self->s));
	EXPECT_EQ(0, self->high.released);
	gm_reader_end(&r);
	/* The reader's is gone, the section's is not. */
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	EXPECT_EQ(1, self->high.released);
	gm_space_read_end(self->s);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
	gm_space_unlock(self->s);
	EXPECT_EQ(self->low, gm_view_map(gm_reader_begin(&r)));
	gm_reader_end(&r);
	gm_reader_exit(&r);
}

struct seen {
	struct gm_space *s;
	struct gm_map *m;
	int lock, wait, later;
	size_t reclaim;
};

/* What a release function can do with the space that it is called by. */
static void use_space(struct own_region *o)
{
	struct seen *seen = o->ctx;

	seen->lock = gm_space_lock(seen->s);
	seen->wait = gm_space_replace(seen->s, seen->m, GM_RELEASE_WAIT);
	seen->later = gm_space_replace(seen->s, seen->m, GM_RELEASE_LATER);
	seen->reclaim = gm_space_reclaim(seen->s);
	gm_map_put(gm_space_snapshot(seen->s));
}

TEST_F(drop, release_function_of_a_writer_does_not_wait_for_itself)
{
	struct seen seen = { .s = self->s, .m = self->low };

	self->high.on_release = use_space;
	self->high.ctx = &seen;
	EXPECT_EQ(0, replace(self->s, self->low, GM_RELEASE_WAIT));
	EXPECT_EQ(1, self->high.released);
	EXPECT_EQ(-EDEADLK, seen.lock);
	EXPECT_EQ(-EDEADLK, seen.wait);
	EXPECT_EQ(0, seen.later);
	/* The one that it is in, and the one just handed over. */
	EXPECT_EQ(2, seen.reclaim);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
}

TEST_F(drop, release_function_of_another_does_not_wait_for_itself)
{
	struct seen seen = { .s = self->s, .m = self->low };

	ASSERT_OK(hand_over_high(self->s, self->low));
	self->high.on_release = use_space;
	self->high.ctx = &seen;
	EXPECT_EQ(0, gm_space_reclaim(self->s));
	EXPECT_EQ(1, self->high.released);
	EXPECT_EQ(-EDEADLK, seen.lock);
	EXPECT_EQ(-EPERM, seen.wait);
	EXPECT_EQ(-EPERM, seen.later);
	EXPECT_EQ(1, seen.reclaim);
}

TEST_HARNESS_MAIN
