/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blkload.h - the pattern, and what else each kind of load needs.
 */
#ifndef BLKLOAD_H
#define BLKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR		512u
#define PAGE		4096u

/* A part of a file, and the seed of what it holds. */
struct range {
	int fd;
	uint64_t offset;
	uint64_t len;
	uint64_t seed;
};

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t number(const char *text);
uint64_t now_ns(void);
uint64_t mix(uint64_t x);

/* Fill memory with what belongs at byte @at of the file, or look if it is that. */
void stamp(const struct range *r, uint64_t *buf, uint64_t at, size_t len);
void compare(const struct range *r, const uint64_t *buf, uint64_t at, size_t len);

void transfer(int fd, bool write, void *buf, size_t len, uint64_t at);
void *buffer(size_t len);

/* "churn" or "hold" for so long, and so many requests at least; see blkload_memory.c. */
void run_memory(const char *kind, const struct range *r, uint64_t seconds, uint64_t least);

#endif /* BLKLOAD_H */
