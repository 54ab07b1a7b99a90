/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * access_io.c - guest ranges filled from a source and drained to a sink, as
 * many regions as possible in one call.
 */
#include <errno.h>

#include "view_private.h"

/*
 * The first slices of a range, inside gm_view_begin(). Returns how many, their
 * bytes in @bytes.
 */
static int collect(struct gm_view *v, gm_gpa_t gpa, uint64_t n,
		   enum gm_perm perm, struct gm_slice *slices, uint64_t *bytes)
{
	struct gm_slices it;
	int count = 0, ret;

	*bytes = 0;
	gm_slices_init_stop(&it, v, gpa, n, perm);
	while (count < GM_IO_BATCH) {
		/* With a slice in hand its section must not be left to ask. */
		it.own = !count;
		ret = gm_slices_next(&it, &slices[count]);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		*bytes += slices[count].len;
		count++;
	}
	return count;
}

int64_t gm_view_read_from(struct gm_view *v, gm_gpa_t gpa,
			  struct gm_source *src, uint64_t n)
{
	struct gm_slice slices[GM_IO_BATCH];
	uint64_t bytes;
	int64_t ret;
	int count;

	gm_view_begin(v);
	count = collect(v, gpa, n, GM_PERM_WRITE, slices, &bytes);
	ret = count;
	if (count > 0)
		ret = gm_io_check(src->read(src, slices, count), bytes);
	gm_view_end(v);
	return ret;
}

int64_t gm_view_write_to(struct gm_view *v, gm_gpa_t gpa, struct gm_sink *sink,
			 uint64_t n)
{
	struct gm_slice slices[GM_IO_BATCH];
	uint64_t bytes;
	int64_t ret;
	int count;

	gm_view_begin(v);
	count = collect(v, gpa, n, GM_PERM_READ, slices, &bytes);
	ret = count;
	if (count > 0)
		ret = gm_io_check(sink->write(sink, slices, count), bytes);
	gm_view_end(v);
	return ret;
}

int gm_view_read_exact_from(struct gm_view *v, gm_gpa_t gpa,
			    struct gm_source *src, uint64_t n)
{
	uint64_t done = 0;
	int64_t ret;

	ret = gm_view_check_range(v, gpa, n, GM_PERM_WRITE);
	if (ret)
		return (int)ret;
	while (done < n) {
		gm_gpa_t at = gm_gpa_add_unchecked(gpa, done);

		ret = gm_view_read_from(v, at, src, n - done);
		if (ret < 0)
			return (int)ret;
		if (!ret)
			return gm_error_set_counts(-ENODATA,
						   GM_ERR_UNEXPECTED_END,
						   gm_gpa_raw(at), 0, n, done);
		done += (uint64_t)ret;
	}
	return 0;
}

int gm_view_write_all_to(struct gm_view *v, gm_gpa_t gpa, struct gm_sink *sink,
			 uint64_t n)
{
	uint64_t done = 0;
	int64_t ret;

	ret = gm_view_check_range(v, gpa, n, GM_PERM_READ);
	if (ret)
		return (int)ret;
	while (done < n) {
		gm_gpa_t at = gm_gpa_add_unchecked(gpa, done);

		ret = gm_view_write_to(v, at, sink, n - done);
		if (ret < 0)
			return (int)ret;
		if (!ret)
			return gm_error_set_counts(-ENOSPC, GM_ERR_WRITE_ZERO,
						   gm_gpa_raw(at), 0, n, done);
		done += (uint64_t)ret;
	}
	return 0;
}
