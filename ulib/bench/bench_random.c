/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_random.c - u32 at random addresses over 1 GiB, against raw pointers to
 * the same bytes. No access waits for another.
 */
#include "bench.h"
#include "guest.h"

struct random {
	struct gm_view view;
	struct guest guest;
};

#define VIEW_LOOP(name, ...) \
BENCH_LOOP void view_##name(void *ctx, uint64_t n) \
{ \
	struct random *r = ctx; \
	const uint32_t *offsets = guest_next_window(&r->guest); \
	struct gm_view *v = &r->view; \
	uint64_t i; \
\
	for (i = 0; i < n; i++) { \
		gm_gpa_t gpa = gm_gpa(GUEST_GPA + offsets[i]); \
\
		BENCH_HIDE(gpa); \
		__VA_ARGS__; \
	} \
}

#define RAW_LOOP(name, ...) \
BENCH_LOOP void raw_##name(void *ctx, uint64_t n) \
{ \
	struct random *r = ctx; \
	const uint32_t *offsets = guest_next_window(&r->guest); \
	uint8_t *base = r->guest.host; \
	uint64_t i; \
\
	for (i = 0; i < n; i++) { \
		volatile uint32_t *p = (volatile uint32_t *)(base + offsets[i]); \
\
		BENCH_HIDE(p); \
		__VA_ARGS__; \
	} \
}

VIEW_LOOP(read, { uint32_t x; BENCH_OK(gm_view_read_u32(v, gpa, &x)); BENCH_USE(x); })
VIEW_LOOP(load,
	  { uint32_t x; BENCH_OK(gm_view_load_u32(v, gpa, GM_RELAXED, &x)); BENCH_USE(x); })
VIEW_LOOP(write, BENCH_OK(gm_view_write_u32(v, gpa, (uint32_t)i)))
RAW_LOOP(read, { uint32_t x = *p; BENCH_USE(x); })
RAW_LOOP(write, *p = (uint32_t)i)

static void run_ops(size_t count, bool dirty)
{
	static struct random r;
	struct bench_case c = {
		.base_name = "volatile",
		.ctx = &r,
		.ops = GUEST_WINDOW,
	};

	guest_init(&r.guest, count, dirty);
	gm_view_init(&r.view, r.guest.map);
	/* Pages that are dirty already: the first mark is another matter. */
	gm_view_mark(&r.view, gm_gpa(GUEST_GPA), GUEST_BYTES);
	if (!dirty) {
		c.max_ratio = count <= 256 ? 1.3 : 2;
		c.base = raw_read;
		c.run = view_read;
		bench_run(&c, "read_u32/%zu", count);
		c.run = view_load;
		bench_run(&c, "load_u32_relaxed/%zu", count);
	}
	c.max_ratio = 0;
	c.base = raw_write;
	c.run = view_write;
	bench_run(&c, "write_u32/%zu%s", count, dirty ? "/bitmap" : "");
	guest_exit(&r.guest);
}

int main(int argc, char **argv)
{
	int i;

	bench_start(argc, argv, "random_address");
	for (i = 0; i < GUEST_COUNTS; i++) {
		run_ops(guest_counts[i], false);
		run_ops(guest_counts[i], true);
	}
	return bench_finish();
}
