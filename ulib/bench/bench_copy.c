/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_copy.c - reads and writes of blocks, against memcpy().
 *
 * Sizes are unknown to the compiler, as those of requests are, so both sides
 * call memcpy(); fixed_* has a size that is known, as that of a header is.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "guest.h"

#define MAX_COPY (UINT64_C(4) << 20)
#define MIDDLE (GUEST_BYTES / 2)

struct copy {
	struct gm_view view;
	struct guest guest;
	uint64_t off;		/* in guest and host memory */
	uint64_t len;
	uint64_t mask;		/* of random offsets, which come on top */
	uint8_t *buf;
};

#define LOOP(name, ...) \
BENCH_LOOP void name(void *ctx, uint64_t n) \
{ \
	struct copy *c = ctx; \
	struct gm_view *v = &c->view; \
	uint8_t *host = c->guest.host, *buf = c->buf; \
	uint64_t off = c->off, len = c->len; \
\
	(void)v; \
	(void)host; \
	for (; n; n--) { \
		BENCH_HIDE(off); \
		BENCH_HIDE(len); \
		BENCH_HIDE(buf); \
		__VA_ARGS__; \
	} \
}

LOOP(view_read, BENCH_OK(gm_view_read(v, gm_gpa(GUEST_GPA + off), buf, len)))
LOOP(view_write, BENCH_OK(gm_view_write(v, gm_gpa(GUEST_GPA + off), buf, len)))
LOOP(raw_read, memcpy(buf, host + off, len))
LOOP(raw_write, memcpy(host + off, buf, len))

LOOP(view_read_16, BENCH_OK(gm_view_read(v, gm_gpa(GUEST_GPA + off), buf, 16)))
LOOP(view_write_16, BENCH_OK(gm_view_write(v, gm_gpa(GUEST_GPA + off), buf, 16)))
LOOP(raw_read_16, memcpy(buf, host + off, 16))
LOOP(raw_write_16, memcpy(host + off, buf, 16))
LOOP(view_read_64, BENCH_OK(gm_view_read(v, gm_gpa(GUEST_GPA + off), buf, 64)))
LOOP(view_write_64, BENCH_OK(gm_view_write(v, gm_gpa(GUEST_GPA + off), buf, 64)))
LOOP(raw_read_64, memcpy(buf, host + off, 64))
LOOP(raw_write_64, memcpy(host + off, buf, 64))

/* At random multiples of the length. */
#define RANDOM_LOOP(name, ...) \
BENCH_LOOP void name(void *ctx, uint64_t n) \
{ \
	struct copy *c = ctx; \
	const uint32_t *offsets = guest_next_window(&c->guest); \
	struct gm_view *v = &c->view; \
	uint8_t *host = c->guest.host, *buf = c->buf; \
	uint64_t len = c->len, i; \
\
	(void)v; \
	(void)host; \
	for (i = 0; i < n; i++) { \
		uint64_t off = offsets[i] & c->mask; \
\
		BENCH_HIDE(off); \
		BENCH_HIDE(len); \
		BENCH_HIDE(buf); \
		__VA_ARGS__; \
	} \
}

RANDOM_LOOP(view_random, BENCH_OK(gm_view_read(v, gm_gpa(GUEST_GPA + off), buf, len)))
RANDOM_LOOP(raw_random, memcpy(buf, host + off, len))

static const struct size {
	uint64_t len;
	const char *name;
	double max_ratio;
} sizes[] = {
	{ 64, "64", 1.5 },
	{ 512, "512", 1.3 },
	{ 4096, "4k", 1.05 },
	{ 65536, "64k", 1.02 },
	{ MAX_COPY, "4m", 1.02 },
};

static struct copy copy;

static void run_sizes(bool dirty)
{
	size_t count = copy.guest.count, i;
	struct bench_case c = { .base_name = "memcpy", .ctx = &copy };

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		/* What spans regions is measured by itself. */
		if (sizes[i].len > GUEST_BYTES / count)
			continue;
		copy.len = sizes[i].len;
		copy.off = MIDDLE;
		c.max_ratio = sizes[i].max_ratio;
		if (!dirty) {
			c.run = view_read;
			c.base = raw_read;
			bench_run(&c, "read_%s/%zu", sizes[i].name, count);
		} else {
			c.max_ratio = 0;
		}
		c.run = view_write;
		c.base = raw_write;
		bench_run(&c, "write_%s/%zu%s", sizes[i].name, count,
			  dirty ? "/bitmap" : "");
	}
}

static void run_fixed(void)
{
	struct bench_case c = { .base_name = "inline memcpy", .ctx = &copy };

	copy.off = MIDDLE;
	c.run = view_read_16;
	c.base = raw_read_16;
	bench_run(&c, "fixed_read_16/%zu", copy.guest.count);
	c.run = view_write_16;
	c.base = raw_write_16;
	bench_run(&c, "fixed_write_16/%zu", copy.guest.count);
	c.run = view_read_64;
	c.base = raw_read_64;
	bench_run(&c, "fixed_read_64/%zu", copy.guest.count);
	c.run = view_write_64;
	c.base = raw_write_64;
	bench_run(&c, "fixed_write_64/%zu", copy.guest.count);
}

static void run_across(bool dirty)
{
	struct bench_case c = {
		.base_name = "memcpy",
		.ctx = &copy,
		.max_ratio = dirty ? 0 : 2.5,
	};

	copy.len = 512;
	copy.off = MIDDLE - 256;
	if (!dirty) {
		c.run = view_read;
		c.base = raw_read;
		bench_run(&c, "across_read_512/%zu", copy.guest.count);
	}
	c.run = view_write;
	c.base = raw_write;
	bench_run(&c, "across_write_512/%zu%s", copy.guest.count,
		  dirty ? "/bitmap" : "");
}

static void run_random(void)
{
	struct bench_case c = {
		.run = view_random,
		.base = raw_random,
		.base_name = "memcpy",
		.ctx = &copy,
	};

	copy.len = 64;
	copy.mask = ~(copy.len - 1);
	c.ops = GUEST_WINDOW;
	bench_run(&c, "random_read_64/%zu", copy.guest.count);
	copy.len = 4096;
	copy.mask = ~(copy.len - 1);
	c.ops = GUEST_WINDOW / 8;
	bench_run(&c, "random_read_4k/%zu", copy.guest.count);
}

static void run_guest(size_t count, bool dirty)
{
	guest_init(&copy.guest, count, dirty);
	gm_view_init(&copy.view, copy.guest.map);
	run_sizes(dirty);
	if (!dirty) {
		run_fixed();
		run_random();
	}
	if (count > 1)
		run_across(dirty);
	guest_exit(&copy.guest);
}

int main(int argc, char **argv)
{
	int i;

	bench_start(argc, argv, "copy");
	copy.buf = aligned_alloc(4096, MAX_COPY);
	bench_must(copy.buf, "aligned_alloc");
	memset(copy.buf, 1, MAX_COPY);
	for (i = 0; i < GUEST_COUNTS; i++) {
		run_guest(guest_counts[i], false);
		run_guest(guest_counts[i], true);
	}
	free(copy.buf);
	return bench_finish();
}
