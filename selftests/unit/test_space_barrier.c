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

struct scene {
	struct gm_space *s;
	struct gm_reader reader;
	struct actor writer;
	uint64_t note;
};

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
	struct scene *sc = a->ctx;

	wait_step(&a->step, 1);
	before_barrier = stop_here;
	hook_ctx = a;
	a->result = gm_space_remove(sc->s, gm_gpa(HIGH), SIZE,
				    GM_RELEASE_LATER, NULL);
	return NULL;
}

/*
 * A section begins, and finds HIGH. Its note is in no other CPU's sight: there it
 * may stay until the next barrier. Then HIGH is taken away.
 */
static void section_then_removal(void *ctx)
{
	struct scene *sc = ctx;

	gm_reader_begin(&sc->reader);
	sc->note = sc->reader.record.state;
	__atomic_store_n(&sc->reader.record.state, 0, __ATOMIC_RELEASE);
	set_step(&sc->writer.step, 1);
	wait_step(&sc->writer.done, 1);
}

TEST(what_is_taken_away_after_the_barrier_has_not_passed)
{
	struct gm_range ranges[] = { { gm_gpa(LOW), SIZE },
				     { gm_gpa(HIGH), SIZE } };
	struct scene sc = { 0 };
	struct gm_map *m;
	uint8_t *high;
	uint32_t x;

	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 2, &m));
	high = gm_map_region(m, 1)->ext.host;
	ASSERT_OK(gm_space_new(m, &sc.s));
	gm_map_put(m);
	gm_reader_init_space(&sc.reader, sc.s);
	if (sc.reader.record.fence)
		SKIP(return, "no membarrier here");
	ACTOR_START(&sc.writer, hand_over_high, &sc);

	after_barrier = section_then_removal;
	hook_ctx = &sc;
	EXPECT_EQ(1, gm_space_reclaim(sc.s));
	EXPECT_EQ(NULL, after_barrier);
	ASSERT_TRUE(vma_is_mapped(high, SIZE));
	/* The writer's barrier brings the note to light. */
	__atomic_store_n(&sc.reader.record.state, sc.note, __ATOMIC_RELEASE);
	set_step(&sc.writer.step, 2);
	ACTOR_JOIN(&sc.writer);
	EXPECT_EQ(0, sc.writer.result);
	ASSERT_TRUE(vma_is_mapped(high, SIZE));
	EXPECT_EQ(0, gm_view_read_u32(&sc.reader.view, gm_gpa(HIGH), &x));
	gm_reader_end(&sc.reader);
	EXPECT_EQ(0, gm_space_reclaim(sc.s));
	EXPECT_TRUE(vma_is_unmapped(high, SIZE));
	gm_reader_exit(&sc.reader);
	gm_space_put(sc.s);
}

TEST_HARNESS_MAIN
