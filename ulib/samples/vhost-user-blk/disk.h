/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * disk.h - the image, and two engines that move data between it and memory.
 *
 * Both are used alike: submit, start, reap. "sync" does a request when it is
 * submitted, so it can have one at a time; "uring" has many in flight.
 */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define SECTOR_SHIFT 9
#define SECTOR_SIZE (1u << SECTOR_SHIFT)

enum disk_engine {
	DISK_AUTO,
	DISK_SYNC,
	DISK_URING,
};

enum disk_op {
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH,
};

/**
 * struct disk_io - one piece of work for an engine
 * @op: what to do
 * @iov: memory, which stays until the work is done
 * @iovcnt: entries in @iov
 * @off: byte of the image
 * @result: bytes moved, or a negative errno
 * @next: the engine's own
 */
struct disk_io {
	enum disk_op op;
	struct iovec *iov;
	int iovcnt;
	uint64_t off;
	int64_t result;
	struct disk_io *next;
};

struct io_uring;

/**
 * struct disk - an open image
 * @fd: its file
 * @sectors: whole sectors that it has
 * @read_only: writes are refused
 * @depth: requests that the engine can have in flight
 * @in_flight: how many it has
 * @ring: the io_uring; NULL: the engine is "sync"
 * @done: finished, not reaped yet
 */
struct disk {
	int fd;
	uint64_t sectors;
	bool read_only;
	unsigned int depth;
	unsigned int in_flight;
	struct io_uring *ring;
	struct disk_io *done;
};

/*
 * Open an image: a file or a block device. DISK_AUTO takes io_uring where the
 * kernel has it and lets us.
 *
 * Return: 0; a negative errno with because().
 */
int disk_open(struct disk *d, const char *path, bool read_only, enum disk_engine engine);
void disk_close(struct disk *d);

const char *disk_engine_name(const struct disk *d);

/* Hand over a piece of work; no more than @depth at a time. */
void disk_submit(struct disk *d, struct disk_io *io);

/* Begin what was submitted. */
void disk_start(struct disk *d);

/* The next piece that is done, or NULL. */
struct disk_io *disk_reap(struct disk *d);

/* Wait until a piece is done; returns at once if none is in flight. */
void disk_wait(struct disk *d);

/* Readable when there is something to reap; -1: nothing happens by itself. */
int disk_poll_fd(const struct disk *d);

/*
 * Make bytes of the image undefined, or zero. Done at once, whatever the
 * engine: these are rare, and change the file's layout rather than move data.
 *
 * Return: 0; -EOPNOTSUPP the file system can't; the system call's error.
 */
int disk_discard(struct disk *d, uint64_t off, uint64_t len);
int disk_write_zeroes(struct disk *d, uint64_t off, uint64_t len, bool may_unmap);

/* disk_uring.c, for disk.c only */
int uring_open(struct disk *d);
void uring_close(struct disk *d);
bool uring_submit(struct disk *d, struct disk_io *io);
void uring_start(struct disk *d);
struct disk_io *uring_reap(struct disk *d);
void uring_wait(struct disk *d);
int uring_poll_fd(const struct disk *d);

#endif /* DISK_H */
