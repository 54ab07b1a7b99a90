/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=bench lib */
/*
 * bench_transfer.c - what the CPU has to do for one transfer of 4 KiB between a
 * guest's memory and a real device: hand the device the address of the guest's
 * memory, or copy between that and a buffer that the device has.
 *
 * The time of the device itself is left out, but for the disk's, at the end.
 */
#define _GNU_SOURCE
#include <guestmem.h>
#include "../../ulib/bench/bench.h"
#include "disk.h"
#include "util.h"

#define LENGTH (64 * MIB)
#define BYTES 4096
#define GPA UINT64_C(0x100000)

/**
 * struct transfer - what is measured
 * @map: the guest's memory
 * @view: to copy
 * @dma: to find the device's addresses
 * @bounce: a buffer that the device has
 * @host: the guest's memory, as mapped
 * @descriptor: what the device is told: an address
 * @disk: the scratch disk
 * @at: guest offset of the next transfer
 */
struct transfer {
	struct gm_map *map;
	struct gm_view view;
	struct gm_dma *dma;
	uint8_t *bounce;
	uint8_t *host;
	volatile uint64_t descriptor;
	int disk;
	uint64_t at;
};

/* A page in each megabyte, as requests of a guest lie anywhere. */
static gm_gpa_t next(struct transfer *t)
{
	t->at = (t->at + MIB + BYTES) % (LENGTH - BYTES);
	return gm_gpa(GPA + t->at / BYTES * BYTES);
}

/* The device is going to read it. */
BENCH_LOOP void zero_copy_out(void *ctx, uint64_t n)
{
	struct transfer *t = ctx;
	uint64_t address;

	for (; n; n--) {
		gm_gpa_t gpa = next(t);

		BENCH_OK(gm_dma_sync(t->dma, gpa, BYTES, GM_DMA_FOR_DEVICE));
		BENCH_OK(gm_dma_address(t->dma, gpa, BYTES, GM_PERM_READ,
					&address));
		t->descriptor = address;
	}
}

BENCH_LOOP void bounce_out(void *ctx, uint64_t n)
{
	struct transfer *t = ctx;

	for (; n; n--) {
		BENCH_OK(gm_view_read(&t->view, next(t), t->bounce, BYTES));
		t->descriptor = (uintptr_t)t->bounce;
	}
}

/* The device is going to write it. */
BENCH_LOOP void zero_copy_in(void *ctx, uint64_t n)
{
	struct transfer *t = ctx;
	uint64_t address;

	for (; n; n--) {
		gm_gpa_t gpa = next(t);

		BENCH_OK(gm_dma_address(t->dma, gpa, BYTES, GM_PERM_WRITE,
					&address));
		t->descriptor = address;
		BENCH_OK(gm_dma_sync(t->dma, gpa, BYTES, GM_DMA_FOR_CPU));
	}
}

BENCH_LOOP void bounce_in(void *ctx, uint64_t n)
{
	struct transfer *t = ctx;

	for (; n; n--) {
		t->descriptor = (uintptr_t)t->bounce;
		BENCH_OK(gm_view_write(&t->view, next(t), t->bounce, BYTES));
	}
}

/* All of a guest's read from the disk, the device's time included. */
BENCH_LOOP void disk_zero_copy(void *ctx, uint64_t n)
{
	struct transfer *t = ctx;

	for (; n; n--) {
		uint64_t at = gm_gpa_raw(next(t)) - GPA;

		bench_must(pread(t->disk, t->host + at, BYTES, 0) == BYTES,
			   "reading the disk");
	}
}

BENCH_LOOP void disk_bounce(void *ctx, uint64_t n)
{
	struct transfer *t = ctx;

	for (; n; n--) {
		bench_must(pread(t->disk, t->bounce, BYTES, 0) == BYTES,
			   "reading the disk");
		BENCH_OK(gm_view_write(&t->view, next(t), t->bounce, BYTES));
	}
}

static void prepare(struct transfer *t)
{
	const struct gm_range range = { gm_gpa(GPA), LENGTH };
	struct gm_kmod_device *device;
	struct gm_dma_map *dma_map;
	char address[ADDRESS_MAX];
	struct gm_kmod *kmod;
	void *host;

	BENCH_OK(device_address(address));
	BENCH_OK(gm_kmod_open(NULL, &kmod));
	BENCH_OK(gm_kmod_device_open(address, 0, &device));
	BENCH_OK(gm_map_new_kmod(kmod, &range, NULL, 1, &t->map));
	BENCH_OK(gm_kmod_map_new(device, gm_map_region(t->map, 0), gm_roff(0),
				 LENGTH, GM_PERM_RW, &dma_map));
	BENCH_OK(gm_dma_new(t->map, &dma_map, 1, &t->dma));
	BENCH_OK(gm_region_host(gm_map_region(t->map, 0), gm_roff(0), &host));
	gm_view_init(&t->view, t->map);
	gm_dma_map_put(dma_map);
	gm_kmod_device_put(device);
	gm_kmod_put(kmod);
	t->host = host;
	t->bounce = map_anonymous(BYTES);
	bench_must(t->bounce != MAP_FAILED, "mmap");
	memset(t->bounce, 1, BYTES);
	t->disk = disk_open();
	bench_must(t->disk >= 0, "opening the disk");
}

int main(void)
{
	static char * const argv[] = { "bench", "--json", "/proc/self/fd/1" };
	static struct transfer t;
	struct bench_case c = { .ctx = &t, .base_name = "bounce buffer" };

	bench_start(3, (char **)argv, "transfer");
	prepare(&t);
	c.run = zero_copy_out;
	c.base = bounce_out;
	bench_run(&c, "cpu_4k/device_reads");
	c.run = zero_copy_in;
	c.base = bounce_in;
	bench_run(&c, "cpu_4k/device_writes");
	c.run = disk_zero_copy;
	c.base = disk_bounce;
	bench_run(&c, "disk_4k/read");
	gm_dma_put(t.dma);
	gm_map_put(t.map);
	return bench_finish();
}
