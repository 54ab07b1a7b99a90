/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * error.h - what went wrong, exactly.
 *
 * Functions of this library return 0 or a count, or a negative errno. The
 * errno says what class of thing happened; gm_error_last() says which of the
 * things in that class, and with what values.
 */
#ifndef GUESTMEM_ERROR_H
#define GUESTMEM_ERROR_H

#include <guestmem/compiler.h>

GM_BEGIN_DECLS

/**
 * enum gm_error_kind - the exact kind of a failure
 * @GM_ERR_NONE: nothing has failed in this thread yet
 * @GM_ERR_GUEST_ADDR: EFAULT; no region at guest address @addr
 * @GM_ERR_GUEST_OVERFLOW: EOVERFLOW; guest range @addr, @len passes 2^64
 * @GM_ERR_OUT_OF_BOUNDS: ERANGE; offset @addr, @len outside an object of
 *	@expected bytes (or elements)
 * @GM_ERR_OVERFLOW: EOVERFLOW; @addr + @len can't be represented
 * @GM_ERR_TOO_BIG: EOVERFLOW; @addr elements of @len bytes can't be represented
 * @GM_ERR_MISALIGNED: EINVAL; address @addr is no multiple of @len
 * @GM_ERR_PARTIAL: the cause's errno; @completed of @expected bytes were
 *	moved, @addr is where it stopped
 * @GM_ERR_IO: the system call's errno; @addr, @len say where
 * @GM_ERR_UNEXPECTED_END: ENODATA; a source ended after @completed of
 *	@expected bytes
 * @GM_ERR_WRITE_ZERO: ENOSPC; a sink took no more after @completed of
 *	@expected bytes
 * @GM_ERR_BACKEND_RANGE: EIO; a region's own ops, or the kernel module, gave
 *	@completed bytes where @expected were asked for
 * @GM_ERR_NO_HOST_ADDR: EOPNOTSUPP; guest memory at @addr has no host address
 * @GM_ERR_CALLBACK_RANGE: ERANGE; a callback claims @completed of at most
 *	@expected bytes
 * @GM_ERR_PERMISSION: EACCES; @addr, @len does not allow this access; EINVAL
 *	where no access at all was asked for
 * @GM_ERR_FRAGMENTED: EMSGSIZE; @addr, @len is not one piece; the first has
 *	@completed bytes
 * @GM_ERR_ARRAY_SMALL: EMSGSIZE; @expected entries are needed, room was for
 *	@completed
 * @GM_ERR_NO_REGION: ENOENT; no region with exactly @addr, @len; EINVAL where a
 *	map without regions was asked for
 * @GM_ERR_OVERLAP: EEXIST; region @addr, @len meets one that is there
 * @GM_ERR_UNSORTED: EINVAL; region @addr comes after a higher one
 * @GM_ERR_ZERO_LENGTH: EINVAL; an object of length 0
 * @GM_ERR_POINTER: EINVAL; host address @addr is not aligned to a page
 * @GM_ERR_MAP_FIXED: EINVAL; MAP_FIXED would replace what is mapped there
 * @GM_ERR_MMAP: mmap's errno; no mapping of @len bytes
 * @GM_ERR_FILE_RANGE: ERANGE; file range @addr, @len ends past the file's end,
 *	which is at @expected
 * @GM_ERR_OPTION: EINVAL, E2BIG or EOPNOTSUPP; an option that is unknown, does
 *	not go with another, or isn't to be had here; @addr is its offset in the
 *	options struct
 * @GM_ERR_NUMA: ENODEV; no memory on NUMA node @addr
 * @GM_ERR_HUGE: ENOMEM; not enough free huge pages for @len bytes
 * @GM_ERR_MEMORY: ENOMEM; no memory for @len bytes; with a @name, none for a map
 *	of them for device @name, or no room in its IOMMU's address space
 * @GM_ERR_ORDER: EINVAL; @addr is no memory order that this access can have
 * @GM_ERR_SIZE: EINVAL; @addr is no size that this access can have
 * @GM_ERR_FAULT: EIO; the memory behind region @addr, @len went away
 * @GM_ERR_HELD: EBUSY; range @addr, @len of a region is held by @name
 * @GM_ERR_NO_MODULE: ENOENT, ENXIO, ENODEV or ENOTDIR; the kernel module isn't
 *	there, or file @name isn't its
 * @GM_ERR_NO_DEVICE: ENOENT, ENXIO or ENODEV; device @name is not bound to the
 *	module's driver, or not any more
 * @GM_ERR_NOT_PERMITTED: EACCES or EPERM; this process may not open or use file
 *	@name; or not revoke a region that another open file has made (no @name)
 * @GM_ERR_POLICY: EPERM or EOPNOTSUPP; the module gives device @name no memory
 * @GM_ERR_MEMLOCK: ENOMEM; RLIMIT_MEMLOCK of @expected bytes leaves no room for
 *	@len more: @completed are locked
 * @GM_ERR_NOT_PINNED: EINVAL; region @addr, @len is no memory of the module's
 * @GM_ERR_REVOKED: ENODEV; the module has taken back the memory of region
 *	@addr, @len
 * @GM_ERR_NO_DMA: ENOENT; guest memory at @addr, @len is not mapped for device
 *	@name
 * @GM_ERR_DEADLOCK: EDEADLK; the calling thread would wait for itself
 * @GM_ERR_NOT_LOCKED: EPERM; the calling thread has not locked the space
 * @GM_ERR_IOTLB_MISS: ENOENT; the IOTLB has no mapping for @addr, @len; EAGAIN
 *	inside a section, where nothing is asked for
 * @GM_ERR_IOVA: EFAULT, or the callback's errno; the IOMMU has no translation
 *	for IOVA @addr, @len
 * @GM_ERR_IOMMU_CONFIG: EINVAL or ENODEV; the IOMMU is not set up so that it
 *	can translate
 * @GM_ERR_SECTION: EINVAL; a slice of memory behind an IOMMU, @addr, @len, was
 *	asked for outside of a section
 * @GM_ERR_NOT_SNAPSHOT: EINVAL; byte @addr of a file is not what a snapshot has
 *	there
 * @GM_ERR_CHECKSUM: EBADMSG; @len bytes at @addr of a file are damaged
 * @GM_ERR_XEN_FLAGS: EINVAL; GM_XEN_* @addr do not go together
 * @GM_ERR_XEN_PAGE: the hypervisor's errno (EINVAL: there is none; ESRCH: no such
 *	domain); page @addr of domain @expected can't be mapped
 * @GM_ERR_XEN_GRANT: the hypervisor's errno (EINVAL: one of them is none); grants
 *	@addr, @len of them, of domain @expected can't be mapped; ERANGE: they have no
 *	such numbers
 * @GM_ERR_SNAPSHOT_BASE: EINVAL; a snapshot is a difference to @expected (0: it
 *	is whole), and not to @completed
 * @GM_ERR_SYSTEM: EOPNOTSUPP; the system that the library was built for has no
 *	such thing
 *
 * New kinds are added at the end; the numbers are ABI.
 */
enum gm_error_kind {
	GM_ERR_NONE,
	GM_ERR_GUEST_ADDR,
	GM_ERR_GUEST_OVERFLOW,
	GM_ERR_OUT_OF_BOUNDS,
	GM_ERR_OVERFLOW,
	GM_ERR_TOO_BIG,
	GM_ERR_MISALIGNED,
	GM_ERR_PARTIAL,
	GM_ERR_IO,
	GM_ERR_UNEXPECTED_END,
	GM_ERR_WRITE_ZERO,
	GM_ERR_BACKEND_RANGE,
	GM_ERR_NO_HOST_ADDR,
	GM_ERR_CALLBACK_RANGE,
	GM_ERR_PERMISSION,
	GM_ERR_FRAGMENTED,
	GM_ERR_ARRAY_SMALL,
	GM_ERR_NO_REGION,
	GM_ERR_OVERLAP,
	GM_ERR_UNSORTED,
	GM_ERR_ZERO_LENGTH,
	GM_ERR_POINTER,
	GM_ERR_MAP_FIXED,
	GM_ERR_MMAP,
	GM_ERR_FILE_RANGE,
	GM_ERR_OPTION,
	GM_ERR_NUMA,
	GM_ERR_HUGE,
	GM_ERR_MEMORY,
	GM_ERR_ORDER,
	GM_ERR_SIZE,
	GM_ERR_FAULT,
	GM_ERR_HELD,
	GM_ERR_NO_MODULE,
	GM_ERR_NO_DEVICE,
	GM_ERR_NOT_PERMITTED,
	GM_ERR_POLICY,
	GM_ERR_MEMLOCK,
	GM_ERR_NOT_PINNED,
	GM_ERR_REVOKED,
	GM_ERR_NO_DMA,
	GM_ERR_DEADLOCK,
	GM_ERR_NOT_LOCKED,
	GM_ERR_IOTLB_MISS,
	GM_ERR_IOVA,
	GM_ERR_IOMMU_CONFIG,
	GM_ERR_SECTION,
	GM_ERR_NOT_SNAPSHOT,
	GM_ERR_CHECKSUM,
	GM_ERR_SNAPSHOT_BASE,
	GM_ERR_XEN_FLAGS,
	GM_ERR_XEN_PAGE,
	GM_ERR_XEN_GRANT,
	GM_ERR_SYSTEM,
};

/* Room for the name of who or what a failure is about, with its final 0. */
#define GM_NAME_SIZE 24

/**
 * struct gm_error - one failure with its values
 * @kind: which kind; its description says what the values below mean
 * @err: the negative errno that was returned
 * @addr: guest address, offset or other subject
 * @len: bytes concerned
 * @expected: how much was asked for
 * @completed: how much was done
 * @name: who or what it is about, cut to fit: a device, a file; or empty
 *
 * Values that a kind does not name mean nothing.
 */
struct gm_error {
	enum gm_error_kind kind;
	int err;
	uint64_t addr;
	uint64_t len;
	uint64_t expected;
	uint64_t completed;
	char name[GM_NAME_SIZE];
};

GM_STATIC_ASSERT(sizeof(struct gm_error) == 64, "ABI");

/**
 * gm_error_last() - the last failure in the calling thread
 *
 * A call that succeeds in part and then stops (gm_view_read_some() and its like)
 * may leave here why it stopped; one that succeeds whole leaves it alone.
 *
 * Return: never NULL; good until the thread's next call that fails, or its end.
 */
GM_API const struct gm_error *gm_error_last(void);

/**
 * gm_error_clear() - forget the calling thread's last failure
 *
 * Afterwards gm_error_last() has kind GM_ERR_NONE.
 */
GM_API void gm_error_clear(void);

/**
 * gm_error_kind_name() - short English name of a kind
 * @kind: the kind
 *
 * Return: a constant string; "unknown" for a number that is no kind.
 */
GM_API const char *gm_error_kind_name(enum gm_error_kind kind);

/**
 * gm_error_format() - write a failure as one line of text
 * @e: the failure
 * @buf: where to
 * @size: bytes at @buf; the text is cut to fit and always ends in 0 if @size > 0
 *
 * Return: length of the whole text, without the final 0, as snprintf() has it.
 */
GM_API int gm_error_format(const struct gm_error *e, char *buf, size_t size);

/**
 * gm_error_set() - record a failure (for backends and device code)
 * @err: negative errno
 * @kind: its kind
 * @addr: see struct gm_error
 * @len: see struct gm_error
 *
 * Return: @err, so that "return gm_error_set(...)" does both.
 */
GM_API int gm_error_set(int err, enum gm_error_kind kind, uint64_t addr,
			uint64_t len);

/**
 * gm_error_set_counts() - record a failure that has counts
 * @err: negative errno
 * @kind: its kind
 * @addr: see struct gm_error
 * @len: see struct gm_error
 * @expected: see struct gm_error
 * @completed: see struct gm_error
 *
 * Return: @err.
 */
GM_API int gm_error_set_counts(int err, enum gm_error_kind kind, uint64_t addr,
			       uint64_t len, uint64_t expected,
			       uint64_t completed);

/**
 * gm_error_set_name() - record a failure that is about somebody
 * @err: negative errno
 * @kind: its kind
 * @addr: see struct gm_error
 * @len: see struct gm_error
 * @name: see struct gm_error; NULL: nobody
 *
 * Return: @err.
 */
GM_API int gm_error_set_name(int err, enum gm_error_kind kind, uint64_t addr,
			     uint64_t len, const char *name);

GM_END_DECLS

#endif /* GUESTMEM_ERROR_H */
