/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * access_iommu.c - reads and writes through an IOMMU whose IOTLB knows the
 * address: the hot path.
 *
 * An access has to wait for the IOTLB's line and then for the guest's. What
 * hides that is the accesses behind it, of which a CPU begins as many as it has
 * room for instructions. So integers, aligned, have a path of the fewest
 * instructions, without a call; what is not found at once takes a longer one.
 */
#include "iommu_private.h"
#include "view_private.h"

/* Where writes to guest address @gpa are marked; false: it takes none. */
static inline bool find_marks(const struct gm_view *v, uint64_t gpa,
			      uint64_t iova, struct gm_bitmap_slice *marks)
{
	const struct gm_map *m = v->map;
	const struct gm_extent *e = &m->ext[m->table[gpa >> m->shift]];

	if (gm_bitmap_refuses_write(e->dirty))
		return false;
	if (v->iommu->dirty)
		*marks = gm_bitmap_slice_at(v->iommu->dirty, iova);
	else
		*marks = gm_bitmap_slice_at(e->dirty, gpa - e->base);
	return true;
}

/*
 * Host address of any bytes that are in one block of the IOTLB's front, and in
 * one direct granule of the map; else NULL. In a section.
 */
static uint8_t *find_host(struct gm_view *v, uint64_t iova, uint64_t n,
			  enum gm_perm perm, uint64_t *gpa)
{
	const struct gm_map *m = v->map;
	struct gm_tlb_block b;
	uint64_t granule;

	if (!gm_shared_load(&v->iommu->enabled) ||
	    !gm_tlb_front_find(&v->iommu->tlb->front, iova, &b) ||
	    n - 1 > (~iova & ((UINT64_C(1) << gm_tlb_class_shift(b.class)) - 1)) ||
	    !gm_perm_allows(b.perm, perm))
		return NULL;
	v->hint.base = gm_tlb_class_bits(b.class);
	*gpa = iova + b.delta;
	granule = *gpa >> m->shift;
	if (granule >= m->granules ||
	    (*gpa + (n - 1)) >> m->shift != granule ||
	    m->direct[granule] == GM_NOT_DIRECT)
		return NULL;
	return gm_cast(uint8_t *, (uintptr_t)(*gpa + m->direct[granule]));
}

static __attribute__((__noinline__)) int
read_longer(struct gm_view *v, uint64_t iova, void *buf, uint64_t n)
{
	const uint8_t *host;
	uint64_t gpa;

	gm_epoch_enter();
	host = find_host(v, iova, n, GM_PERM_READ, &gpa);
	if (host) {
		gm_copy_from_host(buf, host, n);
		gm_tlb_count_hit(v->iommu->tlb, gm_thread_slot());
	}
	gm_epoch_exit();
	return host ? 0 : gm_view_read_pieces(v, gm_gpa(iova), buf, n);
}

static __attribute__((__noinline__)) int
write_longer(struct gm_view *v, uint64_t iova, const void *buf, uint64_t n)
{
	struct gm_bitmap_slice marks;
	uint64_t gpa;
	uint8_t *host;

	gm_epoch_enter();
	host = find_host(v, iova, n, GM_PERM_WRITE, &gpa);
	if (host && find_marks(v, gpa, iova, &marks)) {
		gm_copy_to_host(host, buf, n);
		gm_bitmap_mark(marks.bm, marks.off, n);
		gm_tlb_count_hit(v->iommu->tlb, gm_thread_slot());
	} else {
		host = NULL;
	}
	gm_epoch_exit();
	return host ? 0 : gm_view_write_pieces(v, gm_gpa(iova), buf, n);
}

/*
 * Host address of @n = 1, 2, 4 or 8 bytes, aligned: they can't cross into another
 * block, nor into another granule. False: the longer way.
 */
static gm_always_inline bool quick_host(const struct gm_view *v, uint64_t iova,
					uint64_t n, enum gm_perm perm,
					uint64_t *gpa, uint8_t **host)
{
	uint64_t found, granule, to_host;
	const struct gm_map *m;

	found = gm_tlb_front_quick(&v->iommu->tlb->front, iova, v->hint.base);
	if (gm_unlikely(!(found & (uint64_t)perm)))
		return false;
	*gpa = iova + (found & ~GM_TLB_PERM);
	m = v->map;
	granule = *gpa >> m->shift;
	if (gm_unlikely(granule >= m->granules))
		return false;
	to_host = m->direct[granule];
	/* GM_NOT_DIRECT is odd. */
	if (gm_unlikely(n > 1 ? (to_host | *gpa) & (n - 1) : to_host & 1))
		return false;
	*host = gm_cast(uint8_t *, (uintptr_t)(*gpa + to_host));
	return true;
}

/*
 * A section, as short as can be: the end puts back what was there, which is
 * outside, or a section around it.
 */
static gm_always_inline uint64_t quick_enter(struct gm_epoch_record *rec)
{
	uint64_t state = rec->state;

	gm_epoch_record_enter(rec);
	return state;
}

static gm_always_inline void quick_exit(struct gm_epoch_record *rec,
					uint64_t state)
{
	__atomic_store_n(&rec->state, state, __ATOMIC_RELEASE);
}

/* Threads without a record or a number: the longer way, which gets them. */
static gm_always_inline int quick_read(struct gm_view *v, uint64_t iova,
				       void *buf, uint64_t n)
{
	struct gm_epoch_record *rec = gm_epoch_self;
	uint64_t slot = gm_thread_slot_own;
	uint64_t gpa, state;
	uint8_t *host;

	if (gm_unlikely(!rec) || gm_unlikely(!slot))
		return read_longer(v, iova, buf, n);
	state = quick_enter(rec);
	if (gm_unlikely(!quick_host(v, iova, n, GM_PERM_READ, &gpa, &host))) {
		quick_exit(rec, state);
		return read_longer(v, iova, buf, n);
	}
	gm_mem_load(buf, host, n, GM_RELAXED);
	gm_tlb_count_hit(v->iommu->tlb, slot);
	quick_exit(rec, state);
	return 0;
}

static gm_always_inline int quick_write(struct gm_view *v, uint64_t iova,
					const void *buf, uint64_t n)
{
	struct gm_epoch_record *rec = gm_epoch_self;
	uint64_t slot = gm_thread_slot_own;
	struct gm_bitmap_slice marks;
	uint64_t gpa, state;
	uint8_t *host;

	if (gm_unlikely(!rec) || gm_unlikely(!slot))
		return write_longer(v, iova, buf, n);
	state = quick_enter(rec);
	if (gm_unlikely(!quick_host(v, iova, n, GM_PERM_WRITE, &gpa, &host)) ||
	    gm_unlikely(!find_marks(v, gpa, iova, &marks))) {
		quick_exit(rec, state);
		return write_longer(v, iova, buf, n);
	}
	gm_mem_store(host, buf, n, GM_RELAXED);
	gm_bitmap_mark(marks.bm, marks.off, n);
	gm_tlb_count_hit(v->iommu->tlb, slot);
	quick_exit(rec, state);
	return 0;
}

/* The sizes apart: in one function they would be in each other's way. */
#define DEFINE_QUICK(bits) \
static __attribute__((__noinline__)) int \
read_u##bits(struct gm_view *v, uint64_t iova, void *buf) \
{ \
	return quick_read(v, iova, buf, sizeof(uint##bits##_t)); \
} \
static __attribute__((__noinline__)) int \
write_u##bits(struct gm_view *v, uint64_t iova, const void *buf) \
{ \
	return quick_write(v, iova, buf, sizeof(uint##bits##_t)); \
}

DEFINE_QUICK(8)
DEFINE_QUICK(16)
DEFINE_QUICK(32)
DEFINE_QUICK(64)

int gm_view_read_iommu(struct gm_view *v, uint64_t iova, void *buf, uint64_t n)
{
	if (gm_likely(n == 4))
		return read_u32(v, iova, buf);
	if (n == 8)
		return read_u64(v, iova, buf);
	if (n == 2)
		return read_u16(v, iova, buf);
	if (n == 1)
		return read_u8(v, iova, buf);
	return read_longer(v, iova, buf, n);
}

int gm_view_write_iommu(struct gm_view *v, uint64_t iova, const void *buf,
			uint64_t n)
{
	if (gm_likely(n == 4))
		return write_u32(v, iova, buf);
	if (n == 8)
		return write_u64(v, iova, buf);
	if (n == 2)
		return write_u16(v, iova, buf);
	if (n == 1)
		return write_u8(v, iova, buf);
	return write_longer(v, iova, buf, n);
}
