/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * migration.c - guest memory copied to another machine while it is written. The other
 * machine is another map here; where there is a network between, it is a sink (io.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

#define REGIONS_MAX 16
#define RUNS 64

/**
 * struct migration - the state of it
 * @from: the memory that is copied, as it was when it began
 * @to: the copy
 * @dirty: for each region, the pages that are to be copied
 */
struct migration {
	struct gm_map *from;
	struct gm_map *to;
	struct gm_dirty_consumer *dirty[REGIONS_MAX];
};

/* Memory of the same shape. */
static int make_target(struct migration *m)
{
	struct gm_range ranges[REGIONS_MAX];
	struct gm_mmap_opts opts[REGIONS_MAX];
	size_t i, count = gm_map_count(m->from);

	if (count > REGIONS_MAX)
		return -E2BIG;
	for (i = 0; i < count; i++) {
		const struct gm_region *r = gm_map_region(m->from, i);

		ranges[i].gpa = gm_region_start(r);
		ranges[i].len = gm_region_len(r);
		opts[i] = (struct gm_mmap_opts){ .sz = sizeof(opts[i]), .flags = GM_MMAP_DIRTY };
	}
	return gm_map_new_mmap(ranges, opts, count, &m->to);
}

/* One who wants to know all that is written from now on, and has nothing yet. */
static int watch(struct migration *m)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < gm_map_count(m->from) && !ret; i++) {
		struct gm_region *r = gm_map_region(m->from, i);

		ret = gm_dirty_consumer_new(gm_region_bitmap(r), &m->dirty[i]);
		if (!ret)
			gm_dirty_consumer_mark(m->dirty[i], 0, gm_region_len(r));
	}
	return ret;
}

int migration_begin(struct gm_space *from, struct migration **out)
{
	struct migration *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return -ENOMEM;
	m->from = gm_space_snapshot(from);
	ret = make_target(m);
	if (!ret)
		ret = watch(m);
	if (ret)
		migration_end(m);
	else
		*out = m;
	return ret;
}

static int copy(struct migration *m, uint64_t gpa, uint64_t len)
{
	struct gm_view from, to;
	uint8_t page[PAGE];
	int ret = 0;

	gm_view_init(&from, m->from);
	gm_view_init(&to, m->to);
	for (; len && !ret; gpa += PAGE, len -= PAGE) {
		ret = gm_view_read(&from, gm_gpa(gpa), page, PAGE);
		if (!ret)
			ret = gm_view_write(&to, gm_gpa(gpa), page, PAGE);
	}
	return ret;
}

/* Return: pages of one region that were copied. */
static int64_t copy_region(struct migration *m, size_t i)
{
	const struct gm_region *r = gm_map_region(m->from, i);
	uint64_t page = gm_dirty_consumer_page_size(m->dirty[i]);
	struct gm_page_run span = { 0, gm_region_len(r) / page }, runs[RUNS];
	int64_t n, j, pages = 0;

	while ((n = gm_dirty_consumer_take_runs(m->dirty[i], &span, runs, RUNS)) > 0) {
		for (j = 0; j < n; j++) {
			uint64_t gpa = gm_gpa_raw(gm_region_start(r)) + runs[j].first * page;
			int ret = copy(m, gpa, runs[j].count * page);

			if (ret)
				return ret;
			pages += (int64_t)runs[j].count;
		}
	}
	return n < 0 ? n : pages;
}

/* Copy what was written since the last round. Return: pages. */
int64_t migration_round(struct migration *m)
{
	int64_t n, pages = 0;
	size_t i;

	for (i = 0; i < gm_map_count(m->from); i++) {
		n = copy_region(m, i);
		if (n < 0)
			return n;
		pages += n;
	}
	return pages;
}

/* Nobody writes any more: is the copy equal? */
int migration_check(const struct migration *m)
{
	size_t i;

	for (i = 0; i < gm_map_count(m->from); i++) {
		void *from, *to;

		if (gm_region_host(gm_map_region(m->from, i), gm_roff(0), &from) ||
		    gm_region_host(gm_map_region(m->to, i), gm_roff(0), &to) ||
		    memcmp(from, to, gm_region_len(gm_map_region(m->from, i))))
			return -EIO;
	}
	return 0;
}

struct gm_map *migration_target(const struct migration *m)
{
	return m->to;
}

void migration_end(struct migration *m)
{
	size_t i;

	for (i = 0; i < REGIONS_MAX; i++)
		gm_dirty_consumer_free(m->dirty[i]);
	gm_map_put(m->to);
	gm_map_put(m->from);
	free(m);
}
