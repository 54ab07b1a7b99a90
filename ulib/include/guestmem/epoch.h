/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * epoch.h - when has everybody stopped to look at what was taken away?
 *
 * Who reads what another thread may replace does so inside a section. Who has
 * replaced it waits until each section that had begun before is over; then
 * nobody has the old any more, and it can be freed. A section costs a few
 * instructions, writes memory of its own thread only, and never waits.
 *
 * Time is counted in epochs. A section notes in its thread's record the epoch
 * that it began in. A writer begins a new epoch, has all threads pass a memory
 * barrier, and waits for the records that still show an older one. Sections
 * that begin meanwhile have the new epoch: they can't make it wait longer. But for
 * threads that could not get a record (no memory, no key): their sections are only
 * counted, all together, and a writer waits until there are none.
 *
 * The barrier on all threads is the writer's (membarrier(2)), so that sections
 * need none. Where the kernel has no such thing, each section does a full
 * barrier when it begins: slower, and as right.
 *
 * A thread is registered at its first section and forgotten when it ends. What
 * a thread does outside of sections, such as sleeping for ever, holds up nobody.
 * A section that sleeps holds up writers, and memory, as long.
 *
 * Not in signal handlers, unless the thread has had a section before.
 */
#ifndef GUESTMEM_EPOCH_H
#define GUESTMEM_EPOCH_H

#include <guestmem/compiler.h>

GM_BEGIN_DECLS

/* The low bits of a state count how deep sections are nested, 0: outside. */
#define GM_EPOCH_DEPTH UINT64_C(0xffff)

/**
 * struct gm_epoch_record - what writers see of one reader
 * @state: the epoch of its section, and how deep sections are nested
 * @now: the present epoch, as a state of depth 1
 * @owner: tells the thread that is inside from others
 * @fence: sections begin with a full barrier
 * @flags: the library's
 * @next: the next record of the process
 * @prev: the one before
 * @reserved: zero
 *
 * The reader alone writes it in sections, so that it is in a cache that no other
 * CPU asks for. Inline functions know this layout: it is ABI. All fields are the
 * library's.
 */
struct gm_epoch_record {
	uint64_t state;
	const uint64_t *now;
	const void *owner;
	uint32_t fence;
	uint32_t flags;
	struct gm_epoch_record *next;
	struct gm_epoch_record *prev;
	uint64_t reserved[2];
};

GM_STATIC_ASSERT(sizeof(struct gm_epoch_record) == 64, "ABI");
GM_STATIC_ASSERT(offsetof(struct gm_epoch_record, fence) == 24, "ABI");

/* The calling thread's record; NULL: it has none yet. */
extern GM_API __thread struct gm_epoch_record *gm_epoch_self
	__attribute__((__tls_model__("initial-exec")));

/* Tells this thread from the others of the process. */
GM_CORE const void *gm_epoch_owner(void)
{
	return &gm_epoch_self;
}

/* For threads without a record: makes it, and begins or ends the section. */
GM_API void gm_epoch_enter_slow(void);
GM_API void gm_epoch_exit_slow(void);

/* A full barrier of this thread. The thread sanitizer knows no fences. */
GM_CORE void gm_epoch_fence(void)
{
#if GM_TSAN
	uint32_t any = 0;

	__atomic_fetch_add(&any, 1, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Only this thread writes its state; others look at it. Depth 0 otherwise. */
GM_CORE bool gm_epoch_record_inside(const struct gm_epoch_record *rec)
{
	return rec->state & GM_EPOCH_DEPTH;
}

/*
 * Begin an outermost section. The epoch is read before all that the section
 * reads: who sees the new epoch sees what was replaced before it. The store is
 * a release since it hides that of an earlier section's end.
 */
GM_CORE void gm_epoch_record_begin(struct gm_epoch_record *rec)
{
	uint64_t now = __atomic_load_n(rec->now, __ATOMIC_ACQUIRE);

	__atomic_store_n(&rec->state, now, __ATOMIC_RELEASE);
	if (gm_unlikely(rec->fence))
		gm_epoch_fence();
	/* For the CPU, the writer's membarrier does it. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

GM_CORE void gm_epoch_record_enter(struct gm_epoch_record *rec)
{
	if (gm_unlikely(gm_epoch_record_inside(rec)))
		__atomic_store_n(&rec->state, rec->state + 1, __ATOMIC_RELEASE);
	else
		gm_epoch_record_begin(rec);
}

GM_CORE void gm_epoch_record_exit(struct gm_epoch_record *rec)
{
	__atomic_store_n(&rec->state, rec->state - 1, __ATOMIC_RELEASE);
}

/**
 * gm_epoch_enter() - begin a section
 *
 * What the thread finds from here on by an acquire load of a published pointer
 * stays until its gm_epoch_exit(). Sections nest, up to 65535 deep; the
 * outermost one counts. It never waits, but for the registration of a thread
 * that has its first section.
 */
GM_INLINE void gm_epoch_enter(void)
{
	struct gm_epoch_record *rec = gm_epoch_self;

	if (gm_likely(rec))
		gm_epoch_record_enter(rec);
	else
		gm_epoch_enter_slow();
}

/**
 * gm_epoch_exit() - end a section
 *
 * By the thread that began it. Without one that began, nothing happens. A thread
 * that ends has left its sections.
 */
GM_INLINE void gm_epoch_exit(void)
{
	struct gm_epoch_record *rec = gm_epoch_self;

	if (gm_likely(rec && gm_epoch_record_inside(rec)))
		gm_epoch_record_exit(rec);
	else
		gm_epoch_exit_slow();
}

/**
 * gm_epoch_inside() - is the calling thread in a section?
 *
 * Sections of a reader (space.h) count too. For writers, who must not be: not
 * for a hot path.
 */
GM_API bool gm_epoch_inside(void);

/**
 * gm_epoch_synchronize() - wait for all sections that have begun
 *
 * First take away what is to go, such that nobody finds it any more; after it
 * returns 0, nobody has it any more. It waits as long as the longest section
 * that had begun before it was called, and up to a millisecond longer; and until
 * no thread without a record is in a section. Any number of threads may wait at
 * once.
 *
 * Return: 0; -EDEADLK (GM_ERR_DEADLOCK) the calling thread is in a section, and
 * would wait for itself; what membarrier(2) says (GM_ERR_IO) if it was there
 * when the process's first section began, and is refused now: sections may
 * be under way.
 */
GM_API int gm_epoch_synchronize(void);

/**
 * gm_epoch_advance() - begin a new epoch
 *
 * Return: its number, for gm_epoch_passed(). First take away what is to go.
 */
GM_API uint64_t gm_epoch_advance(void);

/**
 * gm_epoch_passed() - are the sections over that began before an epoch?
 * @epoch: of gm_epoch_advance()
 *
 * It does not wait, and may be called in a section (which may be the one).
 *
 * Return: true if what was taken away before that gm_epoch_advance() can be
 * freed. That stays so, though a later call may not be able to tell.
 */
GM_API bool gm_epoch_passed(uint64_t epoch);

GM_END_DECLS

#endif /* GUESTMEM_EPOCH_H */
