/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * options.h - the command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdint.h>

/**
 * struct options - what the command line says
 * @disk: "KIND:NAME"
 * @guest: the guest program's file, or NULL
 * @kernel: a Linux kernel's, or NULL
 * @initrd: of that kernel, or NULL
 * @cmdline: of that kernel
 * @mode: what it is to do
 * @memory: MiB of RAM
 * @repeat: how often
 * @size: bytes of a request
 * @depth: requests in flight
 * @timeout: seconds that it may take
 */
struct options {
	const char *disk;
	const char *guest;
	const char *kernel;
	const char *initrd;
	const char *cmdline;
	const char *mode;
	uint64_t memory;
	uint64_t repeat;
	uint64_t size;
	uint64_t depth;
	uint64_t timeout;
};

/* Return: 0 go on; 1 that was all (--help); -EINVAL, and the usage was printed. */
int options_parse(struct options *o, int argc, char **argv);

#endif /* OPTIONS_H */
