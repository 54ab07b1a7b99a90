/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_iommu.c - u32 through an IOMMU whose IOTLB has the mapping, and what it
 * costs to change mappings.
 *
 * Mappings are of 4 KiB, in reverse order in the guest, so that none is joined;
 * and for "pieces" the whole guest is cut into so many. Compared is a raw access
 * to as many pages.
 *
 * Of reads at random, most is the wait for memory, which a CPU hides behind as
 * many other accesses as it has room for. Two more loops tell what is possible:
 * "table" translates by a flat array of pages, with no check of anything; and
 * "padded" does the same, and 90 instructions that do nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "guest.h"

#define IOVA (UINT64_C(1) << 40)
#define PAGE UINT64_C(4096)
#define GUEST_PAGES (GUEST_BYTES / PAGE)

struct bench {
	struct gm_view view;
	struct gm_iommu *iommu;
	struct guest guest;
	uint64_t mask;		/* of the offsets of guest memory */
	uint32_t shift;		/* to get IOVAs of them */
	uint64_t iova_mask;	/* of the offsets of IOVAs */
	uint8_t **table;	/* host address of each page, by IOVA */
	bool stop;
};

static struct bench bench;

#define VIEW_LOOP(name, ...) \
BENCH_LOOP void view_##name(void *ctx, uint64_t n) \
{ \
	struct bench *b = ctx; \
	const uint32_t *offsets = guest_next_window(&b->guest); \
	struct gm_view *v = &b->view; \
	uint64_t i; \
\
	for (i = 0; i < n; i++) { \
		gm_gpa_t iova = gm_gpa(IOVA + (((uint64_t)offsets[i] << b->shift) & \
					       b->iova_mask)); \
\
		BENCH_HIDE(iova); \
		__VA_ARGS__; \
	} \
}

#define RAW_LOOP(name, ...) \
BENCH_LOOP void raw_##name(void *ctx, uint64_t n) \
{ \
	struct bench *b = ctx; \
	const uint32_t *offsets = guest_next_window(&b->guest); \
	uint8_t *base = b->guest.host; \
	uint64_t i; \
\
	for (i = 0; i < n; i++) { \
		volatile uint32_t *p = \
			(volatile uint32_t *)(base + (offsets[i] & b->mask)); \
\
		BENCH_HIDE(p); \
		__VA_ARGS__; \
	} \
}

#define TABLE_LOOP(name, between) \
BENCH_LOOP void name(void *ctx, uint64_t n) \
{ \
	struct bench *b = ctx; \
	const uint32_t *offsets = guest_next_window(&b->guest); \
	uint64_t i; \
\
	for (i = 0; i < n; i++) { \
		uint64_t at = ((uint64_t)offsets[i] << b->shift) & \
			      b->iova_mask; \
		uint32_t x; \
\
		between; \
		x = *(volatile uint32_t *)(b->table[at / PAGE] + at % PAGE); \
		BENCH_USE(x); \
	} \
}

TABLE_LOOP(table_read, BENCH_FORGET())
TABLE_LOOP(padded_read, __asm__ volatile(".rept 90\n\tnop\n.endr"))

VIEW_LOOP(read, { uint32_t x; BENCH_OK(gm_view_read_u32(v, iova, &x)); BENCH_USE(x); })
VIEW_LOOP(write, BENCH_OK(gm_view_write_u32(v, iova, (uint32_t)i)))
RAW_LOOP(read, { uint32_t x = *p; BENCH_USE(x); })
RAW_LOOP(write, *p = (uint32_t)i)

/* All is mapped by the benchmark: nobody is to ask. */
static int translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova,
		     gm_size_t len, enum gm_perm perm)
{
	(void)ctx, (void)iommu, (void)iova, (void)len, (void)perm;
	return -EFAULT;
}

static const struct gm_iommu_ops ops = { .translate = translate };

/* @count mappings of @len bytes, the last one first in the guest. */
static void map_all(struct bench *b, uint64_t count, uint64_t len)
{
	uint64_t n;

	for (n = 0; n < count; n++) {
		uint64_t gpa = GUEST_GPA + (count - 1 - n) * len % GUEST_BYTES;

		bench_must(!gm_iommu_map(b->iommu, gm_iova(IOVA + n * len), len,
					 gm_gpa(gpa), GM_PERM_RW),
			   "gm_iommu_map");
	}
}

/* What map_all() does, page by page. */
static void fill_table(struct bench *b, uint64_t count, uint64_t len)
{
	uint64_t pages = count * len / PAGE, p;

	b->table = malloc(pages * sizeof(b->table[0]));
	bench_must(b->table, "malloc");
	for (p = 0; p < pages; p++) {
		uint64_t n = p * PAGE / len;

		b->table[p] = b->guest.host +
			      (count - 1 - n) * len % GUEST_BYTES +
			      p * PAGE % len;
	}
}

static void setup(struct bench *b, uint64_t count, uint64_t len, bool dirty)
{
	guest_init(&b->guest, 1, dirty);
	bench_must(!gm_iommu_new(&ops, NULL, count + 8, NULL, &b->iommu),
		   "gm_iommu_new");
	gm_view_init_iommu(&b->view, b->iommu, b->guest.map);
	map_all(b, count, len);
	b->shift = count * len > GUEST_BYTES ? 2 : 0;
	b->iova_mask = count * len - 1;
	b->mask = (count * len < GUEST_BYTES ? count * len : GUEST_BYTES) - 1;
}

static void cleanup(struct bench *b)
{
	gm_iommu_put(b->iommu);
	guest_exit(&b->guest);
}

static void run_reads(uint64_t count, uint64_t len, double max_ns,
		      const char *what)
{
	struct bench *b = &bench;
	struct bench_case c = {
		.run = view_read,
		.base = raw_read,
		.base_name = "volatile",
		.ctx = b,
		.ops = GUEST_WINDOW,
		.max_ns = max_ns,
	};
	uint64_t mask, iova_mask;
	int i;

	setup(b, count, len, false);
	mask = b->mask;
	iova_mask = b->iova_mask;
	b->mask = 0;
	b->iova_mask = 0;
	bench_run(&c, "read_u32_same/%s%lu", what, count);
	b->mask = mask;
	b->iova_mask = iova_mask;
	/* Each page once before, as far as that goes. */
	for (i = 0; i < GUEST_WINDOWS; i++)
		view_read(b, GUEST_WINDOW);
	bench_run(&c, "read_u32_random/%s%lu", what, count);
	fill_table(b, count, len);
	c.max_ns = 0;
	c.run = table_read;
	bench_run(&c, "table_random/%s%lu", what, count);
	c.run = padded_read;
	bench_run(&c, "padded_random/%s%lu", what, count);
	free(b->table);
	cleanup(b);
}

static void run_writes(bool dirty)
{
	struct bench *b = &bench;
	struct bench_case c = {
		.run = view_write,
		.base = raw_write,
		.base_name = "volatile",
		.ctx = b,
		.ops = GUEST_WINDOW,
	};

	setup(b, 64, PAGE, dirty);
	bench_run(&c, "write_u32_random/64%s", dirty ? "/bitmap" : "");
	b->iova_mask = 0;
	b->mask = 0;
	bench_run(&c, "write_u32_same/64%s", dirty ? "/bitmap" : "");
	cleanup(b);
}

BENCH_LOOP void bulk(void *ctx, uint64_t n)
{
	static uint8_t buf[1 << 16];
	struct bench *b = ctx;

	for (; n; n--) {
		BENCH_OK(gm_view_read(&b->view, gm_gpa(IOVA), buf,
				      sizeof(buf)));
		BENCH_FORGET();
	}
}

BENCH_LOOP void raw_bulk(void *ctx, uint64_t n)
{
	static uint8_t buf[1 << 16];
	struct bench *b = ctx;
	uint8_t *to = buf;

	for (; n; n--) {
		BENCH_HIDE(to);
		memcpy(to, b->guest.host, sizeof(buf));
		BENCH_FORGET();
	}
}

/* A page is unmapped, mapped elsewhere, and read: a strict guest's request. */
BENCH_LOOP void remap(void *ctx, uint64_t n)
{
	struct bench *b = ctx;
	uint32_t x;

	for (; n; n--) {
		uint64_t gpa = GUEST_GPA + (n & 63) * PAGE;

		BENCH_OK(gm_iommu_invalidate(b->iommu, gm_iova(IOVA), PAGE));
		BENCH_OK(gm_iommu_map(b->iommu, gm_iova(IOVA), PAGE,
				      gm_gpa(gpa), GM_PERM_RW));
		BENCH_OK(gm_view_read_u32(&b->view, gm_gpa(IOVA), &x));
		BENCH_USE(x);
	}
}

BENCH_LOOP void set_only(void *ctx, uint64_t n)
{
	struct bench *b = ctx;

	for (; n; n--) {
		uint64_t at = (n & 4095) * PAGE;

		BENCH_OK(gm_iommu_map(b->iommu, gm_iova(IOVA + at), PAGE,
				      gm_gpa(GUEST_GPA + (n & 63) * PAGE),
				      GM_PERM_RW));
	}
}

static void run_changes(uint64_t count)
{
	struct bench *b = &bench;
	struct bench_case c = { .ctx = b };

	setup(b, count, PAGE, false);
	c.run = set_only;
	bench_run(&c, "replace_mapping/%lu", count);
	c.run = remap;
	bench_run(&c, "invalidate_map_read/%lu", count);
	cleanup(b);
}

static void *reader(void *arg)
{
	struct bench *b = arg;
	struct gm_view v;
	cpu_set_t set;
	uint32_t x, n;

	CPU_ZERO(&set);
	for (n = 0; n < CPU_SETSIZE; n++)
		CPU_SET(n, &set);
	/* Away from the one that measures, which stays where it is. */
	CPU_CLR((uint32_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
	gm_view_init_iommu(&v, b->iommu, b->guest.map);
	for (n = 0; !__atomic_load_n(&b->stop, __ATOMIC_RELAXED); n++)
		if (gm_view_read_u32(&v, gm_gpa(IOVA + n % 64 * PAGE), &x))
			bench_fail("gm_view_read_u32");
	return NULL;
}

/* What others who read cost. */
static void run_readers(int others)
{
	struct bench *b = &bench;
	struct bench_case c = {
		.run = view_read,
		.base = raw_read,
		.base_name = "volatile",
		.ctx = b,
		.ops = GUEST_WINDOW,
	};
	pthread_t t[4];
	int i;

	setup(b, 64, PAGE, false);
	b->stop = false;
	for (i = 0; i < others; i++)
		bench_must(!pthread_create(&t[i], NULL, reader, b),
			   "pthread_create");
	bench_run(&c, "read_u32_random/64/%d others", others);
	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < others; i++)
		pthread_join(t[i], NULL);
	cleanup(b);
}

static void run_bulk(void)
{
	struct bench *b = &bench;
	struct bench_case c = {
		.run = bulk,
		.base = raw_bulk,
		.base_name = "memcpy",
		.ctx = b,
	};

	setup(b, 64, PAGE, false);
	bench_run(&c, "read_64k/16 mappings");
	cleanup(b);
}

int main(int argc, char **argv)
{
	bench_start(argc, argv, "iommu");
	run_reads(1, PAGE, 6, "");
	run_reads(64, PAGE, 10, "");
	run_reads(4096, PAGE, 15, "");
	run_reads(UINT64_C(1) << 20, PAGE, 40, "");
	run_reads(1, GUEST_BYTES, 6, "pieces/");
	run_reads(64, GUEST_BYTES / 64, 10, "pieces/");
	run_reads(4096, GUEST_BYTES / 4096, 15, "pieces/");
	run_writes(false);
	run_writes(true);
	run_bulk();
	run_changes(4096);
	run_changes(UINT64_C(1) << 20);
	run_readers(0);
	run_readers(1);
	run_readers(2);
	return bench_finish();
}
