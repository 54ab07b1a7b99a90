/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * inflight_area.h - the memory in which virtio/inflight.h notes what is under way.
 */
#ifndef INFLIGHT_AREA_H
#define INFLIGHT_AREA_H

#include "../virtio/inflight.h"
#include "vhost_user.h"

void inflight_init(struct inflight *f);
void inflight_exit(struct inflight *f);

/*
 * Make an area for so many queues and entries, use it, and describe it in @wire.
 *
 * Return: a descriptor of it, for the front-end; a negative errno with because().
 */
int inflight_new(struct inflight *f, struct vu_inflight *wire);

/*
 * Use the area that the front-end has. The descriptor is taken (set to -1) if it
 * is kept. No queue may be using the one that there was.
 *
 * Return: 0; a negative errno with because(), and the old one stays.
 */
int inflight_set(struct inflight *f, const struct vu_inflight *wire, int *fd);

/* Was it taken away under us? Return: 0; -EIO. */
int inflight_fault(const struct inflight *f);

#endif /* INFLIGHT_AREA_H */
