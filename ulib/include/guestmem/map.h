/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * map.h - a guest's memory map: an immutable, sorted, counted set of regions.
 *
 * A map never changes; adding or removing a region makes a new map that shares
 * the regions. So any number of threads read it at once, without a lock.
 *
 * To find a region, the address space from 0 to the last byte is cut into
 * granules of a power of two; a table tells for each granule the first region
 * that reaches into it. Where regions are no smaller than granules, that is the
 * answer; a crowded granule needs a binary search among its regions.
 *
 * A granule that one region fills, with host memory behind it, is direct: a
 * second table has what to add to a guest address there to get the host's.
 */
#ifndef GUESTMEM_MAP_H
#define GUESTMEM_MAP_H

#include <guestmem/mmap.h>

GM_BEGIN_DECLS

/**
 * struct gm_map - a guest's memory map
 * @ext: what accesses need, one a region in order of address, and one of
 *	length 0 at the end
 * @table: granule to index in @ext, and one more
 * @direct: granule to host address less guest address, a multiple of 8; 1: the
 *	granule is not direct
 * @granules: entries in @table, less one
 * @shift: log2 of the granule size
 * @count: regions
 * @regions: the regions, in order of address
 * @refs: references
 * @reserved32: zero
 * @reserved: zero
 *
 * Inline functions know the fields up to @regions: they are ABI. All are the
 * library's.
 */
struct gm_map {
	const struct gm_extent *ext;
	const uint32_t *table;
	const uint64_t *direct;
	uint64_t granules;
	uint32_t shift;
	uint32_t count;
	struct gm_region **regions;
	uint32_t refs;
	uint32_t reserved32;
	uint64_t reserved[4];
};

GM_STATIC_ASSERT(sizeof(struct gm_map) == 88, "ABI");

/**
 * struct gm_range - a range of guest memory
 * @gpa: first byte
 * @len: bytes
 */
struct gm_range {
	gm_gpa_t gpa;
	gm_size_t len;
};

GM_STATIC_ASSERT(sizeof(struct gm_range) == 16, "ABI");

/**
 * gm_map_new() - a map of regions
 * @regions: the regions, in order of address; the map takes a reference to each
 * @count: how many, not 0
 * @out: the map, with one reference
 *
 * Return: 0; -EINVAL (GM_ERR_NO_REGION) none, (GM_ERR_UNSORTED); -EEXIST
 * (GM_ERR_OVERLAP); -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_map_new(struct gm_region *const *regions, size_t count,
		      struct gm_map **out);

/**
 * gm_map_new_mmap() - a map of mmap regions, made here
 * @ranges: where, in order of address
 * @opts: how, one a range; NULL: the default for all
 * @count: how many, not 0
 * @out: the map, with one reference; it alone holds the regions
 *
 * Return: 0; -EINVAL (GM_ERR_OPTION) the sz of @opts is not the same in all, or no
 * multiple of the struct's alignment; an error of gm_region_new_mmap() or of
 * gm_map_new(), with nothing left behind.
 */
GM_API int gm_map_new_mmap(const struct gm_range *ranges,
			   const struct gm_mmap_opts *opts, size_t count,
			   struct gm_map **out);

/**
 * gm_map_insert() - a map with one region more
 * @m: the map, which stays as it is
 * @r: the region; the new map takes a reference
 * @out: the new map, with one reference
 *
 * Return: 0; -EEXIST (GM_ERR_OVERLAP); -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_map_insert(const struct gm_map *m, struct gm_region *r,
			 struct gm_map **out);

/**
 * gm_map_remove() - a map with one region less
 * @m: the map, which stays as it is
 * @gpa: first byte of the region
 * @len: its length, exactly
 * @out: the new map, with one reference; it may have no regions
 * @removed: the region, with one reference; NULL if it isn't wanted
 *
 * Return: 0; -ENOENT (GM_ERR_NO_REGION); -EBUSY (GM_ERR_HELD) a device reaches
 * it, or somebody else holds it (hold.h), who is named; -ENOMEM
 * (GM_ERR_MEMORY).
 */
GM_API int gm_map_remove(const struct gm_map *m, gm_gpa_t gpa, gm_size_t len,
			 struct gm_map **out, struct gm_region **removed);

/**
 * gm_map_get() - take one more reference
 * @m: the map
 *
 * Return: @m.
 */
GM_API struct gm_map *gm_map_get(struct gm_map *m);

/**
 * gm_map_put() - drop a reference; the last one drops the regions too
 * @m: the map; NULL is allowed
 */
GM_API void gm_map_put(struct gm_map *m);

/**
 * gm_map_count() - number of regions
 * @m: the map
 */
GM_INLINE size_t gm_map_count(const struct gm_map *m)
{
	return m->count;
}

/**
 * gm_map_region() - a region by number, for iteration in order of address
 * @m: the map
 * @index: 0 to gm_map_count() - 1
 *
 * Return: the region, borrowed; NULL past the end.
 */
GM_INLINE struct gm_region *gm_map_region(const struct gm_map *m, size_t index)
{
	return index < m->count ? m->regions[index] : NULL;
}

/**
 * gm_map_last() - guest address of the last byte of all
 * @m: the map
 *
 * Return: the address; 0 for a map without regions.
 */
GM_API gm_gpa_t gm_map_last(const struct gm_map *m);

/* An entry of direct that is none; real ones are multiples of 8. */
#define GM_NOT_DIRECT UINT64_C(1)

/* The binary search in a crowded granule; NULL if nobody has @gpa. */
GM_API const struct gm_extent *gm_map_search(const struct gm_map *m,
					     uint64_t granule, uint64_t gpa);

/* The extent that has @gpa, or NULL. */
GM_CORE const struct gm_extent *gm_map_lookup(const struct gm_map *m,
					      uint64_t gpa)
{
	uint64_t granule = gpa >> m->shift;
	const struct gm_extent *e;

	if (gm_unlikely(granule >= m->granules))
		return NULL;
	e = &m->ext[m->table[granule]];
	if (gm_likely(gpa - e->base < e->len))
		return e;
	/* Nobody else reaches into this granule? Then it is a hole. */
	if (m->table[granule] == m->table[granule + 1])
		return NULL;
	return gm_map_search(m, granule, gpa);
}

/**
 * gm_map_find() - the region that has a guest address
 * @m: the map
 * @gpa: the address
 *
 * Return: the region, borrowed, or NULL.
 */
GM_INLINE struct gm_region *gm_map_find(const struct gm_map *m, gm_gpa_t gpa)
{
	uint64_t granule = gm_gpa_raw(gpa) >> m->shift;
	const struct gm_extent *e;

	if (gm_unlikely(granule >= m->granules))
		return NULL;
	if (gm_likely(m->direct[granule] != GM_NOT_DIRECT))
		return m->regions[m->table[granule]];
	e = gm_map_lookup(m, gm_gpa_raw(gpa));
	return e ? m->regions[e - m->ext] : NULL;
}

/**
 * gm_map_contains() - is a guest address in some region?
 * @m: the map
 * @gpa: the address
 */
GM_INLINE bool gm_map_contains(const struct gm_map *m, gm_gpa_t gpa)
{
	return !!gm_map_lookup(m, gm_gpa_raw(gpa));
}

/**
 * gm_map_to_offset() - region and offset of a guest address
 * @m: the map
 * @gpa: the address
 * @off: its offset in the region
 * @out: the region, borrowed
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR).
 */
GM_API int gm_map_to_offset(const struct gm_map *m, gm_gpa_t gpa,
			    gm_roff_t *off, struct gm_region **out);

/**
 * gm_map_check() - a guest address, if it is in some region
 * @m: the map
 * @gpa: the address
 * @out: @gpa
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR).
 */
GM_API int gm_map_check(const struct gm_map *m, gm_gpa_t gpa, gm_gpa_t *out);

/**
 * gm_map_offset_add() - guest address plus bytes, if that is in some region
 * @m: the map
 * @gpa: the address
 * @n: bytes
 * @out: the sum
 *
 * Return: 0; -EOVERFLOW (GM_ERR_GUEST_OVERFLOW); -EFAULT (GM_ERR_GUEST_ADDR).
 */
GM_API int gm_map_offset_add(const struct gm_map *m, gm_gpa_t gpa, uint64_t n,
			     gm_gpa_t *out);

/**
 * gm_map_check_range() - are all bytes of a range in regions?
 * @m: the map
 * @gpa: first byte
 * @len: bytes; 0 is fine anywhere
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR) with the first address that isn't;
 * -EOVERFLOW (GM_ERR_GUEST_OVERFLOW) the range passes 2^64.
 */
GM_API int gm_map_check_range(const struct gm_map *m, gm_gpa_t gpa,
			      gm_size_t len);

/**
 * gm_map_host() - host address of a guest address
 * @m: the map
 * @gpa: the address
 * @out: its host address, good while the map is; what follows it in the guest
 *	follows it in the host to the end of the region only
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR); -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR).
 */
GM_API int gm_map_host(const struct gm_map *m, gm_gpa_t gpa, void **out);

/**
 * gm_map_slice() - a range in one piece
 * @m: the map, borrowed
 * @gpa: first byte
 * @len: bytes; 0 gives an empty slice if @gpa is in some region
 * @out: the slice
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR); -EOVERFLOW (GM_ERR_GUEST_OVERFLOW);
 * -EMSGSIZE (GM_ERR_FRAGMENTED) all there, but in more than one region.
 */
GM_API int gm_map_slice(const struct gm_map *m, gm_gpa_t gpa, gm_size_t len,
			struct gm_slice *out);

GM_END_DECLS

#endif /* GUESTMEM_MAP_H */
