/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_snapshot.c - what a snapshot of 1 GiB costs, against write(2) and read(2)
 * of the same bytes to and from the same file. The file is in memory (memfd): what
 * a disk costs comes on top of both.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <guestmem.h>

#include "bench.h"

#define BYTES (UINT64_C(1) << 30)
#define CHUNK (UINT64_C(1) << 20)

struct memory {
	struct gm_map *map;
	uint8_t *host;
	struct gm_file *file;	/* of the snapshot */
	struct gm_snapshot *snapshot;
	int raw;		/* of the bytes alone */
};

BENCH_LOOP void save(void *ctx, uint64_t n)
{
	struct memory *m = ctx;
	uint64_t id;

	for (; n; n--)
		BENCH_OK(gm_snapshot_save(m->map, gm_file_fd(m->file), NULL, &id));
}

BENCH_LOOP void load(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	for (; n; n--)
		BENCH_OK(gm_snapshot_load(m->snapshot, m->map, 0, NULL, NULL));
}

BENCH_LOOP void verify(void *ctx, uint64_t n)
{
	struct memory *m = ctx;

	for (; n; n--)
		BENCH_OK(gm_snapshot_verify(m->snapshot, NULL, NULL));
}

/* As a save does, it begins with an empty file. */
BENCH_LOOP void raw_write(void *ctx, uint64_t n)
{
	struct memory *m = ctx;
	uint64_t off;

	for (; n; n--) {
		BENCH_OK(ftruncate(m->raw, 0));
		for (off = 0; off < BYTES; off += CHUNK)
			bench_must(pwrite(m->raw, m->host + off, CHUNK, (off_t)off) ==
				   (ssize_t)CHUNK, "pwrite");
	}
}

BENCH_LOOP void raw_read(void *ctx, uint64_t n)
{
	struct memory *m = ctx;
	uint64_t off;

	for (; n; n--)
		for (off = 0; off < BYTES; off += CHUNK)
			bench_must(pread(m->raw, m->host + off, CHUNK, (off_t)off) ==
				   (ssize_t)CHUNK, "pread");
}

static void make(struct memory *m)
{
	static const struct gm_range range = { 0, BYTES };
	uint64_t i;

	BENCH_OK(gm_map_new_mmap(&range, NULL, 1, &m->map));
	m->host = gm_map_region(m->map, 0)->ext.host;
	/* No page of zeros: all of it is saved. */
	for (i = 0; i < BYTES / 8; i++)
		((uint64_t *)m->host)[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	m->raw = memfd_create("raw", MFD_CLOEXEC);
	BENCH_OK(gm_file_new(memfd_create("snapshot", MFD_CLOEXEC), &m->file));
}

int main(int argc, char **argv)
{
	struct memory m;
	struct bench_case c = { .ctx = &m, .ops = 1 };

	bench_start(argc, argv, "snapshot");
	make(&m);
	c.run = save;
	c.base = raw_write;
	c.base_name = "pwrite";
	bench_run(&c, "save_1g");
	/* Whatever cases were chosen. */
	save(&m, 1);
	raw_write(&m, 1);
	BENCH_OK(gm_snapshot_open(m.file, &m.snapshot));
	c.base = raw_read;
	c.base_name = "pread";
	c.run = load;
	bench_run(&c, "load_1g");
	c.run = verify;
	bench_run(&c, "verify_1g");
	gm_snapshot_close(m.snapshot);
	gm_file_put(m.file);
	close(m.raw);
	gm_map_put(m.map);
	return bench_finish();
}
