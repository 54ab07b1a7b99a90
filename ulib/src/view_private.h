/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * view_private.h - the one step that all access by address goes through: from
 * an address to a piece of a region, whatever is between.
 */
#ifndef GM_VIEW_PRIVATE_H
#define GM_VIEW_PRIVATE_H

#include "internal.h"

/* Bytes of one region, and where they are marked if written. */
struct gm_piece {
	const struct gm_extent *ext;
	uint64_t off;			/* in the region */
	uint64_t len;			/* at most what was asked for; not 0 */
	struct gm_bitmap *dirty;
	uint64_t dirty_off;
};

static inline bool gm_view_has_iommu(const struct gm_view *v)
{
	return gm_unlikely(v->flags);
}

/* The first piece of guest range [gpa, gpa + len); @len 0 is empty. */
int gm_map_piece(const struct gm_map *m, uint64_t gpa, uint64_t len,
		 enum gm_perm perm, struct gm_piece *out);

/*
 * The first piece of [addr, addr + len), by whatever a view goes through. @own: the section is
 * the library's and nothing was found in it that is still wanted: it may be left
 * to ask for what is missing.
 */
int gm_view_translate(struct gm_view *v, uint64_t addr, uint64_t len,
		      enum gm_perm perm, bool own, struct gm_piece *out);
int gm_view_translate_iommu(struct gm_view *v, uint64_t addr, uint64_t len,
			    enum gm_perm perm, bool own, struct gm_piece *out);

struct gm_slice gm_view_piece_slice(const struct gm_view *v,
				    const struct gm_piece *p);

/* A section of the library's own around an access. */
static inline void gm_view_enter(const struct gm_view *v)
{
	if (gm_view_has_iommu(v))
		gm_epoch_enter();
}

static inline void gm_view_exit(const struct gm_view *v)
{
	if (gm_view_has_iommu(v))
		gm_epoch_exit();
}

/* A walk of the library's, inside gm_view_enter() and gm_view_exit(). */
void gm_slices_init_own(struct gm_slices *it, struct gm_view *v, gm_gpa_t gpa,
			gm_size_t len, enum gm_perm perm);

/* gm_view_read() and gm_view_write() through an IOMMU. */
int gm_view_read_iommu(struct gm_view *v, uint64_t iova, void *buf,
		       uint64_t n);
int gm_view_write_iommu(struct gm_view *v, uint64_t iova, const void *buf,
			uint64_t n);

/* The same whatever a view goes through, where nothing is simple. */
int gm_view_read_pieces(struct gm_view *v, gm_gpa_t gpa, void *buf,
			uint64_t n);
int gm_view_write_pieces(struct gm_view *v, gm_gpa_t gpa, const void *buf,
			 uint64_t n);

/* gm_view_mark() through an IOMMU. */
void gm_view_mark_iommu(struct gm_view *v, uint64_t iova, uint64_t last);

/* Guest addresses [start, last] were written. */
void gm_map_mark(const struct gm_map *m, uint64_t start, uint64_t last);

#endif /* GM_VIEW_PRIVATE_H */
