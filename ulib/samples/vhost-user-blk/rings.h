/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * rings.h - the queues as the front-end sets them up; a part of the backend.
 */
#ifndef RINGS_H
#define RINGS_H

#include "backend.h"

void rings_init(struct backend *b);

/* The driver has gone: nothing is in flight or noted any more, and no ring is enabled. */
void rings_stop(struct backend *b);

/*
 * The front-end has gone: nothing is in flight, and nothing that it has said of any is
 * left. What is noted stays.
 */
void rings_reset(struct backend *b);

/* Features have changed. Return: 0; a slice's error with because(). */
int rings_update(struct backend *b);

/* Memory has changed: a slice of a ring borrows from the map, all are found anew. */
void rings_map(struct backend *b);

/* Who was asked where a ring is may have answered: look again. */
void rings_translated(struct backend *b);

/* Is a part of a ring in this range of IOVAs? @len 0: in all there are. */
bool rings_use(const struct backend *b, uint64_t iova, uint64_t len);

/* Addresses are of another kind from now on: rings that don't run need new ones. */
void rings_forget_addr(struct backend *b);

/* Does any ring run? */
bool rings_run(const struct backend *b);

/* Obey a message that is about one ring; as backend_handle(). */
int rings_handle(struct backend *b, const struct vu_msg *m, int *fds, struct vu_msg *reply);

#endif /* RINGS_H */
