/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * own_region.h - a region kind made outside the library, for tests.
 *
 * Either direct (it has a host address) or on demand: then each access gets a
 * buffer of its own, of exactly the bytes it asked for, which is copied back
 * and freed at its end. So a sanitizer sees each byte too many, and each access
 * that is not given back.
 */
#ifndef SELFTESTS_UNIT_OWN_REGION_H
#define SELFTESTS_UNIT_OWN_REGION_H

#include <guestmem/region.h>

/**
 * struct own_region - the caller's own kind of region
 * @r: the library's part, first
 * @mem: the bytes; the test's
 * @begins: calls of begin that succeeded
 * @open: those not ended yet
 * @released: calls of release
 * @bad: things that the library must never do
 * @fail: if not 0, begin answers this
 * @short_by: begin gives so many bytes less than asked for
 * @perm: what begin allows
 * @last_off: what begin was asked for last
 * @last_len: same
 * @last_perm: same
 * @on_release: called before its release, if not NULL
 * @ctx: the test's
 */
struct own_region {
	struct gm_region r;
	uint8_t *mem;
	int begins;
	int open;
	int released;
	int bad;
	int fail;
	uint64_t short_by;
	enum gm_perm perm;
	uint64_t last_off;
	uint64_t last_len;
	enum gm_perm last_perm;
	void (*on_release)(struct own_region *o);
	void *ctx;
};

/* @mem is its memory: of @len bytes, the caller's, and it outlives the region. */
int own_region_init_direct(struct own_region *o, uint64_t gpa, uint64_t len,
			   void *mem, struct gm_bitmap *dirty);
int own_region_init_on_demand(struct own_region *o, uint64_t gpa, uint64_t len,
			      void *mem, struct gm_bitmap *dirty);

extern const struct gm_region_ops own_region_ops;

#endif /* SELFTESTS_UNIT_OWN_REGION_H */
