/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iov.h - guest memory as struct iovec, for preadv, pwritev, io_uring and
 * sockets: one system call moves a request, without a copy.
 *
 * A request is a list of guest ranges, as a descriptor chain gives it. A cursor
 * walks it and can be stopped and resumed anywhere: after a short transfer, or
 * where the caller's iovec array was full.
 */
#ifndef GUESTMEM_IOV_H
#define GUESTMEM_IOV_H

#include <guestmem/view.h>

#ifndef _WIN32
#include <sys/uio.h>
#else
/* What POSIX calls a piece of memory. */
struct iovec {
	void *iov_base;
	size_t iov_len;
};
#endif

GM_BEGIN_DECLS

/**
 * struct gm_iov_cursor - a place in a list of guest ranges
 * @ranges: the ranges, borrowed
 * @count: how many
 * @index: range that is next
 * @off: bytes of it that are done
 * @left: bytes to go in all
 */
struct gm_iov_cursor {
	const struct gm_range *ranges;
	size_t count;
	size_t index;
	uint64_t off;
	uint64_t left;
};

GM_STATIC_ASSERT(sizeof(struct gm_iov_cursor) == 40, "ABI");

/**
 * gm_iov_init() - stand at the start of a list of ranges
 * @c: caller's storage
 * @ranges: the list, which must live and stay as it is while @c is used
 * @count: how many ranges; those of length 0 are passed over
 *
 * Return: 0; -EOVERFLOW (GM_ERR_OVERFLOW) the lengths don't add up in 64 bits.
 */
GM_API int gm_iov_init(struct gm_iov_cursor *c, const struct gm_range *ranges,
		       size_t count);

/**
 * gm_iov_left() - bytes from the cursor to the end
 * @c: the cursor
 */
GM_INLINE uint64_t gm_iov_left(const struct gm_iov_cursor *c)
{
	return c->left;
}

/**
 * gm_iov_skip() - go on without access
 * @c: the cursor
 * @n: bytes
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS) fewer are left, nothing is skipped.
 */
GM_API int gm_iov_skip(struct gm_iov_cursor *c, uint64_t n);

/**
 * gm_iov_extract() - the next bytes as iovecs
 * @v: the view
 * @c: the cursor, which is moved past what was extracted
 * @perm: GM_PERM_READ for data that leaves guest memory, GM_PERM_WRITE for data
 *	that enters it
 * @max: bytes wanted at most
 * @iov: where to
 * @iovcnt: room, not 0
 * @bytes: bytes extracted: all that was wanted, or as @iovcnt allowed
 *
 * The pointers are good while the view's map is; through an IOMMU, to the end of
 * the section. Data that a system call wrote
 * through them is told with gm_iov_mark().
 *
 * Return: iovecs filled, 0 at the end; and with the cursor where it was:
 * -EFAULT (GM_ERR_GUEST_ADDR), -EOVERFLOW (GM_ERR_GUEST_OVERFLOW), -EACCES
 * (GM_ERR_PERMISSION), -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR) mapped on demand,
 * -EINVAL (GM_ERR_SIZE) @iovcnt is not positive; through an IOMMU as
 * gm_view_slice().
 */
GM_API int gm_iov_extract(struct gm_view *v, struct gm_iov_cursor *c,
			  enum gm_perm perm, uint64_t max, struct iovec *iov,
			  int iovcnt, uint64_t *bytes);

/**
 * gm_iov_read() - copy the next bytes out
 * @v: the view
 * @c: the cursor, moved by @n on success
 * @buf: where to
 * @n: bytes
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS) fewer are left; as gm_view_read().
 */
GM_API int gm_iov_read(struct gm_view *v, struct gm_iov_cursor *c, void *buf,
		       uint64_t n);

/**
 * gm_iov_write() - copy the next bytes in
 * @v: the view
 * @c: the cursor, moved by @n on success
 * @buf: what
 * @n: bytes
 *
 * Return: 0; -ERANGE (GM_ERR_OUT_OF_BOUNDS) fewer are left; as gm_view_write().
 */
GM_API int gm_iov_write(struct gm_view *v, struct gm_iov_cursor *c,
			const void *buf, uint64_t n);

/**
 * gm_iov_mark() - a system call wrote the next bytes
 * @v: the view
 * @c: where the extraction began (a copy of the cursor); moved by @n
 * @n: bytes that were really written; cut at the end
 */
GM_API void gm_iov_mark(struct gm_view *v, struct gm_iov_cursor *c,
			uint64_t n);

GM_END_DECLS

#endif /* GUESTMEM_IOV_H */
