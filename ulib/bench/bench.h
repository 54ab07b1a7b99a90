/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench.h - what the benchmarks share: timing, comparison, output.
 *
 * Nothing is measured alone: each case runs in many short rounds, in turns
 * with a plain pointer access or memcpy that does the same. What is compared is
 * the ratio of the two, so that another machine, or a busy one, gives much the
 * same answer.
 *
 * A new benchmark is one file bench_<what>.c with a main() that calls
 * bench_start(), bench_run() for each case, and returns bench_finish().
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A loop to be timed. Kept apart, so that the compiler sees it alone. */
#define BENCH_LOOP static __attribute__((__noinline__))

/*
 * In a timed loop: BENCH_FORGET() makes memory unknown to the compiler again, so
 * that what an access loads is loaded each time; BENCH_HIDE() makes a variable
 * unknown; BENCH_USE() has a value be computed. None is an instruction.
 */
#define BENCH_HIDE(x) __asm__ volatile("" : "+r"(x))
#define BENCH_FORGET() __asm__ volatile("" : : : "memory")
#define BENCH_USE(x) __asm__ volatile("" : : "r"(x))

/* A call that returns 0 or the benchmark is over. */
#define BENCH_OK(expr) \
	do { \
		if (__builtin_expect((expr) != 0, 0)) \
			bench_fail(#expr); \
	} while (0)

/* Does @n operations. */
typedef void bench_fn(void *ctx, uint64_t n);

/**
 * struct bench_case - one line of the table
 * @run: what is measured
 * @base: the raw access that does the same; NULL: there is none
 * @base_name: its name
 * @ctx: for both
 * @prepare: called before each timed run, untimed, with the same @n; or NULL
 * @ops: operations a round; 0: so many that a round takes some 20 us
 * @max_ratio: target: at most so many times @base; 0: none
 * @max_ns: target: at most so many ns an operation; 0: none
 * @max_more_ns: target: at most so many ns more than @base; 0: none
 */
struct bench_case {
	bench_fn *run;
	bench_fn *base;
	const char *base_name;
	void *ctx;
	bench_fn *prepare;
	uint64_t ops;
	double max_ratio;
	double max_ns;
	double max_more_ns;
};

/* Takes the options, stays on one CPU, prints the head of the table. */
void bench_start(int argc, char **argv, const char *title);

/* Measures one case and prints its line; the name comes as for printf(). */
void bench_run(const struct bench_case *c, const char *name, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* Return: what main() returns. A target missed is no failure. */
int bench_finish(void);

/* For a thread beside the one that measures: to the other CPUs, if there are. */
void bench_go_elsewhere(void);

/* Ends the program: a call that can't fail here has failed. */
void bench_fail(const char *what) __attribute__((__noreturn__, __cold__));

static inline void bench_must(bool ok, const char *what)
{
	if (!ok)
		bench_fail(what);
}

#endif /* BENCH_H */
