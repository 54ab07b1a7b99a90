/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dirty.c - from the front-end's log to a map that marks it.
 *
 * The log that comes with a ring's addresses (VHOST_VRING_F_LOG) is not needed: a
 * ring is a slice of the map, so that what is written to it is marked where it is.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dirty.h"
#include "event.h"
#include "log.h"

void dirty_init(struct dirty *d)
{
	d->log = NULL;
	d->event = -1;
}

void dirty_exit(struct dirty *d)
{
	gm_vhost_log_put(d->log);
	if (d->event >= 0)
		close(d->event);
	dirty_init(d);
}

int dirty_set_log(struct dirty *d, const struct vu_log *wire, int *fd)
{
	struct gm_vhost_log *log;
	struct gm_file *file;
	int err;

	err = gm_file_new(*fd, &file);
	if (err)
		return because_gm(err, "dirty log");
	*fd = -1;
	err = gm_vhost_log_new(file, wire->offset, wire->size, &log);
	gm_file_put(file);
	if (err)
		return because_gm(err, "dirty log");
	err = gm_region_watch(gm_vhost_log_region(log));
	if (err) {
		gm_vhost_log_put(log);
		return because_gm(err, "dirty log");
	}
	gm_vhost_log_put(d->log);
	d->log = log;
	return 0;
}

int dirty_set_event(struct dirty *d, int *fd)
{
	int err = event_check(*fd);

	if (err)
		return err;
	if (d->event >= 0)
		close(d->event);
	d->event = *fd;
	*fd = -1;
	return 0;
}

int dirty_map(const struct dirty *d, struct gm_map *map, struct gm_map **out)
{
	int err;

	if (!d->log) {
		*out = gm_map_get(map);
		return 0;
	}
	err = gm_vhost_log_map(d->log, map, out);
	return err ? because_gm(err, "dirty log") : 0;
}

int dirty_notify(const struct dirty *d)
{
	return event_signal(d->event);
}

int dirty_fault(const struct dirty *d)
{
	if (d->log && gm_region_fault(gm_vhost_log_region(d->log)))
		return because(-EIO, "the dirty log was taken away");
	return 0;
}
