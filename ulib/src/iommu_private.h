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

/* Two misses are for the same page if they are in the same so many bytes. */
#define GM_IOMMU_PAGE_SHIFT 12

/*
 * How often an access asks again before it gives up: where nothing came of it,
 * and where the answer was invalidated before it could be used.
 */
#define GM_IOMMU_TRIES 8
#define GM_IOMMU_STALE_TRIES 1000

/*
 * Asks for [iova, iova + len), or waits for who already does. Outside of any
 * section. Returns 0: look again; 1: the same, the answer was invalidated.
 */
int gm_iommu_ask(struct gm_iommu *i, uint64_t iova, uint64_t len,
		 enum gm_perm perm);

/* @err and @kind, counted as an access that failed. */
int gm_iommu_fail(struct gm_iommu *i, int err, enum gm_error_kind kind,
		  uint64_t iova, uint64_t len);

#endif /* GM_IOMMU_PRIVATE_H */
