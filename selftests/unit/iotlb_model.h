/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb_model.h - an IOTLB as simple as it gets, beside the real one.
 *
 * The 64-bit space is cut into cells: 256 small ones at its start, 256 in the
 * middle and 256 at its end, with two large ones between. Each cell is mapped
 * or not, as a whole. A lookup goes through all cells, one after the other.
 */
#ifndef SELFTESTS_UNIT_IOTLB_MODEL_H
#define SELFTESTS_UNIT_IOTLB_MODEL_H

#include <guestmem/iotlb.h>
#include "random.h"

#define MODEL_SMALL 256
#define MODEL_CELLS (3 * MODEL_SMALL + 2)

struct model_cell {
	uint64_t start;
	uint64_t last;
	bool mapped;
	uint64_t delta;
	enum gm_perm perm;
};

struct model {
	struct model_cell cell[MODEL_CELLS];
};

/* Runs of cells that are one piece, cut to a range. */
struct model_pieces {
	size_t count;
	struct model_cell piece[MODEL_CELLS];
};

/* Small cells have @size bytes, a power of two. */
static inline void model_init(struct model *m, uint64_t size)
{
	uint64_t window[3] = { 0, (UINT64_C(1) << 40) - 128 * size,
			       0 - MODEL_SMALL * size };
	size_t i, n = 0, w;

	for (w = 0; w < 3; w++) {
		if (w) {
			m->cell[n].start = window[w - 1] + MODEL_SMALL * size;
			m->cell[n].last = window[w] - 1;
			m->cell[n++].mapped = false;
		}
		for (i = 0; i < MODEL_SMALL; i++, n++) {
			m->cell[n].start = window[w] + i * size;
			m->cell[n].last = m->cell[n].start + (size - 1);
			m->cell[n].mapped = false;
		}
	}
}

/* Cells [from, to] get a mapping whose first byte is at @target. */
static inline void model_set(struct model *m, size_t from, size_t to,
			     uint64_t target, enum gm_perm perm)
{
	size_t i;

	for (i = from; i <= to; i++) {
		m->cell[i].mapped = true;
		m->cell[i].delta = target - m->cell[from].start;
		m->cell[i].perm = perm;
	}
}

static inline void model_clear(struct model *m, size_t from, size_t to)
{
	size_t i;

	for (i = from; i <= to; i++)
		m->cell[i].mapped = false;
}

static inline bool model_joins(const struct model_cell *a,
			       const struct model_cell *b)
{
	if (a->mapped != b->mapped)
		return false;
	return !a->mapped || (a->delta == b->delta && a->perm == b->perm &&
			      b->start + b->delta != 0);
}

/* The pieces of cells [from, to]; where they could go on makes no difference. */
static inline void model_walk(const struct model *m, size_t from, size_t to,
			      struct model_pieces *out)
{
	size_t i;

	out->count = 0;
	for (i = from; i <= to; i++) {
		if (out->count && model_joins(&m->cell[i - 1], &m->cell[i]))
			out->piece[out->count - 1].last = m->cell[i].last;
		else
			out->piece[out->count++] = m->cell[i];
	}
}

static inline uint64_t model_len(const struct model_cell *c)
{
	return c->last - c->start + 1;
}

#endif /* SELFTESTS_UNIT_IOTLB_MODEL_H */
