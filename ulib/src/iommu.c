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

/* The call of translate() that this thread is in; NULL: none. With the lock. */
static struct gm_iommu_upcall *own_upcall(const struct gm_iommu *i)
{
	struct gm_iommu_upcall *u = i->upcalls;

	while (u && !pthread_equal(u->thread, pthread_self()))
		u = u->next;
	return u;
}

/*
 * An answer that was looked up before an invalidation and comes after it would
 * undo that: it is dropped, and the access asks again.
 */
int gm_iommu_map(struct gm_iommu *i, gm_iova_t iova, gm_size_t len,
		 gm_gpa_t target, enum gm_perm perm)
{
	uint64_t start = gm_iova_raw(iova);
	const struct gm_iommu_upcall *u;
	int ret = 0;

	pthread_mutex_lock(&i->lock);
	u = own_upcall(i);
	if (!u || !u->stale || !len || u->stale_last < start ||
	    (u->stale_first >= start && u->stale_first - start > len - 1))
		ret = gm_iotlb_set_mapping(i->tlb, iova, len, target, perm);
	pthread_mutex_unlock(&i->lock);
	return ret;
}

/* Calls of translate() that are under way may bring what is now forgotten. */
static void make_stale(struct gm_iommu *i, uint64_t first, uint64_t last)
{
	struct gm_iommu_upcall *u;

	pthread_mutex_lock(&i->lock);
	for (u = i->upcalls; u; u = u->next) {
		u->stale_first = u->stale ? gm_min(u->stale_first, first) :
					    first;
		u->stale_last = u->stale && u->stale_last > last ?
				u->stale_last : last;
		u->stale = true;
	}
	pthread_mutex_unlock(&i->lock);
}

/* Before something is changed that can't be waited for afterwards. */
static int refuse_section(void)
{
	if (gm_epoch_inside())
		return gm_error_set(-EDEADLK, GM_ERR_DEADLOCK, 0, 0);
	return 0;
}

int gm_iommu_invalidate(struct gm_iommu *i, gm_iova_t iova, gm_size_t len)
{
	int ret = refuse_section();

	if (!ret)
		ret = gm_tlb_range_error(gm_iova_raw(iova), len);
	if (ret)
		return ret;
	make_stale(i, gm_iova_raw(iova), gm_iova_raw(iova) + (len - 1));
	gm_iotlb_invalidate(i->tlb, iova, len);
	return gm_epoch_synchronize();
}

int gm_iommu_invalidate_all(struct gm_iommu *i)
{
	int ret = refuse_section();

	if (ret)
		return ret;
	make_stale(i, 0, UINT64_MAX);
	gm_iotlb_invalidate_all(i->tlb);
	return gm_epoch_synchronize();
}

int gm_iommu_set_enabled(struct gm_iommu *i, bool on)
{
	int ret = refuse_section();

	if (ret)
		return ret;
	/* Two that switch at once: what is on is of one of them, all of it. */
	pthread_mutex_lock(&i->lock);
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

/* Is a call under way that will answer for @page, too? */
static bool is_asked(const struct gm_iommu *i, uint64_t page,
		     enum gm_perm perm)
{
	const struct gm_iommu_upcall *u;

	for (u = i->upcalls; u; u = u->next)
		if (page >= u->first && page <= u->last &&
		    gm_perm_allows(u->perm, perm))
			return true;
	return false;
}

/* Waits for who asks already. Returns false if there is nobody. */
static bool join(struct gm_iommu *i, uint64_t page, enum gm_perm perm)
{
	if (!is_asked(i, page, perm))
		return false;
	i->joined++;
	do {
		pthread_cond_wait(&i->returned, &i->lock);
	} while (is_asked(i, page, perm));
	return true;
}

/* With the lock held. */
static void remove_upcall(struct gm_iommu *i, const struct gm_iommu_upcall *u)
{
	struct gm_iommu_upcall **p = &i->upcalls;

	while (*p != u)
		p = &(*p)->next;
	*p = u->next;
	pthread_cond_broadcast(&i->returned);
}

/* A translate() that gives no reason of its own gets one. */
static int upcall_error(int ret, uint64_t failures, uint64_t iova,
			uint64_t len)
{
	if (ret > 0)
		ret = -EFAULT;
	if (gm_error_count() == failures || gm_error_last()->err != ret)
		return gm_error_set(ret, GM_ERR_IOVA, iova, len);
	return ret;
}

int gm_iommu_ask(struct gm_iommu *i, uint64_t iova, uint64_t len,
		 enum gm_perm perm)
{
	struct gm_iommu_upcall own = {
		.thread = pthread_self(),
		.first = iova >> GM_IOMMU_PAGE_SHIFT,
		.last = (iova + (len - 1)) >> GM_IOMMU_PAGE_SHIFT,
		.perm = perm,
	};
	uint64_t failures;
	int ret;

	pthread_mutex_lock(&i->lock);
	if (own_upcall(i)) {
		pthread_mutex_unlock(&i->lock);
		return gm_error_set(-EDEADLK, GM_ERR_DEADLOCK, iova, len);
	}
	if (join(i, own.first, perm)) {
		pthread_mutex_unlock(&i->lock);
		return 0;
	}
	own.next = i->upcalls;
	i->upcalls = &own;
	i->upcall_count++;
	pthread_mutex_unlock(&i->lock);
	failures = gm_error_count();
	ret = i->ops->translate(i->ctx, i, gm_iova(iova), len, perm);
	pthread_mutex_lock(&i->lock);
	remove_upcall(i, &own);
	i->failed += ret != 0;
	pthread_mutex_unlock(&i->lock);
	return ret ? upcall_error(ret, failures, iova, len) : own.stale;
}

int gm_iommu_fail(struct gm_iommu *i, int err, enum gm_error_kind kind,
		  uint64_t iova, uint64_t len)
{
	pthread_mutex_lock(&i->lock);
	i->failed++;
	pthread_mutex_unlock(&i->lock);
	return gm_error_set(err, kind, iova, len);
}
