/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * watch.c - /proc and the image file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch.h"

/* So often in a row, a process at rest is seen to sleep. */
#define REST 5

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
	struct patience patience = { .pid = pid };
	struct holdings h;

	for (;;) {
		holdings_read(&h, pid);
		if (h.fds == before->fds && h.guest_maps == before->guest_maps &&
		    (h.sanitized || h.maps <= before->maps + MAPS_SLACK))
			return true;
		if (patience_is_over(&patience))
			break;
		sleep_ms(2);
	}
	printf("# the device holds %u descriptors, %u mappings, %u of guest memory\n", h.fds,
	       h.maps, h.guest_maps);
	printf("# it had %u, %u, %u\n", before->fds, before->maps, before->guest_maps);
	return false;
}

/* Return: the state of the process: 'R' if it runs, or would if others let it. */
static char read_stat(int pid, uint64_t *cpu_ms)
{
	unsigned long long user, system;
	char path[64], line[1024], state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	expect(f && fgets(line, sizeof(line), f), "%s: %m", path);
	fclose(f);
	/* The name, in parentheses, may have anything in it. */
	expect(sscanf(strrchr(line, ')') + 1,
		      " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &state, &user,
		      &system) == 3, "%s: %s", path, line);
	*cpu_ms = (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return state;
}

uint64_t process_cpu_ms(int pid)
{
	uint64_t cpu;

	read_stat(pid, &cpu);
	return cpu;
}

bool process_comes_to_rest(int pid, uint64_t cpu_ms)
{
	uint64_t end = now_ms() + PATIENCE_MS, cpu_end = process_cpu_ms(pid) + cpu_ms;
	uint64_t cpu, before = 0;
	unsigned int idle = 0;

	/* Time goes by for one that gets no processor, too: that is not to be idle. */
	while (idle < REST && now_ms() < end) {
		sleep_ms(10);
		idle = read_stat(pid, &cpu) == 'S' && cpu == before ? idle + 1 : 0;
		if (cpu >= cpu_end)
			return false;
		before = cpu;
	}
	return idle == REST;
}

/* Of [off, off + len), what @e has. */
static uint64_t overlap(const struct fiemap_extent *e, uint64_t off, uint64_t len)
{
	uint64_t start = e->fe_logical, end = start + e->fe_length;

	if (start < off)
		start = off;
	if (end > off + len)
		end = off + len;
	return end > start ? end - start : 0;
}

uint64_t image_allocated(const char *path, uint64_t off, uint64_t len)
{
	enum { EXTENTS = 64 };
	struct fiemap *map = calloc(1, sizeof(*map) + EXTENTS * sizeof(map->fm_extents[0]));
	uint64_t total = 0, next = off;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	unsigned int i;

	expect(map && fd >= 0 && !fstat(fd, &st), "%s: %m", path);
	do {
		map->fm_start = next;
		map->fm_length = off + len - next;
		map->fm_extent_count = EXTENTS;
		if (ioctl(fd, FS_IOC_FIEMAP, map)) {
			expect(errno == EOPNOTSUPP || errno == ENOTTY, "%s: extents: %m", path);
			total = (uint64_t)st.st_blocks * 512;
			break;
		}
		for (i = 0; i < map->fm_mapped_extents; i++) {
			const struct fiemap_extent *e = &map->fm_extents[i];

			total += overlap(e, off, len);
			next = e->fe_logical + e->fe_length;
		}
	} while (map->fm_mapped_extents && next < off + len);
	close(fd);
	free(map);
	return total;
}

bool patience_is_over(struct patience *p)
{
	uint64_t cpu = process_cpu_ms(p->pid), now = now_ms();

	if (!p->end) {
		p->cpu_end = cpu + PATIENCE_CPU_MS;
		p->end = now + PATIENCE_MS;
	}
	return now >= p->end || cpu >= p->cpu_end;
}

void image_copy(struct image_copy *i, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	expect(fd >= 0 && !fstat(fd, &st), "%s: %m", path);
	i->size = (uint64_t)st.st_size;
	expect(pread(fd, i->bytes, IMAGE_PART, 0) == IMAGE_PART, "%s: too short", path);
	close(fd);
	i->allocated = image_allocated(path, 0, i->size);
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
	if (now.allocated > i->allocated)
		printf("# the image has %llu bytes on the disk, had %llu\n",
		       (unsigned long long)now.allocated, (unsigned long long)i->allocated);
	return now.allocated <= i->allocated;
}
