/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * opts.c - options structs, which begin with their size: a caller may be older than the
 * library, or newer.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

int gm_opts_copy(const void *in, size_t least, void *out, size_t size)
{
	const uint8_t *bytes = in;
	size_t sz, i;

	memset(out, 0, size);
	if (!in)
		return 0;
	memcpy(&sz, in, sizeof(sz));
	if (sz < least)
		return gm_error_set(-EINVAL, GM_ERR_OPTION, 0, 0);
	for (i = size; i < sz; i++)
		if (bytes[i])
			return gm_error_set(-E2BIG, GM_ERR_OPTION, i, 0);
	memcpy(out, in, gm_min(sz, size));
	return 0;
}
