/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot.c - a snapshot's file: opened, checked, read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "snapshot_private.h"

int gm_snap_pread(int fd, void *buf, uint64_t n, uint64_t off)
{
	uint8_t *p = buf;
	uint64_t changed;
	int64_t got;

	for (; n; n -= (uint64_t)got, off += (uint64_t)got, p += got) {
		struct iovec iov = { p, n };

		got = gm_os_readv(fd, &iov, 1, (int64_t)off, &changed);
		if (got < 0)
			return gm_error_set((int)got, GM_ERR_IO, off, n);
		if (!got)
			return gm_error_set_counts(-ERANGE, GM_ERR_FILE_RANGE,
						   off, n, off, 0);
	}
	return 0;
}

int gm_snap_pwrite(int fd, const void *buf, uint64_t n, uint64_t off)
{
	const uint8_t *p = buf;
	int64_t put;

	for (; n; n -= (uint64_t)put, off += (uint64_t)put, p += put) {
		struct iovec iov = { (void *)(uintptr_t)p, n };

		put = gm_os_writev(fd, &iov, 1, (int64_t)off);
		if (put <= 0)
			return gm_error_set(put ? (int)put : -ENOSPC,
					    GM_ERR_IO, off, n);
	}
	return 0;
}

int gm_snap_tell(gm_snapshot_progress progress, void *ctx, uint64_t done,
		 uint64_t total)
{
	if (progress && progress(ctx, done, total))
		return gm_option_error(-ECANCELED, struct gm_snapshot_opts,
				       progress);
	return 0;
}

uint32_t gm_snap_entry_crc(uint64_t id, uint64_t number,
			   const struct snap_entry *e)
{
	uint64_t words[] = { gm_swap_le64(id), gm_swap_le64(number), e->pages };
	uint32_t crc = gm_crc32c(0, words, sizeof(words));

	return gm_crc32c(crc, &e->data_crc, sizeof(e->data_crc));
}

static int no_snapshot(uint64_t at)
{
	return gm_error_set(-EINVAL, GM_ERR_NOT_SNAPSHOT, at, 0);
}

static int cut_short(uint64_t off, uint64_t len, uint64_t size)
{
	return gm_error_set_counts(-ERANGE, GM_ERR_FILE_RANGE, off, len, size,
				   0);
}

/* One range: after the one before, its data in the file. */
static int take_range(struct gm_snapshot *s, size_t i,
		      const struct snap_range *in, uint64_t *groups)
{
	uint64_t at = sizeof(struct snap_header) + i * sizeof(*in);
	const struct snap_region *prev = i ? &s->regions[i - 1] : NULL;
	struct snap_region *r = &s->regions[i];
	uint64_t end;

	r->gpa = gm_swap_le64(in->gpa);
	r->len = gm_swap_le64(in->len);
	r->data = gm_swap_le64(in->data);
	r->first_group = *groups;
	if (!r->len || r->len - 1 > UINT64_MAX - r->gpa)
		return no_snapshot(at);
	/* In order: this one begins behind the last byte of the one before. */
	if (prev && (r->gpa <= prev->gpa || r->gpa - prev->gpa < prev->len))
		return no_snapshot(at);
	if (in->reserved || r->data & (SNAP_ALIGN - 1) ||
	    __builtin_add_overflow(r->data, r->len, &end) || end > s->size)
		return no_snapshot(at);
	/* In the file too: no byte is of two regions, and so all fit. */
	if (prev && r->data < prev->data + prev->len)
		return no_snapshot(at);
	s->memory += r->len;
	*groups += snap_groups(r->len);
	return 0;
}

static int take_ranges(struct gm_snapshot *s, const struct snap_range *in)
{
	uint64_t groups = 0, end;
	size_t i;
	int ret;

	s->regions = calloc(s->count + 1, sizeof(s->regions[0]));
	if (!s->regions)
		return gm_error_memory(s->count * sizeof(s->regions[0]));
	for (i = 0; i < s->count; i++) {
		ret = take_range(s, i, &in[i], &groups);
		if (ret)
			return ret;
	}
	if (__builtin_mul_overflow(groups, sizeof(struct snap_entry), &end) ||
	    __builtin_add_overflow(s->table, end, &end) || end > s->size)
		return no_snapshot(offsetof(struct snap_header, table));
	if (s->count && s->regions[0].data < end)
		return no_snapshot(sizeof(struct snap_header));
	return 0;
}

/* The fixed part. The numbers are a stranger's; the copy is what is used. */
static int take_header(struct gm_snapshot *s, const struct snap_header *h,
		       uint64_t file_size)
{
	size_t i;

	if (memcmp(h->magic, SNAP_MAGIC, sizeof(h->magic)))
		return no_snapshot(0);
	if (gm_swap_le32(h->version) != SNAP_VERSION)
		return no_snapshot(offsetof(struct snap_header, version));
	s->id = gm_swap_le64(h->id);
	s->base = gm_swap_le64(h->base);
	s->size = gm_swap_le64(h->size);
	s->table = gm_swap_le64(h->table);
	s->count = gm_swap_le32(h->regions);
	if (s->count > SNAP_MAX_REGIONS)
		return no_snapshot(offsetof(struct snap_header, regions));
	if (h->reserved32)
		return no_snapshot(offsetof(struct snap_header, reserved32));
	for (i = 0; i < GM_ARRAY_SIZE(h->reserved); i++)
		if (h->reserved[i])
			return no_snapshot(offsetof(struct snap_header,
						    reserved[i]));
	if (!s->id || s->id == s->base)
		return no_snapshot(offsetof(struct snap_header, id));
	if (s->size > INT64_MAX)
		return no_snapshot(offsetof(struct snap_header, size));
	if (s->size > file_size)
		return cut_short(0, s->size, file_size);
	if (s->table != sizeof(*h) + s->count * sizeof(struct snap_range) ||
	    s->table > s->size)
		return no_snapshot(offsetof(struct snap_header, table));
	return 0;
}

static int open_header(struct gm_snapshot *s, int fd, struct snap_header **h)
{
	struct snap_header fixed;
	struct stat st;
	uint32_t crc;
	int ret;

	if (fstat(fd, &st))
		return gm_error_set(-errno, GM_ERR_IO, 0, 0);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < sizeof(fixed))
		return no_snapshot(0);
	ret = gm_snap_pread(fd, &fixed, sizeof(fixed), 0);
	if (!ret)
		ret = take_header(s, &fixed, (uint64_t)st.st_size);
	if (ret)
		return ret;
	*h = malloc(s->table);
	if (!*h)
		return gm_error_memory(s->table);
	memcpy(*h, &fixed, sizeof(fixed));
	ret = gm_snap_pread(fd, *h + 1, s->table - sizeof(fixed),
			    sizeof(fixed));
	if (ret)
		return ret;
	crc = gm_swap_le32(fixed.crc);
	(*h)->crc = 0;
	if (gm_crc32c(0, *h, s->table) != crc)
		return gm_error_set(-EBADMSG, GM_ERR_CHECKSUM, 0, s->table);
	return 0;
}

int gm_snapshot_open(struct gm_file *file, struct gm_snapshot **out)
{
	struct snap_header *h = NULL;
	struct gm_snapshot *s;
	int ret;

	s = calloc(1, sizeof(*s));
	if (!s)
		return gm_error_memory(sizeof(*s));
	s->file = gm_file_get(file);
	ret = open_header(s, gm_file_fd(file), &h);
	if (!ret)
		ret = take_ranges(s, (const struct snap_range *)(h + 1));
	free(h);
	if (ret) {
		gm_snapshot_close(s);
		return ret;
	}
	*out = s;
	return 0;
}

void gm_snapshot_close(struct gm_snapshot *s)
{
	if (!s)
		return;
	gm_file_put(s->file);
	free(s->regions);
	free(s);
}

uint64_t gm_snapshot_id(const struct gm_snapshot *s)
{
	return s->id;
}

uint64_t gm_snapshot_base(const struct gm_snapshot *s)
{
	return s->base;
}

size_t gm_snapshot_count(const struct gm_snapshot *s)
{
	return s->count;
}

int gm_snapshot_range(const struct gm_snapshot *s, size_t index,
		      struct gm_range *out)
{
	if (index >= s->count)
		return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS, index,
					   1, s->count, 0);
	out->gpa = gm_gpa(s->regions[index].gpa);
	out->len = s->regions[index].len;
	return 0;
}

int gm_snap_refuse_diff(const struct gm_snapshot *s)
{
	if (!s->base)
		return 0;
	return gm_error_set_counts(-EINVAL, GM_ERR_SNAPSHOT_BASE, 0, 0, s->base,
				   0);
}

int gm_snap_read_group(const struct gm_snapshot *s,
		       const struct snap_region *r, uint64_t g, uint8_t *buf,
		       uint64_t *pages)
{
	uint64_t number = r->first_group + g, at = g * SNAP_GROUP;
	uint64_t n = snap_group_len(r->len, g), left, run, off, len;
	uint64_t entry = s->table + number * sizeof(struct snap_entry);
	int fd = gm_file_fd(s->file), ret;
	struct snap_entry e;
	uint32_t crc = 0;

	ret = gm_snap_pread(fd, &e, sizeof(e), entry);
	if (ret)
		return ret;
	left = gm_swap_le64(e.pages);
	if (gm_swap_le32(e.crc) != gm_snap_entry_crc(s->id, number, &e) ||
	    left & ~snap_group_mask(n))
		return gm_error_set(-EBADMSG, GM_ERR_CHECKSUM, entry, sizeof(e));
	*pages = left;
	if (left != snap_group_mask(n))
		memset(buf, 0, SNAP_GROUP);
	for (; left; left &= ~run) {
		run = snap_run(left, n, &off, &len);
		ret = gm_snap_pread(fd, buf + off, len, r->data + at + off);
		if (ret)
			return ret;
		crc = gm_crc32c(crc, buf + off, len);
	}
	if (crc != gm_swap_le32(e.data_crc))
		return gm_error_set(-EBADMSG, GM_ERR_CHECKSUM, r->data + at, n);
	return 0;
}
