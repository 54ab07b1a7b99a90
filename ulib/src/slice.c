/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice.c - slices: narrowing, pointers, and the access that is not inline.
 */
#include <errno.h>

#include "internal.h"

/* Why [off, off + n) is not inside an object of @size bytes. */
int gm_bounds_error(uint64_t off, uint64_t n, uint64_t size)
{
	if (n > UINT64_MAX - off)
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, off, n);
	return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS, off, n, size,
				   0);
}

int gm_error_make_partial(int err, uint64_t at, uint64_t expected,
			  uint64_t completed)
{
	if (!completed)
		return err;
	return gm_error_set_counts(err, GM_ERR_PARTIAL, at, 0, expected,
				   completed);
}

struct gm_bitmap_slice gm_slice_bitmap(struct gm_slice s)
{
	struct gm_bitmap *bm;

	if (s.host)
		bm = s.dirty;
	else
		bm = s.len ? s.region->ext.dirty : NULL;
	if (gm_bitmap_refuses_write(bm))
		bm = NULL;
	return gm_bitmap_slice_at(bm, s.off);
}

enum gm_perm gm_slice_perm(struct gm_slice s)
{
	if (s.host && gm_bitmap_refuses_write(s.dirty))
		return GM_PERM_READ;
	return GM_PERM_RW;
}

int gm_compute_offset(uint64_t base, uint64_t off, uint64_t *out)
{
	if (off > UINT64_MAX - base)
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, base, off);
	*out = base + off;
	return 0;
}

int gm_slice_compute_end(struct gm_slice s, uint64_t off, uint64_t n,
			 uint64_t *out)
{
	if (!gm_slice_has(s, off, n))
		return gm_bounds_error(off, n, s.len);
	*out = off + n;
	return 0;
}

int gm_slice_sub(struct gm_slice s, uint64_t off, uint64_t n,
		 struct gm_slice *out)
{
	if (!gm_slice_has(s, off, n))
		return gm_bounds_error(off, n, s.len);
	if (s.host)
		s.host += off;
	s.off += off;
	s.len = n;
	*out = s;
	return 0;
}

int gm_slice_offset(struct gm_slice s, uint64_t off, struct gm_slice *out)
{
	if (off > s.len)
		return gm_bounds_error(off, 0, s.len);
	return gm_slice_sub(s, off, s.len - off, out);
}

int gm_slice_split(struct gm_slice s, uint64_t mid, struct gm_slice *head,
		   struct gm_slice *tail)
{
	struct gm_slice t;
	int ret;

	ret = gm_slice_offset(s, mid, &t);
	if (ret)
		return ret;
	s.len = mid;
	*head = s;
	*tail = t;
	return 0;
}

/*
 * A backend is code of somebody else's. What is no errno would be taken for a
 * count of bytes; and a failure without a kind must not be told with that of an
 * older one, by which callers decide.
 */
static int begin_error(struct gm_slice s, int ret, uint64_t failures)
{
	if (ret > 0)
		return gm_error_set_counts(-EIO, GM_ERR_BACKEND_RANGE, s.off,
					   s.len, s.len, 0);
	if (gm_error_count() == failures || gm_error_last()->err != ret)
		return gm_error_set(ret, GM_ERR_IO, s.off, s.len);
	return ret;
}

int gm_slice_begin(struct gm_slice s, enum gm_perm perm, struct gm_guard *g)
{
	struct gm_guard got = { .ptr = s.host, .len = s.len, .off = s.off };
	uint64_t failures;
	int ret;

	if (s.host || !s.len) {
		if (gm_perm_has_write(perm) && s.host &&
		    gm_bitmap_refuses_write(s.dirty))
			return gm_error_set(-EACCES, GM_ERR_PERMISSION, s.off,
					    s.len);
		*g = got;
		return 0;
	}
	got.len = 0;
	failures = gm_error_count();
	ret = s.region->ops->begin(s.region, s.off, s.len, perm, &got);
	if (ret)
		return begin_error(s, ret, failures);
	got.region = s.region;
	got.off = s.off;
	/* What it gave is checked too. */
	if (!got.ptr || got.len < s.len) {
		ret = gm_error_set_counts(-EIO, GM_ERR_BACKEND_RANGE, s.off,
					  s.len, s.len, got.len);
		gm_guard_end(&got);
		return ret;
	}
	*g = got;
	return 0;
}

void gm_guard_end(struct gm_guard *g)
{
	if (g->region)
		g->region->ops->end(g->region, g);
	g->region = NULL;
	g->ptr = NULL;
	g->len = 0;
}

void gm_slice_mark(struct gm_slice s, uint64_t off, uint64_t n)
{
	struct gm_bitmap_slice b = gm_slice_bitmap(s);

	if (off < s.len)
		gm_bitmap_slice_mark(b, off, gm_min(n, s.len - off));
}

int gm_slice_cut(struct gm_slice s, uint64_t off, uint64_t n,
		 struct gm_slice *out)
{
	if (off >= s.len)
		return gm_bounds_error(off, n > UINT64_MAX - off ? 0 : n,
				       s.len);
	return gm_slice_sub(s, off, gm_min(n, s.len - off), out);
}

int64_t gm_slice_read_some(struct gm_slice s, uint64_t off, void *buf,
			   uint64_t n)
{
	struct gm_guard g;
	int ret;

	if (!n)
		return 0;
	ret = gm_slice_cut(s, off, n, &s);
	if (ret)
		return ret;
	ret = gm_slice_begin(s, GM_PERM_READ, &g);
	if (ret)
		return ret;
	gm_copy_from_host(buf, g.ptr, s.len);
	gm_guard_end(&g);
	return (int64_t)s.len;
}

int64_t gm_slice_write_some(struct gm_slice s, uint64_t off, const void *buf,
			    uint64_t n)
{
	struct gm_guard g;
	int ret;

	if (!n)
		return 0;
	ret = gm_slice_cut(s, off, n, &s);
	if (ret)
		return ret;
	ret = gm_slice_begin(s, GM_PERM_WRITE, &g);
	if (ret)
		return ret;
	gm_copy_to_host(g.ptr, buf, s.len);
	gm_guard_end(&g);
	gm_slice_mark(s, 0, s.len);
	return (int64_t)s.len;
}

/* A count that is not all there is. */
static int exact(int64_t done, struct gm_slice s, uint64_t off, uint64_t n)
{
	if (done < 0)
		return (int)done;
	if ((uint64_t)done == n)
		return 0;
	return gm_error_set_counts(-ERANGE, GM_ERR_PARTIAL, s.len, 0, n,
				   s.len - off);
}

int gm_slice_read_slow(struct gm_slice s, uint64_t off, void *buf, uint64_t n)
{
	return exact(gm_slice_read_some(s, off, buf, n), s, off, n);
}

int gm_slice_write_slow(struct gm_slice s, uint64_t off, const void *buf,
			uint64_t n)
{
	return exact(gm_slice_write_some(s, off, buf, n), s, off, n);
}

/* The checks of an atomic access, up to a pointer that is aligned. */
static int begin_atomic(struct gm_slice s, uint64_t off, uint64_t n,
			enum gm_perm perm, struct gm_guard *g)
{
	int ret;

	if (!gm_mem_size_is_atomic(n))
		return gm_error_set(-EINVAL, GM_ERR_SIZE, n, 0);
	ret = gm_slice_sub(s, off, n, &s);
	if (ret)
		return ret;
	ret = gm_slice_begin(s, perm, g);
	if (ret)
		return ret;
	if (gm_mem_is_aligned(g->ptr, n))
		return 0;
	ret = gm_error_set(-EINVAL, GM_ERR_MISALIGNED, (uintptr_t)g->ptr, n);
	gm_guard_end(g);
	return ret;
}

int gm_slice_load_slow(struct gm_slice s, uint64_t off, void *dst, uint64_t n,
		       enum gm_order order)
{
	struct gm_guard g;
	int ret;

	if (!gm_order_for_load(order))
		return gm_error_set(-EINVAL, GM_ERR_ORDER, (uint64_t)order, 0);
	ret = begin_atomic(s, off, n, GM_PERM_READ, &g);
	if (ret)
		return ret;
	gm_mem_load(dst, g.ptr, n, order);
	gm_guard_end(&g);
	return 0;
}

int gm_slice_store_slow(struct gm_slice s, uint64_t off, const void *src,
			uint64_t n, enum gm_order order)
{
	struct gm_guard g;
	int ret;

	if (!gm_order_for_store(order))
		return gm_error_set(-EINVAL, GM_ERR_ORDER, (uint64_t)order, 0);
	ret = begin_atomic(s, off, n, GM_PERM_WRITE, &g);
	if (ret)
		return ret;
	gm_mem_store(g.ptr, src, n, order);
	gm_guard_end(&g);
	gm_slice_mark(s, off, n);
	return 0;
}
