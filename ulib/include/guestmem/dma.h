/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dma.h - guest memory as a real device addresses it.
 *
 * An emulated device that hands its guest's requests on to a real one turns
 * guest addresses into addresses that the real device uses, and puts those into
 * its descriptors: the data itself never passes through the CPU.
 *
 * A gm_dma_map is one range of a region, mapped for one device: as segments,
 * each contiguous for the device. kmod.h makes them with the kernel module;
 * gm_dma_map_new() takes segments from anywhere else (such as VFIO, whose map
 * has guest addresses for device addresses). As long as it lives the region
 * can't be discarded or removed from a map.
 *
 * A gm_dma is a guest's memory map with all that is mapped of it for one
 * device, and a table that finds a segment in one step, however many there are.
 * Like a map it never changes and is counted: adding or removing a region makes
 * a new one that shares the rest. Looking up is no system call and takes no
 * lock.
 *
 * Bytes that a device is going to write are marked dirty when it is given their
 * address. They are written later: a program that takes the bitmap meanwhile
 * marks them again when the device has done (gm_iov_mark()).
 */
#ifndef GUESTMEM_DMA_H
#define GUESTMEM_DMA_H

#include <guestmem/hold.h>
#include <guestmem/iov.h>

GM_BEGIN_DECLS

struct gm_dma_map;

/**
 * struct gm_dma_seg - a piece of memory that is contiguous for a device
 * @address: where the device finds it
 * @len: bytes
 */
struct gm_dma_seg {
	uint64_t address;
	uint64_t len;
};

GM_STATIC_ASSERT(sizeof(struct gm_dma_seg) == 16, "ABI");

/**
 * enum gm_dma_owner - who is going to use memory that both can reach
 * @GM_DMA_FOR_CPU: the device has written, the CPU is going to read
 * @GM_DMA_FOR_DEVICE: the CPU has written, the device is going to read, or to
 *	write
 */
enum gm_dma_owner {
	GM_DMA_FOR_CPU = 1,
	GM_DMA_FOR_DEVICE = 2,
};

/**
 * struct gm_dma_map_ops - what is particular to a kind of map
 * @sync: hand bytes [off, off + len) of the region over; NULL: CPU and device
 *	always see the same. Returns 0 or a negative errno. The range is inside
 *	the map. Any number of threads call it at once.
 * @release: the last reference is gone: the device must not reach the memory
 *	any more when it returns; NULL: somebody else sees to that
 */
struct gm_dma_map_ops {
	int (*sync)(void *ctx, uint64_t off, uint64_t len,
		    enum gm_dma_owner owner);
	void (*release)(void *ctx);
};

GM_STATIC_ASSERT(sizeof(struct gm_dma_map_ops) == 16, "ABI");

/**
 * gm_dma_map_new() - a range of a region, as a device addresses it
 * @r: the region; the map takes a reference and a hold
 * @off: first byte
 * @perm: what the device may do with it
 * @segs: the range in order, piece by piece; copied
 * @count: how many pieces, not 0
 * @name: name of the device, for people to read; cut to GM_NAME_SIZE
 * @ops: its kind, which lives as long as the map; NULL: nothing to do
 * @ctx: for @ops
 * @out: the map, with one reference
 *
 * Pieces that follow each other for the device become one.
 *
 * Return: 0; and without a call of @ops->release: -EINVAL (GM_ERR_ZERO_LENGTH)
 * no piece, or one of length 0, (GM_ERR_PERMISSION) @perm is GM_PERM_NONE;
 * -EACCES (GM_ERR_PERMISSION) the region is read-only; -EOVERFLOW
 * (GM_ERR_OVERFLOW) a device address or the length can't be represented;
 * -ERANGE (GM_ERR_OUT_OF_BOUNDS) longer than the region; -ENOMEM
 * (GM_ERR_MEMORY).
 */
GM_API int gm_dma_map_new(struct gm_region *r, gm_roff_t off,
			  enum gm_perm perm, const struct gm_dma_seg *segs,
			  size_t count, const char *name,
			  const struct gm_dma_map_ops *ops, void *ctx,
			  struct gm_dma_map **out);

/**
 * gm_dma_map_get() - take one more reference
 * @m: the map
 *
 * Return: @m.
 */
GM_API struct gm_dma_map *gm_dma_map_get(struct gm_dma_map *m);

/**
 * gm_dma_map_put() - drop a reference; the last one unmaps
 * @m: the map; NULL is allowed
 *
 * Then the region is free to be discarded or removed, as far as this map goes;
 * but see gm_kmod_map_new().
 */
GM_API void gm_dma_map_put(struct gm_dma_map *m);

/**
 * gm_dma_map_region() - the region that the memory is of
 * @m: the map
 *
 * Return: the region, borrowed.
 */
GM_API struct gm_region *gm_dma_map_region(const struct gm_dma_map *m);

/**
 * gm_dma_map_offset() - where in its region the range starts
 * @m: the map
 */
GM_API gm_roff_t gm_dma_map_offset(const struct gm_dma_map *m);

/**
 * gm_dma_map_len() - length of the range in bytes
 * @m: the map
 */
GM_API gm_size_t gm_dma_map_len(const struct gm_dma_map *m);

/**
 * gm_dma_map_perm() - what the device may do
 * @m: the map
 */
GM_API enum gm_perm gm_dma_map_perm(const struct gm_dma_map *m);

/**
 * gm_dma_map_name() - name of the device
 * @m: the map
 *
 * Return: the name, good as long as the map.
 */
GM_API const char *gm_dma_map_name(const struct gm_dma_map *m);

/**
 * gm_dma_map_segs() - the whole range as the device addresses it
 * @m: the map
 * @count: how many there are
 *
 * Return: the segments, in order of offset, good as long as the map.
 */
GM_API const struct gm_dma_seg *gm_dma_map_segs(const struct gm_dma_map *m,
						size_t *count);

/**
 * gm_dma_map_sync() - hand memory over from the device to the CPU or back
 * @m: the map
 * @off: first byte, as an offset in the region
 * @len: bytes; 0 does nothing
 * @owner: who is next
 *
 * Costs nothing where CPU and device see the same: on x86 always.
 *
 * Return: 0; -EINVAL (GM_ERR_OPTION) @owner; -EOVERFLOW (GM_ERR_OVERFLOW),
 * -ERANGE (GM_ERR_OUT_OF_BOUNDS) not inside the map; an error of its kind's
 * sync.
 */
GM_API int gm_dma_map_sync(const struct gm_dma_map *m, gm_roff_t off,
			   gm_size_t len, enum gm_dma_owner owner);

/**
 * struct gm_dma_extent - what a lookup needs to know of a segment
 * @base: guest address of its first byte
 * @len: bytes
 * @address: where the device finds the first byte
 * @perm: enum gm_perm: what the device may do
 * @map: number of its map
 */
struct gm_dma_extent {
	uint64_t base;
	uint64_t len;
	uint64_t address;
	uint32_t perm;
	uint32_t map;
};

GM_STATIC_ASSERT(sizeof(struct gm_dma_extent) == 32, "ABI");

/**
 * struct gm_dma_dirty - where a map's writes are marked
 * @bm: bitmap of the region that the memory map has there, or NULL
 * @base: guest address of the region's first byte
 */
struct gm_dma_dirty {
	struct gm_bitmap *bm;
	uint64_t base;
};

/**
 * struct gm_dma - a guest's memory, as far as it is mapped for a device
 * @ext: the segments in order of guest address, and one of length 0 at the end
 * @table: granule to index in @ext, and one more
 * @first: guest address of the first segment
 * @granules: entries in @table, less one
 * @dirty: one a map
 * @shift: log2 of the granule size
 * @count: segments
 * @maps: the maps, in order of guest address
 * @nmaps: how many
 * @refs: references
 * @map: the guest's memory map
 * @sync: some map needs gm_dma_sync()
 * @reserved32: zero
 * @reserved: zero
 *
 * Inline functions know the fields up to @count: they are ABI. All are the
 * library's.
 */
struct gm_dma {
	const struct gm_dma_extent *ext;
	const uint32_t *table;
	uint64_t first;
	uint64_t granules;
	const struct gm_dma_dirty *dirty;
	uint32_t shift;
	uint32_t count;
	struct gm_dma_map **maps;
	uint32_t nmaps;
	uint32_t refs;
	struct gm_map *map;
	uint32_t sync;
	uint32_t reserved32;
	uint64_t reserved[4];
};

GM_STATIC_ASSERT(sizeof(struct gm_dma) == 112, "ABI");

/**
 * gm_dma_new() - all that is mapped for a device
 * @m: the guest's memory map; a reference is taken
 * @maps: what is mapped, in any order; a reference is taken to each
 * @count: how many; may be 0
 * @out: the object, with one reference
 *
 * @m may have another region of the same memory than a map has (alias.h,
 * gm_region_new_pinned()): what the device writes is marked in the bitmap of the one
 * in @m. So tracking can begin, and end, without new maps.
 *
 * Return: 0; -ENOENT (GM_ERR_NO_REGION) a map's region is not in @m; -EEXIST
 * (GM_ERR_OVERLAP) two have the same memory; -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_dma_new(struct gm_map *m, struct gm_dma_map *const *maps,
		      size_t count, struct gm_dma **out);

/**
 * gm_dma_insert() - the same with one map more
 * @d: the object, which stays as it is
 * @map: what is mapped more; its region may be new
 * @out: the new object, with one reference
 *
 * Return: 0; -EEXIST (GM_ERR_OVERLAP) with a region or a map that is there;
 * -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_dma_insert(const struct gm_dma *d, struct gm_dma_map *map,
			 struct gm_dma **out);

/**
 * gm_dma_remove() - the same with one region less
 * @d: the object, which stays as it is
 * @gpa: first byte of the region
 * @len: its length, exactly
 * @out: the new object, with one reference
 *
 * The region stays mapped for the device until the last reference to what has
 * it is dropped. So who takes memory from a guest makes the new object, gives
 * it to all who use the old one, waits until the device has finished, drops the
 * old one, and then removes the region from the guest's map.
 *
 * Return: 0; -ENOENT (GM_ERR_NO_REGION); -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_dma_remove(const struct gm_dma *d, gm_gpa_t gpa, gm_size_t len,
			 struct gm_dma **out);

/**
 * gm_dma_get() - take one more reference
 * @d: the object
 *
 * Return: @d.
 */
GM_API struct gm_dma *gm_dma_get(struct gm_dma *d);

/**
 * gm_dma_put() - drop a reference; the last one drops its maps too
 * @d: the object; NULL is allowed
 */
GM_API void gm_dma_put(struct gm_dma *d);

/**
 * gm_dma_memory() - the guest's memory map behind it
 * @d: the object
 *
 * Return: the map, borrowed.
 */
GM_API struct gm_map *gm_dma_memory(const struct gm_dma *d);

/* The binary search in a crowded granule; NULL if nobody has @gpa. */
GM_API const struct gm_dma_extent *gm_dma_search(const struct gm_dma *d,
						 uint64_t granule,
						 uint64_t gpa);

/* What gm_dma_address() does not do inline. */
GM_API GM_COLD int gm_dma_address_slow(const struct gm_dma *d, gm_gpa_t gpa,
				       gm_size_t len, enum gm_perm perm,
				       uint64_t *address);

/* The segment that has @gpa, or NULL. */
GM_CORE const struct gm_dma_extent *gm_dma_lookup(const struct gm_dma *d,
						  uint64_t gpa)
{
	uint64_t granule = (gpa - d->first) >> d->shift;
	const struct gm_dma_extent *e;

	/* An address below the first one has wrapped: it is in no segment. */
	if (gm_unlikely(granule >= d->granules))
		return NULL;
	e = &d->ext[d->table[granule]];
	if (gm_likely(gpa - e->base < e->len))
		return e;
	/* Nobody else reaches into this granule? Then it is a hole. */
	if (d->table[granule] == d->table[granule + 1])
		return NULL;
	return gm_dma_search(d, granule, gpa);
}

/* The device is going to write [gpa, gpa + len), which is in @e. */
GM_CORE void gm_dma_mark_extent(const struct gm_dma *d,
				const struct gm_dma_extent *e, uint64_t gpa,
				uint64_t len)
{
	const struct gm_dma_dirty *dirty = &d->dirty[e->map];

	gm_bitmap_mark(dirty->bm, gpa - dirty->base, len);
}

/**
 * gm_dma_address() - where the device finds a range that is one piece for it
 * @d: the object
 * @gpa: first byte
 * @len: bytes; 0 is fine for an address that is mapped
 * @perm: GM_PERM_READ: the device is going to read, GM_PERM_WRITE: to write
 * @address: the device's address of the first byte, good while @d is and the
 *	device stays bound (gm_kmod_device_check()): no system call asks here
 *
 * With GM_PERM_WRITE the range is marked dirty. Any number of threads at once.
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR) no guest memory; -ENOENT
 * (GM_ERR_NO_DMA) it is not mapped for the device; -EACCES (GM_ERR_PERMISSION)
 * not for this; -EMSGSIZE (GM_ERR_FRAGMENTED) all there, but more than one
 * piece; -EOVERFLOW (GM_ERR_GUEST_OVERFLOW) it passes 2^64.
 */
GM_INLINE int gm_dma_address(const struct gm_dma *d, gm_gpa_t gpa,
			     gm_size_t len, enum gm_perm perm,
			     uint64_t *address)
{
	uint64_t raw = gm_gpa_raw(gpa), off;
	const struct gm_dma_extent *e = gm_dma_lookup(d, raw);

	if (gm_unlikely(!e))
		return gm_dma_address_slow(d, gpa, len, perm, address);
	off = raw - e->base;
	if (gm_unlikely(len > e->len - off ||
			((unsigned int)perm & ~e->perm)))
		return gm_dma_address_slow(d, gpa, len, perm, address);
	if (gm_perm_has_write(perm))
		gm_dma_mark_extent(d, e, raw, len);
	*address = e->address + off;
	return 0;
}

/**
 * gm_dma_segments() - a range as the device addresses it, all of it
 * @d: the object
 * @gpa: first byte
 * @len: bytes
 * @perm: GM_PERM_READ: the device is going to read, GM_PERM_WRITE: to write
 * @segs: where to; segments that follow each other for the device are one
 * @count: room; with 0, @segs may be NULL
 *
 * With GM_PERM_WRITE the range is marked dirty, if there was room for all. Any
 * number of threads at once.
 *
 * Return: segments filled, 0 for a range of no bytes; -EMSGSIZE
 * (GM_ERR_ARRAY_SMALL) with how many are needed; -EFAULT (GM_ERR_GUEST_ADDR);
 * -ENOENT (GM_ERR_NO_DMA); -EACCES (GM_ERR_PERMISSION); -EOVERFLOW
 * (GM_ERR_GUEST_OVERFLOW) it passes 2^64. On failure @segs holds anything.
 */
GM_API int64_t gm_dma_segments(const struct gm_dma *d, gm_gpa_t gpa,
			       gm_size_t len, enum gm_perm perm,
			       struct gm_dma_seg *segs, size_t count);

/**
 * gm_dma_extract() - the next bytes of a list of ranges, as the device
 *	addresses them
 * @d: the object
 * @c: the cursor (iov.h), which is moved past what was extracted
 * @perm: GM_PERM_READ for data that the device reads, GM_PERM_WRITE for data
 *	that it writes
 * @max: bytes wanted at most
 * @segs: where to; segments that follow each other for the device are one
 * @count: room, not 0
 * @bytes: bytes extracted: all that was wanted, or as @count allowed
 *
 * As gm_iov_extract(). With GM_PERM_WRITE what was extracted is marked dirty.
 *
 * Return: segments filled, 0 at the end; and with the cursor where it was:
 * -EFAULT (GM_ERR_GUEST_ADDR), -ENOENT (GM_ERR_NO_DMA), -EACCES
 * (GM_ERR_PERMISSION), -EOVERFLOW (GM_ERR_GUEST_OVERFLOW), -EINVAL
 * (GM_ERR_SIZE) @count is not positive.
 */
GM_API int gm_dma_extract(const struct gm_dma *d, struct gm_iov_cursor *c,
			  enum gm_perm perm, uint64_t max,
			  struct gm_dma_seg *segs, int count, uint64_t *bytes);

/**
 * gm_dma_sync() - hand a range over from the device to the CPU or back
 * @d: the object
 * @gpa: first byte
 * @len: bytes
 * @owner: who is next
 *
 * Costs nothing, and checks nothing, where CPU and device see the same.
 *
 * Return: 0; -EFAULT (GM_ERR_GUEST_ADDR); -ENOENT (GM_ERR_NO_DMA); -EOVERFLOW
 * (GM_ERR_GUEST_OVERFLOW); as gm_dma_map_sync().
 */
GM_API int gm_dma_sync(const struct gm_dma *d, gm_gpa_t gpa, gm_size_t len,
		       enum gm_dma_owner owner);

GM_END_DECLS

#endif /* GUESTMEM_DMA_H */
