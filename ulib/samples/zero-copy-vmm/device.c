/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * device.c - the device's thread: sleeps until there is something to do, does it.
 *
 * A kick does not pass through the virtual CPU's thread: KVM signals the eventfd, and
 * the CPU goes on in the guest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../virtio/reason.h"
#include "device.h"

#define LOG_MAX 200
/* How often a backend that is silent is asked all the same: it may be dead. */
#define LOOK_MS 100

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void signal_event(int fd)
{
	uint64_t one = 1;

	/* It only fails when the counter is full, which is signal enough. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

void device_kick(struct device *d)
{
	signal_event(d->kick);
}

static void interrupt(struct device *d, uint32_t why)
{
	__atomic_or_fetch(&d->interrupt_status, why, __ATOMIC_SEQ_CST);
	signal_event(d->irq);
}

void device_break(struct device *d)
{
	d->blk.live = false;
	/* A guest may do this without end. */
	if (d->stats.broken++ < LOG_MAX)
		fprintf(stderr, "device needs a reset: %s\n", log_reason());
	d->regs.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (d->regs.status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(d, VIRTIO_MMIO_INT_CONFIG);
}

void device_drain(struct device *d)
{
	blk_cancel(&d->blk);
	/* What the backend has is its own until it gives it back. */
	while (d->blk.in_flight || d->mending) {
		device_kick(d);
		pthread_cond_wait(&d->idle, &d->lock);
	}
	blk_unset_queue(&d->blk);
}

void device_enter(struct device *d)
{
	__atomic_add_fetch(&d->wanted, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&d->lock);
	__atomic_sub_fetch(&d->wanted, 1, __ATOMIC_SEQ_CST);
}

bool device_runs(const struct device *d)
{
	return (d->regs.status & VIRTIO_CONFIG_S_DRIVER_OK) && d->regs.queue_ready &&
	       !(d->regs.status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

int device_set_map(struct device *d, struct gm_map *map)
{
	struct backend *backend = d->blk.backend;
	int err;

	device_enter(d);
	/* None is begun any more. Those that are find their memory as it was. */
	d->blk.live = false;
	d->stats.waited_for += d->blk.in_flight;
	while (d->blk.in_flight || d->mending) {
		device_kick(d);
		pthread_cond_wait(&d->idle, &d->lock);
	}
	err = backend->ops->memory_changed(backend, map);
	if (!err && blk_set_map(&d->blk, map, d->regs.queue_ready))
		device_break(d);
	d->blk.live = device_runs(d);
	device_kick(d);
	pthread_mutex_unlock(&d->lock);
	return err;
}

/* Serve the queue. True: there is more to do right now. */
static bool serve(struct device *d)
{
	const struct backend *backend = d->blk.backend;
	int ret = blk_run(&d->blk);

	if (ret < 0)
		device_break(d);
	else if (ret)
		interrupt(d, VIRTIO_MMIO_INT_VRING);
	if (!d->blk.in_flight) {
		pthread_cond_broadcast(&d->idle);
		return d->blk.again || backend->stuck;
	}
	/* A backend without a descriptor must be asked, and asked. */
	return d->blk.again || backend->stuck || backend->ops->poll_fd(backend) < 0;
}

/* Until the driver kicks, or the backend has done something. */
static void wait_for_work(struct device *d, bool in_flight)
{
	const struct backend *backend = d->blk.backend;
	struct pollfd fds[] = {
		{ .fd = d->kick, .events = POLLIN },
		{ .fd = in_flight ? backend->ops->poll_fd(backend) : -1, .events = POLLIN },
	};
	uint64_t count;

	poll(fds, 2, in_flight ? LOOK_MS : -1);
	if ((fds[0].revents & POLLIN) && read(d->kick, &count, sizeof(count)) < 0)
		return;
}

/* The virtual CPU's thread comes first, or it would wait for ever for a busy device. */
static void let_in(struct device *d)
{
	pthread_mutex_unlock(&d->lock);
	while (__atomic_load_n(&d->wanted, __ATOMIC_SEQ_CST))
		sched_yield();
	pthread_mutex_lock(&d->lock);
}

/*
 * A medium that is reset can take a quarter of a minute. Registers are others' to access
 * meanwhile: none of that calls the backend. Who takes memory from the disk waits: a reset,
 * a queue that is stopped, memory that is unplugged.
 */
static void mend(struct device *d)
{
	struct backend *backend = d->blk.backend;

	d->mending = true;
	pthread_mutex_unlock(&d->lock);
	backend->ops->mend(backend);
	pthread_mutex_lock(&d->lock);
	d->mending = false;
	pthread_cond_broadcast(&d->idle);
}

static void *device_thread(void *arg)
{
	struct device *d = arg;
	uint64_t since = now(CLOCK_MONOTONIC);

	pthread_mutex_lock(&d->lock);
	while (!d->stop || d->blk.in_flight) {
		bool in_flight;

		if (serve(d)) {
			if (d->blk.backend->stuck)
				mend(d);
			else if (__atomic_load_n(&d->wanted, __ATOMIC_SEQ_CST))
				let_in(d);
			continue;
		}
		in_flight = d->blk.in_flight;
		pthread_mutex_unlock(&d->lock);
		if (!in_flight)
			d->stats.busy_ns += now(CLOCK_MONOTONIC) - since;
		wait_for_work(d, in_flight);
		if (!in_flight)
			since = now(CLOCK_MONOTONIC);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	d->stats.cpu_ns = now(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

int device_start(struct device *d, struct backend *backend, const struct gm_map *map)
{
	int err;

	memset(d, 0, sizeof(*d));
	err = blk_init(&d->blk, backend, map);
	if (err)
		return err;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->idle, NULL);
	d->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = d->irq < 0 || d->kick < 0 ? -errno : 0;
	if (!err)
		err = -pthread_create(&d->thread, NULL, device_thread, d);
	if (err)
		device_exit(d);
	return err;
}

void device_stop(struct device *d)
{
	/* A guest whose requests offer others keeps the thread at work, with the lock. */
	device_enter(d);
	device_drain(d);
	d->stop = true;
	device_kick(d);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
}

void device_exit(struct device *d)
{
	if (d->kick >= 0)
		close(d->kick);
	if (d->irq >= 0)
		close(d->irq);
	pthread_cond_destroy(&d->idle);
	pthread_mutex_destroy(&d->lock);
	blk_exit(&d->blk);
}
