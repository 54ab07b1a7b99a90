/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hold.c - who wants memory to stay, and memory that is given back.
 *
 * Holds come and go with maps for devices: seldom. So one lock and one list will
 * do: regions that have the same memory find each other's holds. Discards are
 * counted: they run at once, but a hold comes before or after one, never in
 * between. The lock is held for some steps at a time, never over a discard, and
 * over a fork: the child finds the list whole, and has none of the discards.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "internal.h"
#include "os_mman.h"

struct gm_hold {
	struct gm_region *region;	/* the root: with the memory */
	struct gm_hold *next;
	struct gm_hold **at;		/* what points here */
	uint64_t off;
	uint64_t len;
	uint32_t what;
	char holder[GM_NAME_SIZE];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* one of the counts is 0 */
	struct gm_hold *holds;
	uint32_t discards;		/* that are under way */
	uint32_t waiting;		/* for them to end */
} all = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static void fork_prepare(void)
{
	pthread_mutex_lock(&all.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&all.lock);
}

/* The thread that forks neither discards nor waits. */
static void fork_child(void)
{
	all.discards = 0;
	all.waiting = 0;
	pthread_cond_init(&all.changed, NULL);
	pthread_mutex_unlock(&all.lock);
}

gm_at_load static void set_up(void)
{
	gm_os_atfork(fork_prepare, fork_parent, fork_child);
}

/* With the lock. No cancellation point: a thread that ends there would keep it. */
static void wait_while(const uint32_t *count)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	while (*count)
		pthread_cond_wait(&all.changed, &all.lock);
	pthread_setcancelstate(cancel, NULL);
}

static void count_down(uint32_t *count)
{
	if (!--*count)
		pthread_cond_broadcast(&all.changed);
}

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
	pthread_mutex_lock(&all.lock);
	all.waiting++;
	wait_while(&all.discards);
	count_down(&all.waiting);
	h->next = all.holds;
	h->at = &all.holds;
	if (h->next)
		h->next->at = &h->next;
	all.holds = h;
	pthread_mutex_unlock(&all.lock);
	*out = h;
	return 0;
}

void gm_hold_end(struct gm_hold *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&all.lock);
	*h->at = h->next;
	if (h->next)
		h->next->at = h->at;
	pthread_mutex_unlock(&all.lock);
	gm_region_put(h->region);
	free(h);
}

/* One starts in the other. Neither wraps; @a_len is not 0. */
static bool intersect(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return b_len && (a - b < b_len || b - a < a_len);
}

/* What it does to a file's memory, it does for all who have mapped that. */
static bool is_shared(const struct gm_region *root)
{
	return root->file && (root->flags & MAP_TYPE) != MAP_PRIVATE;
}

/*
 * Does a hold concern bytes [off, off + len) of @root? @shift is what makes
 * offsets in @root of those in the region that is held.
 */
static bool meets(const struct gm_hold *h, const struct gm_region *root,
		  uint64_t off, uint64_t len, uint64_t *shift)
{
	const struct gm_region *r = h->region;

	*shift = 0;
	if (r == root)
		return intersect(h->off, h->len, off, len);
	*shift = r->file_off - root->file_off;
	if (is_shared(r) && is_shared(root) &&
	    gm_file_is_same_memory(r->file, root->file) &&
	    intersect(h->off + *shift, h->len, off, len))
		return true;
	/* A region over a part of another one's mapping. */
	*shift = (uintptr_t)r->ext.host - (uintptr_t)root->ext.host;
	return r->ext.host && root->ext.host &&
	       intersect(h->off + *shift, h->len, off, len);
}

static int held_error(const struct gm_hold *h, uint64_t shift)
{
	/* Bytes that are before the region that was asked about. */
	uint64_t before = (int64_t)shift < 0 ? -shift : 0;
	uint64_t cut = before > h->off ? before - h->off : 0;

	return gm_error_set_name(-EBUSY, GM_ERR_HELD, h->off + cut + shift,
				 h->len - cut, h->holder);
}

/* Under the lock. */
static int check_held(const struct gm_region *root, uint64_t off, uint64_t len,
		      uint32_t what)
{
	const struct gm_hold *h;
	uint64_t shift;

	for (h = all.holds; h; h = h->next) {
		uint32_t both = h->what & what;

		if ((both & GM_HOLD_REMOVE) && h->region == root)
			return held_error(h, 0);
		if ((both & GM_HOLD_DISCARD) &&
		    meets(h, root, off, len, &shift))
			return held_error(h, shift);
	}
	return 0;
}

int gm_region_check_held(const struct gm_region *r, gm_roff_t off,
			 gm_size_t len, uint32_t what)
{
	const struct gm_region *root = gm_region_root_const(r);
	int ret;

	pthread_mutex_lock(&all.lock);
	ret = check_held(root, gm_roff_raw(off), len, what);
	pthread_mutex_unlock(&all.lock);
	return ret;
}

/*
 * A guest can make its monitor discard all the time: who wants to hold must not
 * wait for a moment without discards, so that they wait for him.
 */
static int discard_begin(const struct gm_region *root, uint64_t off, uint64_t len)
{
	int ret;

	pthread_mutex_lock(&all.lock);
	wait_while(&all.waiting);
	ret = check_held(root, off, len, GM_HOLD_DISCARD);
	if (!ret)
		all.discards++;
	pthread_mutex_unlock(&all.lock);
	return ret;
}

static void discard_end(void)
{
	pthread_mutex_lock(&all.lock);
	count_down(&all.discards);
	pthread_mutex_unlock(&all.lock);
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
	/* Of whole pages: others may have more of the last one. */
	ret = discard_begin(root, off, n);
	if (ret)
		return ret;
	ret = gm_os_discard(m, off, n);
	discard_end();
	if (!ret)
		gm_bitmap_mark(r->ext.dirty, off, len);
	return ret;
}
