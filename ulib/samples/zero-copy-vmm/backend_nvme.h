/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend_nvme.h - the backends "nvme" and "bounce" inside.
 *
 * backend_nvme.c has the guest's memory, nvme_request.c turns requests into commands and
 * back, nvme_deadline.c has those that do not come back.
 */
#ifndef BACKEND_NVME_H
#define BACKEND_NVME_H

#include "backend.h"
#include "nvme.h"
#include "nvme_prp.h"

/* Requests at a time. */
#define DISK_REQUESTS 128
/* Data of a request at most: a request is as many commands as it needs. */
#define DISK_MAX_BYTES (UINT64_C(4) << 20)
/* A command's buffer: a block that no PRP can say goes through it, or, by copies, all. */
#define DISK_BLOCK_BUFFER NVME_PAGE_SIZE
#define DISK_BOUNCE_BUFFER (UINT64_C(256) << 10)
/* So many commands at a time, by copies. */
#define DISK_BOUNCE_COMMANDS 64

/* While commands are in flight, how often the controller and their ages are looked at. */
#define DISK_LOOK_MS 100
/* A command is aborted when it has taken so long; if not even that ends it, all is reset. */
#define DISK_TIMEOUT_MS 30000
#define DISK_ABORT_MS 5000
/* How often who spins is told the time. */
#define DISK_SPINS 256
/* For &nvme_slot.since: after the last look. */
#define DISK_JUST_NOW UINT64_MAX

/**
 * struct nvme_request - a request that is under way
 * @io: the caller's
 * @perm: what a device does with its memory
 * @data: where it begins, to begin anew
 * @sector: of what is not yet sent
 * @sent: all is
 * @commands: in flight
 * @bytes: of data, in all
 * @result: the first failure
 * @next: in a list
 */
struct nvme_request {
	struct backend_io *io;
	enum gm_perm perm;
	struct gm_iov_cursor data;
	uint64_t sector;
	bool sent;
	unsigned int commands;
	uint64_t bytes;
	int result;
	struct nvme_request *next;
};

/**
 * struct nvme_slot - a command, by id
 * @request: whose it is; NULL: not in flight
 * @list: room for PRPs
 * @buffer: for copies
 * @at: where its data is in guest memory
 * @bytes: of data
 * @copied: it goes through @buffer
 * @since: when it was seen first by a look: no clock is read to send it
 * @late: it has missed its deadline
 * @aborted: and the controller was asked to give it up
 */
struct nvme_slot {
	struct nvme_request *request;
	struct nvme_piece list;
	struct nvme_piece buffer;
	struct gm_iov_cursor at;
	uint64_t bytes;
	bool copied;
	uint64_t since;
	bool late;
	bool aborted;
};

/**
 * struct nvme_disk - a backend
 * @base: what is known of it outside
 * @nvme: the controller
 * @bounce: all data is copied, and the controller reaches no guest memory
 * @buffers: memory of the slots' buffers
 * @commands: in flight at most
 * @slots: one for each id
 * @dma: the guest's memory as the controller addresses it; NULL with @bounce
 * @maps: the same, region by region
 * @nmaps: how many
 * @requests: all
 * @idle: those that are free
 * @pending: those that are not all sent, in order; the first
 * @last: and the last one
 * @done: what nvme_disk_reap() gives back; the first
 * @done_last: and the last one
 * @dead: 0, or why each request fails
 * @trouble: 0, or why nvme_disk_mend() is needed
 * @timeout_ms: how long a command may take
 * @abort_ms: and how long after that, when it was aborted
 * @looked: when the controller was looked at, last
 * @spins: how often there was nothing
 */
struct nvme_disk {
	struct backend base;
	struct nvme nvme;
	bool bounce;
	struct nvme_memory buffers;
	unsigned int commands;
	struct nvme_slot slots[NVME_QUEUE_MAX];
	struct gm_dma *dma;
	struct gm_dma_map **maps;
	size_t nmaps;
	struct nvme_request requests[DISK_REQUESTS];
	struct nvme_request *idle;
	struct nvme_request *pending;
	struct nvme_request *last;
	struct backend_io *done;
	struct backend_io *done_last;
	int dead;
	int trouble;
	unsigned int timeout_ms;
	unsigned int abort_ms;
	uint64_t looked;
	unsigned int spins;
};

/* nvme_request.c */
void nvme_disk_init_requests(struct nvme_disk *d);
int nvme_disk_submit(struct backend *b, struct backend_io *io);
struct backend_io *nvme_disk_reap(struct backend *b);
/* All that is under way fails. */
void nvme_disk_fail(struct nvme_disk *d, int err);
/* The controller has forgotten all commands: requests of late ones fail, others are sent. */
void nvme_disk_again(struct nvme_disk *d);

/* nvme_deadline.c: nothing is done now. Is the controller alive, and does it do its work? */
void nvme_disk_look(struct nvme_disk *d);
/* It does not. No command is sent or taken any more until nvme_disk_mend(). */
void nvme_disk_trouble(struct nvme_disk *d, int err);

/* nvme_command.c: send the next command of a request. 0 or a negative errno. */
int nvme_command_send(struct nvme_disk *d, struct nvme_request *r);
/* It is done: what is left to do with its data. */
int nvme_command_finish(struct nvme_disk *d, struct nvme_slot *slot, int err);

/*
 * backend_nvme.c: reset the controller, if that may help; else it must not reach the guest's
 * memory any more, and all fails. It may wait long.
 */
void nvme_disk_mend(struct backend *b);

#endif /* BACKEND_NVME_H */
