/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kvm.h - what the guest itself wrote: KVM's dirty log and dirty rings.
 *
 * A device's writes are marked by the library; those of virtual CPUs are known to
 * KVM alone. These functions bring them into the same bitmaps, so that a harvest
 * has both.
 *
 * KVM tells of a page once, and again only after it has been told to watch the
 * page again. So a page is marked after that, never before: else who harvests in
 * between would copy a page whose next write nobody tells of. If KVM does not watch
 * it then, since that failed, it is marked all the same, and once more by each later
 * call until it is watched.
 */
#ifndef GUESTMEM_KVM_H
#define GUESTMEM_KVM_H

#include <guestmem/bitmap.h>

GM_BEGIN_DECLS

/**
 * struct gm_kvm_slot - a memory slot, and where its pages are marked
 * @slot: its number, as in struct kvm_userspace_memory_region: the address space
 *	in the upper 16 bits
 * @reserved: zero
 * @len: bytes of the slot, exactly: KVM's log is as long as it says, and is copied
 *	to a buffer of this length. A multiple of the page size
 * @dirty: the bitmap of its memory
 * @off: the byte of @dirty that is the slot's first
 *
 * For a slot that is a whole region: its length, gm_region_bitmap(), and 0.
 */
struct gm_kvm_slot {
	uint32_t slot;
	uint32_t reserved;
	uint64_t len;
	struct gm_bitmap *dirty;
	uint64_t off;
};

GM_STATIC_ASSERT(sizeof(struct gm_kvm_slot) == 32, "ABI");

/* gm_kvm_import_log() flags */
#define GM_KVM_MANUAL (1u << 0)	/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is on */

/**
 * gm_kvm_import_log() - mark what KVM's log of a slot has
 * @vm: descriptor of the virtual machine
 * @slot: the slot, which has KVM_MEM_LOG_DIRTY_PAGES
 * @flags: GM_KVM_MANUAL or 0
 *
 * KVM forgets what it told and watches these pages again. With GM_KVM_MANUAL,
 * which a virtual machine of more than some gigabytes should have, it does not
 * stop the guest for all pages at once. One thread a slot at a time; the guest
 * may run. The cost is that of the slot's size, since KVM copies all bits; that of
 * a ring is not.
 *
 * Return: pages marked; -EINVAL (GM_ERR_OPTION) @flags; -EINVAL
 * (GM_ERR_MISALIGNED) the slot's length; -ENOMEM (GM_ERR_MEMORY); the ioctl's own
 * (GM_ERR_IO), with nothing marked: but if it is KVM_CLEAR_DIRTY_LOG's, all is
 * marked that was told.
 */
GM_API int64_t gm_kvm_import_log(int vm, const struct gm_kvm_slot *slot,
				 uint32_t flags);

struct gm_kvm_rings;

/**
 * gm_kvm_rings_new() - the dirty rings of a virtual machine
 * @vm: descriptor of the virtual machine, borrowed, with
 *	KVM_CAP_DIRTY_LOG_RING_ACQ_REL or KVM_CAP_DIRTY_LOG_RING enabled
 * @size: bytes a ring, as it was enabled with
 * @out: the rings, none yet
 *
 * Return: 0; -EINVAL (GM_ERR_SIZE) @size is no power of two, or has no entry;
 * -ENOMEM (GM_ERR_MEMORY).
 */
GM_API int gm_kvm_rings_new(int vm, uint64_t size, struct gm_kvm_rings **out);

/**
 * gm_kvm_rings_free() - unmap all rings
 * @rings: the rings; NULL is allowed
 */
GM_API void gm_kvm_rings_free(struct gm_kvm_rings *rings);

/**
 * gm_kvm_rings_add() - add the ring of a virtual CPU
 * @rings: the rings
 * @vcpu: descriptor of the virtual CPU, which has not run yet; not needed any
 *	more afterwards
 *
 * Return: 0; -ENOMEM (GM_ERR_MEMORY); mmap's error (GM_ERR_MMAP), EINVAL where rings
 * are not enabled, or are shorter (Linux before 5.14 does not tell), EOPNOTSUPP
 * where there are none.
 */
GM_API int gm_kvm_rings_add(struct gm_kvm_rings *rings, int vcpu);

/**
 * gm_kvm_rings_import() - mark what is in the rings
 * @rings: the rings
 * @slots: all slots that have a bitmap
 * @count: how many
 *
 * What is of another slot, as of one that was removed meanwhile, or behind its
 * end, is dropped. To be called when a virtual CPU ends with
 * KVM_EXIT_DIRTY_RING_FULL, and before a harvest; virtual CPUs may run, but what
 * they have written in guest mode since they last left it may not be told yet:
 * before the last harvest they are stopped. Any thread may call it, also several
 * at once. Its signals wait meanwhile.
 *
 * Linux from 6.17 on may forget to watch some pages if a reset is interrupted, and nobody
 * can tell. Signals that a thread can hold back can't do that here. Others can: SIGSTOP and
 * job control, a debugger that attaches, a cgroup that is frozen, the machine's suspend;
 * and completions of io_uring, in the thread that submitted: call it in another. After one
 * of these, a harvest must take all pages for dirty.
 *
 * Return: entries that were marked; the error of KVM_RESET_DIRTY_RINGS (GM_ERR_IO), or
 * -EINTR (GM_ERR_IO) it does not come to its end, with all marked that was told: what
 * was not reset is told again by the next call, which tries again.
 */
GM_API int64_t gm_kvm_rings_import(struct gm_kvm_rings *rings,
				   const struct gm_kvm_slot *slots,
				   size_t count);

GM_END_DECLS

#endif /* GUESTMEM_KVM_H */
