/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ref.c - references to objects and arrays.
 */
#include <errno.h>

#include "internal.h"

int gm_slice_ref(struct gm_slice s, uint64_t off, uint64_t size,
		 struct gm_ref *out)
{
	return gm_slice_sub(s, off, size, &out->slice);
}

int gm_slice_array(struct gm_slice s, uint64_t off, uint64_t elem,
		   uint64_t count, struct gm_array *out)
{
	uint64_t bytes;
	int ret;

	if (!elem)
		return gm_error_set(-EINVAL, GM_ERR_SIZE, 0, 0);
	if (__builtin_mul_overflow(elem, count, &bytes))
		return gm_error_set(-EOVERFLOW, GM_ERR_TOO_BIG, count, elem);
	ret = gm_slice_sub(s, off, bytes, &s);
	if (ret)
		return ret;
	out->slice = s;
	out->elem = elem;
	out->count = count;
	return 0;
}

int gm_slice_aligned_ptr(struct gm_slice s, uint64_t off, uint64_t size,
			 uint64_t align, void **out)
{
	int ret;

	ret = gm_slice_sub(s, off, size, &s);
	if (ret)
		return ret;
	if (!s.host && s.len)
		return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR, s.off,
				    s.len);
	if (!gm_is_power_of_two(align) || !gm_mem_is_aligned(s.host, align))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED,
				    (uintptr_t)s.host, align);
	*out = s.host;
	return 0;
}

int gm_slice_atomic_ptr(struct gm_slice s, uint64_t off, uint64_t size,
			void **out)
{
	int ret;

	if (!gm_mem_size_is_atomic(size))
		return gm_error_set(-EINVAL, GM_ERR_SIZE, size, 0);
	ret = gm_slice_sub(s, off, size, &s);
	if (ret)
		return ret;
	if (!gm_perm_has_write(gm_slice_perm(s)))
		return gm_error_set(-EACCES, GM_ERR_PERMISSION, s.off, s.len);
	return gm_slice_aligned_ptr(s, 0, size, size, out);
}

int gm_array_index_error(struct gm_array a, uint64_t index)
{
	return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS, index, 1,
				   a.count, 0);
}

int gm_array_ref_at(struct gm_array a, uint64_t index, struct gm_ref *out)
{
	if (index >= a.count)
		return gm_array_index_error(a, index);
	return gm_slice_sub(a.slice, index * a.elem, a.elem, &out->slice);
}
