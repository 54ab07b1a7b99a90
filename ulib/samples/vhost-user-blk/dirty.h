/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dirty.h - the log of what was written, for a guest that is moved elsewhere.
 *
 * While it is switched on, all that the device writes goes through a map of the
 * same memory whose regions mark the front-end's log. So nothing in the way of a
 * request knows of it.
 */
#ifndef DIRTY_H
#define DIRTY_H

#include <guestmem.h>

#include "vhost_user.h"

/**
 * struct dirty - the log
 * @log: the front-end's; NULL: none
 * @event: eventfd of who wants to know that something was marked; -1: nobody
 */
struct dirty {
	struct gm_vhost_log *log;
	int event;
};

void dirty_init(struct dirty *d);
void dirty_exit(struct dirty *d);

/*
 * Use this log from now on. The descriptor is taken (set to -1) if it is kept.
 *
 * Return: 0; a negative errno with because(), and the old one stays.
 */
int dirty_set_log(struct dirty *d, const struct vu_log *wire, int *fd);

/* Whom to tell. The descriptor is taken. Return: 0; -EINVAL it is no eventfd. */
int dirty_set_event(struct dirty *d, int *fd);

/*
 * The map that a device is to use instead of @map: one that marks the log, or,
 * without one, the same. With a reference.
 *
 * Return: 0; an error of gm_vhost_log_map() with because().
 */
int dirty_map(const struct dirty *d, struct gm_map *map, struct gm_map **out);

/* Something may have been marked. Return: 0; an error of event_signal(). */
int dirty_notify(const struct dirty *d);

/* Was the log taken away under us? Return: 0; -EIO. */
int dirty_fault(const struct dirty *d);

#endif /* DIRTY_H */
