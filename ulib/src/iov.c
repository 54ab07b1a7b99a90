/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iov.c - lists of guest ranges: as iovecs, copied, skipped, marked.
 */
#include <errno.h>

#include "internal.h"

int gm_iov_init(struct gm_iov_cursor *c, const struct gm_range *ranges,
		size_t count)
{
	uint64_t left = 0, sum;
	size_t i;

	for (i = 0; i < count; i++) {
		if (__builtin_add_overflow(left, ranges[i].len, &sum))
			return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, left,
					    ranges[i].len);
		left = sum;
	}
	c->ranges = ranges;
	c->count = count;
	c->index = 0;
	c->off = 0;
	c->left = left;
	return 0;
}

void gm_iov_advance(struct gm_iov_cursor *c, uint64_t n)
{
	c->left -= n;
	while (c->index < c->count) {
		uint64_t rest = c->ranges[c->index].len - c->off;

		if (n < rest) {
			c->off += n;
			return;
		}
		n -= rest;
		c->index++;
		c->off = 0;
	}
}

bool gm_iov_current(struct gm_iov_cursor *c, uint64_t max,
		    struct gm_range *out)
{
	if (!max || !c->left)
		return false;
	gm_iov_advance(c, 0);
	out->len = gm_min(max, c->ranges[c->index].len - c->off);
	out->gpa = gm_gpa_add_unchecked(c->ranges[c->index].gpa, c->off);
	return true;
}

bool gm_iov_wrapped(const struct gm_iov_cursor *c)
{
	return c->off > UINT64_MAX - gm_gpa_raw(c->ranges[c->index].gpa);
}

int gm_iov_wrap_error(const struct gm_iov_cursor *c)
{
	const struct gm_range *r = &c->ranges[c->index];

	return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW,
			    gm_gpa_raw(r->gpa), r->len);
}

int gm_iov_skip(struct gm_iov_cursor *c, uint64_t n)
{
	if (n > c->left)
		return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS, 0, n,
					   c->left, 0);
	gm_iov_advance(c, n);
	return 0;
}

/* Iovecs of one range. Returns how many, or an error; bytes are added. */
static int extract_range(struct gm_view *v, struct gm_range r,
			 enum gm_perm perm, struct iovec *iov, int room,
			 uint64_t *bytes)
{
	struct gm_slices it;
	struct gm_slice s;
	int n = 0, ret;

	gm_slices_init(&it, v, r.gpa, r.len, perm);
	while (n < room) {
		ret = gm_slices_next(&it, &s);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		if (!s.host)
			return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
					    it.gpa - s.len, s.len);
		iov[n].iov_base = s.host;
		iov[n].iov_len = s.len;
		n++;
		*bytes += s.len;
	}
	return n;
}

int gm_iov_extract(struct gm_view *v, struct gm_iov_cursor *c,
		   enum gm_perm perm, uint64_t max, struct iovec *iov,
		   int iovcnt, uint64_t *bytes)
{
	struct gm_iov_cursor at = *c;
	uint64_t total = 0, got;
	struct gm_range r;
	int n = 0, ret;

	if (iovcnt <= 0)
		return gm_error_set(-EINVAL, GM_ERR_SIZE, (uint64_t)iovcnt, 0);
	while (n < iovcnt && gm_iov_current(&at, max - total, &r)) {
		if (gm_iov_wrapped(&at))
			return gm_iov_wrap_error(&at);
		got = 0;
		ret = extract_range(v, r, perm, iov + n, iovcnt - n, &got);
		if (ret < 0)
			return ret;
		gm_iov_advance(&at, got);
		total += got;
		n += ret;
	}
	*c = at;
	*bytes = total;
	return n;
}

/* Copy at the cursor; it moves only if all went well. */
static int copy(struct gm_view *v, struct gm_iov_cursor *c, void *out,
		const void *in, uint64_t n)
{
	struct gm_iov_cursor at = *c;
	struct gm_range r;
	uint64_t done = 0;
	int ret;

	if (n > c->left)
		return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS, 0, n,
					   c->left, 0);
	while (gm_iov_current(&at, n - done, &r)) {
		if (gm_iov_wrapped(&at))
			return gm_iov_wrap_error(&at);
		if (out)
			ret = gm_view_read(v, r.gpa, (uint8_t *)out + done,
					   r.len);
		else
			ret = gm_view_write(v, r.gpa,
					    (const uint8_t *)in + done, r.len);
		if (ret)
			return ret;
		gm_iov_advance(&at, r.len);
		done += r.len;
	}
	*c = at;
	return 0;
}

int gm_iov_read(struct gm_view *v, struct gm_iov_cursor *c, void *buf,
		uint64_t n)
{
	return copy(v, c, buf, NULL, n);
}

int gm_iov_write(struct gm_view *v, struct gm_iov_cursor *c, const void *buf,
		 uint64_t n)
{
	return copy(v, c, NULL, buf, n);
}

void gm_iov_mark(struct gm_view *v, struct gm_iov_cursor *c, uint64_t n)
{
	struct gm_range r;

	while (gm_iov_current(c, n, &r)) {
		if (!gm_iov_wrapped(c))
			gm_view_mark(v, r.gpa, r.len);
		gm_iov_advance(c, r.len);
		n -= r.len;
	}
}
