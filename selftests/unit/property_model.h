/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * property_model.h - guest memory as simple as it gets, beside the real one.
 *
 * A world is a list of regions, sorted and apart. Each has its real bytes, which
 * the library moves, and an array of the bytes that should be there. A search
 * goes through all regions, one after the other. Some regions are plugged: they
 * are in the map.
 */
#ifndef SELFTESTS_UNIT_PROPERTY_MODEL_H
#define SELFTESTS_UNIT_PROPERTY_MODEL_H

#include <guestmem/access.h>
#include "own_region.h"
#include "random.h"

#define WORLD_REGIONS 80
#define WORLD_LEN_MAX 8192	/* longest region */
#define WORLD_PAGE 16		/* bytes a dirty bit */

enum world_kind {
	PLAIN,
	TRACKED,
	ON_DEMAND,
	ON_DEMAND_TRACKED,
	READ_ONLY,
	WORLD_KINDS,
};

struct world_region {
	uint64_t base;
	uint64_t len;
	enum world_kind kind;
	bool plugged;
	struct own_region own;
	struct gm_region *r;
	struct gm_bitmap *bm;
	uint8_t *page;		/* allocation around the bytes */
	uint8_t *mem;		/* the real bytes */
	uint8_t *want;		/* the bytes that should be there */
	uint64_t dirty[WORLD_LEN_MAX / WORLD_PAGE / 64 + 1];
};

struct world {
	struct rnd rnd;
	struct world_region regions[WORLD_REGIONS];
	size_t count;
	size_t plugged;
	struct gm_map *map;
	struct gm_view view;
	/* What was found wrong. */
	const char *wrong;
	uint64_t wrong_at;
};

/* Why a walk ended. */
enum walk_stop { ALL_THERE, HOLE, PASSES_END, REFUSED };

struct piece {
	struct world_region *r;
	uint64_t off;
	uint64_t n;
};

struct walk {
	struct piece pieces[WORLD_REGIONS];
	size_t count;
	uint64_t done;
	enum walk_stop stop;
	uint64_t stop_at;
};

/* Allocate what worlds need; a new world; free all. */
bool world_init(struct world *w, uint64_t seed);
bool world_renew(struct world *w);
void world_exit(struct world *w);

/* The plugged region that has @gpa. */
struct world_region *world_find(struct world *w, uint64_t gpa);

/* The pieces of [gpa, gpa + n), as far as they go. */
void world_walk(struct world *w, uint64_t gpa, uint64_t n, bool write,
		struct walk *out);

/* The errno and kind that a walk's end is, if nothing was done before. */
int walk_errno(const struct walk *walk);
enum gm_error_kind walk_kind(const struct walk *walk);

/* Bytes that should be there, and bytes that were written. */
void walk_get(const struct walk *walk, uint8_t *buf);
void walk_put(const struct walk *walk, const uint8_t *buf, uint64_t n);

/* [gpa, gpa + n) is dirty where it is in regions. */
void world_mark(struct world *w, uint64_t gpa, uint64_t n);

/* Is all as it should be, near what a walk touched? In the whole world? */
bool walk_check(struct world *w, const struct walk *walk);
bool world_check(struct world *w);

/* Notes what is wrong; false, for the caller to return. */
bool world_wrong(struct world *w, const char *what, uint64_t at);

/* An address where something is, or near it. */
uint64_t world_address(struct world *w);

#endif /* SELFTESTS_UNIT_PROPERTY_MODEL_H */
