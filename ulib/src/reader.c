/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * reader.c - long-lived views.
 */
#include <guestmem/iommu.h>

#include "internal.h"

/* Of what never changes. */
static const uint64_t constant = 1;

static void init(struct gm_reader *r, const uint64_t *generation)
{
	struct gm_reader fresh = { .generation = generation };

	*r = fresh;
	gm_epoch_record_init(&r->record, NULL);
}

void gm_reader_init_space(struct gm_reader *r, struct gm_space *s)
{
	init(r, &s->generation);
	r->space = gm_space_get(s);
	gm_epoch_record_add(&r->record);
}

/* Nobody waits for this reader: it needs no fence, and no place in the list. */
void gm_reader_init_plain(struct gm_reader *r, const struct gm_map *m)
{
	init(r, &constant);
	r->record.fence = 0;
	gm_view_init(&r->view, m);
	r->seen = constant;
}

void gm_reader_init_map(struct gm_reader *r, struct gm_map *m)
{
	gm_reader_init_plain(r, gm_map_get(m));
	r->map = m;
}

static void look_at(struct gm_reader *r, const struct gm_map *m)
{
	if (r->iommu)
		gm_view_init_iommu(&r->view, r->iommu, m);
	else
		gm_view_init(&r->view, m);
}

void gm_reader_set_iommu(struct gm_reader *r, struct gm_iommu *i)
{
	struct gm_iommu *before = r->iommu;

	r->iommu = i ? gm_iommu_get(i) : NULL;
	if (r->space)
		r->seen = 0;
	else
		look_at(r, gm_view_backend(&r->view));
	gm_iommu_put(before);
}

void gm_reader_exit(struct gm_reader *r)
{
	if (r->space)
		gm_epoch_record_remove(&r->record);
	gm_space_put(r->space);
	gm_map_put(r->map);
	gm_iommu_put(r->iommu);
	r->space = NULL;
	r->map = NULL;
	r->iommu = NULL;
}

/* In a child, which is not where it was inside. Its next section is slow. */
void gm_reader_forked(struct gm_epoch_record *rec)
{
	struct gm_reader *r = (struct gm_reader *)(void *)((uint8_t *)rec -
				offsetof(struct gm_reader, record));

	rec->state = 0;
	r->seen = 0;
}

/*
 * The generation first: a map that is published between the two is only taken
 * twice. The view is of no generation while it is half of one: a child that is
 * forked by another thread then finds it so.
 */
void gm_reader_begin_slow(struct gm_reader *r)
{
	uint64_t generation;

	if (!gm_epoch_record_is_listed(&r->record)) {
		/* What it noted just now, nobody saw. */
		gm_epoch_record_add(&r->record);
		gm_epoch_record_begin(&r->record);
	}
	generation = __atomic_load_n(r->generation, __ATOMIC_ACQUIRE);
	r->seen = 0;
	gm_epoch_fence();
	look_at(r, __atomic_load_n(&r->space->map, __ATOMIC_ACQUIRE));
	__atomic_store_n(&r->seen, generation, __ATOMIC_RELEASE);
}
