/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * test_dma_lookup.c - the table that finds a segment: from 1 to thousands, of
 * all sizes, high up and far apart, compared with a plain search; and lookups
 * while sets come and go.
 */
/* gm-test: windows */
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include "kselftest_harness.h"
#include <guestmem/dma.h>
#include "expect.h"
#include "own_region.h"
#include "random.h"
#include "scale.h"

#define MAX_SEGS 4096

/* Guest memory that nobody touches: two regions, cut into segments. */
struct layout {
	struct own_region own[2];
	struct gm_region *r[2];
	struct gm_map *m;
	struct gm_dma_map *dm[2];
	struct gm_dma *d;
	struct gm_dma_seg segs[2][MAX_SEGS];
	size_t count[2];
};

FIXTURE(lookup) {
	struct layout *l;
	struct rnd rnd;
};

FIXTURE_SETUP(lookup)
{
	self->l = calloc(1, sizeof(*self->l));
	ASSERT_NE(NULL, self->l);
	self->rnd.state = 5;
}

FIXTURE_TEARDOWN(lookup)
{
	free(self->l);
}

/* Cuts @len bytes into @n pieces of random lengths, multiples of @unit. */
static void cut(struct rnd *rnd, struct gm_dma_seg *segs, size_t n,
		uint64_t len, uint64_t unit)
{
	uint64_t left = len / unit;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t most = left - (n - i - 1);
		uint64_t part = i + 1 == n ? left :
				1 + rnd_below(rnd, 2 * most / (n - i));

		if (part > most)
			part = most;
		left -= part;
		segs[i].len = part * unit;
		/* Apart from each other, so that none are merged. */
		segs[i].address = (uint64_t)(n - i) << 40 |
				  rnd_below(rnd, 1 << 20) * unit;
	}
}

static int layout_make(struct layout *l, const uint64_t base[2],
		       const uint64_t len[2])
{
	int ret = 0, i;

	for (i = 0; i < 2 && !ret; i++) {
		l->r[i] = &l->own[i].r;
		ret = own_region_init_on_demand(&l->own[i], base[i], len[i],
						NULL, NULL);
	}
	if (!ret)
		ret = gm_map_new(l->r, 2, &l->m);
	for (i = 0; i < 2 && !ret; i++)
		ret = gm_dma_map_new(l->r[i], gm_roff(0), GM_PERM_RW,
				     l->segs[i], l->count[i], "x", NULL, NULL,
				     &l->dm[i]);
	return ret ? ret : gm_dma_new(l->m, l->dm, 2, &l->d);
}

static void layout_free(struct layout *l)
{
	int i;

	gm_dma_put(l->d);
	for (i = 0; i < 2; i++)
		gm_dma_map_put(l->dm[i]);
	gm_map_put(l->m);
	for (i = 0; i < 2; i++)
		gm_region_put(l->r[i]);
}

/* What a plain search says: bytes left in the segment, 0: none. */
static uint64_t search(const struct layout *l, uint64_t gpa, uint64_t *address)
{
	size_t i, j;

	for (i = 0; i < 2; i++) {
		uint64_t off = gpa - l->r[i]->ext.base;

		if (off >= l->r[i]->ext.len)
			continue;
		for (j = 0; off >= l->segs[i][j].len; j++)
			off -= l->segs[i][j].len;
		*address = l->segs[i][j].address + off;
		return l->segs[i][j].len - off;
	}
	return 0;
}

static void check(struct __test_metadata *_metadata, const struct layout *l,
		  uint64_t gpa)
{
	uint64_t want = 0, got = 0, left = search(l, gpa, &want);
	int ret = gm_dma_address(l->d, gm_gpa(gpa), left, GM_PERM_RW, &got);

	ASSERT_EQ(left ? 0 : -EFAULT, ret)
		TH_LOG("at %#" PRIx64, gpa);
	ASSERT_EQ(want, got)
		TH_LOG("at %#" PRIx64, gpa);
	/* One byte more is another segment, or none. */
	if (left)
		ASSERT_GT(0, gm_dma_address(l->d, gm_gpa(gpa), left + 1,
					    GM_PERM_RW, &got));
}

/* Each border of each segment, and random addresses in and around. */
static void check_all(struct __test_metadata *_metadata, struct rnd *rnd,
		      const struct layout *l)
{
	size_t i, j, step = l->count[0] + l->count[1];

	step = step / 64 + 1;
	for (i = 0; i < 2; i++) {
		uint64_t base = l->r[i]->ext.base, gpa = base;

		check(_metadata, l, base - 1);
		check(_metadata, l, base + l->r[i]->ext.len);
		for (j = 0; j < l->count[i]; j++) {
			if (j % step == 0) {
				check(_metadata, l, gpa);
				check(_metadata, l,
				      gpa + l->segs[i][j].len - 1);
			}
			gpa += l->segs[i][j].len;
		}
		for (j = 0; j < test_iterations(200); j++)
			check(_metadata, l,
			      base + rnd_below(rnd, l->r[i]->ext.len));
	}
	check(_metadata, l, 0);
	check(_metadata, l, UINT64_MAX);
}

TEST_F(lookup, agrees_with_a_plain_search)
{
	/* Low, with a hole; high up; so far apart that granules are crowded;
	 * up to the last byte.
	 */
	static const uint64_t bases[][2] = {
		{ 0, UINT64_C(1) << 32 },
		{ UINT64_C(1) << 40, (UINT64_C(1) << 40) + (1 << 30) },
		{ 0x1000, UINT64_C(1) << 52 },
		{ UINT64_C(1) << 62, UINT64_MAX - (1 << 30) + 1 },
	};
	static const size_t counts[] = { 1, 2, 16, 17, 256, 4096 };
	static const uint64_t units[] = { 1, 4096, 1 << 16 };
	const uint64_t len[2] = { 1 << 28, 1 << 30 };
	struct layout *l = self->l;
	size_t b, c, u;

	for (b = 0; b < 4; b++) {
		for (c = 0; c < 6; c++) {
			for (u = 0; u < 3; u++) {
				l->count[0] = counts[c] / 2 + 1;
				l->count[1] = counts[c];
				cut(&self->rnd, l->segs[0], l->count[0], len[0],
				    units[u]);
				cut(&self->rnd, l->segs[1], l->count[1], len[1],
				    units[u]);
				ASSERT_OK(layout_make(l, bases[b], len));
				check_all(_metadata, &self->rnd, l);
				layout_free(l);
			}
		}
	}
}

/* Tiny ones at the start of a large region: all in one granule. */
TEST_F(lookup, crowded_granule)
{
	const uint64_t base[2] = { UINT64_C(1) << 30, UINT64_C(1) << 50 };
	const uint64_t len[2] = { 1 << 28, 4096 };
	struct layout *l = self->l;

	cut(&self->rnd, l->segs[0], MAX_SEGS - 1, 8 * MAX_SEGS, 1);
	l->segs[0][MAX_SEGS - 1].len = len[0] - 8 * MAX_SEGS;
	l->segs[0][MAX_SEGS - 1].address = UINT64_C(1) << 60;
	l->count[0] = MAX_SEGS;
	l->count[1] = 1;
	cut(&self->rnd, l->segs[1], 1, len[1], 1);
	ASSERT_OK(layout_make(l, base, len));
	check_all(_metadata, &self->rnd, l);
	layout_free(l);
}

/* Segments and ranges over all of them, whatever the room. */
TEST_F(lookup, segments_are_those_of_the_map)
{
	const uint64_t base[2] = { 0, 1 << 28 };
	const uint64_t len[2] = { 1 << 28, 1 << 28 };
	struct gm_range all = { gm_gpa(0), 1 << 29 };
	struct gm_iov_cursor cursor;
	struct gm_dma_seg out[100];
	struct layout *l = self->l;
	uint64_t bytes;
	size_t at = 0;
	int n, i;

	l->count[0] = 333;
	l->count[1] = 777;
	cut(&self->rnd, l->segs[0], 333, len[0], 512);
	cut(&self->rnd, l->segs[1], 777, len[1], 512);
	ASSERT_OK(layout_make(l, base, len));
	EXPECT_FAIL(gm_dma_segments(l->d, gm_gpa(0), 1 << 29, GM_PERM_READ, out,
				    100),
		    EMSGSIZE, GM_ERR_ARRAY_SMALL, 0, 1 << 29, 1110, 100);
	ASSERT_OK(gm_iov_init(&cursor, &all, 1));
	while ((n = gm_dma_extract(l->d, &cursor, GM_PERM_READ, UINT64_MAX, out,
				   100, &bytes)) > 0) {
		for (i = 0; i < n; i++, at++) {
			const struct gm_dma_seg *s = at < 333 ?
				&l->segs[0][at] : &l->segs[1][at - 333];

			EXPECT_EQ(s->address, out[i].address);
			EXPECT_EQ(s->len, out[i].len);
		}
	}
	EXPECT_EQ(0, n);
	EXPECT_EQ(1110, at);
	layout_free(l);
}

/* One thread looks up in whatever set it is given; another makes new ones. */
struct shared {
	struct layout *l;
	struct gm_dma *current;
	pthread_mutex_t lock;
	uint64_t rounds;
	uint64_t wrong;
	uint64_t lookups;
};

static struct gm_dma *take(struct shared *s)
{
	struct gm_dma *d;

	pthread_mutex_lock(&s->lock);
	d = gm_dma_get(s->current);
	pthread_mutex_unlock(&s->lock);
	return d;
}

static void *look_up(void *arg)
{
	struct shared *s = arg;
	uint64_t i, a, want = 0;

	for (i = 0; i < s->rounds; i++) {
		struct gm_dma *d = take(s);

		search(s->l, 4096, &want);
		s->wrong += gm_dma_address(d, gm_gpa(4096), 1, GM_PERM_RW,
					   &a) || a != want;
		/* The other region is there or not. */
		s->lookups += !gm_dma_address(d, gm_gpa(1 << 20), 1,
					      GM_PERM_RW, &a);
		gm_dma_put(d);
	}
	return NULL;
}

static void publish(struct shared *s, struct gm_dma *d)
{
	struct gm_dma *old;

	pthread_mutex_lock(&s->lock);
	old = s->current;
	s->current = d;
	pthread_mutex_unlock(&s->lock);
	gm_dma_put(old);
}

TEST_F(lookup, while_sets_change)
{
	const uint64_t base[2] = { 0, 1 << 20 };
	const uint64_t len[2] = { 1 << 20, 1 << 20 };
	struct layout *l = self->l;
	struct shared s = { .l = l, .rounds = test_iterations(20000) };
	struct gm_dma *less, *more;
	pthread_t reader;
	uint64_t i;

	l->count[0] = 16;
	l->count[1] = 16;
	cut(&self->rnd, l->segs[0], 16, len[0], 4096);
	cut(&self->rnd, l->segs[1], 16, len[1], 4096);
	ASSERT_OK(layout_make(l, base, len));
	pthread_mutex_init(&s.lock, NULL);
	s.current = gm_dma_get(l->d);
	ASSERT_EQ(0, pthread_create(&reader, NULL, look_up, &s));
	for (i = 0; i < test_iterations(2000); i++) {
		ASSERT_OK(gm_dma_remove(l->d, gm_gpa(1 << 20), 1 << 20, &less));
		publish(&s, gm_dma_get(less));
		ASSERT_OK(gm_dma_insert(less, l->dm[1], &more));
		publish(&s, more);
		gm_dma_put(less);
	}
	ASSERT_EQ(0, pthread_join(reader, NULL));
	EXPECT_EQ(0, s.wrong);
	gm_dma_put(s.current);
	pthread_mutex_destroy(&s.lock);
	layout_free(l);
}

TEST_HARNESS_MAIN
