/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tape.c - a device. It trusts nothing that it finds in guest memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>

#include "tutorial.h"

int tape_init(struct tape *t, const struct gm_map *map, gm_gpa_t ring, uint16_t num, int fd)
{
	uint64_t size = TAPE_DESCS + num * sizeof(struct tape_desc);

	if (!num || num > TAPE_MAX || (num & (num - 1)))
		return -EINVAL;
	gm_view_init(&t->view, map);
	t->num = num;
	t->used = 0;
	t->fd = fd;
	t->pos = 0;
	return gm_view_slice(&t->view, ring, size, GM_PERM_RW, &t->ring);
}

/* Fill guest memory from the file: no copy, one system call as a rule. */
static int64_t tape_read(struct tape *t, const struct gm_range *ranges, size_t count)
{
	struct gm_iov_cursor next, start;
	struct iovec iov[16];
	uint64_t bytes;
	int64_t done = 0;
	ssize_t got;
	int n;

	n = gm_iov_init(&next, ranges, count);
	if (n)
		return n;
	while (gm_iov_left(&next)) {
		start = next;
		n = gm_iov_extract(&t->view, &next, GM_PERM_WRITE, UINT64_MAX, iov, 16, &bytes);
		if (n < 0)
			return n;
		got = preadv(t->fd, iov, n, t->pos);
		if (got < 0) {
			int err = -errno;

			/* Nobody knows how far it came. */
			gm_iov_mark(&t->view, &start, bytes);
			return err;
		}
		gm_iov_mark(&t->view, &start, (uint64_t)got);
		t->pos += got;
		done += got;
		if (!got)
			break;
		/* Marking has moved it to where the data ended. */
		next = start;
	}
	return done;
}

/* The next request's ranges. Each descriptor is read once, into our own memory. */
static int tape_fetch(struct tape *t, uint16_t avail, struct gm_range *ranges)
{
	struct tape_desc desc;
	int count = 0, ret;

	do {
		uint64_t index = t->used & (t->num - 1);

		if (t->used == avail)
			return -EPROTO;
		ret = gm_slice_read(t->ring, TAPE_DESCS + index * sizeof(desc), &desc,
				    sizeof(desc));
		if (ret)
			return ret;
		ranges[count].gpa = gm_gpa(gm_le64_to_cpu(desc.gpa));
		ranges[count].len = gm_le32_to_cpu(desc.len);
		count++;
		t->used++;
	} while (gm_le32_to_cpu(desc.flags) & TAPE_MORE);
	return count;
}

int tape_kick(struct tape *t)
{
	struct gm_range ranges[TAPE_MAX];
	gm_le16_t raw;
	uint16_t avail;
	int64_t done;
	int ret;

	/* Acquire: what the driver wrote before is seen after. */
	ret = gm_slice_load(t->ring, TAPE_AVAIL, &raw, sizeof(raw), GM_ACQUIRE);
	if (ret)
		return ret;
	avail = gm_le16_to_cpu(raw);
	if ((uint16_t)(avail - t->used) > t->num)
		return -EPROTO;
	while (t->used != avail) {
		ret = tape_fetch(t, avail, ranges);
		if (ret < 0)
			return ret;
		done = tape_read(t, ranges, (size_t)ret);
		if (done < 0)
			return (int)done;
	}
	/* Release: the data is there before the driver sees the number. */
	raw = gm_cpu_to_le16(t->used);
	return gm_slice_store(t->ring, TAPE_USED, &raw, sizeof(raw), GM_RELEASE);
}
