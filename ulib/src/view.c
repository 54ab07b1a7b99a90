/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * view.c - a range of guest addresses, piece by piece.
 */
#include <errno.h>

#include "view_private.h"

static int wrap_error(uint64_t gpa, uint64_t len)
{
	return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW, gpa, len);
}

int gm_map_piece(const struct gm_map *m, uint64_t gpa, uint64_t len,
		 enum gm_perm perm, struct gm_piece *out)
{
	const struct gm_extent *e = gm_map_lookup(m, gpa);

	if (!e)
		return gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR, gpa, 0);
	if (gm_perm_has_write(perm) && gm_bitmap_refuses_write(e->dirty))
		return gm_error_set(-EACCES, GM_ERR_PERMISSION, gpa, len);
	out->ext = e;
	out->off = gpa - e->base;
	out->len = gm_min(len, e->len - out->off);
	out->dirty = e->dirty;
	out->dirty_off = out->off;
	return 0;
}

int gm_view_translate(struct gm_view *v, uint64_t addr, uint64_t len,
		      enum gm_perm perm, bool own, struct gm_piece *out)
{
	if (gm_view_has_iommu(v))
		return gm_view_translate_iommu(v, addr, len, perm, own, out);
	return gm_map_piece(v->map, addr, len, perm, out);
}

struct gm_slice gm_view_piece_slice(const struct gm_view *v,
				    const struct gm_piece *p)
{
	struct gm_slice s = gm_map_extent_slice(v->map, p->ext, p->off,
						p->len);

	if (s.host) {
		s.dirty = p->dirty;
		s.off = p->dirty_off;
	}
	return s;
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
	it->own = false;
}

void gm_slices_init_own(struct gm_slices *it, struct gm_view *v, gm_gpa_t gpa,
			gm_size_t len, enum gm_perm perm)
{
	gm_slices_init(it, v, gpa, len, perm);
	it->own = true;
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
	struct gm_piece p;
	int err;

	if (!it->left)
		return 0;
	/* A walk that has come to 2^64 is not at address 0. */
	if (it->started && !it->gpa)
		return slices_end(it, wrap_error(UINT64_MAX, it->left));
	err = gm_view_translate(it->view, it->gpa, it->left, it->perm, it->own,
				&p);
	if (err)
		return slices_end(it, err);
	*out = gm_view_piece_slice(it->view, &p);
	it->started = true;
	it->gpa += p.len;
	it->left -= p.len;
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
	gm_slices_init_own(&it, v, gpa, len, perm);
	gm_view_enter(v);
	do {
		ret = gm_slices_next(&it, &s);
	} while (ret > 0);
	gm_view_exit(v);
	return ret;
}

int gm_view_slice(struct gm_view *v, gm_gpa_t gpa, gm_size_t len,
		  enum gm_perm perm, struct gm_slice *out)
{
	struct gm_piece p;
	int ret;

	ret = gm_view_translate(v, gm_gpa_raw(gpa), len, perm, false, &p);
	if (ret)
		return ret;
	if (p.len >= len) {
		p.len = len;
		*out = gm_view_piece_slice(v, &p);
		return 0;
	}
	ret = gm_view_check_range(v, gpa, len, perm);
	if (ret)
		return ret;
	return gm_error_set_counts(-EMSGSIZE, GM_ERR_FRAGMENTED,
				   gm_gpa_raw(gpa), len, len, p.len);
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
		struct gm_piece p;
		int64_t ret;
		int err;

		if (done && !cur)
			return wrap_error(gm_gpa_raw(gpa), count);
		gm_view_enter(v);
		err = gm_view_translate(v, cur, count - done, GM_PERM_NONE,
					true, &p);
		ret = err ? err : fn(ctx, done, p.len, gm_roff(p.off),
				     v->map->regions[p.ext - v->map->ext]);
		gm_view_exit(v);
		if (err)
			return done ? (int64_t)done : err;
		if (ret < 0)
			return ret;
		if ((uint64_t)ret > p.len)
			return gm_error_set_counts(-ERANGE,
						   GM_ERR_CALLBACK_RANGE, cur,
						   0, p.len, (uint64_t)ret);
		if (!ret)
			break;
		done += (uint64_t)ret;
		cur += (uint64_t)ret;
	}
	return (int64_t)done;
}
