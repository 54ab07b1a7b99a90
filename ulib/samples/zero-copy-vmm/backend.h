/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend.h - what does the work of the emulated disk.
 *
 * The emulated device (blk.c) has parsed and checked a request; a backend moves the
 * data between the guest's memory and a medium:
 *
 *   file    preadv() and pwritev() on the guest's memory
 *   nvme    a real NVMe controller, by DMA into the guest's memory: no copy
 *   bounce  the same controller and a buffer of the VMM's own: a copy each way, which
 *           is what the way without copies is compared with
 *
 * One thread, the device's, calls all functions; or another, for which that waits, and
 * then nothing is in flight.
 *
 * Dirty pages are not a backend's affair: when a read comes back, well or not, who gave
 * it marks all of its memory, before the guest is told.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <guestmem.h>

#define SECTOR_SIZE	512u
#define SECTOR_SHIFT	9

enum backend_op {
	BACKEND_READ,	/* from the medium into guest memory */
	BACKEND_WRITE,
	BACKEND_FLUSH,
};

/**
 * struct backend_io - one request
 * @op: what to do
 * @sector: first sector; all sectors are on the medium
 * @data: the guest memory, whole sectors; not yet known to be memory: an address that
 *	is none, or may not be accessed so, is a result of -EFAULT or -EACCES
 * @view: the device's view of the guest's memory
 * @result: when it is done: 0 or a negative errno
 * @next: for lists of the backend's while it is submitted
 */
struct backend_io {
	enum backend_op op;
	uint64_t sector;
	struct gm_iov_cursor data;
	struct gm_view *view;
	int result;
	struct backend_io *next;
};

/**
 * struct backend_stats - what a report tells of a backend
 * @requests: requests done, all kinds
 * @bytes: bytes of data moved for them
 * @copied: bytes of those that the VMM's own CPU has copied
 */
struct backend_stats {
	uint64_t requests;
	uint64_t bytes;
	uint64_t copied;
};

struct backend;

/**
 * struct backend_ops - a kind of backend
 * @submit: begin a request; it stays the backend's until @reap gives it back. 0; -EBUSY
 *	no room now, try again after a @reap has given something back. What is wrong
 *	with the request itself is its result
 * @reap: a request that is done, or NULL
 * @mend: do what a backend that is @stuck needs; it may wait for the medium for long, and
 *	touches nothing but its own and, by what is in flight, guest memory. So its caller
 *	holds no lock that others want. NULL: it never is
 * @poll_fd: readable when @reap may have something; -1: it must be asked (spin)
 * @memory_changed: the guest's memory is @m from now on; nothing is submitted. 0 or
 *	a negative errno: it can't be reached
 * @close: the last call; what is in flight is given up, and its memory is not touched
 *	by the medium any more when it returns
 */
struct backend_ops {
	int (*submit)(struct backend *b, struct backend_io *io);
	struct backend_io *(*reap)(struct backend *b);
	void (*mend)(struct backend *b);
	int (*poll_fd)(const struct backend *b);
	int (*memory_changed)(struct backend *b, struct gm_map *m);
	void (*close)(struct backend *b);
};

/**
 * struct backend - the first member of each kind's own struct
 * @ops: its kind
 * @name: its name, for people
 * @sectors: size of the medium
 * @block_size: smallest unit of transfer of the medium, in bytes, a multiple of
 *	SECTOR_SIZE; a request that is not whole blocks is a result of -EINVAL
 * @max_bytes: data of one request at most
 * @stuck: nothing more comes back before its @mend was called
 * @stats: what was done
 */
struct backend {
	const struct backend_ops *ops;
	const char *name;
	uint64_t sectors;
	uint32_t block_size;
	uint64_t max_bytes;
	bool stuck;
	struct backend_stats stats;
};

/* backend_file.c: an image or a block device. 0 or a negative errno. */
int backend_file_open(const char *path, struct gm_map *m, struct backend **out);

/*
 * backend_nvme.c: the controller that is bound to the module's driver at this PCI
 * address; its queues are made in memory of @module. 0 or a negative errno.
 */
#define BACKEND_NVME_BOUNCE	(1u << 0)	/* by copies */
#define BACKEND_NVME_INTERRUPT	(1u << 1)	/* sleep until it is done; else spin */
int backend_nvme_open(struct gm_kmod *module, const char *address, struct gm_map *m,
		      uint32_t flags, struct backend **out);

#endif /* BACKEND_H */
