/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * view.c - a range of guest addresses, piece by piece.
 */
#include <errno.h>

#include "internal.h"

static int wrap_error(uint64_t gpa, uint64_t len)
{
	return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW, gpa, len);
}

/* The extent that has @gpa, if it allows @perm; else NULL and the error. */
static const struct gm_extent *translate(const struct gm_view *v, uint64_t gpa,
					 uint64_t len, enum gm_perm perm,
					 int *err)
{
	const struct gm_extent *e = gm_map_lookup(v->map, gpa);

	if (!e) {
		*err = gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR, gpa, 0);
		return NULL;
	}
	if (gm_perm_has_write(perm) && gm_bitmap_refuses_write(e->dirty)) {
		*err = gm_error_set(-EACCES, GM_ERR_PERMISSION, gpa, len);
		return NULL;
	}
	return e;
}

void gm_slices_init(struct gm_slices *it, struct gm_view *v, gm_gpa_t gpa,
		    gm_size_t len, enum gm_perm perm)
{
	it->view = v;
	it->gpa = gm_gpa_raw(gpa);
	it->left = len;
	it->perm = perm;
	it->stop_on_error = false;
	it->started = false;
}

void gm_slices_init_stop(struct gm_slices *it, struct gm_view *v, gm_gpa_t gpa,
			 gm_size_t len, enum gm_perm perm)
{
	gm_slices_init(it, v, gpa, len, perm);
	it->stop_on_error = true;
}

static int slices_end(struct gm_slices *it, int err)
{
	it->left = 0;
	return it->stop_on_error && it->started ? 0 : err;
}

int gm_slices_next(struct gm_slices *it, struct gm_slice *out)
{
	const struct gm_extent *e;
	uint64_t off, n;
	int err = 0;

	if (!it->left)
		return 0;
	/* A walk that has come to 2^64 is not at address 0. */
	if (it->started && !it->gpa)
		return slices_end(it, wrap_error(UINT64_MAX, it->left));
	e = translate(it->view, it->gpa, it->left, it->perm, &err);
	if (!e)
		return slices_end(it, err);
	off = it->gpa - e->base;
	n = gm_min(it->left, e->len - off);
	*out = gm_map_extent_slice(it->view->map, e, off, n);
	it->started = true;
	it->gpa += n;
	it->left -= n;
	return 1;
}

int gm_view_check_range(struct gm_view *v, gm_gpa_t gpa, gm_size_t len,
			enum gm_perm perm)
{
	struct gm_slices it;
	struct gm_slice s;
	int ret;

	if (len && len - 1 > UINT64_MAX - gm_gpa_raw(gpa))
		return wrap_error(gm_gpa_raw(gpa), len);
	gm_slices_init(&it, v, gpa, len, perm);
	do {
		ret = gm_slices_next(&it, &s);
	} while (ret > 0);
	return ret;
}

int gm_view_slice(struct gm_view *v, gm_gpa_t gpa, gm_size_t len,
		  enum gm_perm perm, struct gm_slice *out)
{
	const struct gm_extent *e;
	uint64_t off;
	int ret = 0;

	e = translate(v, gm_gpa_raw(gpa), len, perm, &ret);
	if (!e)
		return ret;
	off = gm_gpa_raw(gpa) - e->base;
	if (len <= e->len - off) {
		*out = gm_map_extent_slice(v->map, e, off, len);
		return 0;
	}
	ret = gm_view_check_range(v, gpa, len, perm);
	if (ret)
		return ret;
	return gm_error_set_counts(-EMSGSIZE, GM_ERR_FRAGMENTED,
				   gm_gpa_raw(gpa), len, len, e->len - off);
}

int64_t gm_view_try_access(struct gm_view *v, gm_gpa_t gpa, gm_size_t count,
			   int64_t (*fn)(void *ctx, uint64_t done,
					 uint64_t len, gm_roff_t off,
					 struct gm_region *r),
			   void *ctx)
{
	uint64_t done = 0, cur = gm_gpa_raw(gpa);

	/* More would look like an error. */
	count = gm_min(count, (uint64_t)INT64_MAX);
	while (done < count) {
		const struct gm_extent *e;
		uint64_t off, n;
		int64_t ret;
		int err = 0;

		if (done && !cur)
			return wrap_error(gm_gpa_raw(gpa), count);
		e = translate(v, cur, count - done, GM_PERM_NONE, &err);
		if (!e)
			return done ? (int64_t)done : err;
		off = cur - e->base;
		n = gm_min(count - done, e->len - off);
		ret = fn(ctx, done, n, gm_roff(off),
			 v->map->regions[e - v->map->ext]);
		if (ret < 0)
			return ret;
		if ((uint64_t)ret > n)
			return gm_error_set_counts(-ERANGE,
						   GM_ERR_CALLBACK_RANGE, cur,
						   0, n, (uint64_t)ret);
		if (!ret)
			break;
		done += (uint64_t)ret;
		cur += (uint64_t)ret;
	}
	return (int64_t)done;
}
