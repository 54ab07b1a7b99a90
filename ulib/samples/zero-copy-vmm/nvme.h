/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme.h - an NVMe controller, its first namespace, and one pair of I/O queues.
 *
 * What a disk needs, and no more: no interrupts but those of nvme_bar.c, no metadata, a
 * memory page of 4 KiB. One thread calls all functions.
 */
#ifndef NVME_H
#define NVME_H

#include "nvme_queue.h"

/**
 * struct nvme - a controller
 * @device: the module's
 * @bar: registers
 * @guard: what it may be told to reach
 * @rings: queues, lists, answers
 * @admin: queues of the driver's commands
 * @io: queues of reads and writes
 * @answer: a page for what it says of itself
 * @cap: its capabilities
 * @nsid: the namespace
 * @block_size: bytes of a logical block
 * @blocks: how many there are
 * @max_bytes: data of a command at most
 * @stuck: it did not stop when it was told: only a reset by the module helps
 */
struct nvme {
	struct gm_kmod_device *device;
	struct nvme_bar bar;
	struct nvme_guard guard;
	struct nvme_memory rings;
	struct nvme_queue admin;
	struct nvme_queue io;
	struct nvme_piece answer;
	uint64_t cap;
	uint32_t nsid;
	uint32_t block_size;
	uint64_t blocks;
	uint64_t max_bytes;
	bool stuck;
};

/*
 * Open it and start it. @more: bytes of @rings for others; @interrupt: an eventfd is
 * signalled for completions. 0 or a negative errno (-EMEDIUMTYPE: it is another kind of
 * device, and none of its registers was touched), with
 * nothing left behind. All of the driver's memory is mapped before it is started.
 */
int nvme_open(struct nvme *c, struct gm_kmod *module, const char *address, uint64_t more,
	      bool interrupt);
/*
 * Write caches out, and stop; once more does nothing. Nothing may be in flight that is
 * still wanted, and nothing else be mapped: then a controller that does not obey is reset
 * before its memory goes.
 */
void nvme_close(struct nvme *c);

/*
 * Start it, with empty queues; it must be stopped once more after an error. What it says of
 * itself is asked for again.
 */
int nvme_start(struct nvme *c);
/*
 * Stop it: when this returns 0, it does not touch memory any more. -ENODEV it is bound no
 * more, and has been reset; -ETIMEDOUT it does not obey.
 */
int nvme_stop(struct nvme *c);
/* The same with commands in flight, whose completions nobody looks at any more. */
int nvme_abandon(struct nvme *c);

/*
 * Does it work? 0; -ENODEV it is gone, or bound no more; -EIO it says that it has failed,
 * or somebody has stopped it. A system call.
 */
int nvme_health(const struct nvme *c);

/* A status code as a negative errno, or 0. */
int nvme_status_error(uint16_t status);

/*
 * Ask it to give up a command of the I/O queue, which then ends as others do. The answer is
 * not waited for, and one at a time is what each controller takes: 1; 0 not now; -EBADMSG
 * as nvme_queue_take().
 */
int nvme_abort(struct nvme *c, uint16_t id);

/* One of the driver's commands, to its end. */
int nvme_admin(struct nvme *c, struct nvme_command *command);
/* nvme_identify.c: what it is; and make the I/O queues. */
int nvme_identify(struct nvme *c);
int nvme_queues_new(struct nvme *c);

uint64_t nvme_now_ms(void);

#endif /* NVME_H */
