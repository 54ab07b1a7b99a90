/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * iommu.h with threads: misses of one page are one question; no access goes on
 * with a translation that was invalidated.
 */
/* gm-test: windows */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include "kselftest_harness.h"
#include <guestmem/epoch.h>
#include "expect.h"
#include "iommu_guest.h"
#include "scale.h"

#define THREADS 4
#define RUN_NS 500000000LL

/* --- misses at once --- */

struct ask {
	struct iommu_guest g;
	struct gm_iommu *iommu;
	uint64_t calls;		/* begun */
	uint64_t expect;	/* misses that are to wait before it returns */
	int err;
	uint64_t failed;
};

static uint64_t joined(struct gm_iommu *i)
{
	struct gm_iommu_stats s;

	gm_iommu_stats(i, &s);
	return s.joined;
}

/* Answers when all others have missed, too. */
static int slow_translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			  gm_size_t len, enum gm_perm perm)
{
	struct ask *a = ctx;

	(void)perm, (void)len;
	__atomic_fetch_add(&a->calls, 1, __ATOMIC_RELAXED);
	while (joined(iommu) < a->expect)
		sched_yield();
	if (a->err)
		return a->err;
	return gm_iommu_map(iommu, gm_iova_and(iova, ~(PAGE - 1)), PAGE,
			    gm_gpa(GPA), GM_PERM_RW);
}

struct asker {
	struct ask *a;
	uint64_t off;
};

static void *miss(void *arg)
{
	struct asker *self = arg;
	struct gm_view v;
	uint8_t x;

	gm_view_init_iommu(&v, self->a->iommu, self->a->g.map);
	if (gm_view_read(&v, gm_gpa(IOVA + self->off), &x, 1))
		__atomic_fetch_add(&self->a->failed, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void miss_together(struct __test_metadata *_metadata, struct ask *a,
			  uint64_t stride)
{
	static const struct gm_iommu_ops ops = { .translate = slow_translate };
	struct asker self[THREADS];
	pthread_t t[THREADS];
	uint64_t i;

	ASSERT_OK(iommu_guest_init(&a->g, 8, NULL));
	ASSERT_OK(gm_iommu_new(&ops, a, 8, NULL, &a->iommu));
	for (i = 0; i < THREADS; i++) {
		self[i].a = a;
		self[i].off = i * stride;
		pthread_create(&t[i], NULL, miss, &self[i]);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void miss_done(struct ask *a)
{
	gm_iommu_put(a->iommu);
	iommu_guest_exit(&a->g);
}

TEST(misses_of_one_page_are_one_question)
{
	struct ask a = { .expect = THREADS - 1 };
	struct gm_iommu_stats s;

	miss_together(_metadata, &a, 64);
	EXPECT_EQ(1, a.calls);
	EXPECT_EQ(0, a.failed);
	gm_iommu_stats(a.iommu, &s);
	EXPECT_EQ(1, s.upcalls);
	EXPECT_EQ(THREADS - 1, s.joined);
	EXPECT_EQ(THREADS, s.iotlb.misses);
	EXPECT_EQ(0, s.failed);
	miss_done(&a);
}

TEST(misses_of_other_pages_are_questions_of_their_own)
{
	struct ask a = { .expect = 0 };

	miss_together(_metadata, &a, PAGE);
	EXPECT_EQ(THREADS, a.calls);
	EXPECT_EQ(0, joined(a.iommu));
	EXPECT_EQ(0, a.failed);
	miss_done(&a);
}

/* Who waited for an answer that was none asks itself. */
TEST(question_that_failed_fails_all)
{
	struct ask a = { .expect = THREADS - 1, .err = -EPERM };

	miss_together(_metadata, &a, 64);
	EXPECT_EQ(THREADS, a.failed);
	EXPECT_LE(1, a.calls);
	EXPECT_GE(THREADS, a.calls);
	miss_done(&a);
}

/* --- a miss just before the answer --- */

struct rounds {
	struct iommu_guest g;
	struct gm_iommu *iommu;
	uint64_t arrived;	/* two a round */
	uint64_t calls;
	uint64_t failed;
};

static int quick_translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			   gm_size_t len, enum gm_perm perm)
{
	struct rounds *r = ctx;

	(void)len;
	__atomic_fetch_add(&r->calls, 1, __ATOMIC_RELAXED);
	return gm_iommu_map(iommu, iova, PAGE, gm_gpa(GPA), perm);
}

/* A page a round, which both threads miss at about the same time. */
static void *resolve_in_step(void *arg)
{
	struct rounds *r = arg;
	uint64_t n;

	for (n = 0; n < test_iterations(100000); n++) {
		__atomic_fetch_add(&r->arrived, 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&r->arrived, __ATOMIC_ACQUIRE) <
		       2 * n + 2)
			sched_yield();
		if (gm_iommu_resolve(r->iommu, gm_iova(IOVA + n * PAGE), PAGE,
				     GM_PERM_READ))
			__atomic_fetch_add(&r->failed, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Who looked before the answer and would ask after it has it, and does not ask. */
TEST(no_page_is_asked_for_twice)
{
	static const struct gm_iommu_ops ops = { .translate = quick_translate };
	struct rounds r = { .calls = 0 };
	pthread_t t;

	ASSERT_OK(iommu_guest_init(&r.g, 8, NULL));
	ASSERT_OK(gm_iommu_new(&ops, &r, 64, NULL, &r.iommu));
	ASSERT_EQ(0, pthread_create(&t, NULL, resolve_in_step, &r));
	resolve_in_step(&r);
	pthread_join(t, NULL);
	EXPECT_EQ(0, r.failed);
	EXPECT_EQ(test_iterations(100000), r.calls);
	gm_iommu_put(r.iommu);
	iommu_guest_exit(&r.g);
}

/* --- invalidation --- */

struct race {
	struct iommu_guest g;
	bool stop;
	uint64_t accesses;
	uint64_t wrong;
};

static struct race race;

/*
 * The IOVA's page is in turn page 0 and page 1 of the guest. Whichever it is not
 * has a 0 in the byte that readers look at, and nothing is written there.
 */
static void *access_all(void *arg)
{
	struct race *r = arg;
	struct gm_view v;
	uint64_t n = 0;

	gm_view_init_iommu(&v, r->g.iommu, r->g.map);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		uint64_t x = 1;

		if (gm_view_read_u64(&v, gm_gpa(IOVA), &x) || !x ||
		    gm_view_write_u64(&v, gm_gpa(IOVA + 64 + n % 8 * 8), n | 1))
			break;
		n++;
	}
	if (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED))
		__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->accesses, n, __ATOMIC_RELAXED);
	return NULL;
}

/* With a slice in a section: it stays good for as long as that is open. */
static void *hold_slices(void *arg)
{
	struct race *r = arg;
	struct gm_view v;
	bool ok = true;

	gm_view_init_iommu(&v, r->g.iommu, r->g.map);
	while (ok && !__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		struct gm_slice s;
		uint64_t x = 1;
		int i, ret;

		gm_view_begin(&v);
		ret = gm_view_slice(&v, gm_gpa(IOVA), 256, GM_PERM_RW, &s);
		for (i = 0; !ret && i < 8 && ok; i++)
			ok = !gm_slice_read(s, 0, &x, 8) && x &&
			     !gm_slice_write(s, 128, &x, 8);
		gm_view_end(&v);
		if (ret == -EAGAIN)
			ret = gm_view_check_range(&v, gm_gpa(IOVA), 256,
						  GM_PERM_RW);
		ok = ok && !ret;
	}
	if (!ok)
		__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* The map of a page that is used no more has nothing written to it. */
static bool is_quiet(const uint8_t *page)
{
	uint64_t i;

	for (i = 0; i < 256; i += 8)
		if (__atomic_load_n((const uint64_t *)(page + i),
				    __ATOMIC_RELAXED))
			return false;
	return true;
}

static void clear(uint8_t *page)
{
	uint64_t i;

	for (i = 0; i < 256; i += 8)
		__atomic_store_n((uint64_t *)(page + i), 0, __ATOMIC_RELAXED);
}

/* One unmap and map, as a strict guest does. */
static bool turn(struct race *r, uint64_t round)
{
	uint64_t now = GPA + (round & 1) * PAGE;
	uint64_t before = GPA + (~round & 1) * PAGE;
	uint8_t *to = iommu_guest_host(&r->g, now);
	uint8_t *from = iommu_guest_host(&r->g, before);

	__atomic_store_n((uint64_t *)to, 1, __ATOMIC_RELEASE);
	/* What translate() looks at: before the old translation is dropped. */
	__atomic_store_n(&r->g.table[0].gpa, now, __ATOMIC_RELEASE);
	if (gm_iommu_invalidate(r->g.iommu, gm_iova(IOVA), PAGE))
		return false;
	clear(from);
	if (round % 64 == 0)
		sched_yield();
	return is_quiet(from);
}

static int race_translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
			  gm_size_t len, enum gm_perm perm)
{
	struct race *r = ctx;
	uint64_t gpa = __atomic_load_n(&r->g.table[0].gpa, __ATOMIC_ACQUIRE);

	(void)iova, (void)len, (void)perm;
	/* A long way from the table to the answer: all may change meanwhile. */
	if (gpa & PAGE)
		sched_yield();
	return gm_iommu_map(iommu, gm_iova(IOVA), PAGE, gm_gpa(gpa),
			    GM_PERM_RW);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void race_accesses(struct __test_metadata *_metadata,
			  void *(*fn)(void *))
{
	static const struct gm_iommu_ops ops = { .translate = race_translate };
	int64_t end = now_ns() + RUN_NS;
	uint64_t round;
	struct race *r = &race;
	pthread_t t[THREADS];
	bool ok = true;
	int i;

	memset(r, 0, sizeof(*r));
	ASSERT_OK(iommu_guest_init(&r->g, 4, NULL));
	gm_iommu_put(r->g.iommu);
	ASSERT_OK(gm_iommu_new(&ops, r, 4, NULL, &r->g.iommu));
	iommu_guest_set(&r->g, 0, GPA, GM_PERM_RW);
	*(uint64_t *)iommu_guest_host(&r->g, GPA) = 1;
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, fn, r);
	for (round = 1; ok && (now_ns() < end || round < 10); round++)
		ok = turn(r, round);
	EXPECT_TRUE(ok);
	__atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(0, r->wrong);
	iommu_guest_exit(&r->g);
}

TEST(no_access_goes_on_after_invalidation)
{
	race_accesses(_metadata, access_all);
}

TEST(no_slice_is_in_use_after_invalidation)
{
	race_accesses(_metadata, hold_slices);
}

static void *switch_it(void *arg)
{
	struct iommu_guest *g = arg;
	uint64_t i;

	for (i = 0; i < test_iterations(500); i++)
		if (gm_iommu_set_enabled(g->iommu, i & 1))
			return g;
	return NULL;
}

/* Page GPA is at IOVA GPA, too: it makes no difference who looks when. */
TEST(switched_on_and_off_under_readers)
{
	struct iommu_guest g;
	void *failed = NULL;
	uint64_t i, x = 0;
	pthread_t t;

	ASSERT_OK(iommu_guest_init(&g, 8, NULL));
	ASSERT_OK(gm_iommu_map(g.iommu, gm_iova(GPA), PAGE, gm_gpa(GPA),
			       GM_PERM_RW));
	iommu_guest_host(&g, GPA)[0] = 7;
	pthread_create(&t, NULL, switch_it, &g);
	for (i = 0; i < test_iterations(20000); i++) {
		ASSERT_OK(gm_view_read_u64(&g.v, gm_gpa(GPA), &x));
		ASSERT_EQ(7, x);
	}
	pthread_join(t, &failed);
	EXPECT_EQ(NULL, failed);
	iommu_guest_exit(&g);
}

TEST_HARNESS_MAIN
