/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend.h - the device as a front-end (QEMU, say) sees it through messages.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include "blk.h"
#include "dirty.h"
#include "inflight_area.h"
#include "memory.h"
#include "vhost_user.h"

/**
 * struct ring - what the front-end has said of one queue
 * @num: entries; 0: not said yet
 * @addr: where its parts are, in the front-end's addresses
 * @base: the entry to begin with
 * @kick: eventfd, -1: none
 * @err: eventfd, -1: none
 * @has_addr: @addr was said
 * @polled: there will be no @kick, look without
 * @enabled: by SET_VRING_ENABLE
 * @mapped: it was found in guest memory
 * @later: not yet, since an IOMMU was asked where it is, or is to be
 * @question: of the IOMMU, that it waits for with @later; 0: none
 * @started: it runs, since there is all that it needs
 */
struct ring {
	uint32_t num;
	struct vu_vring_addr addr;
	uint16_t base;
	int kick;
	int err;
	bool has_addr;
	bool polled;
	bool enabled;
	bool mapped;
	bool later;
	uint64_t question;
	bool started;
};

/**
 * struct backend - one front-end's device
 * @blk: the device itself
 * @memory: the guest's memory
 * @dirty: the log for a migration
 * @map: the memory as the device uses it, with or without the log
 * @inflight: where requests under way are noted
 * @features: those of virtio, as negotiated
 * @protocol_features: those of vhost-user
 * @has_protocol_features: they were said, and stay
 * @no_slots: memory comes as whole tables, not slot by slot
 * @rings: one for each queue of @blk
 */
struct backend {
	struct blk *blk;
	struct memory memory;
	struct dirty dirty;
	struct gm_map *map;
	struct inflight inflight;
	uint64_t features;
	uint64_t protocol_features;
	bool has_protocol_features;
	bool no_slots;
	struct ring rings[MAX_QUEUES];
};

/* Return: 0; an error of gm_fault_enable() with because(). */
int backend_init(struct backend *b, struct blk *blk);

/* The front-end has gone: forget it, and be ready for the next one. */
void backend_reset(struct backend *b);

/*
 * Obey a message. It need not be well-formed. Descriptors that are kept are set
 * to -1 in @fds, the others stay the caller's.
 *
 * Return: 1 send @reply, and close its descriptor; 0 there is none; a negative errno
 * with because(): the connection can't go on, since the front-end would never learn
 * of the failure.
 */
int backend_handle(struct backend *b, const struct vu_msg *m, int *fds, int nfds,
		   struct vu_msg *reply);

/*
 * Serve the queues. Return: 0 all done for now; 1 call again soon; a negative
 * errno with because(): the guest or its memory is of no use any more.
 */
int backend_run(struct backend *b);

#endif /* BACKEND_H */
