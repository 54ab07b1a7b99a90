/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* own_region.c - see own_region.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "own_region.h"

static struct own_region *own_region(struct gm_region *r)
{
	return (struct own_region *)r;
}

/* A piece of memory that looks like [off, off + len), alignment included. */
static int own_begin(struct gm_region *r, uint64_t off, uint64_t len,
		     enum gm_perm perm, struct gm_guard *g)
{
	struct own_region *o = own_region(r);
	uint64_t misalign = ((uintptr_t)o->mem + off) & 15;
	uint8_t *buf;

	o->last_off = off;
	o->last_len = len;
	o->last_perm = perm;
	if (off > r->ext.len || len > r->ext.len - off)
		o->bad++;
	if (o->fail)
		return o->fail;
	if (!gm_perm_allows(o->perm, perm))
		return gm_error_set(-EACCES, GM_ERR_PERMISSION,
				    r->ext.base + off, len);
	len -= o->short_by < len ? o->short_by : len;
	buf = malloc(misalign + len + 1);
	if (!buf)
		return gm_error_set(-ENOMEM, GM_ERR_MEMORY, 0, len);
	memcpy(buf + misalign, o->mem + off, len);
	g->ptr = buf + misalign;
	g->len = len;
	g->cookie[0] = (uintptr_t)buf;
	g->cookie[1] = off;
	o->begins++;
	o->open++;
	return 0;
}

static void own_end(struct gm_region *r, struct gm_guard *g)
{
	struct own_region *o = own_region(r);
	uint64_t off = g->cookie[1];
	uint8_t *buf = (uint8_t *)(uintptr_t)g->cookie[0];

	if (g->region != r || g->ptr != buf + (((uintptr_t)o->mem + off) & 15))
		o->bad++;
	if (gm_perm_has_write(o->perm))
		memcpy(o->mem + off, g->ptr, g->len);
	else if (memcmp(o->mem + off, g->ptr, g->len))
		o->bad++;
	free(buf);
	o->open--;
}

static void own_release(struct gm_region *r)
{
	struct own_region *o = own_region(r);

	if (o->open)
		o->bad++;
	if (o->on_release)
		o->on_release(o);
	gm_region_exit(r);
	o->released++;
}

const struct gm_region_ops own_region_ops = {
	.begin = own_begin,
	.end = own_end,
	.release = own_release,
};

static const struct gm_region_ops direct_ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = own_release,
};

static int own_init(struct own_region *o, uint64_t gpa, uint64_t len, void *mem,
		    void *host, struct gm_bitmap *dirty)
{
	memset(o, 0, sizeof(*o));
	o->mem = mem;
	o->perm = GM_PERM_RW;
	return gm_region_init(&o->r, gm_gpa(gpa), len, host, dirty,
			      host ? &direct_ops : &own_region_ops);
}

int own_region_init_direct(struct own_region *o, uint64_t gpa, uint64_t len,
			   void *mem, struct gm_bitmap *dirty)
{
	return own_init(o, gpa, len, mem, mem, dirty);
}

int own_region_init_on_demand(struct own_region *o, uint64_t gpa, uint64_t len,
			      void *mem, struct gm_bitmap *dirty)
{
	return own_init(o, gpa, len, mem, NULL, dirty);
}
