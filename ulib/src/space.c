/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * space.c - published maps.
 *
 * A space keeps a reference to each map that it has published until no section
 * can have it any more. So a reader that finds a map in a section may use it, and
 * take a reference of its own.
 *
 * One lock for all spaces is held for a few stores at a time, and over a fork:
 * the child finds each space as it was between two of them. Who is a space's
 * writer is a field under that lock, and not a mutex, since a child has to take
 * it away from threads that it does not have. So is who drops its old maps.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "aligned.h"
#include "internal.h"

#define LINE 128

/* A map that was replaced. */
struct retired {
	struct retired *next;
	struct gm_map *map;
	uint64_t epoch;		/* sections before it may have the map */
};

/* What readers look at has its own cache lines. */
struct space {
	_Alignas(LINE) struct gm_space head;
	_Alignas(LINE) uint32_t refs;
	struct space *next;
	struct space *prev;
	const void *writer;	/* NULL: nobody */
	const void *dropper;	/* drops a map that it took from retired */
	struct retired *retired;	/* oldest first */
	struct retired **tail;
	size_t retired_count;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* a space lost its writer or dropper */
	struct space *spaces;
} all = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static struct space *to_space(struct gm_space *s)
{
	return (struct space *)(void *)s;
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&all.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&all.lock);
}

static void fork_child(void)
{
	struct space *s;

	for (s = all.spaces; s; s = s->next) {
		if (s->writer != gm_epoch_owner())
			s->writer = NULL;
		if (s->dropper != gm_epoch_owner())
			s->dropper = NULL;
	}
	pthread_cond_init(&all.changed, NULL);
	pthread_mutex_unlock(&all.lock);
}

gm_at_load static void set_up(void)
{
	gm_os_atfork(fork_prepare, fork_parent, fork_child);
}

static void space_add(struct space *s)
{
	pthread_mutex_lock(&all.lock);
	s->next = all.spaces;
	if (s->next)
		s->next->prev = s;
	all.spaces = s;
	pthread_mutex_unlock(&all.lock);
}

static void space_del(struct space *s)
{
	pthread_mutex_lock(&all.lock);
	if (s->prev)
		s->prev->next = s->next;
	else
		all.spaces = s->next;
	if (s->next)
		s->next->prev = s->prev;
	pthread_mutex_unlock(&all.lock);
}

int gm_space_new(struct gm_map *m, struct gm_space **out)
{
	struct space *s = gm_aligned_alloc(LINE, sizeof(*s));
	struct space init = { .refs = 1 };

	if (!s)
		return gm_error_memory(sizeof(*s));
	*s = init;
	s->head.map = gm_map_get(m);
	s->head.generation = 1;
	s->tail = &s->retired;
	space_add(s);
	*out = &s->head;
	return 0;
}

struct gm_space *gm_space_get(struct gm_space *s)
{
	gm_ref_inc(&to_space(s)->refs);
	return s;
}

/* The oldest, of which there is one. Called with the lock. */
static struct retired *retired_take(struct space *s)
{
	struct retired *r = s->retired;

	s->retired = r->next;
	if (!s->retired)
		s->tail = &s->retired;
	s->retired_count--;
	return r;
}

/* Without the lock: a region's own release function may call us. */
static void retired_free(struct retired *r)
{
	gm_map_put(r->map);
	free(r);
}

void gm_space_put(struct gm_space *space)
{
	struct space *s = to_space(space);

	if (!s || !gm_ref_dec_is_last(&s->refs))
		return;
	space_del(s);
	while (s->retired)
		retired_free(retired_take(s));
	gm_map_put(s->head.map);
	gm_aligned_free(s);
}

struct gm_map *gm_space_snapshot(const struct gm_space *s)
{
	struct gm_map *m;

	gm_epoch_enter();
	m = gm_map_get(__atomic_load_n(&s->map, __ATOMIC_ACQUIRE));
	gm_epoch_exit();
	return m;
}

/* No cancellation point: a thread that ends there would keep the lock. */
static void wait_for_change(void)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_cond_wait(&all.changed, &all.lock);
	pthread_setcancelstate(cancel, NULL);
}

int gm_space_lock(struct gm_space *space)
{
	const void *self = gm_epoch_owner();
	struct space *s = to_space(space);
	bool mine;

	/* A writer that waits for this section would be waited for. */
	if (gm_epoch_inside())
		return gm_error_set(-EDEADLK, GM_ERR_DEADLOCK, 0, 0);
	pthread_mutex_lock(&all.lock);
	/* In a release function, it may be waited for as well. */
	mine = s->writer == self || s->dropper == self;
	while (!mine && s->writer)
		wait_for_change();
	if (!mine)
		s->writer = self;
	pthread_mutex_unlock(&all.lock);
	return mine ? gm_error_set(-EDEADLK, GM_ERR_DEADLOCK, 0, 0) : 0;
}

static int check_writer(const struct space *s, enum gm_release how)
{
	const void *self = gm_epoch_owner();
	bool mine, drops;

	pthread_mutex_lock(&all.lock);
	mine = s->writer == self;
	drops = s->dropper == self;
	pthread_mutex_unlock(&all.lock);
	if (!mine)
		return gm_error_set(-EPERM, GM_ERR_NOT_LOCKED, 0, 0);
	if (how == GM_RELEASE_WAIT && (drops || gm_epoch_inside()))
		return gm_error_set(-EDEADLK, GM_ERR_DEADLOCK, 0, 0);
	return 0;
}

void gm_space_unlock(struct gm_space *space)
{
	struct space *s = to_space(space);

	pthread_mutex_lock(&all.lock);
	if (s->writer == gm_epoch_owner()) {
		s->writer = NULL;
		pthread_cond_broadcast(&all.changed);
	}
	pthread_mutex_unlock(&all.lock);
}

/* @old, zeroed, gets the present map, and is handed over. */
static void publish(struct space *s, struct gm_map *m, struct retired *old)
{
	pthread_mutex_lock(&all.lock);
	old->map = s->head.map;
	__atomic_store_n(&s->head.map, gm_map_get(m), __ATOMIC_RELEASE);
	/* After the map: who sees this number finds that map, or a later one. */
	__atomic_store_n(&s->head.generation, s->head.generation + 1,
			 __ATOMIC_RELEASE);
	/* After both: sections of the new epoch find the new. */
	old->epoch = gm_epoch_advance();
	*s->tail = old;
	s->tail = &old->next;
	s->retired_count++;
	pthread_mutex_unlock(&all.lock);
}

/*
 * Called with the lock, which it lets go meanwhile. A thread that is canceled in
 * a release function would stay the dropper.
 */
static void drop_until(struct space *s, uint64_t epoch)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	s->dropper = gm_epoch_owner();
	while (s->retired && (int64_t)(epoch - s->retired->epoch) >= 0) {
		struct retired *r = retired_take(s);

		pthread_mutex_unlock(&all.lock);
		retired_free(r);
		pthread_mutex_lock(&all.lock);
	}
	s->dropper = NULL;
	pthread_cond_broadcast(&all.changed);
	pthread_setcancelstate(cancel, NULL);
}

/*
 * Drop what was replaced before @epoch. One thread at a time does that: who waits
 * for old maps to go waits for those that another one has just taken, too.
 */
static void drop_all_until(struct space *s, uint64_t epoch)
{
	pthread_mutex_lock(&all.lock);
	while (s->dropper)
		wait_for_change();
	drop_until(s, epoch);
	pthread_mutex_unlock(&all.lock);
}

size_t gm_space_reclaim(struct gm_space *space)
{
	struct space *s = to_space(space);
	uint64_t oldest;
	size_t left;
	bool known;

	/* Without a barrier nobody can tell. */
	known = !gm_epoch_oldest(&oldest);
	pthread_mutex_lock(&all.lock);
	if (known && !s->dropper)
		drop_until(s, oldest);
	/* A dropper that lets others have the lock is at one of them. */
	left = s->retired_count + (s->dropper ? 1 : 0);
	pthread_mutex_unlock(&all.lock);
	return left;
}

int gm_space_replace(struct gm_space *space, struct gm_map *m,
		     enum gm_release how)
{
	struct space *s = to_space(space);
	struct retired *old;
	uint64_t passed;
	int ret;

	if (how != GM_RELEASE_WAIT && how != GM_RELEASE_LATER)
		return gm_error_set(-EINVAL, GM_ERR_OPTION, 0, 0);
	ret = check_writer(s, how);
	if (ret)
		return ret;
	old = calloc(1, sizeof(*old));
	if (!old)
		return gm_error_memory(sizeof(*old));
	publish(s, m, old);
	if (how == GM_RELEASE_LATER) {
		gm_space_reclaim(space);
		return 0;
	}
	ret = gm_epoch_wait(&passed);
	if (!ret)
		drop_all_until(s, passed);
	return ret;
}

int gm_space_insert(struct gm_space *s, struct gm_region *r,
		    enum gm_release how)
{
	struct gm_map *m;
	int ret;

	ret = gm_space_lock(s);
	if (ret)
		return ret;
	ret = gm_map_insert(s->map, r, &m);
	if (!ret) {
		ret = gm_space_replace(s, m, how);
		gm_map_put(m);
	}
	gm_space_unlock(s);
	return ret;
}

int gm_space_remove(struct gm_space *s, gm_gpa_t gpa, gm_size_t len,
		    enum gm_release how, struct gm_region **removed)
{
	struct gm_region *r = NULL;
	struct gm_map *m;
	int ret;

	ret = gm_space_lock(s);
	if (ret)
		return ret;
	ret = gm_map_remove(s->map, gpa, len, &m, &r);
	if (!ret) {
		ret = gm_space_replace(s, m, how);
		gm_map_put(m);
	}
	gm_space_unlock(s);
	/* Unlocked, since this may release it. */
	if (!ret && removed)
		*removed = r;
	else
		gm_region_put(r);
	return ret;
}
