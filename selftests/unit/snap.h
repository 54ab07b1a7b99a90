/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snap.h - what tests of snapshots share: a guest of two regions, the second of
 * which ends within a page, and files for its snapshots.
 */
#ifndef SELFTESTS_UNIT_SNAP_H
#define SELFTESTS_UNIT_SNAP_H

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem.h>
#include "expect.h"

#define PAGE UINT64_C(4096)
#define LEN0 (70 * PAGE)
#define LEN1 (200 * PAGE + 100)
#define GPA0 UINT64_C(0)
#define GPA1 UINT64_C(0x40000000)

static const struct gm_range guest_ranges[] = { { GPA0, LEN0 }, { GPA1, LEN1 } };

struct guest {
	struct gm_map *m;
	uint8_t *mem[2];
	struct gm_dirty_consumer *consumers[2];
};

/* What the tests need, or the test is over: they fail only without memory. */
#define MUST(call) do { \
	if ((call) < 0) \
		abort(); \
} while (0)

static inline void guest_init(struct guest *g)
{
	struct gm_mmap_opts opts[2] = {
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .dirty_page_size = PAGE },
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .dirty_page_size = PAGE },
	};

	MUST(gm_map_new_mmap(guest_ranges, opts, 2, &g->m));
	for (size_t i = 0; i < 2; i++) {
		struct gm_region *r = gm_map_region(g->m, i);

		g->mem[i] = r->ext.host;
		MUST(gm_dirty_consumer_new(gm_region_bitmap(r), &g->consumers[i]));
	}
}

static inline void guest_exit(struct guest *g)
{
	gm_dirty_consumer_free(g->consumers[0]);
	gm_dirty_consumer_free(g->consumers[1]);
	gm_map_put(g->m);
}

/* A device's write: marked. */
static inline void guest_put(struct guest *g, uint64_t gpa, uint8_t value, uint64_t n)
{
	struct gm_view view;

	gm_view_init(&view, g->m);
	for (uint64_t i = 0; i < n; i++)
		MUST(gm_view_write_u8(&view, gm_gpa(gpa + i), value));
}

/* Some of all: data, holes, the last bytes. */
static inline void guest_fill(struct guest *g)
{
	guest_put(g, GPA0, 1, PAGE);
	guest_put(g, GPA0 + 5 * PAGE + 7, 2, 3 * PAGE);
	guest_put(g, GPA0 + LEN0 - 1, 3, 1);
	guest_put(g, GPA1 + 64 * PAGE, 4, 70 * PAGE);
	guest_put(g, GPA1 + LEN1 - 5, 5, 5);
}

static inline bool guest_same(const struct guest *a, const struct guest *b)
{
	return !memcmp(a->mem[0], b->mem[0], LEN0) && !memcmp(a->mem[1], b->mem[1], LEN1);
}

/* A file of no name. */
static inline struct gm_file *snap_file(void)
{
	struct gm_file *f = NULL;

	MUST(gm_file_new(memfd_create("snapshot", MFD_CLOEXEC), &f));
	return f;
}

static inline uint64_t snap_size(const struct gm_file *f)
{
	return (uint64_t)lseek(gm_file_fd(f), 0, SEEK_END);
}

/* Everything, or a difference to @base. */
static inline uint64_t snap_save(struct guest *g, struct gm_file *f, uint64_t base)
{
	struct gm_snapshot_opts o = {
		.sz = sizeof(o),
		.flags = base ? GM_SNAPSHOT_DIFF : 0,
		.consumers = g->consumers,
		.base = base,
	};
	uint64_t id = 0;

	MUST(gm_snapshot_save(g->m, gm_file_fd(f), &o, &id));
	return id;
}

#endif /* SELFTESTS_UNIT_SNAP_H */
