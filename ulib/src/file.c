/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * file.c - counted file descriptors.
 */
#include <stdlib.h>

#include "internal.h"

struct gm_file {
	int fd;
	uint32_t refs;
	gm_os_file file;
	struct gm_file_id id;
};

int gm_file_make(gm_os_file file, int fd, struct gm_file **out)
{
	struct gm_file_id id;
	struct gm_file *f;
	int ret;

	ret = gm_os_file_identify(file, &id);
	if (ret)
		return gm_error_set(ret, GM_ERR_IO, 0, 0);
	f = malloc(sizeof(*f));
	if (!f)
		return gm_error_memory(sizeof(*f));
	f->fd = fd;
	f->refs = 1;
	f->file = file;
	f->id = id;
	*out = f;
	return 0;
}

int gm_file_new(int fd, struct gm_file **out)
{
	return gm_file_make(gm_os_file_of(fd), fd, out);
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
	gm_os_file_close(f->file, f->fd);
	free(f);
}

int gm_file_fd(const struct gm_file *f)
{
	return f->fd;
}

gm_os_file gm_file_os(const struct gm_file *f)
{
	return f->file;
}

static bool is_same_file(const struct gm_file *a, const struct gm_file *b)
{
	return a->id.dev == b->id.dev && a->id.ino[0] == b->id.ino[0] &&
	       a->id.ino[1] == b->id.ino[1];
}

bool gm_file_is_same_memory(const struct gm_file *a, const struct gm_file *b)
{
	return is_same_file(a, b) && !a->id.is_chr;
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
