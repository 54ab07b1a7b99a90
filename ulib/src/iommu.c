/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu.c - an IOMMU: its IOTLB, who is asked for what it misses, its switch.
 */
#include <errno.h>
#include <stdlib.h>

#include "iommu_private.h"

int gm_iommu_new(const struct gm_iommu_ops *ops, void *ctx, uint64_t capacity,
		 struct gm_bitmap *dirty, struct gm_iommu **out)
{
	struct gm_iommu *i;
	int ret;

	if (!ops || !ops->translate)
		return gm_error_set(-EINVAL, GM_ERR_IOMMU_CONFIG, 0, 0);
	i = calloc(1, sizeof(*i));
	if (!i)
		return gm_error_memory(sizeof(*i));
	ret = gm_iotlb_new(capacity, &i->tlb);
	if (ret) {
		free(i);
		return ret;
	}
	i->dirty = gm_bitmap_get(dirty);
	i->enabled = 1;
	i->refs = 1;
	i->ops = ops;
	i->ctx = ctx;
	pthread_mutex_init(&i->lock, NULL);
	pthread_cond_init(&i->returned, NULL);
	*out = i;
	return 0;
}

struct gm_iommu *gm_iommu_get(struct gm_iommu *i)
{
	gm_ref_inc(&i->refs);
	return i;
}

void gm_iommu_put(struct gm_iommu *i)
{
	if (!i || !gm_ref_dec_is_last(&i->refs))
		return;
	if (i->ops->release)
		i->ops->release(i->ctx);
	gm_iotlb_free(i->tlb);
	gm_bitmap_put(i->dirty);
	pthread_cond_destroy(&i->returned);
	pthread_mutex_destroy(&i->lock);
	free(i);
}

/* Is what a call of translate() may tell of a range older than an invalidation? */
static bool is_stale(const struct gm_iommu_upcall *u, uint64_t first,
		     uint64_t last)
{
	return u->stale && u->stale_last >= first && u->stale_first <= last;
}

/*
 * Who waits for this has it even if the IOTLB has lost it again before he looks:
 * other mappings may come at any rate.
 */
static void answer_all(struct gm_iommu *i, const struct gm_tlb_item *item)
{
	struct gm_iommu_upcall *u;

	for (u = i->upcalls; u; u = u->next) {
		if (u->at < item->start || u->at > item->last)
			continue;
		u->answer = *item;
		u->answered = true;
	}
}

/*
 * An answer that was looked up before an invalidation and comes after it would
 * undo that: it is dropped, and the access asks again.
 */
int gm_iommu_map(struct gm_iommu *i, gm_iova_t iova, gm_size_t len,
		 gm_gpa_t target, enum gm_perm perm)
{
	const struct gm_iommu_upcall *u;
	struct gm_tlb_item item;
	int ret = gm_tlb_item_init(&item, iova, len, target, perm);

	if (ret)
		return ret;
	pthread_mutex_lock(&i->lock);
	u = gm_iommu_own_upcall(i);
	if (!u || !is_stale(u, item.start, item.last)) {
		gm_tlb_set(i->tlb, &item);
		answer_all(i, &item);
	}
	pthread_mutex_unlock(&i->lock);
	return 0;
}

/*
 * Of what was told of a first byte, what is forgotten must go, and what is between
 * that byte and it may stay: the target of the rest is the same.
 */
static void cut_answer(struct gm_iommu_upcall *u, uint64_t first, uint64_t last)
{
	if (first > u->at)
		u->answer.last = gm_min(u->answer.last, first - 1);
	else if (last >= u->at)
		u->answered = false;
	else if (u->answer.start <= last)
		u->answer.start = last + 1;
}

/* Calls of translate() that are under way may bring what is now forgotten. */
static void make_stale(struct gm_iommu *i, uint64_t first, uint64_t last)
{
	struct gm_iommu_upcall *u;

	for (u = i->upcalls; u; u = u->next) {
		u->stale_first = u->stale ? gm_min(u->stale_first, first) :
					    first;
		u->stale_last = u->stale && u->stale_last > last ?
				u->stale_last : last;
		u->stale = true;
		cut_answer(u, first, last);
	}
}

/*
 * Takes the lock for a change that is waited for afterwards; not where that
 * would be for ever.
 */
static int lock_for_change(struct gm_iommu *i)
{
	bool forbidden = gm_epoch_inside();

	pthread_mutex_lock(&i->lock);
	if (!forbidden && !gm_iommu_own_upcall(i))
		return 0;
	pthread_mutex_unlock(&i->lock);
	return gm_error_set(-EDEADLK, GM_ERR_DEADLOCK, 0, 0);
}

int gm_iommu_invalidate(struct gm_iommu *i, gm_iova_t iova, gm_size_t len)
{
	int ret = gm_tlb_range_error(gm_iova_raw(iova), len);

	if (!ret)
		ret = lock_for_change(i);
	if (ret)
		return ret;
	make_stale(i, gm_iova_raw(iova), gm_iova_raw(iova) + (len - 1));
	gm_iotlb_invalidate(i->tlb, iova, len);
	pthread_mutex_unlock(&i->lock);
	return gm_epoch_synchronize();
}

int gm_iommu_invalidate_all(struct gm_iommu *i)
{
	int ret = lock_for_change(i);

	if (ret)
		return ret;
	make_stale(i, 0, UINT64_MAX);
	gm_iotlb_invalidate_all(i->tlb);
	pthread_mutex_unlock(&i->lock);
	return gm_epoch_synchronize();
}

int gm_iommu_set_enabled(struct gm_iommu *i, bool on)
{
	int ret = lock_for_change(i);

	if (ret)
		return ret;
	gm_shared_store(&i->enabled, (uint32_t)on);
	gm_iotlb_set_quick(i->tlb, on);
	pthread_mutex_unlock(&i->lock);
	return gm_epoch_synchronize();
}

bool gm_iommu_is_enabled(const struct gm_iommu *i)
{
	return gm_shared_load(&i->enabled) != 0;
}

struct gm_iotlb *gm_iommu_iotlb(const struct gm_iommu *i)
{
	return i->tlb;
}

struct gm_bitmap *gm_iommu_bitmap(const struct gm_iommu *i)
{
	return i->dirty;
}

void gm_iommu_stats(struct gm_iommu *i, struct gm_iommu_stats *out)
{
	struct gm_iommu_stats s = { .upcalls = 0 };

	gm_iotlb_stats(i->tlb, &s.iotlb);
	pthread_mutex_lock(&i->lock);
	s.upcalls = i->upcall_count;
	s.joined = i->joined;
	s.failed = i->failed;
	pthread_mutex_unlock(&i->lock);
	*out = s;
}
