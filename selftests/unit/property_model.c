/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* property_model.c - see property_model.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../ulib/src/aligned.h"
#include "pages.h"
#include "property_model.h"

/* Room before and after the real bytes, where nothing may be written. */
#define MARGIN 64
#define CANARY 0xc5
/* gm_aligned_alloc() wants a multiple of the alignment. */
#define ALLOCATED ((WORLD_LEN_MAX + 3 * ANY_PAGE - 1) / ANY_PAGE * ANY_PAGE)

bool world_init(struct world *w, uint64_t seed)
{
	size_t i;

	memset(w, 0, sizeof(*w));
	w->rnd.state = seed;
	for (i = 0; i < WORLD_REGIONS; i++) {
		struct world_region *r = &w->regions[i];

		r->page = gm_aligned_alloc(ANY_PAGE, ALLOCATED);
		r->want = malloc(WORLD_LEN_MAX);
		if (!r->page || !r->want)
			return false;
	}
	return true;
}

static void world_clear(struct world *w)
{
	size_t i;

	gm_map_put(w->map);
	w->map = NULL;
	for (i = 0; i < w->count; i++) {
		gm_region_put(w->regions[i].r);
		gm_bitmap_put(w->regions[i].bm);
	}
	w->count = 0;
}

void world_exit(struct world *w)
{
	size_t i;

	world_clear(w);
	for (i = 0; i < WORLD_REGIONS; i++) {
		gm_aligned_free(w->regions[i].page);
		free(w->regions[i].want);
	}
}

static bool region_make(struct world *w, struct world_region *r)
{
	struct gm_mmap_opts rom = {
		.sz = sizeof(rom),
		.flags = GM_MMAP_READ_ONLY,
	};
	uint64_t i;

	/* Aligned like the guest address, or not. Read-only: a whole page. */
	r->mem = r->page + ANY_PAGE;
	if (r->kind != READ_ONLY)
		r->mem += (rnd_below(&w->rnd, 4) ? r->base :
						   rnd_u64(&w->rnd)) & 15;
	memset(r->mem - MARGIN, CANARY, MARGIN);
	memset(r->mem + r->len, CANARY, MARGIN);
	for (i = 0; i < r->len; i++)
		r->mem[i] = r->want[i] = (uint8_t)rnd_u64(&w->rnd);
	memset(r->dirty, 0, sizeof(r->dirty));
	r->bm = NULL;
	if ((r->kind == TRACKED || r->kind == ON_DEMAND_TRACKED) &&
	    gm_bitmap_new(r->len, WORLD_PAGE, &r->bm))
		return false;
	r->r = &r->own.r;
	rom.addr = r->mem;
	switch (r->kind) {
	case READ_ONLY:
		return !gm_region_new_mmap(gm_gpa(r->base), r->len, &rom, &r->r);
	case ON_DEMAND:
	case ON_DEMAND_TRACKED:
		return !own_region_init_on_demand(&r->own, r->base, r->len,
						  r->mem, r->bm);
	default:
		return !own_region_init_direct(&r->own, r->base, r->len, r->mem,
					       r->bm);
	}
}

/* How the regions of a world lie: their lengths, holes, and where it starts. */
static void choose_layout(struct world *w, uint64_t *start, uint64_t *unit,
			  uint64_t *len_max, size_t *count)
{
	struct rnd *rnd = &w->rnd;

	*unit = 1;
	*len_max = 200;
	*count = rnd_between(rnd, 1, 12);
	switch (rnd_below(rnd, 5)) {
	case 0:		/* pages at low addresses: what a guest looks like */
		*unit = rnd_below(rnd, 2) ? 4096 : 64;
		*len_max = WORLD_LEN_MAX;
		*count = rnd_between(rnd, 1, 6);
		*start = 0;
		break;
	case 1:		/* more adjacent regions than one I/O call takes */
		*len_max = 12;
		*count = WORLD_REGIONS;
		*start = rnd_below(rnd, 100);
		break;
	case 2:		/* up to the end of the address space */
		*start = 0;
		break;
	case 3:		/* anywhere */
		*start = rnd_u64(rnd) >> rnd_between(rnd, 1, 63);
		break;
	default:
		*unit = 8;
		*start = rnd_below(rnd, 64);
		break;
	}
}

/* Regions and their kinds, without their memory. */
static void place_regions(struct world *w)
{
	uint64_t at, unit, len_max, shift = 0;
	struct rnd *rnd = &w->rnd;
	bool at_end = false;
	size_t count, i;

	choose_layout(w, &at, &unit, &len_max, &count);
	at_end = unit == 1 && len_max == 200 && !at;
	at = at / unit * unit;
	for (i = 0; i < count; i++) {
		struct world_region *r = &w->regions[i];
		bool adjacent = rnd_below(rnd, count == WORLD_REGIONS ? 400 : 3);

		if (!adjacent)
			at += unit * rnd_between(rnd, 1, 20);
		r->base = at;
		r->len = unit * rnd_between(rnd, 1, len_max / unit);
		r->kind = (enum world_kind)rnd_below(rnd, WORLD_KINDS);
		at += r->len;
	}
	w->count = count;
	/* Moved so that the last region's last byte is the last there is. */
	if (at_end && rnd_below(rnd, 4))
		shift = UINT64_MAX - at + 1 - rnd_below(rnd, 2);
	for (i = 0; i < count; i++)
		w->regions[i].base += shift;
}

bool world_renew(struct world *w)
{
	struct gm_region *regions[WORLD_REGIONS];
	size_t i, n = 0;

	world_clear(w);
	place_regions(w);
	for (i = 0; i < w->count; i++) {
		struct world_region *r = &w->regions[i];

		if (!region_make(w, r)) {
			w->count = i;
			return false;
		}
		/* Now and then one is left for later; no hole in a long row. */
		r->plugged = !n || rnd_below(&w->rnd, w->count == WORLD_REGIONS ?
							     400 : 6);
		if (r->plugged)
			regions[n++] = r->r;
	}
	w->plugged = n;
	if (gm_map_new(regions, n, &w->map))
		return false;
	gm_view_init(&w->view, w->map);
	return true;
}

struct world_region *world_find(struct world *w, uint64_t gpa)
{
	size_t i;

	for (i = 0; i < w->count; i++) {
		struct world_region *r = &w->regions[i];

		if (r->plugged && gpa >= r->base && gpa - r->base < r->len)
			return r;
	}
	return NULL;
}

void world_walk(struct world *w, uint64_t gpa, uint64_t n, bool write,
		struct walk *out)
{
	out->count = 0;
	out->done = 0;
	out->stop = ALL_THERE;
	while (out->done < n) {
		struct world_region *r;
		struct piece *p;

		out->stop_at = gpa + out->done;
		if (out->done && !out->stop_at) {
			out->stop = PASSES_END;
			return;
		}
		r = world_find(w, out->stop_at);
		if (!r) {
			out->stop = HOLE;
			return;
		}
		if (write && r->kind == READ_ONLY) {
			out->stop = REFUSED;
			return;
		}
		p = &out->pieces[out->count++];
		p->r = r;
		p->off = out->stop_at - r->base;
		p->n = r->len - p->off;
		if (p->n > n - out->done)
			p->n = n - out->done;
		out->done += p->n;
	}
}

int walk_errno(const struct walk *walk)
{
	switch (walk->stop) {
	case HOLE:
		return -EFAULT;
	case PASSES_END:
		return -EOVERFLOW;
	case REFUSED:
		return -EACCES;
	default:
		return 0;
	}
}

enum gm_error_kind walk_kind(const struct walk *walk)
{
	switch (walk->stop) {
	case HOLE:
		return GM_ERR_GUEST_ADDR;
	case PASSES_END:
		return GM_ERR_GUEST_OVERFLOW;
	case REFUSED:
		return GM_ERR_PERMISSION;
	default:
		return GM_ERR_NONE;
	}
}

void walk_get(const struct walk *walk, uint8_t *buf)
{
	size_t i;

	for (i = 0; i < walk->count; i++) {
		const struct piece *p = &walk->pieces[i];

		memcpy(buf, p->r->want + p->off, p->n);
		buf += p->n;
	}
}

static void mark(struct world_region *r, uint64_t off, uint64_t n)
{
	uint64_t page;

	if (!r->bm || !n)
		return;
	for (page = off / WORLD_PAGE; page <= (off + n - 1) / WORLD_PAGE; page++)
		r->dirty[page / 64] |= UINT64_C(1) << (page % 64);
}

void walk_put(const struct walk *walk, const uint8_t *buf, uint64_t n)
{
	size_t i;

	for (i = 0; i < walk->count && n; i++) {
		const struct piece *p = &walk->pieces[i];
		uint64_t part = p->n < n ? p->n : n;

		memcpy(p->r->want + p->off, buf, part);
		mark(p->r, p->off, part);
		buf += part;
		n -= part;
	}
}

void world_mark(struct world *w, uint64_t gpa, uint64_t n)
{
	size_t i;

	for (i = 0; i < w->count; i++) {
		struct world_region *r = &w->regions[i];
		uint64_t off = gpa > r->base ? gpa - r->base : 0;
		uint64_t left = gpa > r->base ? n : 0;

		/* Bytes of the range from the region's byte @off on. */
		if (gpa <= r->base)
			left = r->base - gpa < n ? n - (r->base - gpa) : 0;
		if (!r->plugged || off >= r->len || !left)
			continue;
		mark(r, off, left < r->len - off ? left : r->len - off);
	}
}

bool world_wrong(struct world *w, const char *what, uint64_t at)
{
	w->wrong = what;
	w->wrong_at = at;
	return false;
}

/* Bytes [from, to) of a region and the dirty bits of their pages. */
static bool region_check(struct world *w, struct world_region *r, uint64_t from,
			 uint64_t to)
{
	uint64_t page;

	if (memcmp(r->mem + from, r->want + from, to - from))
		return world_wrong(w, "bytes differ", r->base + from);
	if (!r->bm)
		return true;
	for (page = from / WORLD_PAGE; page <= (to - 1) / WORLD_PAGE; page++)
		if (gm_bitmap_test_page(r->bm, page) !=
		    ((r->dirty[page / 64] >> (page % 64)) & 1))
			return world_wrong(w, "dirty bit differs",
					   r->base + page * WORLD_PAGE);
	return true;
}

bool walk_check(struct world *w, const struct walk *walk)
{
	size_t i;

	for (i = 0; i < walk->count; i++) {
		const struct piece *p = &walk->pieces[i];
		uint64_t from = p->off > WORLD_PAGE ? p->off - WORLD_PAGE : 0;
		uint64_t to = p->r->len - p->off - p->n > WORLD_PAGE ?
				      p->off + p->n + WORLD_PAGE : p->r->len;

		if (!region_check(w, p->r, from, to))
			return false;
	}
	return true;
}

bool world_check(struct world *w)
{
	uint8_t canary[MARGIN];
	size_t i;

	memset(canary, CANARY, sizeof(canary));
	for (i = 0; i < w->count; i++) {
		struct world_region *r = &w->regions[i];

		if (memcmp(r->mem - MARGIN, canary, MARGIN) ||
		    memcmp(r->mem + r->len, canary, MARGIN))
			return world_wrong(w, "written outside", r->base);
		if (r->own.open || r->own.bad)
			return world_wrong(w, "begin and end", r->base);
		if (!region_check(w, r, 0, r->len))
			return false;
		if (r->bm) {
			gm_bitmap_reset(r->bm);
			memset(r->dirty, 0, sizeof(r->dirty));
		}
	}
	return true;
}

uint64_t world_address(struct world *w)
{
	const struct world_region *r;
	struct rnd *rnd = &w->rnd;

	switch (rnd_below(rnd, 16)) {
	case 0:
		return rnd_u64(rnd) >> rnd_below(rnd, 64);
	case 1:
		return UINT64_MAX - rnd_below(rnd, 32);
	case 2:
	case 3:
	case 4:		/* around a border */
		r = &w->regions[rnd_below(rnd, w->count)];
		return r->base + r->len - 8 + rnd_below(rnd, 16);
	default:
		r = &w->regions[rnd_below(rnd, w->count)];
		return r->base + rnd_below(rnd, r->len);
	}
}
