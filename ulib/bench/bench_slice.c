/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_slice.c - integers through a slice that is held, as a device holds its
 * ring, against a volatile access through a raw pointer.
 *
 * The slice is a variable of the loop, as the raw pointer is; the offset in it
 * is made unknown in each turn.
 */
#include "bench.h"
#include "guest.h"

struct ring {
	struct gm_slice slice;
	uint64_t off;
};

#define SLICE_LOOP(name, ...) \
BENCH_LOOP void slice_##name(void *ctx, uint64_t n) \
{ \
	struct ring *r = ctx; \
	struct gm_slice s = r->slice; \
	uint64_t start = r->off; \
\
	for (; n; n--) { \
		uint64_t off = start; \
\
		BENCH_HIDE(off); \
		__VA_ARGS__; \
	} \
}

#define RAW_LOOP(name, bits, ...) \
BENCH_LOOP void raw_##name(void *ctx, uint64_t n) \
{ \
	struct ring *r = ctx; \
	uint8_t *base = r->slice.host; \
	uint64_t start = r->off; \
\
	for (; n; n--) { \
		uint64_t off = start; \
		volatile uint##bits##_t *p; \
\
		BENCH_HIDE(off); \
		p = (volatile uint##bits##_t *)(base + off); \
		__VA_ARGS__; \
	} \
}

#define READ(bits, expr) { \
	uint##bits##_t x; \
	BENCH_OK(expr); \
	BENCH_USE(x); \
}

#define INT_LOOPS(bits) \
SLICE_LOOP(read_u##bits, READ(bits, gm_slice_read_u##bits(s, off, &x))) \
SLICE_LOOP(load_u##bits, \
	   READ(bits, gm_slice_load_u##bits(s, off, GM_RELAXED, &x))) \
SLICE_LOOP(acquire_u##bits, \
	   READ(bits, gm_slice_load_u##bits(s, off, GM_ACQUIRE, &x))) \
SLICE_LOOP(write_u##bits, \
	   BENCH_OK(gm_slice_write_u##bits(s, off, (uint##bits##_t)n))) \
SLICE_LOOP(store_u##bits, \
	   BENCH_OK(gm_slice_store_u##bits(s, off, (uint##bits##_t)n, GM_RELAXED))) \
SLICE_LOOP(release_u##bits, \
	   BENCH_OK(gm_slice_store_u##bits(s, off, (uint##bits##_t)n, GM_RELEASE))) \
RAW_LOOP(read_u##bits, bits, { uint##bits##_t x = *p; BENCH_USE(x); }) \
RAW_LOOP(write_u##bits, bits, *p = (uint##bits##_t)n)

INT_LOOPS(16)
INT_LOOPS(32)
INT_LOOPS(64)

static const struct op {
	const char *name;
	bench_fn *run;
	bench_fn *base;
	bool write;
} ops[] = {
#define INT_OPS(bits) \
	{ "read_u" #bits, slice_read_u##bits, raw_read_u##bits, false }, \
	{ "load_u" #bits "_relaxed", slice_load_u##bits, raw_read_u##bits, false }, \
	{ "load_u" #bits "_acquire", slice_acquire_u##bits, raw_read_u##bits, false }, \
	{ "write_u" #bits, slice_write_u##bits, raw_write_u##bits, true }, \
	{ "store_u" #bits "_relaxed", slice_store_u##bits, raw_write_u##bits, true }, \
	{ "store_u" #bits "_release", slice_release_u##bits, raw_write_u##bits, true },
	INT_OPS(16)
	INT_OPS(32)
	INT_OPS(64)
};

static void run_ops(size_t count, bool dirty)
{
	struct gm_view view;
	struct guest g;
	struct ring r = { .off = 64 };
	size_t i;

	guest_init(&g, count, dirty);
	gm_view_init(&view, g.map);
	bench_must(!gm_view_slice(&view, gm_gpa(GUEST_GPA + GUEST_BYTES / 2),
				  4096, GM_PERM_RW, &r.slice),
		   "gm_view_slice");
	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		struct bench_case c = {
			.run = ops[i].run,
			.base = ops[i].base,
			.base_name = "volatile",
			.ctx = &r,
			.max_ratio = dirty ? 0 : 1.2,
		};

		if (dirty && !ops[i].write)
			continue;
		bench_run(&c, "%s%s", ops[i].name, dirty ? "/bitmap" : "");
	}
	guest_exit(&g);
}

int main(int argc, char **argv)
{
	bench_start(argc, argv, "held_slice");
	/* A slice does not know how many regions there are. */
	run_ops(256, false);
	run_ops(256, true);
	return bench_finish();
}
