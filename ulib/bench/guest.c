/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest.c - the guest that is accessed.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "guest.h"

#define HUGE_PAGE (UINT64_C(2) << 20)

const size_t guest_counts[GUEST_COUNTS] = { 1, 8, 256, 65536 };

/*
 * Huge pages, as a VMM has them, and every page touched: what is measured is
 * the access, not the page tables.
 */
static uint8_t *host_memory(void)
{
	static uint8_t *host;
	uintptr_t p;

	if (host)
		return host;
	host = mmap(NULL, GUEST_BYTES + HUGE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bench_must(host != MAP_FAILED, "mmap");
	p = ((uintptr_t)host + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	host = (uint8_t *)p;
	madvise(host, GUEST_BYTES, MADV_HUGEPAGE);
	memset(host, 0x5a, GUEST_BYTES);
	return host;
}

static uint64_t next_random(uint64_t *state)
{
	/* xorshift64 */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t *random_offsets(void)
{
	static uint32_t *offsets;
	uint64_t state = 0x9e3779b97f4a7c15;
	size_t i;

	if (offsets)
		return offsets;
	offsets = malloc(GUEST_WINDOW * GUEST_WINDOWS * sizeof(*offsets));
	bench_must(offsets, "malloc");
	for (i = 0; i < GUEST_WINDOW * GUEST_WINDOWS; i++)
		offsets[i] = (uint32_t)(next_random(&state) >> 20 &
					(GUEST_BYTES - 8));
	return offsets;
}

void guest_init(struct guest *g, size_t count, bool dirty)
{
	struct gm_mmap_opts opts = {
		.sz = sizeof(opts),
		.flags = dirty ? GM_MMAP_DIRTY : 0,
	};
	uint64_t len = GUEST_BYTES / count;
	size_t i;

	g->host = host_memory();
	g->offsets = random_offsets();
	g->window = 0;
	g->count = count;
	g->regions = calloc(count, sizeof(struct gm_region *));
	bench_must(g->regions, "calloc");
	for (i = 0; i < count; i++) {
		opts.addr = g->host + i * len;
		bench_must(!gm_region_new_mmap(gm_gpa(GUEST_GPA + i * len), len,
					       &opts, &g->regions[i]),
			   "gm_region_new_mmap");
	}
	bench_must(!gm_map_new(g->regions, count, &g->map), "gm_map_new");
}

void guest_exit(struct guest *g)
{
	size_t i;

	gm_map_put(g->map);
	for (i = 0; i < g->count; i++)
		gm_region_put(g->regions[i]);
	free(g->regions);
}

const uint32_t *guest_next_window(struct guest *g)
{
	const uint32_t *w = g->offsets + (size_t)g->window * GUEST_WINDOW;

	g->window = (g->window + 1) % GUEST_WINDOWS;
	return w;
}
