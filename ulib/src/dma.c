/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dma.c - guest ranges as a device addresses them.
 */
#include <errno.h>
#include <stddef.h>

#include "internal.h"

/* Segments in the making: the last one may still grow. */
struct list {
	struct gm_dma_seg *segs;
	size_t room;
	size_t count;		/* those needed, more than room if @count_all */
	bool count_all;		/* go on where the room ends */
	struct gm_dma_seg last;
	uint64_t bytes;
};

/* The segment that has @gpa, if the device may do this with it; else NULL. */
static const struct gm_dma_extent *find(const struct gm_dma *d, uint64_t gpa,
					enum gm_perm perm)
{
	const struct gm_dma_extent *e = gm_dma_lookup(d, gpa);

	return e && !((unsigned int)perm & ~e->perm) ? e : NULL;
}

/* Why find() gave none. */
static int find_error(const struct gm_dma *d, uint64_t gpa, uint64_t len)
{
	const struct gm_dma_extent *e = gm_dma_lookup(d, gpa);
	const char *name = d->nmaps ? gm_dma_map_name(d->maps[0]) : NULL;

	if (e)
		return gm_error_set_name(-EACCES, GM_ERR_PERMISSION, gpa, len,
					 gm_dma_map_name(d->maps[e->map]));
	if (gm_map_contains(d->map, gm_gpa(gpa)))
		return gm_error_set_name(-ENOENT, GM_ERR_NO_DMA, gpa, len,
					 name);
	return gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR, gpa, 0);
}

static int wrap_error(uint64_t gpa, uint64_t len)
{
	return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW, gpa, len);
}

/* False: no room. */
static bool list_add(struct list *l, uint64_t address, uint64_t len)
{
	if (l->count && gm_dma_seg_follows(&l->last, address)) {
		l->last.len += len;
	} else {
		if (l->count >= l->room && !l->count_all)
			return false;
		l->last.address = address;
		l->last.len = len;
		l->count++;
	}
	if (l->count <= l->room)
		l->segs[l->count - 1] = l->last;
	l->bytes += len;
	return true;
}

/*
 * Adds a range to the list, as far as there is room. What is behind the room is
 * looked at only to see whether the last segment grows: it may be missing.
 */
static int list_add_range(struct list *l, const struct gm_dma *d, uint64_t gpa,
			  uint64_t len, enum gm_perm perm)
{
	uint64_t start = gpa, left = len;

	while (left) {
		bool full = l->count >= l->room && !l->count_all;
		const struct gm_dma_extent *e;
		uint64_t off, n;

		/* A walk that has come to 2^64 is not at address 0. */
		if (gpa < start)
			return full ? 0 : wrap_error(start, len);
		e = find(d, gpa, perm);
		if (!e)
			return full ? 0 : find_error(d, gpa, left);
		off = gpa - e->base;
		n = gm_min(left, e->len - off);
		if (!list_add(l, e->address + off, n))
			return 0;
		gpa += n;
		left -= n;
	}
	return 0;
}

/* The device is going to write a range, all of which is mapped. */
static void mark_range(const struct gm_dma *d, uint64_t gpa, uint64_t len)
{
	while (len) {
		const struct gm_dma_extent *e = gm_dma_lookup(d, gpa);
		uint64_t n = gm_min(len, e->len - (gpa - e->base));

		gm_dma_mark_extent(d, e, gpa, n);
		gpa += n;
		len -= n;
	}
}

int64_t gm_dma_segments(const struct gm_dma *d, gm_gpa_t gpa, gm_size_t len,
			enum gm_perm perm, struct gm_dma_seg *segs,
			size_t count)
{
	struct list l = { .segs = segs, .room = count, .count_all = true };
	int ret;

	ret = list_add_range(&l, d, gm_gpa_raw(gpa), len, perm);
	if (ret)
		return ret;
	if (l.count > count)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_ARRAY_SMALL,
					   gm_gpa_raw(gpa), len, l.count,
					   count);
	if (gm_perm_has_write(perm))
		mark_range(d, gm_gpa_raw(gpa), len);
	return (int64_t)l.count;
}

int gm_dma_address_slow(const struct gm_dma *d, gm_gpa_t gpa, gm_size_t len,
			enum gm_perm perm, uint64_t *address)
{
	struct list l = { .count_all = true };
	struct gm_dma_seg first;
	int ret;

	l.segs = &first;
	l.room = 1;
	/* Even a range of no bytes is somewhere. */
	ret = list_add_range(&l, d, gm_gpa_raw(gpa), len ? len : 1, perm);
	if (ret)
		return ret;
	if (l.count > 1)
		return gm_error_set_counts(-EMSGSIZE, GM_ERR_FRAGMENTED,
					   gm_gpa_raw(gpa), len, len,
					   first.len);
	if (gm_perm_has_write(perm))
		mark_range(d, gm_gpa_raw(gpa), len);
	*address = first.address;
	return 0;
}

/* Marks what the cursor passes over in @n bytes, all of which is mapped. */
static void mark_list(const struct gm_dma *d, struct gm_iov_cursor c,
		      uint64_t n)
{
	struct gm_range r;

	while (gm_iov_current(&c, n, &r)) {
		mark_range(d, gm_gpa_raw(r.gpa), r.len);
		gm_iov_advance(&c, r.len);
		n -= r.len;
	}
}

int gm_dma_extract(const struct gm_dma *d, struct gm_iov_cursor *c,
		   enum gm_perm perm, uint64_t max, struct gm_dma_seg *segs,
		   int count, uint64_t *bytes)
{
	struct gm_iov_cursor at = *c;
	struct list l = { .segs = segs };
	struct gm_range r;
	int ret;

	if (count <= 0)
		return gm_error_set(-EINVAL, GM_ERR_SIZE, (uint64_t)count, 0);
	l.room = (size_t)count;
	while (gm_iov_current(&at, max - l.bytes, &r)) {
		uint64_t before = l.bytes;

		if (gm_iov_wrapped(&at))
			return gm_iov_wrap_error(&at);
		ret = list_add_range(&l, d, gm_gpa_raw(r.gpa), r.len, perm);
		if (ret)
			return ret;
		gm_iov_advance(&at, l.bytes - before);
		if (l.bytes - before < r.len)
			break;
	}
	if (gm_perm_has_write(perm))
		mark_list(d, *c, l.bytes);
	*c = at;
	*bytes = l.bytes;
	return (int)l.count;
}

int gm_dma_sync(const struct gm_dma *d, gm_gpa_t gpa, gm_size_t len,
		enum gm_dma_owner owner)
{
	uint64_t at = gm_gpa_raw(gpa), left = len;

	if (!d->sync)
		return 0;
	while (left) {
		const struct gm_dma_extent *e;
		uint64_t n;
		int ret;

		if (at < gm_gpa_raw(gpa))
			return wrap_error(gm_gpa_raw(gpa), len);
		e = find(d, at, GM_PERM_NONE);
		if (!e)
			return find_error(d, at, left);
		n = gm_min(left, e->len - (at - e->base));
		ret = gm_dma_map_sync(d->maps[e->map],
				      gm_roff(at - d->dirty[e->map].base), n,
				      owner);
		if (ret)
			return ret;
		at += n;
		left -= n;
	}
	return 0;
}
