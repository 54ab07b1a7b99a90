/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_access.c - integers and small objects at one guest address, again and
 * again, against a volatile access through a raw pointer.
 *
 * The address is made unknown in each turn, so that every access is looked up and
 * checked.
 */
#include "bench.h"
#include "guest.h"

struct access {
	struct gm_view view;
	gm_gpa_t gpa;
	uint8_t *host;
};

struct object4 {
	uint16_t a, b;
};

struct object8 {
	uint32_t a, b;
};

#define VIEW_LOOP(name, ...) \
BENCH_LOOP void view_##name(void *ctx, uint64_t n) \
{ \
	struct access *acc = ctx; \
	struct gm_view *v = &acc->view; \
	gm_gpa_t gpa = acc->gpa; \
\
	for (; n; n--) { \
		BENCH_HIDE(gpa); \
		__VA_ARGS__; \
	} \
}

#define RAW_LOOP(name, type, ...) \
BENCH_LOOP void raw_##name(void *ctx, uint64_t n) \
{ \
	struct access *acc = ctx; \
	volatile type *p = (volatile type *)acc->host; \
\
	for (; n; n--) { \
		BENCH_HIDE(p); \
		__VA_ARGS__; \
	} \
}

#define READ(bits, expr) { \
	uint##bits##_t x; \
	BENCH_OK(expr); \
	BENCH_USE(x); \
}

#define INT_LOOPS(bits) \
VIEW_LOOP(read_u##bits, READ(bits, gm_view_read_u##bits(v, gpa, &x))) \
VIEW_LOOP(load_u##bits, \
	  READ(bits, gm_view_load_u##bits(v, gpa, GM_RELAXED, &x))) \
VIEW_LOOP(acquire_u##bits, \
	  READ(bits, gm_view_load_u##bits(v, gpa, GM_ACQUIRE, &x))) \
VIEW_LOOP(write_u##bits, BENCH_OK(gm_view_write_u##bits(v, gpa, (uint##bits##_t)n))) \
VIEW_LOOP(store_u##bits, \
	  BENCH_OK(gm_view_store_u##bits(v, gpa, (uint##bits##_t)n, GM_RELAXED))) \
VIEW_LOOP(release_u##bits, \
	  BENCH_OK(gm_view_store_u##bits(v, gpa, (uint##bits##_t)n, GM_RELEASE))) \
RAW_LOOP(read_u##bits, uint##bits##_t, \
	 { uint##bits##_t x = *p; BENCH_USE(x); }) \
RAW_LOOP(write_u##bits, uint##bits##_t, *p = (uint##bits##_t)n)

INT_LOOPS(16)
INT_LOOPS(32)
INT_LOOPS(64)

/* An object: all its fields are wanted. */
#define OBJ_LOOPS(bytes, bits) \
VIEW_LOOP(read_obj##bytes, { \
	struct object##bytes o; \
	BENCH_OK(gm_view_read(v, gpa, &o, sizeof(o))); \
	BENCH_USE(o.a); \
	BENCH_USE(o.b); \
}) \
VIEW_LOOP(write_obj##bytes, { \
	struct object##bytes o = { 1, (uint##bits##_t)n }; \
	BENCH_OK(gm_view_write(v, gpa, &o, sizeof(o))); \
}) \
RAW_LOOP(read_obj##bytes, struct object##bytes, { \
	struct object##bytes o = *p; \
	BENCH_USE(o.a); \
	BENCH_USE(o.b); \
}) \
RAW_LOOP(write_obj##bytes, struct object##bytes, { \
	struct object##bytes o = { 1, (uint##bits##_t)n }; \
	*p = o; \
})

OBJ_LOOPS(4, 16)
OBJ_LOOPS(8, 32)

static const struct op {
	const char *name;
	bench_fn *run;
	bench_fn *base;
	bool write;
} ops[] = {
#define INT_OPS(bits) \
	{ "read_u" #bits, view_read_u##bits, raw_read_u##bits, false }, \
	{ "load_u" #bits "_relaxed", view_load_u##bits, raw_read_u##bits, false }, \
	{ "load_u" #bits "_acquire", view_acquire_u##bits, raw_read_u##bits, false }, \
	{ "write_u" #bits, view_write_u##bits, raw_write_u##bits, true }, \
	{ "store_u" #bits "_relaxed", view_store_u##bits, raw_write_u##bits, true }, \
	{ "store_u" #bits "_release", view_release_u##bits, raw_write_u##bits, true },
	INT_OPS(16)
	INT_OPS(32)
	INT_OPS(64)
	{ "read_obj4", view_read_obj4, raw_read_obj4, false },
	{ "write_obj4", view_write_obj4, raw_write_obj4, true },
	{ "read_obj8", view_read_obj8, raw_read_obj8, false },
	{ "write_obj8", view_write_obj8, raw_write_obj8, true },
};

/* Reads don't know of the bitmap: they are measured without. */
static void run_ops(size_t count, bool dirty)
{
	struct access acc;
	struct guest g;
	size_t i;

	guest_init(&g, count, dirty);
	gm_view_init(&acc.view, g.map);
	acc.gpa = gm_gpa(GUEST_GPA + GUEST_BYTES / 2 + 64);
	acc.host = g.host + GUEST_BYTES / 2 + 64;
	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		struct bench_case c = {
			.run = ops[i].run,
			.base = ops[i].base,
			.base_name = "volatile",
			.ctx = &acc,
			/* With a bitmap it marks, which the raw one does not. */
			.max_ratio = dirty ? 0 : 2,
		};

		if (dirty && !ops[i].write)
			continue;
		bench_run(&c, "%s/%zu%s", ops[i].name, count,
			  dirty ? "/bitmap" : "");
	}
	guest_exit(&g);
}

int main(int argc, char **argv)
{
	int i;

	bench_start(argc, argv, "same_address");
	for (i = 0; i < GUEST_COUNTS; i++) {
		run_ops(guest_counts[i], false);
		run_ops(guest_counts[i], true);
	}
	return bench_finish();
}
