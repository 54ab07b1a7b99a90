/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * status.c - the byte by which a request of virtio-blk is answered.
 */
#include <errno.h>

#include "reason.h"
#include "status.h"

int chain_split_status(struct chain *c, struct gm_view *v, struct gm_slice *out)
{
	struct gm_range *last;
	gm_gpa_t status;
	int err;

	if (c->count == c->readable)
		return because(-EPROTO, "a request without room for its status");
	last = &c->ranges[c->count - 1];
	/* The walk of a chain leaves empty ranges out. */
	last->len--;
	if (gm_gpa_add(last->gpa, last->len, &status))
		return because(-EPROTO, "a status byte past the end of memory");
	gm_view_begin(v);
	err = gm_view_slice(v, status, 1, GM_PERM_WRITE, out);
	gm_view_end(v);
	if (err == -EAGAIN)
		return because(-EFAULT, "no translation for a status byte");
	return err ? because_gm(err, "status byte") : 0;
}
