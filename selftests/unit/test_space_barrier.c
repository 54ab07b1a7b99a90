/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * Who asks which sections are over has all threads pass a barrier, and then looks
 * at their notes. What happens between the two, step by step: membarrier(2) is
 * called by way of this file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include "kselftest_harness.h"
#include <guestmem/access.h>
#include <guestmem/reader.h>
#include "actor.h"
#include "expect.h"
#include "vma.h"

#define SIZE UINT64_C(0x10000)
#define LOW UINT64_C(0)
#define HIGH UINT64_C(0x100000)

/* What this thread does once, before and after its next barrier. */
static __thread void (*before_barrier)(void *ctx), (*after_barrier)(void *ctx);
static __thread void *hook_ctx;

static void do_once(void (**hook)(void *ctx))
{
	void (*fn)(void *ctx) = *hook;

	*hook = NULL;
	if (fn)
		fn(hook_ctx);
}

/* Like the real one, it takes six arguments, whatever the caller has passed. */
__attribute__((__no_sanitize_address__))
long syscall(long nr, ...)
{
	long (*real)(long nr, ...), a[6], ret;
	bool barrier;
	va_list ap;

	*(void **)(void *)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	barrier = nr == __NR_membarrier &&
		  (int)a[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED;
	if (barrier)
		do_once(&before_barrier);
	ret = real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (barrier)
		do_once(&after_barrier);
	return ret;
}

FIXTURE(barrier) {
	struct gm_space *s;
	struct gm_reader reader;
	struct actor writer;
	uint64_t note;			/* what others do not see yet */
	uint8_t *high;			/* host memory of HIGH */
};

FIXTURE_SETUP(barrier)
{
	struct gm_range ranges[] = { { gm_gpa(LOW), SIZE },
				     { gm_gpa(HIGH), SIZE } };
	struct gm_map *m;

	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 2, &m));
	self->high = gm_map_region(m, 1)->ext.host;
	ASSERT_OK(gm_space_new(m, &self->s));
	gm_map_put(m);
	gm_reader_init_space(&self->reader, self->s);
}

FIXTURE_TEARDOWN(barrier)
{
	gm_reader_exit(&self->reader);
	gm_space_put(self->s);
}

/*
 * A section begins, and finds HIGH. Its note is in no other CPU's sight: there it
 * may stay until the next barrier.
 */
static void begin_unseen(FIXTURE_DATA(barrier) *sc)
{
	gm_reader_begin(&sc->reader);
	sc->note = sc->reader.record.state;
	__atomic_store_n(&sc->reader.record.state, 0, __ATOMIC_RELEASE);
}

static void be_seen(void *ctx)
{
	FIXTURE_DATA(barrier) *sc = ctx;

	__atomic_store_n(&sc->reader.record.state, sc->note, __ATOMIC_RELEASE);
}

static void stop_here(void *ctx)
{
	struct actor *a = ctx;

	set_step(&a->done, 1);
	wait_step(&a->step, 2);
}

/* Take HIGH away; stop where it is away, and no barrier has been passed since. */
static void *hand_over_high(void *arg)
{
	struct actor *a = arg;
	FIXTURE_DATA(barrier) *sc = a->ctx;

	wait_step(&a->step, 1);
	before_barrier = stop_here;
	hook_ctx = a;
	a->result = gm_space_remove(sc->s, gm_gpa(HIGH), SIZE,
				    GM_RELEASE_LATER, NULL);
	return NULL;
}

static void section_then_removal(void *ctx)
{
	FIXTURE_DATA(barrier) *sc = ctx;

	begin_unseen(sc);
	set_step(&sc->writer.step, 1);
	wait_step(&sc->writer.done, 1);
}

TEST_F(barrier, what_is_taken_away_after_it_has_not_passed)
{
	uint32_t x;

	if (self->reader.record.fence)
		SKIP(return, "no membarrier here");
	ACTOR_START(&self->writer, hand_over_high, self);
	after_barrier = section_then_removal;
	hook_ctx = self;
	EXPECT_EQ(1, gm_space_reclaim(self->s));
	EXPECT_EQ(NULL, after_barrier);
	ASSERT_TRUE(vma_is_mapped(self->high, SIZE));
	/* The writer's own barrier comes now. */
	be_seen(self);
	set_step(&self->writer.step, 2);
	ACTOR_JOIN(&self->writer);
	EXPECT_EQ(0, self->writer.result);
	ASSERT_TRUE(vma_is_mapped(self->high, SIZE));
	EXPECT_EQ(0, gm_view_read_u32(&self->reader.view, gm_gpa(HIGH), &x));
	gm_reader_end(&self->reader);
	EXPECT_EQ(0, gm_space_reclaim(self->s));
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
}

/* Without a barrier, the writer would look at notes that it can't see. */
static void *remove_high(void *arg)
{
	struct actor *a = arg;
	FIXTURE_DATA(barrier) *sc = a->ctx;

	before_barrier = be_seen;
	hook_ctx = sc;
	a->result = gm_space_remove(sc->s, gm_gpa(HIGH), SIZE, GM_RELEASE_WAIT,
				    NULL);
	set_step(&a->done, 1);
	return NULL;
}

TEST_F(barrier, comes_before_the_look)
{
	uint32_t x;

	if (self->reader.record.fence)
		SKIP(return, "no membarrier here");
	begin_unseen(self);
	ACTOR_START(&self->writer, remove_high, self);
	sleep_ms(30);
	EXPECT_EQ(0, get_step(&self->writer.done));
	ASSERT_TRUE(vma_is_mapped(self->high, SIZE));
	EXPECT_EQ(0, gm_view_read_u32(&self->reader.view, gm_gpa(HIGH), &x));
	ASSERT_NE(0, __atomic_load_n(&self->reader.record.state,
				 __ATOMIC_ACQUIRE));
	gm_reader_end(&self->reader);
	ACTOR_JOIN(&self->writer);
	EXPECT_EQ(0, self->writer.result);
	EXPECT_TRUE(vma_is_unmapped(self->high, SIZE));
}

TEST_HARNESS_MAIN
