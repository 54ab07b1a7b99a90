/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the module share.
 *
 * Lock order, outermost first:
 *
 *   device_lock() of the PCI device     (driver core; release of a device file)
 *     misc_mtx                          (driver core; open of a device file)
 *       guestmem_device.lock
 *         guestmem_region.lock          (also below mmap_lock and dma_resv)
 *           i_mmap_rwsem                (revoke tears CPU mappings down)
 *         guestmem_device.registers_lock (also below mmap_lock)
 *   guestmem_list_lock                  (leaf)
 *
 * No memory of user space is touched with guestmem_region.lock or
 * guestmem_device.lock held: a fault could be made to last for ever.
 */
#ifndef GUESTMEM_PRIVATE_H
#define GUESTMEM_PRIVATE_H

#include <linux/dma-buf.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <linux/guestmem.h>

#include "segment.h"

struct eventfd_ctx;
struct guestmem_ucmd;
struct seq_file;

/**
 * struct guestmem_charge - what was counted, and in whose name
 * @cred: of the user whose locked memory it is. (Not the user itself: what drops that
 *	is not exported by all kernels.)
 * @mm: the address space whose pinned memory it is
 * @npages: how many pages; 0 if nothing is charged
 *
 * The creator may have forked, executed, changed its user or passed the file
 * descriptor on by the time of the uncharge: so all of it is remembered.
 */
struct guestmem_charge {
	const struct cred *cred;
	struct mm_struct *mm;
	unsigned long npages;
};

/**
 * struct guestmem_control - one open file of the control device
 * @ref: the file's and one for each region made through it
 * @regions: how many of those regions there are
 * @bytes: memory that they have together
 */
struct guestmem_control {
	struct kref ref;
	atomic_long_t regions;
	atomic64_t bytes;
};

/**
 * struct guestmem_region - one range of memory that stays where it is
 * @lock: protects @pages once the region is published, @revoked, @maps, @dmas,
 *	@written
 * @owner: the open file that has made it
 * @node: in the list of all regions
 * @published: it is in the list, and counted
 * @pages: one entry a page; NULL when revoked
 * @npages: its length, also when revoked
 * @granule: &guestmem_region_info.granule while there is memory
 * @nid: NUMA node of all pages, or NUMA_NO_NODE
 * @kind: enum guestmem_region_kind
 * @writable: devices may write to it
 * @written: a device may have written to it
 * @revoked: its memory was taken back
 * @maps: users of @pages other than CPU mappings: while there are any, it
 *	cannot be revoked
 * @dmas: what importers have mapped for DMA
 * @charge: what its pages cost whom
 * @pid: thread group of the creator, for who looks
 * @comm: name of the creator
 *
 * Lives as long as its dma-buf, whose private data it is.
 */
struct guestmem_region {
	struct mutex lock; /* see above */
	struct guestmem_control *owner;
	struct list_head node;
	bool published;
	struct page **pages;
	unsigned long npages;
	u64 granule;
	int nid;
	u32 kind;
	bool writable;
	bool written;
	bool revoked;
	unsigned int maps;
	struct list_head dmas;
	struct guestmem_charge charge;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/**
 * struct guestmem_dma - pages of a region, mapped for the DMA of a device
 * @node: an importer's: in the region's list
 * @dev: the device
 * @dir: who may do what
 * @sgt: the pages, with the addresses that the device uses
 */
struct guestmem_dma {
	struct list_head node;
	struct device *dev;
	enum dma_data_direction dir;
	struct sg_table sgt;
};

/**
 * struct guestmem_device - a PCI device that is bound to the driver
 * @ref: one while bound, one while open
 * @pdev: the device, referenced
 * @misc: its node
 * @name: name of the misc device
 * @nodename: path of the node below /dev
 * @node: in the list of all devices
 * @dma_mask: what the device's limits were before, for its next driver
 * @max_seg_size: the same
 * @seg_boundary: the same
 * @was_master: it was master of its bus when the system was suspended
 * @lock: protects all below
 * @gone: it was unbound: @pdev is not ours any more
 * @open: there is an open file
 * @maps: struct guestmem_mapping by map id
 * @next_id: ids are not used again soon
 * @nmaps: how many maps there are
 * @bytes: length of them together
 * @nsegments: segments of them together
 * @triggers: what each interrupt signals, or NULL
 * @ntriggers: how many interrupts there are; 0: none were asked for
 * @registers_lock: protects all below
 * @bars: bit n: BAR n can be mapped by who has the file
 * @registers_gone: they can't be mapped any more
 * @registers_mapping: the open file's
 * @ones: a page that is mapped in the place of registers that are gone
 */
struct guestmem_device {
	struct kref ref;
	struct pci_dev *pdev;
	struct miscdevice misc;
	char name[32];
	char nodename[48];
	struct list_head node;
	u64 dma_mask;
	unsigned int max_seg_size;
	unsigned long seg_boundary;
	bool was_master;
	struct mutex lock; /* see above */
	bool gone;
	bool open;
	struct xarray maps;
	u32 next_id;
	unsigned int nmaps;
	u64 bytes;
	u64 nsegments;
	struct eventfd_ctx **triggers;
	u32 ntriggers;
	struct mutex registers_lock; /* see above */
	u32 bars;
	bool registers_gone;
	struct address_space *registers_mapping;
	struct page *ones;
};

/**
 * struct guestmem_mapping - a range of a region, mapped for a bound device
 * @ref: one while mapped, one for each query that is under way
 * @id: its map id
 * @dmabuf: the region's, referenced while mapped
 * @offset: where in the region the range starts
 * @length: length of the range
 * @dma: pages and addresses
 * @segs: the same for user space; never changes
 * @mapped: @dma is mapped
 * @properties: enum guestmem_map_properties
 * @live: user space has been told its id
 */
struct guestmem_mapping {
	struct kref ref;
	u32 id;
	struct dma_buf *dmabuf;
	u64 offset;
	u64 length;
	struct guestmem_dma dma;
	struct guestmem_segs segs;
	u32 properties;
	bool mapped;
	bool live;
};

/* main.c: module parameters */
extern bool guestmem_allow_unsafe_noiommu;
extern bool guestmem_allow_lazy_iommu;
extern bool guestmem_allow_unsafe_interrupts;
extern unsigned int guestmem_max_maps;

/* control.c */
extern struct miscdevice guestmem_control_misc;
void guestmem_control_put(struct guestmem_control *control);

/* account.c */
int guestmem_charge(struct guestmem_charge *charge, unsigned long npages);
void guestmem_uncharge(struct guestmem_charge *charge);
void guestmem_charge_query(u64 *locked, u64 *limit);

/* alloc.c, pin.c: fill in and release region->pages */
int guestmem_pages_alloc(struct guestmem_region *region, int node, bool huge);
void guestmem_pages_free(struct guestmem_region *region);
int guestmem_pages_pin(struct guestmem_region *region, unsigned long address);
void guestmem_pages_unpin(struct guestmem_region *region);
u64 guestmem_page_sizes(void);

/* region.c */
extern struct list_head guestmem_regions;
extern struct mutex guestmem_list_lock;
u64 guestmem_region_max(void);
struct guestmem_region *guestmem_region_new(struct guestmem_control *owner,
					    u32 kind, u64 length);
int guestmem_region_publish(struct guestmem_region *region, u32 fd_flags,
			    struct dma_buf **dmabuf);
void guestmem_region_free(struct guestmem_region *region);
struct dma_buf *guestmem_region_get(int fd);
bool guestmem_region_writable(const struct dma_buf *dmabuf);
int guestmem_region_revoke(struct dma_buf *dmabuf,
			   const struct guestmem_control *owner);
int guestmem_region_describe(struct dma_buf *dmabuf,
			     struct guestmem_region_info *info);

/* dmabuf.c */
extern const struct dma_buf_ops guestmem_dmabuf_ops;

/* mmap.c */
int guestmem_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);
void guestmem_mmap_revoke(struct dma_buf *dmabuf);

/* dma.c: pages of a region for a device, ours or an importer's */
int guestmem_dma_map(struct guestmem_region *region, struct guestmem_dma *dma,
		     unsigned long first, unsigned long npages);
void guestmem_dma_unmap(struct guestmem_region *region,
			struct guestmem_dma *dma);

/* policy.c */
int guestmem_policy_check(struct pci_dev *pdev, u32 *properties);
int guestmem_policy_check_reach(struct device *dev,
				struct guestmem_region *region,
				unsigned long first, unsigned long npages);
int guestmem_policy_check_mapped(struct guestmem_dma *dma, u32 properties);
void guestmem_policy_flush(struct device *dev);

/* mapping.c */
int guestmem_mapping_new(struct guestmem_device *gdev, struct dma_buf *dmabuf,
			 const struct guestmem_map *cmd,
			 struct guestmem_mapping **out);
void guestmem_mapping_remove(struct guestmem_device *gdev,
			     struct guestmem_mapping *mapping);
void guestmem_mapping_remove_all(struct guestmem_device *gdev);
void guestmem_mapping_put(struct guestmem_mapping *mapping);
int guestmem_mapping_sync(struct guestmem_mapping *mapping,
			  u64 offset, u64 length, bool for_cpu);

/* pci.c */
extern struct list_head guestmem_devices;
int guestmem_pci_register(void);
void guestmem_pci_unregister(void);
void guestmem_device_put(struct guestmem_device *gdev);
int guestmem_device_start(struct guestmem_device *gdev);
void guestmem_device_stop(struct guestmem_device *gdev);

/* device.c */
extern const struct file_operations guestmem_device_fops;

/* registers.c */
int guestmem_ioctl_device_info(struct guestmem_ucmd *ucmd);
int guestmem_ioctl_bar(struct guestmem_ucmd *ucmd);
int guestmem_registers_mmap(struct file *file, struct vm_area_struct *vma);
void guestmem_registers_open(struct guestmem_device *gdev, struct file *file);
void guestmem_registers_revoke(struct guestmem_device *gdev);

/* interrupt.c */
u32 guestmem_interrupts_max(struct pci_dev *pdev);
int guestmem_ioctl_interrupts(struct guestmem_ucmd *ucmd);
void guestmem_interrupts_free(struct guestmem_device *gdev);

/* debugfs.c */
void guestmem_debugfs_init(void);
void guestmem_debugfs_exit(void);

#endif /* GUESTMEM_PRIVATE_H */
