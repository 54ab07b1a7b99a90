/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_deadline.c - a controller that does not do its work.
 *
 * It can be silent for good, or lose one command and do all others. So each command has a
 * deadline. One that misses it is aborted; if not even that ends it, the controller is
 * reset: its request fails then, and those that were only in its company are done again.
 * Linux's driver goes about it in the same way (nvme_timeout()).
 *
 * Nothing of that is paid for by a command: ages are looked at now and then, and a command
 * is as old as the first look that has seen it.
 */
#include <errno.h>

#include "backend_nvme.h"

void nvme_disk_trouble(struct nvme_disk *d, int err)
{
	d->trouble = err;
	d->base.stuck = true;
}

/* Is it on time? 0; -ETIMEDOUT: a reset must help. */
static int look_at(struct nvme_disk *d, uint16_t id, uint64_t now)
{
	struct nvme_slot *slot = &d->slots[id];
	uint64_t age;
	int ret;

	if (!slot->request)
		return 0;
	if (slot->since == DISK_JUST_NOW)
		slot->since = now;
	age = now - slot->since;
	if (age <= d->timeout_ms)
		return 0;
	slot->late = true;
	if (age - d->timeout_ms > d->abort_ms)
		return -ETIMEDOUT;
	if (slot->aborted)
		return 0;
	ret = nvme_abort(&d->nvme, id);
	slot->aborted = ret > 0;
	return ret < 0 ? -EIO : 0;
}

/* Also behind one that is too late: which others are is asked for after a reset. */
static int look_at_all(struct nvme_disk *d, uint64_t now)
{
	int err = 0, ret;
	uint16_t id;

	for (id = 0; id < d->commands; id++) {
		ret = look_at(d, id, now);
		if (ret == -EIO)
			return ret;
		if (ret)
			err = ret;
	}
	return err;
}

void nvme_disk_look(struct nvme_disk *d)
{
	uint64_t now;
	int err;

	if (!nvme_queue_in_flight(&d->nvme.io))
		return;
	/* Who spins asks often, and the time can be as dear as a system call. */
	if (d->nvme.bar.interrupt < 0 && ++d->spins % DISK_SPINS)
		return;
	now = nvme_now_ms();
	if (now - d->looked < DISK_LOOK_MS)
		return;
	d->looked = now;
	err = nvme_health(&d->nvme);
	if (!err)
		err = look_at_all(d, now);
	if (err)
		nvme_disk_trouble(d, err);
}
