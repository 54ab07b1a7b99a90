/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot_load.c - a snapshot into guest memory: copied, or mapped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot_private.h"

/* What is done with each group that was read and found right. */
struct walk {
	struct gm_snapshot *s;
	int (*group)(struct walk *w, const struct snap_region *r, uint64_t g,
		     uint64_t pages);
	struct gm_view view;
	uint64_t next_data;	/* the file has a hole up to here */
	uint8_t *buf;		/* what was read; behind it, room for as much */
	gm_snapshot_progress progress;
	void *ctx;
	uint64_t done;
	uint64_t total;
};

static int walk(struct walk *w)
{
	const struct gm_snapshot *s = w->s;
	uint64_t g, pages = 0;
	size_t i;
	int ret;

	for (i = 0; i < s->count; i++) {
		const struct snap_region *r = &s->regions[i];

		for (g = 0; g < snap_groups(r->len); g++) {
			ret = gm_snap_read_group(s, r, g, w->buf, &pages);
			if (!ret)
				ret = w->group(w, r, g, pages);
			w->done += snap_group_len(r->len, g);
			if (!ret)
				ret = gm_snap_tell(w->progress, w->ctx, w->done,
						   w->total);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static int ignore_group(struct walk *w, const struct snap_region *r, uint64_t g,
			uint64_t pages)
{
	(void)w;
	(void)r;
	(void)g;
	(void)pages;
	return 0;
}

/*
 * Pages that the table does not have are zeros in the file, too: a map of it has
 * them all. Places in the file only grow, so that each hole is asked for once.
 */
static int check_absent(struct walk *w, const struct snap_region *r, uint64_t g,
			uint64_t pages)
{
	uint64_t n = snap_group_len(r->len, g), at = r->data + g * SNAP_GROUP;
	uint64_t left = snap_group_mask(n) & ~pages, run, off, len;
	int fd = gm_file_fd(w->s->file), ret;

	/* Of a difference, nobody uses them. */
	if (w->s->base)
		return 0;
	for (; left; left &= ~run) {
		run = snap_run(left, n, &off, &len);
		if (at + off >= w->next_data)
			w->next_data = (uint64_t)gm_os_next_data(fd, (int64_t)(at + off));
		if (at + off + len <= w->next_data)
			continue;
		ret = gm_snap_pread(fd, w->buf + off, len, at + off);
		if (ret)
			return ret;
		if (!snap_is_zero(w->buf + off, len))
			return gm_error_set(-EBADMSG, GM_ERR_CHECKSUM, at + off, len);
	}
	return 0;
}

int gm_snapshot_verify(struct gm_snapshot *s, gm_snapshot_progress progress,
		       void *ctx)
{
	struct walk w = {
		.s = s,
		.group = check_absent,
		.progress = progress,
		.ctx = ctx,
		.total = s->memory,
	};
	int ret;

	w.buf = malloc(SNAP_GROUP);
	if (!w.buf)
		return gm_error_memory(SNAP_GROUP);
	ret = walk(&w);
	/* The end of a file that has become shorter is no hole. */
	if (!ret)
		ret = gm_snap_pread(gm_file_fd(s->file), w.buf, 1, s->size - 1);
	free(w.buf);
	return ret;
}

/* Write the pages of the buffer that @pages has. */
static int put_pages(struct walk *w, uint64_t gpa, uint64_t n, uint64_t pages)
{
	uint64_t run, off, len;
	int ret;

	for (; pages; pages &= ~run) {
		run = snap_run(pages, n, &off, &len);
		ret = gm_view_write(&w->view, gm_gpa(gpa + off), w->buf + off,
				    len);
		if (ret)
			return ret;
	}
	return 0;
}

/* Pages that the file does not have are zeros: which are something else now? */
static int find_stale(struct walk *w, uint64_t gpa, uint64_t n, uint64_t pages,
		      uint64_t *stale)
{
	uint8_t *now = w->buf + SNAP_GROUP;
	uint64_t off;
	int ret;

	*stale = 0;
	if (pages == snap_group_mask(n))
		return 0;
	ret = gm_view_read(&w->view, gm_gpa(gpa), now, n);
	if (ret)
		return ret;
	for (off = 0; off < n; off += SNAP_PAGE) {
		uint64_t bit = UINT64_C(1) << (off / SNAP_PAGE);

		if (!(pages & bit) && memcmp(now + off, w->buf + off,
					     gm_min(n - off, SNAP_PAGE)))
			*stale |= bit;
	}
	return 0;
}

static int load_group(struct walk *w, const struct snap_region *r, uint64_t g,
		      uint64_t pages)
{
	uint64_t gpa = r->gpa + g * SNAP_GROUP;
	uint64_t n = snap_group_len(r->len, g), stale = 0;
	int ret = 0;

	if (!w->s->base)
		ret = find_stale(w, gpa, n, pages, &stale);
	return ret ? ret : put_pages(w, gpa, n, pages | stale);
}

/* Is there memory for all of it, which can be written? */
static int check_memory(const struct gm_snapshot *s, const struct gm_map *m)
{
	struct gm_view view;
	size_t i;
	int ret;

	gm_view_init(&view, m);
	for (i = 0; i < s->count; i++) {
		ret = gm_view_check_range(&view, gm_gpa(s->regions[i].gpa),
					  s->regions[i].len, GM_PERM_WRITE);
		if (ret)
			return ret;
	}
	return 0;
}

int gm_snapshot_load(struct gm_snapshot *s, const struct gm_map *m,
		     uint64_t base, gm_snapshot_progress progress, void *ctx)
{
	struct walk w = {
		.s = s,
		.group = ignore_group,
		.progress = progress,
		.ctx = ctx,
		.total = 2 * s->memory,
	};
	int ret;

	if (base != s->base)
		return gm_error_set_counts(-EINVAL, GM_ERR_SNAPSHOT_BASE, 0, 0,
					   s->base, base);
	ret = check_memory(s, m);
	if (ret)
		return ret;
	w.buf = malloc(2 * SNAP_GROUP);
	if (!w.buf)
		return gm_error_memory(2 * SNAP_GROUP);
	gm_view_init(&w.view, m);
	ret = walk(&w);
	if (!ret) {
		w.group = load_group;
		ret = walk(&w);
	}
	free(w.buf);
	return ret;
}

struct mapper {
	const struct gm_snapshot *s;
	size_t next;
};

static int map_region(void *ctx, gm_gpa_t gpa, gm_size_t len,
		      const struct gm_mmap_opts *opts, struct gm_region **out)
{
	struct mapper *p = ctx;
	struct gm_mmap_opts o = *opts;

	o.file_off = p->s->regions[p->next++].data;
	return gm_region_new_mmap(gpa, len, &o, out);
}

int gm_snapshot_new_map(struct gm_snapshot *s, const struct gm_mmap_opts *opts,
			struct gm_map **out)
{
	struct mapper p = { .s = s };
	struct gm_mmap_opts o, *each;
	struct gm_range *ranges;
	size_t i;
	int ret;

	ret = gm_snap_refuse_diff(s);
	if (!ret)
		ret = gm_mmap_check_opts(opts, &o);
	if (ret)
		return ret;
	o.sz = sizeof(o);
	o.file = s->file;
	o.flags |= GM_MMAP_PRIVATE;
	ranges = calloc(s->count + 1, sizeof(ranges[0]));
	each = calloc(s->count + 1, sizeof(each[0]));
	if (!ranges || !each) {
		free(ranges);
		free(each);
		return gm_error_memory(s->count * sizeof(each[0]));
	}
	for (i = 0; i < s->count; i++) {
		gm_snapshot_range(s, i, &ranges[i]);
		each[i] = o;
	}
	ret = gm_map_new_made(map_region, &p, ranges, each, s->count, out);
	free(ranges);
	free(each);
	return ret;
}
