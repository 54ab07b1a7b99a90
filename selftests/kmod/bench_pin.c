/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=bench */
/*
 * bench_pin.c - the same memory is given to a real device by the module and by
 * VFIO's type1 IOMMU, and taken back. Both have an edu device in a group of its
 * own behind the same IOMMU.
 */
#define _GNU_SOURCE
#include "../../ulib/bench/bench.h"
#include "vfio.h"

#define LENGTH (256 * MIB)
#define IOVA UINT64_C(0x100000000)

/**
 * struct both - what is measured
 * @control: the control device
 * @device: the module's device
 * @vfio: VFIO's
 * @p: memory that both are given
 * @alloc: its region, if the module has made it; or -1: it is pinned
 * @region: the region that is mapped, or -1
 * @id: the module's map
 * @mapped: is VFIO's map there?
 */
struct both {
	int control;
	int device;
	struct vfio vfio;
	void *p;
	int alloc;
	int region;
	uint32_t id;
	bool mapped;
};

BENCH_LOOP void ours_map(void *ctx, uint64_t n)
{
	struct both *b = ctx;

	(void)n;
	b->region = b->alloc < 0 ? region_pin(b->control, b->p, LENGTH) :
		    b->alloc;
	bench_must(b->region >= 0, "pinning");
	BENCH_OK(map_add(b->device, b->region, LENGTH, &b->id));
}

BENCH_LOOP void ours_unmap(void *ctx, uint64_t n)
{
	struct both *b = ctx;

	(void)n;
	BENCH_OK(map_remove(b->device, b->id));
	if (b->alloc < 0)
		close(b->region);
	b->region = -1;
}

BENCH_LOOP void theirs_map(void *ctx, uint64_t n)
{
	struct both *b = ctx;

	(void)n;
	BENCH_OK(vfio_map(&b->vfio, b->p, LENGTH, IOVA));
	b->mapped = true;
}

BENCH_LOOP void theirs_unmap(void *ctx, uint64_t n)
{
	struct both *b = ctx;

	(void)n;
	BENCH_OK(vfio_unmap(&b->vfio, LENGTH, IOVA));
	b->mapped = false;
}

/* Neither has it, as before a map. */
static void none(void *ctx, uint64_t n)
{
	struct both *b = ctx;

	if (b->region >= 0)
		ours_unmap(b, n);
	if (b->mapped)
		theirs_unmap(b, n);
}

/* Both have it, as before an unmap. */
static void both(void *ctx, uint64_t n)
{
	struct both *b = ctx;

	if (b->region < 0)
		ours_map(b, n);
	if (!b->mapped)
		theirs_map(b, n);
}

static void run(struct both *b, const char *name)
{
	struct bench_case c = {
		.ctx = b, .base_name = "VFIO type1", .ops = 1, .max_ratio = 1.0,
	};

	c.run = ours_map;
	c.base = theirs_map;
	c.prepare = none;
	bench_run(&c, "map_256M/%s", name);
	c.run = ours_unmap;
	c.base = theirs_unmap;
	c.prepare = both;
	bench_run(&c, "unmap_256M/%s", name);
	none(b, 1);
}

static void run_anonymous(struct both *b, const char *name, int advice)
{
	uint8_t *p = map_anonymous(LENGTH + HUGE);

	bench_must(p != MAP_FAILED, "mmap");
	b->p = (void *)(((uintptr_t)p + HUGE - 1) / HUGE * HUGE);
	b->alloc = -1;
	BENCH_OK(madvise(b->p, LENGTH, advice));
	memset(b->p, 1, LENGTH);
	run(b, name);
	munmap(p, LENGTH + HUGE);
}

static void run_alloc(struct both *b)
{
	b->alloc = region_alloc(b->control, LENGTH);
	bench_must(b->alloc >= 0, "allocating");
	b->p = map_shared(b->alloc, LENGTH);
	bench_must(b->p != MAP_FAILED, "mmap");
	run(b, "alloc");
	munmap(b->p, LENGTH);
	close(b->alloc);
}

int main(void)
{
	static char * const argv[] = { "bench", "--json", "/proc/self/fd/1" };
	struct both b = { .region = -1 };

	bench_start(3, (char **)argv, "pin");
	b.control = control_open();
	b.device = device_open();
	bench_must(b.control >= 0 && b.device >= 0, "opening the devices");
	BENCH_OK(vfio_open(&b.vfio));
	run_anonymous(&b, "pin_4k_pages", MADV_NOHUGEPAGE);
	run_anonymous(&b, "pin_huge_pages", MADV_HUGEPAGE);
	run_alloc(&b);
	BENCH_OK(vfio_close(&b.vfio));
	return bench_finish();
}
