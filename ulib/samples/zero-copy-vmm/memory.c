/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * memory.c - the guest's RAM, and who has written to it.
 *
 * Each region has a bitmap in which the library marks what the device writes. Virtual
 * CPUs write without the library: KVM logs that, slot by slot. A live migration
 * brings both into one bitmap; here they go to two first, to tell them apart.
 */
#include <string.h>

#include "memory.h"

#define MIB		((uint64_t)1 << 20)
#define LOW_SIZE	(16 * MIB)
#define HIGH_BASE	((uint64_t)1 << 32)
#define REGIONS		3

int memory_new(uint64_t mib, struct gm_kmod *module, struct gm_map **map,
	       struct gm_choice *choice)
{
	uint64_t mid = (mib * MIB - LOW_SIZE) / 2 / MIB * MIB;
	const struct gm_range ranges[REGIONS] = {
		{ gm_gpa(0), LOW_SIZE },
		{ gm_gpa(LOW_SIZE), mid },
		{ gm_gpa(HIGH_BASE), mib * MIB - LOW_SIZE - mid },
	};
	const struct gm_mmap_opts opts[REGIONS] = {
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .name = "low" },
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .name = "mid" },
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .name = "high" },
	};

	return gm_map_new_auto(module, ranges, opts, REGIONS, map, choice);
}

int memory_less(const struct gm_map *map, struct gm_map **out)
{
	struct gm_region *regions[REGIONS];
	size_t i, count = gm_map_count(map) - 1;

	for (i = 0; i < count && i < REGIONS; i++)
		regions[i] = gm_map_region(map, i);
	return gm_map_new(regions, i, out);
}

void memory_clean(const struct gm_map *map)
{
	size_t i;

	for (i = 0; i < gm_map_count(map); i++)
		gm_bitmap_reset(gm_region_bitmap(gm_map_region(map, i)));
}

/* Move what @from has to @to, as a harvest would that wants both. */
static int merge(struct gm_bitmap *from, struct gm_bitmap *to)
{
	struct gm_page_run span = { 0, gm_bitmap_pages(from) }, runs[64];
	uint64_t size = gm_bitmap_page_size(from);
	int64_t n, i;

	while ((n = gm_bitmap_take_runs(from, &span, runs, 64)) > 0)
		for (i = 0; i < n; i++)
			gm_bitmap_mark(to, runs[i].first * size, runs[i].count * size);
	return (int)n;
}

static int count_region(struct gm_region *region, int vm, uint32_t slot,
			struct memory_dirty *out)
{
	struct gm_bitmap *device = gm_region_bitmap(region), *vcpu;
	struct gm_kvm_slot log = { .slot = slot, .len = gm_region_len(region) };
	int64_t ret;

	ret = gm_bitmap_new(log.len, gm_bitmap_page_size(device), &vcpu);
	if (ret)
		return (int)ret;
	log.dirty = vcpu;
	ret = gm_kvm_import_log(vm, &log, 0);
	if (ret >= 0) {
		out->vcpu += gm_bitmap_count(vcpu);
		out->device += gm_bitmap_count(device);
		ret = merge(vcpu, device);
		out->both += gm_bitmap_count(device);
	}
	gm_bitmap_put(vcpu);
	return (int)ret;
}

int memory_count_dirty(const struct gm_map *map, int vm, struct memory_dirty *out)
{
	uint32_t i;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < gm_map_count(map) && !ret; i++)
		ret = count_region(gm_map_region(map, i), vm, i, out);
	return ret;
}
