/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dma_map.c - a range of a region, mapped for one device.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

struct gm_dma_map {
	struct gm_region *region;
	struct gm_hold *hold;
	uint64_t off;
	uint64_t len;
	enum gm_perm perm;
	uint32_t refs;
	const struct gm_dma_map_ops *ops;
	void *ctx;
	size_t count;
	char name[GM_NAME_SIZE];
	struct gm_dma_seg segs[];
};

static const struct gm_dma_map_ops no_ops = { .sync = NULL };

/* The pieces make sense, and their sum is @len. */
static int check_segs(const struct gm_dma_seg *segs, size_t count,
		      uint64_t *len)
{
	uint64_t sum = 0, total;
	size_t i;

	if (!count)
		return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH, 0, 0);
	for (i = 0; i < count; i++) {
		if (!segs[i].len)
			return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH, sum,
					    0);
		if (segs[i].len - 1 > UINT64_MAX - segs[i].address)
			return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW,
					    segs[i].address, segs[i].len);
		if (__builtin_add_overflow(sum, segs[i].len, &total))
			return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, sum,
					    segs[i].len);
		sum = total;
	}
	*len = sum;
	return 0;
}

static int check_perm(const struct gm_region *r, uint64_t off, uint64_t len,
		      enum gm_perm perm)
{
	if (perm == GM_PERM_NONE)
		return gm_error_set(-EINVAL, GM_ERR_PERMISSION,
				    r->ext.base + off, len);
	if (!gm_perm_allows(gm_region_perm(r), perm))
		return gm_error_set(-EACCES, GM_ERR_PERMISSION,
				    r->ext.base + off, len);
	return 0;
}

/* Copies the pieces; those that follow each other become one. */
static void set_segs(struct gm_dma_map *m, const struct gm_dma_seg *segs,
		     size_t count)
{
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		if (n && gm_dma_seg_follows(&m->segs[n - 1], segs[i].address))
			m->segs[n - 1].len += segs[i].len;
		else
			m->segs[n++] = segs[i];
	}
	m->count = n;
}

int gm_dma_map_new(struct gm_region *r, gm_roff_t off, enum gm_perm perm,
		   const struct gm_dma_seg *segs, size_t count,
		   const char *name, const struct gm_dma_map_ops *ops,
		   void *ctx, struct gm_dma_map **out)
{
	struct gm_dma_map *m;
	uint64_t len = 0;
	size_t bytes;
	int ret;

	ret = check_segs(segs, count, &len);
	if (!ret)
		ret = check_perm(r, gm_roff_raw(off), len, perm);
	if (ret)
		return ret;
	if (__builtin_mul_overflow(count, sizeof(segs[0]), &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*m), &bytes))
		return gm_error_memory(count);
	m = calloc(1, bytes);
	if (!m)
		return gm_error_memory(bytes);
	/* Checks that the range is inside, too. */
	ret = gm_region_hold(r, off, len, GM_HOLD_DISCARD | GM_HOLD_REMOVE,
			     name, &m->hold);
	if (ret) {
		free(m);
		return ret;
	}
	m->region = gm_region_get(r);
	m->off = gm_roff_raw(off);
	m->len = len;
	m->perm = perm;
	m->refs = 1;
	m->ops = ops ? ops : &no_ops;
	m->ctx = ctx;
	gm_name_copy(m->name, name);
	set_segs(m, segs, count);
	*out = m;
	return 0;
}

struct gm_dma_map *gm_dma_map_get(struct gm_dma_map *m)
{
	gm_ref_inc(&m->refs);
	return m;
}

void gm_dma_map_put(struct gm_dma_map *m)
{
	if (!m || !gm_ref_dec_is_last(&m->refs))
		return;
	/* The device first: until then the memory is held. */
	if (m->ops->release)
		m->ops->release(m->ctx);
	gm_hold_end(m->hold);
	gm_region_put(m->region);
	free(m);
}

struct gm_region *gm_dma_map_region(const struct gm_dma_map *m)
{
	return m->region;
}

gm_roff_t gm_dma_map_offset(const struct gm_dma_map *m)
{
	return gm_roff(m->off);
}

gm_size_t gm_dma_map_len(const struct gm_dma_map *m)
{
	return m->len;
}

enum gm_perm gm_dma_map_perm(const struct gm_dma_map *m)
{
	return m->perm;
}

const char *gm_dma_map_name(const struct gm_dma_map *m)
{
	return m->name;
}

const struct gm_dma_seg *gm_dma_map_segs(const struct gm_dma_map *m,
					 size_t *count)
{
	*count = m->count;
	return m->segs;
}

bool gm_dma_map_needs_sync(const struct gm_dma_map *m)
{
	return m->ops->sync;
}

void *gm_dma_map_ctx(const struct gm_dma_map *m,
		     const struct gm_dma_map_ops *ops)
{
	return m->ops == ops ? m->ctx : NULL;
}

int gm_dma_map_sync(const struct gm_dma_map *m, gm_roff_t roff, gm_size_t len,
		    enum gm_dma_owner owner)
{
	uint64_t off = gm_roff_raw(roff), end;

	if (owner != GM_DMA_FOR_CPU && owner != GM_DMA_FOR_DEVICE)
		return gm_error_set(-EINVAL, GM_ERR_OPTION, 0, 0);
	if (__builtin_add_overflow(off, len, &end))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, off, len);
	if (off < m->off || end - m->off > m->len)
		return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS, off,
					   len, m->len, 0);
	if (!len || !m->ops->sync)
		return 0;
	return m->ops->sync(m->ctx, off, len, owner);
}
