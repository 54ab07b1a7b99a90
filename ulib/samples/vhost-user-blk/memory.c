/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * memory.c - from the front-end's memory table to a map.
 *
 * The front-end sends, for each region, a file descriptor and four numbers:
 * guest address, length, where the file has it, and where the front-end itself
 * has it mapped. The last one matters since it names the rings by its own
 * addresses. Every number is a stranger's: sums are checked, and a region that
 * meets another one is refused, in the guest's address space (by the library)
 * and in the front-end's (here).
 *
 * The file stays the front-end's too: it can be truncated at any time, and
 * then our next access would be SIGBUS. So each mapping is watched; see
 * memory_fault().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "log.h"
#include "memory.h"

void memory_init(struct memory *m)
{
	memset(m, 0, sizeof(*m));
}

void memory_exit(struct memory *m)
{
	gm_map_put(m->map);
	memory_init(m);
}

/*
 * A part of another region, at any byte of it.
 *
 * mmap() wants offsets in whole pages, and on hugetlbfs those are huge: the
 * memory of a PC with a hole below 1 MiB has none that begins there. Then the
 * mapping begins earlier than what the guest may see of it. This is the kind of
 * thing that a region of one's own is for.
 */
struct window {
	struct gm_region region;
	struct gm_region *backing;
};

static void window_release(struct gm_region *r)
{
	/* The region is the window's first member. */
	struct window *w = (struct window *)r;

	gm_region_put(w->backing);
	gm_region_exit(r);
	free(w);
}

static const struct gm_region_ops window_ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = window_release,
};

/* Takes the reference to @backing, also on failure. */
static int window_new(struct gm_region *backing, uint64_t skip, gm_gpa_t gpa, uint64_t len,
		      struct gm_region **out)
{
	struct window *w = calloc(1, sizeof(*w));
	void *host;
	int err;

	if (w)
		err = gm_region_host(backing, gm_roff(skip), &host);
	else
		err = gm_error_set(-ENOMEM, GM_ERR_MEMORY, 0, sizeof(*w));
	if (!err)
		err = gm_region_init(&w->region, gpa, len, host, NULL, &window_ops);
	if (err) {
		gm_region_put(backing);
		free(w);
		return err;
	}
	w->backing = backing;
	*out = &w->region;
	return 0;
}

/* Offsets in a file that can be mapped are multiples of this. */
static uint64_t map_granule(int fd)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct statfs fs;

	if (!fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize > 0)
		return (uint64_t)fs.f_bsize;
	return page;
}

/* Map what @wire describes out of @file. */
static int map_file(const struct vu_region *wire, struct gm_file *file, struct memory_slot *slot)
{
	uint64_t skip = wire->mmap_offset & (map_granule(gm_file_fd(file)) - 1);
	struct gm_mmap_opts opts = {
		.sz = sizeof(opts),
		.flags = GM_MMAP_NO_DUMP | GM_MMAP_NO_FORK,
		.file = file,
		.file_off = wire->mmap_offset - skip,
	};
	gm_gpa_t gpa = gm_gpa(wire->gpa);
	int err;

	/* That the file is long enough, the library checks. */
	err = gm_region_new_mmap(skip ? gm_gpa(0) : gpa, wire->size + skip, &opts,
				 &slot->backing);
	if (err)
		return err;
	err = gm_region_watch(slot->backing);
	if (err) {
		gm_region_put(slot->backing);
		return err;
	}
	slot->region = slot->backing;
	if (skip)
		err = window_new(slot->backing, skip, gpa, wire->size, &slot->region);
	return err;
}

static bool wraps(uint64_t first, uint64_t len)
{
	return len && first > UINT64_MAX - (len - 1);
}

/* Do [a, a + a_len) and [b, b + b_len) meet? Neither wraps. */
static bool meets(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b ? b - a < a_len : a - b < b_len;
}

static int check_wire(const struct memory *m, const struct vu_region *wire)
{
	size_t i;

	/* The guest's side is for the library to check, with the same result. */
	if (!wire->size || wraps(wire->user_addr, wire->size) ||
	    wraps(wire->mmap_offset, wire->size))
		return because(-EINVAL, "region at %#llx is empty or wraps",
			       (unsigned long long)wire->gpa);
	if (m->count == MEMORY_MAX_SLOTS)
		return because(-ENOSPC, "more than %d memory slots", MEMORY_MAX_SLOTS);
	for (i = 0; i < m->count; i++) {
		const struct vu_region *other = &m->slots[i].wire;

		if (meets(wire->user_addr, wire->size, other->user_addr, other->size))
			return because(-EEXIST, "regions overlap in the front-end");
	}
	return 0;
}

/* The region's only reference moves into a map with it. */
static int insert(struct memory *m, struct memory_slot *slot)
{
	struct gm_map *map;
	int err;

	if (m->map)
		err = gm_map_insert(m->map, slot->region, &map);
	else
		err = gm_map_new(&slot->region, 1, &map);
	gm_region_put(slot->region);
	if (err)
		return because_gm(err, "memory map");
	gm_map_put(m->map);
	m->map = map;
	m->slots[m->count++] = *slot;
	return 0;
}

int memory_add(struct memory *m, const struct vu_region *wire, int *fd)
{
	struct memory_slot slot = { .wire = *wire };
	struct gm_file *file;
	int err;

	err = check_wire(m, wire);
	if (err)
		return err;
	err = gm_file_new(*fd, &file);
	if (err)
		return because_gm(err, "memory file");
	*fd = -1;
	err = map_file(wire, file, &slot);
	/* The mapping has its own reference. */
	gm_file_put(file);
	if (err)
		return because_gm(err, "memory region");
	return insert(m, &slot);
}

int memory_replace(struct memory *m, const struct vu_mem_table *table, int *fds)
{
	struct memory *fresh = malloc(sizeof(*fresh));
	uint32_t i;
	int err = 0;

	if (!fresh)
		return because(-ENOMEM, "no memory for a memory table");
	memory_init(fresh);
	for (i = 0; i < table->count && !err; i++)
		err = memory_add(fresh, &table->regions[i], &fds[i]);
	if (!err) {
		gm_map_put(m->map);
		*m = *fresh;
	} else {
		memory_exit(fresh);
	}
	free(fresh);
	return err;
}

int memory_remove(struct memory *m, const struct vu_region *wire)
{
	struct gm_map *map;
	size_t i;
	int err;

	for (i = 0; i < m->count; i++) {
		const struct vu_region *have = &m->slots[i].wire;

		if (have->gpa == wire->gpa && have->size == wire->size &&
		    have->user_addr == wire->user_addr)
			break;
	}
	if (i == m->count)
		return because(-ENOENT, "no memory slot at %#llx",
			       (unsigned long long)wire->gpa);
	err = gm_map_remove(m->map, gm_gpa(wire->gpa), wire->size, &map, NULL);
	if (err)
		return because_gm(err, "memory map");
	gm_map_put(m->map);
	m->map = map;
	m->slots[i] = m->slots[--m->count];
	return 0;
}

int memory_user_range(const struct memory *m, uint64_t user, uint64_t len, gm_gpa_t *gpa)
{
	size_t i;

	for (i = 0; i < m->count; i++) {
		const struct vu_region *wire = &m->slots[i].wire;
		uint64_t off = user - wire->user_addr;

		/* Below the region's start the difference wraps, to much. */
		if (off < wire->size && len <= wire->size - off)
			return gm_gpa_add(gm_gpa(wire->gpa), off, gpa) ? -EFAULT : 0;
	}
	return because(-EFAULT, "no memory at the front-end's address %#llx",
		       (unsigned long long)user);
}

int memory_user_to_gpa(const struct memory *m, uint64_t user, gm_gpa_t *gpa)
{
	return memory_user_range(m, user, 1, gpa);
}

int memory_fault(const struct memory *m)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		if (gm_region_fault(m->slots[i].backing))
			return because(-EIO, "the memory at %#llx was taken away",
				       (unsigned long long)m->slots[i].wire.gpa);
	return 0;
}
