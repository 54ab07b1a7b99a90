/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * access.c - reads and writes that are not one inline step: over several
 * regions, into memory mapped on demand, and those that fail.
 */
#include <errno.h>

#include "view_private.h"

/* What is done to each piece of a range; returns its length or an error. */
typedef int64_t (*step_fn)(struct gm_slice s, void *buf);

static inline int64_t step_read(struct gm_slice s, void *buf)
{
	return gm_slice_read_some(s, 0, buf, s.len);
}

static inline int64_t step_write(struct gm_slice s, void *buf)
{
	return gm_slice_write_some(s, 0, buf, s.len);
}

/*
 * One loop for both directions: the step is a constant to the compiler. The
 * first @done bytes are done already. Returns how many are then; with less than
 * @n, @err is why.
 */
static gm_always_inline uint64_t walk(struct gm_view *v, gm_gpa_t gpa,
				      void *buf, uint64_t n, uint64_t done,
				      enum gm_perm perm, step_fn step,
				      int *err)
{
	struct gm_slices it;
	struct gm_slice s;
	int64_t ret;

	gm_slices_init_own(&it, v, gm_gpa_add_unchecked(gpa, done), n - done,
			   perm);
	/* What is done may have come to 2^64: that is not address 0. */
	it.started = done != 0;
	gm_view_enter(v);
	while ((ret = gm_slices_next(&it, &s)) > 0) {
		ret = step(s, (uint8_t *)buf + done);
		if (ret < 0)
			break;
		done += (uint64_t)ret;
	}
	gm_view_exit(v);
	*err = (int)ret;
	return done;
}

static uint64_t walk_read(struct gm_view *v, gm_gpa_t gpa, void *buf,
			  uint64_t n, uint64_t done, int *err)
{
	return walk(v, gpa, buf, n, done, GM_PERM_READ, step_read, err);
}

static uint64_t walk_write(struct gm_view *v, gm_gpa_t gpa, const void *buf,
			   uint64_t n, uint64_t done, int *err)
{
	/* step_write() does not write to it. */
	return walk(v, gpa, (void *)(uintptr_t)buf, n, done, GM_PERM_WRITE,
		    step_write, err);
}

/*
 * The common case: one or more regions with a host address, side by side.
 * Returns bytes done; what stops it, and why, is left to walk().
 */
static gm_always_inline uint64_t copy_direct(struct gm_view *v, uint64_t gpa,
					     void *buf, uint64_t n,
					     enum gm_perm perm)
{
	const struct gm_extent *e = gm_map_lookup(v->map, gpa), *last = NULL;
	uint64_t done = 0;

	/* After the last extent comes one of length 0. */
	for (; e && e->host && done < n; e++) {
		struct gm_bitmap *dirty = e->dirty;
		uint64_t off = gpa + done - e->base, len;

		if (off >= e->len)
			break;
		len = gm_min(n - done, e->len - off);
		if (perm == GM_PERM_WRITE) {
			if (gm_bitmap_refuses_write(dirty))
				break;
			gm_copy_to_host(e->host + off, (uint8_t *)buf + done,
					len);
			gm_bitmap_mark(dirty, off, len);
		} else {
			gm_copy_from_host((uint8_t *)buf + done, e->host + off,
					  len);
		}
		last = e;
		done += len;
	}
	if (last)
		gm_view_set_hint(v, last);
	return done;
}

static int exact(gm_gpa_t gpa, uint64_t n, uint64_t done, int err)
{
	if (done == n)
		return 0;
	return gm_error_make_partial(err, gm_gpa_raw(gpa) + done, n, done);
}

int gm_view_read_pieces(struct gm_view *v, gm_gpa_t gpa, void *buf, uint64_t n)
{
	uint64_t done = 0;
	int err;

	if (!gm_view_has_iommu(v))
		done = copy_direct(v, gm_gpa_raw(gpa), buf, n, GM_PERM_READ);
	if (gm_likely(done == n))
		return 0;
	done = walk_read(v, gpa, buf, n, done, &err);
	return exact(gpa, n, done, err);
}

int gm_view_write_pieces(struct gm_view *v, gm_gpa_t gpa, const void *buf,
			 uint64_t n)
{
	uint64_t done = 0;
	int err;

	if (!gm_view_has_iommu(v))
		/* copy_direct() does not write to it. */
		done = copy_direct(v, gm_gpa_raw(gpa), (void *)(uintptr_t)buf,
				   n, GM_PERM_WRITE);
	if (gm_likely(done == n))
		return 0;
	done = walk_write(v, gpa, buf, n, done, &err);
	return exact(gpa, n, done, err);
}

int gm_view_read_slow(struct gm_view *v, gm_gpa_t gpa, void *buf, uint64_t n)
{
	uint64_t off;

	if (gm_view_has_iommu(v))
		return gm_view_read_iommu(v, gm_gpa_raw(gpa), buf, n);
	/* Integers come here without a look at the hint. */
	if (gm_view_hit(v, gm_gpa_raw(gpa), n, &off)) {
		gm_copy_from_host(buf, v->hint.host + off, n);
		return 0;
	}
	return gm_view_read_pieces(v, gpa, buf, n);
}

int gm_view_write_slow(struct gm_view *v, gm_gpa_t gpa, const void *buf,
		       uint64_t n)
{
	if (gm_view_has_iommu(v))
		return gm_view_write_iommu(v, gm_gpa_raw(gpa), buf, n);
	return gm_view_write_pieces(v, gpa, buf, n);
}

int64_t gm_view_read_some(struct gm_view *v, gm_gpa_t gpa, void *buf,
			  uint64_t n)
{
	int err;
	uint64_t done = walk_read(v, gpa, buf, n, 0, &err);

	return done ? (int64_t)done : err;
}

int64_t gm_view_write_some(struct gm_view *v, gm_gpa_t gpa, const void *buf,
			   uint64_t n)
{
	int err;
	uint64_t done = walk_write(v, gpa, buf, n, 0, &err);

	return done ? (int64_t)done : err;
}

/*
 * The piece that an atomic access is about, inside gm_view_enter(); the next
 * access to it is inline.
 */
static int atomic_slice(struct gm_view *v, gm_gpa_t gpa, uint64_t n,
			enum gm_perm perm, struct gm_slice *out)
{
	struct gm_piece p;
	int ret;

	if (!gm_mem_size_is_atomic(n))
		return gm_error_set(-EINVAL, GM_ERR_SIZE, n, 0);
	ret = gm_view_translate(v, gm_gpa_raw(gpa), n, perm, true, &p);
	if (ret)
		return ret;
	if (p.ext->host && !gm_view_has_iommu(v))
		gm_view_set_hint(v, p.ext);
	if (p.len == n) {
		*out = gm_view_piece_slice(v, &p);
		return 0;
	}
	/* The piece is of no use: the rest may be asked for. */
	gm_view_exit(v);
	ret = gm_view_check_range(v, gpa, n, perm);
	gm_view_enter(v);
	if (ret)
		return ret;
	return gm_error_set_counts(-EMSGSIZE, GM_ERR_FRAGMENTED,
				   gm_gpa_raw(gpa), n, n, p.len);
}

/* The caller knows guest addresses, not offsets in a slice. */
static int atomic_error(int err, gm_gpa_t gpa, uint64_t n)
{
	if (err && gm_error_last()->kind == GM_ERR_MISALIGNED)
		return gm_error_set(err, GM_ERR_MISALIGNED, gm_gpa_raw(gpa),
				    n);
	return err;
}

int gm_view_load_slow(struct gm_view *v, gm_gpa_t gpa, void *dst, uint64_t n,
		      enum gm_order order)
{
	struct gm_slice s;
	int ret;

	gm_view_enter(v);
	ret = atomic_slice(v, gpa, n, GM_PERM_READ, &s);
	if (!ret)
		ret = gm_slice_load(s, 0, dst, n, order);
	gm_view_exit(v);
	return atomic_error(ret, gpa, n);
}

int gm_view_store_slow(struct gm_view *v, gm_gpa_t gpa, const void *src,
		       uint64_t n, enum gm_order order)
{
	struct gm_slice s;
	int ret;

	gm_view_enter(v);
	ret = atomic_slice(v, gpa, n, GM_PERM_WRITE, &s);
	if (!ret)
		ret = gm_slice_store(s, 0, src, n, order);
	gm_view_exit(v);
	return atomic_error(ret, gpa, n);
}

void gm_map_mark(const struct gm_map *m, uint64_t start, uint64_t last)
{
	size_t i;

	for (i = gm_map_first_from(m, start); i < m->count; i++) {
		const struct gm_extent *e = &m->ext[i];
		uint64_t from = start > e->base ? start - e->base : 0;

		if (e->base > last)
			break;
		gm_bitmap_mark(e->dirty, from,
			       gm_min(last - (e->base + from),
				      e->len - from - 1) + 1);
	}
}

void gm_view_mark(struct gm_view *v, gm_gpa_t gpa, uint64_t n)
{
	uint64_t start = gm_gpa_raw(gpa), last;

	if (!n)
		return;
	if (__builtin_add_overflow(start, n - 1, &last))
		last = UINT64_MAX;
	if (gm_view_has_iommu(v))
		gm_view_mark_iommu(v, start, last);
	else
		gm_map_mark(v->map, start, last);
}
