/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * file.c - counted file descriptors.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

struct gm_file {
	int fd;
	uint32_t refs;
};

int gm_file_new(int fd, struct gm_file **out)
{
	struct gm_file *f;
	struct stat st;

	if (fstat(fd, &st))
		return gm_error_set(-errno, GM_ERR_IO, 0, 0);
	f = malloc(sizeof(*f));
	if (!f)
		return gm_error_memory(sizeof(*f));
	f->fd = fd;
	f->refs = 1;
	*out = f;
	return 0;
}

struct gm_file *gm_file_get(struct gm_file *f)
{
	if (f)
		gm_ref_inc(&f->refs);
	return f;
}

void gm_file_put(struct gm_file *f)
{
	if (!f || !gm_ref_dec_is_last(&f->refs))
		return;
	close(f->fd);
	free(f);
}

int gm_file_fd(const struct gm_file *f)
{
	return f->fd;
}

bool gm_regions_share_file(const struct gm_region *a,
			   const struct gm_region *b)
{
	struct stat sa, sb;

	if (!a->file || !b->file)
		return false;
	if (a->file != b->file &&
	    (fstat(a->file->fd, &sa) || fstat(b->file->fd, &sb) ||
	     sa.st_dev != sb.st_dev || sa.st_ino != sb.st_ino))
		return false;
	/* One starts in the other. By subtraction: the ends may not fit. */
	return a->file_off - b->file_off < b->ext.len ||
	       b->file_off - a->file_off < a->ext.len;
}
