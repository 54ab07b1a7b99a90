/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu_private.h - an IOMMU, and what accesses through it have in common.
 */
#ifndef GM_IOMMU_PRIVATE_H
#define GM_IOMMU_PRIVATE_H

#include "iotlb_private.h"

/* One call of translate() that has not returned. */
struct gm_iommu_upcall {
	struct gm_iommu_upcall *next;
	pthread_t thread;
	uint64_t first;			/* pages */
	uint64_t last;
	enum gm_perm perm;
	/* What was told of the first byte, without what was invalidated since. */
	uint64_t at;
	bool answered;
	struct gm_tlb_item answer;
	/* What was invalidated meanwhile, from the lowest to the highest byte. */
	bool stale;
	uint64_t stale_first;
	uint64_t stale_last;
};

struct gm_iommu {
	struct gm_iotlb *tlb;
	struct gm_bitmap *dirty;
	uint32_t enabled;
	uint32_t refs;
	const struct gm_iommu_ops *ops;
	void *ctx;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t returned;
	struct gm_iommu_upcall *upcalls;
	uint64_t upcall_count;
	uint64_t joined;
	uint64_t failed;
};

/* The call of translate() that this thread is in; NULL: none. With the lock. */
static inline struct gm_iommu_upcall *
gm_iommu_own_upcall(const struct gm_iommu *i)
{
	struct gm_iommu_upcall *u = i->upcalls;

	while (u && !pthread_equal(u->thread, pthread_self()))
		u = u->next;
	return u;
}

/* Two misses are for the same page if they are in the same so many bytes. */
#define GM_IOMMU_PAGE_SHIFT 12

/*
 * How often an access asks in vain before it gives up; and how often it looks
 * again after others asked, or after what was told was invalidated at once.
 */
#define GM_IOMMU_TRIES 8
#define GM_IOMMU_LOOKS 1000

/*
 * Translation of the first bytes of [addr, addr + len), len not 0 and no wrap, in
 * a section, which may be left meanwhile if it is the library's @own and no other
 * is around it. Returns 0 with the mapping, or a block of it; GM_IOMMU_OFF;
 * -EFAULT, -EACCES, -EAGAIN, -EDEADLK or an error of translate().
 */
#define GM_IOMMU_OFF 1

int gm_iommu_find(struct gm_iommu *i, uint64_t addr, uint64_t len,
		  enum gm_perm perm, bool own, struct gm_tlb_item *out);

#endif /* GM_IOMMU_PRIVATE_H */
