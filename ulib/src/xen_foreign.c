/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen_foreign.c - pages of another domain, by their numbers.
 *
 * The driver says 0 where the hypervisor refused single pages; to touch one of those is
 * SIGBUS. So each page's own answer is looked at.
 */
#include <errno.h>
#include <stdlib.h>

#include "xen_private.h"

static int page_error(const struct gm_xen_region *x, uint64_t gfn, int err)
{
	return gm_error_set_counts(err, GM_ERR_XEN_PAGE, gfn * GM_XEN_PAGE, GM_XEN_PAGE,
				   x->domid, 0);
}

/* The driver wants all pages of a mapping at once. */
static int map(const struct gm_xen_region *x, int prot, uint64_t *gfns, int *errs,
	       uint32_t count, uint8_t **host)
{
	uint64_t gfn = x->region.ext.base / GM_XEN_PAGE;
	uint8_t *at;
	uint32_t i;
	int ret;

	for (i = 0; i < count; i++)
		gfns[i] = gfn + i;
	ret = gm_os_xen_map_foreign(x, prot, gfns, errs, count, &at);
	for (i = 0; i < count; i++) {
		if (!errs[i])
			continue;
		if (!ret)
			gm_os_xen_unmap(at, count);
		return page_error(x, gfn + i, errs[i]);
	}
	if (ret)
		return page_error(x, gfn, ret);
	*host = at;
	return 0;
}

int gm_xen_foreign_map(struct gm_xen_region *x, int prot, uint8_t **host)
{
	uint64_t count = gm_xen_pages(x->region.ext.len);
	uint64_t *gfns = calloc(count, sizeof(*gfns));
	int *errs = calloc(count, sizeof(*errs));
	int ret;

	if (gfns && errs)
		ret = map(x, prot, gfns, errs, (uint32_t)count, host);
	else
		ret = gm_error_memory(count * (sizeof(*gfns) + sizeof(*errs)));
	free(errs);
	free(gfns);
	return ret;
}
