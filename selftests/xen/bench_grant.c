/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What an access to granted memory costs: mapped in advance, for each access, and kept.
 */
#include <fcntl.h>
#include <stdio.h>
#include <guestmem.h>
#include "../../ulib/bench/bench.h"
#include "domain.h"

#define PAGES 64u
#define ON_DEMAND (GM_XEN_GRANT | GM_XEN_NO_ADVANCE_MAP)

/**
 * struct context - one kind of mapping, and another to compare it with
 * @view: of the region
 * @other: of the same memory
 * @raw: the same memory, mapped in advance
 * @pages: so many pages are accessed in turn
 */
struct context {
	struct gm_view view;
	struct gm_view other;
	uint8_t *raw;
	uint64_t pages;
};

BENCH_LOOP void raw(void *ctx, uint64_t n)
{
	struct context *c = ctx;
	uint64_t i;

	for (i = 0; i < n; i++) {
		*(uint32_t *)(c->raw + i % c->pages * PAGE) = (uint32_t)i;
		BENCH_FORGET();
	}
}

static inline void write_all(struct gm_view *v, uint64_t pages, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		BENCH_OK(gm_view_write_u32(v, gm_gpa(i % pages * PAGE), (uint32_t)i));
}

BENCH_LOOP void write_u32(void *ctx, uint64_t n)
{
	struct context *c = ctx;

	write_all(&c->view, c->pages, n);
}

BENCH_LOOP void write_other(void *ctx, uint64_t n)
{
	struct context *c = ctx;

	write_all(&c->other, c->pages, n);
}

static struct gm_map *map(struct gm_file *file, const struct domain *d, uint32_t flags,
			  uint32_t cache_pages)
{
	struct gm_xen_opts x = {
		.sz = sizeof(x), .flags = flags, .data = d->id, .cache_pages = cache_pages,
	};
	struct gm_mmap_opts o = { .sz = sizeof(o), .file = file };
	struct gm_region *r;
	struct gm_map *m;

	BENCH_OK(gm_region_new_xen(gm_gpa(0), PAGES * PAGE, &x, &o, &r));
	BENCH_OK(gm_map_new(&r, 1, &m));
	gm_region_put(r);
	return m;
}

static void measure(struct context *c, struct bench_case b, const char *name)
{
	static const uint64_t pages[] = { 1, 8, 32, 64 };
	unsigned int i;

	b.run = write_u32;
	b.ctx = c;
	for (i = 0; i < 4; i++) {
		c->pages = pages[i];
		bench_run(&b, "%s, %u page%s in turn", name, (unsigned int)pages[i],
			  i ? "s" : "");
	}
}

/* An access on demand takes so long that few are enough. */
static void measure_all(struct context *c, struct gm_map *all, struct gm_map *each,
			struct gm_map *kept)
{
	const struct bench_case with_pointer = { .base = raw, .base_name = "pointer" };
	const struct bench_case with_all = {
		.base = write_other, .base_name = "in advance", .ops = 64,
	};
	const struct bench_case with_each = {
		.base = write_other, .base_name = "on demand", .ops = 64,
	};

	c->raw = gm_map_region(all, 0)->ext.host;
	gm_view_init(&c->view, all);
	measure(c, with_pointer, "in advance");
	gm_view_init(&c->view, each);
	gm_view_init(&c->other, all);
	measure(c, with_all, "on demand");
	gm_view_init(&c->view, kept);
	gm_view_init(&c->other, each);
	measure(c, with_each, "on demand, 32 kept");
}

int main(int argc, char **argv)
{
	struct gm_map *all, *each, *kept;
	struct gm_file *file;
	struct context c;
	struct domain d;
	uint32_t i;

	bench_start(argc, argv, "u32 writes to granted memory");
	BENCH_OK(gm_file_new(open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC), &file));
	BENCH_OK(domain_new_hvm(&d, PAGES, 1));
	for (i = 0; i < PAGES; i++)
		domain_grant(&d, i, i, false);
	all = map(file, &d, GM_XEN_GRANT, 0);
	each = map(file, &d, ON_DEMAND, 0);
	kept = map(file, &d, ON_DEMAND, 32);
	measure_all(&c, all, each, kept);
	gm_map_put(kept);
	gm_map_put(each);
	gm_map_put(all);
	gm_file_put(file);
	BENCH_OK(domain_destroy(&d));
	return bench_finish();
}
