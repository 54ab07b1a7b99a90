/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of GUESTMEM_ALLOC: ordinary pages, so that all of the kernel can use a
 * mapping of them. A block of several is a compound page: in any other block
 * only the first page is counted, and CPU mappings would be refused.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>

#include "guestmem_private.h"

#define GUESTMEM_HUGE_ORDER	(PMD_SHIFT - PAGE_SHIFT)

/**
 * guestmem_page_sizes() - which sizes of page regions can be made of
 *
 * Return: a bitmap: bit n stands for 2^n bytes.
 */
u64 guestmem_page_sizes(void)
{
	return BIT_ULL(PAGE_SHIFT) | BIT_ULL(PMD_SHIFT);
}

/*
 * Nobody is killed to make room: a caller that asks for too much is told so.
 * Where smaller blocks will do, large ones are not worth an effort.
 */
static struct page *guestmem_block_alloc(int node, unsigned int order,
					 bool must)
{
	gfp_t gfp = GFP_USER | __GFP_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;

	gfp |= must ? __GFP_RETRY_MAYFAIL : __GFP_NORETRY;
	if (order)
		gfp |= __GFP_COMP;
	if (node == GUESTMEM_NODE_ANY)
		return alloc_pages(gfp, order);
	return alloc_pages_node(node, gfp | __GFP_THISNODE, order);
}

/**
 * guestmem_pages_alloc() - give a new region zeroed memory
 * @region: the region, its pages all NULL
 * @node: a NUMA node that has memory, or GUESTMEM_NODE_ANY
 * @huge: of huge pages only; the region's length is a multiple
 *
 * On error it may have a part of its memory: guestmem_region_free() frees that.
 *
 * Return: 0; -ENOMEM; -EINTR if the caller is being killed.
 */
int guestmem_pages_alloc(struct guestmem_region *region, int node, bool huge)
{
	unsigned int order = GUESTMEM_HUGE_ORDER;
	unsigned long done = 0, i;
	struct page *block;

	while (done < region->npages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		order = min_t(unsigned int, order,
			      ilog2(region->npages - done));
		block = guestmem_block_alloc(node, order, huge || !order);
		if (!block && order && !huge) {
			order--;
			continue;
		}
		if (!block)
			return -ENOMEM;
		for (i = 0; i < 1UL << order; i++)
			region->pages[done + i] = block + i;
		done += 1UL << order;
		cond_resched();
	}
	return 0;
}

/**
 * guestmem_pages_free() - give up a region's references to its memory
 * @region: the region; its pages may be NULL from some point on
 *
 * Memory that the kernel still uses is freed when it has done.
 */
void guestmem_pages_free(struct guestmem_region *region)
{
	unsigned long i = 0, n;

	while (i < region->npages && region->pages[i]) {
		n = folio_nr_pages(page_folio(region->pages[i]));
		put_page(region->pages[i]);
		i += n;
		cond_resched();
	}
}
