/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io_handle.c - Windows: handles as files, sources and sinks.
 */
#include <guestmem/handle.h>

#include "internal.h"

int gm_file_new_handle(void *handle, struct gm_file **out)
{
	return gm_file_make((gm_os_file)handle, -1, out);
}

void *gm_file_handle(const struct gm_file *f)
{
	return (void *)gm_file_os(f);
}

static int64_t handle_read(struct gm_source *src, const struct gm_slice *slices, int count)
{
	struct gm_handle_source *s = (struct gm_handle_source *)src;

	return gm_file_read_slices((gm_os_file)s->handle, &s->off, slices, count);
}

static int64_t handle_write(struct gm_sink *sink, const struct gm_slice *slices, int count)
{
	struct gm_handle_sink *s = (struct gm_handle_sink *)sink;

	return gm_file_write_slices((gm_os_file)s->handle, &s->off, slices, count);
}

void gm_handle_source_init_at(struct gm_handle_source *s, void *handle, int64_t off)
{
	s->source.read = handle_read;
	s->handle = handle;
	s->off = off;
}

void gm_handle_source_init(struct gm_handle_source *s, void *handle)
{
	gm_handle_source_init_at(s, handle, -1);
}

void gm_handle_sink_init_at(struct gm_handle_sink *s, void *handle, int64_t off)
{
	s->sink.write = handle_write;
	s->handle = handle;
	s->off = off;
}

void gm_handle_sink_init(struct gm_handle_sink *s, void *handle)
{
	gm_handle_sink_init_at(s, handle, -1);
}
