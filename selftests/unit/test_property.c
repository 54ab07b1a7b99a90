/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: windows */
/*
 * test_property.c - random operations on random maps, each compared with a
 * model: data, return value, error and dirty bits.
 *
 *   GM_SEED=number            the same run again, checked in full at each step
 *   GM_PROPERTY_STEPS=number  how many
 */
#include <inttypes.h>
#include <sys/random.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "property_ops.h"
#include "scale.h"

#define STEPS 3000000
#define STEPS_A_WORLD 1500
#define STEPS_A_FULL_CHECK 256

/* Changes of the map are dear, and one now and then will do. */
static const struct op_kind other_ops[] = {
	{ "plug", op_plug, false },
	{ "unplug", op_unplug, false },
	{ "iov_extract to read", op_iov_extract, false },
	{ "iov_extract to write", op_iov_extract, true },
	{ "iov_read", op_iov_copy, false },
	{ "iov_write", op_iov_copy, true },
};

#define OTHER_OPS (sizeof(other_ops) / sizeof(other_ops[0]))

struct run {
	uint64_t seed;
	uint64_t step;
	uint64_t steps;
	bool careful;		/* full check after each step */
	const struct op_kind *kind;
	struct op op;
	struct world w;
};

static struct run run;

static uint64_t number_of(const char *env, uint64_t otherwise)
{
	const char *s = getenv(env);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

static void choose_op(struct run *r)
{
	struct rnd *rnd = &r->w.rnd;

	if (rnd_below(rnd, 16)) {
		r->kind = &access_ops[rnd_below(rnd, access_op_count)];
	} else {
		r->kind = &other_ops[rnd_below(rnd, OTHER_OPS)];
		/* Far rarer than the others. */
		if (r->kind->run == op_plug && rnd_below(rnd, 4))
			r->kind = &other_ops[2];
		if (r->kind->run == op_unplug && rnd_below(rnd, 8))
			r->kind = &other_ops[3];
	}
	r->op.gpa = world_address(&r->w);
	/* Mostly short; sometimes over many regions. */
	r->op.n = rnd_below(rnd, 8) ? rnd_below(rnd, 24) :
				      rnd_below(rnd, OP_BUF - 16);
}

static bool step(struct run *r)
{
	bool full = r->careful || r->step % STEPS_A_FULL_CHECK == 0;

	if (r->step % STEPS_A_WORLD == 0 && !world_renew(&r->w))
		return world_wrong(&r->w, "no world", 0);
	choose_op(r);
	if (!r->kind->run(&r->op, r->kind->variant))
		return false;
	return !full || world_check(&r->w);
}

static void show_progress(const struct run *r)
{
	if (r->step % 65536 == 0 && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " steps%s", r->step,
			r->steps, r->step == r->steps ? "\n" : "");
}

static void show_failure(const struct run *r)
{
	const struct world *w = &r->w;
	char text[160];
	size_t i;

	printf("# GM_SEED=0x%" PRIx64 " step %" PRIu64 ": %s gpa 0x%" PRIx64
	       " n %" PRIu64 ": %s at 0x%" PRIx64 "\n", r->seed, r->step,
	       r->kind ? r->kind->name : "-", r->op.gpa, r->op.n, w->wrong,
	       w->wrong_at);
	gm_error_format(gm_error_last(), text, sizeof(text));
	printf("# last error: %s\n", text);
	for (i = 0; i < w->count; i++)
		printf("# region 0x%" PRIx64 " + %" PRIu64 " kind %d%s\n",
		       w->regions[i].base, w->regions[i].len,
		       w->regions[i].kind,
		       w->regions[i].plugged ? "" : " (not plugged)");
}

TEST(random_operations_agree_with_the_model)
{
	struct run *r = &run;
	bool ok = true;

	ASSERT_EQ(sizeof(r->seed), (size_t)getrandom(&r->seed, sizeof(r->seed),
						     0));
	r->careful = getenv("GM_SEED");
	r->seed = number_of("GM_SEED", r->seed);
	r->steps = number_of("GM_PROPERTY_STEPS", test_iterations(STEPS));
	printf("# GM_SEED=0x%" PRIx64 ", %" PRIu64 " steps\n", r->seed,
	       r->steps);
	ASSERT_TRUE(world_init(&r->w, r->seed));
	r->op.w = &r->w;
	while (r->step < r->steps) {
		ok = step(r);
		if (!ok)
			break;
		r->step++;
		show_progress(r);
	}
	if (!ok)
		show_failure(r);
	EXPECT_TRUE(ok);
	fflush(stdout);
	world_exit(&r->w);
}

TEST_HARNESS_MAIN
