/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#define _GNU_SOURCE
#include <inttypes.h>
#include <time.h>
#include "counters.h"
#include "util.h"

#define DEBUGFS_FILE "/sys/kernel/debug/guestmem/counters"
#define SETTLE_MS 3000

static const char * const counter_name[COUNTER_COUNT] = {
	[COUNTER_REGIONS] = "regions",
	[COUNTER_ALLOC_BYTES] = "alloc_bytes",
	[COUNTER_PIN_BYTES] = "pin_bytes",
	[COUNTER_MAPS] = "maps",
	[COUNTER_MAP_BYTES] = "map_bytes",
	[COUNTER_DEVICES] = "devices",
	[COUNTER_OPENS] = "opens",
	[COUNTER_INTERRUPTS] = "interrupts",
	[COUNTER_PINNED] = "pinned pages",
	[COUNTER_VM_PIN] = "VmPin",
	[COUNTER_LOCKED] = "locked bytes",
	[COUNTER_IOVA] = "iommu_iova",
	[COUNTER_FREE] = "free pages",
};

/* The number that follows @name at the start of a line of @path. */
static int line_number(const char *path, const char *name, int64_t *value)
{
	size_t n = strlen(name);
	FILE *f = fopen(path, "r");
	char line[256];
	int err = -ENODATA;

	if (!f)
		return -errno;
	while (err && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, n) && strchr(": \t", line[n]) &&
		    sscanf(line + n, "%*[: \t]%" SCNd64, value) == 1)
			err = 0;
	fclose(f);
	return err;
}

static int read_module(struct counters *counters)
{
	int err;

	for (int i = COUNTER_REGIONS; i <= COUNTER_INTERRUPTS; i++) {
		err = line_number(DEBUGFS_FILE, counter_name[i],
				  &counters->value[i]);
		if (err)
			return err;
	}
	return 0;
}

static int read_pinned(struct counters *counters)
{
	int64_t acquired = 0, released = 0;
	int err;

	/* Each CPU keeps a part to itself until asked. */
	err = file_write("/proc/sys/vm/stat_refresh", "1");
	if (!err)
		err = line_number("/proc/vmstat", "nr_foll_pin_acquired",
				  &acquired);
	if (!err)
		err = line_number("/proc/vmstat", "nr_foll_pin_released",
				  &released);
	counters->value[COUNTER_PINNED] = acquired - released;
	return err;
}

/* MemFree leaves out what each CPU keeps for itself: megabytes. */
static int read_free(struct counters *counters)
{
	FILE *f = fopen("/proc/zoneinfo", "r");
	int64_t n, sum = 0;
	char line[256];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " pages free %" SCNd64, &n) == 1 ||
		    sscanf(line, " count: %" SCNd64, &n) == 1)
			sum += n;
	fclose(f);
	counters->value[COUNTER_FREE] = sum;
	return sum ? 0 : -ENODATA;
}

static int read_locked(struct counters *counters)
{
	struct guestmem_info info;
	int control = control_open();
	int err;

	if (control < 0)
		return control;
	err = info_get(control, &info);
	close(control);
	counters->value[COUNTER_LOCKED] = info.locked;
	return err;
}

/**
 * counters_read() - read all counters
 * @counters: they go here
 *
 * Return: 0, or a negative errno: some counter is not there.
 */
int counters_read(struct counters *counters)
{
	int err;

	*counters = (struct counters) {};
	err = read_module(counters);
	if (!err)
		err = read_pinned(counters);
	if (!err)
		err = read_locked(counters);
	if (!err)
		err = line_number("/proc/self/status", "VmPin",
				  &counters->value[COUNTER_VM_PIN]);
	if (!err)
		err = read_free(counters);
	/*
	 * Objects on a CPU's own slabs count as used until they are shrunk.
	 * Slabs that were merged with others have no line.
	 */
	file_write("/sys/kernel/slab/iommu_iova/shrink", "1");
	if (!err && line_number("/proc/slabinfo", "iommu_iova",
				&counters->value[COUNTER_IOVA]))
		counters->value[COUNTER_IOVA] = -1;
	return err;
}

static bool counter_same(int i, int64_t before, int64_t now)
{
	if (i == COUNTER_FREE)
		return now >= before - COUNTERS_FREE_PAGES;
	if (i == COUNTER_IOVA)
		return now <= before + COUNTERS_IOVA_CACHED;
	return now == before;
}

static int differ(const struct counters *before, const struct counters *now,
		  bool print)
{
	int n = 0;

	for (int i = 0; i < COUNTER_COUNT; i++) {
		if (counter_same(i, before->value[i], now->value[i]))
			continue;
		n++;
		if (print)
			printf("# %s: %" PRId64 " before, %" PRId64 " now\n",
			       counter_name[i], before->value[i], now->value[i]);
	}
	return n;
}

/**
 * counters_differ() - compare counters, and print those that differ
 * @before: what they were
 * @now: what they are
 *
 * Return: how many differ.
 */
int counters_differ(const struct counters *before, const struct counters *now)
{
	return differ(before, now, true);
}

/**
 * counters_settle() - wait until all is as it was
 * @before: what the counters were
 *
 * The kernel does some of its work after a process has ended or a file was
 * closed. Prints the counters that have stayed different.
 *
 * Return: how many differ in the end, or a negative errno.
 */
int counters_settle(const struct counters *before)
{
	const struct timespec wait = { .tv_nsec = 20 * 1000 * 1000 };
	struct timespec start, t;
	struct counters now;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		err = counters_read(&now);
		if (err)
			return err;
		if (!differ(before, &now, false))
			return 0;
		clock_gettime(CLOCK_MONOTONIC, &t);
		if ((t.tv_sec - start.tv_sec) * 1000 +
		    (t.tv_nsec - start.tv_nsec) / 1000000 > SETTLE_MS)
			return differ(before, &now, true);
		nanosleep(&wait, NULL);
	}
}
