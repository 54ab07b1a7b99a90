/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * options.c - the command line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/boot_info.h"
#include "memory.h"
#include "options.h"

static const char usage[] =
	"usage: zero-copy-vmm --disk KIND:NAME --guest ELF | --kernel VMLINUX [OPTION]...\n"
	"\n"
	"Run a guest program on KVM, with a virtio disk. Each request is moved between the\n"
	"guest's memory and the backend; a report of lines key=value says how.\n"
	"\n"
	"  --disk KIND:NAME   the backend, which is overwritten:\n"
	"                       file:PATH         an image or a block device\n"
	"                       nvme:ADDRESS      an NVMe controller that is bound to the\n"
	"                                         driver guestmem, by its PCI address\n"
	"                       nvme-irq:ADDRESS  the same; sleeps until it interrupts\n"
	"                       bounce:ADDRESS    the same by copies, to compare with\n"
	"  --guest ELF        the guest program: zero-copy-guest, which make builds\n"
	"  --kernel VMLINUX   instead of that: a Linux kernel, not compressed; the disk is\n"
	"                     /dev/vda. It says that all is right by lines \"ok ...\", and\n"
	"                     by a byte 0 to I/O port 0xf4\n"
	"  --initrd FILE      its first file system\n"
	"  --cmdline TEXT     its command line; \"earlyprintk=serial,keep\" has it talk\n"
	"  --guest-mode MODE  what it does; \"test\" by default, \"help\" lists all\n"
	"  --memory MIB       RAM of the guest (64)\n"
	"  --repeat N         modes that measure: N requests (1000)\n"
	"  --size BYTES       of so many bytes (4096)\n"
	"  --depth N          with so many in flight (16)\n"
	"  --timeout SECONDS  give the guest up then (120)\n"
	"  --help             this text\n"
	"\n"
	"Exit status: 0 the guest says that all is right; 77 there is no KVM; 2 usage;\n"
	"1 all else.\n";

static const struct option names[] = {
	{ "disk", required_argument, NULL, 'd' },
	{ "guest", required_argument, NULL, 'g' },
	{ "kernel", required_argument, NULL, 'k' },
	{ "initrd", required_argument, NULL, 'i' },
	{ "cmdline", required_argument, NULL, 'c' },
	{ "guest-mode", required_argument, NULL, 'm' },
	{ "memory", required_argument, NULL, 'M' },
	{ "repeat", required_argument, NULL, 'r' },
	{ "size", required_argument, NULL, 's' },
	{ "depth", required_argument, NULL, 'D' },
	{ "timeout", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* A number from @min to @max, and nothing behind it. */
static int parse_number(uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(optarg, &end, 0);
	if (errno || end == optarg || *end || *optarg == '-' || value < min || value > max) {
		fprintf(stderr, "zero-copy-vmm: %s: not a number from %llu to %llu\n", optarg,
			(unsigned long long)min, (unsigned long long)max);
		return -EINVAL;
	}
	*out = value;
	return 0;
}

static int parse_one(struct options *o, int name)
{
	switch (name) {
	case 'd':
		o->disk = optarg;
		return 0;
	case 'g':
		o->guest = optarg;
		return 0;
	case 'k':
		o->kernel = optarg;
		return 0;
	case 'i':
		o->initrd = optarg;
		return 0;
	case 'c':
		o->cmdline = optarg;
		return 0;
	case 'm':
		o->mode = optarg;
		return strlen(optarg) < BOOT_MODE_MAX ? 0 : -EINVAL;
	case 'M':
		return parse_number(MEMORY_MIN, MEMORY_MAX, &o->memory);
	case 'r':
		return parse_number(1, UINT32_MAX, &o->repeat);
	case 's':
		return parse_number(512, 1 << 20, &o->size);
	case 'D':
		return parse_number(1, 64, &o->depth);
	case 't':
		return parse_number(1, 86400, &o->timeout);
	case 'h':
		fputs(usage, stdout);
		return 1;
	}
	return -EINVAL;
}

int options_parse(struct options *o, int argc, char **argv)
{
	int name, ret = 0;

	*o = (struct options){
		.cmdline = "", .mode = "test", .memory = 64, .repeat = 1000, .size = 4096,
		.depth = 16, .timeout = 120,
	};
	while (!ret && (name = getopt_long(argc, argv, "", names, NULL)) != -1)
		ret = parse_one(o, name);
	if (!ret && (optind < argc || !o->disk || !o->guest == !o->kernel))
		ret = -EINVAL;
	if (ret < 0)
		fputs(usage, stderr);
	return ret;
}
