/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * alias.h - the same memory with another bitmap.
 *
 * Tracking that begins while a device runs, as of a migration, need not cost
 * anything before: a map without bitmaps, and when it begins another map of the
 * same memory, whose regions have them. The device changes from one map to the
 * other, and back in the end.
 */
#ifndef GUESTMEM_ALIAS_H
#define GUESTMEM_ALIAS_H

#include <guestmem/map.h>

GM_BEGIN_DECLS

/**
 * gm_region_new_alias() - a region over the memory of another one
 * @base: the other one; the alias takes a reference
 * @dirty: its bitmap, which tracks as many bytes at least; the alias takes a
 *	reference. NULL: not tracked
 * @out: the region, with one reference
 *
 * It has the range, host address, file and permissions of @base, and only its
 * bitmap is another one: what is written by way of the alias is marked in
 * @dirty, and what is written by way of @base is not. Read-only memory stays that
 * and is never marked. Holds, faults and discards (hold.h, fault.h) are @base's:
 * they are the memory's; so is what else is known of it, such as a pin (kmod.h) or a
 * domain (xen.h).
 *
 * Return: 0; -EINVAL (GM_ERR_OPTION) @dirty is too short; -ENOMEM
 * (GM_ERR_MEMORY).
 */
GM_API int gm_region_new_alias(struct gm_region *base, struct gm_bitmap *dirty,
			       struct gm_region **out);

/**
 * gm_map_new_alias() - a map of the same memory with other bitmaps
 * @m: the map
 * @track: makes the bitmap of a region, with one reference for the alias, or
 *	NULL; not called for read-only memory. May fail with a negative errno.
 * @ctx: for @track
 * @out: the map, with one reference
 *
 * Return: 0; an error of @track, or of gm_region_new_alias(), with nothing left
 * behind.
 */
GM_API int gm_map_new_alias(const struct gm_map *m,
			    int (*track)(void *ctx, struct gm_region *r,
					 struct gm_bitmap **dirty),
			    void *ctx, struct gm_map **out);

GM_END_DECLS

#endif /* GUESTMEM_ALIAS_H */
