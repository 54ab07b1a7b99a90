/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen_cache.c - single pages of grants that stay mapped after an access, since the next
 * one is likely to want the same: a ring, say.
 *
 * To map and unmap a page is two system calls and two hypercalls each; to look at a few
 * hundred entries is nothing beside that.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "xen_private.h"

/**
 * struct entry - a page
 * @grants: its mapping; host NULL: none
 * @page: its number in the region
 * @users: accesses that go on
 * @prot: how it is mapped
 * @used: when it was last used
 */
struct entry {
	struct gm_xen_grants grants;
	uint64_t page;
	uint32_t users;
	int prot;
	uint64_t used;
};

/**
 * struct gm_xen_cache - the pages
 * @lock: for all of it
 * @forks: when it was made; the mappings are of no other process
 * @clock: counts uses
 * @count: entries
 * @entries: the pages
 */
struct gm_xen_cache {
	pthread_mutex_t lock;
	uint32_t forks;
	uint64_t clock;
	uint32_t count;
	struct entry entries[];
};

/* How often this process and its parents were forked. (To ask who we are is a system call,
 * for each access.)
 */
static uint32_t forks;

static void fork_child(void)
{
	__atomic_fetch_add(&forks, 1, __ATOMIC_RELAXED);
}

gm_at_load static void watch_forks(void)
{
	gm_os_atfork(NULL, NULL, fork_child);
}

int gm_xen_cache_new(uint32_t pages, struct gm_xen_cache **out)
{
	struct gm_xen_cache *c = calloc(1, sizeof(*c) + pages * sizeof(c->entries[0]));

	if (!c)
		return gm_error_memory(pages * sizeof(c->entries[0]));
	c->forks = __atomic_load_n(&forks, __ATOMIC_RELAXED);
	pthread_mutex_init(&c->lock, NULL);
	c->count = pages;
	*out = c;
	return 0;
}

static void drop(struct gm_xen_region *x, struct entry *e)
{
	if (!e->grants.host)
		return;
	gm_xen_grants_unmap(x, &e->grants);
	e->grants.host = NULL;
}

void gm_xen_cache_free(struct gm_xen_cache *c)
{
	if (c)
		pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct entry *find(struct gm_xen_cache *c, uint64_t page, int prot)
{
	uint32_t i;

	for (i = 0; i < c->count; i++) {
		struct entry *e = &c->entries[i];

		if (e->grants.host && e->page == page && (e->prot & prot) == prot)
			return e;
	}
	return NULL;
}

/* An entry without a page, or the one that nobody has used for the longest time. */
static struct entry *find_room(struct gm_xen_cache *c)
{
	struct entry *best = NULL;
	uint32_t i;

	for (i = 0; i < c->count; i++) {
		struct entry *e = &c->entries[i];

		if (!e->grants.host)
			return e;
		if (!e->users && (!best || e->used < best->used))
			best = e;
	}
	return best;
}

static int fill(struct gm_xen_region *x, uint64_t page, int prot, struct entry **out)
{
	struct entry *e = find_room(x->cache);
	struct gm_xen_grants grants;
	int ret;

	if (!e)
		return -EBUSY;
	/* What is there stays if this fails. */
	ret = gm_xen_grants_map(x, page, 1, prot, &grants);
	if (ret)
		return ret;
	drop(x, e);
	e->grants = grants;
	e->page = page;
	e->prot = prot;
	*out = e;
	return 0;
}

int gm_xen_cache_begin(struct gm_xen_region *x, uint64_t page, int prot, uint8_t **host)
{
	struct gm_xen_cache *c = x->cache;
	struct entry *e;
	int ret = 0;

	/* The lock may be another thread's for ever, too. */
	if (c->forks != __atomic_load_n(&forks, __ATOMIC_RELAXED))
		return -EBUSY;
	pthread_mutex_lock(&c->lock);
	e = find(c, page, prot);
	if (e)
		__atomic_fetch_add(&x->hits, 1, __ATOMIC_RELAXED);
	else
		ret = fill(x, page, prot, &e);
	if (!ret) {
		e->users++;
		e->used = ++c->clock;
		*host = e->grants.host;
		ret = (int)(e - c->entries);
	}
	pthread_mutex_unlock(&c->lock);
	return ret;
}

void gm_xen_cache_end(struct gm_xen_region *x, int place)
{
	pthread_mutex_lock(&x->cache->lock);
	x->cache->entries[place].users--;
	pthread_mutex_unlock(&x->cache->lock);
}

void gm_xen_cache_trim(struct gm_xen_region *x)
{
	struct gm_xen_cache *c = x->cache;
	uint32_t i;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < c->count; i++)
		if (!c->entries[i].users)
			drop(x, &c->entries[i]);
	pthread_mutex_unlock(&c->lock);
}
