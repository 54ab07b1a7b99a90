/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * area.h - an inflight area of the case's own, with requests that a device has left.
 */
#ifndef AREA_H
#define AREA_H

#include "ring.h"

#define QUEUES 2
/* Bytes of an area that is large enough, however a device aligns its parts. */
#define AREA_SIZE (64 * 1024ull)
#define REQUESTS 4

/**
 * struct area - memory for the device to note requests in
 * @fd: its file
 * @bytes: all of it, mapped
 * @first: the part of the first queue
 */
struct area {
	int fd;
	union {
		uint8_t *bytes;
		struct inflight_part *first;
	};
};

/* All of it, for QUEUES rings of RING_NUM entries. */
extern const struct wire_inflight whole_area;

void area_map(struct area *a);
void area_init(struct area *a);
void area_exit(struct area *a);

/* Give it to the device. */
enum answer area_set(struct conn *c, const struct wire_inflight *wire, int fd);
void area_share(struct area *a, struct conn *c);

/* A connection with an area and a ring that is not started yet. */
void area_session_begin(struct session *s, struct world *w, struct area *a);
void area_session_end(struct session *s, struct area *a);

/* Offer REQUESTS that come back at once, in the order in which they are begun; and note
 * them as if they were under way.
 */
void area_offer_ids(struct session *s, struct request *q, struct area *a);

/* This one is the next to come back. */
void area_await(struct session *s, const struct request *q);

/* All were done, and none twice. Stops the ring. */
void area_nothing_more(struct session *s);

/* No request is noted. */
void area_must_be_empty(const struct area *a);

#endif /* AREA_H */
