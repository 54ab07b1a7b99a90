/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * internal.h - what the library's files share and nobody else sees.
 *
 * gm_os_*: what differs between systems: os_unix.c, and os_linux*.c,
 * os_posix*.c; or os_windows*.c.
 */
#ifndef GM_INTERNAL_H
#define GM_INTERNAL_H

#include <guestmem.h>

#define GM_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define gm_min(a, b) ((a) < (b) ? (a) : (b))

/* For a loop whose steps are constant arguments. */
#define gm_always_inline inline __attribute__((__always_inline__))

/* A reference count. The last put sees all that other holders did. */
static inline void gm_ref_inc(uint32_t *refs)
{
	__atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
}

static inline bool gm_ref_dec_is_last(uint32_t *refs)
{
	return __atomic_fetch_sub(refs, 1, __ATOMIC_ACQ_REL) == 1;
}

static inline bool gm_is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* To a little-endian number, and back. */
static inline uint32_t gm_swap_le32(uint32_t x)
{
	return GM_HOST_BIG_ENDIAN ? GM_SWAP_32(x) : x;
}

static inline uint64_t gm_swap_le64(uint64_t x)
{
	return GM_HOST_BIG_ENDIAN ? GM_SWAP_64(x) : x;
}

/* What went wrong on the way to a success is no failure. */
void gm_error_restore(const struct gm_error *e);

/* A name, cut to fit; NULL: empty. */
void gm_name_copy(char to[GM_NAME_SIZE], const char *from);

/* For kinds of failure that have no values but the size they were about. */
static inline int gm_error_memory(uint64_t len)
{
	return gm_error_set(-12 /* ENOMEM */, GM_ERR_MEMORY, 0, len);
}

/* Bytes of the object at the end of a chain of sums; see slice.c. */
int gm_bounds_error(uint64_t off, uint64_t n, uint64_t size);

/* A refused field of an options struct. */
#define gm_option_error(err, type, field) \
	gm_error_set(err, GM_ERR_OPTION, offsetof(type, field), 0)

/*
 * Take a caller's options, whose first field is their size: @least bytes at least. What
 * there is not of them is zero; what is not known here must be. NULL: all are zero.
 */
int gm_opts_copy(const void *in, size_t least, void *out, size_t size);

/* How many failures this thread has recorded: tells a new one from an old. */
uint64_t gm_error_count(void);

/* [off, off + n) cut at the slice's end; an offset at or past it is an error. */
int gm_slice_cut(struct gm_slice s, uint64_t off, uint64_t n,
		 struct gm_slice *out);

/* Has an earlier piece been done? Then the failure becomes a partial one. */
int gm_error_make_partial(int err, uint64_t at, uint64_t expected,
			  uint64_t completed);

/* The count that a source, sink or callback returned, if it can be true. */
int64_t gm_io_check(int64_t done, uint64_t max);

/* --- what differs between systems --- */

uint64_t gm_os_page_size(void);
const char *gm_os_strerror(int err);

/* Zeroed memory of whole pages, huge ones if they are to be had; NULL: none. */
void *gm_os_alloc(uint64_t bytes);
void gm_os_free(void *p, uint64_t bytes);

/* Bytes that nobody else gets. 0 or a negative errno, without gm_error. */
int gm_os_random(void *p, size_t n);

/* Tells this process from its parents. A signal handler may ask. */
uint32_t gm_os_process(void);

/* pthread_atfork(), where there is a fork(). */
int gm_os_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

/*
 * A function that runs when the library is loaded, before constructors of the program.
 * What is set up by the first use may be half done when another thread forks, and with
 * some C libraries the child waits for ever for it to be done.
 */
#define gm_at_load __attribute__((__constructor__(101)))

/*
 * A full barrier on every thread of the process; false: not to be had. After
 * that was true, it is 0 or a negative errno: somebody has taken it away. It is asked
 * for once a process: the answer stays.
 */
bool gm_os_barrier_register(void);
int gm_os_barrier_all_threads(void);

/* What the system knows a file by: a descriptor; Windows: a handle. */
typedef intptr_t gm_os_file;

gm_os_file gm_os_file_of(int fd);

/* Tells files from each other. */
struct gm_file_id {
	uint64_t dev;
	uint64_t ino[2];
	bool is_chr;		/* each mapping may be memory of its own, as of /dev/zero */
};

/* 0 or a negative errno, without gm_error. */
int gm_os_file_identify(gm_os_file file, struct gm_file_id *out);

/* @fd: that @file came of; negative: none. */
void gm_os_file_close(gm_os_file file, int fd);

/*
 * Vectored transfer; off < 0: the descriptor's own position. EINTR retried.
 * Returns bytes or a negative errno, without gm_error. *changed: bytes that may have been
 * written to, from the first on: more than were read, if an error ended it.
 */
struct iovec;
int64_t gm_os_readv(gm_os_file file, const struct iovec *iov, int cnt, int64_t off,
		    uint64_t *changed);
int64_t gm_os_writev(gm_os_file file, const struct iovec *iov, int cnt, int64_t off);

/*
 * The first byte from @off on that is in no hole of the file, as far as the system can
 * tell; INT64_MAX: there is none. Not on Windows. The descriptor's position changes.
 */
int64_t gm_os_next_data(gm_os_file file, int64_t off);

/* --- epoch.c: records that are not a thread's own --- */

void gm_epoch_record_init(struct gm_epoch_record *rec, const void *owner);
void gm_epoch_record_add(struct gm_epoch_record *rec);
void gm_epoch_record_remove(struct gm_epoch_record *rec);

/* A child has readers of its parent; they are not in the list until used. */
bool gm_epoch_record_is_listed(const struct gm_epoch_record *rec);
void gm_reader_forked(struct gm_epoch_record *rec);

/*
 * The oldest epoch that a section is in, after a barrier on all threads; if there
 * is none, the one that was present before the barrier. Returns 0 or a negative
 * errno, without gm_error.
 */
int gm_epoch_oldest(uint64_t *out);

/*
 * gm_epoch_synchronize(), that tells which epoch has passed. It may be younger
 * than what gm_epoch_oldest() says afterwards: a reader that had read the time
 * and not yet noted it when it was looked at shows an old epoch, and finds the
 * new all the same.
 */
int gm_epoch_wait(uint64_t *passed);

/* --- region.c, hold.c --- */

/* The region whose memory this is: itself, but for pinned ones and aliases. */
static inline const struct gm_region *gm_region_root_const(const struct gm_region *r)
{
	return r->base ? r->base : r;
}

static inline struct gm_region *gm_region_root(struct gm_region *r)
{
	return r->base ? r->base : r;
}

/* --- alias.c --- */

/*
 * The region that an alias has only another bitmap for, over however many steps; else @r.
 * Who knows a kind of region by its operations asks for this first.
 */
const struct gm_region *gm_region_alias_of(const struct gm_region *r);

/* --- file.c --- */

/* gm_file_new() of a file that may have no descriptor (negative). */
int gm_file_make(gm_os_file file, int fd, struct gm_file **out);
gm_os_file gm_file_os(const struct gm_file *f);

/* Do shared mappings of both have the same memory, where offsets are equal? */
bool gm_file_is_same_memory(const struct gm_file *a, const struct gm_file *b);

/* --- mmap.c and its helpers --- */

/* A mapping in the making, and what a region keeps to undo it. */
struct gm_mapping {
	void *addr;		/* of the guest's first byte */
	uint64_t len;		/* rounded up to pages */
	void *reserve;		/* with guard pages around, or addr */
	uint64_t reserve_len;
	uint64_t page_size;	/* of the pages it is made of */
	int prot;
	int flags;
	struct gm_file *file;	/* a reference, or NULL */
	uint64_t file_off;
	enum gm_tristate hugetlbfs;
	uint32_t watch;		/* slot of fault.c, plus 1; 0: none */
	uint32_t process;	/* that alone has it; 0: forked children, too */
};

/* The mapping of a region that the library mapped, else NULL. */
struct gm_mapping *gm_region_mapping(struct gm_region *r);

int gm_mmap_check_opts(const struct gm_mmap_opts *in,
		       struct gm_mmap_opts *out);

/*
 * An array's elements are as far apart as the caller's struct is long, which each of them
 * says: that is checked, the rest is each element's own affair.
 */
int gm_mmap_check_array(const struct gm_mmap_opts *opts, size_t count);

static inline const struct gm_mmap_opts *gm_mmap_opts_at(const struct gm_mmap_opts *opts,
							 size_t i)
{
	return (const void *)((const uint8_t *)opts + i * opts->sz);
}

/*
 * The bitmap that a region begins with, and a reference for the region; @rdonly, if it
 * is to be read-only. Else *out is NULL on error.
 */
int gm_mmap_bitmap(struct gm_bitmap *rdonly, const struct gm_mmap_opts *o,
		   uint64_t len, struct gm_bitmap **out);
int gm_os_map(struct gm_mapping *m, const struct gm_mmap_opts *o);

/*
 * os_unix.c: map by way of @map, which takes m->addr for a hint at least, in the middle of
 * a reservation. That is unmapped first: mmap() with MAP_FIXED may leave a hole there when
 * it fails, and what another thread maps into it is not ours to unmap. Without gm_error; on
 * failure the reservation is gone. -EEXIST: another thread was quicker: reserve anew.
 */
int gm_unix_map_inside(const struct gm_mapping *m,
		       int (*map)(const struct gm_mapping *m, void **out));

/* How often that is tried. */
#define GM_UNIX_TRIES 64

/* Not on Linux: the first option that only Linux has, or 0. With gm_error. */
int gm_absent_opts(const struct gm_mmap_opts *o);
int gm_os_map_advise(struct gm_mapping *m, const struct gm_mmap_opts *o);
void gm_os_unmap(const struct gm_mapping *m);
int gm_os_discard(const struct gm_mapping *m, uint64_t off, uint64_t len);

/* Without gm_error. */
int gm_os_lock(void *addr, uint64_t len);

/*
 * Have all pages there, for writing or reading. Without gm_error; -EOPNOTSUPP: touch
 * them one by one.
 */
int gm_os_populate(void *addr, uint64_t len, bool write);

/* CPUs that this process may use; 1: not known. */
unsigned int gm_os_cpu_count(void);

/* --- prefault.c --- */

int gm_mapping_prefault(const struct gm_mapping *m, const struct gm_mmap_opts *o);

/* Ends the watch of a mapping; see fault.c. */
void gm_mapping_unwatch(struct gm_mapping *m);

/* --- dma_map.c --- */

/* Does what the device has at @address follow a segment? Never past 2^64. */
static inline bool gm_dma_seg_follows(const struct gm_dma_seg *s,
				      uint64_t address)
{
	return address && s->address + s->len == address;
}

bool gm_dma_map_needs_sync(const struct gm_dma_map *m);

/* The context of a map, if it is of the kind @ops; else NULL. */
void *gm_dma_map_ctx(const struct gm_dma_map *m,
		     const struct gm_dma_map_ops *ops);

/* --- iov.c: steps of a cursor --- */

/* Step over what is done. @n is at most left. */
void gm_iov_advance(struct gm_iov_cursor *c, uint64_t n);

/* The rest of the current range, @max bytes at most. False at the end. */
bool gm_iov_current(struct gm_iov_cursor *c, uint64_t max,
		    struct gm_range *out);

/* Has the current range passed 2^64? Then what is next is not at address 0. */
bool gm_iov_wrapped(const struct gm_iov_cursor *c);
int gm_iov_wrap_error(const struct gm_iov_cursor *c);

/* --- index.c: a table that finds one of many ranges --- */

/*
 * Ranges are in order and don't overlap; each item of @stride bytes begins with
 * two words, base and length. table[g] is the number of the first range that
 * ends in granule g or after it; granules count from address @first.
 */
struct gm_index {
	const void *items;
	size_t stride;
	uint32_t count;		/* not 0 */
	uint64_t first;
};

static inline uint64_t gm_index_base(const struct gm_index *x, size_t i)
{
	return *(const uint64_t *)((const uint8_t *)x->items + i * x->stride);
}

static inline uint64_t gm_index_len(const struct gm_index *x, size_t i)
{
	return ((const uint64_t *)((const uint8_t *)x->items +
				   i * x->stride))[1];
}

static inline uint64_t gm_index_last(const struct gm_index *x, size_t i)
{
	return gm_index_base(x, i) + (gm_index_len(x, i) - 1);
}

/* log2 of the granule size, and how many there are. */
uint32_t gm_index_shift(const struct gm_index *x, uint64_t *granules);

/* Fills @table, of @granules entries and one more. */
void gm_index_fill(const struct gm_index *x, uint32_t shift, uint64_t granules,
		   uint32_t *table);

/* The last of ranges [lo, hi] that starts at @addr or below; lo if none does. */
uint32_t gm_index_search(const struct gm_index *x, uint32_t lo, uint32_t hi,
			 uint64_t addr);

/* --- io_fd.c: gm_source.read and gm_sink.write; @off advances, unless negative --- */

int64_t gm_file_read_slices(gm_os_file file, int64_t *off, const struct gm_slice *slices,
			    int count);
int64_t gm_file_write_slices(gm_os_file file, int64_t *off, const struct gm_slice *slices,
			     int count);

/* --- map.c --- */

/* gm_map_remove() whoever holds the region. */
int gm_map_remove_held(const struct gm_map *m, gm_gpa_t gpa, gm_size_t len,
		       struct gm_map **out, struct gm_region **removed);

/* Makes a region of one range; gm_region_new_mmap() and its like. */
typedef int gm_region_maker(void *ctx, gm_gpa_t gpa, gm_size_t len,
			    const struct gm_mmap_opts *opts,
			    struct gm_region **out);

/* gm_map_new_mmap() with another kind of regions. */
int gm_map_new_made(gm_region_maker *make, void *ctx,
		    const struct gm_range *ranges,
		    const struct gm_mmap_opts *opts, size_t count,
		    struct gm_map **out);

/* Number of the first region that ends at @gpa or after; count if none. */
size_t gm_map_first_from(const struct gm_map *m, uint64_t gpa);

/* Bytes [off, off + n) of the region with extent @e, as a slice. */
struct gm_slice gm_map_extent_slice(const struct gm_map *m,
				    const struct gm_extent *e, uint64_t off,
				    uint64_t n);

/* The next access to this extent, which has a host address, needs no call. */
static inline void gm_view_set_hint(struct gm_view *v,
				    const struct gm_extent *e)
{
	v->hint.base = e->base;
	v->hint.span = e->len > 7 ? e->len - 7 : 0;
	v->hint.host = e->host;
	v->hint.dirty = e->dirty;
}

/* Build the lookup table; false: no memory. */
bool gm_map_index(struct gm_map *m, const struct gm_extent *ext);

#endif /* GM_INTERNAL_H */
