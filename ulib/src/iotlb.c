/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb.c - a cache of an IOMMU's translations: making it, and changing it.
 */
#include <errno.h>
#include <stdlib.h>

#include "aligned.h"
#include "iotlb_private.h"

int gm_iotlb_new(uint64_t capacity, struct gm_iotlb **out)
{
	struct gm_iotlb *t;

	if (!capacity || capacity > GM_IOTLB_CAPACITY_MAX)
		return gm_error_set(-EINVAL, GM_ERR_SIZE, capacity, 0);
	t = gm_aligned_alloc(GM_CACHE_LINE, sizeof(*t));
	if (!t)
		return gm_error_memory(sizeof(*t));
	*t = (struct gm_iotlb){ .capacity = capacity, .random = 1 };
	if (!gm_tlb_front_init(&t->front, capacity) ||
	    !gm_tlb_tree_init(&t->tree, capacity)) {
		gm_tlb_front_exit(&t->front);
		gm_aligned_free(t);
		return gm_error_memory(capacity *
				       sizeof(struct gm_tlb_bucket));
	}
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return 0;
}

void gm_iotlb_free(struct gm_iotlb *t)
{
	if (!t)
		return;
	gm_tlb_front_exit(&t->front);
	gm_tlb_tree_exit(&t->tree);
	pthread_mutex_destroy(&t->lock);
	gm_aligned_free(t);
}

int gm_tlb_range_error(uint64_t iova, uint64_t len)
{
	if (!len)
		return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH, iova, 0);
	if (len - 1 > UINT64_MAX - iova)
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, iova, len);
	return 0;
}

/* xorshift64: good enough to hit no pattern of a guest's. */
static uint64_t next_random(struct gm_iotlb *t)
{
	uint64_t x = t->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	t->random = x;
	return x;
}

static void evict_one(struct gm_iotlb *t)
{
	uint64_t x = next_random(t);
	struct gm_tlb_item item;
	struct gm_tlb_pos pos;

	pos.leaf = (uint32_t)((x >> 32) % t->tree.leaves);
	pos.i = (uint32_t)x % t->tree.leaf[t->tree.order[pos.leaf]].count;
	gm_tlb_get(&t->tree, pos, &item);
	gm_tlb_front_remove(&t->front, item.start, item.last);
	gm_tlb_cut(&t->tree, item.start, item.last);
	t->evictions++;
}

/* Is there a mapping that [start, last] is inside of, with bytes on both sides? */
static bool cut_makes_two(const struct gm_iotlb *t, uint64_t start,
			  uint64_t last)
{
	struct gm_tlb_item item;

	return gm_tlb_get(&t->tree, gm_tlb_find(&t->tree, start), &item) &&
	       item.start < start && item.last > last;
}

/* Takes out what is in a range. */
static void cut(struct gm_iotlb *t, uint64_t start, uint64_t last)
{
	struct gm_tlb_item item;

	if (!gm_tlb_get(&t->tree, gm_tlb_find(&t->tree, start), &item) ||
	    item.start > last)
		return;
	/* The one to be cut may be the one that goes: that is all right, too. */
	if (t->tree.count == t->capacity && cut_makes_two(t, start, last))
		evict_one(t);
	gm_tlb_front_remove(&t->front, start, last);
	gm_tlb_cut(&t->tree, start, last);
}

/* Is all of it there already, in one mapping? */
static bool is_there(const struct gm_iotlb *t, const struct gm_tlb_item *new)
{
	struct gm_tlb_item item;

	return gm_tlb_get(&t->tree, gm_tlb_find(&t->tree, new->start),
			  &item) &&
	       item.start <= new->start && item.last >= new->last &&
	       item.delta == new->delta && item.perm == new->perm;
}

int gm_tlb_item_init(struct gm_tlb_item *item, gm_iova_t iova, gm_size_t len,
		     gm_gpa_t target, enum gm_perm perm)
{
	int ret = gm_tlb_range_error(gm_iova_raw(iova), len);

	if (ret)
		return ret;
	if (len - 1 > UINT64_MAX - gm_gpa_raw(target))
		return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW,
				    gm_gpa_raw(target), len);
	item->start = gm_iova_raw(iova);
	item->last = item->start + (len - 1);
	item->delta = gm_gpa_raw(target) - item->start;
	item->perm = gm_perm_and(perm, GM_PERM_RW);
	return 0;
}

void gm_tlb_set(struct gm_iotlb *t, const struct gm_tlb_item *item)
{
	pthread_mutex_lock(&t->lock);
	if (!is_there(t, item)) {
		gm_tlb_write_begin(&t->tree);
		cut(t, item->start, item->last);
		if (t->tree.count == t->capacity &&
		    !gm_tlb_joins(&t->tree, item))
			evict_one(t);
		gm_tlb_insert(&t->tree, item);
		gm_tlb_write_end(&t->tree);
	}
	pthread_mutex_unlock(&t->lock);
}

int gm_iotlb_set_mapping(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len,
			 gm_gpa_t target, enum gm_perm perm)
{
	struct gm_tlb_item item;
	int ret = gm_tlb_item_init(&item, iova, len, target, perm);

	if (!ret)
		gm_tlb_set(t, &item);
	return ret;
}

int gm_iotlb_invalidate(struct gm_iotlb *t, gm_iova_t iova, gm_size_t len)
{
	uint64_t start = gm_iova_raw(iova);
	int ret = gm_tlb_range_error(start, len);

	if (ret)
		return ret;
	pthread_mutex_lock(&t->lock);
	gm_tlb_write_begin(&t->tree);
	cut(t, start, start + (len - 1));
	gm_tlb_write_end(&t->tree);
	t->invalidations++;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

void gm_iotlb_invalidate_all(struct gm_iotlb *t)
{
	pthread_mutex_lock(&t->lock);
	gm_tlb_write_begin(&t->tree);
	gm_tlb_front_clear(&t->front);
	gm_tlb_clear(&t->tree);
	gm_tlb_write_end(&t->tree);
	t->invalidations++;
	pthread_mutex_unlock(&t->lock);
}

void gm_iotlb_set_quick(struct gm_iotlb *t, bool on)
{
	pthread_mutex_lock(&t->lock);
	gm_tlb_front_set_quick(&t->front, on);
	pthread_mutex_unlock(&t->lock);
}

void gm_iotlb_stats(struct gm_iotlb *t, struct gm_iotlb_stats *out)
{
	struct gm_iotlb_stats s = { .capacity = t->capacity };
	size_t i;

	for (i = 0; i < GM_THREAD_SLOTS; i++) {
		const struct gm_tlb_counters *c = &t->counters[i];

		s.hits += __atomic_load_n(&c->hits, __ATOMIC_RELAXED);
		s.misses += __atomic_load_n(&c->misses, __ATOMIC_RELAXED);
	}
	pthread_mutex_lock(&t->lock);
	s.evictions = t->evictions;
	s.invalidations = t->invalidations;
	s.mappings = t->tree.count;
	pthread_mutex_unlock(&t->lock);
	*out = s;
}
