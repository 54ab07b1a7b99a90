/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * device.h - the disk as the guest finds it: registers, a thread that serves the queue.
 *
 * Two threads meet here. The virtual CPU's accesses registers; the device's serves the
 * queue. A lock is held by whoever touches either, but for the interrupt status, which
 * is atomic: an interrupt handler does not wait for a request that is being moved.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <pthread.h>

#include "blk.h"

/* Registers of virtio-mmio, and the space for them; the interrupt line. */
#define DEVICE_BASE	0xd0000000u
#define DEVICE_SIZE	0x1000u
#define DEVICE_IRQ	5u

/**
 * struct device_regs - what the driver has written to registers
 * @status: VIRTIO_CONFIG_S_*
 * @device_features_sel: which half of the device's features it reads
 * @driver_features_sel: and of its own it writes
 * @driver_features: what it has accepted
 * @queue_sel: which queue the registers of a queue are for; there is 0 alone
 * @queue_num: its entries
 * @queue_ready: is it set up?
 * @queue: guest addresses of its parts, as two halves
 */
struct device_regs {
	uint32_t status;
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint64_t driver_features;
	uint32_t queue_sel;
	uint32_t queue_num;
	bool queue_ready;
	struct {
		uint32_t low;
		uint32_t high;
	} queue[3];
};

/**
 * struct device_stats - for the report
 * @cpu_ns: CPU time of the device's thread
 * @busy_ns: time while it had something to do
 * @resets: by the driver, but for the first
 * @broken: times that the device needed a reset
 * @waited_for: requests that were in flight when memory went, and ended first
 */
struct device_stats {
	uint64_t cpu_ns;
	uint64_t busy_ns;
	uint64_t resets;
	uint64_t broken;
	uint64_t waited_for;
};

/**
 * struct device - the disk
 * @blk: what it does
 * @regs: what the driver has told it
 * @interrupt_status: VIRTIO_MMIO_INT_*, atomic
 * @kick: eventfd by which the driver, and we, wake the thread
 * @irq: eventfd of the interrupt, or -1
 * @lock: for all but @interrupt_status, @wanted and the descriptors
 * @wanted: threads that wait for @lock, atomic: the device's lets them in
 * @idle: told when nothing is in flight
 * @thread: the device's thread
 * @mending: the backend mends itself, without @lock: nobody else may call it
 * @stop: it is to end
 * @stats: what it has done
 */
struct device {
	struct blk blk;
	struct device_regs regs;
	uint32_t interrupt_status;
	int kick;
	int irq;
	pthread_mutex_t lock;
	int wanted;
	pthread_cond_t idle;
	pthread_t thread;
	bool mending;
	bool stop;
	struct device_stats stats;
};

/* Return: 0; a negative errno, with nothing left behind. */
int device_start(struct device *d, struct backend *backend, const struct gm_map *map);

/* End the thread, with nothing in flight. */
void device_stop(struct device *d);

/* Free what device_start() has made. */
void device_exit(struct device *d);

/*
 * The guest's memory is @map from now on; what is in flight has ended, and was not given up.
 * @map must live until device_exit(), the old one no longer.
 *
 * Return: 0; a negative errno of the backend's, which has the old one, or none: then it
 * fails what needs it.
 */
int device_set_map(struct device *d, struct gm_map *map);

/* The virtual CPU accesses a register, @off bytes behind DEVICE_BASE. */
void device_read(struct device *d, uint64_t off, void *data, uint32_t len);
void device_write(struct device *d, uint64_t off, const void *data, uint32_t len);

/* Take the lock: the device's thread lets it go, even if it has work without end. */
void device_enter(struct device *d);

/* And with the lock held: */

/* The driver has set up all that the queue needs to run. */
bool device_runs(const struct device *d);

/* The queue stops: when this returns, the device touches the guest's memory no more. */
void device_drain(struct device *d);

/* Wake the thread. */
void device_kick(struct device *d);

/* The driver has lost its mind (log it with what because() was told). */
void device_break(struct device *d);

#endif /* DEVICE_H */
