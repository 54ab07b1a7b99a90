/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * access_iommu.c - reads and writes through an IOMMU whose IOTLB knows the
 * address: the hot path.
 *
 * A view remembers the block that it hit last in its hint, which inline
 * functions never hit, since its span is 0:
 *
 *   base        start of the block, a multiple of 4 KiB; in its low bits log2 of
 *               its size << 2, and the rights that need no further look
 *   host        host address less IOVA
 *   generation  that of the IOTLB before it was asked
 *
 * The IOTLB's generation moves before anybody waits for who has an old
 * translation. So inside a section, one that is of this generation is good.
 */
#include "iommu_private.h"
#include "view_private.h"

/* Host address of @n bytes, if they are in the block hit last; else NULL. */
static inline uint8_t *recall(const struct gm_view *v, uint64_t iova,
			      uint64_t n, enum gm_perm perm,
			      uint64_t generation)
{
	uint64_t block = v->hint.base;
	uint32_t shift = (uint32_t)(block >> 2) & 63;

	if (v->hint.generation != generation || (block ^ iova) >> shift ||
	    n - 1 > (~iova & ((UINT64_C(1) << shift) - 1)) ||
	    !gm_perm_allows((enum gm_perm)(block & GM_PERM_RW), perm))
		return NULL;
	return gm_cast(uint8_t *, (uintptr_t)v->hint.host + iova);
}

/*
 * All of a block that is in one granule of the map has one distance to the host;
 * where both are aligned, the smaller one is inside the larger.
 */
static inline void remember(struct gm_view *v, const struct gm_tlb_block *b,
			    uint64_t iova, uint64_t to_host, enum gm_perm perm,
			    uint64_t generation)
{
	uint32_t shift = b->shift < v->map->shift ? b->shift : v->map->shift;
	uint64_t mask = (UINT64_C(1) << shift) - 1;

	if (gm_unlikely(shift < 12 || b->delta & mask))
		return;
	v->hint.base = (iova & ~mask) | shift << 2 | (uint64_t)perm;
	v->hint.host = gm_cast(uint8_t *, (uintptr_t)to_host);
	v->hint.generation = generation;
}

/* Where writes to guest address @gpa are marked; false: it takes none. */
static inline bool find_marks(const struct gm_view *v, uint64_t granule,
			      uint64_t gpa, uint64_t iova,
			      struct gm_bitmap_slice *marks)
{
	const struct gm_extent *e = &v->map->ext[v->map->table[granule]];

	if (gm_bitmap_refuses_write(e->dirty))
		return false;
	if (v->iommu->dirty)
		*marks = gm_bitmap_slice_at(v->iommu->dirty, iova);
	else
		*marks = gm_bitmap_slice_at(e->dirty, gpa - e->base);
	return true;
}

/*
 * Host address of @n bytes, if that is simple: known to the IOTLB, in one block
 * of it and in one direct granule of the map. In a section.
 */
static gm_always_inline uint8_t *find_host(struct gm_view *v, uint64_t iova,
					   uint64_t n, enum gm_perm perm,
					   struct gm_bitmap_slice *marks)
{
	struct gm_iotlb *t = v->iommu->tlb;
	const struct gm_map *m = v->map;
	/* Before the look: what is found may be older than that, not newer. */
	uint64_t generation = gm_shared_load(&t->generation);
	uint64_t gpa, granule, to_host;
	struct gm_tlb_block b;
	uint8_t *host;

	host = recall(v, iova, n, perm, generation);
	if (host)
		return host;
	if (gm_unlikely(!gm_shared_load(&v->iommu->enabled)) ||
	    gm_unlikely(!gm_tlb_front_find(&t->front, iova, &b)) ||
	    gm_unlikely(n - 1 > (~iova & ((UINT64_C(1) << b.shift) - 1))) ||
	    gm_unlikely(!gm_perm_allows(b.perm, perm)))
		return NULL;
	gpa = iova + b.delta;
	granule = gpa >> m->shift;
	if (gm_unlikely(granule >= m->granules) ||
	    gm_unlikely((gpa + (n - 1)) >> m->shift != granule))
		return NULL;
	to_host = m->direct[granule];
	if (gm_unlikely(to_host == GM_NOT_DIRECT) ||
	    (gm_perm_has_write(perm) &&
	     gm_unlikely(!find_marks(v, granule, gpa, iova, marks))))
		return NULL;
	/* A write that has to be marked by region looks again. */
	if (perm == GM_PERM_READ || marks->bm == v->iommu->dirty)
		remember(v, &b, iova, b.delta + to_host,
			 perm == GM_PERM_READ ? perm : b.perm, generation);
	return gm_cast(uint8_t *, (uintptr_t)(gpa + to_host));
}

static inline void count_hit(const struct gm_view *v)
{
	uint32_t slot = gm_thread_slot();

	gm_tlb_count(&v->iommu->tlb->counters[slot].hits, slot);
}

int gm_view_read_iommu(struct gm_view *v, uint64_t iova, void *buf, uint64_t n)
{
	struct gm_epoch_record *rec = gm_epoch_self;
	const uint8_t *host;

	/* A thread's first section is left to the longer way. */
	if (gm_unlikely(!rec))
		return gm_view_read_pieces(v, gm_gpa(iova), buf, n);
	gm_epoch_record_enter(rec);
	host = find_host(v, iova, n, GM_PERM_READ, NULL);
	if (gm_likely(host)) {
		if (gm_mem_size_is_atomic(n) && gm_mem_is_aligned(host, n))
			gm_mem_load(buf, host, n, GM_RELAXED);
		else
			gm_copy_from_host(buf, host, n);
		count_hit(v);
	}
	gm_epoch_record_exit(rec);
	return gm_likely(host) ? 0 :
	       gm_view_read_pieces(v, gm_gpa(iova), buf, n);
}

int gm_view_write_iommu(struct gm_view *v, uint64_t iova, const void *buf,
			uint64_t n)
{
	struct gm_epoch_record *rec = gm_epoch_self;
	struct gm_bitmap_slice marks = gm_bitmap_slice_at(v->iommu->dirty,
							  iova);
	uint8_t *host;

	if (gm_unlikely(!rec))
		return gm_view_write_pieces(v, gm_gpa(iova), buf, n);
	gm_epoch_record_enter(rec);
	host = find_host(v, iova, n, GM_PERM_WRITE, &marks);
	if (gm_likely(host)) {
		if (gm_mem_size_is_atomic(n) && gm_mem_is_aligned(host, n))
			gm_mem_store(host, buf, n, GM_RELAXED);
		else
			gm_copy_to_host(host, buf, n);
		gm_bitmap_mark(marks.bm, marks.off, n);
		count_hit(v);
	}
	gm_epoch_record_exit(rec);
	return gm_likely(host) ? 0 :
	       gm_view_write_pieces(v, gm_gpa(iova), buf, n);
}
