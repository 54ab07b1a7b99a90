/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* dma_guest.c - see dma_guest.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "dma_guest.h"

static int guest_sync(void *ctx, uint64_t off, uint64_t len,
		      enum gm_dma_owner owner)
{
	struct dma_guest *g = ctx;

	g->synced++;
	g->sync_off = off;
	g->sync_len = len;
	g->sync_owner = owner;
	return g->sync_result;
}

static void release(void *ctx)
{
	++*(int *)ctx;
}

static const struct gm_dma_map_ops counting_ops = { NULL, release };
static const struct gm_dma_map_ops sync_ops = { guest_sync, NULL };

static uint64_t host(const uint8_t *p)
{
	return (uintptr_t)p;
}

static int make_region(struct dma_guest *g, int i, uint64_t gpa, uint8_t *mem)
{
	struct gm_mmap_opts rom = {
		.sz = sizeof(rom),
		.flags = GM_MMAP_READ_ONLY,
		.addr = g->rom,
	};
	int ret;

	if (i == ROM)
		return gm_region_new_mmap(gm_gpa(gpa), SIZE, &rom, &g->r[i]);
	ret = gm_bitmap_new(SIZE, 8, &g->bm[i]);
	if (ret)
		return ret;
	g->r[i] = &g->own[i].r;
	memset(mem, 'A' + i, SIZE);
	return own_region_init_direct(&g->own[i], gpa, SIZE, mem, g->bm[i]);
}

static int make_map(struct dma_guest *g, int i, const struct gm_dma_seg *segs,
		    size_t count, bool sync)
{
	return gm_dma_map_new(g->r[i], gm_roff(0),
			      i == ROM ? GM_PERM_READ : GM_PERM_RW, segs, count,
			      DEVICE, sync ? &sync_ops : &counting_ops,
			      sync ? (void *)g : (void *)&g->released[i],
			      &g->dm[i]);
}

int dma_guest_init(struct dma_guest *g, bool sync)
{
	/* In the host: BARE, TOP, LOW, HIGH. */
	uint8_t *low = g->mem + 2 * SIZE, *high = g->mem + 3 * SIZE;
	uint8_t *bare = g->mem, *top = g->mem + SIZE;
	const struct gm_dma_seg low_segs[] = {
		{ host(low + 16), 16 }, { host(low), 16 },
		{ host(low + 32), 16 }, { host(low + 48), 16 },
	};
	const struct gm_dma_seg high_segs[] = { { host(high), SIZE } };
	const struct gm_dma_seg top_segs[] = { { host(top), SIZE } };
	struct gm_dma_seg rom_segs[] = { { 0, SIZE } };
	struct gm_dma_map *maps[N - 1];
	int ret, i, n = 0;

	memset(g, 0, sizeof(*g));
	g->rom = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->rom == MAP_FAILED)
		return -errno;
	memset(g->rom, 'A' + ROM, SIZE);
	rom_segs[0].address = host(g->rom);
	ret = make_region(g, LOW, BASE, low);
	if (!ret)
		ret = make_region(g, HIGH, BASE + SIZE, high);
	if (!ret)
		ret = make_region(g, ROM, ROM_GPA, g->rom);
	if (!ret)
		ret = make_region(g, BARE, BARE_GPA, bare);
	if (!ret)
		ret = make_region(g, TOP, TOP_GPA, top);
	if (!ret)
		ret = gm_map_new(g->r, N, &g->m);
	if (!ret)
		ret = make_map(g, LOW, low_segs, 4, sync);
	if (!ret)
		ret = make_map(g, HIGH, high_segs, 1, sync);
	if (!ret)
		ret = make_map(g, ROM, rom_segs, 1, sync);
	if (!ret)
		ret = make_map(g, TOP, top_segs, 1, sync);
	if (ret)
		return ret;
	/* In any order. */
	for (i = N - 1; i >= 0; i--) {
		if (g->dm[i])
			maps[n++] = g->dm[i];
	}
	return gm_dma_new(g->m, maps, (size_t)n, &g->d);
}

void dma_guest_exit(struct dma_guest *g)
{
	int i;

	gm_dma_put(g->d);
	for (i = 0; i < N; i++)
		gm_dma_map_put(g->dm[i]);
	gm_map_put(g->m);
	for (i = 0; i < N; i++) {
		gm_region_put(g->r[i]);
		gm_bitmap_put(g->bm[i]);
	}
	munmap(g->rom, 4096);
}

uint64_t dma_guest_take(struct dma_guest *g, int i)
{
	uint64_t bits = 0;

	gm_bitmap_take(g->bm[i], &bits, 1);
	return bits;
}
