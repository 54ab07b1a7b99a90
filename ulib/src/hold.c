/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hold.c - who wants memory to stay, and memory that is given back.
 *
 * Holds come and go with maps for devices: seldom. So one lock for all regions
 * will do. Discards have it for reading: they run at once, but a hold comes
 * before or after one, never in between.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "internal.h"

struct gm_hold {
	struct gm_region *region;	/* the root: with the memory */
	struct gm_hold *next;
	uint64_t off;
	uint64_t len;
	uint32_t what;
	char holder[GM_NAME_SIZE];
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static int check_range(const struct gm_region *r, uint64_t off, uint64_t len)
{
	uint64_t end;

	if (__builtin_add_overflow(off, len, &end))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, off, len);
	if (end > r->ext.len)
		return gm_bounds_error(off, len, r->ext.len);
	return 0;
}

int gm_region_hold(struct gm_region *r, gm_roff_t off, gm_size_t len,
		   uint32_t what, const char *holder, struct gm_hold **out)
{
	struct gm_hold *h;
	int ret;

	if (!len)
		return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH,
				    gm_roff_raw(off), 0);
	if (!what || (what & ~(GM_HOLD_DISCARD | GM_HOLD_REMOVE)))
		return gm_error_set(-EINVAL, GM_ERR_SIZE, what, 0);
	ret = check_range(r, gm_roff_raw(off), len);
	if (ret)
		return ret;
	h = calloc(1, sizeof(*h));
	if (!h)
		return gm_error_memory(sizeof(*h));
	h->region = gm_region_get(gm_region_root(r));
	h->off = gm_roff_raw(off);
	h->len = len;
	h->what = what;
	gm_name_copy(h->holder, holder);
	pthread_rwlock_wrlock(&lock);
	h->next = h->region->holds;
	h->region->holds = h;
	pthread_rwlock_unlock(&lock);
	*out = h;
	return 0;
}

void gm_hold_end(struct gm_hold *h)
{
	struct gm_hold **at;

	if (!h)
		return;
	pthread_rwlock_wrlock(&lock);
	for (at = &h->region->holds; *at != h;)
		at = &(*at)->next;
	*at = h->next;
	pthread_rwlock_unlock(&lock);
	gm_region_put(h->region);
	free(h);
}

/* One starts in the other. Neither wraps; @a_len is not 0. */
static bool intersect(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return b_len && (a - b < b_len || b - a < a_len);
}

/* Under the lock. */
static int check_held(const struct gm_region *root, uint64_t off, uint64_t len,
		      uint32_t what)
{
	const struct gm_hold *h;

	for (h = root->holds; h; h = h->next) {
		if ((h->what & what & GM_HOLD_REMOVE) ||
		    ((h->what & what) && intersect(h->off, h->len, off, len)))
			return gm_error_set_name(-EBUSY, GM_ERR_HELD, h->off,
						 h->len, h->holder);
	}
	return 0;
}

int gm_region_check_held(const struct gm_region *r, gm_roff_t off,
			 gm_size_t len, uint32_t what)
{
	const struct gm_region *root = r->base ? r->base : r;
	int ret;

	pthread_rwlock_rdlock(&lock);
	ret = check_held(root, gm_roff_raw(off), len, what);
	pthread_rwlock_unlock(&lock);
	return ret;
}

/* What the mapping has there: it ends at a page's end, the region may not. */
static int mapped_range(const struct gm_region *r, const struct gm_mapping *m,
			uint64_t off, uint64_t *len)
{
	if (off + *len == r->ext.len)
		*len = m->len - off;
	if (off & (m->page_size - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, off,
				    m->page_size);
	if (*len & (m->page_size - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, *len,
				    m->page_size);
	return 0;
}

int gm_region_discard(struct gm_region *r, gm_roff_t roff, gm_size_t len)
{
	struct gm_region *root = gm_region_root(r);
	const struct gm_mapping *m = gm_region_mapping(root);
	uint64_t off = gm_roff_raw(roff), n = len;
	int ret;

	ret = check_range(r, off, len);
	if (ret || !len)
		return ret;
	if (!m)
		return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
				    r->ext.base + off, len);
	if (!gm_perm_has_write(gm_region_perm(r)))
		return gm_error_set(-EACCES, GM_ERR_PERMISSION,
				    r->ext.base + off, len);
	ret = mapped_range(r, m, off, &n);
	if (ret)
		return ret;
	pthread_rwlock_rdlock(&lock);
	ret = check_held(root, off, len, GM_HOLD_DISCARD);
	if (!ret)
		ret = gm_os_discard(m, off, n);
	pthread_rwlock_unlock(&lock);
	if (!ret)
		gm_bitmap_mark(r->ext.dirty, off, len);
	return ret;
}
