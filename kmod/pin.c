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

/* Pins pages until there are all of them, or an error. */
static int guestmem_pin_range(struct guestmem_region *region,
			      unsigned long address, unsigned int gup_flags)
{
	unsigned long done = 0, batch, got;
	int n;

	while (done < region->npages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		batch = min(region->npages - done, GUESTMEM_PIN_BATCH);
		n = pin_user_pages_fast(address + (done << PAGE_SHIFT), batch,
					gup_flags | FOLL_LONGTERM,
					region->pages + done);
		/* It leaves pages there that it has let go again. */
		got = max(n, 0);
		memset(region->pages + done + got, 0,
		       (batch - got) * sizeof(*region->pages));
		if (n <= 0)
			return n ? n : -EFAULT;
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
	int err;

	if (region->writable) {
		err = guestmem_pin_range(region, address, FOLL_WRITE);
	} else {
		err = guestmem_pin_range(region, address, GUESTMEM_FOLL_READ);
		/* Memory that is shared read-only cannot be written by force. */
		if (err == -EFAULT && GUESTMEM_FOLL_READ) {
			guestmem_pages_unpin(region);
			err = guestmem_pin_range(region, address, 0);
		}
	}
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
