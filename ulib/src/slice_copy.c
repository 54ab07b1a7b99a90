/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slice_copy.c - slices as elements, and from slice to slice.
 */
#include <errno.h>

#include "internal.h"

/* Elements that can move in one access each, one by one; others at once. */
static void copy_elems(uint8_t *to, const uint8_t *from, size_t elem,
		       uint64_t count, bool from_guest)
{
	const void *guest = from_guest ? (const void *)from : to;
	uint64_t i;

	if (elem > 8 || !gm_is_power_of_two(elem) || elem == 1 ||
	    !gm_mem_is_aligned(guest, elem)) {
		if (from_guest)
			gm_copy_from_host(to, from, elem * count);
		else
			gm_copy_to_host(to, from, elem * count);
		return;
	}
	for (i = 0; i < count; i++) {
		if (from_guest)
			gm_copy_from_host_small(to, from, elem);
		else
			gm_copy_to_host_small(to, from, elem);
		to += elem;
		from += elem;
	}
}

/* Cut @s to whole elements, @count at most. Returns how many. */
static int64_t cut_elems(struct gm_slice *s, size_t elem, size_t count)
{
	uint64_t n;

	if (!elem)
		return gm_error_set(-EINVAL, GM_ERR_SIZE, 0, 0);
	n = gm_min(s->len / elem, (uint64_t)count);
	s->len = n * elem;
	return (int64_t)n;
}

int64_t gm_slice_copy_to(struct gm_slice s, void *buf, size_t elem,
			 size_t count)
{
	int64_t n = cut_elems(&s, elem, count);
	struct gm_guard g;
	int ret;

	if (n <= 0)
		return n;
	ret = gm_slice_begin(s, GM_PERM_READ, &g);
	if (ret)
		return ret;
	copy_elems(buf, g.ptr, elem, (uint64_t)n, true);
	gm_guard_end(&g);
	return n;
}

int64_t gm_slice_copy_from(struct gm_slice s, const void *buf, size_t elem,
			   size_t count)
{
	int64_t n = cut_elems(&s, elem, count);
	struct gm_guard g;
	int ret;

	if (n <= 0)
		return n;
	ret = gm_slice_begin(s, GM_PERM_WRITE, &g);
	if (ret)
		return ret;
	copy_elems(g.ptr, buf, elem, (uint64_t)n, false);
	gm_guard_end(&g);
	gm_slice_mark(s, 0, s.len);
	return n;
}

int64_t gm_slice_copy_to_slice(struct gm_slice s, struct gm_slice to)
{
	struct gm_guard from_g, to_g;
	int ret;

	s.len = gm_min(s.len, to.len);
	to.len = s.len;
	if (!s.len)
		return 0;
	ret = gm_slice_begin(s, GM_PERM_READ, &from_g);
	if (ret)
		return ret;
	ret = gm_slice_begin(to, GM_PERM_WRITE, &to_g);
	if (!ret) {
		gm_copy_within(to_g.ptr, from_g.ptr, s.len);
		gm_guard_end(&to_g);
		gm_slice_mark(to, 0, to.len);
	}
	gm_guard_end(&from_g);
	return ret ? ret : (int64_t)s.len;
}
