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
	dev_t dev;
	ino_t ino;
	mode_t mode;
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
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->mode = st.st_mode;
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

static bool is_same_file(const struct gm_file *a, const struct gm_file *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

bool gm_file_is_same_memory(const struct gm_file *a, const struct gm_file *b)
{
	/* Each mapping of a device may be memory of its own, as of /dev/zero. */
	return is_same_file(a, b) && !S_ISCHR(a->mode);
}

bool gm_regions_share_file(const struct gm_region *a,
			   const struct gm_region *b)
{
	if (!a->file || !b->file || !is_same_file(a->file, b->file))
		return false;
	/* One starts in the other. By subtraction: the ends may not fit. */
	return a->file_off - b->file_off < b->ext.len ||
	       b->file_off - a->file_off < a->ext.len;
}
