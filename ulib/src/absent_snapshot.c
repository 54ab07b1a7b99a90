/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * absent_snapshot.c - snapshots where files have no descriptors and no holes: EOPNOTSUPP;
 * see absent.c.
 */
#include <errno.h>

#include <guestmem/snapshot.h>

static int absent(void)
{
	return gm_error_set(-EOPNOTSUPP, GM_ERR_SYSTEM, 0, 0);
}

int gm_snapshot_save(const struct gm_map *m, int fd,
		     const struct gm_snapshot_opts *opts, uint64_t *id)
{
	(void)m;
	(void)fd;
	(void)opts;
	(void)id;
	return absent();
}

int gm_snapshot_open(struct gm_file *file, struct gm_snapshot **out)
{
	(void)file;
	(void)out;
	return absent();
}

void gm_snapshot_close(struct gm_snapshot *s)
{
	(void)s;
}

uint64_t gm_snapshot_id(const struct gm_snapshot *s)
{
	(void)s;
	return 0;
}

uint64_t gm_snapshot_base(const struct gm_snapshot *s)
{
	(void)s;
	return 0;
}

size_t gm_snapshot_count(const struct gm_snapshot *s)
{
	(void)s;
	return 0;
}

int gm_snapshot_range(const struct gm_snapshot *s, size_t index,
		      struct gm_range *out)
{
	(void)s;
	(void)index;
	(void)out;
	return absent();
}

int gm_snapshot_verify(struct gm_snapshot *s, gm_snapshot_progress progress,
		       void *ctx)
{
	(void)s;
	(void)progress;
	(void)ctx;
	return absent();
}

int gm_snapshot_load(struct gm_snapshot *s, const struct gm_map *m,
		     uint64_t base, gm_snapshot_progress progress, void *ctx)
{
	(void)s;
	(void)m;
	(void)base;
	(void)progress;
	(void)ctx;
	return absent();
}

int gm_snapshot_new_map(struct gm_snapshot *s, const struct gm_mmap_opts *opts,
			struct gm_map **out)
{
	(void)s;
	(void)opts;
	(void)out;
	return absent();
}
