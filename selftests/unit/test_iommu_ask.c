/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * iommu.h: what is told in translate() is of use even if it does not stay in the
 * IOTLB; what is asked for at once is not asked for twice; resolving ahead.
 */
/* gm-test: windows */
#include <pthread.h>
#include <sched.h>
#include "kselftest_harness.h"
#include <guestmem/epoch.h>
#include "actor.h"
#include "expect.h"
#include "iommu_guest.h"

/* What translate() is to do, and what came of it. */
struct ask {
	struct iommu_guest g;
	struct gm_iommu *iommu;
	struct gm_view v;
	void *(*tells)(void *);	/* tells it; NULL, or not if that fails */
	bool by_other;		/* in another thread */
	uint64_t taken;		/* page that is taken back */
	uint64_t calls;
	int ret;		/* of a call that is not allowed */
	uint64_t begun;		/* of two at once */
	uint64_t len[2];	/* asked for from page 0, from page 1 */
	uint32_t asked;		/* steps of actor.h */
	uint32_t tell;
};

static int setup(struct ask *a, const struct gm_iommu_ops *ops)
{
	int ret;

	memset(a, 0, sizeof(*a));
	ret = iommu_guest_init(&a->g, 8, NULL);
	if (ret)
		return ret;
	ret = gm_iommu_new(ops, a, 1, NULL, &a->iommu);
	if (ret) {
		iommu_guest_exit(&a->g);
		return ret;
	}
	gm_view_init_iommu(&a->v, a->iommu, a->g.map);
	return 0;
}

static void teardown(struct ask *a)
{
	gm_iommu_put(a->iommu);
	iommu_guest_exit(&a->g);
}

static uint64_t upcalls(const struct ask *a)
{
	struct gm_iommu_stats s;

	gm_iommu_stats(a->iommu, &s);
	return s.upcalls;
}

/* There is room for one mapping: the second takes its place. */
static void *tell_two(void *arg)
{
	struct ask *a = arg;
	int ret = gm_iommu_map(a->iommu, gm_iova(IOVA), PAGE, gm_gpa(GPA),
			       GM_PERM_READ);

	if (!ret)
		ret = gm_iommu_map(a->iommu, gm_iova(IOVA + 4 * PAGE), PAGE,
				   gm_gpa(GPA + PAGE), GM_PERM_RW);
	return ret ? a : NULL;
}

static int translate_told(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			  gm_size_t len, enum gm_perm perm)
{
	struct ask *a = ctx;
	void *failed = NULL;
	pthread_t t;

	(void)iommu, (void)iova, (void)len, (void)perm;
	a->calls++;
	if (!a->by_other)
		return a->tells(a) ? -EIO : 0;
	if (pthread_create(&t, NULL, a->tells, a))
		return -EIO;
	pthread_join(t, &failed);
	return failed ? -EIO : 0;
}

static const struct gm_iommu_ops told_ops = { .translate = translate_told };

static void lost_at_once(struct __test_metadata *_metadata, bool by_other)
{
	struct ask a;
	uint32_t x = 0;
	int i;

	ASSERT_OK(setup(&a, &told_ops));
	a.tells = tell_two;
	a.by_other = by_other;
	iommu_guest_host(&a.g, GPA)[8] = 0x42;
	for (i = 1; i <= 3; i++) {
		ASSERT_OK(gm_view_read_u32(&a.v, gm_gpa(IOVA + 8), &x));
		EXPECT_EQ(0x42, x);
		EXPECT_EQ(i, a.calls);
	}
	EXPECT_FAIL(gm_view_write_u32(&a.v, gm_gpa(IOVA + 8), 1), EACCES,
		    GM_ERR_PERMISSION, IOVA + 8, 4, 0, 0);
	EXPECT_EQ(4, a.calls);
	teardown(&a);
}

TEST(answer_is_used_though_it_was_evicted)
{
	lost_at_once(_metadata, false);
}

TEST(answer_of_another_thread_is_used_though_it_was_evicted)
{
	lost_at_once(_metadata, true);
}

/* What is told by another thread, and invalidated by it, is not used. */
static void *tell_and_take_back(void *arg)
{
	struct ask *a = arg;
	void *failed = tell_two(a);

	/* The second time it stays. */
	if (a->calls == 1 && gm_iommu_invalidate(a->iommu, gm_iova(IOVA), PAGE))
		failed = a;
	return failed;
}

TEST(answer_that_was_invalidated_is_not_used)
{
	struct ask a;
	uint32_t x;

	ASSERT_OK(setup(&a, &told_ops));
	a.tells = tell_and_take_back;
	a.by_other = true;
	ASSERT_OK(gm_view_read_u32(&a.v, gm_gpa(IOVA), &x));
	EXPECT_EQ(2, a.calls);
	teardown(&a);
}

/*
 * Of two pages in one answer, one is taken back before who asked looks; then it is
 * elsewhere.
 */
static void *tell_and_take_back_part(void *arg)
{
	uint64_t target = GPA + 2 * PAGE;
	struct ask *a = arg;
	int ret;

	if (a->calls > 1)
		return gm_iommu_map(a->iommu, gm_iova(IOVA + a->taken * PAGE),
				    PAGE, gm_gpa(GPA + 5 * PAGE),
				    GM_PERM_RW) ? a : NULL;
	ret = gm_iommu_map(a->iommu, gm_iova(IOVA), 2 * PAGE, gm_gpa(target),
			   GM_PERM_RW);
	if (!ret)
		ret = gm_iommu_invalidate(a->iommu,
					  gm_iova(IOVA + a->taken * PAGE),
					  PAGE);
	return ret ? a : NULL;
}

/* 8 bytes at @iova are @want, after so many questions. */
static void part_invalidated(struct __test_metadata *_metadata, uint64_t taken,
			     uint64_t iova, uint64_t calls, uint64_t want)
{
	struct ask a;
	uint64_t x;

	ASSERT_OK(setup(&a, &told_ops));
	a.tells = tell_and_take_back_part;
	a.by_other = true;
	a.taken = taken;
	memset(iommu_guest_host(&a.g, GPA + 2 * PAGE), 0x22, 2 * PAGE);
	memset(iommu_guest_host(&a.g, GPA + 5 * PAGE), 0x55, PAGE);
	ASSERT_OK(gm_view_read_le64(&a.v, gm_gpa(iova), &x));
	EXPECT_EQ(calls, a.calls);
	EXPECT_EQ(want, x);
	teardown(&a);
}

TEST(part_of_an_answer_that_was_invalidated_is_not_used)
{
	/* Behind the first byte: what is before it is used, the rest is asked for. */
	part_invalidated(_metadata, 1, IOVA + PAGE - 4, 2,
			 UINT64_C(0x5555555522222222));
	/* Before the first byte. */
	part_invalidated(_metadata, 0, IOVA + PAGE, 1,
			 UINT64_C(0x2222222222222222));
}

/* --- not in translate() --- */

static int translate_invalidates(void *ctx, struct gm_iommu *iommu,
				 gm_iova_t iova, gm_size_t len,
				 enum gm_perm perm)
{
	struct ask *a = ctx;

	(void)perm;
	a->calls++;
	a->ret = gm_iommu_invalidate(iommu, iova, len);
	if (a->ret == -EDEADLK)
		a->ret = gm_iommu_invalidate_all(iommu);
	if (a->ret == -EDEADLK)
		a->ret = gm_iommu_set_enabled(iommu, false);
	if (a->ret == -EDEADLK)
		a->ret = gm_iommu_resolve(iommu, iova, len, GM_PERM_READ);
	return tell_two(a) ? -EIO : 0;
}

TEST(callback_that_invalidates)
{
	static const struct gm_iommu_ops ops = {
		.translate = translate_invalidates,
	};
	struct ask a;
	uint32_t x;

	ASSERT_OK(setup(&a, &ops));
	ASSERT_OK(gm_view_read_u32(&a.v, gm_gpa(IOVA), &x));
	EXPECT_EQ(1, a.calls);
	EXPECT_EQ(-EDEADLK, a.ret);
	EXPECT_TRUE(gm_iommu_is_enabled(a.iommu));
	teardown(&a);
}

/* --- two at once --- */

/* Both are asked for before either is told. */
static int translate_both(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			  gm_size_t len, enum gm_perm perm)
{
	uint64_t page = (gm_iova_raw(iova) - IOVA) / PAGE;
	struct ask *a = ctx;

	(void)perm;
	a->len[page] = len;
	__atomic_fetch_add(&a->begun, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&a->begun, __ATOMIC_SEQ_CST) < 2)
		sched_yield();
	return gm_iommu_map(iommu, gm_iova(IOVA + page * PAGE), PAGE,
			    gm_gpa(GPA + page * PAGE), GM_PERM_RW);
}

static void *resolve_page_1(void *arg)
{
	struct ask *a = arg;

	return gm_iommu_resolve(a->iommu, gm_iova(IOVA + PAGE), PAGE,
				GM_PERM_READ) ? a : NULL;
}

TEST(nothing_is_asked_for_that_another_asks_for)
{
	static const struct gm_iommu_ops ops = { .translate = translate_both };
	void *failed = NULL;
	struct ask a;
	pthread_t t;

	ASSERT_OK(setup(&a, &ops));
	ASSERT_EQ(0, pthread_create(&t, NULL, resolve_page_1, &a));
	while (!upcalls(&a))
		sched_yield();
	ASSERT_OK(gm_iommu_resolve(a.iommu, gm_iova(IOVA + 8), PAGE,
				   GM_PERM_READ));
	pthread_join(t, &failed);
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(PAGE, a.len[1]);
	EXPECT_EQ(PAGE - 8, a.len[0]);
	teardown(&a);
}

/* --- canceled --- */

/* Tells when it may: here a thread could be canceled. */
static int translate_when_told(void *ctx, struct gm_iommu *iommu,
			       gm_iova_t iova, gm_size_t len,
			       enum gm_perm perm)
{
	struct ask *a = ctx;

	(void)iova, (void)len, (void)perm;
	set_step(&a->asked, 1);
	wait_step(&a->tell, 1);
	pthread_testcancel();
	return gm_iommu_map(iommu, gm_iova(IOVA), PAGE, gm_gpa(GPA), GM_PERM_RW);
}

static const struct gm_iommu_ops when_told_ops = {
	.translate = translate_when_told,
};

static void *read_one(void *arg)
{
	struct actor *actor = arg;
	struct ask *a = actor->ctx;
	struct gm_view v;
	uint32_t x;

	gm_view_init_iommu(&v, a->iommu, a->g.map);
	actor->result = gm_view_read_u32(&v, gm_gpa(IOVA), &x);
	set_step(&actor->done, 1);
	return NULL;
}

/* Others would wait for the answer, or for the lock, for ever. */
TEST(canceled_while_it_asks)
{
	struct actor asks;
	struct ask a;
	uint32_t x;

	ASSERT_OK(setup(&a, &when_told_ops));
	ACTOR_START(&asks, read_one, &a);
	wait_step(&a.asked, 1);
	ASSERT_EQ(0, pthread_cancel(asks.thread));
	set_step(&a.tell, 1);
	ACTOR_JOIN(&asks);
	ASSERT_EQ(1, asks.done);
	EXPECT_EQ(0, asks.result);
	ASSERT_OK(gm_view_read_u32(&a.v, gm_gpa(IOVA), &x));
	teardown(&a);
}

TEST(canceled_while_it_waits_for_who_asks)
{
	struct gm_iommu_stats s = { .joined = 0 };
	struct actor asks, waits;
	struct ask a;

	ASSERT_OK(setup(&a, &when_told_ops));
	ACTOR_START(&asks, read_one, &a);
	wait_step(&a.asked, 1);
	ACTOR_START(&waits, read_one, &a);
	for (; !s.joined; sched_yield())
		gm_iommu_stats(a.iommu, &s);
	ASSERT_EQ(0, pthread_cancel(waits.thread));
	sleep_ms(20);
	set_step(&a.tell, 1);
	ACTOR_JOIN(&waits);
	ASSERT_EQ(1, waits.done);
	EXPECT_EQ(0, waits.result);
	ACTOR_JOIN(&asks);
	EXPECT_EQ(0, asks.result);
	teardown(&a);
}

/* --- ahead --- */

TEST(resolved_ahead)
{
	struct iommu_guest g;
	uint32_t x;

	ASSERT_OK(iommu_guest_init(&g, 8, NULL));
	iommu_guest_set(&g, 0, GPA + 3 * PAGE, GM_PERM_RW);
	iommu_guest_set(&g, 1, GPA + 9 * PAGE, GM_PERM_READ);
	ASSERT_OK(gm_iommu_resolve(g.iommu, gm_iova(IOVA), 0, GM_PERM_RW));
	EXPECT_EQ(0, g.calls);
	ASSERT_OK(gm_iommu_resolve(g.iommu, gm_iova(IOVA + 8), PAGE,
				   GM_PERM_READ));
	EXPECT_EQ(1, g.calls);
	gm_view_begin(&g.v);
	EXPECT_EQ(0, gm_view_read_u32(&g.v, gm_gpa(IOVA), &x));
	EXPECT_EQ(0, gm_view_read_u32(&g.v, gm_gpa(IOVA + PAGE), &x));
	/* Inside of a section it would have to ask, and does not. */
	EXPECT_FAIL(gm_iommu_resolve(g.iommu, gm_iova(IOVA + 2 * PAGE), 8,
				     GM_PERM_READ),
		    EAGAIN, GM_ERR_IOTLB_MISS, IOVA + 2 * PAGE, 8, 0, 0);
	gm_view_end(&g.v);
	EXPECT_EQ(1, g.calls);
	EXPECT_FAIL(gm_iommu_resolve(g.iommu, gm_iova(IOVA), PAGE + 1,
				     GM_PERM_WRITE),
		    EACCES, GM_ERR_PERMISSION, IOVA + PAGE, 1, 0, 0);
	EXPECT_FAIL(gm_iommu_resolve(g.iommu, gm_iova(IOVA + PAGE), 2 * PAGE,
				     GM_PERM_READ),
		    EFAULT, GM_ERR_IOVA, IOVA + 2 * PAGE, PAGE, 0, 0);
	EXPECT_FAIL(gm_iommu_resolve(g.iommu, gm_iova(2), UINT64_MAX,
				     GM_PERM_READ),
		    EOVERFLOW, GM_ERR_OVERFLOW, 2, UINT64_MAX, 0, 0);
	ASSERT_OK(gm_iommu_set_enabled(g.iommu, false));
	ASSERT_OK(gm_iommu_resolve(g.iommu, gm_iova(IOVA + 2 * PAGE), 8,
				   GM_PERM_READ));
	iommu_guest_exit(&g);
}

/* In a section of any kind, a read that misses does not wait. */
TEST(miss_inside_of_a_section)
{
	struct iommu_guest g;
	uint32_t x;

	ASSERT_OK(iommu_guest_init(&g, 8, NULL));
	iommu_guest_set(&g, 0, GPA, GM_PERM_RW);
	gm_epoch_enter();
	EXPECT_FAIL(gm_view_read_u32(&g.v, gm_gpa(IOVA), &x), EAGAIN,
		    GM_ERR_IOTLB_MISS, IOVA, 4, 0, 0);
	gm_epoch_exit();
	EXPECT_EQ(0, g.calls);
	ASSERT_OK(gm_iommu_resolve(g.iommu, gm_iova(IOVA), 4, GM_PERM_READ));
	gm_epoch_enter();
	EXPECT_EQ(0, gm_view_read_u32(&g.v, gm_gpa(IOVA), &x));
	EXPECT_TRUE(gm_epoch_inside());
	gm_epoch_exit();
	EXPECT_FALSE(gm_epoch_inside());
	iommu_guest_exit(&g);
}

/* An end that has no begin does nothing. */
TEST(end_without_begin)
{
	struct iommu_guest g;
	struct gm_slice s;

	ASSERT_OK(iommu_guest_init(&g, 8, NULL));
	gm_view_end(&g.v);
	EXPECT_FAIL(gm_view_slice(&g.v, gm_gpa(IOVA), 8, GM_PERM_RW, &s),
		    EINVAL, GM_ERR_SECTION, IOVA, 8, 0, 0);
	EXPECT_EQ(g.iommu, gm_view_iommu(&g.v));
	iommu_guest_exit(&g);
}

TEST_HARNESS_MAIN
