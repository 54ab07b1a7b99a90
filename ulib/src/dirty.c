/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dirty.c - consumers of one bitmap.
 *
 * The lock is a group's, and only those who ask take it. With it held, marks move
 * from the live bitmap to all consumers, and then comes the barrier: so whatever
 * a consumer finds in its own bitmap, under the lock, is settled.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "bitmap_private.h"

struct gm_dirty_consumer {
	struct gm_bitmap *live;		/* a reference */
	struct gm_bitmap *pending;
	struct gm_dirty_consumer *next;
};

/* Made for a bitmap's first consumer; goes with the bitmap. */
struct gm_dirty_group {
	pthread_mutex_t lock;
	struct gm_dirty_consumer *first;
};

bool gm_dirty_group_in_use(const struct gm_dirty_group *g)
{
	return g && __atomic_load_n(&g->first, __ATOMIC_RELAXED);
}

void gm_dirty_group_free(struct gm_dirty_group *g)
{
	if (!g)
		return;
	pthread_mutex_destroy(&g->lock);
	free(g);
}

/* Nobody uses the bitmap meanwhile: no lock. */
int gm_dirty_group_enlarge(struct gm_dirty_group *g, uint64_t bytes)
{
	struct gm_dirty_consumer *c;
	int ret = 0;

	/* One that was made longer before a failure does no harm: nothing is marked there. */
	for (c = g ? g->first : NULL; c && !ret; c = c->next)
		if (c->pending->bytes < bytes)
			ret = gm_bitmap_enlarge(c->pending,
						bytes - c->pending->bytes);
	return ret;
}

/* The bitmap's group; several threads may ask for the first time at once. */
static struct gm_dirty_group *get_group(struct gm_bitmap *bm)
{
	struct gm_dirty_group *g, *others = NULL;

	g = __atomic_load_n(&bm->group, __ATOMIC_ACQUIRE);
	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	pthread_mutex_init(&g->lock, NULL);
	if (__atomic_compare_exchange_n(&bm->group, &others, g, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return g;
	gm_dirty_group_free(g);
	return others;
}

int gm_dirty_consumer_new(struct gm_bitmap *bm, struct gm_dirty_consumer **out)
{
	struct gm_dirty_consumer *c;
	struct gm_dirty_group *g;
	int ret;

	ret = gm_bitmap_refuse_foreign(bm);
	if (ret)
		return ret;
	c = calloc(1, sizeof(*c));
	g = get_group(bm);
	if (!c || !g) {
		free(c);
		return gm_error_memory(sizeof(*c));
	}
	ret = gm_bitmap_new(bm->bytes, gm_bitmap_page_size(bm), &c->pending);
	if (ret) {
		free(c);
		return ret;
	}
	c->live = gm_bitmap_get(bm);
	pthread_mutex_lock(&g->lock);
	c->next = g->first;
	__atomic_store_n(&g->first, c, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&g->lock);
	*out = c;
	return 0;
}

void gm_dirty_consumer_free(struct gm_dirty_consumer *c)
{
	struct gm_dirty_consumer **at;
	struct gm_dirty_group *g;

	if (!c)
		return;
	g = c->live->group;
	pthread_mutex_lock(&g->lock);
	for (at = &g->first; *at != c; at = &(*at)->next)
		;
	__atomic_store_n(at, c->next, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&g->lock);
	gm_bitmap_put(c->pending);
	gm_bitmap_put(c->live);
	free(c);
}

static uint64_t give_to_all(void *ctx, uint64_t word, uint64_t bits)
{
	const struct gm_dirty_group *g = ctx;
	struct gm_dirty_consumer *c;

	for (c = g->first; c; c = c->next)
		gm_bitmap_mark_bits(c->pending, word, bits);
	return 0;
}

/* Move what was marked in @span to all consumers. The lock is held. */
static void share(struct gm_dirty_group *g, struct gm_bitmap *live,
		  struct gm_page_run span)
{
	if (gm_bitmap_drain(live, &span, give_to_all, g))
		gm_bitmap_settle(live);
}

int64_t gm_dirty_consumer_take_runs(struct gm_dirty_consumer *c,
				    struct gm_page_run *span,
				    struct gm_page_run *runs, size_t max)
{
	struct gm_dirty_group *g = c->live->group;
	struct gm_runs r = { .runs = runs, .max = max };

	if (!max)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_ARRAY_SMALL, 0, 0,
					   1, 0);
	pthread_mutex_lock(&g->lock);
	share(g, c->live, *span);
	gm_bitmap_drain(c->pending, span, gm_runs_add, &r);
	pthread_mutex_unlock(&g->lock);
	return (int64_t)r.n;
}

void gm_dirty_consumer_mark(struct gm_dirty_consumer *c, uint64_t off,
			    uint64_t len)
{
	struct gm_dirty_group *g = c->live->group;
	uint64_t bytes = c->live->bytes;

	/* Its own bitmap may be longer: see gm_dirty_group_enlarge(). */
	if (off >= bytes)
		return;
	pthread_mutex_lock(&g->lock);
	gm_bitmap_mark(c->pending, off, gm_min(len, bytes - off));
	pthread_mutex_unlock(&g->lock);
}

uint64_t gm_dirty_consumer_count(struct gm_dirty_consumer *c)
{
	struct gm_page_run all = { 0, UINT64_MAX };
	struct gm_dirty_group *g = c->live->group;
	uint64_t n;

	pthread_mutex_lock(&g->lock);
	share(g, c->live, all);
	n = gm_bitmap_count(c->pending);
	pthread_mutex_unlock(&g->lock);
	return n;
}

uint64_t gm_dirty_consumer_page_size(const struct gm_dirty_consumer *c)
{
	return gm_bitmap_page_size(c->live);
}
