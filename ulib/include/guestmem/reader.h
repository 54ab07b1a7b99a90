/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * reader.h - a long-lived view, whatever is behind it.
 *
 * A device's queue has a reader of its own, and brackets each batch of work:
 *
 *	struct gm_view *v = gm_reader_begin(&q->reader);
 *	... all access by v ...
 *	gm_reader_end(&q->reader);
 *
 * Over a space, the view is of the present map, and what it found stays until
 * the end; if no map was published since the last time, it is as warm as it was
 * left. Over one map, the same code runs, and nothing ever changes. The device
 * does not know which it is.
 *
 * A reader is one thread's at a time: begin and end are in the same thread, the
 * next begin may be in another one (which sees what the first has done: a
 * lock, a queue). Between end and begin it keeps no memory alive and holds up
 * nobody, though its view still shows what it saw.
 *
 * Sections of one reader nest: an inner one changes nothing, and the view stays
 * that of the outer. Sections of different readers, and of epoch.h, nest in any
 * order.
 */
#ifndef GUESTMEM_READER_H
#define GUESTMEM_READER_H

#include <guestmem/space.h>

GM_BEGIN_DECLS

/**
 * struct gm_reader - one queue's view of memory that may change
 * @view: of the map of generation @seen; use it from begin to end only
 * @record: tells writers if the reader is inside
 * @generation: where the present generation is to be read
 * @seen: the one that @view is of; 0: of none
 * @space: a reference, or NULL
 * @map: a reference, or NULL
 * @iommu: what @view looks through, a reference, or NULL
 * @reserved: zero
 *
 * A reader is in a list while it is set up: it can't be copied or moved. Where
 * many are side by side, as in an array, begin each at a multiple of 64 bytes, so
 * that no two threads write the same cache line. Inline functions know this
 * layout: it is ABI. All fields are the library's.
 */
struct gm_reader {
	struct gm_view view;
	struct gm_epoch_record record;
	const uint64_t *generation;
	uint64_t seen;
	struct gm_space *space;
	struct gm_map *map;
	struct gm_iommu *iommu;
	uint64_t reserved[3];
};

GM_STATIC_ASSERT(sizeof(struct gm_reader) == 192, "ABI");
GM_STATIC_ASSERT(offsetof(struct gm_reader, view) == 0, "ABI");
GM_STATIC_ASSERT(offsetof(struct gm_reader, generation) == 128, "ABI");

/**
 * gm_reader_init_space() - a reader of a space
 * @r: caller's storage, until gm_reader_exit()
 * @s: the space; the reader takes a reference
 */
GM_API void gm_reader_init_space(struct gm_reader *r, struct gm_space *s);

/**
 * gm_reader_init_map() - a reader of a map that is counted
 * @r: caller's storage, until gm_reader_exit()
 * @m: the map; the reader takes a reference
 */
GM_API void gm_reader_init_map(struct gm_reader *r, struct gm_map *m);

/**
 * gm_reader_init_plain() - a reader of a map that somebody else keeps
 * @r: caller's storage, until gm_reader_exit()
 * @m: the map, borrowed: it must outlive the reader
 */
GM_API void gm_reader_init_plain(struct gm_reader *r, const struct gm_map *m);

/**
 * gm_reader_set_iommu() - look through an IOMMU from the next section on
 * @r: the reader, not between begin and end
 * @i: the IOMMU; the reader takes a reference. NULL: through none
 *
 * Then the device's addresses are IOVAs, whatever is behind. In sections of a
 * space, what the IOTLB misses is -EAGAIN: end the section, call
 * gm_iommu_resolve(), and begin again (see iommu.h). Sections of a map that never
 * changes are none of those: access asks by itself. Slices and iovecs want
 * gm_view_begin() with either.
 */
GM_API void gm_reader_set_iommu(struct gm_reader *r, struct gm_iommu *i);

/**
 * gm_reader_exit() - the reader is used no more
 * @r: the reader, not between begin and end
 *
 * It drops what the reader took.
 */
GM_API void gm_reader_exit(struct gm_reader *r);

/* The view is of an older map, or of none yet. */
GM_API void gm_reader_begin_slow(struct gm_reader *r);

/**
 * gm_reader_begin() - begin a section
 * @r: the reader
 *
 * It never waits, takes no lock, and writes no memory but the reader's. (A child
 * after fork() takes one once for each reader.)
 *
 * Return: the view, good until gm_reader_end().
 */
GM_INLINE struct gm_view *gm_reader_begin(struct gm_reader *r)
{
	struct gm_epoch_record *rec = &r->record;

	if (gm_unlikely(gm_epoch_record_inside(rec))) {
		gm_epoch_record_enter(rec);
		return &r->view;
	}
	__atomic_store_n(&rec->owner, gm_epoch_owner(), __ATOMIC_RELAXED);
	gm_epoch_record_begin(rec);
	if (gm_unlikely(__atomic_load_n(r->generation, __ATOMIC_ACQUIRE) !=
			r->seen))
		gm_reader_begin_slow(r);
	return &r->view;
}

/**
 * gm_reader_end() - end a section
 * @r: the reader, by the thread that began
 */
GM_INLINE void gm_reader_end(struct gm_reader *r)
{
	gm_epoch_record_exit(&r->record);
}

GM_END_DECLS

#endif /* GUESTMEM_READER_H */
