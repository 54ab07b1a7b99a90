/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * watch.h - the device's process and its image, seen from outside.
 */
#ifndef WATCH_H
#define WATCH_H

#include "case.h"

/**
 * struct holdings - what a process holds
 * @fds: open descriptors
 * @maps: mappings
 * @guest_maps: those of them that are of a memfd
 * @sanitized: it runs under a sanitizer, whose own mappings come and go
 */
struct holdings {
	unsigned int fds;
	unsigned int maps;
	unsigned int guest_maps;
	bool sanitized;
};

void holdings_read(struct holdings *h, int pid);

/* Wait until the device holds what it held before. If not, says what it has. */
bool holdings_settle(const struct holdings *before, int pid);

/* Processor time that a process has used, in ms. */
uint64_t process_cpu_ms(int pid);

/* Does it wait for something to happen, before it has used so much more of that? */
bool process_comes_to_rest(int pid, uint64_t cpu_ms);

/**
 * struct patience - when to wait no longer for a process
 * @pid: the process; all else is 0 at first
 * @cpu_end: processor time that it may have used by then
 * @end: time by then
 */
struct patience {
	int pid;
	uint64_t cpu_end;
	uint64_t end;
};

/* Begins with the first call, so that nothing is spent on what takes no time. */
bool patience_is_over(struct patience *p);

/*
 * Bytes of a range of the image that have a place on the disk. What the file
 * system needs to remember where they are does not count: one more hole can
 * cost a block for that. Where it does not tell of ranges, of the whole image.
 */
uint64_t image_allocated(const char *path, uint64_t off, uint64_t len);

/* A copy of the part of the image that cases write to, its size, and that on disk. */
#define IMAGE_PART (1024 * 1024u)
struct image_copy {
	uint64_t size;
	uint64_t allocated;
	uint8_t bytes[IMAGE_PART];
};
void image_copy(struct image_copy *i, const char *path);

/* Is the image still so, at least in its size? If not, says where it isn't. */
bool image_is(const struct image_copy *i, const char *path, bool size_only);

#endif /* WATCH_H */
