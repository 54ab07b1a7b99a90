/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kvm.c - KVM's dirty log and dirty rings, into bitmaps.
 */
#include <endian.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <guestmem/kvm.h>

#include "bitmap_private.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static int ioctl_error(const struct gm_kvm_slot *slot)
{
	return gm_error_set(-errno, GM_ERR_IO, slot ? slot->slot : 0,
			    slot ? slot->len : 0);
}

static void mark_pages(const struct gm_kvm_slot *slot, uint64_t page_size,
		       uint64_t first, uint64_t count)
{
	uint64_t off;

	/* The slot is the caller's: nobody has said that this has no overflow. */
	if (!__builtin_add_overflow(slot->off, first * page_size, &off))
		gm_bitmap_mark(slot->dirty, off, count * page_size);
}

/* Marks the pages of a log; how many there were. */
static int64_t mark_log(const struct gm_kvm_slot *slot, uint64_t page_size,
			const uint64_t *words)
{
	uint64_t pages = slot->len / page_size, i;
	struct gm_page_run run[33];
	struct gm_runs r = { .runs = run, .max = GM_ARRAY_SIZE(run) };
	int64_t n = 0;
	size_t k;

	for (i = 0; i < gm_bitmap_words(pages); i++) {
		uint64_t bits = le64toh(words[i]) &
				gm_bitmap_mask(i, 0, pages - 1);

		n += __builtin_popcountll(bits);
		/* The last run may go on in the next word. */
		gm_runs_add(&r, i, bits);
		for (k = 0; k + 1 < r.n; k++)
			mark_pages(slot, page_size, run[k].first, run[k].count);
		if (r.n)
			run[0] = run[r.n - 1];
		r.n = r.n != 0;
	}
	if (r.n)
		mark_pages(slot, page_size, run[0].first, run[0].count);
	return n;
}

static int64_t import_log(int vm, const struct gm_kvm_slot *slot,
			  uint32_t flags, uint64_t page_size, uint64_t *words)
{
	struct kvm_dirty_log log = {
		.slot = slot->slot,
		.dirty_bitmap = words,
	};
	struct kvm_clear_dirty_log clear = {
		.slot = slot->slot,
		.dirty_bitmap = words,
	};
	uint64_t pages = slot->len / page_size;
	int ret = 0;
	int64_t n;

	if (ioctl(vm, KVM_GET_DIRTY_LOG, &log))
		return ioctl_error(slot);
	/* The number of pages is 32 bits wide there, and a multiple of 64. */
	while ((flags & GM_KVM_MANUAL) && clear.first_page < pages && !ret) {
		clear.num_pages = (uint32_t)gm_min(pages - clear.first_page,
						   UINT64_C(1) << 30);
		clear.dirty_bitmap = words + clear.first_page / 64;
		if (ioctl(vm, KVM_CLEAR_DIRTY_LOG, &clear))
			ret = ioctl_error(slot);
		clear.first_page += clear.num_pages;
	}
	n = mark_log(slot, page_size, words);
	return ret ? ret : n;
}

int64_t gm_kvm_import_log(int vm, const struct gm_kvm_slot *slot,
			  uint32_t flags)
{
	uint64_t page_size = gm_os_page_size(), bytes, *words;
	int64_t ret;

	if (flags & ~GM_KVM_MANUAL)
		return gm_error_set(-EINVAL, GM_ERR_OPTION, flags, 0);
	if (!slot->len || slot->len & (page_size - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, slot->len,
				    page_size);
	bytes = gm_bitmap_words(slot->len / page_size) * sizeof(*words);
	words = calloc(1, bytes);
	if (!words)
		return gm_error_memory(bytes);
	ret = import_log(vm, slot, flags, page_size, words);
	free(words);
	return ret;
}

/* A ring, and places in it, which count on past the end. */
struct ring {
	struct kvm_dirty_gfn *entries;
	uint32_t next;		/* to be read */
	uint32_t reset;		/* was read, and KVM has not reset it yet */
};

struct told {
	uint32_t slot;
	uint64_t page;
};

struct gm_kvm_rings {
	pthread_mutex_t lock;
	int vm;
	uint32_t entries;	/* a ring */
	size_t count;
	struct ring *rings;
	struct told *told;	/* room for all entries of all rings */
};

/* How often an import asks for a reset, which may end early and say that all is well. */
#define RESET_TRIES 8

int gm_kvm_rings_new(int vm, uint64_t size, struct gm_kvm_rings **out)
{
	uint64_t entries = size / sizeof(struct kvm_dirty_gfn);
	struct gm_kvm_rings *r;

	if (!gm_is_power_of_two(size) || !entries || entries > UINT32_MAX / 2)
		return gm_error_set(-EINVAL, GM_ERR_SIZE, size, 0);
	r = calloc(1, sizeof(*r));
	if (!r)
		return gm_error_memory(sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	r->vm = vm;
	r->entries = (uint32_t)entries;
	*out = r;
	return 0;
}

static size_t ring_bytes(const struct gm_kvm_rings *r)
{
	return r->entries * sizeof(struct kvm_dirty_gfn);
}

void gm_kvm_rings_free(struct gm_kvm_rings *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->count; i++)
		munmap(r->rings[i].entries, ring_bytes(r));
	pthread_mutex_destroy(&r->lock);
	free(r->rings);
	free(r->told);
	free(r);
}

/* Room for one ring more, and for what it may tell. */
static bool grow(struct gm_kvm_rings *r)
{
	size_t n = r->count + 1;
	void *p;

	p = realloc(r->rings, n * sizeof(r->rings[0]));
	if (!p)
		return false;
	r->rings = p;
	p = reallocarray(r->told, n * r->entries, sizeof(r->told[0]));
	if (!p)
		return false;
	r->told = p;
	return true;
}

static int add_ring(struct gm_kvm_rings *r, int vcpu)
{
	uint64_t off = KVM_DIRTY_LOG_PAGE_OFFSET * gm_os_page_size();
	void *p;

	/* Without it, there is something else at this place of the file. */
	if (!off)
		return gm_error_set(-EOPNOTSUPP, GM_ERR_MMAP, 0, ring_bytes(r));
	if (!grow(r))
		return gm_error_memory(ring_bytes(r));
	p = mmap(NULL, ring_bytes(r), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu,
		 (off_t)off);
	if (p == MAP_FAILED)
		return gm_error_set(-errno, GM_ERR_MMAP, 0, ring_bytes(r));
	/* KVM maps whatever is asked for, and the touch of none is SIGBUS. */
	if (madvise(p, ring_bytes(r), MADV_POPULATE_READ) && errno != EINVAL) {
		munmap(p, ring_bytes(r));
		return gm_error_set(-EINVAL, GM_ERR_MMAP, 0, ring_bytes(r));
	}
	r->rings[r->count++] = (struct ring){ .entries = p };
	return 0;
}

int gm_kvm_rings_add(struct gm_kvm_rings *r, int vcpu)
{
	int ret;

	pthread_mutex_lock(&r->lock);
	ret = add_ring(r, vcpu);
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static struct kvm_dirty_gfn *entry_at(const struct gm_kvm_rings *r,
				      const struct ring *ring, uint32_t place)
{
	return &ring->entries[place & (r->entries - 1)];
}

static uint32_t flags_of(const struct kvm_dirty_gfn *e)
{
	return __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE);
}

/*
 * Copy what one ring tells, and say that it has been read. What was read before and
 * is not reset yet is told once more: KVM does not watch these pages, so they may
 * have been written again.
 */
static size_t read_ring(struct gm_kvm_rings *r, struct ring *ring,
			struct told *told)
{
	uint32_t n;

	for (n = 0; n < r->entries; n++) {
		uint32_t place = ring->reset + n;
		struct kvm_dirty_gfn *e = entry_at(r, ring, place);

		if (place == ring->next) {
			uint32_t flags = flags_of(e);

			if ((flags & KVM_DIRTY_GFN_F_MASK) !=
			    KVM_DIRTY_GFN_F_DIRTY)
				break;
			__atomic_store_n(&e->flags,
					 flags | KVM_DIRTY_GFN_F_RESET,
					 __ATOMIC_RELEASE);
			ring->next++;
		}
		told[n] = (struct told){ e->slot, e->offset };
	}
	return n;
}

/* Has KVM reset all that was read, in all rings? It does so in order. */
static bool is_reset(struct gm_kvm_rings *r)
{
	bool all = true;
	size_t i;

	for (i = 0; i < r->count; i++) {
		struct ring *ring = &r->rings[i];

		while (ring->reset != ring->next &&
		       !(flags_of(entry_at(r, ring, ring->reset)) &
			 KVM_DIRTY_GFN_F_RESET))
			ring->reset++;
		all &= ring->reset == ring->next;
	}
	return all;
}

/* As the kernel has it. The C library's own would leave out signals of its own. */
static uint64_t set_signal_mask(uint64_t mask)
{
	uint64_t before = 0;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before, sizeof(mask));
	return before;
}

/*
 * Let KVM watch all pages again that were read. Since Linux 6.17, a signal makes it
 * end early; if that comes in the midst, some pages count as reset and are not
 * watched, which nobody can tell. So none may come.
 */
static int reset_rings(struct gm_kvm_rings *r)
{
	uint64_t before = set_signal_mask(UINT64_MAX);
	int tries = 0, ret = 0;

	while (!ret && !is_reset(r)) {
		if (tries++ == RESET_TRIES)
			ret = gm_error_set(-EINTR, GM_ERR_IO, 0, 0);
		else if (ioctl(r->vm, KVM_RESET_DIRTY_RINGS, 0) < 0)
			ret = ioctl_error(NULL);
	}
	set_signal_mask(before);
	return ret;
}

/* The slot of that number; entries of one slot come in rows. */
static const struct gm_kvm_slot *find_slot(const struct gm_kvm_slot *slots,
					   size_t count, uint32_t number,
					   const struct gm_kvm_slot *last)
{
	size_t i;

	if (last && last->slot == number)
		return last;
	for (i = 0; i < count; i++)
		if (slots[i].slot == number)
			return &slots[i];
	return NULL;
}

static int64_t mark_told(const struct gm_kvm_rings *r, size_t n,
			 const struct gm_kvm_slot *slots, size_t count)
{
	uint64_t page_size = gm_os_page_size();
	const struct gm_kvm_slot *slot = NULL;
	int64_t marked = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct told *t = &r->told[i];

		slot = find_slot(slots, count, t->slot, slot);
		if (!slot || t->page >= slot->len / page_size)
			continue;
		mark_pages(slot, page_size, t->page, 1);
		marked++;
	}
	return marked;
}

int64_t gm_kvm_rings_import(struct gm_kvm_rings *r,
			    const struct gm_kvm_slot *slots, size_t count)
{
	int64_t marked;
	size_t i, n = 0;
	int ret;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count; i++)
		n += read_ring(r, &r->rings[i], r->told + n);
	ret = is_reset(r) ? 0 : reset_rings(r);
	marked = mark_told(r, n, slots, count);
	pthread_mutex_unlock(&r->lock);
	return ret ? ret : marked;
}
