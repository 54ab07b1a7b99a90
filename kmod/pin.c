/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of GUESTMEM_PIN: what the caller has already, kept in place.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "guestmem_private.h"

/* The page tables are walked with interrupts off: not too many at a time. */
#define GUESTMEM_PIN_BATCH	512UL
#define GUESTMEM_UNPIN_BATCH	32768UL

/* Pins up to @n pages, from the @done-th on. How many, or an error. */
static int guestmem_pin_batch(struct guestmem_region *region,
			      unsigned long address, unsigned long done,
			      unsigned long n, unsigned int gup_flags)
{
	struct page **pages = region->pages + done;
	unsigned long got;
	int ret;

	ret = pin_user_pages_fast(address + (done << PAGE_SHIFT), n,
				  gup_flags | FOLL_LONGTERM, pages);
	/* It leaves pages there that it has let go again. */
	got = max(ret, 0);
	memset(pages + got, 0, (n - got) * sizeof(*pages));
	return ret ?: -EFAULT;
}

/* Pins pages until there are all of them, or an error. */
static int guestmem_pin_range(struct guestmem_region *region,
			      unsigned long address)
{
	unsigned int gup_flags = region->writable ? FOLL_WRITE :
						    GUESTMEM_FOLL_READ;
	unsigned long done = 0, batch;
	int n;

	while (done < region->npages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		batch = min(region->npages - done, GUESTMEM_PIN_BATCH);
		n = guestmem_pin_batch(region, address, done, batch, gup_flags);
		/*
		 * What is shared read-only cannot be written by force. That page
		 * alone is for reading: the next may be one to be copied.
		 */
		if (n == -EFAULT && !region->writable && gup_flags)
			n = guestmem_pin_batch(region, address, done, 1, 0);
		if (n < 0)
			return n;
		done += n;
		cond_resched();
	}
	return 0;
}

/* Pages that are there, from the first on. */
static unsigned long guestmem_pinned(const struct guestmem_region *region)
{
	unsigned long low = 0, high = region->npages, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (region->pages[middle])
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * guestmem_pages_pin() - give a new region memory of the calling task
 * @region: the region, its pages all NULL; @region->writable says for what
 * @address: where the memory is, page-aligned; the range does not wrap
 *
 * On error it may have a part of its memory: guestmem_region_free() unpins
 * that.
 *
 * Return: 0; -EFAULT if a part is not there or not accessible so; -EOPNOTSUPP
 * for fs-dax; -ENOMEM; -EINTR if the caller is being killed.
 */
int guestmem_pages_pin(struct guestmem_region *region, unsigned long address)
{
	int err = 0;

	if (!region->writable)
		err = guestmem_check_readable(address, address +
					      (region->npages << PAGE_SHIFT));
	err = err ?: guestmem_pin_range(region, address);
	switch (err) {
	case 0:
	case -ENOMEM:
	case -EINTR:
	case -EOPNOTSUPP:
		return err;
	default:
		/* Memory of a device, of which there are several kinds. */
		return fatal_signal_pending(current) ? -EINTR : -EFAULT;
	}
}

/**
 * guestmem_pages_unpin() - let a region's memory go
 * @region: the region; its pages may be NULL from some point on, and are all
 *	NULL after
 */
void guestmem_pages_unpin(struct guestmem_region *region)
{
	unsigned long n = guestmem_pinned(region);
	unsigned long done, batch;

	for (done = 0; done < n; done += batch) {
		batch = min(n - done, GUESTMEM_UNPIN_BATCH);
		unpin_user_pages_dirty_lock(region->pages + done, batch,
					    region->written);
		cond_resched();
	}
	memset(region->pages, 0, n * sizeof(*region->pages));
}
