/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_dma.c - guest addresses turned into those of a device, with 1 to 4,096
 * segments.
 *
 * What is compared with: a raw volatile read of one address, which is the
 * smallest thing that using an address can cost; and, for lookups at random, the
 * same read at those addresses. The segments come from here: that they are a
 * real device's makes no difference to the lookup.
 */
#include <stdlib.h>

#include "bench.h"
#include "guest.h"

#define REGIONS 8
/* A request: so many bytes, in a list of so many ranges. */
#define REQUEST_LEN 4096
#define REQUEST_RANGES 4

struct device {
	struct guest guest;
	struct gm_dma *dma;
	struct gm_dma_map *maps[REGIONS];
	struct gm_range list[REQUEST_RANGES];
	uint64_t mask;		/* of the offsets: 0 stays at one address */
};

/*
 * Segments of one length, that lie apart for the device. @odd: of lengths such
 * that their borders fall amid granules.
 */
static void map_region(struct device *d, size_t i, size_t count, bool odd)
{
	struct gm_region *r = d->guest.regions[i];
	uint64_t len = gm_region_len(r) / count, left = gm_region_len(r);
	struct gm_dma_seg *segs = calloc(count, sizeof(*segs));
	size_t j;

	bench_must(segs, "calloc");
	for (j = 0; j < count; j++) {
		uint64_t shift = odd && j % 2 == 0 ? len / 3 & ~UINT64_C(511) :
				 0;

		segs[j].len = j + 1 == count ? left : len - shift;
		if (odd && j % 2 && j + 1 < count)
			segs[j].len += len / 3 & ~UINT64_C(511);
		segs[j].address = (i * count + (count - j)) << 32;
		left -= segs[j].len;
	}
	bench_must(!gm_dma_map_new(r, gm_roff(0), GM_PERM_RW, segs, count,
				   "bench", NULL, NULL, &d->maps[i]),
		   "gm_dma_map_new");
	free(segs);
}

static void device_init(struct device *d, size_t segments, bool dirty, bool odd)
{
	size_t i, regions = segments < REGIONS ? segments : REGIONS;

	guest_init(&d->guest, regions, dirty);
	for (i = 0; i < regions; i++) {
		map_region(d, i, segments / regions, odd);
		/* Pages that were written before: a test, no locked operation. */
		gm_bitmap_mark(gm_region_bitmap(d->guest.regions[i]), 0,
			       UINT64_MAX);
	}
	bench_must(!gm_dma_new(d->guest.map, d->maps, regions, &d->dma),
		   "gm_dma_new");
	bench_must(d->dma->count == segments, "making segments");
	for (i = 0; i < REQUEST_RANGES; i++) {
		d->list[i].gpa = gm_gpa(GUEST_GPA + i * (GUEST_BYTES / 5) +
					4096);
		d->list[i].len = REQUEST_LEN / REQUEST_RANGES;
	}
}

static void device_exit(struct device *d)
{
	size_t i;

	gm_dma_put(d->dma);
	for (i = 0; i < d->guest.count; i++)
		gm_dma_map_put(d->maps[i]);
	guest_exit(&d->guest);
}

#define LOOKUP_LOOP(name, perm) \
BENCH_LOOP void name(void *ctx, uint64_t n) \
{ \
	struct device *d = ctx; \
	const uint32_t *offsets = guest_next_window(&d->guest); \
	const struct gm_dma *dma = d->dma; \
	uint64_t i; \
\
	for (i = 0; i < n; i++) { \
		gm_gpa_t gpa = gm_gpa(GUEST_GPA + (offsets[i] & d->mask)); \
		uint64_t address; \
\
		BENCH_HIDE(gpa); \
		BENCH_OK(gm_dma_address(dma, gpa, 8, perm, &address)); \
		BENCH_USE(address); \
	} \
}

LOOKUP_LOOP(look_up_read, GM_PERM_READ)
LOOKUP_LOOP(look_up_write, GM_PERM_WRITE)

BENCH_LOOP void raw_read(void *ctx, uint64_t n)
{
	struct device *d = ctx;
	const uint32_t *offsets = guest_next_window(&d->guest);
	uint64_t i;

	for (i = 0; i < n; i++) {
		volatile uint32_t *p = (volatile uint32_t *)
			(d->guest.host + (offsets[i] & d->mask));
		uint32_t x;

		BENCH_HIDE(p);
		x = *p;
		BENCH_USE(x);
	}
}

/* One address: the same whatever the mask. */
BENCH_LOOP void raw_read_same(void *ctx, uint64_t n)
{
	struct device *d = ctx;
	volatile uint32_t *p = (volatile uint32_t *)d->guest.host;

	for (; n; n--) {
		uint32_t x;

		BENCH_HIDE(p);
		x = *p;
		BENCH_USE(x);
	}
}

static void run_lookups(const char *kind, size_t segments, bool dirty, bool odd)
{
	static struct device d;
	struct bench_case c = {
		.run = dirty ? look_up_write : look_up_read,
		.base = raw_read_same,
		.base_name = "volatile same",
		.ctx = &d,
		.ops = GUEST_WINDOW,
		.max_ns = odd ? 0 : 5,
	};

	device_init(&d, segments, dirty, odd);
	d.mask = 0;
	bench_run(&c, "%s_same/%zu", kind, segments);
	d.mask = UINT64_MAX;
	c.base = raw_read;
	c.base_name = "volatile random";
	bench_run(&c, "%s_random/%zu", kind, segments);
	device_exit(&d);
}

BENCH_LOOP void extract(void *ctx, uint64_t n)
{
	struct device *d = ctx;

	for (; n; n--) {
		struct gm_dma_seg segs[2 * REQUEST_RANGES];
		struct gm_iov_cursor c;
		uint64_t bytes;

		BENCH_OK(gm_iov_init(&c, d->list, REQUEST_RANGES));
		bench_must(gm_dma_extract(d->dma, &c, GM_PERM_READ, UINT64_MAX,
					  segs, 2 * REQUEST_RANGES, &bytes) ==
			   REQUEST_RANGES, "gm_dma_extract");
		BENCH_USE(segs[0].address);
	}
}

/* The same request for a system call: host addresses. */
BENCH_LOOP void extract_iov(void *ctx, uint64_t n)
{
	struct device *d = ctx;
	struct gm_view view;

	gm_view_init(&view, d->guest.map);
	for (; n; n--) {
		struct iovec iov[2 * REQUEST_RANGES];
		struct gm_iov_cursor c;
		uint64_t bytes;

		BENCH_OK(gm_iov_init(&c, d->list, REQUEST_RANGES));
		bench_must(gm_iov_extract(&view, &c, GM_PERM_READ, UINT64_MAX,
					  iov, 2 * REQUEST_RANGES, &bytes) ==
			   REQUEST_RANGES, "gm_iov_extract");
		BENCH_USE(iov[0].iov_base);
	}
}

static void run_extract(size_t segments)
{
	static struct device d;
	struct bench_case c = {
		.run = extract,
		.base = extract_iov,
		.base_name = "gm_iov_extract",
		.ctx = &d,
	};

	device_init(&d, segments, false, false);
	bench_run(&c, "extract_4_ranges/%zu", segments);
	device_exit(&d);
}

BENCH_LOOP void build(void *ctx, uint64_t n)
{
	struct device *d = ctx;

	for (; n; n--) {
		struct gm_dma *dma;

		bench_must(!gm_dma_new(d->guest.map, d->maps, d->guest.count,
				       &dma), "gm_dma_new");
		gm_dma_put(dma);
	}
}

static void run_build(size_t segments)
{
	static struct device d;
	struct bench_case c = { .run = build, .ctx = &d, .ops = 1 };

	device_init(&d, segments, false, false);
	bench_run(&c, "new/%zu", segments);
	device_exit(&d);
}

int main(int argc, char **argv)
{
	static const size_t counts[] = { 1, 16, 256, 4096 };
	size_t i;

	bench_start(argc, argv, "dma");
	for (i = 0; i < 4; i++)
		run_lookups("read", counts[i], false, false);
	for (i = 0; i < 4; i++)
		run_lookups("write_dirty", counts[i], true, false);
	/* Borders amid granules, so that some need a search. */
	run_lookups("read_odd", 256, false, true);
	run_lookups("read_odd", 4096, false, true);
	for (i = 0; i < 4; i++)
		run_extract(counts[i]);
	run_build(16);
	run_build(4096);
	return bench_finish();
}
