/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blkload: load on a block device that can tell whether its data is right.
 * It runs in the guest on the device, and on the host on the image behind it.
 *
 *   blkload fill  FILE OFFSET LENGTH SEED    write the pattern of SEED
 *   blkload check FILE OFFSET LENGTH SEED    read it back, compare each byte
 *   blkload zero  FILE OFFSET LENGTH         BLKZEROOUT, then compare with 0
 *   blkload rates OFFSET LENGTH SEED SLICES MS FILE...
 *   blkload busy  OFFSET LENGTH SEED FILE    load without end, to be killed
 *   blkload churn OFFSET LENGTH SEED SECONDS COUNT FILE
 *   blkload hold  OFFSET LENGTH SEED SECONDS COUNT FILE
 *
 * fill and check take "-a GPA" first: the buffer is then memory whose pages
 * all lie at or above that guest physical address, e.g. in a memory slot that
 * was plugged in.
 *
 * rates measures each kind of load over SLICES slices of MS milliseconds on
 * each FILE; the slices of the files alternate (A B B A ...), so that whatever
 * else the machine does meets all of them alike. It prints, for each kind and
 * file,  rate.KIND.INDEX=BYTES NANOSECONDS. The range must be filled with SEED.
 *
 * churn and hold are in blkload_memory.c; the range must be filled with SEED. They
 * last SECONDS, or until SIGTERM; longer where COUNT requests take longer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "blkload.h"

#define WORDS		(SECTOR / 8)
#define CHUNK		(256u << 10)
#define THREADS		2
#define ALWAYS		UINT64_MAX

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "blkload: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

uint64_t number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		die("not a number: %s", text);
	return value;
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/*
 * The pattern: a sector's first word tells which sector it is, the others
 * depend on the seed and their place. A sector that went astray shows in its
 * first word, one that is stale or torn in any.
 */
static uint64_t tag(const struct range *r, uint64_t at)
{
	return mix(r->seed ^ mix(at / SECTOR));
}

static uint64_t word(const struct range *r, unsigned int i)
{
	return mix(r->seed + i * 0x9e3779b97f4a7c15u);
}

static void stamp_tags(const struct range *r, uint64_t *buf, uint64_t at, size_t len)
{
	for (size_t s = 0; s < len / SECTOR; s++)
		buf[s * WORDS] = tag(r, at + s * SECTOR);
}

void stamp(const struct range *r, uint64_t *buf, uint64_t at, size_t len)
{
	for (size_t i = 0; i < len / 8; i++)
		buf[i] = word(r, i % WORDS);
	stamp_tags(r, buf, at, len);
}

static void compare_tags(const struct range *r, const uint64_t *buf, uint64_t at, size_t len)
{
	for (size_t s = 0; s < len / SECTOR; s++)
		if (buf[s * WORDS] != tag(r, at + s * SECTOR))
			die("wrong sector at %#" PRIx64, at + s * SECTOR);
}

void compare(const struct range *r, const uint64_t *buf, uint64_t at, size_t len)
{
	compare_tags(r, buf, at, len);
	for (size_t i = 0; i < len / 8; i++)
		if (i % WORDS && buf[i] != word(r, i % WORDS))
			die("wrong data at %#" PRIx64, at + i * 8);
}

/* Block devices are opened past the page cache: each access is a request. */
static int open_target(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		die("%s: %s", path, strerror(errno));
	fd = open(path, O_RDWR | (S_ISBLK(st.st_mode) ? O_DIRECT : 0));
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

void transfer(int fd, bool write, void *buf, size_t len, uint64_t at)
{
	ssize_t n = write ? pwrite(fd, buf, len, (off_t)at) :
			    pread(fd, buf, len, (off_t)at);

	if (n < 0)
		die("%s of %zu at %#" PRIx64 ": %s", write ? "write" : "read",
		    len, at, strerror(errno));
	if ((size_t)n != len)
		die("%s of %zu at %#" PRIx64 ": only %zd",
		    write ? "write" : "read", len, at, n);
}

void *buffer(size_t len)
{
	void *buf = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buf == MAP_FAILED)
		die("no memory for %zu bytes", len);
	return buf;
}

/* Do all pages of the buffer lie at or above guest physical address gpa? */
static bool is_above(const void *buf, size_t len, uint64_t gpa)
{
	uint64_t entry[CHUNK / PAGE];
	int fd = open("/proc/self/pagemap", O_RDONLY);
	off_t at = (off_t)((uintptr_t)buf / PAGE * sizeof(entry[0]));
	size_t n = len / PAGE;

	if (fd < 0 || n > CHUNK / PAGE ||
	    pread(fd, entry, n * sizeof(entry[0]), at) != (ssize_t)(n * sizeof(entry[0])))
		die("cannot read pagemap");
	close(fd);
	for (size_t i = 0; i < n; i++)
		/* Bit 63: present. Bits 0 to 54: page frame number. */
		if (!(entry[i] >> 63) ||
		    (entry[i] & ((UINT64_C(1) << 55) - 1)) * PAGE < gpa)
			return false;
	return true;
}

/* Buffers that lie too low are kept, so that the next one lies elsewhere. */
static void *buffer_above(size_t len, uint64_t gpa)
{
	for (unsigned int tries = 0; tries < 512; tries++) {
		void *buf = buffer(len);

		if (!gpa || is_above(buf, len, gpa))
			return buf;
	}
	die("no memory at or above %#" PRIx64, gpa);
}

static void fill(const struct range *r, uint64_t gpa)
{
	uint64_t *buf = buffer_above(CHUNK, gpa);

	for (uint64_t done = 0; done < r->len; done += CHUNK) {
		stamp(r, buf, r->offset + done, CHUNK);
		transfer(r->fd, true, buf, CHUNK, r->offset + done);
	}
	if (fsync(r->fd))
		die("fsync: %s", strerror(errno));
}

static void check(const struct range *r, uint64_t gpa)
{
	uint64_t *buf = buffer_above(CHUNK, gpa);

	for (uint64_t done = 0; done < r->len; done += CHUNK) {
		memset(buf, 0xa5, CHUNK);
		transfer(r->fd, false, buf, CHUNK, r->offset + done);
		compare(r, buf, r->offset + done, CHUNK);
	}
}

static void zero(const struct range *r)
{
	uint64_t where[2] = { r->offset, r->len };
	uint64_t *buf = buffer(CHUNK);

	if (ioctl(r->fd, BLKZEROOUT, where))
		die("BLKZEROOUT: %s", strerror(errno));
	for (uint64_t done = 0; done < r->len; done += CHUNK) {
		memset(buf, 0xa5, CHUNK);
		transfer(r->fd, false, buf, CHUNK, r->offset + done);
		for (size_t i = 0; i < CHUNK / 8; i++)
			if (buf[i])
				die("not zero at %#" PRIx64, r->offset + done + i * 8);
	}
}

struct kind {
	const char *name;
	bool write;
	bool random;
	size_t block;
};

static const struct kind kinds[] = {
	{ "read-1M", false, false, 1u << 20 },
	{ "write-1M", true, false, 1u << 20 },
	{ "read-4K-random", false, true, 4u << 10 },
	{ "write-4K-random", true, true, 4u << 10 },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

struct worker {
	pthread_t thread;
	const struct range *range;
	const struct kind *kind;
	unsigned int cpu;
	uint64_t random;
	uint64_t deadline;
	uint64_t bytes;
	uint64_t *buf;
};

/* One worker on each processor: each of the device's queues gets work. */
static void *work(void *arg)
{
	struct worker *w = arg;
	const struct range *r = w->range;
	uint64_t blocks = r->len / w->kind->block;
	uint64_t i = w->cpu * blocks / THREADS;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	/* With one processor only, both workers run there. */
	(void)sched_setaffinity(0, sizeof(set), &set);
	stamp(r, w->buf, r->offset, w->kind->block);
	do {
		uint64_t at;

		w->random = mix(w->random + 1);
		i = (w->kind->random ? w->random : i + 1) % blocks;
		at = r->offset + i * w->kind->block;
		if (w->kind->write)
			stamp_tags(r, w->buf, at, w->kind->block);
		transfer(r->fd, w->kind->write, w->buf, w->kind->block, at);
		if (!w->kind->write)
			compare_tags(r, w->buf, at, w->kind->block);
		w->bytes += w->kind->block;
	} while (w->deadline == ALWAYS || now_ns() < w->deadline);
	return NULL;
}

static uint64_t slice(struct worker *workers, const struct range *r,
		      const struct kind *kind, uint64_t deadline)
{
	uint64_t bytes = 0;

	for (unsigned int t = 0; t < THREADS; t++) {
		struct worker *w = &workers[t];

		w->range = r;
		w->kind = kind;
		w->cpu = t;
		w->random += t + 1;
		w->deadline = deadline;
		w->bytes = 0;
		if (pthread_create(&w->thread, NULL, work, w))
			die("no thread");
	}
	for (unsigned int t = 0; t < THREADS; t++) {
		pthread_join(workers[t].thread, NULL);
		bytes += workers[t].bytes;
	}
	return bytes;
}

static void rates(struct worker *workers, const struct range *ranges,
		  unsigned int count, unsigned int slices, uint64_t slice_ns)
{
	for (unsigned int k = 0; k < KINDS; k++) {
		uint64_t bytes[2] = { 0 }, spent[2] = { 0 };

		for (unsigned int s = 0; s < slices * count; s++) {
			/* A B B A A B B A ... */
			unsigned int i = count == 1 ? 0 : (s + 1) / 2 % 2;
			uint64_t start = now_ns();

			bytes[i] += slice(workers, &ranges[i], &kinds[k],
					  start + slice_ns);
			spent[i] += now_ns() - start;
		}
		for (unsigned int i = 0; i < count; i++)
			printf("rate.%s.%u=%" PRIu64 " %" PRIu64 "\n",
			       kinds[k].name, i, bytes[i], spent[i]);
	}
}

static void check_range(const struct range *r)
{
	if (!r->len || r->len % (1u << 20) || r->offset % PAGE)
		die("the range must be whole MiBs and start on a page");
}

static int load_main(int argc, char **argv)
{
	bool busy = !strcmp(argv[0], "busy");
	unsigned int first = busy ? 4 : 6, count = (unsigned int)argc - first;
	struct worker workers[THREADS] = { 0 };
	struct range ranges[2];

	if ((unsigned int)argc <= first || count > 2)
		die("wrong arguments");
	for (unsigned int t = 0; t < THREADS; t++)
		workers[t].buf = buffer(1u << 20);
	for (unsigned int i = 0; i < count; i++) {
		ranges[i] = (struct range){
			.fd = open_target(argv[first + i]),
			.offset = number(argv[1]),
			.len = number(argv[2]),
			.seed = number(argv[3]),
		};
		check_range(&ranges[i]);
	}
	if (busy)
		slice(workers, &ranges[0], &kinds[3], ALWAYS);
	else
		rates(workers, ranges, count, (unsigned int)number(argv[4]),
		      number(argv[5]) * 1000000);
	return 0;
}

/* A range of @path, by OFFSET LENGTH SEED. */
static struct range open_range(const char *path, char **arguments)
{
	struct range r = {
		.fd = open_target(path),
		.offset = number(arguments[0]),
		.len = number(arguments[1]),
		.seed = number(arguments[2]),
	};

	check_range(&r);
	return r;
}

int main(int argc, char **argv)
{
	uint64_t gpa = 0;
	struct range r;

	if (argc > 3 && !strcmp(argv[1], "-a")) {
		gpa = number(argv[2]);
		argv += 2;
		argc -= 2;
	}
	if (argc < 5)
		die("see the head of its source for usage");
	if (!strcmp(argv[1], "rates") || !strcmp(argv[1], "busy"))
		return load_main(argc - 1, argv + 1);
	if ((!strcmp(argv[1], "churn") || !strcmp(argv[1], "hold")) && argc == 8) {
		r = open_range(argv[7], argv + 2);
		run_memory(argv[1], &r, number(argv[5]), number(argv[6]));
		return 0;
	}

	r = open_range(argv[2], argc > 5 ? argv + 3 : (char *[]){ argv[3], argv[4], "0" });
	if (!strcmp(argv[1], "fill") && argc == 6)
		fill(&r, gpa);
	else if (!strcmp(argv[1], "check") && argc == 6)
		check(&r, gpa);
	else if (!strcmp(argv[1], "zero") && argc == 5)
		zero(&r);
	else
		die("unknown command or wrong arguments: %s", argv[1]);
	return 0;
}
