/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod.h - guest memory of the kernel module: it stays where it is, and real
 * devices reach it by DMA.
 *
 * The module allocates a region's memory, or pins memory that the process has
 * already; either way it becomes an ordinary region, and access to it costs
 * what access to mapped memory costs. A PCI device that is bound to the
 * module's driver is opened by its address; regions are mapped for it, and
 * dma.h turns guest addresses into those that the device uses.
 *
 * The module is Linux only, and may not be there, or not for this user. Then
 * all here fails with an error that says so; gm_map_new_auto() takes mapped
 * memory instead.
 *
 * All functions may run at once, in any thread.
 */
#ifndef GUESTMEM_KMOD_H
#define GUESTMEM_KMOD_H

#include <guestmem/dma.h>

GM_BEGIN_DECLS

struct gm_kmod;
struct gm_kmod_device;

/* gm_kmod_info.caps: what the module can do. Numbers as in its ioctl header. */
#define GM_KMOD_CAP_ALLOC (UINT64_C(1) << 0)	/* allocate regions */
#define GM_KMOD_CAP_PIN (UINT64_C(1) << 1)	/* pin memory */
#define GM_KMOD_CAP_HUGE (UINT64_C(1) << 2)	/* of huge pages only */
#define GM_KMOD_CAP_REVOKE (UINT64_C(1) << 3)	/* take memory back */
#define GM_KMOD_CAP_DEVICE (UINT64_C(1) << 4)	/* map for PCI devices */
/* What its administrator has allowed it. */
#define GM_KMOD_CAP_UNSAFE_NOIOMMU (UINT64_C(1) << 5)
#define GM_KMOD_CAP_LAZY_IOMMU (UINT64_C(1) << 6)
#define GM_KMOD_CAP_UNSAFE_INTERRUPTS (UINT64_C(1) << 7)
/* kmod_driver.h */
#define GM_KMOD_CAP_REGISTERS (UINT64_C(1) << 8)
#define GM_KMOD_CAP_INTERRUPTS (UINT64_C(1) << 9)

/**
 * struct gm_kmod_info - what the module can do
 * @caps: GM_KMOD_CAP_*
 * @page_sizes: sizes of page that regions can be made of: bit n is 2^n bytes
 * @max_length: longest region
 * @locked: bytes locked now in the name of this user
 * @locked_limit: up to where that may grow
 * @reserved: zero
 */
struct gm_kmod_info {
	uint64_t caps;
	uint64_t page_sizes;
	uint64_t max_length;
	uint64_t locked;
	uint64_t locked_limit;
	uint64_t reserved[3];
};

GM_STATIC_ASSERT(sizeof(struct gm_kmod_info) == 64, "ABI");

/**
 * gm_kmod_open() - open the module's control device
 * @path: its node; NULL: /dev/guestmem
 * @out: the module, with one reference
 *
 * Return: 0; -ENOENT, -ENOTDIR, -ENXIO or -ENODEV (GM_ERR_NO_MODULE) the module
 * is not loaded, or @path is something else; -EACCES or -EPERM
 * (GM_ERR_NOT_PERMITTED) to open or to use it; -ENOMEM (GM_ERR_MEMORY); the system
 * call's own (GM_ERR_IO).
 */
GM_API int gm_kmod_open(const char *path, struct gm_kmod **out);

/**
 * gm_kmod_new() - the same with a descriptor that somebody else has opened
 * @fd: of the control device; closed with the last reference. On failure it
 *	stays the caller's.
 * @out: the module, with one reference
 *
 * For processes that may not open it: a descriptor can be inherited, or come
 * over a socket.
 *
 * Return: as gm_kmod_open(); -EBADF (GM_ERR_IO) no open descriptor.
 */
GM_API int gm_kmod_new(int fd, struct gm_kmod **out);

/**
 * gm_kmod_get() - take one more reference
 * @k: the module
 *
 * Return: @k.
 */
GM_API struct gm_kmod *gm_kmod_get(struct gm_kmod *k);

/**
 * gm_kmod_put() - drop a reference; the last one closes the control device
 * @k: the module; NULL is allowed
 *
 * Regions stay.
 */
GM_API void gm_kmod_put(struct gm_kmod *k);

/**
 * gm_kmod_query() - what the module can do, and how much is locked now
 * @k: the module
 * @out: filled
 *
 * Return: 0; the ioctl's errors (GM_ERR_IO).
 */
GM_API int gm_kmod_query(const struct gm_kmod *k, struct gm_kmod_info *out);

/**
 * gm_region_new_kmod() - a region of the module's memory
 * @k: the module
 * @gpa: guest address of its first byte
 * @len: bytes, not 0
 * @opts: how, as for gm_region_new_mmap(); NULL: the default
 * @out: the region, with one reference
 *
 * The module allocates the memory, zeroed, from node @opts->numa_node, with
 * GM_MMAP_READ_ONLY such that nobody can write to it, with @opts->huge_size of
 * the module's huge pages only, each contiguous. All of it is there at once and
 * counts as locked; no access takes a page fault; a forked child does not have
 * it. So GM_MMAP_LOCK, GM_MMAP_PREFAULT, GM_MMAP_NO_FORK and GM_MMAP_THP ask for
 * what is so anyway. gm_region_file() is the module's file: another process that
 * gets the descriptor can map the region for its own devices, or the CPU.
 *
 * If @opts says itself what the memory is to be (file, addr, map_flags,
 * GM_MMAP_MEMFD, GM_MMAP_PRIVATE, GM_MMAP_MERGEABLE, GM_MMAP_NO_THP, pages that
 * the module does not have), it is mapped so and pinned, as by
 * gm_region_new_pinned().
 *
 * Return: 0; an error of gm_region_new_mmap() or gm_region_new_pinned();
 * -ENOMEM (GM_ERR_MEMLOCK), (GM_ERR_HUGE), (GM_ERR_MEMORY); -EOVERFLOW
 * (GM_ERR_OVERFLOW) longer than the module allows; -ENODEV (GM_ERR_NUMA);
 * another of the ioctl's (GM_ERR_IO).
 */
GM_API int gm_region_new_kmod(struct gm_kmod *k, gm_gpa_t gpa, gm_size_t len,
			      const struct gm_mmap_opts *opts,
			      struct gm_region **out);

/**
 * gm_region_new_pinned() - a region whose memory the module keeps in place
 * @k: the module
 * @base: a region with a host address: one that the library mapped, or the
 *	caller's own range (gm_mmap_opts.addr); its length must be a multiple of
 *	the page size then. The new region takes a reference.
 * @out: the region, with one reference
 *
 * The same guest addresses, host addresses, bitmap and rights as @base has;
 * devices can be given it. It takes @base's place in a map. As long as it lives
 * the memory can't be discarded, through whatever region (hold.h); the holder's
 * name is "guestmem pin".
 *
 * Return: 0; -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR) mapped on demand; -EINVAL
 * (GM_ERR_MISALIGNED) start or length; -EFAULT (GM_ERR_IO) a part of it is not
 * mapped, or memory that can't be pinned; -ENOMEM (GM_ERR_MEMLOCK),
 * (GM_ERR_MEMORY); -EOVERFLOW (GM_ERR_OVERFLOW) longer than the module allows;
 * another of the ioctl's (GM_ERR_IO).
 */
GM_API int gm_region_new_pinned(struct gm_kmod *k, struct gm_region *base,
				struct gm_region **out);

/**
 * gm_map_new_kmod() - a map of regions of the module's memory
 * @k: the module
 * @ranges: where, in order of address
 * @opts: how, one a range; NULL: the default for all
 * @count: how many, not 0
 * @out: the map, with one reference; it alone holds the regions
 *
 * Return: 0; -EINVAL (GM_ERR_OPTION) as for gm_map_new_mmap(); an error of
 * gm_region_new_kmod() or of gm_map_new(), with nothing left behind.
 */
GM_API int gm_map_new_kmod(struct gm_kmod *k, const struct gm_range *ranges,
			   const struct gm_mmap_opts *opts, size_t count,
			   struct gm_map **out);

/**
 * gm_map_new_pinned() - the same map with all of its memory pinned
 * @k: the module
 * @m: the map, which stays as it is; regions that are the module's already are
 *	shared. Pinned ones that were revoked are pinned again.
 * @out: the map, with one reference
 *
 * Return: 0; -ENODEV (GM_ERR_REVOKED) memory that the module has taken back; an
 * error of gm_region_new_pinned() or of gm_map_new(), with nothing left behind.
 */
GM_API int gm_map_new_pinned(struct gm_kmod *k, const struct gm_map *m,
			     struct gm_map **out);

/**
 * enum gm_backend - where memory came from
 * @GM_BACKEND_MMAP: mapped: no real device can be given it
 * @GM_BACKEND_KMOD: the module
 */
enum gm_backend {
	GM_BACKEND_MMAP = 1,
	GM_BACKEND_KMOD = 2,
};

/**
 * struct gm_choice - which backend was taken, and why not the other
 * @backend: the one taken
 * @reserved32: zero
 * @why: with GM_BACKEND_MMAP what the module's said; else GM_ERR_NONE
 */
struct gm_choice {
	enum gm_backend backend;
	uint32_t reserved32;
	struct gm_error why;
};

GM_STATIC_ASSERT(sizeof(struct gm_choice) == 72, "ABI");

/**
 * gm_region_new_auto() - a region of the module's memory, or else a mapped one
 * @k: the module; NULL: open it for this
 * @gpa: guest address of its first byte
 * @len: bytes, not 0
 * @opts: how; NULL: the default
 * @out: the region, with one reference
 * @choice: what it became; NULL if it isn't wanted
 *
 * Whatever the module refuses is mapped instead; then @opts->progress may begin
 * anew. What is opened for this call is closed at its end: such a region can't be
 * revoked any more (gm_kmod_revoke()).
 *
 * Return: 0; -ECANCELED (GM_ERR_OPTION) @opts->progress said stop; an error of
 * gm_region_new_mmap().
 */
GM_API int gm_region_new_auto(struct gm_kmod *k, gm_gpa_t gpa, gm_size_t len,
			      const struct gm_mmap_opts *opts,
			      struct gm_region **out, struct gm_choice *choice);

/**
 * gm_map_new_auto() - a map of the module's memory, or else of mapped memory
 * @k: the module; NULL: open it for this
 * @ranges: where, in order of address
 * @opts: how, one a range; NULL: the default for all
 * @count: how many, not 0
 * @out: the map, with one reference; it alone holds the regions
 * @choice: what it became, all of it; NULL if it isn't wanted
 *
 * As gm_region_new_auto().
 *
 * Return: 0; -ECANCELED (GM_ERR_OPTION) a progress function said stop; an error of
 * gm_map_new_mmap().
 */
GM_API int gm_map_new_auto(struct gm_kmod *k, const struct gm_range *ranges,
			   const struct gm_mmap_opts *opts, size_t count,
			   struct gm_map **out, struct gm_choice *choice);

/* gm_kmod_region_info.properties; numbers as in the ioctl header */
#define GM_KMOD_REGION_READ_ONLY (1u << 0)	/* devices can't write to it */
#define GM_KMOD_REGION_REVOKED (1u << 1)	/* its memory was taken back */

/**
 * struct gm_kmod_region_info - what the module knows of a region
 * @length: its length, whole pages
 * @granule: the largest power of two so that it is made of physically contiguous
 *	pieces of at least that length and alignment; 0 if it was revoked
 * @numa_node: node + 1 that all of it is on; 0: more than one
 * @properties: GM_KMOD_REGION_*
 * @maps: how many maps for devices there are, of all processes
 * @pinned: true: memory that was there and was pinned; false: the module's own
 * @reserved: zero
 */
struct gm_kmod_region_info {
	uint64_t length;
	uint64_t granule;
	uint32_t numa_node;
	uint32_t properties;
	uint32_t maps;
	uint32_t pinned;
	uint64_t reserved[2];
};

GM_STATIC_ASSERT(sizeof(struct gm_kmod_region_info) == 48, "ABI");

/**
 * gm_kmod_region_query() - what the module knows of a region
 * @k: the module
 * @r: the region
 * @out: filled
 *
 * Return: 0; -EINVAL (GM_ERR_NOT_PINNED) not the module's; another of the
 * ioctl's (GM_ERR_IO).
 */
GM_API int gm_kmod_region_query(const struct gm_kmod *k,
				const struct gm_region *r,
				struct gm_kmod_region_info *out);

/**
 * gm_kmod_revoke() - take a region's memory back
 * @k: the module, as it was when it made the region: the same open file. What
 *	gm_map_new_auto() has opened by itself is closed since.
 * @r: the region
 *
 * Memory that the module allocated is freed now, whoever has it mapped: the next
 * access is SIGBUS, in this process too. fault.h makes zeros of that; watch the
 * region before. Pinned memory is only unpinned. Revoking twice is no error.
 *
 * Return: 0; -EBUSY (GM_ERR_HELD) a device uses it; the name is empty if that
 * is in another process; -EINVAL (GM_ERR_NOT_PINNED) not the module's; -EPERM
 * (GM_ERR_NOT_PERMITTED) made through another open file of the control device;
 * another of the ioctl's (GM_ERR_IO).
 */
GM_API int gm_kmod_revoke(struct gm_kmod *k, struct gm_region *r);

/**
 * gm_kmod_device_open() - open a PCI device that is bound to the module's driver
 * @address: its PCI address, such as "0000:00:04.0"
 * @address_bits: how many address bits it can drive: 12 to 64, or 0 for 64
 * @out: the device, with one reference
 *
 * It can be open once at a time. When the last reference to it and to its maps
 * goes, the file is closed; with the last copy of the file, which forked children
 * have, too, the device is reset and reaches no memory any more.
 *
 * Return: 0; -EINVAL (GM_ERR_OPTION) @address is no PCI address,
 * (GM_ERR_SIZE) @address_bits; -ENOENT, -ENOTDIR, -ENXIO or -ENODEV
 * (GM_ERR_NO_DEVICE) it is not bound to the driver, (GM_ERR_NO_MODULE) there is
 * no module; -EACCES or -EPERM (GM_ERR_NOT_PERMITTED) to open or to use it; -EBUSY
 * (GM_ERR_IO) somebody has it open; -ENOMEM (GM_ERR_MEMORY); the system call's own
 * (GM_ERR_IO).
 */
GM_API int gm_kmod_device_open(const char *address, unsigned int address_bits,
			       struct gm_kmod_device **out);

/**
 * gm_kmod_device_new() - the same with a descriptor that somebody else has
 *	opened
 * @fd: of the device's node; closed with the last reference. On failure it stays
 *	the caller's.
 * @name: name of the device, for people to read
 * @address_bits: as for gm_kmod_device_open()
 * @out: the device, with one reference
 *
 * Return: 0; -EBADF (GM_ERR_IO) no open descriptor; -EINVAL (GM_ERR_SIZE)
 * @address_bits; -ENOENT or -ENODEV (GM_ERR_NO_DEVICE) @fd is something else, or
 * the device is bound no more; -EACCES or -EPERM (GM_ERR_NOT_PERMITTED); -ENOMEM
 * (GM_ERR_MEMORY); another of the ioctl's (GM_ERR_IO).
 */
GM_API int gm_kmod_device_new(int fd, const char *name,
			      unsigned int address_bits,
			      struct gm_kmod_device **out);

/**
 * gm_kmod_device_get() - take one more reference
 * @d: the device
 *
 * Return: @d.
 */
GM_API struct gm_kmod_device *gm_kmod_device_get(struct gm_kmod_device *d);

/**
 * gm_kmod_device_put() - drop a reference
 * @d: the device; NULL is allowed
 *
 * Maps have one each.
 */
GM_API void gm_kmod_device_put(struct gm_kmod_device *d);

/**
 * gm_kmod_device_name() - name of a device
 * @d: the device
 *
 * Return: its PCI address, good as long as the device.
 */
GM_API const char *gm_kmod_device_name(const struct gm_kmod_device *d);

/**
 * gm_kmod_device_check() - is a device still bound to the module's driver?
 * @d: the device
 *
 * When it is unbound, all that was mapped for it is unmapped, but addresses that
 * the library has given go on to be given: looking up asks nobody. A program that
 * may outlive the binding asks before it uses them, above all in registers, which
 * are another driver's by then. A system call.
 *
 * Return: 0; -ENODEV (GM_ERR_NO_DEVICE) not any more; -EACCES or -EPERM
 * (GM_ERR_NOT_PERMITTED) this process may not ask; another of the ioctl's
 * (GM_ERR_IO).
 */
GM_API int gm_kmod_device_check(const struct gm_kmod_device *d);

/**
 * gm_kmod_map_new() - map a range of a region for a device's DMA
 * @d: the device; the map takes a reference
 * @r: a region of the module's memory (gm_region_new_kmod(),
 *	gm_region_new_pinned(), mapped from such a region's file, or an alias of one)
 * @off: first byte, a multiple of the page size
 * @len: bytes, a multiple of it as well, or all to the end of the region
 * @perm: what the device may do
 * @out: the map (dma.h), with one reference; the last one unmaps
 *
 * It is this process's: a forked child that drops its copy does not unmap. Where
 * the kernel refuses to unmap, as in a jail without the ioctl, the range stays
 * held and the region is kept, since the device still reaches it.
 *
 * Return: 0; -EINVAL (GM_ERR_NOT_PINNED) not the module's memory,
 * (GM_ERR_MISALIGNED) the range, or the region's offset in its file,
 * (GM_ERR_ZERO_LENGTH), (GM_ERR_PERMISSION) @perm is
 * GM_PERM_NONE; -EOVERFLOW (GM_ERR_OVERFLOW), -ERANGE (GM_ERR_OUT_OF_BOUNDS) the
 * range, or it does not fit the device's address bits; -EACCES
 * (GM_ERR_PERMISSION) read-only; -EPERM (GM_ERR_POLICY) the module does not
 * trust the device or its IOMMU: the kernel's log says why, -EOPNOTSUPP
 * (GM_ERR_POLICY) the kernel would have to copy all data; -ENODEV
 * (GM_ERR_NO_DEVICE) unbound, (GM_ERR_REVOKED); -ENOSPC (GM_ERR_IO) the device
 * has as many maps as it may have; -ENOMEM (GM_ERR_MEMORY) no memory, or no room
 * in the IOMMU's address space; -EIO (GM_ERR_BACKEND_RANGE) the module's segments
 * are not the range; another of the ioctl's (GM_ERR_IO).
 */
GM_API int gm_kmod_map_new(struct gm_kmod_device *d, struct gm_region *r,
			   gm_roff_t off, gm_size_t len, enum gm_perm perm,
			   struct gm_dma_map **out);

/* gm_kmod_map_properties(); numbers as in the ioctl header */
#define GM_KMOD_MAP_TRANSLATED (1u << 0)	/* an IOMMU translates */
#define GM_KMOD_MAP_STRICT (1u << 1)	/* it forgets a map at once */
#define GM_KMOD_MAP_COHERENT (1u << 2)	/* gm_dma_map_sync() is for free */

/**
 * gm_kmod_map_properties() - what a map is like
 * @m: a map of gm_kmod_map_new()
 *
 * Return: GM_KMOD_MAP_*; 0 for a map of another kind.
 */
GM_API uint32_t gm_kmod_map_properties(const struct gm_dma_map *m);

/* gm_dma_new_kmod() */
#define GM_KMOD_DMA_SKIP (1u << 0)	/* leave out what isn't the module's */

/**
 * gm_dma_new_kmod() - map all of a guest's memory for a device
 * @d: the device
 * @m: the guest's memory map
 * @perm: what the device may do; read-only regions are for reading all the same,
 *	and left out if that is GM_PERM_WRITE alone
 * @flags: GM_KMOD_DMA_*
 * @out: what dma.h looks up, with one reference
 *
 * Return: 0; -EINVAL (GM_ERR_OPTION) @flags, (GM_ERR_PERMISSION) @perm is
 * GM_PERM_NONE; an error of gm_kmod_map_new() or gm_dma_new(), with nothing left
 * behind.
 */
GM_API int gm_dma_new_kmod(struct gm_kmod_device *d, struct gm_map *m,
			   enum gm_perm perm, uint32_t flags,
			   struct gm_dma **out);

GM_END_DECLS

#endif /* GUESTMEM_KMOD_H */
