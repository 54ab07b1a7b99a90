/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu_ask.c - an IOMMU: what its IOTLB misses is asked for, once at a time.
 */
#include <errno.h>

#include "iommu_private.h"

/* Is a call under way that will answer for @page, too? */
static const struct gm_iommu_upcall *find_asked(const struct gm_iommu *i,
						uint64_t page,
						enum gm_perm perm)
{
	const struct gm_iommu_upcall *u = i->upcalls;

	while (u && (page < u->first || page > u->last ||
		     !gm_perm_allows(u->perm, perm)))
		u = u->next;
	return u;
}

/* Waits for who asks already. Returns false if there is nobody. */
static bool join(struct gm_iommu *i, uint64_t page, enum gm_perm perm)
{
	if (!find_asked(i, page, perm))
		return false;
	i->joined++;
	do {
		pthread_cond_wait(&i->returned, &i->lock);
	} while (find_asked(i, page, perm));
	return true;
}

/* Of pages that begin where nobody asks, how far is that so? */
static uint64_t last_to_ask(const struct gm_iommu *i, uint64_t first,
			    uint64_t last, enum gm_perm perm)
{
	const struct gm_iommu_upcall *u;

	for (u = i->upcalls; u; u = u->next)
		if (u->first > first && u->first <= last &&
		    gm_perm_allows(u->perm, perm))
			last = u->first - 1;
	return last;
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

/* How a question ends that is no error. */
enum asked {
	TOLD = 1,	/* there is an answer */
	VAIN,		/* there is none */
	AGAIN,		/* somebody else asks or asked, or it was invalidated at once */
};

/* Returns 0 if it is this thread that asks; @len is what for. */
static int begin_upcall(struct gm_iommu *i, struct gm_iommu_upcall *u,
			uint64_t *len)
{
	uint64_t last;
	int ret = 0;

	pthread_mutex_lock(&i->lock);
	if (gm_iommu_own_upcall(i)) {
		ret = -EDEADLK;
	} else if (join(i, u->first, u->perm) ||
		   gm_tlb_has(i->tlb, u->at, u->perm)) {
		/* Whoever asked may have had the answer since the last look. */
		ret = AGAIN;
	} else {
		last = last_to_ask(i, u->first, u->last, u->perm);
		if (last < u->last)
			*len = ((last + 1) << GM_IOMMU_PAGE_SHIFT) - u->at;
		u->last = last;
		u->next = i->upcalls;
		i->upcalls = u;
		i->upcall_count++;
	}
	pthread_mutex_unlock(&i->lock);
	return ret < 0 ? gm_error_set(ret, GM_ERR_DEADLOCK, u->at, *len) : ret;
}

/* A translate() that gives no reason of its own gets one. */
static int call(struct gm_iommu *i, const struct gm_iommu_upcall *u,
		uint64_t len)
{
	uint64_t failures = gm_error_count();
	int ret = i->ops->translate(i->ctx, i, gm_iova(u->at), len, u->perm);

	if (!ret)
		return 0;
	if (ret > 0)
		ret = -EFAULT;
	if (gm_error_count() == failures || gm_error_last()->err != ret)
		return gm_error_set(ret, GM_ERR_IOVA, u->at, len);
	return ret;
}

static int end_upcall(struct gm_iommu *i, const struct gm_iommu_upcall *u,
		      int err, struct gm_tlb_item *answer)
{
	int ret = err;

	pthread_mutex_lock(&i->lock);
	remove_upcall(i, u);
	i->failed += err != 0;
	if (!err && u->answered)
		*answer = u->answer;
	if (!err)
		ret = u->answered ? TOLD : u->stale ? AGAIN : VAIN;
	pthread_mutex_unlock(&i->lock);
	return ret;
}

/*
 * Outside of any section when it is called, inside of one when it returns. It is no
 * cancellation point, whatever translate() does: a thread that ends there would keep
 * the lock, or leave its question to others, who wait for the answer.
 */
static int ask(struct gm_iommu *i, uint64_t addr, uint64_t len,
	       enum gm_perm perm, struct gm_tlb_item *answer)
{
	struct gm_iommu_upcall u = {
		.thread = pthread_self(),
		.first = addr >> GM_IOMMU_PAGE_SHIFT,
		.last = (addr + (len - 1)) >> GM_IOMMU_PAGE_SHIFT,
		.perm = perm,
		.at = addr,
	};
	int ret, cancel;
	bool called;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ret = begin_upcall(i, &u, &len);
	called = !ret;
	if (called)
		ret = call(i, &u, len);
	/* Who invalidates the answer after the last look at it waits for this. */
	gm_epoch_enter();
	if (called)
		ret = end_upcall(i, &u, ret, answer);
	pthread_setcancelstate(cancel, NULL);
	return ret;
}

/*
 * Asks outside of the library's own section. Inside of somebody else's, too,
 * nothing is asked for.
 */
static int leave_and_ask(struct gm_iommu *i, uint64_t addr, uint64_t len,
			 enum gm_perm perm, bool own,
			 struct gm_tlb_item *answer)
{
	if (own) {
		gm_epoch_exit();
		if (!gm_epoch_inside())
			return ask(i, addr, len, perm, answer);
		gm_epoch_enter();
	}
	return gm_error_set(-EAGAIN, GM_ERR_IOTLB_MISS, addr, len);
}

static int fail(struct gm_iommu *i, int err, uint64_t addr, uint64_t len)
{
	pthread_mutex_lock(&i->lock);
	i->failed++;
	pthread_mutex_unlock(&i->lock);
	return gm_error_set(err, err == -EACCES ? GM_ERR_PERMISSION :
						  GM_ERR_IOVA,
			    addr, len);
}

int gm_iommu_find(struct gm_iommu *i, uint64_t addr, uint64_t len,
		  enum gm_perm perm, bool own, struct gm_tlb_item *out)
{
	int vain = 0, looks, ret, asked = 0;

	for (looks = 0;; looks++) {
		if (gm_unlikely(!gm_shared_load(&i->enabled)))
			return GM_IOMMU_OFF;
		if (asked == TOLD)
			ret = gm_perm_allows(out->perm, perm) ? 0 : -EACCES;
		else
			ret = gm_tlb_lookup(i->tlb, addr, len, perm, out);
		if (!ret)
			return 0;
		/* Rights that were asked for are not there. */
		if ((ret == -EACCES && asked && asked != AGAIN) ||
		    vain == GM_IOMMU_TRIES || looks == GM_IOMMU_LOOKS)
			return fail(i, ret == -EACCES ? ret : -EFAULT, addr,
				    len);
		asked = leave_and_ask(i, addr, gm_tlb_fail_len(i->tlb, addr, len),
				      perm, own, out);
		if (asked < 0)
			return asked;
		vain += asked == VAIN;
	}
}

int gm_iommu_resolve(struct gm_iommu *i, gm_iova_t iova, gm_size_t len,
		     enum gm_perm perm)
{
	uint64_t addr = gm_iova_raw(iova), n;
	struct gm_tlb_item item;
	int ret;

	if (len && len - 1 > UINT64_MAX - addr)
		return gm_tlb_range_error(addr, len);
	for (; len; addr += n, len -= n) {
		gm_epoch_enter();
		ret = gm_iommu_find(i, addr, len, perm, true, &item);
		gm_epoch_exit();
		if (ret)
			return ret == GM_IOMMU_OFF ? 0 : ret;
		n = gm_min(len - 1, item.last - addr) + 1;
	}
	return 0;
}
