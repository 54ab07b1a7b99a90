/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Guest memory that is pinned and mapped for DMA.
 *
 * Two kinds of character device take these ioctls:
 *
 *   /dev/guestmem                 makes regions
 *   /dev/guestmem-dev/<address>   one for each PCI device bound to the driver;
 *                                 maps regions for that device's DMA, and gives
 *                                 its registers and interrupts
 *
 * A region is a file descriptor of its own: a dma-buf.
 */
#ifndef _UAPI_LINUX_GUESTMEM_H
#define _UAPI_LINUX_GUESTMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GUESTMEM_TYPE	0xBC

/**
 * DOC: General ioctl format
 *
 * Each ioctl takes a pointer to a struct whose first field is its size in
 * bytes, as the caller knows it; the second is a set of flags. A struct only
 * ever grows, at its end:
 *
 *  - A kernel that knows a longer struct takes the missing tail for zero.
 *  - A kernel that knows a shorter one accepts a tail of zeroes and refuses
 *    any other with E2BIG.
 *
 * Errors that each ioctl may give:
 *
 *  - ENOTTY: no such ioctl on this kind of file
 *  - EINVAL: the size is smaller than the first version of the struct was
 *  - E2BIG: the size is above a page, or the tail that this kernel does not
 *    know is not zero
 *  - EOPNOTSUPP: an unknown flag, or a reserved field that is not zero
 *  - EFAULT: the struct, or memory it refers to, is not accessible
 *
 * Output fields are written on success; any other case is named at the ioctl.
 * Lengths, offsets and addresses are in bytes.
 */
enum {
	GUESTMEM_CMD_INFO = 0x00,
	GUESTMEM_CMD_ALLOC = 0x01,
	GUESTMEM_CMD_PIN = 0x02,
	GUESTMEM_CMD_REGION_INFO = 0x03,
	GUESTMEM_CMD_REVOKE = 0x04,

	GUESTMEM_CMD_MAP = 0x40,
	GUESTMEM_CMD_QUERY = 0x41,
	GUESTMEM_CMD_SYNC = 0x42,
	GUESTMEM_CMD_UNMAP = 0x43,
	GUESTMEM_CMD_DEVICE_INFO = 0x44,
	GUESTMEM_CMD_BAR = 0x45,
	GUESTMEM_CMD_INTERRUPTS = 0x46,
};

/**
 * enum guestmem_capability - bits of &guestmem_info.capabilities
 * @GUESTMEM_CAP_ALLOC: GUESTMEM_ALLOC is there
 * @GUESTMEM_CAP_PIN: GUESTMEM_PIN is there
 * @GUESTMEM_CAP_HUGE: regions can be made of huge pages only
 * @GUESTMEM_CAP_REVOKE: GUESTMEM_REVOKE is there
 * @GUESTMEM_CAP_DEVICE: PCI devices can be bound and GUESTMEM_MAP is there
 * @GUESTMEM_CAP_UNSAFE_NOIOMMU: the administrator has allowed maps for devices
 *	that no IOMMU translates for
 * @GUESTMEM_CAP_LAZY_IOMMU: the administrator has allowed maps in IOMMU
 *	domains that are flushed lazily
 * @GUESTMEM_CAP_UNSAFE_INTERRUPTS: the administrator has allowed devices that
 *	could forge the interrupts of others
 * @GUESTMEM_CAP_REGISTERS: GUESTMEM_DEVICE_INFO and GUESTMEM_BAR are there
 * @GUESTMEM_CAP_INTERRUPTS: GUESTMEM_INTERRUPTS is there
 */
enum guestmem_capability {
	GUESTMEM_CAP_ALLOC = 1 << 0,
	GUESTMEM_CAP_PIN = 1 << 1,
	GUESTMEM_CAP_HUGE = 1 << 2,
	GUESTMEM_CAP_REVOKE = 1 << 3,
	GUESTMEM_CAP_DEVICE = 1 << 4,
	GUESTMEM_CAP_UNSAFE_NOIOMMU = 1 << 5,
	GUESTMEM_CAP_LAZY_IOMMU = 1 << 6,
	GUESTMEM_CAP_UNSAFE_INTERRUPTS = 1 << 7,
	GUESTMEM_CAP_REGISTERS = 1 << 8,
	GUESTMEM_CAP_INTERRUPTS = 1 << 9,
};

/**
 * struct guestmem_info - ioctl(GUESTMEM_INFO) on the control device
 * @size: sizeof(struct guestmem_info)
 * @flags: Must be 0
 * @capabilities: Output, enum guestmem_capability
 * @page_sizes: Output, bitmap of the sizes of page that regions can be made
 *	of: bit n stands for 2^n bytes
 * @max_length: Output, the longest region, whatever memory there is
 * @locked: Output, memory that is locked now in the name of the caller's user,
 *	by this module and by others that count the same way
 * @locked_limit: Output, up to where @locked may grow: the caller's
 *	RLIMIT_MEMLOCK, or all ones for a caller with CAP_IPC_LOCK
 *
 * What this kernel's module can do, and how much the caller may ask for.
 */
struct guestmem_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 capabilities;
	__aligned_u64 page_sizes;
	__aligned_u64 max_length;
	__aligned_u64 locked;
	__aligned_u64 locked_limit;
};
#define GUESTMEM_INFO _IO(GUESTMEM_TYPE, GUESTMEM_CMD_INFO)

/**
 * enum guestmem_alloc_flags - flags of GUESTMEM_ALLOC
 * @GUESTMEM_ALLOC_HUGE: huge pages only: each is physically contiguous. Without
 *	this flag they are taken as long as there are any.
 */
enum guestmem_alloc_flags {
	GUESTMEM_ALLOC_HUGE = 1 << 0,
};

/** GUESTMEM_NODE_ANY - &guestmem_alloc.node: as the caller's memory policy says */
#define GUESTMEM_NODE_ANY	(-1)

/**
 * struct guestmem_alloc - ioctl(GUESTMEM_ALLOC) on the control device
 * @size: sizeof(struct guestmem_alloc)
 * @flags: enum guestmem_alloc_flags
 * @length: Length of the region, a multiple of the page size; with
 *	GUESTMEM_ALLOC_HUGE of the huge page size
 * @node: NUMA node that all memory is to come from, or GUESTMEM_NODE_ANY
 * @fd_flags: O_RDWR or O_RDONLY, and O_CLOEXEC. Through a read-only file
 *	descriptor the region cannot be mapped writable, neither for the CPU
 *	nor for a device
 * @out_fd: Output, file descriptor of the new region
 * @reserved: Must be 0
 *
 * Make a region of zeroed memory that stays where it is. It can be mapped with
 * mmap(2), MAP_SHARED only, and such a mapping takes no page faults; a forked
 * child does not inherit it, unless madvise(2) has said MADV_DOFORK (not all kernels
 * allow that). Its pages are ordinary memory to the rest of the kernel (direct I/O, KVM
 * memory slots, VFIO). The memory counts as locked in the name of the caller's user, and
 * is freed when the last file descriptor, CPU mapping and device map of it has gone.
 *
 * Particular errors:
 *
 *  - EINVAL: @length is zero or not a multiple; @fd_flags
 *  - EOVERFLOW: @length is above &guestmem_info.max_length
 *  - ENODEV: there is no memory on @node, or no such node
 *  - ENOMEM: RLIMIT_MEMLOCK, or no memory (of huge pages, on that node)
 *  - EINTR: the caller is being killed
 *  - EMFILE, ENFILE: no file descriptor left
 */
struct guestmem_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 length;
	__s32 node;
	__u32 fd_flags;
	__s32 out_fd;
	__u32 reserved;
};
#define GUESTMEM_ALLOC _IO(GUESTMEM_TYPE, GUESTMEM_CMD_ALLOC)

/**
 * enum guestmem_pin_flags - flags of GUESTMEM_PIN
 * @GUESTMEM_PIN_WRITE: devices may write to the region
 */
enum guestmem_pin_flags {
	GUESTMEM_PIN_WRITE = 1 << 0,
};

/**
 * struct guestmem_pin - ioctl(GUESTMEM_PIN) on the control device
 * @size: sizeof(struct guestmem_pin)
 * @flags: enum guestmem_pin_flags
 * @address: Where the memory is in the caller's address space, page-aligned
 * @length: Length of it, a multiple of the page size
 * @fd_flags: O_CLOEXEC or 0
 * @out_fd: Output, file descriptor of the new region
 *
 * Make a region of memory that the caller has already: anonymous, of a memfd,
 * of tmpfs, of hugetlbfs. The pages are pinned until the last file descriptor
 * and device map of the region has gone, wherever they are mapped by then. The
 * memory counts as locked in the name of the caller's user. The file
 * descriptor cannot be mapped with mmap(2) (ENODEV): the memory has a mapping.
 *
 * Particular errors:
 *
 *  - EINVAL: @address or @length is not page-aligned, @length is zero;
 *    @fd_flags
 *  - EOVERFLOW: @address + @length wraps, or @length is above
 *    &guestmem_info.max_length
 *  - EFAULT: nothing is mapped at a part of it, or with GUESTMEM_PIN_WRITE
 *    not writable; device memory; a file whose pages cannot stay (see
 *    Documentation/userspace-api/guestmem.rst)
 *  - EOPNOTSUPP: fs-dax
 *  - ENOMEM: RLIMIT_MEMLOCK, or no memory
 *  - EINTR: the caller is being killed
 *  - EMFILE, ENFILE: no file descriptor left
 */
struct guestmem_pin {
	__u32 size;
	__u32 flags;
	__aligned_u64 address;
	__aligned_u64 length;
	__u32 fd_flags;
	__s32 out_fd;
};
#define GUESTMEM_PIN _IO(GUESTMEM_TYPE, GUESTMEM_CMD_PIN)

/**
 * enum guestmem_region_kind - &guestmem_region_info.kind
 * @GUESTMEM_REGION_ALLOC: made by GUESTMEM_ALLOC
 * @GUESTMEM_REGION_PIN: made by GUESTMEM_PIN
 */
enum guestmem_region_kind {
	GUESTMEM_REGION_ALLOC = 1,
	GUESTMEM_REGION_PIN = 2,
};

/**
 * enum guestmem_region_properties - bits of &guestmem_region_info.properties
 * @GUESTMEM_REGION_READ_ONLY: devices cannot write to it
 * @GUESTMEM_REGION_REVOKED: its memory was taken back
 */
enum guestmem_region_properties {
	GUESTMEM_REGION_READ_ONLY = 1 << 0,
	GUESTMEM_REGION_REVOKED = 1 << 1,
};

/**
 * struct guestmem_region_info - ioctl(GUESTMEM_REGION_INFO) on the control device
 * @size: sizeof(struct guestmem_region_info)
 * @flags: Must be 0
 * @fd: File descriptor of the region
 * @kind: Output, enum guestmem_region_kind
 * @length: Output, its length
 * @granule: Output, the largest power of two so that the region is made of
 *	physically contiguous pieces which have at least that length and
 *	alignment; 0 for a revoked region
 * @node: Output, NUMA node of all of its memory, or GUESTMEM_NODE_ANY if it
 *	is on several or has been revoked
 * @properties: Output, enum guestmem_region_properties, seen through @fd
 * @maps: Output, how many maps for devices there are, of this module and of
 *	other drivers that have imported the dma-buf; what these have mapped in
 *	the kernel itself counts as well
 * @reserved: Must be 0
 *
 * Particular errors:
 *
 *  - EBADF: @fd is no open file
 *  - EINVAL: @fd is no region of this module
 *  - EINTR: the caller is being killed
 */
struct guestmem_region_info {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 kind;
	__aligned_u64 length;
	__aligned_u64 granule;
	__s32 node;
	__u32 properties;
	__u32 maps;
	__u32 reserved;
};
#define GUESTMEM_REGION_INFO _IO(GUESTMEM_TYPE, GUESTMEM_CMD_REGION_INFO)

/**
 * struct guestmem_revoke - ioctl(GUESTMEM_REVOKE) on the control device
 * @size: sizeof(struct guestmem_revoke)
 * @flags: Must be 0
 * @fd: File descriptor of the region
 * @reserved: Must be 0
 *
 * Take a region's memory back from everyone who was given its file descriptor.
 * CPU mappings of it are torn down: touching them is SIGBUS from then on, and
 * new ones fail with ENODEV. The memory is freed, or unpinned, at once and no
 * longer counts as locked; pages that the kernel is using at the time (direct
 * I/O in flight, registered buffers, an mmap(2) that for a second has got no CPU
 * to return with) follow when it has done, and who has them so keeps them until
 * then. The memory that a GUESTMEM_PIN region was made of stays mapped for its
 * owner. Revoking twice is no error.
 *
 * Only the open file of the control device that has made a region can revoke
 * it.
 *
 * Particular errors:
 *
 *  - EBADF: @fd is no open file
 *  - EINVAL: @fd is no region of this module
 *  - EPERM: made through another open file
 *  - EBUSY: there are maps: &guestmem_region_info.maps
 */
struct guestmem_revoke {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};
#define GUESTMEM_REVOKE _IO(GUESTMEM_TYPE, GUESTMEM_CMD_REVOKE)

/**
 * enum guestmem_map_flags - flags of GUESTMEM_MAP
 * @GUESTMEM_MAP_READ: the device may read the memory
 * @GUESTMEM_MAP_WRITE: the device may write it. Some IOMMU drivers let a device
 *	read what it may write (Intel's, before Linux 7)
 */
enum guestmem_map_flags {
	GUESTMEM_MAP_READ = 1 << 0,
	GUESTMEM_MAP_WRITE = 1 << 1,
};

/**
 * enum guestmem_map_properties - bits of &guestmem_map.properties
 * @GUESTMEM_MAP_TRANSLATED: an IOMMU translates: the device reaches what is
 *	mapped for it and nothing else
 * @GUESTMEM_MAP_STRICT: the IOMMU's own way is to forget a map at
 *	GUESTMEM_UNMAP, not later
 * @GUESTMEM_MAP_COHERENT: GUESTMEM_SYNC has nothing to do
 */
enum guestmem_map_properties {
	GUESTMEM_MAP_TRANSLATED = 1 << 0,
	GUESTMEM_MAP_STRICT = 1 << 1,
	GUESTMEM_MAP_COHERENT = 1 << 2,
};

/**
 * struct guestmem_map - ioctl(GUESTMEM_MAP) on a device
 * @size: sizeof(struct guestmem_map)
 * @flags: enum guestmem_map_flags, at least one
 * @fd: File descriptor of the region
 * @address_bits: How many address bits the device can drive: 12 to 64, or 0
 *	for 64. Applies to this map alone
 * @offset: Where in the region the range starts, page-aligned
 * @length: Length of the range, a multiple of the page size
 * @map_id: Output, names the map in the other ioctls on this file; never 0
 * @properties: Output, enum guestmem_map_properties, as it is now
 * @segments: Output, how many segments GUESTMEM_QUERY will tell
 * @reserved: Must be 0
 *
 * Map a range of a region for the device's DMA, and let the device be master
 * of its bus. The map keeps the region's memory, also after @fd is closed, and
 * lasts until GUESTMEM_UNMAP, the last close of the device file or the unbinding
 * of the device.
 *
 * Particular errors:
 *
 *  - EBADF: @fd is no open file
 *  - EINVAL: @fd is no region of this module; @offset or @length is not
 *    page-aligned; @length is zero; no direction; @address_bits
 *  - ERANGE: the range is not inside the region, or not within @address_bits:
 *    without an IOMMU memory is beyond them; with one the next power of two
 *    of @length is more than half of what they reach
 *  - EOVERFLOW: @offset + @length wraps
 *  - EACCES: GUESTMEM_MAP_WRITE on a region made without GUESTMEM_PIN_WRITE, or
 *    through a read-only file descriptor
 *  - EPERM: by policy: no IOMMU translates for the device, its IOMMU is
 *    flushed lazily, it shares its IOMMU group, firmware has mapped memory for
 *    it, or it could forge interrupts. The kernel's log and the
 *    guestmem:guestmem_refuse trace event say which
 *  - EOPNOTSUPP: the kernel would have to copy through a bounce buffer
 *  - ENODEV: the device has been unbound, or the region revoked
 *  - ENOSPC: the device's quota of maps is used up: module parameter max_maps, or
 *    as many bytes as the machine has memory
 *  - ENOMEM: no memory, or no room in the IOMMU's address space
 *  - EIO: the IOMMU's driver failed
 */
struct guestmem_map {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 address_bits;
	__aligned_u64 offset;
	__aligned_u64 length;
	__u32 map_id;
	__u32 properties;
	__u32 segments;
	__u32 reserved;
};
#define GUESTMEM_MAP _IO(GUESTMEM_TYPE, GUESTMEM_CMD_MAP)

/**
 * struct guestmem_segment - one contiguous piece of a map
 * @offset: Where it is in the region
 * @address: Where the device finds it
 * @length: How long it is
 */
struct guestmem_segment {
	__aligned_u64 offset;
	__aligned_u64 address;
	__aligned_u64 length;
};

/**
 * struct guestmem_query - ioctl(GUESTMEM_QUERY) on a device
 * @size: sizeof(struct guestmem_query)
 * @flags: Must be 0
 * @map_id: Names the map
 * @count: Input, how many segments the array at @segments has room for.
 *	Output, how many there are from @offset on, also with EMSGSIZE
 * @offset: Offset in the region from where on segments are wanted. The first
 *	one starts there, maybe amid a piece
 * @segments: Address of an array of struct guestmem_segment
 *
 * Tell the addresses at which the device finds a map's memory, ascending by
 * offset. Pieces that are adjacent for the device are one segment.
 *
 * Particular errors:
 *
 *  - ENOENT: no such map
 *  - ERANGE: @offset is not inside the map
 *  - EMSGSIZE: @count is too small: the array is filled with what fits
 *  - ENODEV: the device has been unbound
 */
struct guestmem_query {
	__u32 size;
	__u32 flags;
	__u32 map_id;
	__u32 count;
	__aligned_u64 offset;
	__aligned_u64 segments;
};
#define GUESTMEM_QUERY _IO(GUESTMEM_TYPE, GUESTMEM_CMD_QUERY)

/**
 * enum guestmem_sync_flags - flags of GUESTMEM_SYNC
 * @GUESTMEM_SYNC_CPU: the device has written, the CPU is going to read
 * @GUESTMEM_SYNC_DEVICE: the CPU has written, the device is going to read, or
 *	to write
 */
enum guestmem_sync_flags {
	GUESTMEM_SYNC_CPU = 1 << 0,
	GUESTMEM_SYNC_DEVICE = 1 << 1,
};

/**
 * struct guestmem_sync - ioctl(GUESTMEM_SYNC) on a device
 * @size: sizeof(struct guestmem_sync)
 * @flags: enum guestmem_sync_flags, exactly one
 * @map_id: Names the map
 * @reserved: Must be 0
 * @offset: Offset in the region where the range starts
 * @length: Length of the range
 *
 * Hand a range of a map over from the device to the CPU or back. Needed only
 * without GUESTMEM_MAP_COHERENT. DMA_BUF_IOCTL_SYNC on the region does this for
 * what other drivers have mapped, and for no map of this module.
 *
 * Particular errors:
 *
 *  - EINVAL: none or both of the flags; @length is zero
 *  - EOVERFLOW: @offset + @length wraps
 *  - ENOENT: no such map
 *  - ERANGE: the range is not inside the map
 *  - EINTR: the caller is being killed
 *  - ENODEV: the device has been unbound
 */
struct guestmem_sync {
	__u32 size;
	__u32 flags;
	__u32 map_id;
	__u32 reserved;
	__aligned_u64 offset;
	__aligned_u64 length;
};
#define GUESTMEM_SYNC _IO(GUESTMEM_TYPE, GUESTMEM_CMD_SYNC)

/**
 * struct guestmem_unmap - ioctl(GUESTMEM_UNMAP) on a device
 * @size: sizeof(struct guestmem_unmap)
 * @flags: Must be 0
 * @map_id: Names the map
 * @reserved: Must be 0
 *
 * Undo GUESTMEM_MAP. When it returns, the IOMMU lets the device reach the
 * memory no more. Without an IOMMU it is for the caller to have stopped the
 * device before.
 *
 * GUESTMEM_MAP has handed all of the range over to the device, and this hands it
 * to the CPU. Without GUESTMEM_MAP_COHERENT, what the CPU has written there for
 * another map of the same memory must have been handed over before.
 *
 * Particular errors:
 *
 *  - ENOENT: no such map
 *  - ENODEV: the device has been unbound, and the map with it
 */
struct guestmem_unmap {
	__u32 size;
	__u32 flags;
	__u32 map_id;
	__u32 reserved;
};
#define GUESTMEM_UNMAP _IO(GUESTMEM_TYPE, GUESTMEM_CMD_UNMAP)

/**
 * struct guestmem_device_info - ioctl(GUESTMEM_DEVICE_INFO) on a device
 * @size: sizeof(struct guestmem_device_info)
 * @flags: Must be 0
 * @vendor: Output, as in the device's configuration space
 * @device: Output, the same
 * @subsystem_vendor: Output, the same
 * @subsystem_device: Output, the same
 * @class_revision: Output, the same: class, subclass, programming interface and
 *	revision, a byte each, the class in the highest
 * @bars: Output, bit n: GUESTMEM_BAR gives BAR n
 * @interrupts: Output, how many interrupts GUESTMEM_INTERRUPTS can set up; 0 while the
 *	device does not answer, as when it was pulled out
 *
 * Which device it is, and what it has.
 *
 * Particular errors:
 *
 *  - ENODEV: the device has been unbound
 */
struct guestmem_device_info {
	__u32 size;
	__u32 flags;
	__u16 vendor;
	__u16 device;
	__u16 subsystem_vendor;
	__u16 subsystem_device;
	__u32 class_revision;
	__u32 bars;
	__u32 interrupts;
};
#define GUESTMEM_DEVICE_INFO _IO(GUESTMEM_TYPE, GUESTMEM_CMD_DEVICE_INFO)

/**
 * struct guestmem_bar - ioctl(GUESTMEM_BAR) on a device
 * @size: sizeof(struct guestmem_bar)
 * @flags: Must be 0
 * @bar: Which one, 0 to 5; one of 64 bits has the number of its lower half
 * @reserved: Must be 0
 * @length: Output, its length, a multiple of the page size
 * @offset: Output, what to give mmap(2) on the device for its first byte
 *
 * Let the device's registers be mapped with mmap(2), MAP_SHARED only, uncached. A
 * mapping can be of a part; a forked child does not inherit it. The device counts
 * as open while there is one. When the device is unbound, the registers are replaced
 * by memory of ones, as if it had been pulled out: nothing reaches it any more.
 *
 * mmap(2) gives EINVAL for what this was not called for, and ENODEV after the
 * device has been unbound.
 *
 * Particular errors:
 *
 *  - EINVAL: @bar is above 5
 *  - ENOENT: there is no such BAR, it is of I/O ports, or it is not whole pages
 *  - EPERM, EOPNOTSUPP: by policy, as GUESTMEM_MAP: who has the registers can have
 *    the device do anything
 *  - ENODEV: the device has been unbound
 */
struct guestmem_bar {
	__u32 size;
	__u32 flags;
	__u32 bar;
	__u32 reserved;
	__aligned_u64 length;
	__aligned_u64 offset;
};
#define GUESTMEM_BAR _IO(GUESTMEM_TYPE, GUESTMEM_CMD_BAR)

/**
 * struct guestmem_interrupts - ioctl(GUESTMEM_INTERRUPTS) on a device
 * @size: sizeof(struct guestmem_interrupts)
 * @flags: Must be 0
 * @count: How many; 0 ends all that there are
 * @reserved: Must be 0
 * @fds: Address of an array of @count file descriptors, __s32: interrupt n signals
 *	the n-th eventfd. -1: it is not wanted
 *
 * Have the device's interrupts signal eventfds. These are messages, MSI-X or MSI, the
 * first @count of the device; the interrupt line (INTx) is off. A device sends them
 * as the master of its bus, so from its first map on.
 *
 * They last until they are ended, the last close of the device file or the unbinding
 * of the device. When this returns for a @count of 0, no eventfd is signalled any
 * more.
 *
 * Particular errors:
 *
 *  - ERANGE: @count is above &guestmem_device_info.interrupts
 *  - EBADF, EINVAL: one of the file descriptors is no open file, or no eventfd
 *  - EBUSY: there are some already: end them first
 *  - EPERM, EOPNOTSUPP: by policy, as GUESTMEM_MAP
 *  - ENOSPC: the machine has not so many left
 *  - ENOMEM: no memory
 *  - ENODEV: the device has been unbound
 */
struct guestmem_interrupts {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 reserved;
	__aligned_u64 fds;
};
#define GUESTMEM_INTERRUPTS _IO(GUESTMEM_TYPE, GUESTMEM_CMD_INTERRUPTS)

#endif /* _UAPI_LINUX_GUESTMEM_H */
