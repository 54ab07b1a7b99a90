/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * watch.c - /proc and the image file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch.h"

/* malloc() may keep this many mappings more than it had. */
#define MAPS_SLACK 8

static unsigned int count_fds(int pid)
{
	char path[64];
	struct dirent *e;
	unsigned int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	expect(d, "%s: %m", path);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

void holdings_read(struct holdings *h, int pid)
{
	char path[64], line[4096];
	FILE *f;

	memset(h, 0, sizeof(*h));
	h->fds = count_fds(pid);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	expect(f, "%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		h->maps++;
		h->guest_maps += strstr(line, "/memfd:") != NULL;
		h->sanitized |= strstr(line, "/libasan.") != NULL;
	}
	fclose(f);
}

bool holdings_settle(const struct holdings *before, int pid)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	struct holdings h;

	for (;;) {
		holdings_read(&h, pid);
		if (h.fds == before->fds && h.guest_maps == before->guest_maps &&
		    (h.sanitized || h.maps <= before->maps + MAPS_SLACK))
			return true;
		if (now_ms() >= end)
			break;
		sleep_ms(2);
	}
	printf("# the device holds %u descriptors, %u mappings, %u of guest memory\n", h.fds,
	       h.maps, h.guest_maps);
	printf("# it had %u, %u, %u\n", before->fds, before->maps, before->guest_maps);
	return false;
}

uint64_t process_cpu_ms(int pid)
{
	unsigned long long user, system;
	char path[64], line[1024];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	expect(f && fgets(line, sizeof(line), f), "%s: %m", path);
	fclose(f);
	/* The name, in parentheses, may have anything in it. */
	expect(sscanf(strrchr(line, ')') + 1,
		      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
		      &system) == 2, "%s: %s", path, line);
	return (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

void image_copy(struct image_copy *i, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	expect(fd >= 0 && !fstat(fd, &st), "%s: %m", path);
	i->size = (uint64_t)st.st_size;
	i->blocks = (uint64_t)st.st_blocks;
	expect(pread(fd, i->bytes, IMAGE_PART, 0) == IMAGE_PART, "%s: too short", path);
	close(fd);
}

bool image_is(const struct image_copy *i, const char *path, bool size_only)
{
	static struct image_copy now;
	size_t b;

	image_copy(&now, path);
	if (now.size != i->size) {
		printf("# the image has %llu bytes, had %llu\n", (unsigned long long)now.size,
		       (unsigned long long)i->size);
		return false;
	}
	if (size_only)
		return true;
	for (b = 0; b < IMAGE_PART; b++)
		if (now.bytes[b] != i->bytes[b]) {
			printf("# byte %#zx of the image is %#x, was %#x\n", b, now.bytes[b],
			       i->bytes[b]);
			return false;
		}
	if (now.blocks > i->blocks)
		printf("# the image has %llu blocks, had %llu\n", (unsigned long long)now.blocks,
		       (unsigned long long)i->blocks);
	return now.blocks <= i->blocks;
}
