/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * memory.c - the guest's memory: made, loaded, and asked what was written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tutorial.h"

int memory_new(struct gm_map **map)
{
	/* RAM that is one piece in the guest and two in the host, and a ROM. */
	const struct gm_range ranges[] = {
		{ gm_gpa(0), LOW_SIZE },
		{ gm_gpa(LOW_SIZE), HIGH_SIZE },
		{ gm_gpa(ROM_BASE), ROM_SIZE },
	};
	const struct gm_mmap_opts opts[] = {
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .name = "low" },
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY | GM_MMAP_MEMFD, .name = "high" },
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_READ_ONLY, .name = "rom" },
	};

	return gm_map_new_mmap(ranges, opts, 3, map);
}

int memory_load(const struct gm_map *map, gm_gpa_t gpa, int fd)
{
	struct gm_fd_source file;
	struct gm_view view;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	gm_view_init(&view, map);
	gm_fd_source_init_at(&file, fd, 0);
	return gm_view_read_exact_from(&view, gpa, &file.source, (uint64_t)st.st_size);
}

/* Pages of one region that were written since the last call. */
static int dirty_pages(struct gm_region *region)
{
	struct gm_bitmap *bitmap = gm_region_bitmap(region);
	uint64_t nwords = (gm_bitmap_pages(bitmap) + 63) / 64;
	uint64_t base = gm_gpa_raw(gm_region_start(region));
	uint64_t *words, page;
	int64_t ret;

	if (!bitmap)
		return 0;
	words = calloc(nwords, sizeof(words[0]));
	if (!words)
		return -ENOMEM;
	ret = gm_bitmap_take(bitmap, words, nwords);
	for (page = 0; ret > 0 && page < gm_bitmap_pages(bitmap); page++) {
		if (words[page / 64] >> (page % 64) & 1)
			printf("  dirty page at 0x%" PRIx64 "\n",
			       base + page * gm_bitmap_page_size(bitmap));
	}
	free(words);
	return ret < 0 ? (int)ret : 0;
}

int memory_show_dirty(const struct gm_map *map)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < gm_map_count(map) && !ret; i++)
		ret = dirty_pages(gm_map_region(map, i));
	return ret;
}

void memory_clean(const struct gm_map *map)
{
	size_t i;

	for (i = 0; i < gm_map_count(map); i++)
		gm_bitmap_reset(gm_region_bitmap(gm_map_region(map, i)));
}
