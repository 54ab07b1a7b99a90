/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot_save.c - guest memory into a file.
 *
 * Memory is read once, into a buffer: what is written and what the checksum is of
 * are the same bytes, whatever the guest does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <guestmem/fault.h>

#include "snapshot_private.h"

#define OPTS struct gm_snapshot_opts

struct save {
	const struct gm_map *map;
	struct gm_snapshot_opts o;
	int fd;
	struct gm_snapshot s;	/* what is being made */
	struct gm_region **from;	/* the region of each of its regions */
	struct gm_dirty_consumer **consumers;
	uint64_t **want;	/* for each region, pages of groups; NULL: all */
	uint8_t *buf;
	uint64_t done;
};

static int take_opts(const struct gm_snapshot_opts *in,
		     struct gm_snapshot_opts *out)
{
	int ret = gm_opts_copy(in, offsetof(OPTS, consumers), out, sizeof(*out));

	if (ret)
		return ret;
	if (out->flags & ~GM_SNAPSHOT_DIFF)
		return gm_option_error(-EINVAL, OPTS, flags);
	if (out->reserved)
		return gm_option_error(-EINVAL, OPTS, reserved);
	if ((out->flags & GM_SNAPSHOT_DIFF) && !out->consumers)
		return gm_option_error(-EINVAL, OPTS, consumers);
	if (!(out->flags & GM_SNAPSHOT_DIFF) != !out->base)
		return gm_option_error(-EINVAL, OPTS, base);
	return 0;
}

static int too_big(uint64_t a, uint64_t b)
{
	return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, a, b);
}

/* Where all goes in the file. */
static int lay_out(struct save *v)
{
	struct gm_snapshot *s = &v->s;
	uint64_t groups = 0, at, len, i;

	for (i = 0; i < s->count; i++) {
		len = v->from[i]->ext.len;
		s->regions[i].gpa = v->from[i]->ext.base;
		s->regions[i].len = len;
		s->regions[i].first_group = groups;
		groups += snap_groups(len);
		if (__builtin_add_overflow(s->memory, len, &s->memory) ||
		    s->memory > INT64_MAX / 2)
			return too_big(s->memory, len);
	}
	s->table = sizeof(struct snap_header) +
		   s->count * sizeof(struct snap_range);
	at = s->table + groups * sizeof(struct snap_entry);
	for (i = 0; i < s->count; i++) {
		at = (at + (SNAP_ALIGN - 1)) & ~(SNAP_ALIGN - 1);
		s->regions[i].data = at;
		at += (s->regions[i].len + (SNAP_PAGE - 1)) & ~(SNAP_PAGE - 1);
	}
	if (at > INT64_MAX)
		return too_big(s->memory, 0);
	s->size = at;
	return 0;
}

/* The regions that can be written, and who knows of them. */
static int choose(struct save *v)
{
	const struct gm_map *m = v->map;
	size_t i, n = 0, room = m->count + (size_t)1;

	v->from = calloc(room, sizeof(v->from[0]));
	v->consumers = calloc(room, sizeof(v->consumers[0]));
	v->want = calloc(room, sizeof(v->want[0]));
	v->s.regions = calloc(room, sizeof(v->s.regions[0]));
	v->buf = malloc(SNAP_GROUP);
	if (!v->from || !v->consumers || !v->want || !v->s.regions || !v->buf)
		return gm_error_memory(room * sizeof(v->s.regions[0]));
	for (i = 0; i < m->count; i++) {
		if (!gm_perm_has_write(gm_region_perm(m->regions[i])))
			continue;
		v->from[n] = m->regions[i];
		if (v->o.consumers)
			v->consumers[n] = v->o.consumers[i];
		n++;
	}
	if (n > SNAP_MAX_REGIONS)
		return too_big(n, 0);
	v->s.count = n;
	return lay_out(v);
}

/* Bytes [off, off + len) of region @i are to be saved. */
static void want_bytes(struct save *v, size_t i, uint64_t off, uint64_t len)
{
	uint64_t end = v->s.regions[i].len, first, last, g;

	if (off >= end || !len)
		return;
	len = gm_min(len, end - off);
	first = off / SNAP_PAGE;
	last = (off + (len - 1)) / SNAP_PAGE;
	for (g = first / 64; g <= last / 64; g++)
		v->want[i][g] |= gm_bitmap_mask(g, first, last);
}

/* Ask region @i's consumer; for a whole snapshot, only to empty it. */
static int ask(struct save *v, size_t i)
{
	struct gm_page_run span = { 0, UINT64_MAX }, runs[64];
	struct gm_dirty_consumer *c = v->consumers[i];
	uint64_t page = gm_dirty_consumer_page_size(c);
	uint64_t groups = snap_groups(v->s.regions[i].len);
	int64_t n, k;

	if (v->o.flags & GM_SNAPSHOT_DIFF) {
		v->want[i] = calloc(groups, sizeof(v->want[i][0]));
		if (!v->want[i])
			return gm_error_memory(groups * 8);
	}
	while ((n = gm_dirty_consumer_take_runs(c, &span, runs, 64)) > 0)
		for (k = 0; v->want[i] && k < n; k++)
			want_bytes(v, i, runs[k].first * page,
				   runs[k].count * page);
	return 0;
}

/* Give back what was asked of region @i's consumer. */
static void give_back(struct save *v, size_t i)
{
	struct gm_dirty_consumer *c = v->consumers[i];
	uint64_t g, left, run, off, len;

	if (!v->want[i]) {
		gm_dirty_consumer_mark(c, 0, UINT64_MAX);
		return;
	}
	for (g = 0; g < snap_groups(v->s.regions[i].len); g++) {
		for (left = v->want[i][g]; left; left &= ~run) {
			run = snap_run(left, SNAP_GROUP, &off, &len);
			gm_dirty_consumer_mark(c, g * SNAP_GROUP + off, len);
		}
	}
}

/* Pages of the buffer that are not zero. */
static uint64_t find_data(const uint8_t *buf, uint64_t n)
{
	uint64_t pages = 0, off;

	for (off = 0; off < n; off += SNAP_PAGE)
		if (!snap_is_zero(buf + off, gm_min(n - off, SNAP_PAGE)))
			pages |= UINT64_C(1) << (off / SNAP_PAGE);
	return pages;
}

static int read_pages(struct save *v, size_t i, uint64_t at, uint64_t pages,
		      uint64_t n)
{
	uint64_t run, off, len;
	int ret;

	for (; pages; pages &= ~run) {
		run = snap_run(pages, n, &off, &len);
		ret = gm_region_read(v->from[i], gm_roff(at + off),
				     v->buf + off, len);
		if (ret)
			return ret;
	}
	return 0;
}

static int save_group(struct save *v, size_t i, uint64_t g)
{
	const struct snap_region *r = &v->s.regions[i];
	uint64_t n = snap_group_len(r->len, g), at = g * SNAP_GROUP;
	uint64_t number = r->first_group + g, left, run, off, len;
	uint64_t pages = v->want[i] ? v->want[i][g] : snap_group_mask(n);
	struct snap_entry e = { .pages = 0 };
	uint32_t crc = 0;
	int ret;

	ret = read_pages(v, i, at, pages, n);
	if (ret)
		return ret;
	/* In a difference, zeros are something that was written. */
	if (!(v->o.flags & GM_SNAPSHOT_DIFF))
		pages = find_data(v->buf, n);
	for (left = pages; left; left &= ~run) {
		run = snap_run(left, n, &off, &len);
		crc = gm_crc32c(crc, v->buf + off, len);
		ret = gm_snap_pwrite(v->fd, v->buf + off, len,
				     r->data + at + off);
		if (ret)
			return ret;
	}
	e.pages = gm_swap_le64(pages);
	e.data_crc = gm_swap_le32(crc);
	e.crc = gm_swap_le32(gm_snap_entry_crc(v->s.id, number, &e));
	v->done += n;
	return gm_snap_pwrite(v->fd, &e, sizeof(e),
			      v->s.table + number * sizeof(e));
}

/* Header and ranges: with them, the file is a snapshot. */
static int save_header(struct save *v)
{
	uint64_t bytes = v->s.table, i;
	struct snap_header *h = calloc(1, bytes);
	struct snap_range *ranges = (struct snap_range *)(h + 1);
	int ret;

	if (!h)
		return gm_error_memory(bytes);
	memcpy(h->magic, SNAP_MAGIC, sizeof(h->magic));
	h->version = gm_swap_le32(SNAP_VERSION);
	h->id = gm_swap_le64(v->s.id);
	h->base = gm_swap_le64(v->o.base);
	h->size = gm_swap_le64(v->s.size);
	h->table = gm_swap_le64(v->s.table);
	h->regions = gm_swap_le32((uint32_t)v->s.count);
	for (i = 0; i < v->s.count; i++) {
		ranges[i].gpa = gm_swap_le64(v->s.regions[i].gpa);
		ranges[i].len = gm_swap_le64(v->s.regions[i].len);
		ranges[i].data = gm_swap_le64(v->s.regions[i].data);
	}
	h->crc = gm_swap_le32(gm_crc32c(0, h, bytes));
	ret = gm_snap_pwrite(v->fd, h, bytes, 0);
	free(h);
	return ret;
}

static int save_all(struct save *v)
{
	int flags = fcntl(v->fd, F_GETFL), ret;
	uint64_t g;
	size_t i;

	if (flags < 0)
		return gm_error_set(-errno, GM_ERR_IO, 0, v->s.size);
	/* There, each write goes to the end, wherever it should. */
	if (flags & O_APPEND)
		return gm_error_set(-EINVAL, GM_ERR_IO, 0, v->s.size);
	/* Holes are zeros; a file that ends in one must be as long all the same. */
	if (ftruncate(v->fd, 0) || ftruncate(v->fd, (off_t)v->s.size))
		return gm_error_set(-errno, GM_ERR_IO, 0, v->s.size);
	for (i = 0; i < v->s.count; i++) {
		for (g = 0; g < snap_groups(v->s.regions[i].len); g++) {
			ret = save_group(v, i, g);
			if (!ret)
				ret = gm_snap_tell(v->o.progress,
						   v->o.progress_ctx, v->done,
						   v->s.memory);
			if (ret)
				return ret;
		}
	}
	/* Zeros in the place of memory that has gone are no snapshot. */
	for (i = 0; i < v->s.count; i++) {
		ret = gm_region_fault(v->from[i]);
		if (ret)
			return ret;
	}
	return save_header(v);
}

static int make_id(uint64_t *id)
{
	int ret;

	do {
		ret = gm_os_random(id, sizeof(*id));
		if (ret)
			return gm_error_set(ret, GM_ERR_IO, 0, sizeof(*id));
	} while (!*id);
	return 0;
}

/* What is marked from here on is for the next difference. */
static int ask_and_save(struct save *v)
{
	size_t i, asked;
	int ret = 0;

	for (asked = 0; asked < v->s.count && !ret; asked++)
		if (v->consumers[asked])
			ret = ask(v, asked);
	if (!ret)
		ret = save_all(v);
	for (i = 0; ret && i < asked; i++)
		if (v->consumers[i])
			give_back(v, i);
	return ret;
}

int gm_snapshot_save(const struct gm_map *m, int fd,
		     const struct gm_snapshot_opts *opts, uint64_t *id)
{
	struct save v = { .map = m, .fd = fd };
	size_t i;
	int ret;

	ret = take_opts(opts, &v.o);
	if (ret)
		return ret;
	ret = choose(&v);
	if (!ret)
		ret = make_id(&v.s.id);
	if (!ret)
		ret = ask_and_save(&v);
	for (i = 0; v.want && i < m->count; i++)
		free(v.want[i]);
	free(v.want);
	free(v.from);
	free(v.consumers);
	free(v.s.regions);
	free(v.buf);
	if (!ret)
		*id = v.s.id;
	return ret;
}
