/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * space.h - a guest's memory that changes while devices use it.
 *
 * A space publishes a map. Writers put a new map in its place: memory is added
 * to the guest, or removed. Readers go on meanwhile: they see the old map or the
 * new one, whole, and never wait. The old map, and memory that is in no other, go
 * when the last reader that may have it is done, and never before.
 *
 * There are three ways to read:
 *
 * - a section of gm_space_read_begin(), for who does something now and then;
 * - a gm_reader, for who does it all the time, such as a queue: it keeps its
 *   view, and looks with one load if that is still the present map's;
 * - gm_space_snapshot(), to keep a map for long.
 *
 * Whoever sleeps inside of a section keeps writers and memory waiting as long;
 * whoever sleeps outside of one is in nobody's way, whatever it last saw.
 *
 * What is found through a view - slices, references, iovecs, host addresses - is
 * good until the section ends, as the view is. Look it up anew in the next one,
 * or hold a snapshot.
 *
 * Who wants to read in a section must have a reference to the space, or borrow
 * from somebody who has.
 */
#ifndef GUESTMEM_SPACE_H
#define GUESTMEM_SPACE_H

#include <guestmem/epoch.h>
#include <guestmem/view.h>

GM_BEGIN_DECLS

/**
 * struct gm_space - a published map
 * @map: the present map
 * @generation: how many there have been
 * @reserved: zero
 *
 * Inline functions know this layout: it is ABI. What the library has of a space
 * is more than this, and it alone makes them. All fields are the library's.
 */
struct gm_space {
	struct gm_map *map;
	uint64_t generation;
	uint64_t reserved[6];
};

GM_STATIC_ASSERT(sizeof(struct gm_space) == 64, "ABI");

/**
 * enum gm_release - what becomes of a map that is replaced
 * @GM_RELEASE_WAIT: wait for its last reader, and drop the space's reference
 * @GM_RELEASE_LATER: hand it over to the space: it drops its reference at a
 *	later call by a writer, or of gm_space_reclaim()
 */
enum gm_release {
	GM_RELEASE_WAIT,
	GM_RELEASE_LATER,
};

/**
 * gm_space_new() - publish a map
 * @m: the map; the space takes a reference
 * @out: the space, with one reference
 *
 * Return: 0; -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_space_new(struct gm_map *m, struct gm_space **out);

/**
 * gm_space_get() - take one more reference
 * @s: the space
 *
 * Return: @s.
 */
GM_API struct gm_space *gm_space_get(struct gm_space *s);

/**
 * gm_space_put() - drop a reference; the last one drops the maps too
 * @s: the space; NULL is allowed
 */
GM_API void gm_space_put(struct gm_space *s);

/**
 * gm_space_snapshot() - keep the present map
 * @s: the space
 *
 * By any number of threads at once, in a section or not. It never waits.
 *
 * Return: the map, with a reference for the caller. It stays as it is, with all
 * memory in it, until gm_map_put(); it may have been replaced by then.
 */
GM_API struct gm_map *gm_space_snapshot(const struct gm_space *s);

/**
 * gm_space_lock() - become the one writer
 * @s: the space
 *
 * It waits for the writer that is there. Readers are not concerned. With the
 * lock, the present map changes by the caller alone: take a snapshot, make a new
 * map of it, replace.
 *
 * Return: 0; -EDEADLK (GM_ERR_DEADLOCK) the calling thread has this lock, or
 * another writer may wait for it: it is in a section, or in the release function
 * of a region, which this space calls since it drops an old map.
 */
GM_API int gm_space_lock(struct gm_space *s);

/**
 * gm_space_replace() - publish another map
 * @s: the space, locked by the calling thread
 * @m: the map; the space takes a reference
 * @how: what becomes of the one before
 *
 * Sections that begin afterwards see @m. With GM_RELEASE_WAIT, when it returns 0
 * no reader has an older map, and the space has dropped all of them; memory that
 * nobody else refers to is unmapped.
 *
 * Return: 0; -EPERM (GM_ERR_NOT_LOCKED) the calling thread is not the writer;
 * -EINVAL (GM_ERR_OPTION) @how; -ENOMEM (GM_ERR_MEMORY). With GM_RELEASE_WAIT also
 * -EDEADLK (GM_ERR_DEADLOCK) the calling thread is in a section, or in a release
 * function that this space calls; the errors of gm_epoch_synchronize()
 * (GM_ERR_IO), for which @m is published all the same, and the map before it is
 * handed over.
 */
GM_API int gm_space_replace(struct gm_space *s, struct gm_map *m,
			    enum gm_release how);

/**
 * gm_space_unlock() - let other writers
 * @s: the space; nothing happens if the calling thread is not its writer
 */
GM_API void gm_space_unlock(struct gm_space *s);

/**
 * gm_space_insert() - add a region while readers run
 * @s: the space, not locked by the caller
 * @r: the region; the new map takes a reference
 * @how: what becomes of the map before
 *
 * Return: 0; an error of gm_space_lock(), gm_map_insert() or
 * gm_space_replace().
 */
GM_API int gm_space_insert(struct gm_space *s, struct gm_region *r,
			   enum gm_release how);

/**
 * gm_space_remove() - remove a region while readers run
 * @s: the space, not locked by the caller
 * @gpa: first byte of the region
 * @len: its length, exactly
 * @how: what becomes of the map before. With GM_RELEASE_WAIT, when it returns 0 no
 *	reader touches the region any more
 * @removed: the region, with one reference; NULL if it isn't wanted
 *
 * Return: 0; an error of gm_space_lock(), gm_map_remove() or
 * gm_space_replace().
 */
GM_API int gm_space_remove(struct gm_space *s, gm_gpa_t gpa, gm_size_t len,
			   enum gm_release how, struct gm_region **removed);

/**
 * gm_space_reclaim() - drop maps that were handed over, and have no reader now
 * @s: the space
 *
 * It does not wait, and needs no lock; by any number of threads at once, of which
 * one drops them. In a section it is allowed, which may be what keeps them.
 *
 * Return: how many there still are: they have readers, or another thread is about
 * to drop them.
 */
GM_API size_t gm_space_reclaim(struct gm_space *s);

/**
 * gm_space_read_begin() - begin a section with a view of the present map
 * @s: the space
 * @v: caller's storage; good until gm_space_read_end()
 *
 * Sections nest, each with a view of its own; an inner one may see a newer map.
 * The thread registers itself at its first one.
 */
GM_INLINE void gm_space_read_begin(const struct gm_space *s, struct gm_view *v)
{
	gm_epoch_enter();
	gm_view_init(v, __atomic_load_n(&s->map, __ATOMIC_ACQUIRE));
}

/**
 * gm_space_read_end() - end it
 * @s: the space
 *
 * By the thread that began it.
 */
GM_INLINE void gm_space_read_end(const struct gm_space *s)
{
	(void)s;
	gm_epoch_exit();
}

GM_END_DECLS

#endif /* GUESTMEM_SPACE_H */
